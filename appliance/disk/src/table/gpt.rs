// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GUID partition tables, made by the `gpt` crate on a device that has only its first and last sectors.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use gpt::disk::LogicalBlockSize;
use gpt::partition::Partition;
use gpt::partition_types::{BASIC, BIOS, EFI, LINUX_FS, MICROSOFT_RESERVED, Type, WINDOWS_RECOVERY};

use super::{PartitionKind, PartitionTable};
use crate::LayoutError;

/// 128 entries of 128 bytes (UEFI 5.3.1: "a minimum of 16,384 bytes").
pub(crate) const ENTRIES_BYTES: u64 = 128 * 128;
/// The first sector of the BIOS boot partition: right after the entries (512-byte sectors).
pub(crate) const BIOS_BOOT_LBA: u64 = 34;

/// The parts of a GPT, each a whole number of sectors.
pub(crate) struct Gpt {
    pub(crate) header: Vec<u8>,
    pub(crate) entries: Vec<u8>,
    pub(crate) backup_entries: Vec<u8>,
    pub(crate) backup_header: Vec<u8>,
}

impl Gpt {
    pub(super) fn new(table: &PartitionTable) -> Result<Self, LayoutError> {
        let sector = u64::from(table.sector_bytes);
        let block = if sector == 512 { LogicalBlockSize::Lb512 } else { LogicalBlockSize::Lb4096 };
        let (head, tail) = (2 * sector + ENTRIES_BYTES, ENTRIES_BYTES + sector);
        let (head, tail) = (vec![0; head as usize], vec![0; tail as usize]);
        let window = Window { size: table.size_bytes, position: 0, head, tail };

        let mut disk = gpt::GptConfig::new()
            .writable(true)
            .logical_block_size(block)
            .create_from_device(window, Some(guid(&table.disk_guid, "disk")?))
            .map_err(refused)?;
        let partitions = table.partitions.iter().zip(1..).map(|(partition, number)| {
            let (kind, part_guid) = (type_of(partition.kind), guid(&partition.guid, "partition")?);
            let (first_lba, last_lba, name) = (partition.first_lba, partition.last_lba(), partition.name.to_owned());
            let flags = attributes(partition.kind);
            Ok((number, Partition { part_type_guid: kind, part_guid, first_lba, last_lba, flags, name }))
        });
        let partitions = partitions.collect::<Result<BTreeMap<u32, Partition>, LayoutError>>()?;
        disk.update_partitions(partitions).map_err(refused)?;
        let mut window = disk.write().map_err(refused)?;

        let entries = window.head.split_off(2 * sector as usize);
        let header = window.head.split_off(sector as usize);
        let backup_header = window.tail.split_off(ENTRIES_BYTES as usize);
        Ok(Self { header, entries, backup_entries: window.tail, backup_header })
    }
}

fn type_of(kind: PartitionKind) -> Type {
    match kind {
        // What Windows and other systems call a volume of theirs.
        PartitionKind::Fat32 | PartitionKind::Windows | PartitionKind::HiddenWindows => BASIC,
        PartitionKind::EfiSystem => EFI,
        PartitionKind::BiosBoot => BIOS,
        PartitionKind::MicrosoftReserved => MICROSOFT_RESERVED,
        PartitionKind::Recovery => WINDOWS_RECOVERY,
        PartitionKind::Linux => LINUX_FS,
    }
}

/// Of Windows' types.
pub(super) const NO_DRIVE_LETTER: u64 = 1 << 63;

/// UEFI 5.3.3: bit 0, the platform needs it. Bits 48 to 63 are the type's own; of Windows' types 62 hides a volume and 63
/// gives it no drive letter (Microsoft, `PARTITION_INFORMATION_GPT`).
fn attributes(kind: PartitionKind) -> u64 {
    match kind {
        PartitionKind::Recovery => NO_DRIVE_LETTER | 1,
        PartitionKind::HiddenWindows => NO_DRIVE_LETTER | 1 << 62,
        _ => 0,
    }
}

// Generic over the GUID type, which is the `uuid` crate's: `gpt` does not re-export it and we need no more of it.
fn guid<G: TryFrom<Vec<u8>>>(stored: &[u8; 16], whose: &str) -> Result<G, LayoutError> {
    // On the drive the first three fields are little-endian (UEFI appendix A); the conversion wants them big-endian.
    let mut bytes = stored.to_vec();
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    G::try_from(bytes).map_err(|_| LayoutError::PartitionTable { reason: format!("{whose} guid not taken") })
}

fn refused(error: impl std::fmt::Display) -> LayoutError {
    LayoutError::PartitionTable { reason: error.to_string() }
}

/// A device of the drive's size that has its first and last bytes only; between them it reads as zeros and refuses
/// writes.
#[derive(Debug)]
struct Window {
    size: u64,
    position: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Window {
    fn tail_start(&self) -> u64 {
        self.size - self.tail.len() as u64
    }

    /// The stored bytes from the current position on.
    fn here(&mut self) -> Option<&mut [u8]> {
        let tail_start = self.tail_start();
        if self.position < self.head.len() as u64 {
            self.head.get_mut(self.position as usize..)
        } else if self.position >= tail_start && self.position < self.size {
            self.tail.get_mut((self.position - tail_start) as usize..)
        } else {
            None
        }
    }
}

impl Read for Window {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (position, size) = (self.position, self.size);
        let tail_start = self.tail_start();
        let read = match self.here() {
            Some(stored) => {
                let n = stored.len().min(buf.len());
                buf[..n].copy_from_slice(&stored[..n]);
                n
            }
            None => {
                let end = if position < tail_start { tail_start } else { size.max(position) };
                let n = buf.len().min(usize::try_from(end - position).unwrap_or(usize::MAX));
                buf[..n].fill(0);
                n
            }
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Write for Window {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let Some(stored) = self.here() else {
            return Err(io::Error::other("partition table outside its place"));
        };
        let n = stored.len().min(buf.len());
        stored[..n].copy_from_slice(&buf[..n]);
        self.position += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.size.checked_add_signed(n),
            SeekFrom::Current(n) => self.position.checked_add_signed(n),
        };
        self.position = target.ok_or_else(|| io::Error::other("seek out of range"))?;
        Ok(self.position)
    }
}
