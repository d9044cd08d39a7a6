// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files that must outlast a power cut. Each step is one that a test can cut the power after.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::error::KeeperError;

/// What is done to files, step by step.
pub trait Files: Send + Sync {
    /// All of a file, at most so many bytes of it.
    fn read(&self, path: &Path, limit_bytes: usize) -> io::Result<Vec<u8>>;
    /// Make a file with this in it, or put this in its place. It may be lost or half there until it is synced.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Put bytes over those that are there, without changing where the file lies.
    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// What was written to the file is on the disk.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// The file takes the other one's place.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// What files there are, and how they are called, is on the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// Put bytes in the place of a file: whoever looks, and a power cut, finds the old one or the new one.
pub fn replace(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<(), KeeperError> {
    let new = path.with_extension("new");
    let folder = path.parent().unwrap_or(Path::new("."));
    let steps = || {
        files.create(&new, bytes)?;
        files.sync(&new)?;
        files.rename(&new, path)?;
        files.sync_folder(folder)
    };
    steps().map_err(KeeperError::file(path, "save it"))
}

/// The machine's own.
pub struct MachineFiles;

impl Files for MachineFiles {
    fn read(&self, path: &Path, limit_bytes: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit_bytes as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
    }

    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.write_all_at(bytes, 0)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
