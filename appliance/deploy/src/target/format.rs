// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Volumes are formatted by the programs that their file systems come with.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::partition::random;
use super::places::Places;
use super::programs;
use crate::engine::machine::{FileSystem, MachineError};
use platen_sequence::layout::PartitionWish;

/// What GRUB 2.06 and every kernel since 3.18 can read: neither `metadata_csum_seed` nor `orphan_file`, which mke2fs 1.47
/// would add by itself. Said whole, since the boot image has no mke2fs.conf.
const EXT4_FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
    large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// Formats a partition that begins at a sector of its disk.
pub(super) fn format(
    places: &Places,
    device: &Path,
    first_lba: u64,
    file_system: FileSystem,
    wish: &PartitionWish,
) -> Result<(), MachineError> {
    if !wish.is_quick {
        check(device).map_err(|source| MachineError::Io {
            doing: "checking all of",
            path: device.to_owned(),
            source,
        })?;
    }
    let start = first_lba.to_string();
    let serial = format!("{:08x}", u32::from_le_bytes(random()?));
    let (name, mut arguments) = match file_system {
        FileSystem::Fat32 => ("mkfs.fat", vec!["-F", "32", "-i", &serial]),
        // Where it begins and the geometry are in its boot sector, by which a BIOS starts Windows; not every disk tells.
        FileSystem::Ntfs if u32::try_from(first_lba).is_ok() => {
            ("mkntfs", vec!["--quick", "--quiet", "-p", &start, "-H", "255", "-S", "63"])
        }
        FileSystem::Ntfs => ("mkntfs", vec!["--quick", "--quiet"]),
        FileSystem::Ext4 => {
            let (sizes, lazy) = (["-b", "4096", "-I", "256"], "lazy_itable_init=1,lazy_journal_init=1,nodiscard");
            ("mke2fs", [&["-q", "-F", "-t", "ext4", "-O", EXT4_FEATURES, "-E", lazy][..], &sizes[..]].concat())
        }
    };
    if !wish.label.is_empty() {
        arguments.extend([if file_system == FileSystem::Fat32 { "-n" } else { "-L" }, &wish.label]);
    }
    programs::run(places, name, arguments.iter().map(AsRef::as_ref).chain([device.as_os_str()]))
}

/// Reads every byte.
fn check(device: &Path) -> io::Result<()> {
    let mut file = File::open(device)?;
    let mut piece = vec![0; 1 << 20];
    while file.read(&mut piece)? > 0 {}
    Ok(())
}
