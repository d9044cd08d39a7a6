// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Partition tables: where partitions are, and what belongs to the tables themselves.

mod gpt;
mod mbr;

use std::io::{Read, Seek};
use std::ops::Range;

use super::source::{Part, Stop, whole};

/// A partition, as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: String,
    /// In bytes from the start of the drive.
    pub(super) range: Range<u64>,
    /// What is in it is not looked at: by its type it is part of something larger, or it could not be followed.
    pub(super) opaque: Option<&'static str>,
}

/// All tables of a drive.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Sorted by where they begin, each range once. Empty: the drive has no partitions.
    pub(super) partitions: Vec<Partition>,
    /// Ranges of the tables: in use, whatever lies there besides.
    pub(super) kept: Vec<Range<u64>>,
    /// The end of the last partition; of an extended one too.
    pub(super) end_bytes: u64,
}

/// Reads all tables. Systems choose among those that contradict each other; here everything counts that any has.
pub(super) fn read<D: Read + Seek>(drive: &mut Part<'_, D>, sector_bytes: u64) -> Result<Tables, Stop> {
    let mbr = mbr::read(drive, sector_bytes)?;
    let gpt = gpt::read(drive, sector_bytes)?;
    if mbr.is_protective && gpt.is_none() {
        return whole("its master boot record points to a GUID partition table that is not there");
    }
    let mut tables = gpt.unwrap_or_default();
    let of_gpt = tables.partitions.len();
    tables.kept.extend(mbr.kept);
    tables.kept.push(0..sector_bytes);
    for mut partition in mbr.partitions {
        // A hybrid record has some of the table's partitions once more.
        if tables.partitions.iter().all(|other| other.range != partition.range) {
            if of_gpt > 0 {
                partition.name = format!("{} of the boot record", partition.name);
            }
            tables.partitions.push(partition);
        }
    }
    if let Some(beyond) = tables.partitions.iter().find(|partition| partition.range.end > drive.len_bytes()) {
        return whole(format!("{} ends behind the end of the drive", beyond.name));
    }
    tables.partitions.sort_by_key(|partition| (partition.range.start, partition.range.end));
    let ends = tables.partitions.iter().map(|partition| partition.range.end);
    tables.end_bytes = ends.chain(mbr.extended_ends).max().unwrap_or(0);
    Ok(tables)
}
