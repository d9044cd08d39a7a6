// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The disk with the station's data: checked and repaired before it is used, and as large as its disk.
//!
//! First it is repaired as a machine may by itself (`e2fsck -p`), then whatever it takes (`-y`): nobody is there to be asked,
//! and what the station keeps shows by itself whether it is whole (hashes in the cache, a chain in the ledger). What can't be
//! mounted even then is broken, and memory takes its place.
//!
//! It grows while it is in use: the kernel does that with its journal, so that a power cut leaves it whole. Growing goes by
//! what is there, not by how often the machine was started, and is taken up again where it was cut off.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use platen_events::DataState;

use crate::disk::{Disk, Partition};
use crate::error::{KeeperError, in_full};
use crate::kernel;
use crate::places::Places;
use crate::program::{self, Stdin, argument};
use crate::station::Owner;

/// Of memory, where the disk is broken: enough to say so.
const MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// A check of a large disk takes its time.
const CHECK_PATIENCE: Duration = Duration::from_secs(60 * 60);
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// So much may stay unused: partitions begin at whole MiB, and the table has a copy at the disk's end.
const SLACK_BYTES: u64 = 8 * 1024 * 1024;

/// e2fsck(8), exit status: errors were corrected; the machine should be restarted, which is for a mounted root.
const CORRECTED: i32 = 1 | 2;

/// Check the disk, repair it where that is needed, and mount it. Memory is mounted where it is broken.
pub fn open(device: &Path, at: &Path) -> Result<DataState, KeeperError> {
    if kernel::is_mounted(at) {
        tracing::info!("{}: in use already", at.display());
        return Ok(if is_memory(at) { DataState::Broken } else { DataState::Good });
    }
    let opened =
        repair(device).and_then(|()| kernel::mount_data(device, at).map_err(KeeperError::file(device, "mount it")));
    match opened {
        Ok(()) => Ok(DataState::Good),
        Err(error) => {
            tracing::error!("the disk for data is broken: {}", in_full(&error));
            in_memory(at)?;
            Ok(DataState::Broken)
        }
    }
}

/// Memory in the place of the disk: nothing outlasts the next start.
pub fn in_memory(at: &Path) -> Result<(), KeeperError> {
    kernel::mount_memory(at, MEMORY_BYTES).map_err(KeeperError::file(at, "put memory in its place"))
}

/// Memory is in its place.
pub fn is_memory(at: &Path) -> bool {
    nix::sys::statfs::statfs(at).is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC)
}

/// Repair it if it needs that.
pub fn repair(device: &Path) -> Result<(), KeeperError> {
    let device = argument(device);
    for how in [["-p", &device].as_slice(), &["-f", "-y", &device]] {
        let finished = program::run("e2fsck", how, Stdin::Nothing, CHECK_PATIENCE)?;
        match finished.status.code() {
            Some(0) => return Ok(()),
            Some(code) if code & !CORRECTED == 0 => {
                tracing::warn!("{}", finished.failed());
                return Ok(());
            }
            // It was repaired as far as it goes without being asked, or can't be.
            _ if how[0] == "-p" => tracing::warn!("{}", finished.failed()),
            _ => return Err(finished.failed()),
        }
    }
    Ok(())
}

/// Make the file system anew.
pub fn make_anew(device: &Path) -> Result<(), KeeperError> {
    let arguments = ["-q", "-F", "-t", "ext4", "-L", "platen-data", &argument(device)];
    program::run("mke2fs", &arguments, Stdin::Nothing, PATIENCE)?.successful().map(drop)
}

/// Let partition and file system have what the disk has. The file system is in use.
pub fn grow(disk: &Disk) -> Result<(), KeeperError> {
    let data = disk.partition("data")?;
    if disk.free_behind(&data)? > SLACK_BYTES {
        grow_partition(&disk.device()?, data.number)?;
        let (disk, number) = (argument(&disk.device()?), data.number.to_string());
        // The kernel reads no table anew of a disk that is in use; it is told of the one partition.
        let arguments = ["--update", "--nr", &number, &disk];
        program::run("partx", &arguments, Stdin::Nothing, PATIENCE)?.successful()?;
        tracing::info!("the partition for data has grown");
    }
    grow_file_system(disk, &data)
}

/// Partition and table have what the disk has.
pub fn grow_partition(disk: &Path, number: u32) -> Result<(), KeeperError> {
    let arguments =
        ["--quiet", "--no-reread", "--no-tell-kernel", "--force", "-N", &number.to_string(), &argument(disk)];
    // As it begins, and as long as it can be.
    program::run("sfdisk", &arguments, Stdin::Text(", +\n"), PATIENCE)?.successful().map(drop)
}

fn grow_file_system(disk: &Disk, data: &Partition) -> Result<(), KeeperError> {
    let has_bytes = file_system_bytes(&data.device)?;
    if disk.size_bytes(data)?.saturating_sub(has_bytes) <= SLACK_BYTES {
        return Ok(());
    }
    program::run("resize2fs", &[&argument(&data.device)], Stdin::Nothing, PATIENCE)?.successful()?;
    tracing::info!("the file system for data has grown");
    Ok(())
}

/// How large an ext4 says that it is: blocks and their size, from its superblock (Documentation/filesystems/ext4,
/// "Super Block"; magic number at 0x38).
pub fn file_system_bytes(device: &Path) -> Result<u64, KeeperError> {
    let mut block = [0; 1024];
    let file = fs::File::open(device).map_err(KeeperError::file(device, "open it"))?;
    file.read_exact_at(&mut block, 1024).map_err(KeeperError::file(device, "read its superblock"))?;
    let number = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let (low, high, shift) = (number(0x4), number(0x150), number(0x18));
    // 64bit, without which the upper half means nothing.
    let high = if number(0x60) & 0x80 != 0 { high } else { 0 };
    if block[0x38..0x3a] != [0x53, 0xef] || shift > 6 {
        let expected = "an ext4 file system";
        return Err(KeeperError::Content { path: device.to_owned(), expected, found: "no superblock".to_owned() });
    }
    Ok((u64::from(high) << 32 | u64::from(low)).saturating_mul(1024 << shift))
}

/// The folders that are expected on it, each with who may do what.
pub fn make_folders(places: &Places, owner: Owner) -> Result<(), KeeperError> {
    for (folder, mode, is_stations) in [
        (places.own_data(), 0o700, false),
        (places.log(), 0o750, false),
        (places.station_data(), 0o700, true),
        (places.incoming(), 0o700, true),
        (places.station_run(), 0o750, true),
    ] {
        let made = make_folder(&folder, mode, is_stations.then_some(owner));
        made.map_err(KeeperError::file(&folder, "make it"))?;
    }
    Ok(())
}

fn make_folder(folder: &Path, mode: u32, owner: Option<Owner>) -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    fs::create_dir_all(folder)?;
    if let Some(owner) = owner {
        chown(folder, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests;
