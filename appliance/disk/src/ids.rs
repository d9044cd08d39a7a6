// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading back, from a drive, what made it different from others.

use crate::fat::{
    BPB_BYTES_PER_SECTOR, BPB_FAT_SIZE_16, BPB_TOTAL_SECTORS_32, BS_FILE_SYSTEM, BS_VOLUME_ID, BS_VOLUME_LABEL,
    FILE_SYSTEM,
};
use crate::table::mbr::{ACTIVE, BOOT_SIGNATURE, DISK_SIGNATURE, FIRST_ENTRY, TYPE_FAT32_LBA, TYPE_GPT};
use crate::{ALIGN_BYTES, BootRecords, DiskSpec, DriveIds, FatTime, Scheme, VolumeLabel};

/// How much of a drive's beginning [`read_ids`] wants, in bytes: the first 1 MiB, and the boot sector behind it.
pub const READ_IDS_BYTES: usize = ALIGN_BYTES as usize + (16 << 10);

/// What a drive says of itself: all of a [`DiskSpec`] that can't be known otherwise.
///
/// Nothing of it is to be believed before [`crate::boot_structures`] of the spec it leads to was compared with the drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundIds {
    /// How it is partitioned.
    pub scheme: Scheme,
    /// The sector size in bytes it was laid out for: 512 or 4096.
    pub sector_bytes: u32,
    /// Its serial numbers; those its scheme does not store are zero.
    pub ids: DriveIds,
    /// The label in the FAT boot sector.
    pub label: VolumeLabel,
    /// Length of the FAT volume in bytes, from its boot sector. It starts at 1 MiB.
    pub volume_bytes: u64,
}

impl FoundIds {
    /// The spec of this drive, for [`crate::boot_structures`]. The drive's size is the drive's to say, and boot records
    /// come from the boot kit. The time plays no part in the boot structures.
    pub fn spec(&self, size_bytes: u64, modified: FatTime, boot: Option<BootRecords>) -> DiskSpec {
        let Self { scheme, sector_bytes, ids, label, .. } = *self;
        DiskSpec { size_bytes, sector_bytes, scheme, label, ids, modified, boot, folders: Vec::new() }
    }
}

/// Reads what is needed to rebuild the [`DiskSpec`] of a Platen drive from its first [`READ_IDS_BYTES`] bytes.
///
/// `None` for anything that is not laid out as Platen does: other bytes, fewer bytes, other partitions. It looks at
/// fixed offsets only, follows no pointer and takes the same small time for any bytes.
pub fn read_ids(head: &[u8]) -> Option<FoundIds> {
    if array::<2>(head, BOOT_SIGNATURE)? != [0x55, 0xaa] {
        return None;
    }
    let boot = head.get(ALIGN_BYTES as usize..)?;
    let sector_bytes = u32::from(u16::from_le_bytes(array(boot, BPB_BYTES_PER_SECTOR)?));
    if !matches!(sector_bytes, 512 | 4096)
        || array::<2>(boot, 510)? != [0x55, 0xaa]
        || array::<8>(boot, BS_FILE_SYSTEM)? != *FILE_SYSTEM
        || array::<2>(boot, BPB_FAT_SIZE_16)? != [0, 0]
    {
        return None;
    }
    let mut ids = DriveIds { volume_serial: u32::from_le_bytes(array(boot, BS_VOLUME_ID)?), ..DriveIds::default() };
    let label = VolumeLabel::from_stored(&array(boot, BS_VOLUME_LABEL)?)?;
    let volume_sectors = u32::from_le_bytes(array(boot, BPB_TOTAL_SECTORS_32)?);
    let sector = sector_bytes as usize;
    let partition_lba = ALIGN_BYTES as usize / sector;

    let entry: [u8; 16] = array(head, FIRST_ENTRY)?;
    let first = u32::from_le_bytes(array(&entry, 8)?) as usize;
    let others_empty = array::<48>(head, FIRST_ENTRY + 16)? == [0; 48];
    let scheme = match (entry[4], entry[0], first) {
        (TYPE_FAT32_LBA, ACTIVE, lba) if lba == partition_lba && others_empty => Scheme::Mbr,
        (TYPE_GPT, 0, 1) if others_empty => Scheme::Gpt,
        _ => return None,
    };
    match scheme {
        Scheme::Mbr => ids.disk_signature = u32::from_le_bytes(array(head, DISK_SIGNATURE)?),
        Scheme::Gpt => {
            // UEFI 5.3.2 and 5.3.3: the header in LBA 1, its disk GUID at 56; entries from LBA 2, the unique GUID at 16
            // and the first LBA at 32 of each.
            let entries = 2 * sector;
            if array::<8>(head, sector)? != *b"EFI PART"
                || u64::from_le_bytes(array(head, entries + 32)?) != partition_lba as u64
            {
                return None;
            }
            ids.disk_guid = array(head, sector + 56)?;
            ids.esp_guid = array(head, entries + 16)?;
            ids.bios_boot_guid = array(head, entries + 128 + 16)?;
        }
    }
    let volume_bytes = u64::from(volume_sectors) * u64::from(sector_bytes);
    Some(FoundIds { scheme, sector_bytes, ids, label, volume_bytes })
}

pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
