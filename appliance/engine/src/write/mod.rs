// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Write, read back, seal: three types, each made only by the one before it.
//!
//! Whatever goes wrong, the drive is left without a partition table: it is wiped first, the table comes last, and a
//! failure wipes it again (which a drive that is gone or dying may refuse; it has no table then either, unless it
//! failed in the very last write).

mod error;
mod piece_writer;
mod power_cycle;
mod read_back;
mod seal;
mod unsealed;

use platen_events::Step;

pub use self::error::WriteError;
pub use self::read_back::{begins_like, compare};
pub(crate) use self::seal::SealedDrive;

use self::piece_writer::PieceWriter;
pub(crate) use self::piece_writer::Reuse;
use self::seal::{BegunSeal, begin_seal};
use self::unsealed::UnsealedDrive;
use crate::capacity::probe::{Probed, probe};
use crate::content::shared::Subscription;
use crate::context::Context;
use crate::drive::Drive;
use crate::drive::heartbeat::Waiting;
use crate::plan::check_dates;
use crate::plan::{Purpose, Source, WritePlan};

/// All content is written and flushed; nothing was read back, nothing makes it a medium yet.
pub(crate) struct WrittenDrive<'a> {
    unsealed: UnsealedDrive<'a>,
    subscription: Subscription,
    reuse: Reuse,
    written_bytes: u64,
    begun: Option<BegunSeal>,
}

/// Every byte of the payload was read back from the device after the last write.
pub(crate) struct VerifiedDrive<'a> {
    unsealed: UnsealedDrive<'a>,
    written_bytes: u64,
    verified_bytes: u64,
    begun: Option<BegunSeal>,
}

/// Wipe what was on the drive, see whether it is as big as it claims, then write everything but the seal.
pub(crate) fn write<'a>(
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    reuse: Reuse,
    context: &Context<'_>,
) -> Result<WrittenDrive<'a>, WriteError> {
    let (planned, found) = (plan.shape(), drive.facts());
    if (planned.size_bytes, planned.sector_bytes) != (found.size_bytes, found.sector_bytes) {
        return Err(WriteError::OtherDrive { planned_bytes: planned.size_bytes, found_bytes: found.size_bytes });
    }
    if let Some(media) = plan.media() {
        // The plan may have been made a while ago.
        let manifest = media.manifest();
        let valid = check_dates(manifest.validity, manifest.created, context.clock.now());
        valid.map_err(|source| WriteError::NotValid { name: media.name().to_owned(), source })?;
    }

    // Only of the very drive that was opened may anything be wiped, also by what follows a failure.
    drive.confirm().map_err(|source| WriteError::Drive { step: Step::Prepare, source })?;
    let mut unsealed = UnsealedDrive::new(plan, drive);
    context.started(Step::Prepare, None);
    prepare(&mut unsealed, context)?;

    let total_bytes = plan.payload().iter().map(|extent| extent.len_bytes).sum();
    context.started(Step::Write, Some(total_bytes));
    let mut subscription = context.sources.subscription(plan);
    let mut writer = PieceWriter::new(plan, reuse);
    let mut done_bytes = 0;
    let failed = |source| WriteError::Drive { step: Step::Write, source };
    unsealed.drive.confirm().map_err(failed)?;
    for index in 0..subscription.len() {
        stop_if_asked(context)?;
        let loaded = context
            .wait_for(Waiting::Content, || subscription.load(index, &|| context.is_stopped()))
            .map_err(WriteError::of_content)?;
        writer.put(unsealed.drive, &loaded).map_err(failed)?;
        done_bytes += loaded.piece.len as u64;
        context.progress(done_bytes, total_bytes);
    }
    subscription.rest();
    // An image's first part is large and needs no record: written now, it can't spoil what is read back after it.
    let is_image = plan.scheme().is_none();
    let begun = if is_image { Some(begin_seal(&mut unsealed, &[], Step::Write, context)?) } else { None };
    unsealed.drive.flush().map_err(failed)?;
    Ok(WrittenDrive { unsealed, subscription, reuse, written_bytes: writer.written_bytes, begun })
}

/// From here on a drive that is pulled is no medium.
fn prepare(unsealed: &mut UnsealedDrive<'_>, context: &Context<'_>) -> Result<(), WriteError> {
    let failed = |source| WriteError::Drive { step: Step::Prepare, source };
    // A test asks every sector, erasing promises nothing about size, and a drive that is updated was asked before.
    let ask = matches!(unsealed.plan.purpose(), Purpose::Medium(_)) && unsealed.plan.present().is_none();
    let mut marked = [0..0, 0..0];
    if ask {
        unsealed.wipe_edges().map_err(failed)?;
        stop_if_asked(context)?;
        marked = match probe(unsealed.drive, stretch_bytes(unsealed.plan), context).map_err(failed)? {
            Probed::Good { marked } => marked,
            Probed::Fake(fake) => return Err(WriteError::Fake(fake)),
        };
    }
    unsealed.wipe_tables().and_then(|()| unsealed.reserve()).map_err(failed)?;
    unsealed.unmark(&marked, context)
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
