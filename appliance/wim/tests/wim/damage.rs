// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Damage of every kind is refused and the right file named; what no checksum of the format covers is counted.

use std::fs;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use platen_testkit::mount::SmallDisk;
use platen_wim::{WimError, apply, capture, export_non_solid, info, split, verify};

use crate::support::{Bench, bench, imagex, quiet, snapshot, solid, str};

fn flip(path: &Path, offset: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

fn u64_at(path: &Path, offset: usize) -> u64 {
    u64::from_le_bytes(fs::read(path).unwrap()[offset..offset + 8].try_into().unwrap())
}

/// The end of what the integrity table covers: the lookup table, from the header of the format (size in the low 56
/// bits at 48, offset at 56).
fn covered_to(path: &Path) -> u64 {
    (u64_at(path, 48) & ((1 << 56) - 1)) + u64_at(path, 56)
}

fn three_parts(bench: &Bench) -> Vec<PathBuf> {
    let parts = split(&bench.wim, &bench.dir.path().join("install.swm"), 2_400_000, &mut quiet()).unwrap();
    assert!(parts.len() >= 3);
    parts
}

fn verified(path: &Path, parts: &[PathBuf]) -> Result<(), WimError> {
    verify(path, parts, &mut quiet())
}

#[test]
fn every_flipped_byte_of_the_content_is_seen() {
    let bench = bench();
    verified(&bench.wim, &[]).unwrap();
    let end = covered_to(&bench.wim);
    let step = (end as usize / 150) | 1;
    let offsets = (208..end).step_by(step).chain([208, 209, end - 1, end - 50, end - 51]);
    let mut tried = 0;
    for offset in offsets {
        flip(&bench.wim, offset);
        let refused = verified(&bench.wim, &[]).expect_err(&format!("flip at {offset:#x} was not seen"));
        assert!(matches!(&refused, WimError::Damaged { path, .. } if *path == bench.wim), "{offset:#x}: {refused}");
        flip(&bench.wim, offset);
        tried += 1;
    }
    verified(&bench.wim, &[]).unwrap();
    eprintln!("{tried} flips in the content, 0 unseen");
    // Control: the judge sees it as well, so the flips were flips.
    flip(&bench.wim, end / 2);
    assert!(!imagex(&["verify", str(&bench.wim)]));
}

#[test]
fn without_an_integrity_table_every_flip_in_a_resource_is_seen() {
    let bench = bench();
    let plain = bench.dir.path().join("plain.wim");
    assert!(imagex(&["capture", str(&bench.tree), str(&plain), "plain"]));
    assert!(!info(&plain).unwrap().has_integrity);
    verified(&plain, &[]).unwrap();
    let end = u64_at(&plain, 56);
    for offset in (208..end).step_by(end as usize / 60) {
        flip(&plain, offset);
        let refused = verified(&plain, &[]).expect_err(&format!("flip at {offset:#x} was not seen"));
        assert!(matches!(&refused, WimError::Damaged { path, .. } if *path == plain), "{offset:#x}: {refused}");
        flip(&plain, offset);
    }
}

/// Header and XML data have no checksum in the format. Nothing there may crash us, and what is accepted must still
/// have the right content.
#[test]
fn flips_in_header_and_xml_never_crash_and_never_change_content() {
    let bench = bench();
    let size = fs::metadata(&bench.wim).unwrap().len();
    let end = covered_to(&bench.wim);
    let (mut seen, mut unseen) = (0, Vec::new());
    for offset in (0..208).chain(end..size) {
        flip(&bench.wim, offset);
        let answer = catch_unwind(AssertUnwindSafe(|| verified(&bench.wim, &[])));
        match answer.expect("no panic") {
            Err(_) => seen += 1,
            Ok(()) => unseen.push(offset),
        }
        let _ = info(&bench.wim);
        flip(&bench.wim, offset);
    }
    eprintln!("header, XML and integrity table: {seen} flips seen, {} not", unseen.len());
    assert!(unseen.iter().all(|offset| *offset >= 8), "the magic: {unseen:?}");
    // Of the integrity table (offset in the header at 132) only the chunk size, as there is but one chunk.
    let table = u64_at(&bench.wim, 132);
    let in_table: Vec<u64> = unseen.iter().copied().filter(|offset| *offset >= table).collect();
    assert_eq!(in_table, [8, 9, 10, 11].map(|offset| table + offset));
    let tree = snapshot(&bench.tree);
    for offset in unseen.iter().step_by(12) {
        flip(&bench.wim, *offset);
        let out = bench.dir.path().join(format!("out{offset}"));
        if apply(&bench.wim, &[], 1, &out, &mut quiet()).is_ok() {
            assert!(snapshot(&out) == tree, "flip at {offset:#x}");
        }
        flip(&bench.wim, *offset);
    }
}

#[test]
fn a_wim_cut_short_anywhere_is_refused() {
    let bench = bench();
    let whole = fs::read(&bench.wim).unwrap();
    let cut = bench.dir.path().join("cut.wim");
    let lengths = (0..60).map(|n| whole.len() * n / 60).chain([1, 7, 8, 100, 207, 208, 209, whole.len() - 1]);
    for length in lengths {
        fs::write(&cut, &whole[..length]).unwrap();
        let refused = verified(&cut, &[]).expect_err(&format!("{length} of {} bytes", whole.len()));
        let named = match &refused {
            WimError::Truncated { path, .. } | WimError::Damaged { path, .. } => path == &cut,
            WimError::NotAWim { path, .. } => path == &cut && length < 208,
            _ => false,
        };
        assert!(named, "{length}: {refused}");
    }
}

#[test]
fn what_is_no_wim_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wim");
    let answers = |expected_io: bool| {
        for refused in [
            info(&path).map(drop),
            verified(&path, &[]),
            export_non_solid(&path, &dir.path().join("out.wim"), &mut quiet()),
            split(&path, &dir.path().join("out.swm"), 1 << 20, &mut quiet()).map(drop),
            apply(&path, &[], 1, &dir.path().join("out"), &mut quiet()),
        ] {
            let refused = refused.unwrap_err();
            match refused {
                WimError::NotAWim { .. } => assert!(!expected_io),
                WimError::Io { .. } => assert!(expected_io),
                other => panic!("{other}"),
            }
        }
        assert!(!dir.path().join("out.wim").exists() && !dir.path().join("out").exists());
    };
    answers(true);
    for content in [b"".to_vec(), b"PK\x03\x04".repeat(200), vec![0; 4096], b"mswim\0\0\0".repeat(100)] {
        fs::write(&path, content).unwrap();
        answers(false);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    answers(false);
}

#[test]
fn a_missing_part_is_named_by_number() {
    let bench = bench();
    let parts = three_parts(&bench);
    let count = parts.len() as u16;
    for missing in 1..parts.len() {
        let mut given = parts.clone();
        given.remove(missing);
        let expected = missing as u16 + 1;
        for refused in [
            verified(&parts[0], &given).unwrap_err(),
            apply(&parts[0], &given, 1, &bench.dir.path().join("out"), &mut quiet()).unwrap_err(),
        ] {
            assert!(
                matches!(refused, WimError::MissingPart { part, parts, .. } if part == expected && parts == count),
                "{refused}"
            );
        }
    }
    let refused = verified(&parts[1], &parts).unwrap_err();
    assert!(matches!(refused, WimError::MissingPart { part: 1, .. }), "{refused}");
    // A split WIM taken for a whole one.
    for refused in [
        export_non_solid(&parts[0], &bench.dir.path().join("e.wim"), &mut quiet()),
        split(&parts[0], &bench.dir.path().join("again.swm"), 1 << 20, &mut quiet()).map(drop),
    ] {
        assert!(matches!(refused, Err(WimError::MissingPart { part: 2, .. })), "{refused:?}");
    }
}

#[test]
fn a_part_of_another_wim_or_twice_is_refused() {
    let bench = bench();
    let parts = three_parts(&bench);
    let other = self::bench();
    let others = three_parts(&other);
    let mut mixed = parts.clone();
    mixed[1] = others[1].clone();
    let refused = verified(&parts[0], &mixed).unwrap_err();
    assert!(matches!(&refused, WimError::ForeignPart { path, .. } if *path == others[1]), "{refused}");
    let copy = bench.dir.path().join("copy");
    fs::copy(&parts[1], &copy).unwrap();
    let mut twice = parts.clone();
    twice.push(copy.clone());
    let refused = verified(&parts[0], &twice).unwrap_err();
    assert!(matches!(&refused, WimError::ForeignPart { path, .. } if *path == copy), "{refused}");
}

#[test]
fn the_damaged_part_is_named() {
    let bench = bench();
    let parts = three_parts(&bench);
    for part in &parts {
        let end = covered_to(part);
        for offset in [208, end / 3, end / 2, end - 1] {
            flip(part, offset);
            let refused = verified(&parts[0], &parts).unwrap_err();
            assert!(matches!(&refused, WimError::Damaged { path, .. } if path == part), "{offset:#x}: {refused}");
            flip(part, offset);
        }
    }
    // The same where no integrity table names it.
    let plain = bench.dir.path().join("plain.wim");
    assert!(imagex(&["capture", str(&bench.tree), str(&plain), "plain"]));
    assert!(imagex(&["split", str(&plain), str(&bench.dir.path().join("p.swm")), "2.4"]));
    let parts: Vec<PathBuf> = ["p.swm", "p2.swm", "p3.swm", "p4.swm"]
        .map(|name| bench.dir.path().join(name))
        .into_iter()
        .filter(|path| path.exists())
        .collect();
    verified(&parts[0], &parts).unwrap();
    for part in &parts[1..] {
        flip(part, 5000);
        let refused = verified(&parts[0], &parts).unwrap_err();
        assert!(matches!(&refused, WimError::Damaged { path, .. } if path == part), "{refused}");
        flip(part, 5000);
    }
}

#[test]
fn a_damaged_source_is_never_exported_split_or_applied() {
    let bench = bench();
    let solid = solid(&bench);
    let dir = bench.dir.path();
    for (source, at) in [(&bench.wim, 3), (&bench.wim, 2), (&solid, 3), (&solid, 2)] {
        let offset = covered_to(source) / at;
        flip(source, offset);
        let out = dir.join("out.wim");
        let refused = export_non_solid(source, &out, &mut quiet()).unwrap_err();
        assert!(matches!(refused, WimError::Damaged { .. }), "{refused}");
        assert!(!out.exists());
        let target = dir.join("applied");
        let refused = apply(source, &[], 1, &target, &mut quiet()).unwrap_err();
        assert!(matches!(&refused, WimError::Damaged { path, .. } if path == source), "{refused}");
        flip(source, offset);
    }
    flip(&bench.wim, 5000);
    let refused = split(&bench.wim, &dir.join("s.swm"), 1_500_000, &mut quiet()).unwrap_err();
    assert!(matches!(refused, WimError::Damaged { .. }), "{refused}");
    assert!(!dir.join("s.swm").exists());
}

/// `split` copies resources as they are: without an integrity table only reading the result sees the damage.
#[test]
fn damage_split_copies_along_is_seen_afterwards() {
    let bench = bench();
    let plain = bench.dir.path().join("plain.wim");
    assert!(imagex(&["capture", str(&bench.tree), str(&plain), "plain"]));
    flip(&plain, u64_at(&plain, 56) / 2);
    let first = bench.dir.path().join("s.swm");
    let refused = split(&plain, &first, 1_500_000, &mut quiet()).unwrap_err();
    assert!(matches!(refused, WimError::Damaged { .. }), "{refused}");
    let left = fs::read_dir(bench.dir.path()).unwrap().filter(|e| str(&e.as_ref().unwrap().path()).ends_with(".swm"));
    assert_eq!(left.count(), 0);
    // Control: libwim's own split is content with it.
    assert!(imagex(&["split", str(&plain), str(&first), "1.5"]));
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left() {
    let bench = bench();
    let small = bench.dir.path().join("small");
    let Some(_disk) = SmallDisk::mount(&small, "2m") else { return };
    let answers = [
        capture(&bench.tree, &small.join("a.wim"), "a"),
        export_non_solid(&bench.wim, &small.join("b.wim"), &mut quiet()),
        split(&bench.wim, &small.join("c.swm"), 1_500_000, &mut quiet()).map(drop),
        apply(&bench.wim, &[], 1, &small.join("applied"), &mut quiet()),
    ];
    fs::remove_dir_all(small.join("applied")).unwrap();
    let left = fs::read_dir(&small).unwrap().count();
    for answer in answers {
        assert!(matches!(answer, Err(WimError::NoSpace { .. })), "{answer:?}");
    }
    assert_eq!(left, 0);
}

#[test]
fn a_device_or_socket_in_the_tree_is_refused() {
    let bench = bench();
    let _socket = std::os::unix::net::UnixListener::bind(bench.tree.join("socket")).unwrap();
    let refused = capture(&bench.tree, &bench.dir.path().join("s.wim"), "s").unwrap_err();
    assert!(matches!(refused, WimError::Other { .. } | WimError::Warned { .. }), "{refused}");
    assert!(!bench.dir.path().join("s.wim").exists());
}

#[test]
fn a_panic_in_progress_comes_back_and_harms_nothing() {
    let bench = bench();
    let out = bench.dir.path().join("out.wim");
    for _ in 0..3 {
        let caught =
            catch_unwind(AssertUnwindSafe(|| export_non_solid(&bench.wim, &out, &mut |_, _| panic!("stop here"))));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"stop here"));
        assert!(!out.exists());
    }
    verified(&bench.wim, &[]).unwrap();
}

#[test]
fn threads_wait_for_each_other_and_keep_their_own_errors() {
    let bench = bench();
    let broken = bench.dir.path().join("broken.wim");
    fs::copy(&bench.wim, &broken).unwrap();
    flip(&broken, covered_to(&broken) / 2);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (good, broken) = (&bench.wim, &broken);
            scope.spawn(move || {
                for _ in 0..10 {
                    if number % 2 == 0 {
                        verified(good, &[]).unwrap();
                    } else {
                        assert!(matches!(verified(broken, &[]), Err(WimError::Damaged { .. })));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
}
