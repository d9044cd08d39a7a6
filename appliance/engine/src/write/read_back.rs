// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading everything back from the device and comparing it.

use std::sync::Arc;

use platen_events::Step;

use super::{Reuse, VerifiedDrive, WriteError, WrittenDrive, stop_if_asked};
use crate::PIECE_BYTES;
use crate::capacity::CapacityReport;
use crate::content::byte_ranges::pieces;
use crate::content::check::{Differs, ReadBackCheck};
use crate::content::shared::Subscription;
use crate::content::source::PlanReader;
use crate::context::Context;
use crate::drive::heartbeat::Waiting;
use crate::drive::{AlignedBuffer, DriveFacts, ReadDrive, Watch};
use crate::plan::{PlannedExtent, Purpose, WritePlan};

impl<'a> WrittenDrive<'a> {
    /// Read everything back from the device and compare.
    pub(crate) fn verify(self, context: &Context<'_>) -> Result<VerifiedDrive<'a>, WriteError> {
        let Self { mut unsealed, mut subscription, reuse, written_bytes, begun } = self;
        let plan = unsealed.plan;
        let total_bytes = plan.payload().iter().map(|extent| extent.len_bytes).sum();
        context.started(Step::Verify, Some(total_bytes));
        unsealed.drive.confirm().map_err(|source| WriteError::Drive { step: Step::Verify, source })?;
        let mut buffer = AlignedBuffer::new(PIECE_BYTES);
        let mut tested = CapacityReport::default();
        let mut verified_bytes = 0;
        for index in 0..subscription.len() {
            stop_if_asked(context)?;
            let piece = subscription.piece(index);
            let found = &mut buffer[..piece.len];
            poison(found);
            let failed = |source| WriteError::Drive { step: Step::Verify, source };
            unsealed.drive.read_at(piece.offset_bytes, found).map_err(failed)?;
            if let Purpose::Test { nonce } = plan.purpose() {
                tested.add(*nonce, piece.offset_bytes, found);
            } else if !subscription.is_known(index, found) {
                return Err(differs(plan, &mut subscription, index, found, reuse, context)?);
            }
            verified_bytes += piece.len as u64;
            context.progress(verified_bytes, total_bytes);
        }
        if !tested.is_good() {
            return Err(WriteError::Tested(tested));
        }
        let to_bytes = if begun.is_some() { u64::from(plan.shape().sector_bytes) } else { u64::MAX };
        unsealed.still_reserved(to_bytes, context)?;
        Ok(VerifiedDrive { unsealed, written_bytes, verified_bytes, begun })
    }
}

impl VerifiedDrive<'_> {
    /// What is known of the drive.
    pub(crate) fn facts(&self) -> &DriveFacts {
        self.unsealed.drive.facts()
    }

    /// Bytes of the payload: all of them were read back.
    pub(crate) fn verified_bytes(&self) -> u64 {
        self.verified_bytes
    }
}

/// Compare a drive that was written before with the plan it would be written by. This is how raw images are verified:
/// they carry no manifest. Returns how many bytes were read and right.
pub fn compare(plan: &WritePlan, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Result<u64, WriteError> {
    let parts = [plan.payload(), plan.seal()];
    let total_bytes = parts.iter().copied().flatten().map(|extent| extent.len_bytes).sum();
    let mut before_bytes = 0;
    watch.progress(0, total_bytes);
    for extents in parts {
        before_bytes += read_back(drive, plan, extents, &[], Step::Verify, &mut |done_bytes| {
            watch.progress(before_bytes + done_bytes, total_bytes);
            if watch.is_wanted() { Ok(()) } else { Err(WriteError::Cancelled) }
        })?;
    }
    Ok(before_bytes)
}

/// How many pieces are compared by [`begins_like`]; and how many are looked through for them, since some are all zeros.
const BEGINNING_PIECES: usize = 2;
const LOOKED_THROUGH_PIECES: usize = 64;

/// Whether the first pieces of a plan that say anything are on the drive: what is there may be what the plan makes.
pub fn begins_like(plan: &WritePlan, drive: &mut dyn ReadDrive) -> Result<bool, WriteError> {
    let (mut expected, mut found) = (vec![0; PIECE_BYTES], AlignedBuffer::new(PIECE_BYTES));
    let mut compared = 0;
    for extents in [plan.seal(), plan.payload()] {
        let mut reader = PlanReader::new(plan, extents);
        for piece in pieces(extents).take(LOOKED_THROUGH_PIECES) {
            let (expected, found) = (&mut expected[..piece.len], &mut found[..piece.len]);
            reader.read(piece, expected, &[]).map_err(|source| WriteError::Content(Arc::new(source)))?;
            if expected.iter().all(|&byte| byte == 0) {
                continue;
            }
            let failed = |source| WriteError::Drive { step: Step::Verify, source };
            drive.read_at(piece.offset_bytes, found).map_err(failed)?;
            if found != expected {
                return Ok(false);
            }
            compared += 1;
            if compared == BEGINNING_PIECES {
                return Ok(true);
            }
        }
    }
    Ok(compared > 0)
}

/// `each` is told how far it is, and may stop it. Returns how many bytes were read and right.
pub(super) fn read_back(
    drive: &mut dyn ReadDrive,
    plan: &WritePlan,
    extents: &[PlannedExtent],
    record: &[u8],
    step: Step,
    each: &mut dyn FnMut(u64) -> Result<(), WriteError>,
) -> Result<u64, WriteError> {
    let mut check = ReadBackCheck::new(plan, extents, record);
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    let mut done_bytes = 0;
    for piece in pieces(extents) {
        let bytes = &mut buffer[..piece.len];
        poison(bytes);
        drive.read_at(piece.offset_bytes, bytes).map_err(|source| WriteError::Drive { step, source })?;
        check.check(piece, bytes).map_err(|source| WriteError::Differs { step, source })?;
        done_bytes += piece.len as u64;
        each(done_bytes)?;
    }
    Ok(done_bytes)
}

/// A read that moves nothing must not leave the last piece's bytes to be compared: one word of every sector is made
/// what no sensible content has there.
fn poison(bytes: &mut [u8]) {
    const WORD: [u8; 8] = [0xa5, 0x5a, 0x3c, 0xc3, 0x96, 0x69, 0xf0, 0x0f];
    for word in bytes.chunks_mut(512).filter_map(<[u8]>::first_chunk_mut) {
        *word = WORD;
    }
}

/// Where a piece that hashes wrong differs first, and what that means.
fn differs(
    plan: &WritePlan,
    subscription: &mut Subscription,
    index: usize,
    found: &[u8],
    reuse: Reuse,
    context: &Context<'_>,
) -> Result<WriteError, WriteError> {
    let expected = context
        .wait_for(Waiting::Content, || subscription.load(index, &|| context.is_stopped()))
        .map_err(WriteError::of_content)?;
    let at = expected.bytes().iter().zip(found).position(|(a, b)| a != b).unwrap_or(0);
    let offset_bytes = expected.piece.offset_bytes + at as u64;
    let source = Differs { offset_bytes, name: plan.name_at(offset_bytes) };
    let present = || plan.present().unwrap_or_default().iter().any(|range| range.contains(&offset_bytes));
    // Only of media is anything presumed; an erased or tested drive was written as a whole.
    let presumes = reuse == Reuse::Matching && plan.media().is_some();
    let presumed = presumes && (expected.is_zero() || present());
    Ok(if presumed { WriteError::Changed(source) } else { WriteError::Differs { step: Step::Verify, source } })
}
