// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Plans that put no medium on a drive: erasing it, and testing whether it stores what it claims.

use std::sync::Arc;

use platen_disk::DriveIds;

use super::{DriveShape, Erase, PlannedExtent, Purpose, Source, WritePlan, table_places};

/// What a quick erase overwrites at the beginning: partition tables, the superblocks of all common file systems, and
/// both allocation tables of most FAT volumes.
const QUICK_HEAD_BYTES: u64 = 16 << 20;
/// And at the end: the backup of a GPT, RAID and LVM signatures.
const QUICK_TAIL_BYTES: u64 = 4 << 20;

/// Overwrite with zeros.
pub fn plan_erase(shape: DriveShape, erase: Erase) -> WritePlan {
    let size_bytes = shape.whole_sectors_bytes();
    let zeros = |from: u64, to: u64| PlannedExtent { offset_bytes: from, len_bytes: to - from, source: Source::Zero };
    let tail = size_bytes.saturating_sub(QUICK_TAIL_BYTES);
    let extents = match erase {
        Erase::Quick if tail > QUICK_HEAD_BYTES => vec![zeros(0, QUICK_HEAD_BYTES), zeros(tail, size_bytes)],
        Erase::Quick | Erase::Full => vec![zeros(0, size_bytes)],
    };
    overwrite(shape, Purpose::Erase(erase), extents)
}

/// Fill the drive with sectors that say where they belong.
pub fn plan_test(shape: DriveShape, nonce: u64) -> WritePlan {
    let source = Source::Markers(nonce);
    let extents = vec![PlannedExtent { offset_bytes: 0, len_bytes: shape.whole_sectors_bytes(), source }];
    overwrite(shape, Purpose::Test { nonce }, extents)
}

fn overwrite(shape: DriveShape, purpose: Purpose, extents: Vec<PlannedExtent>) -> WritePlan {
    let nobody = DriveIds {
        disk_signature: 0,
        volume_serial: 0,
        disk_guid: [0; 16],
        esp_guid: [0; 16],
        bios_boot_guid: [0; 16],
    };
    WritePlan {
        purpose,
        contents: None,
        shape,
        scheme: None,
        ids: nobody,
        payload: Arc::from(extents),
        seal: Vec::new(),
        invalidate: table_places(shape.whole_sectors_bytes()),
        present: None,
        notices: Vec::new(),
        free_bytes: 0,
    }
}
