// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Copies that missed something, as people reported them of other programs. Each is named by its public report.

use std::path::Path;

use platen_testkit::files::noise;

use crate::copy::{allocation, copy, region};
use crate::tables::{MIB, copied, drive, entry, get, part, put, put_volume};
use crate::tools::{Sources, blank, folder, shell, text};
use crate::{ext, fat};

/// Thomas-Tsai/partclone 268: entries of 12 bits were read as if they had 16, so clusters in the middle of files were
/// taken for free.
#[test]
fn partclone_268_every_chain_of_fat12_is_followed() {
    let folder = folder();
    let path = folder.path().join("volume.img");
    blank(&path, 1440 << 10);
    // Files of one cluster each, every other one removed: used and free entries take turns at odd and even places.
    let line = "mkfs.fat -F 12 volume.img && for n in {100..199}; do head -c 300 /dev/urandom > f$n; done && \
                mcopy -i volume.img f1?? ::/ && mdel -i volume.img ::/f1?[13579] && sha256sum f1?[02468] > sums && rm f1??";
    shell(folder.path(), line).expect(0);
    let (to, used) = copied(&path);
    let line = format!("mcopy -i '{}' '::/f1*' . && sha256sum -c --quiet sums", text(&to));
    shell(folder.path(), &line).expect(0);
    // 33 sectors of tables and root folder, 50 files of a sector.
    assert_eq!(used.used_bytes(), (33 + 50) * 512);
}

/// Thomas-Tsai/partclone 69, 54 and 261: the copy of the NTFS boot sector in the partition's last sector was not copied,
/// and the result could not be mounted as an image.
#[test]
fn partclone_69_the_last_sector_of_ntfs_is_copied() {
    let folder = folder();
    let path = drive(folder.path(), "drive.img", 64 * MIB, "echo 2048,65536,7 | sfdisk -q drive.img");
    let volume = folder.path().join("volume");
    blank(&volume, 32 * MIB);
    shell(folder.path(), "mkntfs -q -F volume").expect(0);
    put_volume(&path, MIB, &volume);
    let (to, used) = copied(&path);
    assert_eq!(region(&used, "partition 1").content, "NTFS");
    let end = 33 * MIB - 512;
    assert_eq!(&get(&to, end, 512)[3..7], b"NTFS");
    assert!(get(&to, end, 512) == get(&path, end, 512));
    assert!(used.used_bytes() < 8 * MIB, "{:?}", used.regions);
}

/// Thomas-Tsai/partclone 279: bits of clusters were taken for bits of blocks. Files in every part of the volume must come
/// off; the judged test has more of it.
#[test]
fn partclone_279_clusters_of_many_blocks_are_copied_as_clusters() {
    let folder = folder();
    let sources = Sources::new(279, 30 << 20);
    let path = ext::make(folder.path(), "volume.img", 64 * MIB, "-t ext4 -O bigalloc -C 65536", &sources);
    let (to, used) = copied(&path);
    ext::judge(&to, &sources.there()).unwrap();
    assert!(used.used_bytes() < 40 * MIB, "{:?}", used.regions);
}

/// Thomas-Tsai/partclone 52: groups whose bitmap was never written differed after the copy.
#[test]
fn partclone_52_groups_without_a_bitmap_keep_their_structures() {
    let folder = folder();
    // No flexible groups: every group has its own structures, most of them no bitmap. Copies of the superblock in 1, 3, 5, 7.
    let options = "-t ext4 -b 1024 -g 1024 -O ^flex_bg,^metadata_csum,uninit_bg";
    let sources = Sources::new(52, 1 << 20);
    let path = ext::make(folder.path(), "volume.img", 32 * MIB, options, &sources);
    let said = shell(folder.path(), "dumpe2fs volume.img").expect(0).stdout;
    assert!(said.matches("BLOCK_UNINIT").count() > 5, "control");
    let (to, used) = copied(&path);
    ext::judge(&to, &sources.there()).unwrap();
    for copy in [1, 3, 5, 7] {
        // Superblock and descriptors.
        let start = (1 + copy * 1024) * 1024;
        assert!(get(&to, start, 2048) == get(&path, start, 2048), "the copy in group {copy}");
    }
    assert!(used.used_bytes() < 12 * MIB, "{:?}", used.regions);
}

/// tytso/e2fsprogs 116: the last block of the volume, and the last one before a limit, was lost by one.
#[test]
fn e2fsprogs_116_the_last_block_is_copied() {
    let folder = folder();
    let sources = Sources::new(116, 1 << 20);
    let path = ext::make(folder.path(), "volume.img", 24 * MIB, "-t ext4 -b 4096 -O ^metadata_csum", &sources);
    // Every block belongs to a file: what is free goes to one, and what that leaves to files of one block.
    let line = "free() { dumpe2fs -h volume.img 2>&1 | sed -n 's/^Free blocks: *//p'; }; head -c 18M /dev/urandom > filler && \
                truncate -s $(($(free) * 4096 - 8192)) filler && debugfs -w -R 'write filler filler' volume.img && \
                head -c 4096 /dev/urandom > one && for n in $(seq $(free)); do echo write one one$n; done > ones && \
                debugfs -w -f ones volume.img && debugfs -R 'testb 6143' volume.img";
    let said = shell(folder.path(), line).expect(0);
    assert!(said.stdout.contains("marked in use"), "control: {said:?}");
    let (to, used) = copied(&path);
    let last = used.extents.last().unwrap();
    assert_eq!(last.offset_bytes + last.len_bytes, 24 * MIB);
    shell(
        folder.path(),
        &format!("e2fsck -fn '{0}' && debugfs -R 'dump filler off' '{0}' && cmp filler off", text(&to)),
    )
    .expect(0);
}

/// Thomas-Tsai/partclone 38: a journal that was not replayed, and a count of free blocks that was out of date.
#[test]
fn partclone_38_a_journal_that_is_not_replayed_is_copied_with_everything() {
    let folder = folder();
    let path = ext::make(folder.path(), "volume.img", 32 * MIB, "-t ext4", &Sources::new(38, 1 << 20));
    assert!(allocation(&path).used_bytes() < 16 * MIB, "control");
    shell(folder.path(), "debugfs -w -R 'feature needs_recovery' volume.img").expect(0);
    let used = allocation(&path);
    assert_eq!(used.used_bytes(), 32 * MIB);
    assert!(region(&used, "the whole drive").whole_because.as_ref().unwrap().contains("journal"));
}

/// rescuezilla/rescuezilla 64, 50 and 131: of the gap before the first partition only 31 KiB were copied, or nothing where
/// the first partition of the table was not the first on the drive, and GRUB did not start.
#[test]
fn rescuezilla_64_all_of_the_gap_before_the_first_partition_is_copied() {
    let folder = folder();
    // Partition 3 is first on the drive, 20 MiB from its beginning; between it and the next are 3 MiB.
    let line = "printf '/dev/x3:start=40960,size=20480\\n/dev/x4:start=67584,size=20480\\n' | sfdisk -q drive.img";
    let path = drive(folder.path(), "drive.img", 64 * MIB, line);
    let volume = folder.path().join("volume");
    blank(&volume, 10 * MIB);
    shell(folder.path(), "mkfs.fat -F 16 volume").expect(0);
    for start in [20 * MIB, 33 * MIB] {
        put_volume(&path, start, &volume);
    }
    put(&path, 512, &noise(1, (20 << 20) - 512));
    put(&path, 30 * MIB, &noise(2, 3 << 20));
    let (to, used) = copied(&path);
    for (start, len) in [(0, 20 * MIB), (30 * MIB, 3 * MIB)] {
        assert!(get(&to, start, len) == get(&path, start, len), "{start}");
    }
    assert_eq!(region(&used, "before the first partition").used_bytes, 20 * MIB);
    assert!(used.used_bytes() < 28 * MIB, "{:?}", used.regions);
}

/// FOGProject/fos 150: a disk with more than nine partitions, most of them logical, was captured in the wrong order or not
/// at all.
#[test]
fn fos_150_a_dozen_logical_partitions_are_copied() {
    let folder = folder();
    let logical: String =
        (0..12).map(|n| format!("/dev/x{}:start={},size=6144\\n", n + 5, 10_240 + n * 8192)).collect();
    let first = "/dev/x1:start=2048,size=4096\\n/dev/x2:start=8192,size=122880,type=5\\n";
    let line = format!("printf '{first}{logical}' | sfdisk -q drive.img");
    let path = drive(folder.path(), "drive.img", 64 * MIB, &line);
    let volume = folder.path().join("volume");
    blank(&volume, 3 * MIB);
    shell(folder.path(), "mkfs.fat -F 12 volume && head -c 100000 /dev/urandom > file && mcopy -i volume file ::/")
        .expect(0);
    let said = shell(folder.path(), "sfdisk -d drive.img").expect(0).stdout;
    let starts: Vec<u64> = said
        .lines()
        .filter(|line| line.contains("size=        6144"))
        .map(|line| crate::tools::number_after(line, "start=") * 512)
        .collect();
    assert_eq!(starts.len(), 12, "{said}");
    starts.iter().for_each(|start| put_volume(&path, *start, &volume));
    let (to, used) = copied(&path);
    assert_eq!(
        said.replace("copy", "img"),
        shell(folder.path(), "sfdisk -d drive.copy").expect(0).stdout.replace("copy", "img")
    );
    for (index, start) in starts.iter().enumerate() {
        assert_eq!(region(&used, &format!("partition {}", index + 5)).content, "FAT12");
        let part = part(&to, *start, 3 * MIB);
        shell(
            folder.path(),
            &format!("fsck.fat -n '{0}' && mcopy -n -i '{0}' ::/file off && cmp file off", text(&part)),
        )
        .expect(0);
    }
    assert!(region(&used, "partition 7").used_bytes < MIB);

    // A chain that leads in circles ends, and costs only time.
    let second = get(&path, 4 * MIB, 512);
    let link = 446 + 16 + 8;
    let mut circle = second.clone();
    circle[link..link + 4].fill(0);
    put(&path, 4 * MIB, &circle);
    let used = allocation(&path);
    assert_eq!(region(&used, "partition 2").used_bytes, 60 * MIB);
}

/// FDOS/kernel 209: two extended partitions, of both types; systems follow one or both.
#[test]
fn fdos_209_both_extended_partitions_are_followed() {
    let folder = folder();
    let path = drive(folder.path(), "drive.img", 32 * MIB, "echo 2048,2048 | sfdisk -q drive.img");
    for (index, (kind, start)) in [(5, 8192), (15, 32_768)].into_iter().enumerate() {
        put(&path, 446 + 16 * (index as u64 + 1), &entry(kind, start, 16_384));
        let mut record = [vec![0; 446], entry(1, 63, 8000), vec![0; 48], vec![0x55, 0xaa]].concat();
        record[0] = index as u8 + 1;
        put(&path, u64::from(start) * 512, &record);
    }
    let volume = folder.path().join("volume");
    blank(&volume, 8000 * 512);
    shell(folder.path(), "mkfs.fat -F 12 volume").expect(0);
    for start in [8192 + 63, 32_768 + 63] {
        put_volume(&path, start * 512, &volume);
    }
    let (to, used) = copied(&path);
    for start in [8192_u64, 32_768] {
        assert!(get(&to, start * 512, 512) == get(&path, start * 512, 512), "the record at {start}");
    }
    assert_eq!(used.regions.iter().filter(|region| region.content == "FAT12").count(), 2, "{:?}", used.regions);
}

/// genodelabs/genode 2851 and Antergos/Cnchi 884: a hybrid boot record became a protective one, and BIOS machines no
/// longer started.
#[test]
fn genode_2851_a_hybrid_boot_record_stays_as_it_is() {
    let folder = folder();
    let line = "sgdisk -n 1:1M:+20M -t 1:ef00 -n 2:0:+20M -h 1:EE drive.img";
    let path = drive(folder.path(), "drive.img", 64 * MIB, line);
    std::fs::create_dir(folder.path().join("v")).unwrap();
    let sources = Sources::new(2851, 4 << 20);
    let volume = fat::make(&folder.path().join("v"), "v", 20 * MIB, "-F 16", &sources);
    put_volume(&path, MIB, &volume);
    put(&path, 0, &noise(3, 440));
    let (to, used) = copied(&path);
    assert!(get(&to, 0, MIB) == get(&path, 0, MIB));
    assert!(get(&to, 63 * MIB, MIB) == get(&path, 63 * MIB, MIB), "the copy of the table");
    let names: Vec<&str> = used.regions.iter().map(|region| &*region.name).collect();
    let expected = ["before the first partition", "partition 1", "partition 2", "behind the last partition"];
    assert_eq!(names, expected, "the record's partition is the table's");
    fat::judge(&part(&to, MIB, 20 * MIB), &sources.there()).unwrap();
}

/// stevenshiau/clonezilla 53: tools that write images leave a record and a table that do not agree.
#[test]
fn clonezilla_53_partitions_of_the_record_and_of_the_table_are_copied() {
    let folder = folder();
    let path = drive(folder.path(), "drive.img", 64 * MIB, "sgdisk -n 1:1M:+20M drive.img");
    // The record has a partition of its own, in what the table calls free.
    put(&path, 446, &entry(0x0c, 30 * 2048, 20 * 2048));
    std::fs::create_dir(folder.path().join("v")).unwrap();
    let sources = Sources::new(53, 4 << 20);
    let volume = fat::make(&folder.path().join("v"), "v", 20 * MIB, "-F 16", &sources);
    for start in [MIB, 30 * MIB] {
        put_volume(&path, start, &volume);
    }
    let (to, _) = copied(&path);
    for start in [MIB, 30 * MIB] {
        fat::judge(&part(&to, start, 20 * MIB), &sources.there()).unwrap();
    }
}

/// getreu/legacy-to-uefi-boot 1: a BIOS boot partition has no file system and was left out. Explorer09/usb_vaccine 8:
/// BitLocker To Go looks like a small FAT volume that is full of something else.
#[test]
fn what_has_no_file_system_or_only_looks_like_one_is_copied_whole() {
    let folder = folder();
    let path = drive(folder.path(), "drive.img", 64 * MIB, "sgdisk -n 1:1M:+1M -t 1:ef02 -n 2:0:+40M drive.img");
    put(&path, MIB, &noise(1, 1 << 20));
    let volume = folder.path().join("volume");
    blank(&volume, 40 * MIB);
    shell(folder.path(), "mkfs.fat -F 32 -s 1 volume").expect(0);
    put_volume(&path, 2 * MIB, &volume);
    assert!(region(&allocation(&path), "partition 2").used_bytes < 2 * MIB, "control");
    let guid = [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];
    put(&path, 2 * MIB + 0x1a8, &guid);
    let used = allocation(&path);
    assert_eq!(region(&used, "partition 1").used_bytes, MIB);
    let other = region(&used, "partition 2");
    assert_eq!(other.used_bytes, 40 * MIB);
    assert!(other.content.contains("BitLocker To Go"), "{other:?}");
}

/// intel/bmap-tools 75 and 128: holes of the image file were taken for "need not be written", and file systems read what
/// was on the drive before. What is listed here does not depend on how the master is stored.
#[test]
fn bmap_tools_75_zeros_are_copied_as_anything_else() {
    let folder = folder();
    let dense = folder.path().join("dense.img");
    let path = folder.path().join("sparse.img");
    blank(&path, 40 * MIB);
    shell(folder.path(), "mkfs.fat -F 16 sparse.img && truncate -s 3M zeros && mcopy -i sparse.img zeros ::/")
        .expect(0);
    shell(folder.path(), "cp --sparse=never sparse.img dense.img && fallocate --dig-holes sparse.img").expect(0);
    assert_eq!(allocation(&path), allocation(&dense));
    let (to, used) = copied(&path);
    assert!(used.used_bytes() > 3 * MIB);
    let line = format!("fsck.fat -n '{0}' && mcopy -i '{0}' ::/zeros off && cmp zeros off", text(&to));
    shell(folder.path(), &line).expect(0);
}

/// Formats that are known by name, and what is not known at all.
#[test]
fn what_is_not_understood_is_copied_whole_and_named() {
    let folder = folder();
    let path = folder.path().join("drive.img");
    let cases: [(&str, u64, &[u8]); 8] = [
        ("BitLocker", 3, b"-FVE-FS-"),
        ("LUKS", 0, b"LUKS\xba\xbe"),
        ("LVM", 512, b"LABELONE"),
        ("btrfs", 0x10040, b"_BHRfS_M"),
        ("XFS", 0, b"XFSB"),
        ("ISO 9660", 0x8001, b"CD001"),
        ("RAID member", 8 * MIB - 0x10000, b"\xfc\x4e\x2b\xa9"),
        ("not recognised", 4096, b"anything"),
    ];
    for (name, at, mark) in cases {
        blank(&path, 8 * MIB);
        put(&path, at, mark);
        let used = allocation(&path);
        assert_eq!(region(&used, "the whole drive").content, name);
        assert_eq!(used.used_bytes(), 8 * MIB);
    }
    blank(&path, 8 * MIB);
    shell(folder.path(), "mkswap -q drive.img").expect(0);
    assert_eq!(region(&allocation(&path), "the whole drive").content, "swap");
    // The mark of another format beside a good one: one of them is a remnant.
    blank(&path, 40 * MIB);
    shell(folder.path(), "mkfs.fat -F 16 drive.img").expect(0);
    assert!(allocation(&path).used_bytes() < MIB, "control");
    put(&path, 0x10040, b"_BHRfS_M");
    let used = allocation(&path);
    assert_eq!(used.used_bytes(), 40 * MIB);
    assert_eq!(region(&used, "the whole drive").content, "btrfs and FAT");
    copy(&path, &folder.path().join("copy"), &used.extents);
    assert!(std::fs::read(Path::new(&folder.path().join("copy"))).unwrap() == std::fs::read(&path).unwrap());
}
