// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Sector 0: the master boot record, and the protective one in front of a GPT.

use super::{Partition, PartitionKind, PartitionTable};
use crate::Scheme;

/// Offsets in sector 0, in bytes.
pub(crate) const DISK_SIGNATURE: usize = 0x1b8;
pub(crate) const FIRST_ENTRY: usize = 0x1be;
pub(crate) const BOOT_SIGNATURE: usize = 0x1fe;
/// Partition types: FAT32 addressed by sector number, "there is a GPT", EFI system partition.
pub(crate) const TYPE_FAT32_LBA: u8 = 0x0c;
pub(crate) const TYPE_GPT: u8 = 0xee;
pub(super) const TYPE_EFI_SYSTEM: u8 = 0xef;
/// NTFS, hidden NTFS, Windows' recovery tools, Linux.
const TYPE_WINDOWS: u8 = 0x07;
pub(super) const TYPE_HIDDEN_WINDOWS: u8 = 0x17;
pub(super) const TYPE_RECOVERY: u8 = 0x27;
const TYPE_LINUX: u8 = 0x83;
pub(crate) const ACTIVE: u8 = 0x80;

/// One whole sector (512 or 4096 bytes). `code` is empty or 440 bytes.
pub(super) fn sector_zero(table: &PartitionTable, code: &[u8]) -> Vec<u8> {
    let mut sector = vec![0; table.sector_bytes as usize];
    sector[..code.len()].copy_from_slice(code);
    let entries = match table.scheme {
        Scheme::Mbr => {
            sector[DISK_SIGNATURE..DISK_SIGNATURE + 4].copy_from_slice(&table.disk_signature.to_le_bytes());
            table.partitions.iter().map(partition_entry).collect()
        }
        // UEFI 5.2.3: from LBA 1 to the end of the drive, or as far as 32 bits go; ending CHS as if out of range.
        Scheme::Gpt => {
            let sectors = table.size_bytes / u64::from(table.sector_bytes) - 1;
            vec![entry(0, TYPE_GPT, [0x00, 0x02, 0x00], [0xff, 0xff, 0xff], 1, sectors)]
        }
    };
    for (place, entry) in sector[FIRST_ENTRY..BOOT_SIGNATURE].chunks_exact_mut(16).zip(entries) {
        place.copy_from_slice(&entry);
    }
    sector[BOOT_SIGNATURE..BOOT_SIGNATURE + 2].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn partition_entry(partition: &Partition) -> [u8; 16] {
    let kind = match partition.kind {
        PartitionKind::Fat32 => TYPE_FAT32_LBA,
        PartitionKind::EfiSystem => TYPE_EFI_SYSTEM,
        PartitionKind::Windows => TYPE_WINDOWS,
        PartitionKind::HiddenWindows => TYPE_HIDDEN_WINDOWS,
        PartitionKind::Recovery => TYPE_RECOVERY,
        PartitionKind::Linux => TYPE_LINUX,
        // Refused before.
        PartitionKind::BiosBoot | PartitionKind::MicrosoftReserved => 0,
    };
    let status = if partition.active { ACTIVE } else { 0 };
    let (first, last) = (partition.first_lba, partition.last_lba());
    entry(status, kind, chs(first), chs(last), first, partition.sectors)
}

fn entry(status: u8, kind: u8, first_chs: [u8; 3], last_chs: [u8; 3], first: u64, sectors: u64) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[0] = status;
    entry[1..4].copy_from_slice(&first_chs);
    entry[4] = kind;
    entry[5..8].copy_from_slice(&last_chs);
    entry[8..12].copy_from_slice(&saturated(first).to_le_bytes());
    entry[12..16].copy_from_slice(&saturated(sectors).to_le_bytes());
    entry
}

fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Cylinder, head and sector for 255 heads and 63 sectors, as packed in a partition entry; FE FF FF beyond cylinder 1023.
fn chs(lba: u64) -> [u8; 3] {
    let (cylinder, head, sector) = (lba / (255 * 63), lba / 63 % 255, lba % 63 + 1);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    [head as u8, (sector | (cylinder >> 2 & 0xc0)) as u8, cylinder as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chs_of_known_sectors() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(2048), [0x20, 0x21, 0x00]); // what fdisk writes for a partition at 1 MiB
        assert_eq!(chs(256 * 255 * 63), [0, 0x41, 0]);
        assert_eq!(chs(1024 * 255 * 63 - 1), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(1024 * 255 * 63), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(u64::MAX), [0xfe, 0xff, 0xff]);
    }
}
