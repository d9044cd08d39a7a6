// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What follows from the kernel's description of a block device: what it is, and whether it may be written to. Nothing is
//! opened here, so that recorded machines can be judged by the same lines as the real one.

use std::io;
use std::path::Path;

use platen_engine::DriveKind;

use crate::block::BlockDevice;
use crate::error::OpenError;
use crate::machine::Machine;
use crate::users::{User, of_device};

#[cfg(test)]
mod tests;

/// What the kernel says about a block device before anything is asked of the device itself.
pub(crate) struct Described {
    pub(crate) device: BlockDevice,
    pub(crate) kind: DriveKind,
    /// None for partitions.
    pub(crate) disk_sequence: Option<u64>,
}

impl Described {
    pub(crate) fn read(machine: &Machine, path: &Path, number: u64) -> Result<Self, OpenError> {
        // The handle keeps the number: a drive that lacks its folder in sysfs, or some of it, was pulled, unless there is
        // no sysfs. Attributes that are there and make no sense are another matter.
        let unknown = |source: io::Error| match source.kind() {
            io::ErrorKind::InvalidData => OpenError::Unknown { path: path.to_owned(), source },
            _ if machine.sys("dev/block").exists() => OpenError::Gone { path: path.to_owned() },
            _ => OpenError::Unknown { path: path.to_owned(), source },
        };
        let device = BlockDevice::by_number(machine, number).map_err(unknown)?;
        if device.is_empty().map_err(unknown)? {
            return Err(OpenError::Gone { path: path.to_owned() });
        }
        // A partition has neither of the two; it is refused by name when it is to be written to.
        let is_whole = device.whole().is_none();
        let disk_sequence = is_whole.then(|| device.disk_sequence()).transpose().map_err(unknown)?;
        let kind = if is_whole { device.kind().map_err(unknown)? } else { DriveKind::Other };
        Ok(Self { device, kind, disk_sequence })
    }
}

/// Whether a block device may be written to: whole, of a kind that may be written, used by nobody, not write-protected.
pub(crate) fn judge(
    machine: &Machine,
    path: &Path,
    device: &BlockDevice,
    may_be_written: bool,
) -> Result<(), OpenError> {
    let unknown = |source| OpenError::Unknown { path: path.to_owned(), source };
    let path = path.to_owned();
    if let Some(whole) = device.whole() {
        return Err(OpenError::Partition { path, whole });
    }
    let (system, others): (Vec<User>, Vec<User>) =
        of_device(machine, device).map_err(unknown)?.into_iter().partition(|user| user.is_system);
    if !system.is_empty() {
        return Err(OpenError::SystemDisk { path, holds: list(&system) });
    }
    if !may_be_written {
        return Err(OpenError::NotAllowed { path, found: device.describe() });
    }
    if !others.is_empty() {
        return Err(OpenError::Busy { path, users: list(&others) });
    }
    if device.is_read_only().map_err(unknown)? {
        return Err(OpenError::ReadOnly { path, found: "the drive says so".to_owned() });
    }
    Ok(())
}

/// For people.
pub(crate) fn list(users: &[User]) -> String {
    users.iter().map(|user| user.what.as_str()).collect::<Vec<_>>().join(", ")
}
