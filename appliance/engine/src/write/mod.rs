//! Write, read back, seal: three types, each made only by the one before it.
//!
//! Whatever goes wrong, the drive is left without a partition table: it is wiped first, the table comes last, and a
//! failure wipes it again (which a drive that is gone or dying may refuse; it has no table then either, unless it
//! failed in the very last write).

mod armed;
mod error;
mod put;
mod read_back;
mod seal;
mod survey;

use platen_events::Step;

pub use self::error::WriteError;
pub use self::read_back::{begins_like, compare};
pub(crate) use self::seal::SealedDrive;
pub use self::survey::Survey;

use self::armed::Armed;
pub(crate) use self::put::Presume;
use self::put::Putter;
use self::seal::{BegunSeal, begin_seal};
use crate::context::Context;
use crate::drive::Drive;
use crate::notice::check_dates;
use crate::plan::{Purpose, Source, WritePlan};
use crate::probe::{Probed, probe};
use crate::pulse::Waiting;
use crate::shared::Tap;

/// All content is written and flushed; nothing was read back, nothing makes it a medium yet.
pub(crate) struct WrittenDrive<'a> {
    armed: Armed<'a>,
    tap: Tap,
    presume: Presume,
    written_bytes: u64,
    begun: Option<BegunSeal>,
}

/// Every byte of the payload was read back from the device after the last write.
pub(crate) struct VerifiedDrive<'a> {
    armed: Armed<'a>,
    written_bytes: u64,
    verified_bytes: u64,
    begun: Option<BegunSeal>,
}

/// Wipe what was on the drive, see whether it is as big as it claims, then write everything but the seal.
pub(crate) fn write<'a>(
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    presume: Presume,
    context: &Context<'_>,
) -> Result<WrittenDrive<'a>, WriteError> {
    let (planned, found) = (plan.shape(), drive.facts());
    if (planned.size_bytes, planned.sector_bytes) != (found.size_bytes, found.sector_bytes) {
        return Err(WriteError::OtherDrive { planned_bytes: planned.size_bytes, found_bytes: found.size_bytes });
    }
    if let Some(media) = plan.media() {
        // The plan may have been made a while ago.
        let valid = check_dates(media.manifest(), context.station.clock.now());
        valid.map_err(|source| WriteError::NotValid { name: media.name().to_owned(), source })?;
    }

    // Only of the very drive that was opened may anything be wiped, also by what follows a failure.
    drive.confirm().map_err(|source| WriteError::Drive { step: Step::Prepare, source })?;
    let mut armed = Armed::new(plan, drive);
    context.started(Step::Prepare, None);
    prepare(&mut armed, context)?;

    let total_bytes = plan.payload().iter().map(|extent| extent.len_bytes).sum();
    context.started(Step::Write, Some(total_bytes));
    let mut tap = context.station.sources.tap(plan);
    let mut putter = Putter::new(plan, presume);
    let mut done_bytes = 0;
    let failed = |source| WriteError::Drive { step: Step::Write, source };
    armed.drive.confirm().map_err(failed)?;
    for index in 0..tap.len() {
        stop_if_asked(context)?;
        let loaded = context.wait_for(Waiting::Content, || tap.load(index)).map_err(WriteError::Content)?;
        putter.put(armed.drive, &loaded).map_err(failed)?;
        done_bytes += loaded.piece.len as u64;
        context.progress(done_bytes, total_bytes);
    }
    tap.rest();
    // An image's first part is large and needs no record: written now, it can't spoil what is read back after it.
    let is_image = plan.scheme().is_none();
    let begun = if is_image { Some(begin_seal(&mut armed, &[], Step::Write, context)?) } else { None };
    armed.drive.flush().map_err(failed)?;
    Ok(WrittenDrive { armed, tap, presume, written_bytes: putter.written_bytes, begun })
}

/// From here on a drive that is pulled is no medium.
fn prepare(armed: &mut Armed<'_>, context: &Context<'_>) -> Result<(), WriteError> {
    let failed = |source| WriteError::Drive { step: Step::Prepare, source };
    // A test asks every sector, erasing promises nothing about size, and a drive that is updated was asked before.
    let ask = matches!(armed.plan.purpose(), Purpose::Medium(_)) && armed.plan.present().is_none();
    let mut marked = [0..0, 0..0];
    if ask {
        armed.disarm_edges().map_err(failed)?;
        stop_if_asked(context)?;
        marked = match probe(armed.drive, stretch_bytes(armed.plan), context).map_err(failed)? {
            Probed::Good { marked } => marked,
            Probed::Fake(fake) => return Err(WriteError::Fake(fake)),
        };
    }
    armed.disarm().and_then(|()| armed.reserve()).map_err(failed)?;
    armed.unmark(&marked, context)
}

/// How much has to be written at the end of the drive to push everything out of a cache that pretends to be storage;
/// none where the payload does that.
fn stretch_bytes(plan: &WritePlan) -> u64 {
    const CACHE_BYTES: u64 = 32 << 20;
    let size_bytes = plan.shape().size_bytes;
    let upper = plan.payload().iter().filter(|extent| extent.source != Source::Zero);
    let upper = upper.map(|e| (e.offset_bytes + e.len_bytes).saturating_sub(e.offset_bytes.max(size_bytes / 2)));
    if upper.sum::<u64>() < CACHE_BYTES { CACHE_BYTES.min(size_bytes / 4) } else { 0 }
}

fn stop_if_asked(context: &Context<'_>) -> Result<(), WriteError> {
    if context.is_stopped() { Err(WriteError::Cancelled) } else { Ok(()) }
}
