// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the computer starts once the medium is gone.
//!
//! The firmware's first program is written last: by UEFI `EFI/BOOT/BOOTX64.EFI`, by BIOS the code in sector 0. A disk on
//! which the power was cut before that is not started from.

mod bios;
mod grub_config;
mod load_option;
mod uefi;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::engine::linux::inside;
use crate::engine::machine::MachineError;

pub(super) use self::bios::{Code, write as bios};
pub(super) use self::grub_config::grub_config;
pub(super) use self::uefi::{add_entry, write as uefi};

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
    let half = inside(root, &format!("{path}.platen-new")).map_err(unexpected)?;
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
