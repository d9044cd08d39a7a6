// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! "The Super Block": sizes, features, and whether the file system was left in order.

use std::io::{Read, Seek};

use super::super::source::{Part, Stop, u16_at, u32_at, whole};
use super::checksum::crc32c;

const SUPERBLOCK_BYTES: u64 = 1024;

/// `s_feature_compat`.
const HAS_JOURNAL: u32 = 0x4;
const EXCLUDE_BITMAP: u32 = 0x100;
const SPARSE_SUPER2: u32 = 0x200;
/// `s_feature_incompat`.
const RECOVER: u32 = 0x4;
const META_BG: u32 = 0x10;
const EXTENTS: u32 = 0x40;
const WIDE: u32 = 0x80;
const CSUM_SEED: u32 = 0x2000;
/// Those that change nothing about which blocks are in use, or are seen to here: file types in folders, meta block groups,
/// extents, 64 bits, multiple mount protection, flexible groups, values in inodes, a seed for checksums, large folders,
/// data in inodes, encryption, case folding.
const KNOWN_INCOMPAT: u32 =
    0x2 | META_BG | EXTENTS | WIDE | 0x100 | 0x200 | 0x400 | CSUM_SEED | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;
/// `s_feature_ro_compat`.
const SPARSE_SUPER: u32 = 0x1;
const GDT_CSUM: u32 = 0x10;
const BIGALLOC: u32 = 0x200;
const METADATA_CSUM: u32 = 0x400;
/// The same: sparse superblocks, large files, sorted folders, huge files, checksums of groups, many folders, large inodes,
/// quotas, clusters, checksums of everything, read-only, projects, verity, files to be removed.
const KNOWN_RO_COMPAT: u32 = SPARSE_SUPER
    | 0x2
    | 0x4
    | 0x8
    | GDT_CSUM
    | 0x20
    | 0x40
    | 0x100
    | BIGALLOC
    | METADATA_CSUM
    | 0x1000
    | 0x2000
    | 0x8000
    | 0x1_0000;

/// More groups than 128 TiB have in blocks of 4 KiB.
const MAX_GROUPS: u64 = 1 << 20;

/// How the checksums of group descriptors are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksums {
    None,
    /// Of descriptors only: CRC-16, from the UUID on.
    Groups([u8; 16]),
    /// Of everything: CRC-32C, from this seed on.
    All(u32),
}

pub(super) struct Superblock {
    pub(super) block_bytes: u64,
    pub(super) blocks: u64,
    pub(super) first_data_block: u64,
    /// Blocks that one bit of a bitmap is for.
    pub(super) cluster_blocks: u64,
    pub(super) blocks_per_group: u64,
    pub(super) groups: u64,
    pub(super) inode_table_blocks: u64,
    pub(super) descriptor_bytes: u64,
    pub(super) checksums: Checksums,
    is_wide: bool,
    has_journal: bool,
    has_extents: bool,
    /// From this one on, blocks of descriptors are in the groups that they describe.
    first_meta_group: u64,
    reserved_descriptor_blocks: u64,
    copies: Copies,
}

/// Which groups begin with a copy of the superblock.
enum Copies {
    All,
    /// "Sparse superblocks": 0, 1, and powers of 3, 5 and 7.
    Sparse,
    /// `s_backup_bgs`
    Two([u64; 2]),
}

impl Superblock {
    pub(super) fn read<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Self, Stop> {
        let bytes = part.read(SUPERBLOCK_BYTES, SUPERBLOCK_BYTES as usize)?;
        let (compat, incompat, ro_compat) = (u32_at(&bytes, 0x5c), u32_at(&bytes, 0x60), u32_at(&bytes, 0x64));
        check_state(&bytes, compat, incompat, ro_compat)?;
        let number = |at| u64::from(u32_at(&bytes, at));
        let is_wide = incompat & WIDE != 0;
        let (block_shift, cluster_shift) = (number(0x18), number(0x1c));
        let has_clusters = ro_compat & BIGALLOC != 0;
        if block_shift > 6 || (has_clusters && !(block_shift..=block_shift + 16).contains(&cluster_shift)) {
            return whole("its blocks have no size that is known");
        }
        let block_bytes = 1024_u64 << block_shift;
        let cluster_blocks = if has_clusters { 1 << (cluster_shift - block_shift) } else { 1 };
        let blocks = number(0x04) | if is_wide { number(0x150) << 32 } else { 0 };
        if blocks.checked_mul(block_bytes).is_none_or(|bytes| bytes > part.len_bytes()) {
            return whole("it is larger than its partition");
        }
        let (first_data_block, blocks_per_group) = (number(0x14), number(0x20));
        let clusters_per_group = blocks_per_group / cluster_blocks;
        let inode_bytes = if number(0x4c) == 0 { 128 } else { u64::from(u16_at(&bytes, 0x58)) };
        let inode_table_blocks = (number(0x28) * inode_bytes).div_ceil(block_bytes);
        let descriptor_bytes = if is_wide { u64::from(u16_at(&bytes, 0xfe)) } else { 32 };
        let is_right = first_data_block <= 1
            && blocks > first_data_block
            && blocks_per_group >= 256
            && blocks_per_group.is_multiple_of(8 * cluster_blocks)
            && clusters_per_group <= 8 * block_bytes
            && (!has_clusters || clusters_per_group == number(0x24))
            && inode_table_blocks > 0
            && descriptor_bytes.is_power_of_two()
            && (if is_wide { 64 } else { 32 }..=block_bytes).contains(&descriptor_bytes);
        let groups = (blocks - first_data_block.min(blocks)).div_ceil(blocks_per_group.max(1));
        if !is_right || groups > MAX_GROUPS {
            return whole("its superblock contradicts itself");
        }
        let (uuid, meta) = (&bytes[0x68..0x78], incompat & META_BG != 0);
        let checksums = match ro_compat {
            flags if flags & METADATA_CSUM != 0 => Checksums::All(match incompat & CSUM_SEED {
                0 => crc32c(u32::MAX, uuid),
                _ => u32_at(&bytes, 0x270),
            }),
            flags if flags & GDT_CSUM != 0 => Checksums::Groups(std::array::from_fn(|at| uuid[at])),
            _ => Checksums::None,
        };
        let descriptor_blocks = (groups * descriptor_bytes).div_ceil(block_bytes);
        Ok(Self {
            block_bytes,
            blocks,
            first_data_block,
            cluster_blocks,
            blocks_per_group,
            groups,
            inode_table_blocks,
            descriptor_bytes,
            checksums,
            is_wide,
            has_journal: compat & HAS_JOURNAL != 0,
            has_extents: incompat & EXTENTS != 0,
            first_meta_group: if meta { number(0x104).min(descriptor_blocks) } else { descriptor_blocks },
            reserved_descriptor_blocks: u64::from(u16_at(&bytes, 0xce)),
            copies: match compat & SPARSE_SUPER2 {
                0 if ro_compat & SPARSE_SUPER == 0 => Copies::All,
                0 => Copies::Sparse,
                _ => Copies::Two([number(0x24c), number(0x250)]),
            },
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match (self.has_extents || self.is_wide, self.has_journal) {
            (true, _) => "ext4",
            (false, true) => "ext3",
            (false, false) => "ext2",
        }
    }

    /// Numbers of blocks have 64 bits, and descriptors both halves of them.
    pub(super) fn is_wide(&self) -> bool {
        self.is_wide
    }

    pub(super) fn first_block(&self, group: u64) -> u64 {
        self.first_data_block + group * self.blocks_per_group
    }

    /// Clusters that the bitmap of a group is for; the last group is shorter.
    pub(super) fn clusters_in(&self, group: u64) -> u64 {
        let blocks = (self.blocks - self.first_block(group)).min(self.blocks_per_group);
        blocks.div_ceil(self.cluster_blocks)
    }

    pub(super) fn descriptors_per_block(&self) -> u64 {
        self.block_bytes / self.descriptor_bytes
    }

    /// Where a block of descriptors is: behind the superblock, or ("Meta Block Groups") in the first group that it describes.
    pub(super) fn descriptor_block(&self, index: u64) -> u64 {
        let group = if index < self.first_meta_group { 0 } else { index * self.descriptors_per_block() };
        let within = if index < self.first_meta_group { 1 + index } else { u64::from(self.has_copy(group)) };
        self.first_block(group) + self.before_superblock(group) + within
    }

    /// With blocks of 1 KiB in clusters the first block of all is the boot sector's.
    fn before_superblock(&self, group: u64) -> u64 {
        u64::from(group == 0 && self.block_bytes == 1024 && self.first_data_block == 0)
    }

    /// Blocks at the beginning of a group that copies of superblock and descriptors take, or may take when it grows.
    pub(super) fn head_blocks(&self, group: u64) -> u64 {
        let left = self.blocks - self.first_block(group);
        let copies = match self.has_copy(group) {
            true => 1 + self.first_meta_group + self.reserved_descriptor_blocks,
            false => 0,
        };
        // A block of descriptors of a meta block group, in its first, second and last group.
        let (index, within) = (group / self.descriptors_per_block(), group % self.descriptors_per_block());
        let has_descriptors = within <= 1 || within == self.descriptors_per_block() - 1;
        let of_meta_group = u64::from(index >= self.first_meta_group && has_descriptors);
        (self.before_superblock(group) + copies + of_meta_group).min(left)
    }

    fn has_copy(&self, group: u64) -> bool {
        let is_power = |of: u64| {
            let mut power = of;
            while power < group {
                power *= of;
            }
            power == group
        };
        match self.copies {
            _ if group == 0 => true,
            Copies::All => true,
            Copies::Sparse => group == 1 || [3, 5, 7].into_iter().any(is_power),
            Copies::Two(groups) => groups.contains(&group),
        }
    }
}

fn check_state(bytes: &[u8], compat: u32, incompat: u32, ro_compat: u32) -> Result<(), Stop> {
    // `s_checksum`, over all that is before it.
    if ro_compat & METADATA_CSUM != 0 && crc32c(u32::MAX, &bytes[..0x3fc]) != u32_at(bytes, 0x3fc) {
        return whole("the checksum of its superblock is wrong");
    }
    if incompat & RECOVER != 0 {
        return whole("it was not unmounted: its journal has changes that are not made yet");
    }
    // `s_state`: unmounted in order, no errors found, no files that are being removed.
    if u16_at(bytes, 0x3a) != 1 {
        return whole("it was not unmounted, or had errors");
    }
    let unknown = (incompat & !KNOWN_INCOMPAT, ro_compat & !KNOWN_RO_COMPAT, compat & EXCLUDE_BITMAP);
    match unknown {
        (0, 0, 0) => Ok(()),
        (incompat, ro_compat, compat) => {
            whole(format!("it has features that are not known here ({incompat:#x}, {ro_compat:#x}, {compat:#x})"))
        }
    }
}
