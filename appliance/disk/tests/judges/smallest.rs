// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The smallest drive of a tree: there the layout is accepted, just below it is not, and on every bigger one it is.

use platen_disk::{DiskSpec, FileSpec, LayoutError, SECTOR_SIZES, Scheme, lay_out, smallest_drive};

use crate::trees::{self, Case, GIB, MIB, TreeFile};

fn accepts(scheme: Scheme, sector_bytes: u32, size_bytes: u64, folders: &[String], files: &[FileSpec<'_>]) -> bool {
    let spec = DiskSpec { folders: folders.to_vec(), ..trees::spec(scheme, sector_bytes, size_bytes) };
    match lay_out(&spec, files) {
        Ok(_) => true,
        Err(LayoutError::NoRoom { .. } | LayoutError::BelowMinimum { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

fn is_smallest(case: &Case) {
    let (files, folders) = (case.files(), &case.spec.folders);
    for sector_bytes in SECTOR_SIZES {
        let smallest = smallest_drive(&files, folders, sector_bytes).unwrap();
        for scheme in Scheme::ALL {
            let accepts = |size_bytes| accepts(scheme, sector_bytes, size_bytes, folders, &files);
            assert!(accepts(smallest), "{smallest} {sector_bytes} {case:?}");
            assert!(!accepts(smallest - u64::from(sector_bytes)), "{smallest} {sector_bytes} {case:?}");
            let more = [u64::from(sector_bytes), MIB, 7 * MIB, 230 * MIB, 8 * GIB, 16 * GIB, 32 * GIB, 2000 * GIB];
            // 2 TiB is as far as an MBR reaches.
            for more in more.into_iter().filter(|more| smallest + more <= 2048 * GIB) {
                assert!(accepts(smallest + more), "{smallest} + {more} {sector_bytes} {case:?}");
            }
        }
    }
}

#[test]
fn every_tree_has_a_smallest_drive_with_an_mbr() {
    trees::for_each(Scheme::Mbr, is_smallest);
}

#[test]
fn every_tree_has_a_smallest_drive_with_a_gpt() {
    trees::for_each(Scheme::Gpt, is_smallest);
}

#[test]
fn large_files_need_a_drive_a_little_larger_than_they_are() {
    for (files, expected) in [(1, 4 * GIB), (3, 12 * GIB), (15, 60 * GIB), (400, 1600 * GIB)] {
        let entries: Vec<TreeFile> = (0..files).map(|n| TreeFile::new(format!("{n}.WIM"), 4 * GIB - 1)).collect();
        let case = Case { spec: trees::spec(Scheme::Mbr, 512, GIB), entries };
        let smallest = smallest_drive(&case.files(), &[], 512).unwrap();
        assert!((expected..expected + expected / 100).contains(&smallest), "{files}: {smallest}");
        is_smallest(&Case { entries: case.entries, ..case });
    }
}

/// From 260 MiB on clusters are eight times as large, and as many small files take eight times the room: a drive of
/// 200 MiB holds them, and bigger ones do only from 280 MiB on. What is promised holds for all that are bigger.
#[test]
fn a_bigger_drive_with_larger_clusters_may_be_too_small_again() {
    let paths: Vec<String> = (0..70_000).map(|n| format!("D{}/F{n}", n / 30_000)).collect();
    let entries: Vec<TreeFile> = paths.iter().map(|path| TreeFile::new(path, 1)).collect();
    let case = Case { spec: trees::spec(Scheme::Mbr, 512, GIB), entries };
    let files = case.files();
    let accepted = |size_bytes| accepts(Scheme::Mbr, 512, size_bytes, &[], &files);
    assert!(accepted(200 * MIB) && !accepted(260 * MIB), "the case is as described");
    let smallest = smallest_drive(&files, &[], 512).unwrap();
    assert!((270 * MIB..290 * MIB).contains(&smallest), "{smallest}");
    assert!(accepted(smallest) && !accepted(smallest - 512));
}

#[test]
fn what_no_drive_holds_is_said() {
    let many: Vec<String> = (0..600).map(|n| format!("{n}.WIM")).collect();
    let spec = |path| FileSpec { path, size_bytes: 4 * GIB - 1, sealed: false, keep_at_bytes: None, modified: None };
    let files: Vec<FileSpec<'_>> = many.iter().map(|path| spec(&**path)).collect();
    let refused = smallest_drive(&files, &[], 512).unwrap_err();
    assert!(
        matches!(refused, LayoutError::NoRoom { needed_bytes, available_bytes }
        if needed_bytes >= 2400 * GIB && available_bytes < 2048 * GIB),
        "{refused}"
    );
    // Sectors of 4096 bytes reach eight times as far.
    assert!(smallest_drive(&files, &[], 4096).is_ok());
    assert!(matches!(smallest_drive(&files[..1], &[], 1024), Err(LayoutError::SectorSize { .. })));
    let twins = [spec("a"), spec("A")];
    assert!(matches!(smallest_drive(&twins, &[], 512), Err(LayoutError::Tree { .. })));
}
