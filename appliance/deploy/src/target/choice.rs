// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which of the computer's disks a sequence gets, and what an earlier start left on them.

use std::path::Path;

use nix::mount::{MsFlags, mount, umount};

use super::RealMachine;
use super::mounts::serve_ntfs;
use crate::engine::machine::{FileSystem, TargetDisk, Volume};

impl RealMachine {
    /// From now on these are its disks, in this order. Others are not touched and have no number.
    pub fn take_disks(&mut self, disks: Vec<TargetDisk>) {
        self.disks = disks;
        self.volumes.clear();
        for disk in 0..self.disks.len() {
            self.find_volumes(disk);
        }
        self.give_letters();
    }

    /// What `look` finds in a volume's files. Nothing is written for that, not even what a file system would put in
    /// order when it is mounted: nobody has allowed anything yet. None: it can't be mounted.
    pub fn peek<T>(&self, volume: &Volume, look: impl FnOnce(&Path) -> T) -> Option<T> {
        let device = self.device(volume).ok()?;
        let point = self.places.mounts.join("peek");
        std::fs::create_dir_all(&point).ok()?;
        let by_kernel = |kind: &str, options: Option<&str>| {
            let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some(&device), &point, Some(kind), flags, options).ok().map(|()| None)
        };
        let server = match volume.file_system {
            FileSystem::Ext4 => by_kernel("ext4", Some("noload")),
            FileSystem::Fat32 => by_kernel("vfat", None),
            FileSystem::Ntfs => serve_ntfs(&self.places, &device, &point, "ro,norecover").ok().map(Some),
        }?;
        let found = look(&point);
        if umount(&point).is_ok()
            && let Some(mut server) = server
        {
            let _ = server.wait();
        }
        Some(found)
    }
}
