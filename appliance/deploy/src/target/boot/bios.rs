// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Starting by BIOS: GRUB's code in sector 0 and behind it.

use std::path::{Path, PathBuf};

use platen_disk::table::Listed;
use platen_disk::{BootRecords, Scheme, grub};

use super::{MARKER, boot_file, place};
use crate::engine::machine::{MachineError, TargetDisk};
use crate::target::partition::Device;
use crate::target::places::bytes;

const BOOT_IMAGE: &str = "platen/bios/boot.img";
const CORE_IMAGE: &str = "platen/bios/disk-core.img";
const CONFIG: &str = "boot/grub/grub.cfg";
/// A BIOS reads no others, and GRUB's code counts in them.
const SECTOR_BYTES: u64 = 512;

/// What GRUB's core image gets to know on the system's volume. [`Code::write`] makes the disk start.
pub(in crate::target) fn write(system: &Path, config: &str) -> Result<(), MachineError> {
    place(system, CONFIG, config.as_bytes())?;
    place(system, MARKER, b"")
}

/// GRUB's code, fitted to the disk and not yet on it.
pub(in crate::target) struct Code {
    records: BootRecords,
    scheme: Scheme,
}

impl Code {
    /// Everything that can be wrong with it is found here.
    pub(in crate::target) fn new(
        boot_files: &Path,
        disk: &TargetDisk,
        scheme: Scheme,
        listed: &[Listed],
    ) -> Result<Self, MachineError> {
        let unexpected = |what: &str, expected: &str, found: String| MachineError::Unexpected {
            what: what.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        if u64::from(disk.sector_bytes) != SECTOR_BYTES {
            let found = disk.sector_bytes.to_string();
            return Err(unexpected(&disk.name, "sectors of 512 bytes, for a BIOS starts from no others", found));
        }
        let (boot, core) = (boot_file(boot_files, BOOT_IMAGE)?, boot_file(boot_files, CORE_IMAGE)?);
        let records = grub::patch(&boot, &core, scheme)
            .map_err(|problem| unexpected(CORE_IMAGE, "GRUB's boot and core image for i386-pc", problem.to_string()))?;
        let first_lba = grub::core_lba(scheme);
        let sectors = (records.core.len() as u64).div_ceil(SECTOR_BYTES);
        let room = match scheme {
            Scheme::Mbr => listed.iter().map(|one| one.first_lba).min().unwrap_or(u64::MAX).saturating_sub(first_lba),
            Scheme::Gpt => {
                listed.iter().find(|one| one.first_lba == first_lba).map_or(0, |bios_boot| bios_boot.sectors)
            }
        };
        if room < sectors {
            let expected = format!("{sectors} sectors for GRUB from sector {first_lba} on");
            return Err(unexpected(&format!("the {scheme} of {}", disk.name), &expected, room.to_string()));
        }
        Ok(Self { records, scheme })
    }

    /// The core image first; the code in sector 0, which starts it, last. The table in sector 0 stays.
    pub(in crate::target) fn write(&self, path: PathBuf, disk: &TargetDisk) -> Result<(), MachineError> {
        let head = bytes(&path, SECTOR_BYTES);
        let mut head = head.map_err(|source| MachineError::Io { doing: "reading", path: path.clone(), source })?;
        head.resize(SECTOR_BYTES as usize, 0);
        head[..self.records.boot_code.len()].copy_from_slice(&self.records.boot_code);
        let mut core = self.records.core.clone();
        core.resize(core.len().next_multiple_of(SECTOR_BYTES as usize), 0);
        let mut device = Device::open(path, disk)?;
        device.write(grub::core_lba(self.scheme) * SECTOR_BYTES, &core)?;
        device.flush()?;
        device.write(0, &head)?;
        device.flush()
    }
}
