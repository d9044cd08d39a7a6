// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a partition holds, by the marks that each format puts at a fixed place. All marks are looked for: where two
//! formats left theirs, one of them is a remnant, and nobody can say which.

use std::io::{Read, Seek};

use super::source::{Part, Stop, u16_at, u32_at};

/// What is read to find the marks: the last of them, of btrfs, is just behind 64 KiB.
const HEAD_BYTES: u64 = 68 << 10;
/// Marks at the end: Linux RAID of the old formats puts them within the last 128 KiB.
const TAIL_BYTES: u64 = 128 << 10;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Fat,
    ExFat,
    Ntfs,
    Ext,
    /// Known by name only; all of it is copied.
    Other(&'static str),
}

/// A mark, and where it stands.
struct Mark {
    at: usize,
    bytes: &'static [u8],
    content: Content,
}

const fn mark(at: usize, bytes: &'static [u8], name: &'static str) -> Mark {
    Mark { at, bytes, content: Content::Other(name) }
}

/// As libblkid (util-linux) and the formats' own documents have them.
const MARKS: [Mark; 29] = [
    Mark { at: 3, bytes: b"NTFS    ", content: Content::Ntfs },
    Mark { at: 3, bytes: b"EXFAT   ", content: Content::ExFat },
    mark(3, b"-FVE-FS-", "BitLocker"),
    // BitLocker To Go: what older systems see is a small FAT volume, what is encrypted lies in clusters of its own.
    mark(0x1a8, &BITLOCKER_GUID, "BitLocker To Go"),
    mark(3, b"ReFS\0\0\0\0", "ReFS"),
    mark(0, b"LUKS\xba\xbe", "LUKS"),
    mark(0, b"XFSB", "XFS"),
    mark(0, b"hsqs", "squashfs"),
    mark(0, b"BTLK", "BitLocker"),
    mark(0, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcache"),
    mark(0x1000, b"\xfc\x4e\x2b\xa9", "Linux RAID"),
    mark(0, b"\xfc\x4e\x2b\xa9", "Linux RAID"),
    mark(0x10040, b"_BHRfS_M", "btrfs"),
    mark(0x400, b"\x10\x20\xf5\xf2", "F2FS"),
    mark(0x400, b"\xe2\xe1\xf5\xe0", "EROFS"),
    mark(0x400, b"H+\0\x04", "HFS+"),
    mark(0x400, b"HX\0\x05", "HFS+"),
    mark(0x400, b"BD", "HFS"),
    mark(0x20, b"NXSB", "APFS"),
    mark(0x8001, b"CD001", "ISO 9660"),
    mark(0x8001, b"BEA01", "UDF"),
    mark(0x200, b"LABELONE", "LVM"),
    mark(0, b"LABELONE", "LVM"),
    mark(0x400, b"LABELONE", "LVM"),
    mark(0x600, b"LABELONE", "LVM"),
    mark(0xff6, b"SWAPSPACE2", "swap"),
    mark(0x1ff6, b"SWAPSPACE2", "swap"),
    mark(0x3ff6, b"SWAPSPACE2", "swap"),
    mark(0xfff6, b"SWAPSPACE2", "swap"),
];

/// {4967d63b-2e29-4ad8-8399-f6a339e3d001}
const BITLOCKER_GUID: [u8; 16] =
    [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];

/// Everything that left its mark here.
pub(super) fn recognise<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Vec<Content>, Stop> {
    let head = part.read(0, part.len_bytes().min(HEAD_BYTES) as usize)?;
    let mut found: Vec<Content> = Vec::new();
    for mark in MARKS.iter().filter(|mark| head.get(mark.at..).is_some_and(|rest| rest.starts_with(mark.bytes))) {
        if !found.contains(&mark.content) {
            found.push(mark.content);
        }
    }
    // ext4 disk layout, "The Super Block": s_magic.
    if u16_at(&head, 0x400 + 0x38) == 0xef53 {
        found.push(Content::Ext);
    }
    if looks_like_fat(&head) {
        found.push(Content::Fat);
    }
    let tail_bytes = part.len_bytes().min(TAIL_BYTES);
    let tail = part.read(part.len_bytes() - tail_bytes, tail_bytes as usize)?;
    if ends_with_raid(&tail, part.len_bytes()) {
        found.push(Content::Other("RAID member"));
    }
    Ok(found)
}

/// fatgen103, "Boot Sector and BPB", as far as every FAT volume keeps to it.
fn looks_like_fat(head: &[u8]) -> bool {
    let (sector, per_cluster) = (u16_at(head, 11), head.get(13).copied().unwrap_or(0));
    let has_code = matches!(head, [0xeb, _, 0x90, ..] | [0xe9, ..]);
    let is_media = head.get(21).is_some_and(|&media| media == 0xf0 || media >= 0xf8);
    has_code
        && matches!(sector, 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && u16_at(head, 14) > 0
        && head.get(16).is_some_and(|&tables| tables > 0)
        && is_media
        && u16_at(head, 510) == 0xaa55
}

/// A member of an array can look like what the array holds: these formats have their marks at the end only.
fn ends_with_raid(tail: &[u8], len_bytes: u64) -> bool {
    let start = len_bytes - tail.len() as u64;
    let at = |offset: u64| offset.checked_sub(start).and_then(|at| tail.get(at as usize..)).unwrap_or_default();
    // md(4): 0.90 in the last whole 64 KiB but one boundary, 1.0 at 8 to 12 KiB from the end.
    let old = (len_bytes & !0xffff).checked_sub(0x10000).map(at).unwrap_or_default();
    let new = (len_bytes.saturating_sub(0x2000)) & !0xfff;
    let last_sector = |back: u64| at(len_bytes.saturating_sub(512 * back));
    u32_at(old, 0) == 0xa92b_4efc
        || u32_at(at(new), 0) == 0xa92b_4efc
        // Intel Matrix Storage; SNIA Disk Data Format, section 5.1.
        || last_sector(2).starts_with(b"Intel Raid ISM Cfg Sig.")
        || last_sector(1).starts_with(&[0xde, 0x11, 0xde, 0x11])
}

/// What messages call them.
pub(super) fn names(contents: &[Content]) -> String {
    let name = |content: &Content| match content {
        Content::Fat => "FAT",
        Content::ExFat => "exFAT",
        Content::Ntfs => "NTFS",
        Content::Ext => "ext2/3/4",
        Content::Other(name) => name,
    };
    match contents {
        [] => "not recognised".to_owned(),
        all => all.iter().map(name).collect::<Vec<_>>().join(" and "),
    }
}
