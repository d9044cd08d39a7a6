// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What this process needs of the machine, taken before a drive is touched.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;

/// Handles that one drive needs at most at one time: drive, disk sequence number, its own reading of the content, asking
/// whether it is still the same, and looking through sysfs.
const DRIVE_HANDLES: usize = 8;
/// Standard streams, ledger, shared reading.
const SHARED_HANDLES: usize = 16;

/// Whatever this program was started with: files it makes can be written by their owner only.
pub fn keep_files_private() {
    let mask = umask(Mode::empty());
    umask(mask | Mode::S_IWGRP | Mode::S_IWOTH);
}

/// See that there are handles for so many drives; an error names what is missing. The soft limit is raised to the hard
/// one: it is there for programs that use `select`.
pub fn reserve_handles(drives: usize) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    let wanted = drives * DRIVE_HANDLES + SHARED_HANDLES;
    let handles = (0..wanted).map(|_| File::open("/dev/null")).collect::<io::Result<Vec<_>>>();
    let text = |error| format!("{wanted} file handles are needed for {drives} drive(s), the limit is {hard}: {error}");
    handles.map(drop).map_err(|error| io::Error::other(text(error)))
}

/// Whoever is at the other end of a local socket answers for this machine: it is root, or runs as this program does
/// (unix(7), SO_PEERCRED: as it was when it connected).
pub fn is_owner(peer: &UnixStream) -> io::Result<bool> {
    let uid = getsockopt(peer, PeerCredentials)?.uid();
    Ok(uid == 0 || uid == geteuid().as_raw())
}
