// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Sources made to hang, mislead or reach out, and what others may do to a store.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use platen_cache::{Cache, CacheError};
use platen_media::Sha256;
use platen_testkit::mount::ReadOnly;

use crate::support::{Bench, Signer, assert_right, chain, import, name, noise, packs, signed};

/// A time no import of these tests comes near; a thread that hangs on a pipe never ends.
const HANGS: Duration = Duration::from_secs(60);

fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (say, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || say.send(act()));
    said.recv_timeout(HANGS).expect("hangs")
}

#[test]
fn no_file_of_a_source_is_waited_for_or_followed() {
    type Make = fn(&Path);
    let kinds: [(&str, Make); 4] = [
        ("pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("link to a good copy", |path| {
            // Outside of the layout, and right in every byte.
            let outside = path.ancestors().find(|dir| dir.join("source").exists()).unwrap().join("outside");
            symlink(outside, path).unwrap();
        }),
        ("link to a device", |path| symlink("/dev/zero", path).unwrap()),
    ];
    let bench = Bench::new();
    let entry = bench.source.entries().unwrap().remove(0);
    let media = bench.source.media(&entry).unwrap();
    let blob = |bytes: &[u8]| bench.source.blob_path(Sha256::of(bytes));
    let paths = [
        bench.source.dir().join("oci-layout"),
        bench.source.dir().join("index.json"),
        bench.source.blob_path(entry.oci_manifest),
        blob(&media.manifest_bytes),
        blob(media.manifest_signature.as_bytes()),
        blob(&media.sums),
        blob(media.sums_signature.as_bytes()),
        bench.source.blob_path(bench.manifest.blobs[1].sha256),
    ];
    for path in &paths {
        let good = fs::read(path).unwrap();
        fs::write(bench.dir.path().join("outside"), &good).unwrap();
        for (kind, make) in kinds {
            fs::remove_file(path).unwrap();
            make(path);
            let (dir, keys, cache) = (bench.source.dir().to_owned(), bench.keys.clone(), bench.cache());
            let answer = in_time(move || {
                let source = platen_cache::layout::Layout::open(&dir)?;
                import(&cache, &source, &keys)
            });
            let said = chain(&answer.expect_err(kind));
            // Content is named as people know it, everything else by its file.
            let name = path.file_name().unwrap().to_string_lossy();
            let is_content = paths.last() == Some(path) && said.contains("missing content: ");
            assert!(said.contains(&*name) || is_content && said.contains("install.wim"), "{kind} at {name}: {said}");
            if path.is_dir() && !path.is_symlink() { fs::remove_dir(path) } else { fs::remove_file(path) }.unwrap();
            fs::write(path, &good).unwrap();
        }
    }
    bench.import(&bench.cache()).expect("the control: whole again, it is accepted");
}

#[test]
fn a_folder_of_a_source_that_leads_elsewhere_is_refused() {
    for folder in ["blobs", "blobs/sha256"] {
        let bench = Bench::new();
        let (from, to) = (bench.source.dir().join(folder), bench.dir.path().join("elsewhere"));
        fs::rename(&from, &to).unwrap();
        symlink(&to, &from).unwrap();
        let refused = platen_cache::layout::Layout::open(bench.source.dir()).unwrap_err();
        assert!(refused.to_string().contains(&format!("{folder} is no folder")), "{refused}");
    }
}

#[test]
fn what_lies_half_copied_is_never_written_through() {
    let bench = Bench::new();
    let cache = bench.cache();
    let victim = bench.dir.path().join("victim");
    fs::write(&victim, noise(3, 50_000)).unwrap();
    let partial =
        |index: usize| cache.layout().dir().join("ingest").join(bench.manifest.blobs[index].sha256.to_string());
    symlink(&victim, partial(0)).unwrap();
    fs::hard_link(&victim, partial(1)).unwrap();
    assert!(Command::new("mkfifo").arg(partial(2)).status().unwrap().success());
    let (source, keys, dir) = (bench.source.clone(), bench.keys.clone(), bench.cache_dir());
    in_time(move || import(&Cache::open(&dir, None).unwrap(), &source, &keys)).unwrap();
    assert!(fs::read(&victim).unwrap() == noise(3, 50_000), "somebody else's file was changed");
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
}

#[test]
fn a_blob_of_the_store_that_became_a_link_is_missing_and_healed() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let path = cache.layout().blob_path(bench.manifest.blobs[1].sha256);
    let moved = bench.dir.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    symlink(&moved, &path).unwrap();
    assert!(matches!(cache.load(&name("PLT00001"), &bench.keys), Err(CacheError::Missing { .. })));
    bench.import(&cache).unwrap();
    assert!(!path.is_symlink());
    cache.load(&name("PLT00001"), &bench.keys).unwrap();
}

#[test]
fn sums_must_be_those_of_the_manifest_to_the_last_byte() {
    let bench = Bench::new();
    let good = String::from_utf8(signed(&bench.manifest, &bench.signer).sums).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let first = lines[0];
    let changes = [
        good.replacen(&first[..8], "00000000", 1),
        good.replacen(&format!("{first}\n"), "", 1),
        format!("{good}{}  added.txt\n", "0".repeat(64)),
        format!("{good}{first}\n"),
        format!("{good}\n"),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        good.replacen("  ", " *", 1),
        lines.iter().rev().map(|line| format!("{line}\n")).collect(),
        good.to_uppercase(),
    ];
    for sums in changes {
        let mut entry = signed(&bench.manifest, &bench.signer);
        entry.sums_signature = bench.signer.sign(sums.as_bytes());
        entry.sums = sums.clone().into_bytes();
        bench.source.publish(&bench.manifest, &entry).unwrap();
        let refused = bench.import(&bench.cache()).unwrap_err();
        assert!(refused.to_string().contains("SHA256SUMS"), "{refused}");
    }
    bench.source.publish(&bench.manifest, &signed(&bench.manifest, &bench.signer)).unwrap();
    bench.import(&bench.cache()).expect("the control");
}

#[test]
fn what_a_store_makes_is_never_writable_by_others() {
    let bench = Bench::new();
    // The umask belongs to the process: this one is not alone, so another is asked.
    fs::write(bench.dir.path().join("key.pub"), bench.signer.public_text()).unwrap();
    let program = std::env::current_exe().unwrap();
    let importer = format!(
        "umask 000; PLATEN_TEST_IMPORT_SOURCE={} PLATEN_TEST_IMPORT_CACHE={} PLATEN_TEST_IMPORT_KEYS={} {} --exact kill::importer --ignored",
        bench.source.dir().display(),
        bench.cache_dir().display(),
        bench.dir.path().join("key.pub").display(),
        program.display()
    );
    assert!(Command::new("sh").args(["-c", &importer]).output().unwrap().status.success());
    let mut seen = 0;
    let mut folders = vec![bench.cache_dir()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder.clone()]) {
            let mode = path.metadata().unwrap().mode() & 0o777;
            assert_eq!(mode & 0o022, 0, "{} has mode {mode:o}", path.display());
            seen += 1;
            if path.is_dir() && path != folder {
                folders.push(path);
            }
        }
    }
    assert!(seen > 10, "{seen}");
    for lock in ["lock", "index.lock"] {
        assert_eq!(bench.cache_dir().join(lock).metadata().unwrap().mode() & 0o777, 0o600, "{lock}");
    }
}

#[test]
fn a_read_only_store_is_looked_at_and_loaded_from() {
    let bench = Bench::new();
    bench.import(&bench.cache()).unwrap();
    let dir = bench.cache_dir();
    for made in ["ingest", "lock", "index.lock"] {
        let path = dir.join(made);
        if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.unwrap();
    }
    let Some(_mounted) = ReadOnly::make(&dir) else { return };
    let cache = Cache::open_existing(&dir).unwrap();
    assert_eq!(cache.list().unwrap().len(), 1);
    assert_eq!(cache.minimums().unwrap().len(), 1);
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    assert!(cache.scrub(&mut |_| {}).unwrap().damage.is_empty());
    let refused = cache.pin(&name("PLT00001"), true).unwrap_err();
    assert!(matches!(&refused, CacheError::Io { path, .. } if path.starts_with(&dir)), "{refused}");
    // It can be a source, too.
    import(&Cache::open(&bench.dir.path().join("second"), None).unwrap(), cache.layout(), &bench.keys).unwrap();
}

#[test]
fn programs_that_add_media_at_once_all_find_theirs_in_the_index() {
    let bench = Bench::new();
    let dir = bench.dir.path().join("shared");
    let signer = Signer::new();
    std::thread::scope(|scope| {
        for n in 0..12_u64 {
            let (dir, signer) = (&dir, &signer);
            scope.spawn(move || {
                let (manifest, blobs) = crate::support::manifest(&format!("M{n}"), 1, &packs(n));
                crate::support::author(dir, signer, &manifest, &blobs);
            });
        }
    });
    let source = platen_cache::layout::Layout::open(&dir).unwrap();
    assert_eq!(source.entries().unwrap().len(), 12);
    fs::set_permissions(dir.join("index.lock"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(import(&bench.cache(), &source, &signer.keys()).unwrap().len(), 12);
}

#[test]
fn imports_at_once_wait_for_each_other_where_they_are_patient() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let bench = &bench;
            scope.spawn(move || {
                let cache = bench.cache().patient(HANGS);
                if n % 2 == 0 {
                    bench.import(&cache).map(drop).unwrap();
                } else {
                    cache.scrub(&mut |_| {}).map(drop).unwrap();
                }
            });
        }
    });
    let held = bench.cache();
    held.load(&name("PLT00001"), &bench.keys).unwrap();
}
