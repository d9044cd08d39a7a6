// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Fixed cases: the ends of the range, the largest file, the longest names, many files.

use platen_disk::{DiskLayout, FatTime, MAX_FILE_BYTES, Scheme, lay_out};

use crate::image::Image;
use crate::trees::{Case, GIB, MIB, TreeFile, difference, spec};
use crate::{judge, readers, tools};

fn sparse(case: &Case) -> (Image, DiskLayout) {
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    let image = Image::render_sparse(&case.spec, &case.entries, &layout);
    readers::hadris_check(&image).unwrap();
    image.tables(case.spec.scheme).unwrap();
    (image, layout)
}

#[test]
fn drives_without_files() {
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        for (sector, size) in [(512, 64 * MIB), (512, 32 * GIB), (4096, 264 * MIB), (4096, 32 * GIB)] {
            judge(&Case { spec: spec(scheme, sector, size), entries: Vec::new() });
        }
    }
}

#[test]
fn a_drive_of_64_mib_that_is_full() {
    let mut case = Case { spec: spec(Scheme::Mbr, 512, 64 * MIB), entries: Vec::new() };
    let capacity = lay_out(&case.spec, &[]).unwrap().stats.capacity_bytes;
    // The root directory is the rest of the first mebibyte with the small file.
    case.entries = vec![TreeFile::new("SMALL.BIN", MIB - 512 * 8), TreeFile::new("LARGE.BIN", capacity - MIB)];
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    assert!(layout.stats.clusters_free < 8, "{:?}", layout.stats);
    judge(&case);
}

#[test]
fn a_drive_of_2_tib_less_1_mib() {
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let entries = vec![
            TreeFile::new("EFI/BOOT/BOOTX64.EFI", 900_000),
            TreeFile::new("sources/install.wim", 3 * GIB),
            TreeFile::new("last", 1),
        ];
        let (image, layout) = sparse(&Case { spec: spec(scheme, 512, 2048 * GIB - MIB), entries });
        image.fsck().unwrap();
        assert_eq!((layout.stats.cluster_bytes, layout.stats.clusters), (32 << 10, 67_092_352));
        assert!(layout.stats.metadata_bytes < 2 * MIB, "{:?}", layout.stats);
        let list =
            tools::run("mdir", "mtools", &["-/", "-b", "-i", &format!("{}@@1048576", image.path().display()), "::"]);
        let listed = String::from_utf8_lossy(&list.stdout);
        assert_eq!(listed.lines().count(), 6, "{listed}");
    }
}

#[test]
fn the_largest_file_there_can_be() {
    // dosfstools 4.2 counts the bytes of a chain in 32 bits (its issue 208): 131,072 clusters of 32 KiB are none to it. So `fsck.fat` judges
    // the largest file it can count, and for the largest of all its one complaint is known; others read it right.
    for (size, complaint) in
        [(MAX_FILE_BYTES - 32_767, None), (MAX_FILE_BYTES, Some("cluster chain length is 0 bytes"))]
    {
        let entries =
            vec![TreeFile::new("before", 5), TreeFile::new("sources/install.wim", size), TreeFile::new("after", 6)];
        let (image, layout) = sparse(&Case { spec: spec(Scheme::Mbr, 512, 32 * GIB), entries });
        assert_eq!(layout.stats.cluster_bytes, 32 << 10);
        match (image.fsck(), complaint) {
            (Ok(()), None) => {}
            (Err(said), Some(known)) => assert!(said.contains(known) && said.matches("bytes.").count() == 2, "{said}"),
            (other, _) => panic!("size {size}: {other:?}"),
        }
        let list = tools::run("mdir", "mtools", &["-i", &format!("{}@@1048576", image.path().display()), "::/sources"]);
        let listed = String::from_utf8_lossy(&list.stdout);
        assert!(listed.contains(&size.to_string()), "{listed}");
    }
}

#[test]
fn names_of_255_units_that_linux_could_not_hold() {
    let names = ["한".repeat(255), "ж".repeat(255), format!("{}x", "😀".repeat(127)), "長い名前 ".repeat(50) + "終"];
    let entries = names.iter().map(|name| TreeFile::new(format!("{name}/{name}"), 700)).collect();
    let case = Case { spec: spec(Scheme::Gpt, 512, 300 * MIB), entries };
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    let image = Image::render(&case.spec, &case.entries, &layout);
    image.fsck().unwrap();
    readers::hadris_check(&image).unwrap();
    for (reader, found) in [("fatfs", readers::fatfs(&image)), ("hadris-fat", readers::hadris(&image))] {
        assert_eq!(difference(&found, &case.expected()), None, "{reader}");
    }
}

#[test]
fn six_thousand_alike_names_in_one_directory() {
    let entries =
        (0..6000).map(|n| TreeFile::new(format!("drivers/network adapter driver file {n:05}.inf"), n % 40)).collect();
    judge(&Case { spec: spec(Scheme::Mbr, 512, GIB), entries });
}

#[test]
fn directories_nested_200_deep() {
    let mut path = String::new();
    let mut entries = Vec::new();
    for n in 0..200 {
        entries.push(TreeFile::new(format!("{path}f{n}"), n));
        path += "d/";
    }
    judge(&Case { spec: spec(Scheme::Mbr, 512, 100 * MIB), entries });
}

#[test]
fn times_are_as_asked() {
    let mut spec = spec(Scheme::Mbr, 512, 64 * MIB);
    spec.modified = FatTime::from_unix_seconds(1_785_594_897); // 2026-08-01T14:34:57Z
    let case = Case { spec, entries: vec![TreeFile::new("DIR/FILE.TXT", 9)] };
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    let image = Image::render(&case.spec, &case.entries, &layout);
    for folder in ["::/", "::/DIR"] {
        let list = tools::run("mdir", "mtools", &["-i", &format!("{}@@1048576", image.path().display()), folder]);
        let listed = String::from_utf8_lossy(&list.stdout);
        assert!(listed.contains("2026-08-01  14:34"), "{listed}");
        assert!(
            listed.contains("Volume in drive : is PLATEN TEST") && listed.contains("Volume Serial Number is 50A7-E201"),
            "{listed}"
        );
    }
}
