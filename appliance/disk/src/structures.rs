// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a function of the drive alone is: partition tables, boot sectors, boot code.

use std::ops::Range;
use std::sync::Arc;

use crate::geometry::Geometry;
use crate::table::{BIOS_BOOT_LBA, Partition, PartitionKind, PartitionTable};
use crate::{ALIGN_BYTES, Data, DiskSpec, Extent, LayoutError, Scheme, fat, grub};

/// One named structure of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// What it is called in messages.
    pub name: &'static str,
    /// Where it is and its bytes ([`Data::Bytes`], always).
    pub extent: Extent,
    /// It belongs to the seal set.
    pub sealed: bool,
}

/// The structures that are a function of `spec` alone (label and serial numbers, not files or time), sorted by offset:
/// master boot record or protective MBR and GPT, BIOS boot code and core image, FAT boot sector and its backup.
///
/// [`crate::lay_out`] puts exactly these on the drive; a verifier recomputes them and compares.
pub fn boot_structures(spec: &DiskSpec) -> Result<Vec<Structure>, LayoutError> {
    structures(spec, &Geometry::new(spec)?)
}

pub(crate) fn structures(spec: &DiskSpec, geometry: &Geometry) -> Result<Vec<Structure>, LayoutError> {
    let sector = geometry.sector_bytes;
    if let Some(records) = &spec.boot {
        grub::check(records, spec.scheme)?;
    }
    let boot = spec.boot.as_ref().filter(|_| sector == 512);
    let mut list = Vec::new();
    let mut put = |name, sealed, offset_bytes, bytes: &[u8]| {
        let extent = Extent { offset_bytes, len_bytes: bytes.len() as u64, data: Data::Bytes(Arc::from(bytes)) };
        list.push(Structure { name, extent, sealed });
    };

    let code = boot.map_or(&[][..], |records| &records.boot_code);
    let names: &[&str] = match spec.scheme {
        Scheme::Mbr => &["master boot record"],
        Scheme::Gpt => &["protective mbr", "gpt header", "gpt entries", "gpt backup entries", "gpt backup header"],
    };
    for (name, (offset_bytes, bytes)) in names.iter().zip(partition_table(spec, geometry).sectors(code)?) {
        put(name, true, offset_bytes, &bytes);
    }
    if let Some(records) = boot {
        let mut core = records.core.clone();
        core.resize(core.len().next_multiple_of(sector as usize), 0);
        put("grub core image", false, grub::core_lba(spec.scheme) * sector, &core);
    }

    let boot_sector = fat::boot_sector(geometry, spec);
    let third = fat::third_boot_sector(sector);
    put("fat boot sector", true, ALIGN_BYTES, &boot_sector);
    put("fat third boot sector", false, ALIGN_BYTES + fat::THIRD_SECTOR * sector, &third);
    put("fat boot sector backup", true, ALIGN_BYTES + fat::BACKUP_SECTOR * sector, &boot_sector);
    put("fat third boot sector backup", false, ALIGN_BYTES + (fat::BACKUP_SECTOR + fat::THIRD_SECTOR) * sector, &third);

    list.sort_by_key(|structure| structure.extent.offset_bytes);
    Ok(list)
}

/// One volume on the whole drive; on a GPT drive BIOS boot code has a partition of its own.
fn partition_table(spec: &DiskSpec, geometry: &Geometry) -> PartitionTable {
    let (kind, name, active) = match spec.scheme {
        Scheme::Mbr => (PartitionKind::Fat32, "", true),
        Scheme::Gpt => (PartitionKind::EfiSystem, "EFI system partition", false),
    };
    let (first_lba, sectors) = (geometry.partition_lba(), geometry.partition_sectors());
    let mut partitions = vec![Partition { kind, first_lba, sectors, active, guid: spec.ids.esp_guid, name }];
    // Its place is what a 512-byte-sector drive has between the entries and 1 MiB. With 4096-byte sectors nothing boots
    // by BIOS, so nothing is there.
    if spec.scheme == Scheme::Gpt && geometry.sector_bytes == 512 {
        partitions.push(Partition {
            kind: PartitionKind::BiosBoot,
            first_lba: BIOS_BOOT_LBA,
            sectors: first_lba - BIOS_BOOT_LBA,
            active: false,
            guid: spec.ids.bios_boot_guid,
            name: "BIOS boot partition",
        });
    }
    PartitionTable {
        size_bytes: geometry.size_bytes,
        sector_bytes: spec.sector_bytes,
        scheme: spec.scheme,
        disk_signature: spec.ids.disk_signature,
        disk_guid: spec.ids.disk_guid,
        partitions,
    }
}

/// The byte ranges that hold nothing but zeros on every drive of this spec, whatever its files: reserved sectors of the
/// volume, and what is behind it. What is before the volume is not among them, because boot code may be there.
pub fn empty_ranges(spec: &DiskSpec) -> Result<Vec<Range<u64>>, LayoutError> {
    let geometry = Geometry::new(spec)?;
    let mut taken: Vec<Range<u64>> =
        structures(spec, &geometry)?.iter().map(|s| s.extent.offset_bytes..s.extent.end_bytes()).collect();
    taken.extend(fs_info(&geometry, 0, 0).iter().map(|s| s.extent.offset_bytes..s.extent.end_bytes()));
    taken.sort_by_key(|range| range.start);
    let mut empty = Vec::new();
    for whole in [ALIGN_BYTES..geometry.fat_start(0), geometry.tail_start()..geometry.size_bytes] {
        let mut at = whole.start;
        for range in taken.iter().filter(|range| whole.start <= range.start && range.end <= whole.end) {
            empty.push(at..range.start);
            at = range.end;
        }
        empty.push(at..whole.end);
    }
    empty.retain(|range| !range.is_empty());
    Ok(empty)
}

/// The FSInfo sector and its backup. Their two numbers are hints, which every operating system changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoSectors {
    /// Where they are, in bytes from the start of the drive.
    pub offsets: [u64; 2],
    /// How long each is.
    pub len_bytes: usize,
    clusters: u64,
}

impl InfoSectors {
    /// Whether the bytes of one are right, and its hints possible.
    pub fn accept(&self, bytes: &[u8]) -> bool {
        let hint = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (Some(free), Some(next)) = (hint(fat::INFO_FREE), hint(fat::INFO_NEXT)) else { return false };
        let unknown = u32::MAX;
        let possible = (free == unknown || u64::from(free) <= self.clusters)
            && (next == unknown || (2..self.clusters + 2).contains(&u64::from(next)));
        possible && bytes == fat::fs_info(self.len_bytes as u64, free, next)
    }
}

/// Where the FSInfo sectors of a drive of this spec are, and what they may hold.
pub fn info_sectors(spec: &DiskSpec) -> Result<InfoSectors, LayoutError> {
    let geometry = Geometry::new(spec)?;
    let offsets = fs_info(&geometry, 0, 0).map(|structure| structure.extent.offset_bytes);
    Ok(InfoSectors { offsets, len_bytes: geometry.sector_bytes as usize, clusters: geometry.clusters })
}

/// The two FSInfo sectors: like the structures above, but they depend on the files.
pub(crate) fn fs_info(geometry: &Geometry, free: u32, next: u32) -> [Structure; 2] {
    let sector = geometry.sector_bytes;
    let bytes: Arc<[u8]> = Arc::from(fat::fs_info(sector, free, next));
    [("fat fsinfo", fat::INFO_SECTOR), ("fat fsinfo backup", fat::BACKUP_SECTOR + fat::INFO_SECTOR)].map(
        |(name, at)| Structure {
            name,
            extent: Extent {
                offset_bytes: ALIGN_BYTES + at * sector,
                len_bytes: sector,
                data: Data::Bytes(Arc::clone(&bytes)),
            },
            sealed: false,
        },
    )
}
