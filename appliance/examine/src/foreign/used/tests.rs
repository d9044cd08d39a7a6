// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that no program makes so, byte by byte. Real file systems and their judges are in `tests/used`.

use std::io::{self, Read, Seek, SeekFrom};

use super::*;

const MIB: u64 = 1 << 20;

/// A drive of zeros with something here and there; what can't be read has no bytes.
struct Drive {
    size_bytes: u64,
    pieces: Vec<(u64, Vec<u8>)>,
    unreadable: Range<u64>,
    at: u64,
}

impl Drive {
    fn new(size_bytes: u64) -> Self {
        Self { size_bytes, pieces: Vec::new(), unreadable: 0..0, at: 0 }
    }

    /// What was put before is covered.
    fn put(mut self, at: u64, bytes: impl Into<Vec<u8>>) -> Self {
        self.pieces.push((at, bytes.into()));
        self
    }

    /// A boot record with these entries: kind, first sector, sectors.
    fn record(self, at: u64, entries: &[(u8, u32, u32)]) -> Self {
        let mut drive = self.put(at + 510, [0x55, 0xaa]);
        for (&(kind, start, sectors), place) in entries.iter().zip((at + 446..).step_by(16)) {
            drive =
                drive.put(place + 4, [kind]).put(place + 8, start.to_le_bytes()).put(place + 12, sectors.to_le_bytes());
        }
        drive
    }

    /// A FAT volume of 512-byte clusters; `entry` says which table entry a cluster has.
    fn fat32(self, at: u64, clusters: u32, entry: impl Fn(u32) -> u32) -> Self {
        let table_sectors = (clusters + 2).div_ceil(128);
        let sectors = 32 + 2 * table_sectors + clusters;
        let mut boot = vec![0; 512];
        boot[..3].copy_from_slice(&[0xeb, 0x58, 0x90]);
        boot[11..17].copy_from_slice(&[0, 2, 1, 32, 0, 2]);
        boot[21] = 0xf8;
        boot[32..36].copy_from_slice(&sectors.to_le_bytes());
        boot[36..40].copy_from_slice(&table_sectors.to_le_bytes());
        boot[44] = 2;
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        let entries = [0x0fff_fff8, 0x0fff_ffff].into_iter().chain((2..clusters + 2).map(entry));
        let table: Vec<u8> = entries.flat_map(u32::to_le_bytes).collect();
        let first = at + 32 * 512;
        self.put(at, boot).put(first, table.clone()).put(first + u64::from(table_sectors) * 512, table)
    }

    fn ask(self) -> Allocation {
        let size_bytes = self.size_bytes;
        let used = allocation(self, size_bytes, 512).unwrap_or_else(|error| panic!("{error}"));
        assert!(used.is_sound(size_bytes));
        used
    }
}

impl Read for Drive {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = self.at..(self.at + bytes.len() as u64).min(self.size_bytes);
        if wanted.start < self.unreadable.end && self.unreadable.start < wanted.end {
            return Err(io::Error::other("a bad sector"));
        }
        bytes.fill(0);
        for (start, piece) in &self.pieces {
            let (from, to) = (wanted.start.max(*start), wanted.end.min(start + piece.len() as u64));
            if from < to {
                let part = &piece[(from - start) as usize..(to - start) as usize];
                bytes[(from - wanted.start) as usize..(to - wanted.start) as usize].copy_from_slice(part);
            }
        }
        let len = wanted.end.saturating_sub(wanted.start);
        self.at += len;
        Ok(len as usize)
    }
}

impl Seek for Drive {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.at = at;
        Ok(at)
    }
}

fn whole_because<'a>(used: &'a Allocation, name: &str) -> &'a str {
    let region = used.regions.iter().find(|region| region.name == name);
    region.unwrap_or_else(|| panic!("{name}: {used:?}")).whole_because.as_deref().unwrap_or_default()
}

#[test]
fn drives_of_any_size_are_in_use_where_nothing_is_known() {
    for size_bytes in [0, 1, 511, 512, 1000, 4096, MIB, MIB + 1, 3 << 40] {
        let used = Drive::new(size_bytes).ask();
        assert_eq!(used.used_bytes(), size_bytes);
    }
}

/// Only that is an error; it is said before anything is copied.
#[test]
fn what_can_not_be_read_is_an_error_only_where_it_is_needed() {
    let drive = || {
        Drive::new(80 * MIB)
            .record(0, &[(0x0c, 2048, 101_600)])
            .fat32(MIB, 100_000, |n| if n == 2 { 0x0fff_ffff } else { 0 })
    };
    let ask = |unreadable: Range<u64>| allocation(Drive { unreadable, ..drive() }, 80 * MIB, 512);
    assert!(ask(0..0).expect("all of it can be read").used_bytes() < 8 * MIB, "control");
    // In the table of clusters; in the boot record; in a cluster that is free.
    for needed in [MIB + 20_000..MIB + 20_001, 100..101] {
        assert_eq!(ask(needed).expect_err("it is needed").to_string(), "a bad sector");
    }
    assert!(ask(40 * MIB..41 * MIB).expect("nobody needs it").used_bytes() < 8 * MIB);
}

/// More free ranges than are kept: the smallest are copied, nothing that is in use is lost.
#[test]
fn a_volume_in_crumbs_is_copied_in_a_bounded_number_of_extents() {
    let clusters = 1_400_000;
    // Every other cluster is in use, but for the last quarter million, of which every tenth is.
    let is_used =
        |cluster: u32| if cluster < 1_150_000 { cluster.is_multiple_of(2) } else { cluster.is_multiple_of(10) };
    let data_start = u64::from(32 + 2 * (clusters + 2_u32).div_ceil(128)) * 512;
    let size_bytes = data_start + u64::from(clusters) * 512;
    let used = Drive::new(size_bytes).fat32(0, clusters, |n| if is_used(n) { 0x0fff_ffff } else { 0 }).ask();
    assert!(used.extents.len() <= MAX_RANGES + 1, "{}", used.extents.len());
    assert_eq!(whole_because(&used, "the whole drive"), "");
    let mut extents = used.extents.iter().peekable();
    for cluster in (2..clusters + 2).filter(|cluster| is_used(*cluster)) {
        let at = data_start + u64::from(cluster - 2) * 512;
        while extents.peek().is_some_and(|extent| extent.offset_bytes + extent.len_bytes <= at) {
            extents.next();
        }
        assert!(extents.peek().is_some_and(|extent| extent.offset_bytes <= at), "cluster {cluster} is lost");
    }
    // The larger gaps are those that are left out.
    assert!(used.used_bytes() < u64::from(clusters) * 512 - 200_000 * 512);
}

/// Debian's and others' images: the table has the image as a partition, and another inside that.
#[test]
fn an_iso_image_with_a_table_is_copied_to_its_end() {
    let descriptor = |sectors: u32| {
        let mut descriptor = vec![0; 2048];
        descriptor[..6].copy_from_slice(b"\x01CD001");
        descriptor[80..84].copy_from_slice(&sectors.to_le_bytes());
        descriptor[128..130].copy_from_slice(&2048_u16.to_le_bytes());
        descriptor
    };
    let entries = [(0, 0, 8192), (0xef, 4000, 100)];
    let used = Drive::new(64 * MIB).record(0, &entries).put(0x8000, descriptor(2048 + 512)).ask();
    // The image is longer than its partition: 5 MiB; then the margins.
    assert_eq!(used.used_bytes(), 7 * MIB, "{used:?}");
    // A volume behind the image is looked into; a part of one is not.
    let fat = |drive: Drive, at| drive.fat32(at, 70_000, |n| if n == 2 { 0x0fff_ffff } else { 0 });
    let entries = [(0, 0, 8192), (0x0c, 12_288, 71_200)];
    let used = fat(Drive::new(64 * MIB).record(0, &entries).put(0x8000, descriptor(2560)), 6 * MIB).ask();
    assert_eq!(whole_because(&used, "partition 2"), "");
    assert!(used.used_bytes() < 11 * MIB, "{used:?}");
    let used = fat(Drive::new(64 * MIB).record(0, &entries).put(0x8000, descriptor(4096)), 6 * MIB).ask();
    assert!(whole_because(&used, "partition 2").contains("ISO"), "{used:?}");
    // One that is longer than the drive is not believed.
    let used = Drive::new(64 * MIB).record(0, &entries).put(0x8000, descriptor(40_000)).ask();
    assert_eq!(used.used_bytes(), 64 * MIB);
}

/// Dynamic disks, LVM, RAID: what looks like a volume is a part of one.
#[test]
fn parts_of_something_larger_are_not_looked_into() {
    for kind in [0x42, 0x8e, 0xfd] {
        let ask = |kind| {
            let drive = Drive::new(80 * MIB).record(0, &[(kind, 2048, 101_600)]);
            drive.fat32(MIB, 100_000, |n| if n == 2 { 0x0fff_ffff } else { 0 }).ask()
        };
        assert!(ask(0x0c).used_bytes() < 8 * MIB, "control");
        let used = ask(kind);
        assert!(whole_because(&used, "partition 1").contains("larger"), "{used:?}");
        assert!(used.used_bytes() > 50 * MIB, "{used:?}");
    }
}

/// Whatever a chain of extended records does, it ends, and what it covers is copied.
#[test]
fn a_broken_chain_of_extended_records_is_copied() {
    let drive = || Drive::new(64 * MIB).record(0, &[(5, 2048, 100_000)]);
    let chains: [(&str, Drive); 5] = [
        ("no record", drive()),
        ("itself", drive().record(MIB, &[(0x0c, 63, 1000), (5, 0, 1000)])),
        ("outside", drive().record(MIB, &[(0x0c, 63, 1000), (5, 200_000, 1000)])),
        ("two", drive().record(MIB, &[(5, 10_000, 1000), (5, 20_000, 1000)])),
        ("too long a partition", drive().record(MIB, &[(0x0c, 63, 100_000)])),
    ];
    for (what, drive) in chains {
        let used = drive.ask();
        let region =
            used.regions.iter().find(|region| region.name == "partition 1").unwrap_or_else(|| panic!("{what}"));
        assert!(region.whole_because.is_some(), "{what}: {used:?}");
        assert_eq!(region.used_bytes, 100_000 * 512, "{what}");
    }
}
