// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading from a part of the drive, and from nowhere else.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// What is read at once, at most.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// Why a reader gives up.
#[derive(Debug)]
pub(super) enum Stop {
    /// The drive can't be read. Nothing can be said of it.
    Read(io::Error),
    /// What was read is not what its standard says, or not known here: all of it must be copied.
    Whole(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// All of it must be copied, because of this.
pub(super) fn whole<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Whole(why.into()))
}

/// A part of a drive: a partition, or all of it.
pub(super) struct Part<'a, D> {
    pub(super) drive: &'a mut D,
    /// In bytes from the start of the drive.
    pub(super) range: Range<u64>,
}

impl<D: Read + Seek> Part<'_, D> {
    pub(super) fn len_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Fill `bytes` from a place in this part.
    pub(super) fn read_into(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), Stop> {
        let start = self.range.start.checked_add(offset_bytes);
        let end = start.and_then(|start| start.checked_add(bytes.len() as u64));
        match (start, end) {
            (Some(start), Some(end)) if end <= self.range.end => {
                self.drive.seek(SeekFrom::Start(start))?;
                Ok(self.drive.read_exact(bytes)?)
            }
            _ => whole("it refers to a place outside of itself"),
        }
    }

    /// A few bytes, never more than [`PIECE_BYTES`].
    pub(super) fn read(&mut self, offset_bytes: u64, len: usize) -> Result<Vec<u8>, Stop> {
        let mut bytes = vec![0; len.min(PIECE_BYTES)];
        self.read_into(offset_bytes, &mut bytes)?;
        Ok(bytes)
    }
}

/// Numbers in the byte order of all these formats. What is behind the end is zero.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|found| found.try_into().ok()).unwrap_or([0; N])
}
