// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Partition tables of images, fitted to drives.

use std::os::unix::fs::FileExt;
use std::path::Path;

use platen_disk::{GrowError, grow_gpt};

use crate::tools::run;

const MIB: u64 = 1 << 20;

fn sgdisk(path: &Path, arguments: &[&str]) -> String {
    let arguments: Vec<&str> = arguments.iter().copied().chain(path.to_str()).collect();
    let output = run("sgdisk", "gdisk", &arguments);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_grown_table_is_whole_for_sgdisk_and_one_that_was_not_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let (image, drive) = (dir.path().join("image"), dir.path().join("drive"));
    std::fs::File::create(&image).and_then(|file| file.set_len(64 * MIB)).expect("makes");
    sgdisk(&image, &["-n", "1:2048:+8M", "-n", "2:0:+20M", "-t", "1:ef00"]);
    let bytes = std::fs::read(&image).expect("reads");
    for size_bytes in [30 * MIB, 40 * MIB, 64 * MIB, 100 * MIB + 512, 3000 * MIB] {
        let grown = grow_gpt(&bytes[..MIB as usize], 512, size_bytes).expect("fits");
        let file = std::fs::File::create(&drive).expect("makes");
        file.set_len(size_bytes).expect("sets");
        file.write_all_at(&grown.head, 0).expect("writes");
        file.write_all_at(&grown.copy, grown.copy_offset_bytes).expect("writes");
        assert_eq!(grown.copy_offset_bytes + grown.copy.len() as u64, size_bytes);
        let said = sgdisk(&drive, &["-v"]);
        assert!(said.contains("No problems found"), "{size_bytes}: {said}");
        let listed = sgdisk(&drive, &["-p"]);
        assert!(listed.contains("EF00") && listed.contains("20.0 MiB"), "{listed}");
    }
    // The control: the image as it is on a bigger drive.
    let file = std::fs::File::create(&drive).expect("makes");
    file.write_all_at(&bytes, 0).expect("writes");
    file.set_len(100 * MIB).expect("sets");
    assert!(!sgdisk(&drive, &["-v"]).contains("No problems found"));
}

#[test]
fn no_table_a_damaged_one_and_a_small_drive_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let image = dir.path().join("image");
    std::fs::File::create(&image).and_then(|file| file.set_len(64 * MIB)).expect("makes");
    sgdisk(&image, &["-n", "1:2048:+28M"]);
    let head = std::fs::read(&image).expect("reads")[..MIB as usize].to_vec();
    let least = 2048 * 512 + 28 * MIB + 33 * 512;
    assert!(grow_gpt(&head, 512, least).is_ok());
    let refused = Err(GrowError::NoRoom { size_bytes: least - 512, needed_bytes: least });
    assert_eq!(grow_gpt(&head, 512, least - 512), refused);
    assert_eq!(grow_gpt(&head, 4096, 64 * MIB), Err(GrowError::NoTable));
    for at in [512, 512 + 60, 1024 + 40] {
        let mut damaged = head.clone();
        damaged[at] ^= 1;
        assert_eq!(grow_gpt(&damaged, 512, 64 * MIB), Err(GrowError::NoTable), "{at}");
    }
    for len in [0, 511, 512, 600, 1024, 2000] {
        assert_eq!(grow_gpt(&head[..len], 512, 64 * MIB), Err(GrowError::NoTable), "{len}");
    }
}
