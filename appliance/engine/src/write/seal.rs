// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What makes a drive a medium: written last, and read back.

use std::sync::Arc;

use platen_events::Step;

use super::read_back::read_back;
use super::unsealed::UnsealedDrive;
use super::{VerifiedDrive, WriteError, stop_if_asked};
use crate::PIECE_BYTES;
use crate::content::byte_ranges::pieces;
use crate::content::check::ContentCheck;
use crate::content::source::PlanReader;
use crate::context::Context;
use crate::drive::heartbeat::Waiting;
use crate::drive::{AlignedBuffer, DriveFacts};
use crate::plan::DriveRecord;

/// A seal of which only sector 0 is missing.
pub(super) struct BegunSeal {
    /// Empty for a plan that writes none.
    sector_zero: AlignedBuffer,
    /// Written so far, sector 0 not among them.
    written_bytes: u64,
}

/// Boot sectors, partition table and record are written and read back too. It boots.
#[must_use = "a sealed drive counts only once it is recorded"]
pub(crate) struct SealedDrive<'a> {
    unsealed: UnsealedDrive<'a>,
    pub(crate) written_bytes: u64,
    pub(crate) verified_bytes: u64,
}

/// Write the seal but for sector 0. Not flushed.
pub(super) fn begin_seal(
    unsealed: &mut UnsealedDrive<'_>,
    record: &[u8],
    step: Step,
    context: &Context<'_>,
) -> Result<BegunSeal, WriteError> {
    let plan = unsealed.plan;
    let sector = plan.shape().sector_bytes as usize;
    let mut reader = PlanReader::new(plan, plan.seal());
    let mut check = ContentCheck::new(plan, plan.seal());
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    let mut begun = BegunSeal { sector_zero: AlignedBuffer::new(0), written_bytes: 0 };
    for piece in pieces(plan.seal()) {
        stop_if_asked(context)?;
        let bytes = &mut buffer[..piece.len];
        let content = |error| WriteError::Content(Arc::new(error));
        let read_bytes = context.wait_for(Waiting::Content, || reader.read(piece, bytes, record));
        context.sources.count(read_bytes.map_err(content)?);
        check.check(piece, bytes).map_err(content)?;
        let (mut from, mut len) = (piece.offset_bytes, piece.len);
        if piece.offset_bytes == 0 {
            begun.sector_zero = AlignedBuffer::new(sector);
            begun.sector_zero.copy_from_slice(&bytes[..sector]);
            // Moved to the front, where memory is aligned.
            bytes.copy_within(sector.., 0);
            (from, len) = (sector as u64, piece.len - sector);
        }
        if len > 0 {
            let failed = |source| WriteError::Drive { step, source };
            unsealed.drive.write_at(from, &buffer[..len]).map_err(failed)?;
            begun.written_bytes += len as u64;
        }
    }
    Ok(begun)
}

impl<'a> VerifiedDrive<'a> {
    /// Write what makes it a medium and read that back as well. Sector 0 goes last and on its own: a drive that loses
    /// power before that has no partition table. Only media have a record, and only they have a seal.
    pub(crate) fn seal(
        self,
        record: Option<&DriveRecord>,
        context: &Context<'_>,
    ) -> Result<SealedDrive<'a>, WriteError> {
        let Self { mut unsealed, written_bytes, verified_bytes, begun } = self;
        let plan = unsealed.plan;
        let record = record.map_or_else(Vec::new, DriveRecord::to_bytes);
        let total_bytes = plan.seal().iter().map(|extent| extent.len_bytes).sum();
        if total_bytes > 0 {
            context.started(Step::Seal, Some(total_bytes));
        }
        stop_if_asked(context)?;
        let failed = |source| WriteError::Drive { step: Step::Seal, source };
        // Whoever has mounted it meanwhile would write into the medium.
        unsealed.drive.confirm().and_then(|()| unsealed.drive.confirm_unshared()).map_err(failed)?;
        let begun = match begun {
            Some(begun) => begun,
            None => {
                let begun = begin_seal(&mut unsealed, &record, Step::Seal, context)?;
                unsealed.drive.flush().map_err(failed)?;
                begun
            }
        };
        if !begun.sector_zero.is_empty() {
            unsealed.drive.write_at(0, &begun.sector_zero).map_err(failed)?;
            unsealed.drive.flush().map_err(failed)?;
        }
        let seal_bytes = begun.written_bytes + begun.sector_zero.len() as u64;
        let mut each = |done_bytes| {
            context.progress(done_bytes, total_bytes);
            stop_if_asked(context)
        };
        let sealed_bytes = read_back(unsealed.drive, plan, plan.seal(), &record, Step::Seal, &mut each)?;
        let (written_bytes, verified_bytes) = (written_bytes + seal_bytes, verified_bytes + sealed_bytes);
        Ok(SealedDrive { unsealed, written_bytes, verified_bytes })
    }
}

impl SealedDrive<'_> {
    /// What is known of the drive.
    pub(crate) fn facts(&self) -> &DriveFacts {
        self.unsealed.drive.facts()
    }

    /// The drive may keep its seal: its result is recorded. Without this it is wiped when dropped.
    pub(crate) fn keep(self) {
        self.unsealed.keep();
    }
}
