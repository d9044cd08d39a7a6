//! A drive that is being worked on, and what becomes of it when that ends early.

use std::ops::Range;

use tracing::warn;

use crate::buffer::AlignedBuffer;
use crate::drive::{Drive, DriveError};
use crate::plan::WritePlan;

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
        self.wipe(|_| true)
    }

    /// Zero those of them again that were written to since.
    pub(super) fn disarm_again(&mut self, dirty: &[Range<u64>]) -> Result<(), DriveError> {
        self.wipe(|range| dirty.iter().any(|dirty| dirty.start < range.end && range.start < dirty.end))
    }

    fn wipe(&mut self, which: impl Fn(&Range<u64>) -> bool) -> Result<(), DriveError> {
        let zeros = AlignedBuffer::new(1 << 20);
        for range in self.plan.invalidate().iter().filter(|range| which(range)) {
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
