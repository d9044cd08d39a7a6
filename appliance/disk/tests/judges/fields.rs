// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Fields asserted one by one: firmwares and judges are too tolerant to tell a wrong one from a right one.

use std::process::Output;

use platen_disk::{DiskSpec, Scheme, grub, lay_out};

use crate::image::Image;
use crate::tools;
use crate::trees::{Case, GIB, MIB, TreeFile, boot_records, spec};

fn image(spec: &DiskSpec) -> Image {
    let case = Case { spec: spec.clone(), entries: vec![TreeFile::new("A", 3)] };
    Image::render(spec, &case.entries, &lay_out(spec, &case.files()).unwrap())
}

fn u16_at(image: &Image, at: u64) -> u16 {
    u16::from_le_bytes(image.bytes_at(at, 2).try_into().unwrap())
}

fn u32_at(image: &Image, at: u64) -> u32 {
    u32::from_le_bytes(image.bytes_at(at, 4).try_into().unwrap())
}

#[test]
fn master_boot_record() {
    let spec = spec(Scheme::Mbr, 512, GIB);
    let (image, records) = (image(&spec), boot_records(Scheme::Mbr));
    assert_eq!(image.bytes_at(0, 440), records.boot_code);
    assert_eq!(u64::from_le_bytes(image.bytes_at(0x5c, 8).try_into().unwrap()), 1);
    assert_eq!(image.bytes_at(0x66, 2), [0x90, 0x90]);
    assert_eq!(image.bytes_at(512, records.core.len()), records.core);
    let gap = image.bytes_at(512, MIB as usize - 512);
    assert!(gap[records.core.len()..].iter().all(|&b| b == 0), "the rest of the gap is empty");
    assert_eq!((u32_at(&image, 0x1b8), u16_at(&image, 0x1bc)), (0x1234_5678, 0));
    // Active, CHS 0/32/33, type, CHS of sector 2,095,103 (130/105/39): as sfdisk writes them.
    assert_eq!(image.bytes_at(0x1be, 8), [0x80, 0x20, 0x21, 0x00, 0x0c, 0x69, 0x27, 0x82]);
    assert_eq!((u32_at(&image, 0x1c6), u32_at(&image, 0x1ca)), (2048, 2_093_056));
    assert_eq!(image.bytes_at(0x1ce, 48), [0; 48]);
    assert_eq!(u16_at(&image, 0x1fe), 0xaa55);
}

#[test]
fn chs_beyond_its_range() {
    let image = image(&spec(Scheme::Mbr, 512, 33 * GIB));
    assert_eq!(image.bytes_at(0x1be, 8), [0x80, 0x20, 0x21, 0x00, 0x0c, 0xfe, 0xff, 0xff]);
}

#[test]
fn master_boot_record_of_4096_byte_sectors() {
    let image = image(&spec(Scheme::Mbr, 4096, GIB));
    assert_eq!(image.bytes_at(0, 440), [0; 440], "no BIOS code");
    assert_eq!(image.bytes_at(0x1be, 5), [0x80, 0x04, 0x05, 0x00, 0x0c]);
    assert_eq!((u32_at(&image, 0x1c6), u32_at(&image, 0x1ca)), (256, 261_632));
    assert_eq!(u16_at(&image, 0x1fe), 0xaa55);
    assert!(image.bytes_at(0x200, MIB as usize - 0x200).iter().all(|&b| b == 0));
}

#[test]
fn guid_partition_table() {
    let spec = spec(Scheme::Gpt, 512, GIB);
    let (image, records) = (image(&spec), boot_records(Scheme::Gpt));
    assert_eq!(image.bytes_at(0, 440), records.boot_code);
    assert_eq!(u32_at(&image, 0x1b8), 0, "no disk signature (UEFI 5.2.3)");
    let protective = [0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0x1f, 0x00];
    assert_eq!(image.bytes_at(0x1be, 16), protective);
    assert_eq!(image.bytes_at(34 * 512, records.core.len()), records.core);
    assert_eq!(u64::from_le_bytes(records.core[0x1f4..0x1fc].try_into().unwrap()), 35);

    let entry = |at: u64| {
        let bytes = image.bytes_at(at, 128);
        let lba = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        (bytes[..16].to_vec(), bytes[16..32].to_vec(), lba(32), lba(40), lba(48))
    };
    // C12A7328-F81F-11D2-BA4B-00A0C93EC93B and 21686148-6449-6E6F-744E-656564454649 ("Hah!IdontNeedEFI").
    let esp = vec![0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
    assert_eq!(entry(1024), (esp, spec.ids.esp_guid.to_vec(), 2048, 2_095_103, 0));
    assert_eq!(entry(1152), (b"Hah!IdontNeedEFI".to_vec(), spec.ids.bios_boot_guid.to_vec(), 34, 2047, 0));
    assert_eq!(image.bytes_at(1280, 126 * 128), [0; 126 * 128]);
    for (header, own, other, entries) in [(512, 1u64, 2_097_151u64, 2u64), (GIB - 512, 2_097_151, 1, 2_097_119)] {
        assert_eq!(image.bytes_at(header, 16), *b"EFI PART\0\0\x01\0\x5c\0\0\0");
        let lba = |at: u64| u64::from_le_bytes(image.bytes_at(header + at, 8).try_into().unwrap());
        assert_eq!((lba(24), lba(32), lba(40), lba(48), lba(72)), (own, other, 34, 2_097_118, entries));
        assert_eq!(image.bytes_at(header + 56, 16), spec.ids.disk_guid);
        assert_eq!((u32_at(&image, header + 80), u32_at(&image, header + 84)), (128, 128));
    }
    assert_eq!(image.bytes_at(GIB - 33 * 512, 16_384), image.bytes_at(1024, 16_384));
}

#[test]
fn fat_boot_sectors() {
    for (sector, lba) in [(512u64, 2048u32), (4096, 256)] {
        let spec = spec(Scheme::Mbr, sector as u32, 32 * GIB);
        let layout = lay_out(&spec, &[]).unwrap();
        let image = image(&spec);
        assert_eq!(image.bytes_at(MIB, 11), *b"\xeb\x58\x90MSWIN4.1");
        assert_eq!(
            (u64::from(u16_at(&image, MIB + 11)), image.bytes_at(MIB + 13, 1)[0]),
            (sector, (32_768 / sector) as u8)
        );
        let reserved = u64::from(u16_at(&image, MIB + 14));
        assert_eq!(image.bytes_at(MIB + 16, 8), [2, 0, 0, 0, 0, 0xf8, 0, 0]);
        assert_eq!((u16_at(&image, MIB + 24), u16_at(&image, MIB + 26), u32_at(&image, MIB + 28)), (63, 255, lba));
        assert_eq!(u64::from(u32_at(&image, MIB + 32)) * sector, layout.stats.partition_len_bytes);
        let fat_sectors = u64::from(u32_at(&image, MIB + 36));
        assert_eq!(MIB + (reserved + 2 * fat_sectors) * sector, layout.stats.data_start_bytes);
        assert_eq!(
            image.bytes_at(MIB + 40, 24),
            [0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(image.bytes_at(MIB + 64, 26), *b"\x80\0\x29\x01\xe2\xa7\x50PLATEN TESTFAT32   ");
        let first = image.bytes_at(MIB, 3 * sector as usize);
        assert_eq!(image.bytes_at(MIB + 6 * sector, 3 * sector as usize), first, "backup of all three");
        for n in 0..3 {
            assert_eq!(u16_at(&image, MIB + n * sector + 510), 0xaa55);
        }
        let info = MIB + sector;
        assert_eq!((image.bytes_at(info, 4), image.bytes_at(info + 484, 4)), (b"RRaA".to_vec(), b"rrAa".to_vec()));
        // The root directory and one file.
        assert_eq!((u32_at(&image, info + 488), u32_at(&image, info + 492)), (layout.stats.clusters - 2, 4));
        for fat in 0..2 {
            let start = MIB + (reserved + fat * fat_sectors) * sector;
            assert_eq!((u32_at(&image, start), u32_at(&image, start + 4)), (0x0fff_fff8, 0x0fff_ffff));
            assert_eq!((u32_at(&image, start + 8), u32_at(&image, start + 12)), (0x0fff_ffff, 0x0fff_ffff));
        }
    }
}

#[test]
fn grubs_own_images_are_patched() {
    let folder = tempfile::tempdir().unwrap();
    let core = folder.path().join("core.img");
    let arguments = [
        "-O",
        "i386-pc",
        "-p",
        "/boot/grub",
        "-o",
        core.to_str().unwrap(),
        "biosdisk",
        "part_msdos",
        "part_gpt",
        "fat",
        "normal",
    ];
    let made: Output = tools::run("grub-mkimage", "grub-common", &arguments);
    assert!(made.status.success(), "install the Debian package grub-pc-bin: {made:?}");
    let boot = std::fs::read("/usr/lib/grub/i386-pc/boot.img").expect("install the Debian package grub-pc-bin");
    let core = std::fs::read(core).unwrap();
    for (scheme, lba) in [(Scheme::Mbr, 1u64), (Scheme::Gpt, 34)] {
        let records = grub::patch(&boot, &core, scheme).unwrap();
        let differing = |one: &[u8], other: &[u8]| (0..one.len()).filter(|&n| one[n] != other[n]).collect::<Vec<_>>();
        let in_boot = differing(&records.boot_code, &boot);
        let in_core = differing(&records.core, &core);
        assert_eq!(records.boot_code[0x5c..0x64], lba.to_le_bytes());
        assert_eq!(records.core[0x1f4..0x1fc], (lba + 1).to_le_bytes());
        match scheme {
            Scheme::Mbr => assert_eq!((in_boot, in_core), (vec![0x66, 0x67], vec![])),
            Scheme::Gpt => assert_eq!((in_boot, in_core), (vec![0x5c, 0x66, 0x67], vec![0x1f4])),
        }
    }
}
