// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What of a piece has to be sent to the drive, and what can be spared because it is there already. Whatever is
//! spared is read back with everything else.

use std::ops::Range;

use crate::PIECE_BYTES;
use crate::content::shared::Loaded;
use crate::drive::{AlignedBuffer, Drive, DriveError};
use crate::plan::{Purpose, WritePlan};

/// What differs is written in blocks of this size: the page of common flash.
const BLOCK_BYTES: usize = 16 << 10;
/// A run of zeros up to this length is read as a whole before it is written; of a longer one only a sample of each piece
/// is read.
const WHOLE_LOOK_BYTES: u64 = 16 << 20;
const SAMPLE_BYTES: usize = 64 << 10;
/// Where a sector is found that is not zeros, the drive is told to zero this many bytes from there, and is looked at again
/// behind them. The length doubles each time: old data may be a few sectors, or fill the whole drive.
const FIRST_STRIDE_BYTES: u64 = PIECE_BYTES as u64;
/// The most that one command zeroes: a drive that takes long for more would seem to hang.
const LAST_STRIDE_BYTES: u64 = 1 << 30;
/// The drive's old content is read in steps of this size, so that dozens of drives need little memory.
const LOOK_BYTES: usize = 256 << 10;

/// What is presumed to be on the drive already. The read-back checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// That it holds the content the plan calls present, and zeros where samples of zeros were found.
    Matching,
    /// Nothing: every byte is written.
    Nothing,
}
/// How the writer handles the run of zeros it is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zeros {
    /// Read first: a new drive is zeros already, and reading is faster than writing and wears nothing.
    Look,
    /// The drive was told to make zeros of everything before this place.
    MadeUntil(u64),
    /// Other data was found, and the drive has no zero command: write zeros up to this place.
    WriteUntil(u64),
}

/// Writes the pieces of one drive, ascending.
pub(super) struct PieceWriter<'a> {
    plan: &'a WritePlan,
    reuse: Reuse,
    /// Bytes sent to the drive.
    pub(super) written_bytes: u64,
    zeros: Zeros,
    stride_bytes: u64,
    has_zero_command: bool,
    /// What is on the drive; made when first needed.
    found: Option<AlignedBuffer>,
}

impl<'a> PieceWriter<'a> {
    pub(super) fn new(plan: &'a WritePlan, reuse: Reuse) -> Self {
        let stride_bytes = FIRST_STRIDE_BYTES;
        Self { plan, reuse, written_bytes: 0, zeros: Zeros::Look, stride_bytes, has_zero_command: true, found: None }
    }

    pub(super) fn put(&mut self, drive: &mut dyn Drive, loaded: &Loaded) -> Result<(), DriveError> {
        let is_medium = matches!(self.plan.purpose(), Purpose::Medium(_));
        match self.plan.present() {
            _ if !is_medium || self.reuse == Reuse::Nothing => self.send(drive, loaded, 0..loaded.piece.len),
            _ if loaded.is_zero() => self.put_zeros(drive, loaded),
            None => self.send(drive, loaded, 0..loaded.piece.len),
            Some(present) => self.put_changes(drive, loaded, present),
        }
    }

    fn send(&mut self, drive: &mut dyn Drive, loaded: &Loaded, part: Range<usize>) -> Result<(), DriveError> {
        let at_bytes = loaded.piece.offset_bytes + part.start as u64;
        self.written_bytes += part.len() as u64;
        drive.write_at(at_bytes, &loaded.bytes()[part])
    }

    /// At most [`LOOK_BYTES`].
    fn look(&mut self, drive: &mut dyn Drive, at_bytes: u64, len: usize) -> Result<&[u8], DriveError> {
        let found = &mut self.found.get_or_insert_with(|| AlignedBuffer::new(LOOK_BYTES))[..len];
        drive.read_at(at_bytes, found)?;
        Ok(found)
    }

    /// The drive holds these bytes.
    fn holds(&mut self, drive: &mut dyn Drive, at_bytes: u64, bytes: &[u8]) -> Result<bool, DriveError> {
        for (number, part) in bytes.chunks(LOOK_BYTES).enumerate() {
            if self.look(drive, at_bytes + (number * LOOK_BYTES) as u64, part.len())? != part {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn put_zeros(&mut self, drive: &mut dyn Drive, loaded: &Loaded) -> Result<(), DriveError> {
        let (at_bytes, len) = (loaded.piece.offset_bytes, loaded.piece.len);
        match self.zeros {
            Zeros::MadeUntil(end) if at_bytes < end => return Ok(()),
            Zeros::WriteUntil(end) if at_bytes < end => return self.send(drive, loaded, 0..len),
            _ => self.zeros = Zeros::Look,
        }
        let run = loaded.piece.zero_run(self.plan.payload());
        let sample = if run.end - run.start > WHOLE_LOOK_BYTES { len.min(SAMPLE_BYTES) } else { len };
        if self.holds(drive, at_bytes, &loaded.bytes()[..sample])? {
            self.stride_bytes = FIRST_STRIDE_BYTES;
            return Ok(());
        }
        let end_bytes = run.end.min(at_bytes + self.stride_bytes);
        self.stride_bytes = (2 * self.stride_bytes).min(LAST_STRIDE_BYTES);
        self.has_zero_command = self.has_zero_command && drive.zero_at(at_bytes, end_bytes - at_bytes)?;
        if self.has_zero_command {
            self.zeros = Zeros::MadeUntil(end_bytes);
            return Ok(());
        }
        self.zeros = Zeros::WriteUntil(end_bytes);
        self.send(drive, loaded, 0..len)
    }

    /// Everything that is not presumed present is looked at; only blocks that differ are written.
    fn put_changes(
        &mut self,
        drive: &mut dyn Drive,
        loaded: &Loaded,
        present: &[Range<u64>],
    ) -> Result<(), DriveError> {
        let piece = loaded.piece;
        let is_present = |block: &Range<usize>| {
            let (from, to) = (piece.offset_bytes + block.start as u64, piece.offset_bytes + block.end as u64);
            let after = present.partition_point(|range| range.start <= from);
            present[..after].last().is_some_and(|range| to <= range.end)
        };
        for doubtful in runs(blocks(0..piece.len, BLOCK_BYTES), |block| !is_present(block)) {
            for step in blocks(doubtful, LOOK_BYTES) {
                let expected = &loaded.bytes()[step.clone()];
                let found = self.look(drive, piece.offset_bytes + step.start as u64, step.len())?;
                let differs = |block: &Range<usize>| found[block.clone()] != expected[block.clone()];
                let changed = runs(blocks(0..step.len(), BLOCK_BYTES), differs);
                for part in changed {
                    self.send(drive, loaded, step.start + part.start..step.start + part.end)?;
                }
            }
        }
        Ok(())
    }
}

/// A range in steps; the last one may be shorter.
fn blocks(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(step).map(move |from| from..(from + step).min(range.end))
}

/// Neighbouring blocks of which something holds, as one range each.
fn runs(blocks: impl Iterator<Item = Range<usize>>, holds: impl Fn(&Range<usize>) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for block in blocks.filter(|block| holds(block)) {
        match runs.last_mut() {
            Some(last) if last.end == block.start => last.end = block.end,
            _ => runs.push(block),
        }
    }
    runs
}
