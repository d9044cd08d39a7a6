// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Partition tables: a list of partitions as the sectors of a master boot record or a GUID partition table.

mod gpt;
pub(crate) mod mbr;
mod read;

pub use self::read::{LIST_BYTES, Listed, PartitionId, list};

pub(crate) use self::gpt::{BIOS_BOOT_LBA, ENTRIES_BYTES, Gpt};

use crate::{LayoutError, Scheme};

/// What is in a partition, as its table says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionKind {
    /// A FAT32 volume addressed by sector numbers; type 0x0C.
    Fat32,
    /// The volume that UEFI firmware starts from (UEFI 13.3.2); type 0xEF.
    EfiSystem,
    /// GRUB's core image; GPT only.
    BiosBoot,
    /// A volume of Windows; type 0x07.
    Windows,
    /// The same, which Windows shows to nobody; type 0x17.
    HiddenWindows,
    /// What Windows keeps free for itself; GPT only.
    MicrosoftReserved,
    /// Windows' recovery tools, which it shows to nobody; type 0x27.
    Recovery,
    /// A volume of Linux; type 0x83.
    Linux,
}

impl PartitionKind {
    /// What it is called where an MBR has no type for it.
    fn only_in_gpt(self) -> Option<&'static str> {
        match self {
            Self::BiosBoot => Some("BIOS boot partition"),
            Self::MicrosoftReserved => Some("Microsoft reserved partition"),
            _ => None,
        }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// What is in it.
    pub kind: PartitionKind,
    /// Its first sector.
    pub first_lba: u64,
    /// How many sectors it has; never zero.
    pub sectors: u64,
    /// A BIOS starts from the one that is active; MBR only.
    pub active: bool,
    /// Its own GUID in the byte order it has on the drive; GPT only.
    pub guid: [u8; 16],
    /// For people, at most 36 UTF-16 units; GPT only.
    pub name: &'static str,
}

impl Partition {
    fn last_lba(&self) -> u64 {
        self.first_lba + self.sectors - 1
    }
}

/// A drive and its partitions, numbered in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionTable {
    /// The drive's size in bytes, a multiple of `sector_bytes`.
    pub size_bytes: u64,
    /// Its logical sector size in bytes: 512 or 4096.
    pub sector_bytes: u32,
    /// Which form the table has.
    pub scheme: Scheme,
    /// Bytes 0x1B8 to 0x1BC of an MBR.
    pub disk_signature: u32,
    /// The disk GUID of a GPT, in the byte order it has on the drive.
    pub disk_guid: [u8; 16],
    /// At most four in an MBR, 128 in a GPT.
    pub partitions: Vec<Partition>,
}

impl PartitionTable {
    /// The sectors of the table with their first byte on the drive, ascending. `boot_code` is empty or the 440 bytes at
    /// the beginning of sector 0.
    ///
    /// ```
    /// use platen_disk::Scheme;
    /// use platen_disk::table::{Partition, PartitionKind, PartitionTable};
    ///
    /// let data = |first_lba, active| Partition {
    ///     kind: PartitionKind::Fat32, first_lba, sectors: 2048, active, guid: [0; 16], name: "",
    /// };
    /// let table = PartitionTable {
    ///     size_bytes: 8 << 20,
    ///     sector_bytes: 512,
    ///     scheme: Scheme::Mbr,
    ///     disk_signature: 0x1234_5678,
    ///     disk_guid: [0; 16],
    ///     partitions: vec![data(2048, true), data(4096, false)],
    /// };
    /// let sectors = table.sectors(&[])?;
    /// assert_eq!(sectors.len(), 1);
    /// assert_eq!(sectors[0].1[0x1fe..], [0x55, 0xaa]);
    /// # Ok::<(), platen_disk::LayoutError>(())
    /// ```
    pub fn sectors(&self, boot_code: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, LayoutError> {
        self.check()?;
        let sector = u64::from(self.sector_bytes);
        let zero = mbr::sector_zero(self, boot_code);
        Ok(match self.scheme {
            Scheme::Mbr => vec![(0, zero)],
            Scheme::Gpt => {
                let Gpt { header, entries, backup_entries, backup_header } = Gpt::new(self)?;
                let backup = self.size_bytes - sector;
                vec![
                    (0, zero),
                    (sector, header),
                    (2 * sector, entries),
                    (backup - ENTRIES_BYTES, backup_entries),
                    (backup, backup_header),
                ]
            }
        })
    }

    /// Every partition is where its table can say it is, and none is in another one.
    fn check(&self) -> Result<(), LayoutError> {
        let refused = |reason| Err(LayoutError::PartitionTable { reason });
        let sector = u64::from(self.sector_bytes);
        let (most, first_lba, end_lba) = match self.scheme {
            // Its numbers have 32 bits.
            Scheme::Mbr => (4, 1, (self.size_bytes / sector).min(1 << 32)),
            Scheme::Gpt => {
                let entries = ENTRIES_BYTES / sector;
                (128, 2 + entries, (self.size_bytes / sector).saturating_sub(1 + entries))
            }
        };
        let found = self.partitions.len();
        if found > most {
            return refused(format!("expected at most {most} partitions, found {found}"));
        }
        for (index, one) in self.partitions.iter().enumerate() {
            let number = index + 1;
            let end = one.first_lba.checked_add(one.sectors).filter(|_| one.sectors > 0);
            if one.first_lba < first_lba || end.is_none_or(|end| end > end_lba) {
                let Partition { first_lba: first, sectors, .. } = one;
                let room = format!("expected sectors {first_lba} to {}", end_lba.saturating_sub(1));
                return refused(format!("partition {number}: {room}, found {sectors} from sector {first} on"));
            }
            let before = self.partitions[..index].iter();
            let overlaps = |other: &&Partition| one.first_lba <= other.last_lba() && other.first_lba <= one.last_lba();
            if before.clone().any(|other| overlaps(&other)) {
                return refused(format!("partition {number} is in another one"));
            }
            if self.scheme == Scheme::Mbr
                && let Some(name) = one.kind.only_in_gpt()
            {
                return refused(format!("partition {number}: an MBR has no type for a {name}"));
            }
        }
        Ok(())
    }
}
