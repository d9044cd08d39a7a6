// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The disk that the running system comes from, and its partitions.
//!
//! A drive in a port of the station may call its partitions whatever it likes, and udev's links by name would lead there. So
//! they are looked up on one disk only: the one below the root file system.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::error::KeeperError;
use crate::places::Places;

/// Partitions of an appliance's disk, and what their links are called.
const PARTITIONS: [(&str, &str); 6] = [
    ("PLATEN-BOOT", "boot"),
    ("kernel-a", "kernel-a"),
    ("root-a", "root-a"),
    ("kernel-b", "kernel-b"),
    ("root-b", "root-b"),
    ("data", "data"),
];
/// Of the file with a device's properties; it has a few lines.
const MAX_UEVENT_BYTES: u64 = 16 * 1024;

/// A partition of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its folder in sysfs.
    sys: PathBuf,
    /// Its number in the table.
    pub number: u32,
    /// Its device file.
    pub device: PathBuf,
}

/// The disk below the root file system.
#[derive(Debug, Clone)]
pub struct Disk {
    sys: PathBuf,
    dev: PathBuf,
}

impl Disk {
    /// Look it up.
    pub fn below_root(places: &Places) -> Result<Self, KeeperError> {
        let root = fs::metadata(places.root()).map_err(KeeperError::file(places.root(), "look at it"))?;
        let (major, minor) = (nix::sys::stat::major(root.dev()), nix::sys::stat::minor(root.dev()));
        Self::below(places, &places.sys().join(format!("dev/block/{major}:{minor}")))
    }

    /// The disk of a block device, whatever maps lie between.
    pub fn below(places: &Places, device: &Path) -> Result<Self, KeeperError> {
        let mut device = fs::canonicalize(device).map_err(KeeperError::file(device, "find the root's device"))?;
        // A root that is checked while it is read is a device of its own (dm-verity), which lies on a partition.
        while let Some(slave) = fs::read_dir(device.join("slaves")).ok().and_then(|mut all| all.next()) {
            let slave = slave.and_then(|slave| fs::canonicalize(slave.path()));
            device = slave.map_err(KeeperError::file(&device, "find what it lies on"))?;
        }
        let is_partition = device.join("partition").exists();
        let disk = device.parent().filter(|_| is_partition).unwrap_or(&device).to_owned();
        Ok(Self { sys: disk, dev: places.dev() })
    }

    /// The disk's device file.
    pub fn device(&self) -> Result<PathBuf, KeeperError> {
        Ok(self.dev.join(property(&self.sys, "DEVNAME")?))
    }

    /// One of its partitions, by the name in its table.
    pub fn partition(&self, name: &'static str) -> Result<Partition, KeeperError> {
        let entries = fs::read_dir(&self.sys).map_err(KeeperError::file(&self.sys, "read it"))?;
        for entry in entries {
            let sys = entry.map_err(KeeperError::file(&self.sys, "read it"))?.path();
            if sys.join("partition").exists() && property(&sys, "PARTNAME").is_ok_and(|found| found == name) {
                let number = number(&sys, "partition")? as u32;
                return Ok(Partition { device: self.dev.join(property(&sys, "DEVNAME")?), number, sys });
            }
        }
        Err(KeeperError::Partition { disk: self.sys.clone(), name })
    }

    /// How many bytes lie between a partition's end and the disk's.
    pub fn free_behind(&self, partition: &Partition) -> Result<u64, KeeperError> {
        let disk = number(&self.sys, "size")?;
        let end = number(&partition.sys, "start")?.saturating_add(number(&partition.sys, "size")?);
        Ok(disk.saturating_sub(end).saturating_mul(SECTOR_BYTES))
    }

    /// A partition's size.
    pub fn size_bytes(&self, partition: &Partition) -> Result<u64, KeeperError> {
        Ok(number(&partition.sys, "size")?.saturating_mul(SECTOR_BYTES))
    }

    /// Links to the partitions, for programs that are told where they are. Those that are missing have none.
    pub fn link(&self, folder: &Path) -> Result<(), KeeperError> {
        let wrong = |doing| KeeperError::file(folder, doing);
        fs::create_dir_all(folder).map_err(wrong("make it"))?;
        for (name, link) in PARTITIONS {
            let link = folder.join(link);
            let gone = fs::remove_file(&link);
            if let Err(error) = gone
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(KeeperError::file(&link, "replace it")(error));
            }
            match self.partition(name) {
                Ok(found) => symlink(&found.device, &link).map_err(KeeperError::file(&link, "make it"))?,
                Err(error) => tracing::warn!("{error}"),
            }
        }
        Ok(())
    }
}

/// The unit of sysfs, whatever the disk's own sectors are.
const SECTOR_BYTES: u64 = 512;

fn property(sys: &Path, name: &str) -> Result<String, KeeperError> {
    let path = sys.join("uevent");
    let text = read(&path)?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.map(str::to_owned).ok_or_else(|| KeeperError::Content {
        path,
        expected: "the name of a device or partition",
        found: format!("none ({name})"),
    })
}

fn number(sys: &Path, name: &str) -> Result<u64, KeeperError> {
    let path = sys.join(name);
    let text = read(&path)?;
    text.trim().parse().map_err(|_| KeeperError::Content { path, expected: "a number", found: text })
}

fn read(path: &Path) -> Result<String, KeeperError> {
    use std::io::Read;
    let mut text = String::new();
    let opened = fs::File::open(path).and_then(|file| file.take(MAX_UEVENT_BYTES).read_to_string(&mut text));
    opened.map(|_| text).map_err(KeeperError::file(path, "read it"))
}

#[cfg(test)]
mod tests;
