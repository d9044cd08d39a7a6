// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading back where the parts of a FAT32 volume are.

use crate::ALIGN_BYTES;
use crate::fat::{BPB_BYTES_PER_SECTOR, BPB_TOTAL_SECTORS_32, BS_VOLUME_LABEL};
use crate::ids::array;

/// Where a volume says its parts are, in bytes from the start of the drive. All of them are on the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeShape {
    /// Bytes in a cluster: a power of two.
    pub cluster_bytes: u32,
    /// Where each of the two file allocation tables starts.
    pub table_starts: [u64; 2],
    /// Bytes in one of them.
    pub table_bytes: u64,
    /// Where the first cluster starts; it has the number 2.
    pub data_start: u64,
    /// The number after the last cluster's.
    pub end_cluster: u32,
    /// The first cluster of the root directory.
    pub root_cluster: u32,
    /// The label in the boot sector, padded with spaces.
    pub label: [u8; 11],
}

impl VolumeShape {
    /// Where a cluster starts, in bytes from the start of the drive; `None` if there is none of this number.
    pub fn cluster_start(&self, cluster: u32) -> Option<u64> {
        let number = cluster.checked_sub(2).filter(|_| cluster < self.end_cluster)?;
        Some(self.data_start + u64::from(number) * u64::from(self.cluster_bytes))
    }

    /// Clusters that this many bytes take.
    pub fn clusters_of(&self, size_bytes: u32) -> u32 {
        size_bytes.div_ceil(self.cluster_bytes)
    }
}

/// Reads the shape of the volume at 1 MiB from its boot sector, on a drive of `size_bytes`. A volume that says it is
/// bigger than its drive ends with the drive. `None`: the numbers contradict each other, or are of another kind of FAT.
pub fn read_volume(boot_sector: &[u8], size_bytes: u64) -> Option<VolumeShape> {
    let number16 = |at| Some(u64::from(u16::from_le_bytes(array(boot_sector, at)?)));
    let number32 = |at| Some(u64::from(u32::from_le_bytes(array(boot_sector, at)?)));
    let (sector, per_cluster) = (number16(BPB_BYTES_PER_SECTOR)?, u64::from(*boot_sector.get(13)?));
    let (reserved, tables) = (number16(14)?, *boot_sector.get(16)?);
    if !matches!(sector, 512 | 4096) || !per_cluster.is_power_of_two() || tables != 2 || reserved == 0 {
        return None;
    }
    let (cluster, table_bytes) = (sector * per_cluster, number32(36)? * sector);
    let first = ALIGN_BYTES + reserved * sector;
    let data_start = first + 2 * table_bytes;
    let end = (ALIGN_BYTES + number32(BPB_TOTAL_SECTORS_32)? * sector).min(size_bytes);
    let clusters = (end.checked_sub(data_start)? / cluster).min((table_bytes / 4).checked_sub(2)?);
    let shape = VolumeShape {
        cluster_bytes: u32::try_from(cluster).ok()?,
        table_starts: [first, first + table_bytes],
        table_bytes,
        data_start,
        // Numbers of clusters have 28 bits, and the last few mean something else.
        end_cluster: u32::try_from(clusters + 2).ok().filter(|end| *end <= 0x0fff_fff0)?,
        root_cluster: u32::try_from(number32(44)?).ok()?,
        label: array(boot_sector, BS_VOLUME_LABEL)?,
    };
    shape.cluster_start(shape.root_cluster).map(|_| shape)
}
