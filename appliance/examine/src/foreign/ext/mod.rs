// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Free blocks of ext2, ext3 and ext4. Facts are from the kernel's "ext4 Data Structures and Algorithms"
//! (Documentation/filesystems/ext4), named here by its sections.

mod checksum;
mod groups;
mod superblock;

use std::io::{Read, Seek};
use std::ops::Range;

use self::groups::{Descriptors, Group};
use self::superblock::Superblock;
use super::Found;
use super::free::{ClearBits, FreeList, MAX_RANGES};
use super::source::{Part, Stop, whole};

pub(super) fn look<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Found, Stop> {
    let superblock = Superblock::read(part)?;
    let mut descriptors = Descriptors::new(&superblock);
    let (mut free, mut kept) = (FreeList::new(MAX_RANGES), Vec::new());
    for number in 0..superblock.groups {
        let group = descriptors.read(part, number)?;
        keep_structures(&superblock, &group, &mut kept)?;
        let clear = free_blocks(part, &superblock, &group, &mut free)?;
        if clear != group.free_clusters {
            return whole(format!("the bitmap of its group {number} is not what the group says of it"));
        }
    }
    let mut left = FreeList::new(MAX_RANGES);
    // A whole byte is any: sectors are seen to later.
    free.finish(kept, 1).into_iter().for_each(|range| left.add(range));
    Ok(Found { content: superblock.name(), free: left, bad_bytes: 0 })
}

/// What every group has besides files stays in use, whatever the bitmaps say: a group without a bitmap of its own
/// (`BLOCK_UNINIT`) may hold that of others ("Flexible Block Groups").
fn keep_structures(superblock: &Superblock, group: &Group, kept: &mut Vec<Range<u64>>) -> Result<(), Stop> {
    let structures = [
        (superblock.first_block(group.number), superblock.head_blocks(group.number)),
        (group.block_bitmap, 1),
        (group.inode_bitmap, 1),
        (group.inode_table, superblock.inode_table_blocks),
    ];
    for (block, count) in structures {
        let end =
            block.checked_add(count).filter(|end| *end <= superblock.blocks && block >= superblock.first_data_block);
        let Some(end) = end else {
            return whole(format!("its group {} has a structure outside of it", group.number));
        };
        kept.push(block * superblock.block_bytes..end * superblock.block_bytes);
    }
    Ok(())
}

/// Adds the free blocks of a group ("Block and Inode Bitmaps"); how many clusters they are.
fn free_blocks<D: Read + Seek>(
    part: &mut Part<'_, D>,
    superblock: &Superblock,
    group: &Group,
    free: &mut FreeList,
) -> Result<u64, Stop> {
    let (first, clusters) = (superblock.first_block(group.number), superblock.clusters_in(group.number));
    let start = |cluster: u64| {
        let block = (first + cluster * superblock.cluster_blocks).min(superblock.blocks);
        block * superblock.block_bytes
    };
    if group.has_no_bitmap {
        // All is free but the structures; how many clusters those leave is nowhere else to be compared with.
        free.add(start(0)..start(clusters));
        return Ok(group.free_clusters);
    }
    let bitmap = part.read(group.block_bitmap * superblock.block_bytes, superblock.block_bytes as usize)?;
    group.check_bitmap(superblock, &bitmap)?;
    let mut clear = ClearBits::default();
    let mut count = 0;
    let mut add = |run: Range<u64>| {
        count += run.end - run.start;
        free.add(start(run.start)..start(run.end));
    };
    clear.take(&bitmap, clusters, &mut add);
    clear.finish().into_iter().for_each(&mut add);
    Ok(count)
}
