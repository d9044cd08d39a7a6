// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GUID partition tables (UEFI 2.10, 5.3).

use std::io::{Read, Seek};
use std::ops::Range;

use super::super::source::{PIECE_BYTES, Part, Stop, u32_at, u64_at, whole};
use super::{Partition, Tables};

const SIGNATURE: &[u8] = b"EFI PART";
/// Parts of something larger, by the type's GUID as it stands on the drive: LDM data, Storage Spaces, LVM, Linux RAID.
const OPAQUE: [[u8; 16]; 4] = [
    guid(0xaf9b_60a0, 0x1431, 0x4f62, 0xbc68_3311_714a_69ad),
    guid(0xe75c_af8f, 0xf680, 0x4cee, 0xafa3_b001_e56e_fc2d),
    guid(0xe6d6_d379, 0xf507, 0x44c2, 0xa23c_238f_2a3d_f928),
    guid(0xa19d_880f, 0x05fc, 0x4d3b, 0xa006_743f_0f84_911e),
];

/// UEFI 2.10, appendix A: the first three fields are little-endian.
const fn guid(first: u32, second: u16, third: u16, last: u64) -> [u8; 16] {
    let ([a, b, c, d], [e, f], [g, h]) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
    let [i, j, k, l, m, n, o, p] = last.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// A header whose checksums hold (5.3.2).
struct Header {
    other_lba: u64,
    usable: Range<u64>,
    entries_lba: u64,
    entries: Vec<u8>,
    entry_bytes: usize,
}

/// None: there is no table.
pub(super) fn read<D: Read + Seek>(drive: &mut Part<'_, D>, sector_bytes: u64) -> Result<Option<Tables>, Stop> {
    if drive.len_bytes() < 2 * sector_bytes || !drive.read(sector_bytes, 8)?.starts_with(SIGNATURE) {
        return Ok(None);
    }
    let Some(header) = read_header(drive, 1, sector_bytes)? else {
        return whole("its GUID partition table is damaged");
    };
    // The copy is at the end of the drive, or where that was when the table was made.
    let copy = match header.other_lba.checked_mul(sector_bytes) {
        Some(at) if at.saturating_add(sector_bytes) <= drive.len_bytes() => {
            read_header(drive, header.other_lba, sector_bytes)?
        }
        _ => None,
    };
    if copy.as_ref().is_some_and(|copy| copy.entries != header.entries) {
        return whole("its GUID partition table and the copy of it differ");
    }
    let bytes =
        |sectors: Range<u64>| sectors.start.saturating_mul(sector_bytes)..sectors.end.saturating_mul(sector_bytes);
    let copy_start = copy.map_or(header.usable.end, |copy| copy.entries_lba.min(header.usable.end));
    let entries_end = header.entries_lba.saturating_add((header.entries.len() as u64).div_ceil(sector_bytes));
    let kept = vec![
        bytes(0..header.usable.start.max(2)),
        bytes(header.entries_lba..entries_end),
        bytes(copy_start..header.other_lba.saturating_add(1)),
    ];
    let mut partitions = Vec::new();
    for (entry, number) in header.entries.chunks(header.entry_bytes).zip(1..) {
        if entry[..16] == [0; 16] {
            continue;
        }
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        let name = format!("partition {number}");
        if first > last || first < 2 {
            return whole(format!("{name} of its GUID partition table can't be anywhere"));
        }
        let opaque = OPAQUE.iter().any(|guid| entry.starts_with(guid)).then_some("it is part of something larger");
        partitions.push(Partition { name, range: bytes(first..last.saturating_add(1)), opaque });
    }
    Ok(Some(Tables { partitions, kept, end_bytes: 0 }))
}

/// None: it is not as it must be.
fn read_header<D: Read + Seek>(drive: &mut Part<'_, D>, lba: u64, sector_bytes: u64) -> Result<Option<Header>, Stop> {
    let mut header = drive.read(lba * sector_bytes, sector_bytes as usize)?;
    let (header_bytes, sum) = (u32_at(&header, 12) as usize, u32_at(&header, 16));
    if !header.starts_with(SIGNATURE) || !(92..=header.len()).contains(&header_bytes) {
        return Ok(None);
    }
    header[16..20].fill(0);
    let (entries_lba, count, entry_bytes) = (u64_at(&header, 72), u32_at(&header, 80), u32_at(&header, 84) as usize);
    let entries_bytes = u64::from(count) * entry_bytes as u64;
    let is_right = crc32fast::hash(&header[..header_bytes]) == sum
        && u64_at(&header, 24) == lba
        && entry_bytes >= 128
        && entries_bytes <= PIECE_BYTES as u64;
    let end = entries_lba.checked_mul(sector_bytes).and_then(|at| at.checked_add(entries_bytes));
    if !is_right || end.is_none_or(|end| end > drive.len_bytes()) {
        return Ok(None);
    }
    let entries = drive.read(entries_lba * sector_bytes, entries_bytes as usize)?;
    if crc32fast::hash(&entries) != u32_at(&header, 88) {
        return Ok(None);
    }
    let usable = u64_at(&header, 40)..u64_at(&header, 48).saturating_add(1);
    Ok(Some(Header { other_lba: u64_at(&header, 32), usable, entries_lba, entries, entry_bytes }))
}
