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
use crate::drive::{Drive, DriveError, ReadDrive};
use crate::job::Context;
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
    written_bytes: u64,
}

/// Every byte written was read back from the device after the last write.
pub struct VerifiedDrive<'a> {
    armed: Armed<'a>,
    written_bytes: u64,
    verified_bytes: u64,
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
    let mut written_bytes = 0;
    for index in 0..tap.len() {
        stop_if_cancelled(context)?;
        let loaded = tap.load(index).map_err(WriteError::Content)?;
        let failed = |source| WriteError::Drive { step: Step::Write, source };
        armed.drive.write_at(loaded.piece.offset_bytes, loaded.bytes()).map_err(failed)?;
        written_bytes += loaded.piece.len as u64;
        context.progress(Step::Write, written_bytes, total_bytes);
    }
    armed.drive.flush().map_err(|source| WriteError::Drive { step: Step::Write, source })?;
    Ok(WrittenDrive { armed, tap, written_bytes })
}

impl<'a> WrittenDrive<'a> {
    /// Read everything back from the device and compare.
    pub fn verify(self, context: &Context<'_>) -> Result<VerifiedDrive<'a>, WriteError> {
        let Self { armed, mut tap, written_bytes } = self;
        context.started(Step::Verify, written_bytes);
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
            context.progress(Step::Verify, verified_bytes, written_bytes);
        }
        still_blank(armed.drive, armed.plan, context)?;
        Ok(VerifiedDrive { armed, written_bytes, verified_bytes })
    }
}

impl<'a> VerifiedDrive<'a> {
    /// Bytes written and bytes read back so far.
    pub fn bytes(&self) -> (u64, u64) {
        (self.written_bytes, self.verified_bytes)
    }

    /// Write what makes it a medium and read that back as well. Sector 0 goes last and on its own: a drive that loses
    /// power before that has no partition table.
    pub fn seal(self, record: &DriveRecord, context: &Context<'_>) -> Result<SealedDrive<'a>, WriteError> {
        let Self { armed, mut written_bytes, verified_bytes } = self;
        let plan = armed.plan;
        let record = record.to_bytes();
        let total_bytes = plan.seal().iter().map(|extent| extent.len_bytes).sum();
        context.started(Step::Seal, total_bytes);
        stop_if_cancelled(context)?;
        let failed = |source| WriteError::Drive { step: Step::Seal, source };
        let (last, first): (Vec<_>, Vec<_>) = plan.seal().iter().cloned().partition(|extent| extent.offset_bytes == 0);
        let mut buffer = AlignedBuffer::new(PIECE_BYTES);
        // The beginning of a disk image is more than a sector, and is kept here until the rest of it is saved.
        let mut head: Option<AlignedBuffer> = None;
        let mut rest_bytes = 0;
        for extents in [&first, &last] {
            let mut reader = PlanReader::new(plan, extents);
            for piece in pieces(extents) {
                let bytes = &mut buffer[..piece.len];
                reader.read(piece, bytes, &record).map_err(|error| WriteError::Content(Arc::new(error)))?;
                if piece.offset_bytes == 0 {
                    let head = head.insert(AlignedBuffer::new(piece.len));
                    head.copy_from_slice(bytes);
                } else {
                    armed.drive.write_at(piece.offset_bytes, bytes).map_err(failed)?;
                    rest_bytes += piece.len as u64;
                }
            }
        }
        if let Some(head) = &head {
            let sector = plan.shape().sector_bytes as usize;
            let (zero, rest) = head.split_at(sector.min(head.len()));
            if !rest.is_empty() {
                // Copied, so that it begins where memory is aligned.
                buffer[..rest.len()].copy_from_slice(rest);
                armed.drive.write_at(zero.len() as u64, &buffer[..rest.len()]).map_err(failed)?;
            }
            armed.drive.flush().map_err(failed)?;
            armed.drive.write_at(0, zero).map_err(failed)?;
            rest_bytes += head.len() as u64;
        }
        armed.drive.flush().map_err(failed)?;
        written_bytes += rest_bytes;
        let sealed_bytes = read_back(armed.drive, plan, plan.seal(), &record, Step::Seal, context)?;
        Ok(SealedDrive { armed, written_bytes, verified_bytes: verified_bytes + sealed_bytes })
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

/// The places the seal will be written to must be as they were wiped. On a drive smaller than it claims they are in
/// truth the places of something else: sealing it would spoil what was just read back.
fn still_blank(drive: &mut dyn ReadDrive, plan: &WritePlan, context: &Context<'_>) -> Result<(), WriteError> {
    let step = Step::Verify;
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    for piece in pieces(plan.seal()) {
        for wiped in plan.invalidate() {
            let from = piece.offset_bytes.max(wiped.start);
            let to = (piece.offset_bytes + piece.len as u64).min(wiped.end);
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
