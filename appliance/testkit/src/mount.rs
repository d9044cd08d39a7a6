// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! File systems that are small, full or read-only. Making one needs root.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::files::run;
use crate::need;

/// A mount that ends when this is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A file system of its own in memory.
pub struct SmallDisk(Mounted);

impl SmallDisk {
    /// Mount one of that size (as mount(8) writes sizes) on a folder, which is made. None: it may be skipped here.
    #[must_use]
    #[track_caller]
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        if !need::root() {
            return None;
        }
        fs::create_dir_all(at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(at));
        Some(Self(Mounted(at.to_owned())))
    }

    /// Bytes that still fit.
    pub fn free_bytes(&self) -> u64 {
        let stat = nix::sys::statvfs::statvfs(&self.0.0).unwrap();
        stat.blocks_available() * stat.fragment_size()
    }

    /// Fill it to the last byte.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.filler()).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    /// Take away what filled it.
    pub fn empty(&self) {
        let filled = fs::metadata(self.filler()).unwrap().len();
        fs::remove_file(self.filler()).unwrap();
        // A busy machine gives the pages back a moment later.
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.free_bytes() < filled && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.0.join("filler")
    }
}

/// A folder that nobody may write to, root included.
pub struct ReadOnly(#[allow(dead_code, reason = "unmounts when it is dropped")] Mounted);

impl ReadOnly {
    /// Make this folder read-only. None: it may be skipped here.
    #[must_use]
    #[track_caller]
    pub fn make(folder: &Path) -> Option<Self> {
        if !need::root() {
            return None;
        }
        run(Command::new("mount").arg("--bind").args([folder, folder]));
        let mounted = Mounted(folder.to_owned());
        run(Command::new("mount").args(["-o", "remount,ro,bind"]).arg(folder));
        Some(Self(mounted))
    }
}
