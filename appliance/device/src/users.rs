// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Who uses a block device or a file: every chain of mounts, swap, device mapper, RAID, loop devices and open handles.
//!
//! The kernel's exclusive open sees mounts and holders of the drive itself. It does not see a loop device that stands on
//! a partition, nor a program that writes without asking for exclusive use; and it does not say who it is.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::block::BlockDevice;
use crate::ioctl::{Backing, loop_backing};
use crate::machine::{Machine, attribute, number_of, unescape};

/// One user of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// For people, for example `mounted at /media/usb (through loop0)`.
    pub(crate) what: String,
    /// The computer runs from it.
    pub(crate) is_system: bool,
}

/// Mount points that make a disk a system disk.
const SYSTEM_MOUNTS: [&str; 10] =
    ["/", "/boot", "/boot/efi", "/efi", "/usr", "/var", "/home", "/etc", "/opt", "/nix/store"];

/// Who uses the drive or one of its partitions, directly or through other devices. An error means that it can't be known,
/// which is a reason to refuse the drive.
pub(crate) fn of_device(machine: &Machine, device: &BlockDevice) -> io::Result<Vec<User>> {
    let mounts = mounts(machine)?;
    let swaps = swaps(machine)?;
    let loops = loops(machine)?;
    let mut users: Vec<User> = Vec::new();
    let mut seen: HashSet<u64> = HashSet::new();
    // A device, and how it was come to.
    let mut waiting = vec![(device.clone(), String::new())];
    while let Some((device, through)) = waiting.pop() {
        if !seen.insert(device.number) {
            continue;
        }
        let mut add = |what: String, is_system: bool| users.push(User { what: what + &through, is_system });
        for part in device.parts()? {
            for mount in mounts.iter().filter(|mount| mount.devices.contains(&part.number)) {
                let is_system = SYSTEM_MOUNTS.iter().any(|point| mount.point == Path::new(point));
                add(format!("mounted at {}", mount.point.display()), is_system);
            }
            for swap in swaps.iter().filter(|swap| swap.device == part.number) {
                add(format!("swap space {}", swap.path.display()), true);
            }
            let above = |other: &BlockDevice| (other.clone(), format!(" (through {})", other.name));
            for holder in part.holders()? {
                add(format!("held by /dev/{}", holder.name), false);
                waiting.push(above(&holder));
            }
            for file_system in machine.btrfs_on(&part.name)? {
                add(format!("part of the btrfs file system {file_system}"), false);
            }
            for (standing, _) in loops.iter().filter(|(_, backing)| *backing == Backing::Device(part.number)) {
                add(format!("attached to /dev/{}", standing.name), false);
                waiting.push(above(standing));
            }
            if let Some(program) = writer(machine, part.number)? {
                add(format!("opened for writing by {program}"), false);
            }
        }
    }
    Ok(users)
}

/// Who uses a regular file: a loop device, or the kernel as swap space.
pub(crate) fn of_file(machine: &Machine, file: &fs::Metadata) -> io::Result<Vec<User>> {
    let backing = Backing::File { device: file.dev(), inode: file.ino() };
    let attached = loops(machine)?.into_iter().filter(|(_, other)| *other == backing);
    let attached =
        attached.map(|(device, _)| User { what: format!("attached to /dev/{}", device.name), is_system: false });
    let swapping = swaps(machine)?.into_iter().filter(|swap| swap.file == Some((file.dev(), file.ino())));
    let swapping = swapping.map(|swap| User { what: format!("swap space {}", swap.path.display()), is_system: true });
    Ok(attached.chain(swapping).collect())
}

/// A mounted file system.
struct Mount {
    point: PathBuf,
    /// Of the file system, and of the device it was mounted from where the two differ (btrfs).
    devices: Vec<u64>,
}

/// Everything mounted in any mount namespace.
fn mounts(machine: &Machine) -> io::Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    let mut namespaces = HashSet::new();
    let processes = fs::read_dir(machine.proc(""))?.flatten().map(|entry| entry.path());
    let processes = processes.filter(|path| path.file_name().is_some_and(is_number));
    // This process comes first: if its own mounts can't be read, nothing is known.
    let own = machine.proc("self");
    namespaces.insert(fs::read_link(own.join("ns/mnt")).ok());
    read_mounts(machine, &own, &mut mounts)?;
    for process in processes {
        let namespace = fs::read_link(process.join("ns/mnt")).ok();
        if namespace.is_some() && namespaces.insert(namespace) {
            // It may have ended in between.
            let _ = read_mounts(machine, &process, &mut mounts);
        }
    }
    Ok(mounts)
}

fn is_number(name: &OsStr) -> bool {
    name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
}

/// proc(5), mountinfo: the third field is major:minor, the fifth the mount point; the source comes second after a dash.
fn read_mounts(machine: &Machine, process: &Path, mounts: &mut Vec<Mount>) -> io::Result<()> {
    for line in fs::read_to_string(process.join("mountinfo"))?.lines() {
        let (before, after) = line.split_once(" - ").unwrap_or((line, ""));
        let fields: Vec<&str> = before.split(' ').collect();
        let (Some(number), Some(point)) = (fields.get(2).and_then(|text| number_of(text)), fields.get(4)) else {
            continue;
        };
        let source = after.split(' ').nth(1).map(unescape).filter(|source| source.is_absolute());
        let source = source.and_then(|source| fs::metadata(machine.place(&source)).ok());
        let source = source.filter(|m| m.file_type().is_block_device());
        let devices = [Some(number), source.map(|source| source.rdev())].into_iter().flatten().collect();
        mounts.push(Mount { point: unescape(point), devices });
    }
    Ok(())
}

/// A line of `/proc/swaps`.
struct Swap {
    path: PathBuf,
    /// The device itself, or the one whose file system holds the file.
    device: u64,
    file: Option<(u64, u64)>,
}

fn swaps(machine: &Machine) -> io::Result<Vec<Swap>> {
    let text = match fs::read_to_string(machine.proc("swaps")) {
        Ok(text) => text,
        // A kernel without swap.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut swaps = Vec::new();
    for line in text.lines().skip(1) {
        let path = unescape(line.split_whitespace().next().unwrap_or_default());
        let Ok(metadata) = fs::metadata(machine.place(&path)) else { continue };
        let is_device = metadata.file_type().is_block_device();
        swaps.push(Swap {
            path,
            device: if is_device { metadata.rdev() } else { metadata.dev() },
            file: (!is_device).then(|| (metadata.dev(), metadata.ino())),
        });
    }
    Ok(swaps)
}

/// All loop devices that stand on something.
fn loops(machine: &Machine) -> io::Result<Vec<(BlockDevice, Backing)>> {
    let mut loops = Vec::new();
    for entry in fs::read_dir(machine.sys("block"))? {
        let folder = entry?.path();
        let is_loop = folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"loop"));
        // Only a loop device that is attached has this.
        if !is_loop || !folder.join("loop/backing_file").exists() {
            continue;
        }
        let device = BlockDevice::in_folder(&folder)?;
        let asked = loop_backing(&machine.dev(&device.name));
        // Who may not open it has to believe the path it was attached by.
        let backing = asked.ok().flatten().or_else(|| backing_by_path(machine, &folder));
        loops.extend(backing.map(|backing| (device, backing)));
    }
    Ok(loops)
}

fn backing_by_path(machine: &Machine, folder: &Path) -> Option<Backing> {
    let path = attribute(&folder.join("loop/backing_file")).ok()?;
    let metadata = fs::metadata(machine.place(Path::new(&path))).ok()?;
    Some(match metadata.file_type().is_block_device() {
        true => Backing::Device(metadata.rdev()),
        false => Backing::File { device: metadata.dev(), inode: metadata.ino() },
    })
}

/// A program, other than this one, that has the device open for writing.
fn writer(machine: &Machine, number: u64) -> io::Result<Option<String>> {
    let own = std::process::id().to_string();
    for process in fs::read_dir(machine.proc(""))?.flatten() {
        let name = process.file_name();
        if !is_number(&name) || name.to_str() == Some(&own) {
            continue;
        }
        // Whose handles may not be seen is not asked; a process may end at any time.
        for handle in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let is_device = |target: PathBuf| target.starts_with(machine.dev(""));
            if fs::read_link(handle.path()).is_ok_and(is_device)
                && fs::metadata(handle.path()).is_ok_and(|m| m.file_type().is_block_device() && m.rdev() == number)
                && is_writable(&process.path().join("fdinfo").join(handle.file_name()))
            {
                let program = attribute(&process.path().join("comm")).unwrap_or_default();
                return Ok(Some(format!("{program} (process {})", name.display())));
            }
        }
    }
    Ok(None)
}

/// proc(5), fdinfo: the flags it was opened with, in octal; the last two bits are the access mode.
fn is_writable(fdinfo: &Path) -> bool {
    let text = fs::read_to_string(fdinfo).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 3 != 0)
}
