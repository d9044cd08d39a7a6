// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Controls: each judge says no to something that is wrong, so that its yes means something.

use platen_disk::{Data, DiskLayout, Scheme, lay_out};

use crate::image::Image;
use crate::trees::{Case, Listing, MIB, TreeFile, difference, spec};
use crate::{readers, tools};

fn case(scheme: Scheme) -> (Case, DiskLayout) {
    let entries = vec![
        TreeFile::new("EFI/BOOT/BOOTX64.EFI", 70_000),
        TreeFile::new("EFI/BOOT/a long name.cfg", 700),
        TreeFile::new("sources/install image.wim", 2 * MIB + 1),
        TreeFile::new("empty", 0),
    ];
    let case = Case { spec: spec(scheme, 512, 300 * MIB), entries };
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    (case, layout)
}

/// Renders the case, changes something, and returns the image.
fn changed(scheme: Scheme, change: impl Fn(&Image, &Case, &DiskLayout)) -> (Case, Image) {
    let (case, layout) = case(scheme);
    let image = Image::render(&case.spec, &case.entries, &layout);
    change(&image, &case, &layout);
    (case, image)
}

fn fat(layout: &DiskLayout) -> u64 {
    layout.invalidate[1].end
}

fn place(case: &Case, layout: &DiskLayout, path: &str) -> u64 {
    let wanted = case.entries.iter().position(|e| e.path == path).unwrap() as u32;
    layout.payload.iter().find(|e| matches!(e.data, Data::File { index, .. } if index == wanted)).unwrap().offset_bytes
}

fn read_by_all(image: &Image) -> [(&'static str, Listing); 3] {
    [("mtools", tools::mtools(image)), ("fatfs", readers::fatfs(image)), ("hadris-fat", readers::hadris(image))]
}

#[test]
fn nothing_changed_is_clean() {
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let (case, image) = changed(scheme, |_, _, _| {});
        assert_eq!((image.fsck(), readers::hadris_check(&image), image.tables(scheme)), (Ok(()), Ok(()), Ok(())));
        for (reader, found) in read_by_all(&image) {
            assert_eq!(difference(&found, &case.expected()), None, "{reader}");
        }
    }
}

#[test]
fn four_stray_bytes_in_a_fat_are_seen() {
    for which in [0, 1] {
        let (_, image) = changed(Scheme::Mbr, |image, _, layout| {
            let fat_bytes = (layout.stats.data_start_bytes - fat(layout)) / 2;
            image.overwrite(fat(layout) + which * fat_bytes + 4 * 10, &[0xde, 0xad, 0xbe, 0x0f]);
        });
        let said = image.fsck().unwrap_err();
        assert!(said.contains("FATs differ"), "{said}");
        readers::hadris_check(&image).unwrap_err();
    }
}

#[test]
fn a_wrong_free_count_is_seen() {
    let (_, image) = changed(Scheme::Mbr, |image, _, _| image.overwrite(MIB + 512 + 488, &[7, 0, 0, 0]));
    let said = image.fsck().unwrap_err();
    assert!(said.contains("Free cluster summary wrong"), "{said}");
    readers::hadris_check(&image).unwrap_err();
}

#[test]
fn a_backup_boot_sector_that_differs_is_seen() {
    let (_, image) = changed(Scheme::Mbr, |image, _, _| image.overwrite(MIB + 6 * 512 + 67, &[1, 2, 3, 4]));
    let said = image.fsck().unwrap_err();
    assert!(said.contains("differences between boot sector and its backup"), "{said}");
}

#[test]
fn one_changed_byte_of_content_is_seen_by_every_reader() {
    let path = "sources/install image.wim";
    let (case, image) = changed(Scheme::Mbr, |image, case, layout| {
        let at = place(case, layout, path) + MIB;
        let old = image.bytes_at(at, 1)[0];
        image.overwrite(at, &[old ^ 1]);
    });
    for (reader, found) in read_by_all(&image) {
        let said = difference(&found, &case.expected()).unwrap_or_else(|| panic!("{reader} saw nothing"));
        assert!(said.contains(path), "{said}");
    }
}

#[test]
fn a_wrong_long_name_checksum_is_seen() {
    let (case, image) = changed(Scheme::Mbr, |image, _, layout| {
        // The root has the label, then EFI, then the long entry of `sources`.
        let at = layout.stats.data_start_bytes + 64;
        assert_eq!(image.bytes_at(at, 12)[11], 0x0f);
        image.overwrite(at + 13, &[0]);
    });
    readers::hadris_check(&image).unwrap_err();
    for (reader, found) in [("fatfs", readers::fatfs(&image)), ("hadris-fat", readers::hadris(&image))] {
        assert!(difference(&found, &case.expected()).is_some(), "{reader} saw nothing");
    }
}

#[test]
fn stale_bytes_behind_a_directory_are_seen() {
    let (case, mut layout) = case(Scheme::Mbr);
    let start = layout.stats.data_start_bytes;
    let first_zero = layout.payload.iter().position(|e| e.offset_bytes > start && e.data == Data::Zero).unwrap();
    layout.payload.remove(first_zero);
    let image = Image::render(&case.spec, &case.entries, &layout);
    image.fsck().unwrap_err();
    readers::hadris_check(&image).unwrap_err();
}

#[test]
fn stale_bytes_in_a_fat_are_seen() {
    let (case, mut layout) = case(Scheme::Mbr);
    let start = fat(&layout);
    layout
        .payload
        .retain(|e| e.data != Data::Zero || e.offset_bytes < start || e.offset_bytes >= layout.stats.data_start_bytes);
    let image = Image::render(&case.spec, &case.entries, &layout);
    image.fsck().unwrap_err();
    readers::hadris_check(&image).unwrap_err();
}

#[test]
fn a_damaged_backup_gpt_is_seen() {
    let (_, image) = changed(Scheme::Gpt, |image, case, _| image.overwrite(case.spec.size_bytes - 512, &[0; 512]));
    let said = tools::sgdisk(&image.path()).unwrap_err();
    assert!(said.contains("invalid backup GPT header"), "{said}");
}

#[test]
fn a_damaged_primary_gpt_is_seen() {
    let (_, image) = changed(Scheme::Gpt, |image, _, _| image.overwrite(1024 + 56, b"X"));
    let said = tools::sgdisk(&image.path()).unwrap_err();
    assert!(said.contains("CRC"), "{said}");
    tools::sfdisk(&image.path()).unwrap_err();
}

#[test]
fn a_partition_beyond_the_end_is_seen() {
    let (_, image) = changed(Scheme::Mbr, |image, _, _| image.overwrite(0x1be + 12, &u32::MAX.to_le_bytes()));
    tools::sfdisk(&image.path()).unwrap_err();
}

#[test]
fn a_damaged_gpt_for_4096_byte_sectors_is_seen() {
    let case = Case { spec: spec(Scheme::Gpt, 4096, 300 * MIB), entries: Vec::new() };
    let layout = lay_out(&case.spec, &[]).unwrap();
    let image = Image::render(&case.spec, &case.entries, &layout);
    assert_eq!(image.tables(Scheme::Gpt), Ok(()));
    image.overwrite(case.spec.size_bytes - 4096 + 20, &[1]);
    image.tables(Scheme::Gpt).unwrap_err();
    image.overwrite(4096, &[0; 8]);
    tools::fdisk_4096(&image.path()).unwrap_err();
}

#[test]
#[should_panic(expected = "no-such-judge not found: install the Debian package no-such-package")]
fn a_missing_program_is_a_failure_that_names_its_package() {
    tools::run("no-such-judge", "no-such-package", &[]);
}
