// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! FAT12, FAT16 and FAT32: which clusters are free, and where files lie. "fatgen103" is Microsoft's *FAT32 File System Specification* 1.03, which is of
//! all three.

use std::io::{Read, Seek};
use std::ops::Range;

use platen_disk::{ATTRIBUTE_DIRECTORY, ATTRIBUTE_LABEL, DirectoryEntry, read_directory};

use super::Found;
use super::free::{ClearBits, FreeList, MAX_RANGES};
use super::layout::{Entry, Files, Place};
use super::source::{PIECE_BYTES, Part, Stop, u16_at, u32_at, whole};

/// The three kinds, told apart by how wide an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fat12,
    Fat16,
    Fat32,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
        }
    }

    /// Bits of an entry that count.
    fn mask(self) -> u32 {
        match self {
            Self::Fat12 => 0xfff,
            Self::Fat16 => 0xffff,
            Self::Fat32 => 0x0fff_ffff,
        }
    }

    /// fatgen103, "FAT Data Structure": the mark of a cluster that must not be used; above it is the end of a chain.
    fn bad(self) -> u32 {
        self.mask() - 8
    }

    /// `ClnShutBitMask` and `HrdErrBitMask` of the second entry: both set on a volume that was left in order. FAT12 has
    /// neither.
    fn in_order(self) -> u32 {
        match self {
            Self::Fat12 => 0,
            Self::Fat16 => 0xc000,
            Self::Fat32 => 0x0c00_0000,
        }
    }

    fn table_bytes(self, entries: u64) -> u64 {
        match self {
            Self::Fat12 => (entries * 3).div_ceil(2),
            Self::Fat16 => entries * 2,
            Self::Fat32 => entries * 4,
        }
    }

    /// An entry of a piece of the table. Pieces of FAT12 are the whole table: two entries share three bytes.
    fn entry(self, piece: &[u8], index: usize) -> u32 {
        match self {
            Self::Fat12 => {
                let pair = u32::from(u16_at(piece, index * 3 / 2));
                if index.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 }
            }
            Self::Fat16 => u32::from(u16_at(piece, index * 2)),
            Self::Fat32 => u32_at(piece, index * 4) & self.mask(),
        }
    }
}

/// What the boot sector says.
pub(super) struct Volume {
    kind: Kind,
    media: u8,
    table_start: u64,
    /// From the first table to the second. None: there is one only.
    table_stride: Option<u64>,
    /// Of FAT12 and FAT16, in bytes from the start of the partition. Empty: it has a chain as any other folder.
    root_region: Range<u64>,
    data_start: u64,
    cluster_bytes: u64,
    /// The number after the last cluster's; the first has number 2.
    end_cluster: u64,
    /// Of FAT32.
    root_cluster: Option<u64>,
}

pub(super) fn look<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Found, Stop> {
    let boot = part.read(0, 512)?;
    let volume = read_boot(&boot, part.len_bytes())?;
    check_order(&boot, &volume)?;
    let mut scan = Scan::new(&volume);
    let table_bytes = volume.kind.table_bytes(volume.end_cluster);
    let mut at_bytes = 0;
    while at_bytes < table_bytes {
        let len = (table_bytes - at_bytes).min(PIECE_BYTES as u64);
        let piece = part.read(volume.table_start + at_bytes, len as usize)?;
        if let Some(stride) = volume.table_stride {
            let other = part.read(volume.table_start + stride + at_bytes, len as usize)?;
            if piece != other {
                return whole("its two allocation tables differ");
            }
        }
        scan.take(&piece, &volume)?;
        at_bytes += len;
    }
    scan.finish(&volume)
}

/// fatgen103, "Boot Sector and BPB" and "FAT Type Determination".
fn read_boot(boot: &[u8], part_bytes: u64) -> Result<Volume, Stop> {
    let (sector, per_cluster) = (u64::from(u16_at(boot, 11)), u64::from(boot[13]));
    let (reserved, tables) = (u64::from(u16_at(boot, 14)), u64::from(boot[16]));
    let (total16, table16) = (u64::from(u16_at(boot, 19)), u64::from(u16_at(boot, 22)));
    let total = if total16 != 0 { total16 } else { u64::from(u32_at(boot, 32)) };
    let is_fat32 = table16 == 0;
    let table_sectors = if is_fat32 { u64::from(u32_at(boot, 36)) } else { table16 };
    if !(1..=2).contains(&tables) {
        return whole(format!("it has {tables} allocation tables, expected 1 or 2"));
    }
    if total * sector > part_bytes {
        return whole("it is larger than its partition");
    }
    let root_bytes = u64::from(u16_at(boot, 17)) * 32;
    let data_sector = reserved + tables * table_sectors + root_bytes.div_ceil(sector);
    let Some(clusters) = total.checked_sub(data_sector).map(|sectors| sectors / per_cluster) else {
        return whole("its boot sector contradicts itself");
    };
    let kind = match (clusters, is_fat32) {
        (0..4085, false) => Kind::Fat12,
        (4085..65525, false) => Kind::Fat16,
        (65525.., true) => Kind::Fat32,
        // Some systems go by the number, as the standard wants, and some by the fields of the boot sector.
        _ => return whole("systems disagree about which kind of FAT it is"),
    };
    let end_cluster = clusters + 2;
    if end_cluster > u64::from(kind.bad()) || kind.table_bytes(end_cluster) > table_sectors * sector {
        return whole("its allocation table is too small for it");
    }
    let root_cluster = is_fat32.then(|| u64::from(u32_at(boot, 44)));
    if root_cluster.is_some_and(|root| !(2..end_cluster).contains(&root)) {
        return whole("its root folder is nowhere");
    }
    Ok(Volume {
        kind,
        media: boot[21],
        table_start: reserved * sector,
        table_stride: (tables == 2).then_some(table_sectors * sector),
        root_region: (reserved + tables * table_sectors) * sector..data_sector * sector,
        data_start: data_sector * sector,
        cluster_bytes: per_cluster * sector,
        end_cluster,
        root_cluster,
    })
}

/// Its tables tell the truth about what is free.
fn check_order(boot: &[u8], volume: &Volume) -> Result<(), Stop> {
    let is_fat32 = volume.kind == Kind::Fat32;
    // `BS_Reserved1`, in which Linux and Windows note that the volume is in use, and errors on it.
    let state = boot[if is_fat32 { 65 } else { 37 }];
    if state & 0b11 != 0 {
        return whole("it was not unmounted, or had errors");
    }
    if is_fat32 && (u16_at(boot, 40) & 0x80 != 0 || u16_at(boot, 42) != 0) {
        return whole("its allocation tables are not kept alike");
    }
    Ok(())
}

impl Files for Volume {
    fn open<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Self, Stop> {
        let boot = part.read(0, 512)?;
        read_boot(&boot, part.len_bytes())
    }

    fn root(&self) -> Place {
        match self.root_cluster {
            Some(first_cluster) => Place::Chain { first_cluster, len_bytes: None },
            None => Place::Range(self.root_region.clone()),
        }
    }

    fn cluster_bytes(&self) -> u64 {
        self.cluster_bytes
    }

    fn start_of(&self, cluster: u64) -> Result<u64, Stop> {
        match (2..self.end_cluster).contains(&cluster) {
            true => Ok(self.data_start + (cluster - 2) * self.cluster_bytes),
            false => whole("a chain leads to a cluster that is none of it"),
        }
    }

    fn next<D: Read + Seek>(&self, part: &mut Part<'_, D>, cluster: u64) -> Result<Option<u64>, Stop> {
        // Two entries: those of FAT12 share a byte.
        let first = cluster & !1;
        let pair = part.read(self.table_start + self.kind.table_bytes(first), self.kind.table_bytes(2) as usize)?;
        let entry = self.kind.entry(&pair, (cluster - first) as usize);
        Ok((entry <= self.kind.bad()).then_some(u64::from(entry)))
    }

    fn entries(&self, folder: &[u8]) -> Vec<Entry> {
        let listed = read_directory(folder).entries.into_iter();
        let listed = listed.filter(|entry| entry.attributes & ATTRIBUTE_LABEL == 0);
        let entry = |entry: DirectoryEntry| {
            let is_folder = entry.attributes & ATTRIBUTE_DIRECTORY != 0;
            // The upper half is something else on FAT12 and FAT16.
            let first_cluster = u64::from(entry.first_cluster & self.kind.mask().max(0xffff));
            let len_bytes = (!is_folder).then_some(u64::from(entry.size_bytes));
            Entry { name: entry.name, is_folder, place: Place::Chain { first_cluster, len_bytes } }
        };
        listed.map(entry).collect()
    }
}

/// The table, read once from its beginning to its end.
struct Scan {
    next: u64,
    /// Runs of clusters that need no copying.
    clear: ClearBits,
    free: FreeList,
    bad: u64,
    /// A bit for each cluster: it is free; some chain leads to it.
    is_free: Vec<u64>,
    is_target: Vec<u64>,
}

impl Scan {
    fn new(volume: &Volume) -> Self {
        let words = volume.end_cluster as usize / 64 + 1;
        let (is_free, is_target) = (vec![0; words], vec![0; words]);
        Self { next: 0, clear: ClearBits::from(2), free: FreeList::new(MAX_RANGES), bad: 0, is_free, is_target }
    }

    fn take(&mut self, piece: &[u8], volume: &Volume) -> Result<(), Stop> {
        let kind = volume.kind;
        for index in 0..(volume.end_cluster - self.next) as usize {
            if kind.table_bytes(index as u64 + 1) > piece.len() as u64 {
                break;
            }
            self.entry(kind.entry(piece, index), volume)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: u32, volume: &Volume) -> Result<(), Stop> {
        let (cluster, kind) = (self.next, volume.kind);
        self.next += 1;
        match cluster {
            // fatgen103: the first entry repeats `BPB_Media`, all other bits of it are set.
            0 if entry != (kind.mask() & !0xff) | u32::from(volume.media) => {
                return whole("its allocation table does not begin as one");
            }
            1 if entry & kind.in_order() != kind.in_order() => return whole("it was not unmounted, or had errors"),
            0 | 1 => return Ok(()),
            _ => {}
        }
        match u64::from(entry) {
            0 => set(&mut self.is_free, cluster),
            next if entry < kind.bad() && (2..volume.end_cluster).contains(&next) => set(&mut self.is_target, next),
            _ if entry == kind.bad() => self.bad += 1,
            _ if entry > kind.bad() => {}
            _ => return whole(format!("the chain at cluster {cluster} leads to none of it")),
        }
        let free = &mut self.free;
        self.clear.bit(entry != 0 && entry != kind.bad(), &mut |run| add(free, volume, run));
        Ok(())
    }

    fn finish(mut self, volume: &Volume) -> Result<Found, Stop> {
        if let Some(run) = self.clear.finish() {
            add(&mut self.free, volume, run);
        }
        let root = volume.root_cluster.unwrap_or(0);
        let root_is_free = self.is_free[root as usize / 64] & 1 << (root % 64) != 0;
        if root_is_free || self.is_free.iter().zip(&self.is_target).any(|(free, target)| free & target != 0) {
            return whole("a cluster that is said to be free belongs to something");
        }
        let bad_bytes = self.bad * volume.cluster_bytes;
        Ok(Found { content: volume.kind.name(), free: self.free, bad_bytes })
    }
}

fn set(bits: &mut [u64], cluster: u64) {
    bits[cluster as usize / 64] |= 1 << (cluster % 64);
}

fn add(free: &mut FreeList, volume: &Volume, run: Range<u64>) {
    let start = |cluster: u64| volume.data_start + (cluster - 2) * volume.cluster_bytes;
    free.add(start(run.start)..start(run.end));
}
