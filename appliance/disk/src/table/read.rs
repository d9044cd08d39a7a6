// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which partitions a table lists. It looks at fixed places and believes nothing it has no need of.

use super::gpt::NO_DRIVE_LETTER;
use super::mbr::{
    ACTIVE, BOOT_SIGNATURE, DISK_SIGNATURE, FIRST_ENTRY, TYPE_EFI_SYSTEM, TYPE_GPT, TYPE_HIDDEN_WINDOWS, TYPE_RECOVERY,
};
use crate::Scheme;

/// How much of a drive's beginning [`list`] wants, in bytes: the first two sectors of 4096 bytes and 128 entries.
pub const LIST_BYTES: usize = 2 * 4096 + ENTRIES * ENTRY_BYTES;

const ENTRIES: usize = 128;
const ENTRY_BYTES: usize = 128;

/// What says which partition of all in the world one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionId {
    /// Its GUID in a GPT, in the byte order it has on the drive.
    Guid([u8; 16]),
    /// The signature of its disk's MBR; with the partition's number it is its own.
    Signature(u32),
}

/// A partition that a table lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its number, from 1.
    pub number: u32,
    /// Which one it is.
    pub id: PartitionId,
    /// Its first sector.
    pub first_lba: u64,
    /// How many it has; never zero.
    pub sectors: u64,
    /// The firmware starts from it: active in an MBR, an EFI system partition in a GPT.
    pub is_boot: bool,
    /// Windows gives it a drive letter: it is none of those that only firmware, recovery or nobody is to see.
    pub has_letter: bool,
}

/// The scheme and the primary partitions of the table a drive begins with; None: there is none. Logical drives of an
/// extended partition are not listed.
///
/// ```
/// use platen_disk::Scheme;
/// use platen_disk::table::{LIST_BYTES, Partition, PartitionId, PartitionKind, PartitionTable, list};
///
/// let partition = Partition {
///     kind: PartitionKind::Linux, first_lba: 2048, sectors: 4096, active: true, guid: [0; 16], name: "",
/// };
/// let table = PartitionTable {
///     size_bytes: 8 << 20,
///     sector_bytes: 512,
///     scheme: Scheme::Mbr,
///     disk_signature: 0x1234_5678,
///     disk_guid: [0; 16],
///     partitions: vec![partition],
/// };
/// let (scheme, listed) = list(&table.sectors(&[])?[0].1, 512).expect("a table");
/// assert_eq!((scheme, listed[0].number, listed[0].first_lba), (Scheme::Mbr, 1, 2048));
/// assert_eq!(listed[0].id, PartitionId::Signature(0x1234_5678));
/// assert_eq!(list(&[0; LIST_BYTES], 512), None);
/// # Ok::<(), platen_disk::LayoutError>(())
/// ```
pub fn list(head: &[u8], sector_bytes: u32) -> Option<(Scheme, Vec<Listed>)> {
    if array::<2>(head, BOOT_SIGNATURE)? != [0x55, 0xaa] {
        return None;
    }
    let entries = head.get(FIRST_ENTRY..BOOT_SIGNATURE)?.chunks_exact(16);
    if entries.clone().any(|entry| entry[4] == TYPE_GPT) {
        return Some((Scheme::Gpt, of_gpt(head, sector_bytes as usize)?));
    }
    // What is at this place of a FAT boot sector is no table: there these bytes are code.
    if entries.clone().any(|entry| !matches!(entry[0], 0 | ACTIVE)) {
        return None;
    }
    let signature = u32::from_le_bytes(array(head, DISK_SIGNATURE)?);
    let listed = entries.zip(1..).filter_map(|(entry, number)| {
        let (first, sectors) = (u32::from_le_bytes(array(entry, 8)?), u32::from_le_bytes(array(entry, 12)?));
        // 5 and 15 are extended partitions.
        (sectors > 0 && !matches!(entry[4], 0 | 0x05 | 0x0f)).then_some(Listed {
            number,
            id: PartitionId::Signature(signature),
            first_lba: first.into(),
            sectors: sectors.into(),
            is_boot: entry[0] == ACTIVE,
            has_letter: !matches!(entry[4], TYPE_EFI_SYSTEM | TYPE_HIDDEN_WINDOWS | TYPE_RECOVERY),
        })
    });
    Some((Scheme::Mbr, listed.collect()))
}

/// UEFI 5.3.2 and 5.3.3: the header in LBA 1, entries of 128 bytes from LBA 2 on: type, GUID, first and last sector.
fn of_gpt(head: &[u8], sector: usize) -> Option<Vec<Listed>> {
    /// C12A7328-F81F-11D2-BA4B-00A0C93EC93B as it is stored.
    const EFI_SYSTEM: [u8; 16] =
        [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
    if array::<8>(head, sector)? != *b"EFI PART" {
        return None;
    }
    let entries = head.get(2 * sector..)?.chunks_exact(ENTRY_BYTES).take(ENTRIES);
    let listed = entries.zip(1..).filter_map(|(entry, number)| {
        let kind: [u8; 16] = array(entry, 0)?;
        let (first_lba, last_lba) = (u64::from_le_bytes(array(entry, 32)?), u64::from_le_bytes(array(entry, 40)?));
        let sectors = last_lba.checked_sub(first_lba)?.checked_add(1)?;
        (kind != [0; 16]).then_some(Listed {
            number,
            id: PartitionId::Guid(array(entry, 16)?),
            first_lba,
            sectors,
            is_boot: kind == EFI_SYSTEM,
            has_letter: kind != EFI_SYSTEM && u64::from_le_bytes(array(entry, 48)?) & NO_DRIVE_LETTER == 0,
        })
    });
    Some(listed.collect())
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_get_an_answer() {
        // Every byte set, cut off everywhere that matters: no panic, and nothing is found in what is no table.
        for fill in [0x00, 0x55, 0xff] {
            let mut head = vec![fill; LIST_BYTES];
            head[BOOT_SIGNATURE..BOOT_SIGNATURE + 2].copy_from_slice(&[0x55, 0xaa]);
            for end in [0, 1, 446, 511, 512, 520, 1024, 1152, 4096, LIST_BYTES] {
                for sector_bytes in [512, 4096] {
                    if let Some((_, listed)) = list(&head[..end], sector_bytes) {
                        assert!(listed.iter().all(|one| one.sectors > 0), "{listed:?}");
                    }
                }
            }
        }
    }
}
