//! What of a piece has to be sent to the drive, and what can be spared because it is there already. Whatever is
//! spared is read back with everything else.

use std::ops::Range;

use crate::PIECE_BYTES;
use crate::buffer::AlignedBuffer;
use crate::drive::{Drive, DriveError};
use crate::plan::{Purpose, WritePlan};
use crate::shared::Loaded;

/// What differs is written in blocks of this size: the page of common flash.
const BLOCK_BYTES: usize = 16 << 10;

/// How a run of zeros is being dealt with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zeros {
    /// Read first: a new drive is zeros already, and reading is faster than writing and wears nothing.
    Look,
    /// The drive was told to make zeros of everything before this place.
    MadeUntil(u64),
    /// Something else is there, up to this place, as far as was looked; write.
    WriteUntil(u64),
}

/// Writes the pieces of one drive, ascending.
pub(super) struct Putter<'a> {
    plan: &'a WritePlan,
    /// Bytes sent to the drive.
    pub(super) written_bytes: u64,
    zeros: Zeros,
    has_zero_command: bool,
    /// What is on the drive.
    found: Option<AlignedBuffer>,
}

impl<'a> Putter<'a> {
    pub(super) fn new(plan: &'a WritePlan) -> Self {
        Self { plan, written_bytes: 0, zeros: Zeros::Look, has_zero_command: true, found: None }
    }

    pub(super) fn put(&mut self, drive: &mut dyn Drive, loaded: &Loaded) -> Result<(), DriveError> {
        match (self.plan.purpose(), self.plan.present()) {
            (Purpose::Erase(_) | Purpose::Test { .. }, _) => self.send(drive, loaded, 0..loaded.piece.len),
            (Purpose::Medium(_), _) if loaded.is_zero() => self.put_zeros(drive, loaded),
            (Purpose::Medium(_), None) => self.send(drive, loaded, 0..loaded.piece.len),
            (Purpose::Medium(_), Some(present)) => self.put_changes(drive, loaded, present),
        }
    }

    fn send(&mut self, drive: &mut dyn Drive, loaded: &Loaded, part: Range<usize>) -> Result<(), DriveError> {
        let at_bytes = loaded.piece.offset_bytes + part.start as u64;
        self.written_bytes += part.len() as u64;
        drive.write_at(at_bytes, &loaded.bytes()[part])
    }

    fn look(&mut self, drive: &mut dyn Drive, at_bytes: u64, len: usize) -> Result<&[u8], DriveError> {
        let found = &mut self.found.get_or_insert_with(|| AlignedBuffer::new(PIECE_BYTES))[..len];
        drive.read_at(at_bytes, found)?;
        Ok(found)
    }

    fn put_zeros(&mut self, drive: &mut dyn Drive, loaded: &Loaded) -> Result<(), DriveError> {
        let (at_bytes, len) = (loaded.piece.offset_bytes, loaded.piece.len);
        match self.zeros {
            Zeros::MadeUntil(end) if at_bytes < end => return Ok(()),
            Zeros::WriteUntil(end) if at_bytes < end => return self.send(drive, loaded, 0..len),
            _ => self.zeros = Zeros::Look,
        }
        if self.look(drive, at_bytes, len)? == loaded.bytes() {
            return Ok(());
        }
        let end_bytes = loaded.piece.run_end_bytes(self.plan.payload());
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
        let blocks = || (0..piece.len).step_by(BLOCK_BYTES).map(|from| from..(from + BLOCK_BYTES).min(piece.len));
        for doubtful in runs(blocks(), |block| !is_present(block)) {
            let at_bytes = piece.offset_bytes + doubtful.start as u64;
            let expected = &loaded.bytes()[doubtful.clone()];
            let found = self.look(drive, at_bytes, doubtful.len())?;
            let inside =
                (0..doubtful.len()).step_by(BLOCK_BYTES).map(|from| from..(from + BLOCK_BYTES).min(doubtful.len()));
            let changed: Vec<Range<usize>> = runs(inside, |block| found[block.clone()] != expected[block.clone()]);
            for part in changed {
                self.send(drive, loaded, doubtful.start + part.start..doubtful.start + part.end)?;
            }
        }
        Ok(())
    }
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
