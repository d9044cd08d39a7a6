// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The two questions for which the kernel has no file: what a loop device stands on, and reading a partition table anew.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

/// `struct loop_info64` of `linux/loop.h`.
#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    real_device: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

nix::ioctl_read_bad!(loop_get_status64, 0x4c05, LoopInfo64);
nix::ioctl_none!(reread_partitions, 0x12, 95);

/// What a loop device stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backing {
    /// A file, by the device number of its file system and its inode.
    File { device: u64, inode: u64 },
    /// Another block device, by its number.
    Device(u64),
}

/// Ask a loop device; None when nothing is attached to it.
pub(crate) fn loop_backing(node: &Path) -> io::Result<Option<Backing>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(node)?;
    let mut info = LoopInfo64 {
        device: 0,
        inode: 0,
        real_device: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: 0,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
    // SAFETY: LOOP_GET_STATUS64 fills one `struct loop_info64`, which `LoopInfo64` has the size and layout of; any bytes
    // are valid in its integers. The descriptor is open as long as `file` lives.
    match unsafe { loop_get_status64(file.as_raw_fd(), &raw mut info) } {
        Err(nix::errno::Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(_) if info.real_device != 0 => Ok(Some(Backing::Device(decode(info.real_device)))),
        Ok(_) => Ok(Some(Backing::File { device: decode(info.device), inode: info.inode })),
    }
}

/// Let the kernel read the partition table of a drive that is open for writing.
pub(crate) fn read_partition_table(file: &File) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument. The descriptor is open as long as `file` lives.
    unsafe { reread_partitions(file.as_raw_fd()) }.map(drop).map_err(io::Error::from)
}

/// `new_encode_dev` of the kernel, taken apart: eight bits of the minor number, twelve of the major, the rest of the
/// minor.
fn decode(device: u64) -> u64 {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    nix::sys::stat::makedev(major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(size_of::<LoopInfo64>(), 232);
        assert_eq!(decode(0x0801), nix::sys::stat::makedev(8, 1));
        assert_eq!(decode(0x0010_0305), nix::sys::stat::makedev(3, 0x105));
    }
}
