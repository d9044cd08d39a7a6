// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How a disk is to be divided: what Format and Partition Disk says, as plain data. A dry run and the engine ask the same
//! functions, so what one refuses the other does not do.

mod of_step;
mod place;
#[cfg(test)]
mod tests;

use std::fmt;

use platen_media::Scheme;
use serde::{Deserialize, Serialize};

/// Why a disk can't be divided so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum LayoutProblem {
    #[error("{property}: expected {expected}, found {found}")]
    Property { property: String, expected: String, found: String },
    #[error(
        "partition {number} is too small for {file_system}: expected {expected_bytes} bytes or more, found {found_bytes}"
    )]
    SmallPartition { number: usize, file_system: FileSystem, expected_bytes: u64, found_bytes: u64 },
    #[error("the disk is too small: expected {expected_bytes} bytes or more, found {found_bytes}")]
    SmallDisk { expected_bytes: u64, found_bytes: u64 },
    #[error("the disk's table")]
    Table(#[from] platen_disk::LayoutError),
    #[error("the disk has sectors of another size: expected 512 or 4096 bytes, found {found_bytes}")]
    Sector { found_bytes: u32 },
}

/// How a volume is formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileSystem {
    /// For Windows.
    Ntfs,
    /// For EFI system partitions.
    Fat32,
    /// For Linux.
    Ext4,
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntfs => "NTFS",
            Self::Fat32 => "FAT32",
            Self::Ext4 => "ext4",
        })
    }
}

/// A disk's partitions, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayout {
    /// The kind of table.
    pub scheme: Scheme,
    /// At least one.
    pub partitions: Vec<PartitionWish>,
}

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionUse {
    /// A volume for a system or its data.
    Primary,
    /// What UEFI firmware starts from.
    Efi,
    /// Kept free by Windows on GPT disks; it has no file system.
    MicrosoftReserved,
    /// Windows' recovery tools.
    Recovery,
    /// A volume that Windows shows to nobody.
    Hidden,
    /// GRUB's code on GPT disks of BIOS computers; it has no file system.
    BiosBoot,
}

/// How large a partition is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// In MiB.
    Mib(u64),
    /// Of what the ones with a fixed size and those before it leave, 1 to 100.
    PercentOfRemaining(u8),
}

/// A partition that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionWish {
    /// What it is for.
    pub purpose: PartitionUse,
    /// How large.
    pub size: Size,
    /// None: it stays as it is.
    pub file_system: Option<FileSystem>,
    /// Only its structures are written. Otherwise all of it is checked.
    pub is_quick: bool,
    /// With BIOS: the active one.
    pub is_boot: bool,
    /// The volume's label.
    pub label: String,
    /// It gets a drive letter.
    pub has_letter: bool,
    /// The variable that gets the letter, such as `OSDisk` and `C:`.
    pub letter_variable: Option<String>,
}

impl DiskLayout {
    /// Those that get a file system, in order: the machine answers with a volume for each.
    pub fn formatted(&self) -> impl Iterator<Item = &PartitionWish> {
        self.partitions.iter().filter(|wish| wish.file_system.is_some())
    }
}
