// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! FAT32 structures: boot sector, FSInfo, the file allocation table, directory entries.

use std::sync::Arc;

use crate::geometry::Geometry;
use crate::{ALIGN_BYTES, Data, DiskSpec, FatTime, MAX_BYTES_EXTENT};

/// Sectors of the volume (fatgen103, "BPB_FSInfo", "BPB_BkBootSec"): FSInfo is 1, the third boot sector 2, the backup
/// of all three starts at 6.
pub(crate) const INFO_SECTOR: u64 = 1;
pub(crate) const THIRD_SECTOR: u64 = 2;
pub(crate) const BACKUP_SECTOR: u64 = 6;

/// The first cluster of the root directory: the first of all.
pub(crate) const ROOT_CLUSTER: u32 = 2;
/// A directory entry, in bytes.
pub(crate) const ENTRY_BYTES: usize = 32;

const MEDIA: u8 = 0xf8;
const END_OF_CHAIN: u32 = 0x0fff_ffff;

/// Offsets in the boot sector, in bytes, that reading back needs.
pub(crate) const BPB_BYTES_PER_SECTOR: usize = 11;
pub(crate) const BPB_FAT_SIZE_16: usize = 22;
pub(crate) const BPB_TOTAL_SECTORS_32: usize = 32;
pub(crate) const BS_VOLUME_ID: usize = 67;
pub(crate) const BS_VOLUME_LABEL: usize = 71;
pub(crate) const BS_FILE_SYSTEM: usize = 82;
pub(crate) const FILE_SYSTEM: &[u8; 8] = b"FAT32   ";

/// fatgen103, "Boot Sector and BPB": one whole sector.
pub(crate) fn boot_sector(geometry: &Geometry, spec: &DiskSpec) -> Vec<u8> {
    let mut s = vec![0; geometry.sector_bytes as usize];
    // Jump over the parameters to: int 0x18 (no bootable disk; try the next), then halt for ever.
    s[0..3].copy_from_slice(&[0xeb, 0x58, 0x90]);
    s[90..95].copy_from_slice(&[0xcd, 0x18, 0xf4, 0xeb, 0xfd]);
    s[3..11].copy_from_slice(b"MSWIN4.1"); // "some FAT drivers" look for it
    // All of the following fit their fields: the geometry was made so.
    put(&mut s, BPB_BYTES_PER_SECTOR, &(geometry.sector_bytes as u16).to_le_bytes());
    s[13] = (geometry.cluster_bytes / geometry.sector_bytes) as u8;
    put(&mut s, 14, &(geometry.reserved_sectors as u16).to_le_bytes());
    s[16] = 2; // FATs
    s[21] = MEDIA;
    put(&mut s, 24, &63u16.to_le_bytes()); // sectors per track
    put(&mut s, 26, &255u16.to_le_bytes()); // heads
    put(&mut s, 28, &((ALIGN_BYTES / geometry.sector_bytes) as u32).to_le_bytes()); // hidden sectors
    put(&mut s, BPB_TOTAL_SECTORS_32, &(geometry.partition_sectors() as u32).to_le_bytes());
    put(&mut s, 36, &(geometry.fat_sectors as u32).to_le_bytes());
    put(&mut s, 44, &ROOT_CLUSTER.to_le_bytes());
    put(&mut s, 48, &(INFO_SECTOR as u16).to_le_bytes());
    put(&mut s, 50, &(BACKUP_SECTOR as u16).to_le_bytes());
    s[64] = 0x80; // drive
    s[66] = 0x29; // the next three are present
    put(&mut s, BS_VOLUME_ID, &spec.ids.volume_serial.to_le_bytes());
    put(&mut s, BS_VOLUME_LABEL, spec.label.as_bytes());
    put(&mut s, BS_FILE_SYSTEM, FILE_SYSTEM);
    // Bytes 510 and 511, whatever the sector size (fatgen103: "sector offset 510 ... 511").
    put(&mut s, 510, &[0x55, 0xaa]);
    s
}

/// The third of the three boot sectors: nothing but a signature, as other formatters leave it.
pub(crate) fn third_boot_sector(sector_bytes: u64) -> Vec<u8> {
    let mut s = vec![0; sector_bytes as usize];
    put(&mut s, 510, &[0x55, 0xaa]);
    s
}

/// `FSI_Free_Count` and `FSI_Nxt_Free`.
pub(crate) const INFO_FREE: usize = 488;
pub(crate) const INFO_NEXT: usize = 492;

/// fatgen103, "FAT32 FSInfo Sector Structure and Backup Boot Sector".
pub(crate) fn fs_info(sector_bytes: u64, free: u32, next: u32) -> Vec<u8> {
    let mut s = vec![0; sector_bytes as usize];
    put(&mut s, 0, b"RRaA");
    put(&mut s, 484, b"rrAa");
    put(&mut s, INFO_FREE, &free.to_le_bytes());
    put(&mut s, INFO_NEXT, &next.to_le_bytes());
    put(&mut s, 508, &[0x00, 0x00, 0x55, 0xaa]);
    s
}

fn put(sector: &mut [u8], at: usize, bytes: &[u8]) {
    sector[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Entries in a piece of the table.
const PIECE_ENTRIES: u64 = MAX_BYTES_EXTENT / 4;

/// The used part of the FAT, in pieces that are whole sectors, for chains that are each one ascending run.
pub(crate) struct Table {
    piece: Vec<u8>,
    /// Length in bytes, and the bytes; zeros where a whole piece has no chain.
    pieces: Vec<(u64, Data)>,
    /// The cluster the next entry is for.
    next: u64,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut table = Self { piece: Vec::new(), pieces: Vec::new(), next: 0 };
        table.push(0x0fff_ff00 | u32::from(MEDIA));
        table.push(END_OF_CHAIN); // and: cleanly unmounted, no errors
        table
    }

    /// Chains `clusters` clusters from `first` on, which is not below any chained before.
    pub(crate) fn chain(&mut self, first: u64, clusters: u64) {
        while self.next < first {
            // Between files that stay where they are there may be most of a big drive.
            if self.piece.is_empty() && first - self.next >= PIECE_ENTRIES {
                self.pieces.push((MAX_BYTES_EXTENT, Data::Zero));
                self.next += PIECE_ENTRIES;
            } else {
                self.push(0);
            }
        }
        for n in 1..clusters {
            self.push((first + n) as u32);
        }
        if clusters > 0 {
            self.push(END_OF_CHAIN);
        }
    }

    /// All pieces; the last is filled up to a whole sector.
    pub(crate) fn finish(mut self, sector_bytes: u64) -> Vec<(u64, Data)> {
        let whole = self.piece.len().next_multiple_of(sector_bytes as usize);
        self.piece.resize(whole, 0);
        self.flush();
        self.pieces
    }

    fn push(&mut self, entry: u32) {
        self.piece.extend_from_slice(&entry.to_le_bytes());
        self.next += 1;
        if self.piece.len() as u64 == MAX_BYTES_EXTENT {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.piece.is_empty() {
            self.pieces.push((self.piece.len() as u64, Data::Bytes(Arc::from(self.piece.as_slice()))));
            self.piece.clear();
        }
    }
}

/// Attributes of a directory entry (fatgen103, "FAT 32 Byte Directory Entry Structure").
#[derive(Clone, Copy)]
pub(crate) enum Attribute {
    VolumeLabel = 0x08,
    Directory = 0x10,
    Archive = 0x20,
}

/// A short directory entry.
pub(crate) fn entry(
    name: &[u8; 11],
    attribute: Attribute,
    cluster: u32,
    size: u32,
    modified: FatTime,
) -> [u8; ENTRY_BYTES] {
    let mut e = [0; ENTRY_BYTES];
    e[..11].copy_from_slice(name);
    e[11] = attribute as u8;
    let (date, time) = (modified.date_bits().to_le_bytes(), modified.time_bits().to_le_bytes());
    if !matches!(attribute, Attribute::VolumeLabel) {
        e[13] = modified.centiseconds();
        put(&mut e, 14, &time);
        put(&mut e, 16, &date);
        put(&mut e, 18, &date);
    }
    put(&mut e, 20, &((cluster >> 16) as u16).to_le_bytes());
    put(&mut e, 22, &time);
    put(&mut e, 24, &date);
    put(&mut e, 26, &(cluster as u16).to_le_bytes());
    put(&mut e, 28, &size.to_le_bytes());
    e
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_and_gaps() {
        let mut table = Table::new();
        table.chain(2, 1);
        table.chain(3, 3);
        table.chain(7, 0); // an empty file
        table.chain(8, 2);
        let pieces = entries(table.finish(512));
        let end = END_OF_CHAIN;
        assert_eq!(pieces[0][..12], [0x0fff_fff8, end, end, 4, 5, end, 0, 0, 9, end, 0, 0]);
        assert_eq!((pieces.len(), pieces[0].len()), (1, 128));
    }

    #[test]
    fn pieces_without_a_chain_are_zeros() {
        let mut table = Table::new();
        table.chain(2, 1);
        let far = 3 * PIECE_ENTRIES;
        table.chain(far - 1, 3);
        let pieces = table.finish(512);
        assert!(matches!(pieces[1], (MAX_BYTES_EXTENT, Data::Zero)));
        let pieces = entries(pieces);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [1 << 20, 0, 1 << 20, 128]);
        assert_eq!(pieces[2][(1 << 20) - 2..], [0, far as u32]);
        assert_eq!(pieces[3][..4], [far as u32 + 1, END_OF_CHAIN, 0, 0]);
    }

    fn entries(pieces: Vec<(u64, Data)>) -> Vec<Vec<u32>> {
        let entry = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let of = |(_, data)| match data {
            Data::Bytes(bytes) => bytes.chunks(4).map(entry).collect(),
            _ => Vec::new(),
        };
        pieces.into_iter().map(of).collect()
    }
}
