// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Every WIM made here is judged by `wimlib-imagex` (Debian wimtools).

use std::fs;
use std::process::Command;

use platen_testkit::need;
use platen_wim::{WimError, apply, capture, export_non_solid, info, split, verify};

use crate::support::{bench, imagex, quiet, snapshot, solid, str};

#[test]
fn a_captured_tree_applied_by_imagex_is_the_same() {
    let bench = bench();
    assert!(imagex(&["verify", str(&bench.wim)]));
    let out = bench.dir.path().join("out");
    assert!(imagex(&["apply", str(&bench.wim), "1", str(&out)]));
    assert_eq!(snapshot(&out), snapshot(&bench.tree));
    let info = info(&bench.wim).unwrap();
    assert_eq!((info.image_count, info.part, info.parts, info.solid), (1, 1, 1, false));
    assert!(info.has_integrity);
    assert_eq!(info.total_bytes, fs::metadata(&bench.wim).unwrap().len());
    assert_eq!(info.images[0].name, "Platen test");
    let sizes = snapshot(&bench.tree).values().flatten().map(|bytes| bytes.len() as u64).sum::<u64>();
    assert!(info.images[0].total_bytes.abs_diff(sizes) < 1000, "{info:?}");
}

#[test]
fn a_tree_captured_by_imagex_is_applied_the_same() {
    let bench = bench();
    let theirs = bench.dir.path().join("theirs.wim");
    assert!(imagex(&["capture", str(&bench.tree), str(&theirs), "a", "b"]));
    let out = bench.dir.path().join("out");
    let mut last = (0, 0);
    apply(&theirs, &[], 1, &out, &mut |done, total| last = (done, total)).unwrap();
    assert_eq!(snapshot(&out), snapshot(&bench.tree));
    assert!(last.0 > 0 && last.0 == last.1, "{last:?}");
    assert_eq!(info(&theirs).unwrap().images[0].description, "b");
    for index in [0, 2, u32::MAX] {
        let refused = apply(&theirs, &[], index, &out, &mut quiet()).unwrap_err();
        assert!(matches!(refused, WimError::NoSuchImage { count: 1, .. }), "{refused}");
    }
}

#[test]
fn an_ntfs_volume_in_a_file_takes_an_image() {
    if !need::program("mkntfs") {
        return;
    }
    let bench = bench();
    let volume = bench.dir.path().join("volume");
    fs::File::create(&volume).unwrap().set_len(64 << 20).unwrap();
    let made = Command::new("mkntfs").args(["-F", "-Q", "-q"]).arg(&volume).output().unwrap();
    assert!(made.status.success());
    apply(&bench.wim, &[], 1, &volume, &mut quiet()).unwrap();
    let back = bench.dir.path().join("back.wim");
    assert!(imagex(&["capture", str(&volume), str(&back), "back"]));
    let out = bench.dir.path().join("out");
    assert!(imagex(&["apply", str(&back), "1", str(&out), "--no-acls"]));
    assert_eq!(snapshot(&out), snapshot(&bench.tree));
}

#[test]
fn properties_of_images_and_their_architecture() {
    let bench = bench();
    for (number, wanted) in [("0", Some("x86")), ("9", Some("x86_64")), ("12", Some("arm64")), ("77", None)] {
        let property = format!("WINDOWS/ARCH={number}");
        assert!(imagex(&["info", str(&bench.wim), "1", "--image-property", &property, "--boot"]));
        let info = info(&bench.wim).unwrap();
        assert_eq!(info.images[0].architecture.as_deref(), wanted);
        assert_eq!(info.boot_index, 1);
    }
}

#[test]
fn parts_of_a_split_keep_the_limit_verify_and_apply_back() {
    let bench = bench();
    let limit = 1_500_000;
    let first = bench.dir.path().join("install.swm");
    let mut seen = Vec::new();
    let parts = split(&bench.wim, &first, limit, &mut |done, total| seen.push((done, total))).unwrap();
    assert!(parts.len() >= 4 && seen.iter().all(|(done, total)| done <= total), "{parts:?}");
    assert_eq!(parts[0], first);
    assert_eq!(parts[1], bench.dir.path().join("install2.swm"));
    for (index, part) in parts.iter().enumerate() {
        assert!(fs::metadata(part).unwrap().len() <= limit);
        let info = info(part).unwrap();
        assert_eq!((usize::from(info.part), usize::from(info.parts)), (index + 1, parts.len()));
        assert!(info.has_integrity);
    }
    let glob = format!("--ref={}/install*.swm", str(bench.dir.path()));
    assert!(imagex(&["verify", str(&first), &glob]));
    let theirs = bench.dir.path().join("theirs");
    assert!(imagex(&["apply", str(&first), "1", str(&theirs), &glob]));
    assert_eq!(snapshot(&theirs), snapshot(&bench.tree));
    let ours = bench.dir.path().join("ours");
    apply(&first, &parts, 1, &ours, &mut quiet()).unwrap();
    assert_eq!(snapshot(&ours), snapshot(&bench.tree));
    // In any order, part 1 among them or not.
    verify(&first, &parts, &mut quiet()).unwrap();
    verify(&first, &parts[1..].iter().rev().cloned().collect::<Vec<_>>(), &mut quiet()).unwrap();
}

#[test]
fn every_limit_is_kept_or_refused() {
    let bench = bench();
    let mut split_at = 0;
    for limit in (900_000..2_300_000).step_by(33_333) {
        let folder = bench.dir.path().join(limit.to_string());
        fs::create_dir(&folder).unwrap();
        match split(&bench.wim, &folder.join("X.swm"), limit, &mut quiet()) {
            Ok(parts) => {
                split_at += 1;
                assert!(parts.iter().all(|part| fs::metadata(part).unwrap().len() <= limit));
            }
            Err(WimError::TooBigResource { size_bytes, limit_bytes, .. }) => {
                assert!(size_bytes > limit_bytes && limit_bytes == limit);
                assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "parts are removed");
            }
            Err(other) => panic!("{other}"),
        }
        fs::remove_dir_all(folder).unwrap();
    }
    assert!(split_at > 30, "{split_at}");
}

#[test]
fn a_file_bigger_than_a_part_is_refused_and_named() {
    let bench = bench();
    let first = bench.dir.path().join("install.swm");
    let refused = split(&bench.wim, &first, 500_000, &mut quiet()).unwrap_err();
    let WimError::TooBigResource { part, size_bytes, limit_bytes: 500_000 } = &refused else { panic!("{refused}") };
    assert!(str(part).ends_with(".swm") && *size_bytes > 500_000);
    let left =
        fs::read_dir(bench.dir.path()).unwrap().filter(|entry| str(&entry.as_ref().unwrap().path()).ends_with(".swm"));
    assert_eq!(left.count(), 0);
    // Control: libwim itself says all is well.
    let control = bench.dir.path().join("control.swm");
    assert!(imagex(&["split", str(&bench.wim), str(&control), "0.5"]));
    let oversized = (2..20).filter_map(|n| fs::metadata(bench.dir.path().join(format!("control{n}.swm"))).ok());
    assert!(oversized.map(|metadata| metadata.len()).max().unwrap() > 500_000);
}

#[test]
fn a_solid_wim_is_refused_by_split_and_exported_for_it() {
    let bench = bench();
    let solid = solid(&bench);
    assert!(info(&solid).unwrap().solid);
    let first = bench.dir.path().join("part.swm");
    let refused = split(&solid, &first, 1_500_000, &mut quiet()).unwrap_err();
    assert!(matches!(refused, WimError::Solid { .. }), "{refused}");
    assert!(!first.exists());
    let plain = bench.dir.path().join("plain.wim");
    let mut last = 0;
    export_non_solid(&solid, &plain, &mut |done, _| last = done).unwrap();
    assert!(last > 0);
    let (before, after) = (info(&solid).unwrap(), info(&plain).unwrap());
    assert!(!after.solid && after.has_integrity);
    assert_eq!((before.images, before.boot_index), (after.images, after.boot_index));
    let parts = split(&plain, &first, 1_500_000, &mut quiet()).unwrap();
    let out = bench.dir.path().join("out");
    assert!(imagex(&["apply", str(&first), "1", str(&out), &format!("--ref={}/part*.swm", str(bench.dir.path()))]));
    assert_eq!(snapshot(&out), snapshot(&bench.tree));
    assert!(parts.len() > 3);
}

#[test]
fn all_images_of_a_wim_are_exported() {
    let bench = bench();
    let other = bench.dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("only here.txt"), "second image").unwrap();
    assert!(imagex(&["append", str(&other), str(&bench.wim), "second"]));
    let out = bench.dir.path().join("exported.wim");
    export_non_solid(&bench.wim, &out, &mut quiet()).unwrap();
    let info = info(&out).unwrap();
    assert_eq!(info.image_count, 2);
    let target = bench.dir.path().join("second");
    assert!(imagex(&["apply", str(&out), "2", str(&target)]));
    assert_eq!(snapshot(&target), snapshot(&other));
}

#[test]
fn export_and_split_of_the_same_input_give_the_same_bytes() {
    let bench = bench();
    let solid = solid(&bench);
    let made: Vec<Vec<Vec<u8>>> = (0..2)
        .map(|round| {
            let folder = bench.dir.path().join(format!("round{round}"));
            fs::create_dir(&folder).unwrap();
            let plain = folder.join("plain.wim");
            export_non_solid(&solid, &plain, &mut quiet()).unwrap();
            let mut files = vec![fs::read(&plain).unwrap()];
            // A later second must not show.
            std::thread::sleep(std::time::Duration::from_millis(1100));
            let parts = split(&plain, &folder.join("p.swm"), 1_500_000, &mut quiet()).unwrap();
            files.extend(parts.iter().map(|part| fs::read(part).unwrap()));
            files
        })
        .collect();
    assert!(made[0] == made[1]);
}

#[test]
fn nothing_is_overwritten() {
    let bench = bench();
    let before = fs::read(&bench.wim).unwrap();
    let exists = |result: Result<(), WimError>| matches!(result, Err(WimError::Exists { .. }));
    assert!(exists(capture(&bench.tree, &bench.wim, "x")));
    assert!(exists(export_non_solid(&bench.wim, &bench.wim, &mut quiet())));
    // A left-over part would be taken for one of the new ones.
    let stale = bench.dir.path().join("install7.swm");
    fs::write(&stale, "stale").unwrap();
    assert!(exists(split(&bench.wim, &bench.dir.path().join("install.swm"), 1 << 20, &mut quiet()).map(drop)));
    assert_eq!(fs::read(&bench.wim).unwrap(), before);
    assert_eq!(fs::read(&stale).unwrap(), b"stale");
}
