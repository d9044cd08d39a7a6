// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Volumes of the target as folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::engine::machine::{FileSystem, MachineError};

/// What is mounted, by the folder's name.
#[derive(Debug)]
pub(super) struct Mounts {
    folder: PathBuf,
    mounted: BTreeMap<String, PathBuf>,
}

impl Mounts {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, mounted: BTreeMap::new() }
    }

    /// The folder of a volume, which is mounted the first time.
    pub(super) fn mount(
        &mut self,
        name: String,
        device: &Path,
        file_system: FileSystem,
    ) -> Result<PathBuf, MachineError> {
        if let Some(point) = self.mounted.get(&name) {
            return Ok(point.clone());
        }
        let point = self.folder.join(&name);
        let failed = |doing, path: &Path, source| MachineError::Io { doing, path: path.to_owned(), source };
        std::fs::create_dir_all(&point).map_err(|source| failed("making the folder", &point, source))?;
        let (kind, options) = match file_system {
            FileSystem::Ext4 => ("ext4", ""),
            // As the medium is mounted: with utf8 the two tables serve short names only, and both are in the boot image.
            FileSystem::Fat32 => ("vfat", "utf8=1,codepage=437,iocharset=ascii"),
            // A power cut leaves its mark on the volume; the sequence then writes over what it had begun.
            FileSystem::Ntfs => ("ntfs3", "force"),
        };
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some(device), &point, Some(kind), flags, Some(options))
            .map_err(|error| failed("mounting", device, error.into()))?;
        self.mounted.insert(name, point.clone());
        Ok(point)
    }

    /// Whether a volume is in its folder now.
    pub(super) fn has(&self, name: &str) -> bool {
        self.mounted.contains_key(name)
    }

    /// Takes a volume away from its folder; nothing where it is not mounted.
    pub(super) fn unmount(&mut self, name: &str) -> Result<(), MachineError> {
        let Some(point) = self.mounted.get(name) else { return Ok(()) };
        umount2(point, MntFlags::empty()).map_err(|error| MachineError::Io {
            doing: "unmounting",
            path: point.clone(),
            source: error.into(),
        })?;
        self.mounted.remove(name);
        Ok(())
    }

    /// All of them whose name begins so.
    pub(super) fn unmount_all(&mut self, beginning: &str) -> Result<(), MachineError> {
        let names: Vec<String> = self.mounted.keys().filter(|name| name.starts_with(beginning)).cloned().collect();
        names.iter().try_for_each(|name| self.unmount(name))
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.unmount_all("");
    }
}
