// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where partitions come to lie. Pure: the same wishes on a disk of the same size give the same places.
//!
//! Partitions begin and end at whole MiB. The first MiB is the table's, and GRUB's: the sectors behind an MBR, or the BIOS
//! boot partition behind the entries of a GPT. The end of the disk is the second copy's of a GPT.

use platen_disk::table::{Partition, PartitionKind, PartitionTable};
use platen_disk::{ALIGN_BYTES, SECTOR_SIZES};
use platen_media::Scheme;

use super::{DiskLayout, FileSystem, LayoutProblem, PartitionUse, PartitionWish, Size};

/// UEFI 5.3.1: the entries of a GPT take 16,384 bytes or more.
const ENTRIES_BYTES: u64 = 128 * 128;
/// More than any disk has. Needs are never counted further.
const MOST_MIB: u64 = 1 << 40;

impl DiskLayout {
    /// The table for a disk, whose numbers that make it different from others are all zero.
    pub fn place(&self, size_bytes: u64, sector_bytes: u32) -> Result<PartitionTable, LayoutProblem> {
        if !SECTOR_SIZES.contains(&sector_bytes) {
            return Err(LayoutProblem::Sector { found_bytes: sector_bytes });
        }
        let sector = u64::from(sector_bytes);
        let backup_bytes = match self.scheme {
            Scheme::Mbr => 0,
            Scheme::Gpt => ENTRIES_BYTES + sector,
        };
        let needed_bytes = self.needed_mib(sector)?.saturating_mul(ALIGN_BYTES) + backup_bytes;
        if size_bytes < needed_bytes {
            return Err(LayoutProblem::SmallDisk { expected_bytes: needed_bytes, found_bytes: size_bytes });
        }
        let reached_bytes = match self.scheme {
            // Its numbers have 32 bits; what is behind them stays free.
            Scheme::Mbr => size_bytes.min(u64::from(u32::MAX) * sector),
            Scheme::Gpt => size_bytes - backup_bytes,
        };
        let mut shared_mib = reached_bytes / ALIGN_BYTES - 1 - self.fixed_mib();
        let mut next_mib = 1;
        let partitions = self.partitions.iter().map(|wish| {
            let sectors_of = |mib: u64| mib * (ALIGN_BYTES / sector);
            let (first_lba, sectors) = if wish.purpose == PartitionUse::BiosBoot {
                // Behind the entries, up to the first MiB.
                let first_lba = 2 + ENTRIES_BYTES / sector;
                (first_lba, sectors_of(1) - first_lba)
            } else {
                let size_mib = match wish.size {
                    Size::Mib(mib) => mib,
                    Size::PercentOfRemaining(percent) => {
                        let mib = shared_mib * u64::from(percent) / 100;
                        shared_mib -= mib;
                        mib
                    }
                };
                let first_mib = next_mib;
                next_mib += size_mib;
                (sectors_of(first_mib), sectors_of(size_mib))
            };
            let active = self.scheme == Scheme::Mbr && wish.is_boot;
            let (kind, name) = kind_of(wish);
            Partition { kind, first_lba, sectors, active, guid: [0; 16], name }
        });
        let partitions = partitions.collect();
        let scheme = self.scheme;
        Ok(PartitionTable { size_bytes, sector_bytes, scheme, disk_signature: 0, disk_guid: [0; 16], partitions })
    }

    /// What has a size of its own; GRUB's partition lies in the first MiB.
    fn fixed_mib(&self) -> u64 {
        let placed = self.partitions.iter().filter(|wish| wish.purpose != PartitionUse::BiosBoot);
        placed.map(|wish| if let Size::Mib(mib) = wish.size { mib } else { 0 }).sum()
    }

    /// The smallest disk on which each partition is as large as its file system must be, without a GPT's second copy.
    fn needed_mib(&self, sector: u64) -> Result<u64, LayoutProblem> {
        // From the last: each share, and what it leaves for those behind it.
        let mut shares_mib: u64 = 0;
        for (index, wish) in self.partitions.iter().enumerate().rev() {
            let least_mib = least_mib(wish.file_system, sector);
            match wish.size {
                Size::Mib(mib) if mib < least_mib => {
                    return Err(LayoutProblem::SmallPartition {
                        number: index + 1,
                        file_system: wish.file_system.unwrap_or(FileSystem::Ntfs),
                        expected_bytes: least_mib * ALIGN_BYTES,
                        found_bytes: mib * ALIGN_BYTES,
                    });
                }
                Size::Mib(_) => {}
                Size::PercentOfRemaining(percent) => {
                    let percent = u64::from(percent).clamp(1, 100);
                    let for_later = match 100 - percent {
                        0 => shares_mib,
                        left => (shares_mib * 100).div_ceil(left),
                    };
                    shares_mib = (least_mib * 100).div_ceil(percent).max(for_later).min(MOST_MIB);
                }
            }
        }
        Ok(1 + self.fixed_mib() + shares_mib)
    }
}

/// FAT32 has at least 65,525 clusters of a sector or more, and its tables (fatgen103, "FAT Type Determination").
fn least_mib(file_system: Option<FileSystem>, sector: u64) -> u64 {
    match file_system {
        None => 1,
        Some(FileSystem::Fat32) => (65_525 * sector).div_ceil(ALIGN_BYTES) + 4,
        Some(FileSystem::Ntfs | FileSystem::Ext4) => 8,
    }
}

fn kind_of(wish: &PartitionWish) -> (PartitionKind, &'static str) {
    match (wish.purpose, wish.file_system) {
        (PartitionUse::Efi, _) => (PartitionKind::EfiSystem, "EFI system partition"),
        (PartitionUse::MicrosoftReserved, _) => (PartitionKind::MicrosoftReserved, "Microsoft reserved partition"),
        (PartitionUse::Recovery, _) => (PartitionKind::Recovery, "Recovery"),
        (PartitionUse::Hidden, _) => (PartitionKind::HiddenWindows, "Basic data partition"),
        (PartitionUse::BiosBoot, _) => (PartitionKind::BiosBoot, "BIOS boot partition"),
        (PartitionUse::Primary, Some(FileSystem::Fat32)) => (PartitionKind::Fat32, "Basic data partition"),
        (PartitionUse::Primary, Some(FileSystem::Ext4)) => (PartitionKind::Linux, "Linux filesystem"),
        (PartitionUse::Primary, _) => (PartitionKind::Windows, "Basic data partition"),
    }
}
