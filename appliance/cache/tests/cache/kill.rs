// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `kill -9` of an importing process at many moments. The importer is this test program, started again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use platen_cache::layout::Layout;
use platen_cache::{Cache, CacheError};
use platen_media::sign::TrustedKeys;

use crate::support::{Bench, Pack, all, assert_right, import, name, noise, now};

const SOURCE: &str = "PLATEN_TEST_IMPORT_SOURCE";
const CACHE: &str = "PLATEN_TEST_IMPORT_CACHE";
const KEYS: &str = "PLATEN_TEST_IMPORT_KEYS";

#[test]
#[ignore = "not a test: the process that is killed"]
fn importer() {
    let Ok(source) = std::env::var(SOURCE) else { return };
    let source = Layout::open(Path::new(&source)).unwrap();
    let keys = TrustedKeys::load(Path::new(&std::env::var(KEYS).unwrap())).unwrap();
    println!("begin");
    let cache = Cache::open(Path::new(&std::env::var(CACHE).unwrap()), None).unwrap();
    all(cache.import(&source, None, &keys, now(), &mut |_| {})).unwrap();
    println!("end");
}

fn start(bench: &Bench, cache: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::importer", "--ignored", "--nocapture"])
        .env(SOURCE, bench.source.dir())
        .env(CACHE, cache)
        .env(KEYS, bench.dir.path().join("key.pub"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    while !lines.next().expect("the importer begins").unwrap().ends_with("begin") {}
    child
}

/// The store must be whole at this moment. Says whether the medium is visible.
fn check(bench: &Bench, dir: &Path) -> bool {
    let cache = Cache::open(dir, None).unwrap();
    let listed = cache.list().unwrap();
    match cache.load(&name("PLT00001"), &bench.keys) {
        Ok(media) => {
            assert_right(&media, &bench.manifest);
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].problem, None);
            true
        }
        Err(CacheError::UnknownMedia { .. }) => {
            assert!(listed.is_empty());
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[derive(Default, Debug)]
struct Seen {
    kills: usize,
    before: usize,
    visible: usize,
    went_on: usize,
    finished_first: usize,
}

/// Kill `kills` importers of one medium; `within` is the time an undisturbed one takes.
fn kill_many(bench: &Bench, kills: usize) -> Seen {
    std::fs::write(bench.dir.path().join("key.pub"), bench.signer.public_text()).unwrap();
    let total: u64 = bench.manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
    let within = {
        let dir = bench.dir.path().join("undisturbed");
        let mut child = start(bench, &dir);
        let began = Instant::now();
        assert!(child.wait().unwrap().success());
        assert!(check(bench, &dir));
        std::fs::remove_dir_all(dir).unwrap();
        began.elapsed()
    };
    let mut seen = Seen::default();
    let mut random = u32::from_le_bytes(noise(kills as u64 + total, 4).try_into().unwrap());
    let mut round = 0;
    while seen.kills < kills {
        round += 1;
        assert!(round < 20 * kills, "{seen:?}");
        let dir = bench.dir.path().join(format!("cache{round}"));
        // One to three kills on the same store, then an import that is left alone.
        let mut visible = false;
        for _ in 0..1 + round % 3 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wait = within.mul_f64(f64::from(random >> 8) / f64::from(1 << 24));
            let mut child = start(bench, &dir);
            std::thread::sleep(wait);
            let over = child.try_wait().unwrap().is_some();
            // SIGKILL.
            child.kill().unwrap();
            child.wait().unwrap();
            seen.kills += usize::from(!over);
            seen.finished_first += usize::from(over);
            let now_visible = check(bench, &dir);
            assert!(now_visible || !visible, "a visible medium never vanishes");
            visible = now_visible;
            seen.visible += usize::from(!over && visible);
            seen.before += usize::from(!over && !visible);
        }
        let cache = Cache::open(&dir, None).unwrap();
        // A copy that was only just begun has nothing to go on from.
        let has_files = |folder: &str| {
            let mut entries = std::fs::read_dir(dir.join(folder)).unwrap();
            entries.any(|entry| entry.unwrap().metadata().unwrap().len() > 0)
        };
        let kept = has_files("blobs/sha256") || has_files("ingest");
        let imported = import(&cache, &bench.source, &bench.keys).unwrap();
        assert!(check(bench, &dir));
        if kept {
            assert!(imported[0].copied_bytes < total, "what was copied is not copied again: {imported:?}");
            seen.went_on += 1;
        }
        cache.collect_garbage().unwrap();
        assert!(check(bench, &dir));
        assert!(cache.scrub(&mut |_| {}).unwrap().damage.is_empty());
        std::fs::remove_dir_all(dir).unwrap();
    }
    seen
}

#[test]
fn a_store_is_whole_after_kills_while_much_is_copied() {
    let packs: Vec<Pack> = (0..6_u64)
        .map(|n| Pack::single(["A", "B", "C", "D", "E", "F"][n as usize], &format!("{n}.bin"), noise(n, 4 << 20)))
        .collect();
    let bench = Bench::with("PLT00001", 1, &packs);
    let seen = kill_many(&bench, 40);
    eprintln!("big medium: {seen:?}");
    assert!(seen.kills >= 40 && seen.went_on > 0, "{seen:?}");
}

/// Little to copy: most of the time is saving, renaming and publishing.
#[test]
fn a_store_is_whole_after_kills_while_it_is_published() {
    let bench = Bench::new();
    let seen = kill_many(&bench, 60);
    eprintln!("small medium: {seen:?}");
    assert!(seen.kills >= 60, "{seen:?}");
}

#[test]
fn a_spoiled_left_over_does_not_spoil_the_next_import() {
    let bench = Bench::new();
    let cache = bench.cache();
    for (round, spoil) in ["short", "wrong", "long"].into_iter().enumerate() {
        let blob = bench.manifest.blobs[round];
        let mut left = bench.blobs[round].clone();
        match spoil {
            "short" => left.truncate(left.len() / 2),
            "wrong" => left[10] ^= 1,
            _ => left.extend([0; 5000]),
        }
        std::fs::write(cache.layout().dir().join("ingest").join(blob.sha256.to_string()), left).unwrap();
    }
    import(&cache, &bench.source, &bench.keys).unwrap();
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    assert_eq!(std::fs::read_dir(cache.layout().dir().join("ingest")).unwrap().count(), 0);
}

#[test]
fn control_a_visible_medium_with_half_a_blob_is_seen() {
    let bench = Bench::new();
    let cache = bench.cache();
    import(&cache, &bench.source, &bench.keys).unwrap();
    assert!(check(&bench, &bench.cache_dir()));
    let path = cache.layout().blob_path(bench.manifest.blobs[1].sha256);
    std::fs::write(&path, &bench.blobs[1][..100]).unwrap();
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&bench, &bench.cache_dir())));
    let said = checked.expect_err("half a blob").downcast::<String>().expect("a message");
    assert!(said.contains("missing content: ") && said.contains("expected 20000 bytes, found 100"), "{said}");
}
