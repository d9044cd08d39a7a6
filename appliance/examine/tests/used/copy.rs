// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A copy of the extents that are listed, and nothing else.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use platen_media::allocation::{Allocation, UsedExtent, UsedRegion};

use crate::tools::{Sources, folder};

/// What stands everywhere on a drive before the copy.
const BEFORE: u8 = 0xa5;

pub(crate) fn allocation(drive: &Path) -> Allocation {
    let file = File::open(drive).unwrap();
    let size_bytes = file.metadata().unwrap().len();
    let used = platen_examine::allocation(file, size_bytes, 512).unwrap();
    assert!(used.is_sound(size_bytes));
    used
}

/// Copy these extents to a drive that is full of something else.
pub(crate) fn copy(drive: &Path, to: &Path, extents: &[UsedExtent]) {
    let (from, mut copy) = (File::open(drive).unwrap(), File::create(to).unwrap());
    let size_bytes = from.metadata().unwrap().len();
    let piece = vec![BEFORE; 1 << 20];
    let mut left = size_bytes as usize;
    while left > 0 {
        let len = left.min(piece.len());
        copy.write_all(&piece[..len]).unwrap();
        left -= len;
    }
    for extent in extents {
        let mut bytes = vec![0; extent.len_bytes as usize];
        from.read_exact_at(&mut bytes, extent.offset_bytes).unwrap();
        copy.write_all_at(&bytes, extent.offset_bytes).unwrap();
    }
}

/// The only region of this name.
#[track_caller]
pub(crate) fn region<'a>(used: &'a Allocation, name: &str) -> &'a UsedRegion {
    let mut found = used.regions.iter().filter(|region| region.name == name);
    found.next().unwrap_or_else(|| panic!("{name} is not among {:?}", used.regions))
}

/// What is said of a volume that was changed so.
pub(crate) type Change<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));

/// A volume and what is known of it.
pub(crate) struct Volume<'a> {
    /// The image file.
    pub(crate) path: PathBuf,
    /// What it is called in the answer.
    pub(crate) content: &'a str,
    /// Bytes in use by another program's count.
    pub(crate) counted_bytes: u64,
    /// What may be copied above that.
    pub(crate) allowance_bytes: u64,
    /// Whether a volume is good, and its files are as they were.
    pub(crate) judge: &'a dyn Fn(&Path) -> Result<(), String>,
}

/// The volume copied by itself: the copy is good, no larger than it need be, and lacks nothing that is not missed.
#[track_caller]
pub(crate) fn judge_alone(volume: &Volume<'_>, sources: &Sources) {
    let used = allocation(&volume.path);
    let region = region(&used, "the whole drive");
    assert_eq!((&*region.content, &region.whole_because), (volume.content, &None));
    let (used_bytes, most_bytes) = (used.used_bytes(), volume.counted_bytes + volume.allowance_bytes);
    println!("{}: {used_bytes} bytes listed, {} counted", volume.content, volume.counted_bytes);
    assert!(
        (volume.counted_bytes..=most_bytes).contains(&used_bytes),
        "{}: {used_bytes} bytes are listed, {} are counted as in use, {most_bytes} are allowed",
        volume.content,
        volume.counted_bytes
    );
    assert_eq!(region.used_bytes, used_bytes);
    (volume.judge)(&volume.path).unwrap_or_else(|problem| panic!("{}: the master: {problem}", volume.content));
    let folder = folder();
    let to = folder.path().join("copy.img");
    copy(&volume.path, &to, &used.extents);
    (volume.judge)(&to).unwrap_or_else(|problem| panic!("{}: {problem}", volume.content));
    for without in take_away(&volume.path, &used.extents, sources) {
        copy(&volume.path, &to, &without);
        assert!((volume.judge)(&to).is_err(), "{}: nobody misses an extent", volume.content);
    }
}

/// The extents without the one that holds the beginning of the volume, and without 512 bytes of a file.
fn take_away(drive: &Path, extents: &[UsedExtent], sources: &Sources) -> [Vec<UsedExtent>; 2] {
    let bytes = std::fs::read(drive).unwrap();
    let needle = &sources.late.values().next().unwrap()[..512];
    let at = bytes.chunks(512).position(|sector| sector == needle).unwrap() as u64 * 512;
    let cut = extents.iter().flat_map(|extent| {
        let end = extent.offset_bytes + extent.len_bytes;
        let cut = at.clamp(extent.offset_bytes, end)..(at + 512).clamp(extent.offset_bytes, end);
        [(extent.offset_bytes, cut.start), (cut.end, end)]
    });
    let cut = cut.filter(|(start, end)| start < end);
    [
        extents[1..].to_vec(),
        cut.map(|(offset_bytes, end)| UsedExtent { offset_bytes, len_bytes: end - offset_bytes }).collect(),
    ]
}
