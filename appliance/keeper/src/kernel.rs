// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is asked of the kernel alone: mounts, free room, the end.

use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::statvfs::statvfs;
use nix::unistd::sync;

use crate::error::KeeperError;
use crate::slots::grub::Unlock;

/// No program of it is run, and no device file of it is used.
const GUARDED: MsFlags =
    MsFlags::MS_NOEXEC.union(MsFlags::MS_NOSUID).union(MsFlags::MS_NODEV).union(MsFlags::MS_NOATIME);

/// A mounted FAT file system: the boot partition. It is locked, so that nothing is left half-written on it by a power cut,
/// but while something is written.
pub struct BootPartition {
    at: PathBuf,
}

impl BootPartition {
    /// Mount it, locked. One that is mounted already stays.
    pub fn mount(device: &Path, at: PathBuf) -> Result<Self, KeeperError> {
        let flags = GUARDED | MsFlags::MS_RDONLY;
        if !is_mounted(&at) {
            std::fs::create_dir_all(&at).map_err(KeeperError::file(&at, "make it"))?;
            let mounted = mount(Some(device), &at, Some("vfat"), flags, Some("umask=0077"));
            mounted.map_err(|error| KeeperError::file(device, "mount it")(error.into()))?;
        }
        Ok(Self { at })
    }

    /// The same, for a program beside the one that mounted it.
    pub fn mounted(at: PathBuf) -> Self {
        Self { at }
    }
}

impl Unlock for BootPartition {
    fn set_writable(&self, is_writable: bool) -> Result<(), KeeperError> {
        let lock = if is_writable { MsFlags::empty() } else { MsFlags::MS_RDONLY };
        let changed = mount(None::<&str>, &self.at, None::<&str>, MsFlags::MS_REMOUNT | GUARDED | lock, None::<&str>);
        let doing = if is_writable { "open it for writing" } else { "close it for writing" };
        changed.map_err(|error| KeeperError::file(&self.at, doing)(error.into()))
    }
}

/// Mount the disk for data. After an error in its own structures the kernel writes to it no more.
pub fn mount_data(device: &Path, at: &Path) -> io::Result<()> {
    Ok(mount(Some(device), at, Some("ext4"), GUARDED, Some("errors=remount-ro"))?)
}

/// What takes its place: memory, so much of it.
pub fn mount_memory(at: &Path, size_bytes: u64) -> io::Result<()> {
    let options = format!("mode=0755,size={size_bytes}");
    Ok(mount(Some("tmpfs"), at, Some("tmpfs"), GUARDED, Some(options.as_str()))?)
}

/// Whether something is mounted there: it is on another device than the folder around it.
pub fn is_mounted(at: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev());
    match (device(at), device(&at.join(".."))) {
        (Ok(own), Ok(around)) => own != around,
        _ => false,
    }
}

/// Take it away again. What is still used there is cut off.
pub fn unmount(at: &Path) -> io::Result<()> {
    match umount2(at, MntFlags::empty()) {
        Err(nix::errno::Errno::EBUSY) => Ok(umount2(at, MntFlags::MNT_DETACH)?),
        ended => Ok(ended?),
    }
}

/// Room that a file may take.
pub fn free_bytes(at: &Path) -> io::Result<u64> {
    let found = statvfs(at)?;
    #[allow(clippy::useless_conversion, reason = "both are of other types on other machines")]
    Ok(u64::from(found.blocks_available()).saturating_mul(u64::from(found.fragment_size())))
}

/// How the machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It starts anew.
    Restart,
    /// It is switched off.
    PowerOff,
}

/// End it. Comes back only if the kernel refuses.
pub fn end(how: End) -> io::Error {
    sync();
    let how = match how {
        End::Restart => RebootMode::RB_AUTOBOOT,
        End::PowerOff => RebootMode::RB_POWER_OFF,
    };
    match reboot(how) {
        Err(error) => error.into(),
        Ok(never) => match never {},
    }
}
