// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! exFAT: which clusters are free, and where files lie. Sections are those of Microsoft's *exFAT file system specification*.

use std::io::{Read, Seek};

use super::Found;
use super::free::{ClearBits, FreeList, MAX_RANGES, Owned};
use super::layout::{Entry, Files, Place};
use super::source::{PIECE_BYTES, Part, Stop, u16_at, u32_at, u64_at, whole};

/// Clusters of the root folder that are looked at: the bitmap is told of among its first entries, everywhere.
const MAX_ROOT_BYTES: u64 = 4 << 20;
/// 4.1: the end of a chain, and the mark of a cluster that must not be used.
const END: u32 = 0xffff_ffff;
const BAD: u64 = 0xffff_fff7;

/// What the boot sector says (3.1).
pub(super) struct Volume {
    table_start: u64,
    heap_start: u64,
    cluster_bytes: u64,
    clusters: u64,
    root: u64,
}

pub(super) fn look<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Found, Stop> {
    let boot = part.read(0, 512)?;
    let volume = read_boot(&boot, part)?;
    // 3.1.13: `ActiveFat`, `VolumeDirty`, `MediaFailure`.
    if u16_at(&boot, 106) & 0b111 != 0 {
        return whole("it was not unmounted, or had errors");
    }
    let (first, bitmap_bytes) = find_bitmap(part, &volume)?;
    if bitmap_bytes != volume.clusters.div_ceil(8) {
        return whole("its allocation bitmap is not as long as it must be");
    }
    let chain = volume.chain(part, first, bitmap_bytes.div_ceil(volume.cluster_bytes))?;
    let owned = Owned::new(chain.iter().chain([&volume.root]).map(|cluster| cluster - 2));
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
        let (start, mut at_bytes) = (volume.start_of(cluster)?, 0);
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
        root: u32_at(boot, 96).into(),
    };
    volume.start_of(volume.root)?;
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
fn find_bitmap<D: Read + Seek>(part: &mut Part<'_, D>, volume: &Volume) -> Result<(u64, u64), Stop> {
    let mut found = Vec::new();
    let (mut next, mut read_bytes) = (Some(volume.root), 0);
    'folder: while let Some(cluster) = next.filter(|_| read_bytes < MAX_ROOT_BYTES) {
        let start = volume.start_of(cluster)?;
        let len = volume.cluster_bytes.min(PIECE_BYTES as u64);
        for entry in part.read(start, len as usize)?.chunks_exact(32) {
            match entry[0] {
                // 6.2.1: nothing follows.
                0 => break 'folder,
                0x81 => found.push((u64::from(u32_at(entry, 20)), u64_at(entry, 24))),
                _ => {}
            }
        }
        read_bytes += len;
        next = volume.next(part, cluster)?;
    }
    match found[..] {
        [only] => Ok(only),
        _ => whole(format!("it has {} allocation bitmaps, expected 1", found.len())),
    }
}

impl Files for Volume {
    fn open<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Self, Stop> {
        let boot = part.read(0, 512)?;
        read_boot(&boot, part)
    }

    fn root(&self) -> Place {
        Place::Chain { first_cluster: self.root, len_bytes: None }
    }

    fn cluster_bytes(&self) -> u64 {
        self.cluster_bytes
    }

    fn start_of(&self, cluster: u64) -> Result<u64, Stop> {
        match (2..self.clusters + 2).contains(&cluster) {
            true => Ok(self.heap_start + (cluster - 2) * self.cluster_bytes),
            false if cluster == BAD => whole("a chain leads to a bad cluster"),
            false => whole("a chain leads to a cluster that is none of it"),
        }
    }

    fn next<D: Read + Seek>(&self, part: &mut Part<'_, D>, cluster: u64) -> Result<Option<u64>, Stop> {
        let next = u32_at(&part.read(self.table_start + cluster * 4, 4)?, 0);
        Ok((next != END).then_some(next.into()))
    }

    /// 7.4, 7.6 and 7.7: an entry for the file, one for where it lies, and its name in pieces of fifteen characters.
    fn entries(&self, folder: &[u8]) -> Vec<Entry> {
        let entries: Vec<&[u8]> = folder.chunks_exact(32).take_while(|entry| entry[0] != 0).collect();
        let mut found = Vec::new();
        for (at, file) in entries.iter().enumerate().filter(|(_, entry)| entry[0] == 0x85) {
            let mut others = entries.iter().skip(at + 1).take(usize::from(file[1]));
            let Some(stream) = others.next().filter(|entry| entry[0] == 0xc0) else { continue };
            let units = others.filter(|entry| entry[0] == 0xc1).flat_map(|entry| entry[2..].chunks_exact(2));
            let units = units.map(|unit| u16_at(unit, 0)).take(usize::from(stream[3]));
            let Ok(name) = char::decode_utf16(units).collect::<Result<String, _>>() else { continue };
            let (first_cluster, len_bytes) = (u64::from(u32_at(stream, 20)), u64_at(stream, 24));
            // 7.6.2: `NoFatChain`; what lies behind `ValidDataLength` (7.6.5) was never written.
            let place = match stream[1] & 2 != 0 {
                true => Place::Run { first_cluster, len_bytes },
                false => Place::Chain { first_cluster, len_bytes: Some(len_bytes) },
            };
            let is_folder = u16_at(file, 4) & 0x10 != 0;
            if is_folder || u64_at(stream, 8) == len_bytes {
                found.push(Entry { name, is_folder, place });
            }
        }
        found
    }
}

impl Volume {
    /// A chain that has exactly so many clusters.
    fn chain<D: Read + Seek>(&self, part: &mut Part<'_, D>, first: u64, count: u64) -> Result<Vec<u64>, Stop> {
        let (mut chain, mut next) = (Vec::new(), Some(first));
        for _ in 0..count {
            let Some(cluster) = next else { return whole("its allocation bitmap has fewer clusters than it needs") };
            self.start_of(cluster)?;
            chain.push(cluster);
            next = self.next(part, cluster)?;
        }
        match next {
            None => Ok(chain),
            Some(_) => whole("its allocation bitmap has more clusters than it needs"),
        }
    }
}
