// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What an image's first bytes say of its partitions. Read only to warn and to leave out; whatever does not make sense is
//! taken for no table.

use std::ops::Range;

/// How much of an image is looked at: tables, and file systems that begin at 1 MiB.
pub(super) const HEAD_BYTES: usize = 2 << 20;

const SECTOR_SIZES: [u32; 2] = [512, 4096];

/// What an image's partition table says, as far as it makes sense.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// None when nothing shows it.
    pub(super) sector_bytes: Option<u32>,
    /// The end of the last partition; 0 when there is none.
    pub(super) partitions_end_bytes: u64,
    pub(super) gpt: Option<Gpt>,
}

/// A GUID partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gpt {
    /// Where the copy of it stands, entries and header.
    pub(super) copy: Range<u64>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let field: [u8; N] = bytes.get(at..at + N)?.try_into().ok()?;
    Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl Table {
    pub(super) fn of(head: &[u8]) -> Self {
        let gpt = SECTOR_SIZES.into_iter().find_map(|sector_bytes| gpt(head, sector_bytes));
        gpt.or_else(|| file_system(head)).or_else(|| mbr(head)).unwrap_or_default()
    }
}

/// UEFI 2.10, 5.3.
fn gpt(head: &[u8], sector_bytes: u32) -> Option<Table> {
    let sector = u64::from(sector_bytes);
    let header = head.get(sector_bytes as usize..)?;
    let lba = |at| number::<8>(header, at);
    if !header.starts_with(b"EFI PART") || lba(24)? != 1 {
        return None;
    }
    let (alternate, last_usable, entries) = (lba(32)?, lba(48)?, lba(72)?);
    let (count, size) = (number::<4>(header, 80)?, number::<4>(header, 84)?);
    if !(128..=4096).contains(&size) || count > 4096 {
        return None;
    }
    let entries_start = usize::try_from(entries.checked_mul(sector)?).ok()?;
    let mut end_lba = 0;
    for number_of in 0..count {
        let entry = head.get(entries_start.checked_add((number_of * size) as usize)?..)?;
        if entry.get(..16)? != [0; 16] {
            end_lba = end_lba.max(number::<8>(entry, 40)?.checked_add(1)?);
        }
    }
    // The copy's entries begin behind what partitions may use, and are as long as those in front.
    let copy_start = alternate.saturating_sub((count * size).div_ceil(sector)).max(last_usable.saturating_add(1));
    let copy = copy_start.checked_mul(sector)?..alternate.checked_add(1)?.checked_mul(sector)?;
    Some(Table {
        sector_bytes: Some(sector_bytes),
        partitions_end_bytes: end_lba.checked_mul(sector)?,
        gpt: Some(Gpt { copy }),
    })
}

/// A FAT, exFAT or NTFS volume with no partition around it; or the one of a partition, if `bytes` begin there.
fn file_system(bytes: &[u8]) -> Option<Table> {
    if !matches!(bytes, [0xeb | 0xe9, ..]) || bytes.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    if bytes.get(3..11)? == b"EXFAT   " {
        let sector_bytes = 1_u32.checked_shl(u32::from(bytes[108])).filter(|found| SECTOR_SIZES.contains(found))?;
        let partitions_end_bytes = number::<8>(bytes, 72)?.checked_mul(u64::from(sector_bytes))?;
        return Some(Table { sector_bytes: Some(sector_bytes), partitions_end_bytes, gpt: None });
    }
    let sector_bytes = u32::try_from(number::<2>(bytes, 11)?).ok().filter(|found| SECTOR_SIZES.contains(found))?;
    let sectors = if bytes.get(3..7)? == b"NTFS" {
        number::<8>(bytes, 40)?.checked_add(1)?
    } else if bytes.get(54..57)? == b"FAT" || bytes.get(82..85)? == b"FAT" {
        Some(number::<2>(bytes, 19)?).filter(|small| *small > 0).or_else(|| number::<4>(bytes, 32))?
    } else {
        return None;
    };
    let partitions_end_bytes = sectors.checked_mul(u64::from(sector_bytes))?;
    Some(Table { sector_bytes: Some(sector_bytes), partitions_end_bytes, gpt: None })
}

fn mbr(head: &[u8]) -> Option<Table> {
    if head.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    let mut partitions = Vec::new();
    for entry in head.get(446..510)?.chunks(16) {
        let (kind, start, count) = (entry[4], number::<4>(entry, 8)?, number::<4>(entry, 12)?);
        // Anything else is code: the boot sector of a file system that is not known here.
        if entry[0] & 0x7f != 0 {
            return None;
        }
        // 0xEE guards a GUID partition table, and covers what is no partition.
        if kind != 0 && kind != 0xee && count > 0 {
            partitions.push((start, count));
        }
    }
    // Sector numbers alone say nothing of sizes; the file system where a partition begins does.
    let begins = |sector_bytes: u32| {
        partitions.iter().any(|(start, _)| {
            let at = usize::try_from(start * u64::from(sector_bytes)).unwrap_or(usize::MAX);
            head.get(at..).and_then(file_system).is_some_and(|found| found.sector_bytes == Some(sector_bytes))
        })
    };
    let sector_bytes = SECTOR_SIZES.into_iter().find(|size| begins(*size));
    let end = partitions.iter().map(|(start, count)| start + count).max().unwrap_or(0);
    Some(Table { sector_bytes, partitions_end_bytes: end * u64::from(sector_bytes.unwrap_or(512)), gpt: None })
}
