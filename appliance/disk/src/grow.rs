// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Fitting an image's GUID partition table to a drive: the copy goes to the drive's end, and the table says so.
//!
//! UEFI 2.10, 5.3.2: both headers say where the other stands and which sectors partitions may use; each has a checksum
//! over itself, and one over the entries. The partitions stay as they are.

use std::ops::Range;

/// `EFI PART`.
const SIGNATURE: &[u8] = b"EFI PART";
/// The one partition of a protective MBR, in the first of four places.
const PROTECTIVE: Range<usize> = 446..462;
const PROTECTIVE_KIND: u8 = 0xee;

/// Why a table can't be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrowError {
    /// The first sectors hold no table, or one that its own checksums contradict.
    #[error("guid partition table: expected one whose checksums hold, found none; make the image anew")]
    NoTable,
    /// The partitions, and the copy behind them, need a bigger drive.
    #[error("guid partition table: the drive has {size_bytes} bytes, partitions and table need {needed_bytes}")]
    NoRoom {
        /// The drive's size in bytes.
        size_bytes: u64,
        /// The least it would have to be.
        needed_bytes: u64,
    },
}

/// A table that fits a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrownTable {
    /// What was given, with the changes in it.
    pub head: Vec<u8>,
    /// Where its copy begins, in bytes from the start of the drive; it ends with the drive.
    pub copy_offset_bytes: u64,
    /// Entries, then the header.
    pub copy: Vec<u8>,
}

/// Fits the table in the first bytes of an image to a drive of whole sectors.
pub fn grow_gpt(head: &[u8], sector_bytes: u32, size_bytes: u64) -> Result<GrownTable, GrowError> {
    fit(head, sector_bytes, size_bytes).ok_or(GrowError::NoTable)?
}

/// None: no table.
fn fit(head: &[u8], sector_bytes: u32, size_bytes: u64) -> Option<Result<GrownTable, GrowError>> {
    let sector = sector_bytes as usize;
    let header_bytes = u32_at(head, sector + 12)? as usize;
    let mut header = head.get(sector..sector + header_bytes)?.to_vec();
    let is_header = (92..=sector).contains(&header_bytes) && header.starts_with(SIGNATURE);
    if !is_header || u64_at(&header, 24)? != 1 || header_crc(&header) != u32_at(&header, 16)? {
        return None;
    }
    let (first_usable, entries_lba) = (u64_at(&header, 40)?, u64_at(&header, 72)?);
    let (count, entry_bytes) = (u32_at(&header, 80)? as usize, u32_at(&header, 84)? as usize);
    let entries_at = usize::try_from(entries_lba).ok()?.checked_mul(sector)?;
    let entries = head.get(entries_at..entries_at.checked_add(count.checked_mul(entry_bytes)?)?)?;
    if entry_bytes < 128 || crc32fast::hash(entries) != u32_at(&header, 88)? {
        return None;
    }
    let used = entries.chunks(entry_bytes).filter(|entry| entry[..16] != [0; 16]);
    let last_used = used.filter_map(|entry| u64_at(entry, 40)).max().unwrap_or(first_usable);

    let last = (size_bytes / u64::from(sector_bytes)).checked_sub(1)?;
    let entries_sectors = entries.len().div_ceil(sector) as u64;
    let least_last = last_used.checked_add(entries_sectors)?.checked_add(1)?;
    if last < least_last {
        let needed_bytes = (least_last + 1).saturating_mul(u64::from(sector_bytes));
        return Some(Err(GrowError::NoRoom { size_bytes, needed_bytes }));
    }
    let copy_lba = last - entries_sectors;
    put(&mut header, 32, last);
    put(&mut header, 48, copy_lba - 1);
    sign(&mut header);
    let mut grown = head.to_vec();
    grown[sector..sector + header_bytes].copy_from_slice(&header);
    protect(&mut grown, last);

    let mut copy = entries.to_vec();
    copy.resize(entries_sectors as usize * sector, 0);
    put(&mut header, 24, last);
    put(&mut header, 32, 1);
    put(&mut header, 72, copy_lba);
    sign(&mut header);
    copy.extend_from_slice(&header);
    copy.resize(copy.len().next_multiple_of(sector), 0);
    Some(Ok(GrownTable { head: grown, copy_offset_bytes: copy_lba * u64::from(sector_bytes), copy }))
}

/// The protective MBR covers the drive (UEFI 5.2.3). One that has other partitions too is left to whoever made it.
fn protect(head: &mut [u8], last_lba: u64) {
    let (entry, others) = (PROTECTIVE, 462..510);
    if head[entry.start + 4] == PROTECTIVE_KIND && head[others].iter().all(|byte| *byte == 0) {
        let sectors = u32::try_from(last_lba).unwrap_or(u32::MAX);
        head[entry.start + 12..entry.end].copy_from_slice(&sectors.to_le_bytes());
    }
}

/// Over the header with this field zero.
fn header_crc(header: &[u8]) -> u32 {
    let mut blank = header.to_vec();
    blank[16..20].fill(0);
    crc32fast::hash(&blank)
}

fn sign(header: &mut [u8]) {
    let crc = header_crc(header);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
}

fn put(header: &mut [u8], at: usize, lba: u64) {
    header[at..at + 8].copy_from_slice(&lba.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
