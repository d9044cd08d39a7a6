// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a volume's first bytes say of it: how it is formatted, its label, and the number GRUB and Linux know it by.

use std::path::Path;

use super::places::bytes;
use crate::engine::machine::{FileSystem, MachineError};

/// As much of a volume is read.
const HEAD_BYTES: u64 = 4096;

/// A volume's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) file_system: FileSystem,
    /// As `search --fs-uuid` of GRUB and `root=UUID=` of Linux take it.
    pub(super) uuid: String,
    /// Empty for NTFS, which keeps it elsewhere.
    pub(super) label: String,
}

impl Superblock {
    /// None: nothing that is known here.
    pub(super) fn read(device: &Path) -> Result<Option<Self>, MachineError> {
        let head = bytes(device, HEAD_BYTES);
        let head = head.map_err(|source| MachineError::Io { doing: "reading", path: device.to_owned(), source })?;
        Ok(Self::of(&head))
    }

    fn of(head: &[u8]) -> Option<Self> {
        Self::of_ntfs(head).or_else(|| Self::of_fat32(head)).or_else(|| Self::of_ext4(head))
    }

    /// The boot sector as ntfs-3g's `layout.h` has it: "NTFS" at 3, the serial number at 72.
    fn of_ntfs(head: &[u8]) -> Option<Self> {
        let serial = u64::from_le_bytes(array(head, 72)?);
        (array(head, 3)? == *b"NTFS    " && is_boot_sector(head)?).then(|| Self {
            file_system: FileSystem::Ntfs,
            uuid: format!("{serial:016X}"),
            label: String::new(),
        })
    }

    /// fatgen103, "BPB": `BS_FilSysType` at 82, `BS_VolID` at 67, `BS_VolLab` at 71.
    fn of_fat32(head: &[u8]) -> Option<Self> {
        let serial = u32::from_le_bytes(array(head, 67)?);
        (array(head, 82)? == *b"FAT32   " && is_boot_sector(head)?).then(|| Self {
            file_system: FileSystem::Fat32,
            uuid: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff),
            label: words(&array::<11>(head, 71).unwrap_or_default()),
        })
    }

    /// Kernel documentation, ext4, "Super Block": it begins at 1024; magic at 0x38, UUID at 0x68, label at 0x78.
    fn of_ext4(head: &[u8]) -> Option<Self> {
        let block = head.get(1024..)?;
        if array(block, 0x38)? != [0x53, 0xef] {
            return None;
        }
        let uuid = u128::from_be_bytes(array(block, 0x68)?);
        let digits = format!("{uuid:032x}");
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        Some(Self { file_system: FileSystem::Ext4, uuid: parts.join("-"), label: words(&array::<16>(block, 0x78)?) })
    }
}

fn is_boot_sector(head: &[u8]) -> Option<bool> {
    Some(array(head, 510)? == [0x55, 0xaa])
}

fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().take_while(|c| *c != '\0').filter(|c| !c.is_control()).collect::<String>().trim_end().to_owned()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_get_an_answer_and_only_marks_count() {
        for fill in [0x00, 0x53, 0xff] {
            let head = vec![fill; 4096];
            for end in [0, 3, 10, 511, 512, 1024, 1080, 1081, 1143, 1144, 1160, 4096] {
                assert_eq!(Superblock::of(&head[..end]), None);
            }
        }
        let mut ext4 = vec![0; 2048];
        ext4[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        ext4[1024 + 0x68..1024 + 0x78].copy_from_slice(&std::array::from_fn::<u8, 16, _>(|at| at as u8));
        ext4[1024 + 0x78..1024 + 0x88].copy_from_slice(b"ab\x07c\0no more ofi");
        let found = Superblock::of(&ext4).expect("ext4");
        assert_eq!((&*found.uuid, &*found.label), ("00010203-0405-0607-0809-0a0b0c0d0e0f", "abc"));
        let mut ntfs = vec![0; 512];
        ntfs[3..11].copy_from_slice(b"NTFS    ");
        ntfs[72..80].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_le_bytes());
        assert_eq!(Superblock::of(&ntfs), None);
        ntfs[510..].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(Superblock::of(&ntfs).expect("ntfs").uuid, "0123456789ABCDEF");
    }
}
