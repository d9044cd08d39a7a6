// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives read and written past the page cache, without any of the product's code; and the blind programs of the
//! controls, which trust whatever the system says.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FallocateFlags, fallocate};

pub const PIECE_BYTES: usize = 1 << 20;
const ALIGN_BYTES: usize = 4096;

/// Memory that O_DIRECT accepts.
struct Buffer {
    bytes: Vec<u8>,
    from: usize,
}

impl Buffer {
    fn new() -> Self {
        let bytes = vec![0; PIECE_BYTES + ALIGN_BYTES];
        let from = bytes.as_ptr().align_offset(ALIGN_BYTES);
        Self { bytes, from }
    }

    fn piece(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + len]
    }
}

fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).custom_flags(nix::libc::O_DIRECT).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn pieces(ranges: &[Range<u64>]) -> impl Iterator<Item = (u64, usize)> + '_ {
    ranges.iter().flat_map(|range| {
        let len = |at: u64| (range.end - at).min(PIECE_BYTES as u64) as usize;
        (range.start..range.end).step_by(PIECE_BYTES).map(move |at| (at, len(at)))
    })
}

/// These places of the drive into the same places of `bytes`.
pub fn read(path: &Path, ranges: &[Range<u64>], bytes: &mut [u8]) {
    let (file, mut buffer) = (open(path), Buffer::new());
    for (at, len) in pieces(ranges) {
        let piece = buffer.piece(len);
        // What can't be read is nothing.
        if file.read_exact_at(piece, at).is_err() {
            piece.fill(0);
        }
        bytes[at as usize..at as usize + len].copy_from_slice(piece);
    }
}

/// These places of `bytes` into the same places of the drive.
pub fn write(path: &Path, ranges: &[Range<u64>], bytes: &[u8]) {
    let (file, mut buffer) = (open(path), Buffer::new());
    for (at, len) in pieces(ranges) {
        let piece = buffer.piece(len);
        piece.copy_from_slice(&bytes[at as usize..at as usize + len]);
        file.write_all_at(piece, at).unwrap_or_else(|error| panic!("{} at {at}: {error}", path.display()));
    }
}

/// `blind-write IMAGE DRIVE RANGE...`: writes ascending, sector 0 first, and believes that all is well.
/// `blind-zero IMAGE DRIVE RANGE...`: the same, and lets the system zero what is all zeros.
/// `blind-check IMAGE DRIVE RANGE...`: compares, but neither looks whether a read moved anything nor clears its buffer.
pub fn blind(arguments: &[String]) -> i32 {
    let image = std::fs::read(&arguments[1]).expect("the image");
    let file = open(Path::new(&arguments[2]));
    let ranges: Vec<Range<u64>> = arguments[3..].iter().map(|text| parse(text)).collect();
    let mut buffer = Buffer::new();
    let mut differs = false;
    for (at, len) in pieces(&ranges) {
        let expected = &image[at as usize..at as usize + len];
        let piece = buffer.piece(len);
        piece.copy_from_slice(expected);
        match &*arguments[0] {
            "blind-zero" if piece.iter().all(|&byte| byte == 0) => {
                let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let _ = fallocate(&file, how, at as i64, len as i64);
            }
            "blind-check" => {
                let _ = file.read_at(piece, at);
                differs |= piece != expected;
            }
            _ => {
                let _ = file.write_at(piece, at);
            }
        }
    }
    let _ = file.sync_data();
    i32::from(differs)
}

/// A range as an argument of the blind programs.
pub fn argument(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}

fn parse(text: &str) -> Range<u64> {
    let (start, end) = text.split_once('-').expect("a range");
    start.parse().expect("a number")..end.parse().expect("a number")
}

/// Sorted, merged, and widened to whole blocks of the file system below.
pub fn merge(mut ranges: Vec<Range<u64>>, limit_bytes: u64) -> Vec<Range<u64>> {
    let block = ALIGN_BYTES as u64;
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let (start, end) = (range.start / block * block, range.end.next_multiple_of(block).min(limit_bytes));
        match merged.last_mut() {
            Some(last) if last.end >= start => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    merged
}

/// A small generator of pseudo-random numbers (SplitMix64): the same seed gives the same faults.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// Of `from..to`.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            word.copy_from_slice(&self.next().to_le_bytes()[..word.len()]);
        }
    }
}
