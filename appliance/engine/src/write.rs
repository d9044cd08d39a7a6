//! Write, read back, seal: three types, each made only by the one before it.
//!
//! Whatever goes wrong, the drive is left without a partition table: it is wiped first, the table comes last, and a
//! failure wipes it again (which a drive that is gone or dying may refuse; it has no table then either, unless it
//! failed in the very last write).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use platen_events::{Code, Step};
use platen_media::Blake3;
use platen_media::manifest::NotValid;
use tracing::warn;

use crate::PIECE_BYTES;
use crate::buffer::AlignedBuffer;
use crate::check::{Differs, ReadBackCheck};
use crate::context::Context;
use crate::drive::{Drive, DriveError, ReadDrive};
use crate::plan::{PlannedExtent, WritePlan};
use crate::record::DriveRecord;
use crate::shared::Tap;
use crate::source::{PlanReader, SourceError};
use crate::spans::pieces;

/// Why a drive is not ready.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The drive failed.
    #[error("{} the drive", match step { Step::Prepare => "preparing", Step::Write => "writing", Step::Verify => "reading back", Step::Seal => "sealing" })]
    Drive { step: Step, source: DriveError },
    /// The drive gives back other bytes than it was given.
    #[error("read back: expected what was written")]
    Differs { step: Step, source: Differs },
    /// The station's own content can't be read or is damaged.
    #[error("content")]
    Content(#[source] Arc<SourceError>),
    /// The medium's window closed between planning and writing.
    #[error("medium {name}")]
    NotValid { name: String, source: NotValid },
    /// The drive is not the one the plan was made for.
    #[error("the plan is for a drive of {planned_bytes} bytes, this one has {found_bytes}")]
    OtherDrive { planned_bytes: u64, found_bytes: u64 },
    /// Stopped by the operator.
    #[error("stopped before the drive was finished")]
    Cancelled,
}

impl WriteError {
    /// What the operator is told.
    pub fn code(&self) -> Code {
        match self {
            Self::Drive { source, .. } => source.code(),
            Self::Differs { step: Step::Seal, .. } => Code::SealFailed,
            Self::Differs { .. } => Code::ReadBackDiffers,
            Self::Content(error) if matches!(**error, SourceError::Damaged { .. }) => Code::CacheDamaged,
            Self::Content(_) => Code::CacheMissing,
            Self::NotValid { source: NotValid::Expired { .. }, .. } => Code::Expired,
            Self::NotValid { .. } => Code::NotYetValid,
            Self::OtherDrive { .. } => Code::Vanished,
            Self::Cancelled => Code::Cancelled,
        }
    }
}

/// A drive being worked on. Dropping one that is not sealed wipes its partition table.
struct Armed<'a> {
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    sealed: bool,
}

impl Armed<'_> {
    /// Zero every place where a partition table or file system is looked for.
    fn disarm(&mut self) -> Result<(), DriveError> {
        let zeros = AlignedBuffer::new(1 << 20);
        for range in self.plan.invalidate() {
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
        if !self.sealed
            && let Err(error) = self.disarm()
        {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(port = %self.drive.facts().drive.port, %error, cause, "the failed drive could not be wiped");
        }
    }
}

/// All content is written and flushed; nothing was read back, nothing makes it a medium yet.
pub struct WrittenDrive<'a> {
    armed: Armed<'a>,
    tap: Tap,
    payload_bytes: u64,
    begun: Option<BegunSeal>,
}

/// Every byte written was read back from the device after the last write.
pub struct VerifiedDrive<'a> {
    armed: Armed<'a>,
    payload_bytes: u64,
    begun: Option<BegunSeal>,
}

/// A seal of which only sector 0 is missing.
struct BegunSeal {
    /// Empty for a plan that writes none.
    sector_zero: AlignedBuffer,
    /// Written so far, sector 0 not among them.
    written_bytes: u64,
}

/// Boot sectors, partition table and record are written and read back too. It boots.
#[must_use = "a sealed drive counts only once it is recorded"]
pub struct SealedDrive<'a> {
    armed: Armed<'a>,
    pub(crate) written_bytes: u64,
    pub(crate) verified_bytes: u64,
}

/// Wipe what was on the drive, then write everything but the seal.
pub fn write<'a>(
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    context: &Context<'_>,
) -> Result<WrittenDrive<'a>, WriteError> {
    let (planned, found) = (plan.shape(), drive.facts());
    if (planned.size_bytes, planned.sector_bytes) != (found.size_bytes, found.sector_bytes) {
        return Err(WriteError::OtherDrive { planned_bytes: planned.size_bytes, found_bytes: found.size_bytes });
    }
    let manifest = plan.media().manifest();
    let valid = manifest.validity.at(context.clock.now(), manifest.created);
    valid.map_err(|source| WriteError::NotValid { name: plan.media().name().to_owned(), source })?;

    let mut armed = Armed { plan, drive, sealed: false };
    let total_bytes = plan.payload().iter().map(|extent| extent.len_bytes).sum();
    context.started(Step::Prepare, 0);
    armed.disarm().map_err(|source| WriteError::Drive { step: Step::Prepare, source })?;

    context.started(Step::Write, total_bytes);
    let mut tap = context.sources.tap(plan);
    let mut payload_bytes = 0;
    let failed = |source| WriteError::Drive { step: Step::Write, source };
    for index in 0..tap.len() {
        stop_if_cancelled(context)?;
        let loaded = tap.load(index).map_err(WriteError::Content)?;
        armed.drive.write_at(loaded.piece.offset_bytes, loaded.bytes()).map_err(failed)?;
        payload_bytes += loaded.piece.len as u64;
        context.progress(Step::Write, payload_bytes, total_bytes);
    }
    // An image's first part is large and needs no record: written now, it can't spoil what is read back after it.
    let is_image = plan.scheme().is_none();
    let begun = if is_image { Some(begin_seal(&mut armed, &[], Step::Write, context)?) } else { None };
    armed.drive.flush().map_err(failed)?;
    Ok(WrittenDrive { armed, tap, payload_bytes, begun })
}

/// Write the seal but for sector 0. Not flushed.
fn begin_seal(
    armed: &mut Armed<'_>,
    record: &[u8],
    step: Step,
    context: &Context<'_>,
) -> Result<BegunSeal, WriteError> {
    let plan = armed.plan;
    let sector = plan.shape().sector_bytes as usize;
    let mut reader = PlanReader::new(plan, plan.seal());
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    let mut begun = BegunSeal { sector_zero: AlignedBuffer::new(0), written_bytes: 0 };
    for piece in pieces(plan.seal()) {
        stop_if_cancelled(context)?;
        let bytes = &mut buffer[..piece.len];
        reader.read(piece, bytes, record).map_err(|error| WriteError::Content(Arc::new(error)))?;
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
            armed.drive.write_at(from, &buffer[..len]).map_err(failed)?;
            begun.written_bytes += len as u64;
        }
    }
    Ok(begun)
}

impl<'a> WrittenDrive<'a> {
    /// Read everything back from the device and compare.
    pub fn verify(self, context: &Context<'_>) -> Result<VerifiedDrive<'a>, WriteError> {
        let Self { armed, mut tap, payload_bytes, begun } = self;
        context.started(Step::Verify, payload_bytes);
        let mut buffer = AlignedBuffer::new(PIECE_BYTES);
        let mut verified_bytes = 0;
        for index in 0..tap.len() {
            stop_if_cancelled(context)?;
            let piece = tap.piece(index);
            let found = &mut buffer[..piece.len];
            poison(found);
            let failed = |source| WriteError::Drive { step: Step::Verify, source };
            armed.drive.read_at(piece.offset_bytes, found).map_err(failed)?;
            if Blake3::of(found) != tap.digest(index) {
                let source = differs(armed.plan, &mut tap, index, found)?;
                return Err(WriteError::Differs { step: Step::Verify, source });
            }
            verified_bytes += piece.len as u64;
            context.progress(Step::Verify, verified_bytes, payload_bytes);
        }
        let blank_to = if begun.is_some() { u64::from(armed.plan.shape().sector_bytes) } else { u64::MAX };
        still_blank(armed.drive, armed.plan, blank_to, context)?;
        Ok(VerifiedDrive { armed, payload_bytes, begun })
    }
}

impl<'a> VerifiedDrive<'a> {
    /// Bytes of the payload: all of them were written and read back.
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Write what makes it a medium and read that back as well. Sector 0 goes last and on its own: a drive that loses
    /// power before that has no partition table.
    pub fn seal(self, record: &DriveRecord, context: &Context<'_>) -> Result<SealedDrive<'a>, WriteError> {
        let Self { mut armed, payload_bytes, begun } = self;
        let plan = armed.plan;
        let record = record.to_bytes();
        let total_bytes = plan.seal().iter().map(|extent| extent.len_bytes).sum();
        context.started(Step::Seal, total_bytes);
        stop_if_cancelled(context)?;
        let failed = |source| WriteError::Drive { step: Step::Seal, source };
        let begun = match begun {
            Some(begun) => begun,
            None => {
                let begun = begin_seal(&mut armed, &record, Step::Seal, context)?;
                armed.drive.flush().map_err(failed)?;
                begun
            }
        };
        if !begun.sector_zero.is_empty() {
            armed.drive.write_at(0, &begun.sector_zero).map_err(failed)?;
            armed.drive.flush().map_err(failed)?;
        }
        let seal_bytes = begun.written_bytes + begun.sector_zero.len() as u64;
        let sealed_bytes = read_back(armed.drive, plan, plan.seal(), &record, Step::Seal, context)?;
        let (written_bytes, verified_bytes) = (payload_bytes + seal_bytes, payload_bytes + sealed_bytes);
        Ok(SealedDrive { armed, written_bytes, verified_bytes })
    }
}

impl SealedDrive<'_> {
    /// The drive may keep its seal: its result is recorded. Without this it is wiped when dropped.
    pub(crate) fn keep(mut self) {
        self.armed.sealed = true;
    }
}

/// Compare a drive that was written before with the plan it would be written by. This is how raw images are verified:
/// they carry no manifest.
pub fn compare(plan: &WritePlan, drive: &mut dyn ReadDrive, context: &Context<'_>) -> Result<u64, WriteError> {
    let payload_bytes = read_back(drive, plan, plan.payload(), &[], Step::Verify, context)?;
    Ok(payload_bytes + read_back(drive, plan, plan.seal(), &[], Step::Verify, context)?)
}

fn read_back(
    drive: &mut dyn ReadDrive,
    plan: &WritePlan,
    extents: &[PlannedExtent],
    record: &[u8],
    step: Step,
    context: &Context<'_>,
) -> Result<u64, WriteError> {
    let total_bytes = extents.iter().map(|extent| extent.len_bytes).sum();
    let mut check = ReadBackCheck::new(plan, extents, record);
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    let mut done_bytes = 0;
    for piece in pieces(extents) {
        stop_if_cancelled(context)?;
        let bytes = &mut buffer[..piece.len];
        poison(bytes);
        drive.read_at(piece.offset_bytes, bytes).map_err(|source| WriteError::Drive { step, source })?;
        check.check(piece, bytes).map_err(|source| WriteError::Differs { step, source })?;
        done_bytes += piece.len as u64;
        context.progress(step, done_bytes, total_bytes);
    }
    Ok(done_bytes)
}

/// The places before `blank_to` that the seal will be written to must be as they were wiped. On a drive smaller than it claims they are in
/// truth the places of something else: sealing it would spoil what was just read back.
fn still_blank(
    drive: &mut dyn ReadDrive,
    plan: &WritePlan,
    blank_to: u64,
    context: &Context<'_>,
) -> Result<(), WriteError> {
    let step = Step::Verify;
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    for piece in pieces(plan.seal()) {
        for wiped in plan.invalidate() {
            let from = piece.offset_bytes.max(wiped.start);
            let to = (piece.offset_bytes + piece.len as u64).min(wiped.end).min(blank_to);
            if from >= to {
                continue;
            }
            stop_if_cancelled(context)?;
            let bytes = &mut buffer[..(to - from) as usize];
            poison(bytes);
            drive.read_at(from, bytes).map_err(|source| WriteError::Drive { step, source })?;
            if let Some(at) = bytes.iter().position(|&byte| byte != 0) {
                let name = "a place kept free for the boot records".to_owned();
                return Err(WriteError::Differs { step, source: Differs { offset_bytes: from + at as u64, name } });
            }
        }
    }
    Ok(())
}

/// A read that moves nothing must not leave the last piece's bytes to be compared: one word of every sector is made
/// what no sensible content has there.
fn poison(bytes: &mut [u8]) {
    for sector in bytes.chunks_mut(512) {
        let len = sector.len().min(8);
        sector[..len].copy_from_slice(&[0xa5, 0x5a, 0x3c, 0xc3, 0x96, 0x69, 0xf0, 0x0f][..len]);
    }
}

/// Where a piece that hashes wrong differs first.
fn differs(plan: &WritePlan, tap: &mut Tap, index: usize, found: &[u8]) -> Result<Differs, WriteError> {
    let expected = tap.load(index).map_err(WriteError::Content)?;
    let at = expected.bytes().iter().zip(found).position(|(a, b)| a != b).unwrap_or(0);
    let offset_bytes = expected.piece.offset_bytes + at as u64;
    Ok(Differs { offset_bytes, name: plan.name_at(offset_bytes) })
}

fn stop_if_cancelled(context: &Context<'_>) -> Result<(), WriteError> {
    if context.cancelled.load(Ordering::Relaxed) { Err(WriteError::Cancelled) } else { Ok(()) }
}
