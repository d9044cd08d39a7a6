// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Free clusters of exFAT. Sections are those of Microsoft's *exFAT file system specification*.

use std::io::{Read, Seek};

use super::Found;
use super::free::{ClearBits, FreeList, MAX_RANGES, Owned};
use super::source::{PIECE_BYTES, Part, Stop, u16_at, u32_at, u64_at, whole};

/// Clusters of the root folder that are looked at: the bitmap is told of among its first entries, everywhere.
const MAX_ROOT_BYTES: u64 = 4 << 20;
/// 4.1: the end of a chain, and the mark of a cluster that must not be used.
const END: u32 = 0xffff_ffff;
const BAD: u32 = 0xffff_fff7;

/// What the boot sector says (3.1).
struct Volume {
    table_start: u64,
    heap_start: u64,
    cluster_bytes: u64,
    clusters: u64,
    root: u32,
}

pub(super) fn look<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Found, Stop> {
    let boot = part.read(0, 512)?;
    let volume = read_boot(&boot, part)?;
    let (first, bitmap_bytes) = find_bitmap(part, &volume)?;
    if bitmap_bytes != volume.clusters.div_ceil(8) {
        return whole("its allocation bitmap is not as long as it must be");
    }
    let chain = volume.chain(part, first, bitmap_bytes.div_ceil(volume.cluster_bytes))?;
    let owned = Owned::new(chain.iter().chain([&volume.root]).map(|cluster| u64::from(*cluster) - 2));
    if owned.has_twins {
        return whole("its allocation bitmap leads in circles");
    }
    let (mut clear, mut free) = (ClearBits::default(), FreeList::new(MAX_RANGES));
    let mut is_owned_free = false;
    let mut add = |run: std::ops::Range<u64>| {
        is_owned_free |= owned.is_any_in(&run);
        let start = |cluster| volume.heap_start + cluster * volume.cluster_bytes;
        free.add(start(run.start)..start(run.end));
    };
    let mut left = volume.clusters;
    for cluster in chain {
        let (start, mut at_bytes) = (volume.start_of(cluster), 0);
        while at_bytes < volume.cluster_bytes && left > 0 {
            let len = (volume.cluster_bytes - at_bytes).min(PIECE_BYTES as u64);
            let piece = part.read(start + at_bytes, len as usize)?;
            clear.take(&piece, left, &mut add);
            left = left.saturating_sub(len * 8);
            at_bytes += len;
        }
    }
    clear.finish().into_iter().for_each(&mut add);
    if is_owned_free {
        return whole("a cluster that is said to be free belongs to something");
    }
    Ok(Found { content: "exFAT", free, bad_bytes: 0 })
}

fn read_boot<D: Read + Seek>(boot: &[u8], part: &mut Part<'_, D>) -> Result<Volume, Stop> {
    let (sector_shift, cluster_shift) = (boot[108], boot[109]);
    if !(9..=12).contains(&sector_shift) || cluster_shift > 25 - sector_shift {
        return whole("its boot sector contradicts itself");
    }
    let sector_bytes = 1_u64 << sector_shift;
    check_boot_region(part, sector_bytes as usize)?;
    if boot[110] != 1 {
        return whole("it has two allocation tables (TexFAT)");
    }
    // 3.1.13: `ActiveFat`, `VolumeDirty`, `MediaFailure`.
    if u16_at(boot, 106) & 0b111 != 0 {
        return whole("it was not unmounted, or had errors");
    }
    let sectors = u64_at(boot, 72);
    let number = |at| u64::from(u32_at(boot, at));
    let (table, table_len, heap, clusters) = (number(80), number(84), number(88), number(92));
    let is_inside = sectors.checked_mul(sector_bytes).is_some_and(|bytes| bytes <= part.len_bytes());
    let fits = heap + (clusters << cluster_shift) <= sectors
        && table >= 24
        && table + table_len <= heap
        && (clusters + 2) * 4 <= table_len * sector_bytes;
    if !is_inside || !fits {
        return whole("it is larger than its partition, or contradicts itself");
    }
    let volume = Volume {
        table_start: table * sector_bytes,
        heap_start: heap * sector_bytes,
        cluster_bytes: sector_bytes << cluster_shift,
        clusters,
        root: u32_at(boot, 96),
    };
    volume.check(volume.root)?;
    Ok(volume)
}

/// 3.4: the twelfth sector repeats a checksum over the eleven before it, but for the two fields that change in use.
fn check_boot_region<D: Read + Seek>(part: &mut Part<'_, D>, sector_bytes: usize) -> Result<(), Stop> {
    let region = part.read(0, 12 * sector_bytes)?;
    let (summed, sums) = region.split_at(11 * sector_bytes);
    let bytes = summed.iter().enumerate().filter(|(at, _)| !matches!(at, 106 | 107 | 112));
    let sum = bytes.fold(0_u32, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(u32::from(byte)));
    match sums.chunks(4).all(|found| found == sum.to_le_bytes()) {
        true => Ok(()),
        false => whole("the checksum of its boot region is wrong"),
    }
}

/// 7.1: the first cluster and the length of the bitmap, from its entry in the root folder.
fn find_bitmap<D: Read + Seek>(part: &mut Part<'_, D>, volume: &Volume) -> Result<(u32, u64), Stop> {
    let mut found = Vec::new();
    let (mut cluster, mut read_bytes) = (volume.root, 0);
    'folder: while cluster != END && read_bytes < MAX_ROOT_BYTES {
        volume.check(cluster)?;
        let len = volume.cluster_bytes.min(PIECE_BYTES as u64);
        for entry in part.read(volume.start_of(cluster), len as usize)?.chunks_exact(32) {
            match entry[0] {
                // 6.2.1: nothing follows.
                0 => break 'folder,
                0x81 => found.push((u32_at(entry, 20), u64_at(entry, 24))),
                _ => {}
            }
        }
        read_bytes += len;
        cluster = volume.next(part, cluster)?;
    }
    match found[..] {
        [only] => Ok(only),
        _ => whole(format!("it has {} allocation bitmaps, expected 1", found.len())),
    }
}

impl Volume {
    fn check(&self, cluster: u32) -> Result<(), Stop> {
        match (2..self.clusters + 2).contains(&u64::from(cluster)) {
            true => Ok(()),
            false if cluster == BAD => whole("a chain leads to a bad cluster"),
            false => whole("a chain leads to a cluster that is none of it"),
        }
    }

    fn start_of(&self, cluster: u32) -> u64 {
        self.heap_start + (u64::from(cluster) - 2) * self.cluster_bytes
    }

    fn next<D: Read + Seek>(&self, part: &mut Part<'_, D>, cluster: u32) -> Result<u32, Stop> {
        Ok(u32_at(&part.read(self.table_start + u64::from(cluster) * 4, 4)?, 0))
    }

    /// A chain that has exactly so many clusters.
    fn chain<D: Read + Seek>(&self, part: &mut Part<'_, D>, first: u32, count: u64) -> Result<Vec<u32>, Stop> {
        let (mut chain, mut cluster) = (Vec::new(), first);
        for _ in 0..count {
            self.check(cluster)?;
            chain.push(cluster);
            cluster = self.next(part, cluster)?;
        }
        match cluster {
            END => Ok(chain),
            _ => whole("its allocation bitmap has more clusters than it needs"),
        }
    }
}
