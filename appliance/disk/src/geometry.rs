// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where everything is on a drive of a given size: partition, reserved sectors, FATs, clusters.

use crate::{ALIGN_BYTES, DiskSpec, LayoutError, SECTOR_SIZES, Scheme};

/// Sectors before the first FAT, at least; what other formatters reserve on FAT32. The rest is padding that brings the
/// first cluster to a 1 MiB boundary.
const LEAST_RESERVED_SECTORS: u64 = 32;
/// fatgen103, "FAT Type Determination": below 65,525 clusters a volume is FAT16; and "stay at least 16 clusters away".
const LEAST_CLUSTERS: u64 = 65_525 + 16;
/// The same chapter: cluster numbers have 28 bits, the highest of them reserved; the first is 2.
const MOST_CLUSTERS: u64 = 268_435_444;
const LARGEST_CLUSTER: u64 = 32 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// All positions of a drive; a function of size, sector size and scheme alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) size_bytes: u64,
    pub(crate) sector_bytes: u64,
    /// Exclusive.
    pub(crate) partition_end: u64,
    pub(crate) reserved_sectors: u64,
    pub(crate) fat_sectors: u64,
    pub(crate) cluster_bytes: u64,
    pub(crate) clusters: u64,
}

impl Geometry {
    pub(crate) fn new(spec: &DiskSpec) -> Result<Self, LayoutError> {
        let DiskSpec { size_bytes, sector_bytes, scheme, .. } = *spec;
        let sector = checked_sector(sector_bytes)?;
        if !size_bytes.is_multiple_of(sector) {
            return Err(LayoutError::SizeNotWhole { size_bytes, sector_bytes });
        }
        let maximum_end = maximum_end(sector);
        if scheme == Scheme::Mbr && partition_end(size_bytes).is_some_and(|end| end > maximum_end) {
            // The largest drive whose partition ends there.
            let (limit_sectors, maximum_bytes) = (limit_sectors(sector), maximum_end + 2 * ALIGN_BYTES - sector);
            return Err(LayoutError::AboveMaximum { size_bytes, sector_bytes, limit_sectors, maximum_bytes });
        }
        if let Some(geometry) = Self::of_size(size_bytes, sector) {
            return Ok(geometry);
        }
        // A few hundred steps, and only in the error case.
        let minimum_bytes = (1..).map(|n| n * MIB).find(|&size| Self::with_cluster(size, sector, sector).is_some());
        Err(LayoutError::BelowMinimum { size_bytes, sector_bytes, minimum_bytes: minimum_bytes.unwrap_or(u64::MAX) })
    }

    /// With the usual clusters of a drive of this size, or smaller ones where these would be too few; `None` if they
    /// are too few all the same.
    pub(crate) fn of_size(size_bytes: u64, sector: u64) -> Option<Self> {
        let mut cluster = usual_cluster_bytes(size_bytes).max(sector);
        while cluster >= sector {
            if let Some(geometry) = Self::with_cluster(size_bytes, sector, cluster) {
                return Some(geometry);
            }
            cluster /= 2;
        }
        None
    }

    /// `None` if there would be too few clusters.
    fn with_cluster(size_bytes: u64, sector: u64, cluster: u64) -> Option<Self> {
        // A GPT describes larger drives than a FAT32 volume can fill; what is behind the volume stays unused.
        let partition_end = partition_end(size_bytes)?.min(maximum_end(sector));
        let partition = partition_end.checked_sub(ALIGN_BYTES)?;
        // The FAT is sized for slightly more clusters than remain beside it, never for fewer.
        let room = partition.checked_sub(LEAST_RESERVED_SECTORS * sector)? / cluster;
        let fat_sectors = ((room + 2) * 4).div_ceil(sector);
        let data = (LEAST_RESERVED_SECTORS * sector + 2 * fat_sectors * sector).next_multiple_of(ALIGN_BYTES);
        let clusters = partition.checked_sub(data)? / cluster;
        let reserved_sectors = data / sector - 2 * fat_sectors;
        (clusters >= LEAST_CLUSTERS).then_some(Self {
            size_bytes,
            sector_bytes: sector,
            partition_end,
            reserved_sectors,
            fat_sectors,
            cluster_bytes: cluster,
            clusters,
        })
    }

    pub(crate) fn partition_bytes(&self) -> u64 {
        self.partition_end - ALIGN_BYTES
    }

    /// Where the end of the drive begins: what is behind the partition, which on a drive that is larger than the volume may
    /// be is only the last 2 MiB, where tables are looked for.
    pub(crate) fn tail_start(&self) -> u64 {
        self.size_bytes.saturating_sub(2 * ALIGN_BYTES).max(self.partition_end)
    }

    pub(crate) fn partition_lba(&self) -> u64 {
        ALIGN_BYTES / self.sector_bytes
    }

    pub(crate) fn partition_sectors(&self) -> u64 {
        self.partition_bytes() / self.sector_bytes
    }

    pub(crate) fn fat_bytes(&self) -> u64 {
        self.fat_sectors * self.sector_bytes
    }

    /// Where a FAT starts, in bytes from the start of the drive; `which` is 0 or 1.
    pub(crate) fn fat_start(&self, which: u64) -> u64 {
        ALIGN_BYTES + self.reserved_sectors * self.sector_bytes + which * self.fat_bytes()
    }

    pub(crate) fn data_start(&self) -> u64 {
        self.fat_start(2)
    }

    /// Where a cluster starts, in bytes from the start of the drive; the first has the number 2.
    pub(crate) fn cluster_start(&self, cluster: u64) -> u64 {
        self.data_start() + (cluster - 2) * self.cluster_bytes
    }

    /// The cluster that starts at this byte of the drive; `None` if none does.
    pub(crate) fn cluster_at(&self, offset_bytes: u64) -> Option<u64> {
        let in_data = offset_bytes.checked_sub(self.data_start())?;
        let cluster = in_data / self.cluster_bytes + 2;
        (in_data.is_multiple_of(self.cluster_bytes) && cluster < self.end_cluster()).then_some(cluster)
    }

    /// The number after the last cluster's.
    pub(crate) fn end_cluster(&self) -> u64 {
        self.clusters + 2
    }

    /// Bytes in all clusters.
    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.clusters * self.cluster_bytes
    }

    /// The next cluster, this one included, that starts at a multiple of 1 MiB of the drive.
    pub(crate) fn aligned_cluster(&self, cluster: u64) -> u64 {
        (cluster - 2).next_multiple_of(ALIGN_BYTES / self.cluster_bytes) + 2
    }
}

/// Partitions end on a 1 MiB boundary and leave at least 1 MiB at the end of the drive: room for the backup GPT, and
/// for wiping an old one without touching the volume.
fn partition_end(size_bytes: u64) -> Option<u64> {
    Some(size_bytes.checked_sub(ALIGN_BYTES)? / ALIGN_BYTES * ALIGN_BYTES)
}

/// Partition length in an MBR and `BPB_TotSec32` have 32 bits. A partition that respects this and starts at 1 MiB also
/// ends within 32-bit sector numbers.
fn limit_sectors(sector: u64) -> u64 {
    u64::from(u32::MAX).min(MOST_CLUSTERS * LARGEST_CLUSTER / sector)
}

/// Where the largest FAT32 volume ends.
fn maximum_end(sector: u64) -> u64 {
    ALIGN_BYTES + limit_sectors(sector) * sector / ALIGN_BYTES * ALIGN_BYTES
}

/// The largest drive that an MBR describes to its last cluster, in whole MiB. A larger one with a GPT has no larger volume.
pub(crate) fn maximum_bytes(sector: u64) -> u64 {
    maximum_end(sector) + ALIGN_BYTES
}

/// The sector size of a drive that can be laid out.
pub(crate) fn checked_sector(sector_bytes: u32) -> Result<u64, LayoutError> {
    if SECTOR_SIZES.contains(&sector_bytes) {
        Ok(u64::from(sector_bytes))
    } else {
        Err(LayoutError::SectorSize { sector_bytes })
    }
}

/// From which size of a drive on clusters have which size: Microsoft's table for FAT32 (fatgen103, `DskTableFAT32`).
pub(crate) const USUAL_CLUSTERS: [(u64, u64); 5] =
    [(32 * GIB, LARGEST_CLUSTER), (16 * GIB, 16 << 10), (8 * GIB, 8 << 10), (260 * MIB, 4 << 10), (0, 512)];

fn usual_cluster_bytes(size_bytes: u64) -> u64 {
    let usual = USUAL_CLUSTERS.into_iter().find(|(from, _)| size_bytes >= *from);
    usual.map_or(LARGEST_CLUSTER, |(_, cluster)| cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriveIds, FatTime, VolumeLabel};

    fn geometry(size_bytes: u64, sector_bytes: u32, scheme: Scheme) -> Result<Geometry, LayoutError> {
        Geometry::new(&DiskSpec {
            size_bytes,
            sector_bytes,
            scheme,
            label: VolumeLabel::new("TEST").unwrap(),
            ids: DriveIds::default(),
            modified: FatTime::from_unix_seconds(0),
            boot: None,
            folders: Vec::new(),
        })
    }

    #[test]
    fn every_size_keeps_the_rules() {
        let mut sizes: Vec<u64> = (64..=700).map(|n| n * MIB).collect();
        sizes.extend((1..=2048).map(|n| n * GIB));
        sizes.extend((1..=2048).map(|n| n * GIB - MIB));
        sizes.extend((26..=41).flat_map(|n| [(1 << n) - 4096, (1 << n) - 65_536, (1 << n) + 4096]));
        for size in sizes {
            for sector in [512, 4096] {
                let g = match geometry(size, sector, Scheme::Mbr) {
                    Err(LayoutError::BelowMinimum { minimum_bytes, .. }) => {
                        assert!(size < minimum_bytes && (sector == 4096 || size < 64 * MIB), "{size} {sector}");
                        continue;
                    }
                    other => other.unwrap(),
                };
                assert!((65_525..268_435_445).contains(&g.clusters), "{g:?}");
                assert!(g.data_start().is_multiple_of(MIB) && g.partition_end.is_multiple_of(MIB), "{g:?}");
                assert!((g.clusters + 2) * 4 <= g.fat_bytes(), "{g:?}");
                assert_eq!(g.cluster_start(2 + g.clusters), g.partition_end, "{g:?}");
                assert!(size - g.partition_end >= MIB && size - g.partition_end < 2 * MIB, "{g:?}");
                assert!((32..=65_535).contains(&g.reserved_sectors), "{g:?}");
                assert!(g.partition_lba() + g.partition_sectors() <= 1 << 32, "{g:?}");
            }
        }
    }

    #[test]
    fn cluster_sizes() {
        let cluster = |size, sector| geometry(size, sector, Scheme::Gpt).unwrap().cluster_bytes;
        assert_eq!(cluster(64 * MIB, 512), 512);
        assert_eq!(cluster(GIB, 512), 4096);
        assert_eq!(cluster(GIB, 4096), 4096);
        assert_eq!(cluster(8 * GIB, 512), 8192);
        assert_eq!(cluster(32 * GIB - 512, 512), 16 << 10);
        assert_eq!(cluster(32 * GIB, 512), 32 << 10);
        assert_eq!(cluster(2048 * GIB, 4096), 32 << 10);
        assert_eq!((cluster(260 * MIB - 512, 512), cluster(260 * MIB, 512)), (512, 4096));
    }

    #[test]
    fn too_small_names_the_minimum() {
        for (sector, least, most) in [(512, 30 * MIB, 64 * MIB), (4096, 257 * MIB, 264 * MIB)] {
            let refused = geometry(16 * MIB, sector, Scheme::Mbr).unwrap_err();
            let LayoutError::BelowMinimum { minimum_bytes, .. } = refused else { panic!("{refused}") };
            assert!((least..most).contains(&minimum_bytes), "{minimum_bytes}");
            assert!(geometry(minimum_bytes, sector, Scheme::Mbr).is_ok());
            let below = geometry(minimum_bytes - u64::from(sector), sector, Scheme::Mbr);
            assert!(matches!(below, Err(LayoutError::BelowMinimum { .. })), "{below:?}");
            assert!(refused.to_string().contains(&minimum_bytes.to_string()), "{refused}");
            for size in [0, u64::from(sector), MIB, 3 * MIB] {
                assert!(matches!(geometry(size, sector, Scheme::Gpt), Err(LayoutError::BelowMinimum { .. })));
            }
        }
    }

    #[test]
    fn too_large_names_the_limit() {
        assert!(geometry(2048 * GIB, 512, Scheme::Mbr).is_ok());
        for (size, sector) in [(2048 * GIB + 2 * MIB, 512), (u64::MAX - 511, 512), (9 << 40, 4096)] {
            let refused = geometry(size, sector, Scheme::Mbr).unwrap_err();
            let LayoutError::AboveMaximum { maximum_bytes, limit_sectors, .. } = refused else { panic!("{refused}") };
            assert!(geometry(maximum_bytes, sector, Scheme::Mbr).is_ok());
            let above = geometry(maximum_bytes + u64::from(sector), sector, Scheme::Mbr);
            assert!(matches!(above, Err(LayoutError::AboveMaximum { .. })), "{above:?}");
            assert!(refused.to_string().contains(&limit_sectors.to_string()), "{refused}");
            assert_eq!(limit_sectors == u64::from(u32::MAX), sector == 512);
            // The same drive with a GPT gets the largest volume there is.
            let large = geometry(size, sector, Scheme::Gpt).unwrap();
            let largest = geometry(maximum_bytes, sector, Scheme::Gpt).unwrap();
            assert_eq!((large.partition_end, large.clusters), (largest.partition_end, largest.clusters));
            assert!(size - large.partition_end >= MIB && large.partition_sectors() <= u64::from(u32::MAX));
        }
    }

    #[test]
    fn odd_sectors_are_refused() {
        for sector in [0, 1, 1024, 520, 8192] {
            assert_eq!(geometry(GIB, sector, Scheme::Mbr), Err(LayoutError::SectorSize { sector_bytes: sector }));
        }
        let odd = LayoutError::SizeNotWhole { size_bytes: GIB + 512, sector_bytes: 4096 };
        assert_eq!(geometry(GIB + 512, 4096, Scheme::Mbr), Err(odd));
    }
}
