// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Master boot records (UEFI 2.10, 5.2) and the chain of extended ones behind them.

use std::io::{Read, Seek};
use std::ops::Range;

use super::super::source::{Part, Stop, u16_at, u32_at};
use super::Partition;

const ENTRIES: usize = 446;
const ENTRY_BYTES: usize = 16;
/// UEFI 2.10, 5.2.3: "GPT Protective".
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Parts of something larger: dynamic disks, LVM, RAID.
const OPAQUE: [u8; 3] = [0x42, 0x8e, 0xfd];
/// More logical partitions than any system numbers.
const MAX_LOGICAL: usize = 256;

/// What a drive's boot records say.
#[derive(Debug, Default)]
pub(super) struct BootRecords {
    pub(super) partitions: Vec<Partition>,
    /// Extended records.
    pub(super) kept: Vec<Range<u64>>,
    pub(super) extended_ends: Vec<u64>,
    pub(super) is_protective: bool,
}

/// One of the four.
struct Entry {
    /// 1 to 4
    number: usize,
    kind: u8,
    /// In bytes from where it is counted.
    start: u64,
    len: u64,
}

pub(super) fn read<D: Read + Seek>(drive: &mut Part<'_, D>, sector_bytes: u64) -> Result<BootRecords, Stop> {
    let mut found = BootRecords::default();
    if drive.len_bytes() < sector_bytes {
        return Ok(found);
    }
    for entry in entries(&drive.read(0, 512)?, sector_bytes).unwrap_or_default() {
        let range = entry.start..entry.start + entry.len;
        let name = format!("partition {}", entry.number);
        match entry.kind {
            PROTECTIVE => found.is_protective = true,
            kind if EXTENDED.contains(&kind) => {
                found.extended_ends.push(range.end);
                if !follow(drive, &range, sector_bytes, &mut found)? {
                    let opaque = Some("the chain of its partitions can't be followed");
                    found.partitions.push(Partition { name, range, opaque });
                }
            }
            kind => {
                let opaque = OPAQUE.contains(&kind).then_some("it is part of something larger");
                found.partitions.push(Partition { name, range, opaque });
            }
        }
    }
    Ok(found)
}

/// Those in use. A system that skips entries of type 0 sees less; Linux goes by the length alone. None: not a boot record
/// with a table, but perhaps the boot sector of a file system.
fn entries(sector: &[u8], sector_bytes: u64) -> Option<Vec<Entry>> {
    let table = sector.get(ENTRIES..510)?;
    let is_record = u16_at(sector, 510) == 0xaa55;
    let all_are_entries = table.chunks(ENTRY_BYTES).all(|entry| matches!(entry[0], 0 | 0x80));
    let number = |entry: &[u8], at| u64::from(u32_at(entry, at)) * sector_bytes;
    let entries = table.chunks(ENTRY_BYTES).zip(1..).map(|(entry, index)| Entry {
        number: index,
        kind: entry[4],
        start: number(entry, 8),
        len: number(entry, 12),
    });
    (is_record && all_are_entries).then(|| entries.filter(|entry| entry.len > 0).collect())
}

/// Goes along the chain of extended records: in each the first place of a partition is counted from the record, that of
/// the next record from the beginning of all. False: something in it is not as it must be.
fn follow<D: Read + Seek>(
    drive: &mut Part<'_, D>,
    extended: &Range<u64>,
    sector_bytes: u64,
    found: &mut BootRecords,
) -> Result<bool, Stop> {
    let is_inside = |range: &Range<u64>| extended.start <= range.start && range.end <= extended.end;
    let mut next = Some(extended.start);
    let mut seen = Vec::new();
    while let Some(at) = next.take() {
        let record = at..at + sector_bytes;
        if seen.contains(&at) || seen.len() == MAX_LOGICAL || !is_inside(&record) || record.end > drive.len_bytes() {
            return Ok(false);
        }
        seen.push(at);
        let Some(entries) = entries(&drive.read(at, 512)?, sector_bytes) else { return Ok(false) };
        found.kept.push(record);
        for entry in entries {
            if EXTENDED.contains(&entry.kind) {
                if next.replace(extended.start + entry.start).is_some() {
                    return Ok(false);
                }
                continue;
            }
            let start = at + entry.start;
            let range = start..start + entry.len;
            if !is_inside(&range) {
                return Ok(false);
            }
            let opaque = OPAQUE.contains(&entry.kind).then_some("it is part of something larger");
            let name = format!("partition {}", 5 + found.kept.len() - 1);
            found.partitions.push(Partition { name, range, opaque });
        }
    }
    Ok(true)
}
