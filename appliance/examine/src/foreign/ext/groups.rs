// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! "Block Group Descriptors".

use std::io::{Read, Seek};

use super::super::source::{Part, Stop, u16_at, u32_at, whole};
use super::checksum::{crc16, crc32c};
use super::superblock::{Checksums, Superblock};

/// `bg_flags`: the block bitmap was never written.
const BLOCK_UNINIT: u16 = 0x2;
/// `bg_checksum`
const CHECKSUM: usize = 0x1e;

/// What is used of a descriptor.
pub(super) struct Group {
    pub(super) number: u64,
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
    pub(super) free_clusters: u64,
    pub(super) has_no_bitmap: bool,
    bitmap_checksum: u32,
}

/// Reads descriptors, a block of them at a time.
pub(super) struct Descriptors<'a> {
    superblock: &'a Superblock,
    block: Vec<u8>,
    /// Which block that is.
    index: Option<u64>,
}

impl<'a> Descriptors<'a> {
    pub(super) fn new(superblock: &'a Superblock) -> Self {
        Self { superblock, block: Vec::new(), index: None }
    }

    pub(super) fn read<D: Read + Seek>(&mut self, part: &mut Part<'_, D>, group: u64) -> Result<Group, Stop> {
        let superblock = self.superblock;
        let per_block = superblock.descriptors_per_block();
        let (index, within) = (group / per_block, group % per_block);
        if self.index != Some(index) {
            let at_bytes = superblock.descriptor_block(index).saturating_mul(superblock.block_bytes);
            self.block = part.read(at_bytes, superblock.block_bytes as usize)?;
            self.index = Some(index);
        }
        let start = (within * superblock.descriptor_bytes) as usize;
        let bytes = &self.block[start..start + superblock.descriptor_bytes as usize];
        check(bytes, group, superblock.checksums)?;
        // Fields that are not there are zero.
        let wide = |at: usize| if superblock.is_wide() { bytes.get(at..).unwrap_or_default() } else { &[] };
        let block = |low: usize, high: usize| u64::from(u32_at(bytes, low)) | u64::from(u32_at(wide(high), 0)) << 32;
        let free_clusters = u64::from(u16_at(bytes, 0x0c)) | u64::from(u16_at(wide(0x2c), 0)) << 16;
        Ok(Group {
            number: group,
            block_bitmap: block(0x00, 0x20),
            inode_bitmap: block(0x04, 0x24),
            inode_table: block(0x08, 0x28),
            free_clusters,
            has_no_bitmap: superblock.checksums != Checksums::None && u16_at(bytes, 0x12) & BLOCK_UNINIT != 0,
            bitmap_checksum: u32::from(u16_at(bytes, 0x18)) | u32::from(u16_at(wide(0x38), 0)) << 16,
        })
    }
}

/// Whether the descriptor is as it was written.
fn check(bytes: &[u8], group: u64, checksums: Checksums) -> Result<(), Stop> {
    let (found, number) = (u16_at(bytes, CHECKSUM), (group as u32).to_le_bytes());
    let expected = match checksums {
        Checksums::None => return Ok(()),
        // The field itself is left out of one, and taken as zero in the other.
        Checksums::Groups(uuid) => {
            let start = crc16(crc16(crc16(0xffff, &uuid), &number), &bytes[..CHECKSUM]);
            crc16(start, &bytes[CHECKSUM + 2..])
        }
        Checksums::All(seed) => {
            let start = crc32c(crc32c(seed, &number), &bytes[..CHECKSUM]);
            crc32c(crc32c(start, &[0, 0]), &bytes[CHECKSUM + 2..]) as u16
        }
    };
    match found == expected {
        true => Ok(()),
        false => whole(format!("the checksum of its group {group} is wrong")),
    }
}

impl Group {
    /// `bg_block_bitmap_csum`: over as much of the bitmap as a whole group needs.
    pub(super) fn check_bitmap(&self, superblock: &Superblock, bitmap: &[u8]) -> Result<(), Stop> {
        let Checksums::All(seed) = superblock.checksums else { return Ok(()) };
        let len = (superblock.blocks_per_group / superblock.cluster_blocks / 8) as usize;
        let sum = crc32c(seed, &bitmap[..len]);
        // Small descriptors have room for one half.
        let kept = if superblock.is_wide() { u32::MAX } else { 0xffff };
        match sum & kept == self.bitmap_checksum {
            true => Ok(()),
            false => whole(format!("the checksum of the bitmap of its group {} is wrong", self.number)),
        }
    }
}
