// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Quotas and full disks.

use std::fs;
use std::path::Path;
use std::process::Command;

use platen_cache::{Cache, CacheError};
use platen_media::manifest::ContentKind;
use platen_testkit::mount::SmallDisk;

use crate::support::{Bench, Pack, all, assert_right, import, name, noise, now, packs};

#[test]
fn a_quota_is_kept_and_counts_what_is_here() {
    let bench = Bench::new();
    let total: u64 = bench.manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
    let cache = Cache::open(&bench.cache_dir(), Some(total - 1)).unwrap();
    let refused = bench.import(&cache).unwrap_err();
    assert!(matches!(refused, CacheError::Quota { needed_bytes, .. } if needed_bytes > total), "{refused}");
    let cache = Cache::open(&bench.cache_dir(), Some(2 * total)).unwrap();
    bench.import(&cache).unwrap();
    // The same again needs nothing.
    let roomy = Cache::open(&bench.cache_dir(), Some(cache.used_bytes().unwrap())).unwrap();
    bench.import(&roomy).unwrap();
    bench.add("PLT00002", 1, &packs(40));
    let answer = all(cache.import(&bench.source, Some(&name("PLT00002")), &bench.keys, now(), &mut |_| {}));
    assert!(matches!(answer, Err(CacheError::Quota { .. })));
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
}

/// What is known about a medium takes room as well: its manifest may be far larger than its content.
#[test]
fn whatever_is_accepted_stays_within_the_quota_with_all_its_files() {
    let many = (0..400).map(|n| (format!("{n}.txt"), vec![n as u8; 3])).collect();
    let bench = Bench::with("PLT00001", 1, &[Pack { kind: ContentKind::Package, id: "PKG00001", files: many }]);
    let judge = |dir: &Path| {
        let answer = Command::new("du").args(["--apparent-size", "--bytes", "--all"]).arg(dir).output().unwrap();
        let lines = String::from_utf8(answer.stdout).unwrap();
        let file = |line: &str| -> Option<u64> {
            let (size, path) = line.split_once('\t')?;
            Path::new(path).is_file().then(|| size.parse().ok())?
        };
        lines.lines().filter_map(file).sum::<u64>()
    };
    let (mut accepted, mut refused) = (0, 0);
    for quota in (0..200_000).step_by(5_000) {
        let dir = bench.dir.path().join(quota.to_string());
        match bench.import(&Cache::open(&dir, Some(quota)).unwrap()) {
            Ok(_) => {
                accepted += 1;
                assert!(judge(&dir) <= quota, "{} bytes with a quota of {quota}", judge(&dir));
            }
            Err(error) => {
                refused += 1;
                assert!(matches!(error, CacheError::Quota { .. }), "{error}");
            }
        }
    }
    assert!(accepted > 0 && refused > 5, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_disk_too_small_is_refused_before_anything_is_copied() {
    let big = [Pack::single("OSD00001", "big.bin", noise(1, 5 << 20))];
    let bench = Bench::with("PLT00001", 1, &big);
    let at = bench.dir.path().join("small");
    let Some(_small) = SmallDisk::mount(&at, "4m") else { return };
    let cache = Cache::open(&at.join("cache"), None).unwrap();
    let refused = bench.import(&cache).unwrap_err();
    assert!(matches!(refused, CacheError::DiskFull { needed_bytes, .. } if needed_bytes > 5 << 20), "{refused}");
    assert_eq!(fs::read_dir(at.join("cache/ingest")).unwrap().count(), 0);
}

/// Somebody else fills the disk while an import runs, at each of its steps.
#[test]
fn a_disk_that_fills_up_meanwhile_loses_nothing() {
    let second: Vec<Pack> = (0..4_u64)
        .map(|n| Pack::single(["A", "B", "C", "D"][n as usize], &format!("{n}.bin"), noise(n + 500, (1 << 20) + 1000)))
        .collect();
    let bench = Bench::new();
    let manifest = bench.add("PLT00002", 1, &second);
    let at = bench.dir.path().join("small");
    let Some(small) = SmallDisk::mount(&at, "14m") else { return };
    let mut failed = 0;
    for step in 0..8 {
        let dir = at.join(format!("cache{step}"));
        let cache = Cache::open(&dir, None).unwrap();
        all(cache.import(&bench.source, Some(&name("PLT00001")), &bench.keys, now(), &mut |_| {})).unwrap();
        let mut seen = 0;
        let answer = all(cache.import(&bench.source, Some(&name("PLT00002")), &bench.keys, now(), &mut |_| {
            if seen == step {
                small.fill();
            }
            seen += 1;
        }));
        assert!(seen > step, "{seen} steps");
        let error = answer.expect_err("the disk is full");
        assert!(matches!(error, CacheError::DiskFull { .. }), "step {step}: {error}");
        failed += 1;
        // What was there is there.
        assert_eq!(cache.list().unwrap().len(), 1, "step {step}");
        assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
        let refused = cache.load(&name("PLT00002"), &bench.keys).unwrap_err();
        assert!(matches!(refused, CacheError::UnknownMedia { .. }), "step {step}: {refused}");
        small.empty();
        let copied =
            all(cache.import(&bench.source, Some(&name("PLT00002")), &bench.keys, now(), &mut |_| {})).unwrap();
        let total: u64 = manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
        assert!(step == 0 || copied[0].copied_bytes < total, "step {step}: goes on, copied {}", copied[0].copied_bytes);
        assert_right(&cache.load(&name("PLT00002"), &bench.keys).unwrap(), &manifest);
        assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
        fs::remove_dir_all(dir).unwrap();
    }
    eprintln!("{failed} full disks, nothing lost");
    drop(small);
    // Control: with room it is accepted.
    import(&bench.cache(), &bench.source, &bench.keys).unwrap();
}
