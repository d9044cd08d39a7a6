// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Every medium says how big a drive must be, and none is made that no drive holds.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::process::Command;

use common::Fixture;
use platen_author::{AuthorErrorKind, BuildReport, DriveNeeds, lint};
use platen_disk::{DiskSpec, DriveIds, FatTime, FileSpec, SECTOR_SIZES, Scheme, lay_out};
use platen_media::envelope::Sizes;

const MIB: u64 = 1 << 20;

/// Whether a drive of this size takes the medium as it was published.
fn fits(fixture: &Fixture, report: &BuildReport, scheme: Scheme, sector_bytes: u32, size_bytes: u64) -> bool {
    let (manifest, media) = (&report.manifest, fixture.media("out").remove(0));
    let own = Sizes {
        manifest: media.manifest_bytes.len() as u64,
        manifest_signature: media.manifest_signature.len() as u64,
        sums: media.sums.len() as u64,
        sums_signature: media.sums_signature.len() as u64,
    };
    let listed = manifest.files.iter().map(|file| (file.path.as_str(), file.size_bytes));
    let spec = |(path, size_bytes)| FileSpec { path, size_bytes, sealed: false, keep_at_bytes: None, modified: None };
    let files: Vec<FileSpec<'_>> = own.files().into_iter().chain(listed).map(spec).collect();
    let disk = DiskSpec {
        size_bytes,
        sector_bytes,
        scheme,
        label: manifest.label,
        ids: DriveIds::default(),
        modified: FatTime::from_unix_seconds(manifest.created.unix_s()),
        boot: None,
        folders: manifest.folders.iter().map(ToString::to_string).collect(),
    };
    lay_out(&disk, &files).is_ok()
}

fn assert_smallest(fixture: &Fixture, report: &BuildReport) {
    let needs = DriveNeeds::of(&report.manifest).unwrap();
    for (sector_bytes, size_bytes) in SECTOR_SIZES.into_iter().zip([needs.drive_bytes, needs.drive_4096_bytes.unwrap()])
    {
        for scheme in Scheme::ALL {
            let fits = |size_bytes| fits(fixture, report, scheme, sector_bytes, size_bytes);
            assert!(fits(size_bytes), "{scheme} {sector_bytes}: {needs:?}");
            assert!(!fits(size_bytes - u64::from(sector_bytes)), "{scheme} {sector_bytes}: {needs:?}");
        }
    }
}

#[test]
fn the_smallest_drive_of_a_medium_is_signed_shown_and_logged() {
    let fixture = Fixture::new();
    let report = fixture.build("out").unwrap();
    assert_smallest(&fixture, &report);
    let said = DriveNeeds::of(&report.manifest).unwrap().to_string();
    assert!(said.starts_with("needs a drive of ") && said.contains(" MB or more"), "{said}");
    assert!(platen_author::describe(&report.manifest).contains(&said), "{said}");
    assert!(fixture.log("out").contains(&said), "{said}");
    // About the same is known before anything is read.
    let about = lint(&fixture.path("medium.toml"), &common::options()).unwrap().needs.unwrap();
    let exact = DriveNeeds::of(&report.manifest).unwrap();
    assert!(about.drive_bytes.abs_diff(exact.drive_bytes) <= 3 * MIB, "{about:?} {exact:?}");

    // One file more, as large as the drive, which was not half full: no drive is smaller than FAT32 allows.
    fixture.put("usmt/more.bin", &common::noise(3, exact.drive_bytes as usize));
    let bigger = fixture.build("bigger").unwrap();
    let changes = platen_author::diff(&report.manifest, &bigger.manifest);
    assert!(changes.iter().any(|line| line.starts_with("drive: needs a drive of ")), "{changes:?}");
    let bigger = DriveNeeds::of(&bigger.manifest).unwrap();
    assert!(bigger.drive_bytes > exact.drive_bytes + 20 * MIB, "{exact:?} {bigger:?}");
}

#[test]
fn numbers_of_every_length_are_those_of_the_medium_they_stand_in() {
    // The numbers are part of the manifest, and sizes of files bring its end to every place in a cluster.
    for count in [1, 40, 41, 42, 43, 44, 45, 200] {
        let fixture = Fixture::empty();
        for n in 0..count {
            fixture.put(&format!("tree/f{n}"), b"x");
        }
        fixture.put("medium.toml", tree_definition().as_bytes());
        assert_smallest(&fixture, &fixture.build("out").unwrap());
    }
}

fn tree_definition() -> &'static str {
    "kind = \"tree\"\nid = \"T\"\nname = \"T\"\nversion = \"1\"\nrevision = 1\nallow = [\"BOOT-LOADER\"]\n[tree]\npath = \"tree\"\n"
}

#[test]
fn a_medium_that_no_drive_holds_is_refused_before_it_is_read() {
    let fixture = Fixture::empty();
    fixture.put("medium.toml", tree_definition().as_bytes());
    fixture.put("tree/readme.txt", b"x");
    let grow = |range: std::ops::Range<u32>| {
        for n in range {
            let file = File::create(fixture.path(&format!("tree/{n}.bin"))).unwrap();
            file.set_len(u64::from(u32::MAX)).unwrap();
        }
    };
    // The control: 430 GB of holes.
    grow(0..100);
    let report = lint(&fixture.path("medium.toml"), &common::options()).unwrap();
    assert_eq!(report.needs.unwrap().to_string(), "needs a drive of 430 GB or more");
    grow(100..600);
    for error in
        [lint(&fixture.path("medium.toml"), &common::options()).unwrap_err(), fixture.build("out").unwrap_err()]
    {
        assert!(error.chain().contains("no drive can hold this medium"), "{}", error.chain());
        assert!(error.chain().contains("drive too small for its files: needed 2"), "{}", error.chain());
        assert_eq!(error.kind(), AuthorErrorKind::Definition);
    }
    assert!(fixture.media("out").is_empty());
}

#[test]
fn a_folder_that_fat_cannot_hold_is_refused_before_it_is_read() {
    let fixture = Fixture::empty();
    fixture.put("medium.toml", tree_definition().as_bytes());
    // Four entries of 32 bytes for each name of this length; a folder has 65,536 entries.
    let name = |n: u32| fixture.path(&format!("tree/folder/{n:05}{}", "x".repeat(30)));
    std::fs::create_dir_all(fixture.path("tree/folder")).unwrap();
    for n in 0..16_383 {
        File::create(name(n)).unwrap();
    }
    lint(&fixture.path("medium.toml"), &common::options()).expect("the control: two entries less than full");
    File::create(name(16_383)).unwrap();
    let error = lint(&fixture.path("medium.toml"), &common::options()).unwrap_err();
    assert!(error.chain().contains("expected at most 65536 entries"), "{}", error.chain());
}

#[test]
fn a_disk_image_says_what_it_needs() {
    let fixture = Fixture::empty();
    let definition = |more: &str| {
        format!(
            "kind = \"raw\"\nid = \"R\"\nname = \"R\"\nversion = \"1\"\nrevision = 1\n[image]\npath = \"disk.img\"\n{more}"
        )
    };
    File::create(fixture.path("disk.img")).unwrap().set_len(64 * MIB).unwrap();
    common::run(Command::new("sgdisk").args(["-n", "1:2048:+8M"]).arg(fixture.path("disk.img")));
    fixture.put("medium.toml", definition("").as_bytes());
    let fixed = fixture.build("fixed").unwrap().manifest;
    assert_eq!((fixed.needs_drive_bytes, fixed.needs_drive_4096_bytes), (Some(64 * MIB), None));
    fixture.put("medium.toml", definition("grow = true\n").as_bytes());
    // Partitions, 32 sectors of the table's copy and its header.
    let grown = fixture.build("grown").unwrap().manifest;
    assert_eq!((grown.needs_drive_bytes, grown.needs_drive_4096_bytes), (Some(9 * MIB + 33 * 512), None));
}
