// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the computer starts once the medium is gone.
//!
//! The firmware's first program is written last: by UEFI `EFI/BOOT/BOOTX64.EFI`, by BIOS the code in sector 0. A disk on
//! which the power was cut before that is not started from. A system that is put in another one's place finds these programs
//! there already; so the configuration starts a system only where its mark is, which goes first and comes back last.

mod bios;
mod grub_config;
mod load_option;
mod uefi;

use std::io::Write;
use std::path::{Path, PathBuf};

use platen_windows::bcd::{BIOS_STORE, UEFI_STORE};
use platen_windows::paths::Volume;

use crate::engine::linux::inside;
use crate::engine::machine::MachineError;

pub(super) use self::bios::{Code, write as bios};
pub(super) use self::grub_config::{grub_config, windows_config};
pub(super) use self::uefi::{LINUX_LOADER, WINDOWS_LOADER, add_entry, write as uefi, write_windows as uefi_windows};

/// By this file GRUB's core image for BIOS knows the partition whose `grub.cfg` counts.
const MARKER: &str = "boot/grub/platen-target";

/// The system on the volume with this number is whole. The number is in it since an image may have been captured from a computer
/// with a mark of its own.
fn mark(uuid: &str) -> String {
    format!("{MARKER}-{uuid}")
}

/// Says of a volume that no whole system is on it, and takes away the boot store, without which Windows' boot manager starts
/// nothing. Links are not followed, neither are folders that are links.
pub(super) fn unmark(root: &Path) -> Result<(), MachineError> {
    for store in [UEFI_STORE, BIOS_STORE] {
        // What is behind a link is none of ours.
        if let Ok(found) = Volume::new(root, 'C').resolve(&format!("\\{store}"))
            && found.exists
        {
            let path = found.path;
            std::fs::remove_file(&path).map_err(|source| MachineError::Io { doing: "removing", path, source })?;
        }
    }
    let folder = root.join("boot/grub");
    if ["boot", "boot/grub"].iter().any(|path| !root.join(path).symlink_metadata().is_ok_and(|found| found.is_dir())) {
        return Ok(());
    }
    let marks = super::places::names(&folder).into_iter().filter(|name| name.starts_with("platen-target"));
    for path in marks.map(|name| folder.join(name)) {
        std::fs::remove_file(&path).map_err(|source| MachineError::Io { doing: "removing", path, source })?;
    }
    Ok(())
}

/// Says that the system on the volume is whole.
pub(super) fn mark_whole(system: &Path, uuid: &str) -> Result<(), MachineError> {
    place(system, &mark(uuid), b"")
}

/// Puts a file in its place so that it is there as a whole or not at all.
///
/// A link in an image may lead anywhere, but nothing is written outside the root.
fn place(root: &Path, path: &str, bytes: &[u8]) -> Result<(), MachineError> {
    let unexpected = |found| MachineError::Unexpected {
        what: root.join(path).display().to_string(),
        expected: "a path below the volume's root".to_owned(),
        found,
    };
    let to = inside(root, path).map_err(unexpected)?;
    let half = inside(root, &format!("{path}.new")).map_err(unexpected)?;
    let failed = |source| MachineError::Io { doing: "writing", path: to.clone(), source };
    let folder = to.parent().unwrap_or(root);
    let written = std::fs::File::create(&half).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&half, &to)?;
        // The name, too, is on the disk.
        std::fs::File::open(folder)?.sync_all()
    });
    written.map_err(failed)
}

/// A boot file of the medium. The largest is shim's or GRUB's, of a few MB.
fn boot_file(boot_files: &Path, path: &str) -> Result<Vec<u8>, MachineError> {
    const MAX_BYTES: u64 = 32 << 20;
    let path: PathBuf = boot_files.join(path);
    super::places::bytes(&path, MAX_BYTES).map_err(|source| MachineError::Io { doing: "reading", path, source })
}
