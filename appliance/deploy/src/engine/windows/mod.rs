// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A Windows that was put on the disk and does not run yet: what steps change of it, how it starts, and what it does at
//! its first start.
//!
//! Everything goes out from the image's own files; nothing of Windows comes from elsewhere. What the files mean is
//! `platen_windows`'. None of it was tried on a running Windows.

mod answer_file;
mod boot;
mod drivers;
mod files;
mod hand_over;
mod image;
mod moves;
mod offline;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use platen_sequence::{Step, StepKind};
use platen_windows::paths;

pub use self::hand_over::remove_first_start;

use super::access::create_private;
use super::carry::{Carrier, StepError};

/// The hive that no Windows is without.
pub(super) const SYSTEM_HIVE: &str = "Windows\\System32\\config\\SYSTEM";
/// What the firmware's list and the boot store call what starts Windows.
pub(super) const BOOT_MANAGER: &str = "Windows Boot Manager";

fn said(text: impl ToString) -> StepError {
    StepError::Said(text.to_string())
}

/// Whether a Windows stands below this root.
pub(super) fn is_windows(root: &Path) -> bool {
    existing(root, SYSTEM_HIVE).is_ok_and(|found| found.is_some_and(|path| path.is_file()))
}

/// The volume of Windows, whose own letter no path here needs.
fn volume(root: &Path) -> paths::Volume {
    paths::Volume::new(root, 'C')
}

/// Where a path of this volume is, in whatever letters the image writes it. None: it is not there.
fn existing(root: &Path, path: &str) -> Result<Option<PathBuf>, StepError> {
    let found = volume(root).resolve(&format!("\\{path}")).map_err(|error| said(platen_media::chain(&error)))?;
    Ok(found.exists.then_some(found.path))
}

/// Where a file of this volume is or comes to be; its folder is made.
fn destination(root: &Path, path: &str) -> Result<PathBuf, StepError> {
    let found = volume(root).resolve(&format!("\\{path}")).map_err(|error| said(platen_media::chain(&error)))?.path;
    make_folder(found.parent().unwrap_or(root))?;
    Ok(found)
}

fn make_folder(folder: &Path) -> Result<(), StepError> {
    fs::create_dir_all(folder).map_err(|error| said(format!("making {}: {error}", folder.display())))
}

/// Puts a file in its place so that it is there as a whole or not at all.
fn place(root: &Path, path: &str, bytes: &[u8]) -> Result<(), StepError> {
    place_in(root, path, bytes, |path| fs::File::create(path))
}

/// The same of one that only administrators read.
fn place_private(root: &Path, path: &str, bytes: &[u8]) -> Result<(), StepError> {
    place_in(root, path, bytes, create_private)
}

fn place_in(
    root: &Path,
    path: &str,
    bytes: &[u8],
    create: impl FnOnce(&Path) -> io::Result<fs::File>,
) -> Result<(), StepError> {
    let to = destination(root, path)?;
    let mut half = to.clone().into_os_string();
    half.push(".new");
    let half = PathBuf::from(half);
    let written = create(&half).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&half, &to)
    });
    written.map_err(|error| said(format!("writing {path}: {error}")))
}

/// Reads a file that is there, up to a limit.
fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>, StepError> {
    let bytes = fs::File::open(path).and_then(|file| platen_media::read_at_most(file, most_bytes));
    let bytes = bytes.map_err(|error| said(format!("reading {}: {error}", path.display())))?;
    bytes.ok_or_else(|| said(format!("{}: expected at most {most_bytes} bytes, found more", path.display())))
}

impl Carrier<'_> {
    /// A step that changes the Windows on the disk.
    pub(super) fn on_windows(&mut self, step: &Step, root: &Path) -> Result<String, StepError> {
        match step.kind {
            StepKind::ApplyWindowsSettings => self.windows_settings(step, root),
            StepKind::ApplyNetworkSettings | StepKind::JoinDomainOrWorkgroup => self.windows_network(step, root),
            StepKind::ApplyDriverPackage => self.windows_driver_package(step, root),
            StepKind::AutoApplyDrivers => self.windows_drivers(root),
            _ => Err(said(format!("{} is not carried out by this version of Platen", step.label()))),
        }
    }
}
