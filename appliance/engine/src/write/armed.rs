//! A drive that is being worked on, and what becomes of it when that ends early.

use std::ops::Range;

use tracing::warn;

use crate::buffer::AlignedBuffer;
use crate::drive::{Drive, DriveError};
use crate::plan::WritePlan;

/// A GPT with its 128 entries takes 17 KiB (UEFI 2.10, 5.3), on drives with 4096-byte sectors 24 KiB.
const EDGE_BYTES: u64 = 64 << 10;

/// Dropping one that is not kept wipes its partition table.
pub(super) struct Armed<'a> {
    pub(super) plan: &'a WritePlan,
    pub(super) drive: &'a mut dyn Drive,
    kept: bool,
}

impl<'a> Armed<'a> {
    pub(super) fn new(plan: &'a WritePlan, drive: &'a mut dyn Drive) -> Self {
        Self { plan, drive, kept: false }
    }

    /// It is right and recorded.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    /// Zero every place where a partition table or file system is looked for.
    pub(super) fn disarm(&mut self) -> Result<(), DriveError> {
        self.wipe(self.plan.invalidate().to_vec())
    }

    /// Zero the ends of these places: the tables themselves. Enough for a moment, and done in one.
    pub(super) fn disarm_edges(&mut self) -> Result<(), DriveError> {
        let edges = |range: &Range<u64>| {
            let edge_bytes = EDGE_BYTES.min(range.end - range.start);
            [range.start..range.start + edge_bytes, range.end - edge_bytes..range.end]
        };
        self.wipe(self.plan.invalidate().iter().flat_map(edges).collect())
    }

    fn wipe(&mut self, ranges: Vec<Range<u64>>) -> Result<(), DriveError> {
        let zeros = AlignedBuffer::new(1 << 20);
        for range in ranges {
            let mut at_bytes = range.start;
            while at_bytes < range.end {
                let len = (range.end - at_bytes).min(zeros.len() as u64) as usize;
                self.drive.write_at(at_bytes, &zeros[..len])?;
                at_bytes += len as u64;
            }
        }
        self.drive.flush()
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = self.disarm()
        {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(port = %self.drive.facts().drive.port, %error, cause, "the failed drive could not be wiped");
        }
    }
}
