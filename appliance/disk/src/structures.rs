//! What a function of the drive alone is: partition tables, boot sectors, boot code.

use std::sync::Arc;

use crate::geometry::Geometry;
use crate::gpt_table::ENTRIES_BYTES;
use crate::{ALIGN_BYTES, Data, DiskSpec, Extent, LayoutError, Scheme, fat, gpt_table, grub, mbr};

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
    let zero = mbr::sector_zero(geometry, spec.scheme, &spec.ids, code);
    let table = match spec.scheme {
        Scheme::Mbr => {
            put("master boot record", true, 0, &zero);
            None
        }
        Scheme::Gpt => {
            let table = gpt_table::table(geometry, &spec.ids)?;
            put("protective mbr", true, 0, &zero);
            put("gpt header", true, sector, &table.header);
            put("gpt entries", true, 2 * sector, &table.entries);
            Some(table)
        }
    };
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

    if let Some(table) = table {
        put("gpt backup entries", true, geometry.size_bytes - sector - ENTRIES_BYTES, &table.backup_entries);
        put("gpt backup header", true, geometry.size_bytes - sector, &table.backup_header);
    }
    Ok(list)
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
