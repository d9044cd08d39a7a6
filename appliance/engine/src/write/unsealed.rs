// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive that is being worked on, and what becomes of it when that ends early.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::warn;

use platen_events::Step;

use super::{WriteError, stop_if_asked};
use crate::content::byte_ranges::is_lone_zeros;
use crate::content::check::Differs;
use crate::content::markers::{Found, MARKER_BYTES, fill, look};
use crate::context::Context;
use crate::drive::{AlignedBuffer, Drive, DriveError, Trouble};
use crate::plan::WritePlan;

/// A GPT with its 128 entries takes 17 KiB (UEFI 2.10, 5.3), on drives with 4096-byte sectors 24 KiB.
const EDGE_BYTES: u64 = 64 << 10;

/// Dropping one that is not kept wipes its partition table.
pub(super) struct UnsealedDrive<'a> {
    pub(super) plan: &'a WritePlan,
    pub(super) drive: &'a mut dyn Drive,
    /// Of the marks on the places of the seal.
    nonce: u64,
    kept: bool,
}

impl<'a> UnsealedDrive<'a> {
    pub(super) fn new(plan: &'a WritePlan, drive: &'a mut dyn Drive) -> Self {
        // Marks of an earlier job must not be taken for those of this one; the address alone tells most of them apart.
        Self { plan, drive, nonce: getrandom::u64().unwrap_or_default(), kept: false }
    }

    /// It is right and recorded.
    pub(super) fn keep(mut self) {
        self.kept = true;
        self.drive.publish();
    }

    /// It may be another drive: it stays as it is, and is no medium.
    pub(super) fn leave(mut self) {
        self.kept = true;
    }

    /// The first of the marks on the places of the seal is there.
    pub(super) fn is_marked(&mut self) -> Result<bool, DriveError> {
        let sector_bytes = self.plan.shape().sector_bytes as usize;
        let reserved = self.reserved();
        let offset_bytes = reserved.first().expect("a medium has a seal").start;
        let mut sector = AlignedBuffer::new(sector_bytes);
        self.drive.read_at(offset_bytes, &mut sector)?;
        Ok(look(self.nonce, offset_bytes, &sector[..MARKER_BYTES]) == Found::Own)
    }

    /// Zero every place where a partition table or file system is looked for.
    pub(super) fn wipe_tables(&mut self) -> Result<(), DriveError> {
        self.wipe(self.plan.invalidate().to_vec(), false)
    }

    /// Zero the ends of these places: the tables themselves. Enough for a moment, and done in one.
    pub(super) fn wipe_edges(&mut self) -> Result<(), DriveError> {
        let edges = |range: &Range<u64>| {
            let edge_bytes = EDGE_BYTES.min(range.end - range.start);
            [range.start..range.start + edge_bytes, range.end - edge_bytes..range.end]
        };
        self.wipe(self.plan.invalidate().iter().flat_map(edges).collect(), false)
    }

    /// Put marks where the seal will be. As long as they are there, no other address is the same place; zeros would not
    /// tell that from a place that is to be zeros.
    pub(super) fn reserve(&mut self) -> Result<(), DriveError> {
        let mut marks = AlignedBuffer::new(1 << 20);
        for range in self.reserved() {
            let mut at_bytes = range.start;
            while at_bytes < range.end {
                let len = (range.end - at_bytes).min(marks.len() as u64) as usize;
                fill(self.nonce, at_bytes, &mut marks[..len]);
                self.drive.write_at(at_bytes, &marks[..len])?;
                at_bytes += len as u64;
            }
        }
        Ok(())
    }

    /// Make zeros of what the probe marked where the plan has long runs of zeros. Only samples of those are looked at
    /// before they are taken for granted, and a sample may miss the marks.
    pub(super) fn unmark(&mut self, marked: &[Range<u64>], context: &Context<'_>) -> Result<(), WriteError> {
        let plan = self.plan;
        let failed = |source| WriteError::Drive { step: Step::Prepare, source };
        for extent in plan.payload().iter().filter(|extent| is_lone_zeros(extent)) {
            let hole = extent.offset_bytes..extent.offset_bytes + extent.len_bytes;
            for range in marked.iter().flat_map(|marked| without(common(&hole, marked), plan.invalidate())) {
                stop_if_asked(context)?;
                if !self.drive.zero_at(range.start, range.end - range.start).map_err(failed)? {
                    self.wipe(vec![range], false).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    /// The places of the seal that are wiped first.
    fn reserved(&self) -> Vec<Range<u64>> {
        let mut reserved = Vec::new();
        for extent in self.plan.seal() {
            for wiped in self.plan.invalidate() {
                let sealed = extent.offset_bytes..extent.offset_bytes + extent.len_bytes;
                reserved.extend(Some(common(&sealed, wiped)).filter(|range| !range.is_empty()));
            }
        }
        reserved
    }

    /// The marks before `to_bytes` must be as they were put. On a drive smaller than it claims they are in truth the
    /// places of something else: sealing it would spoil what was just read back.
    pub(super) fn still_reserved(&mut self, to_bytes: u64, context: &Context<'_>) -> Result<(), WriteError> {
        let step = Step::Verify;
        let mut buffer = AlignedBuffer::new(1 << 20);
        for range in self.reserved() {
            let mut at_bytes = range.start;
            while at_bytes < range.end.min(to_bytes) {
                stop_if_asked(context)?;
                let len = (range.end.min(to_bytes) - at_bytes).min(buffer.len() as u64) as usize;
                let found = &mut buffer[..len];
                found.fill(0);
                self.drive.read_at(at_bytes, found).map_err(|source| WriteError::Drive { step, source })?;
                for (number, sector) in found.chunks_exact(MARKER_BYTES).enumerate() {
                    let offset_bytes = at_bytes + (number * MARKER_BYTES) as u64;
                    if look(self.nonce, offset_bytes, sector) != Found::Own {
                        let name = "a place kept free for the boot records".to_owned();
                        return Err(WriteError::Differs { step, source: Differs { offset_bytes, name } });
                    }
                }
                at_bytes += len as u64;
            }
        }
        Ok(())
    }

    /// `patient`: go on however slow it is.
    fn wipe(&mut self, ranges: Vec<Range<u64>>, patient: bool) -> Result<(), DriveError> {
        let zeros = AlignedBuffer::new(1 << 20);
        for range in ranges {
            let mut at_bytes = range.start;
            while at_bytes < range.end {
                let len = (range.end - at_bytes).min(zeros.len() as u64) as usize;
                match self.drive.write_at(at_bytes, &zeros[..len]) {
                    // It was moved all the same.
                    Err(error) if patient && error.trouble == Trouble::TooSlow => {}
                    answer => answer?,
                }
                at_bytes += len as u64;
            }
        }
        self.drive.flush()
    }
}

fn common(one: &Range<u64>, other: &Range<u64>) -> Range<u64> {
    one.start.max(other.start)..one.end.min(other.end)
}

/// What is left of a range without these, which are ascending.
fn without(range: Range<u64>, taken: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    let mut from = range.start;
    for taken in taken {
        left.push(from..range.end.min(taken.start));
        from = from.max(taken.end);
    }
    left.push(from..range.end);
    left.retain(|range| !range.is_empty());
    left
}

impl Drop for UnsealedDrive<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // While a panic unwinds, a second one would end the whole station. What was pulled is not wiped: another medium
        // may be in its place.
        let wiped = catch_unwind(AssertUnwindSafe(|| {
            self.drive.confirm()?;
            self.wipe(self.plan.invalidate().to_vec(), true)
        }));
        let port = &self.drive.facts().drive.port;
        match wiped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                warn!(%port, %error, cause, "the failed drive could not be wiped");
            }
            Err(_) => warn!(%port, "wiping the failed drive panicked"),
        }
    }
}
