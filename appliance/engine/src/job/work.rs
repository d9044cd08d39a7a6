// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One drive from plan to ledger. Nothing is shared between drives but the reading of the content, the ledger and the
//! report of events.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_events::{Code, Event, JobEnd, Moved};
use platen_media::Timestamp;

use super::row::{About, entry, record_failure};
use super::{Conclusion, Engine, Unrecorded};
use crate::chain;
use crate::context::Context;
use crate::drive::heartbeat::WatchedDrive;
use crate::drive::{Drive, ReadDrive};
use crate::plan::WritePlan;
use crate::plan::drive_record::{self, DriveRecord};
use crate::write::{Reuse, SealedDrive, WriteError, write};

/// Write, read back, seal, record; begin anew where the station's limits say so.
pub(crate) fn work(engine: &Engine, plan: &WritePlan, drive: &mut dyn Drive, context: &Context<'_>) -> JobEnd {
    let heartbeat = &context.heartbeat;
    let drive = &mut WatchedDrive::new(drive, heartbeat, &*engine.clock, engine.limits.minimum_bytes_per_s);
    let path = drive.facts().drive.path.clone();
    let job = context.teller.job();
    let about = About::plan(plan);
    let drive_id = context.teller.drive();
    context.tell(Event::JobStarted { job, kind: about.kind, drive: drive_id, medium: about.medium() });
    for notice in plan.notices() {
        tracing::info!(drive = %path, medium = %plan.title(), "{notice}");
        context.tell(Event::JobNotice { job, text: notice.to_string() });
    }
    let mut reuse = Reuse::Matching;
    let mut attempt = 1;
    loop {
        let started = engine.clock.now();
        let mut times = Times::default();
        let error = match run(engine, plan, drive, reuse, context, &mut times) {
            Ok(sealed) => {
                let given_up = !heartbeat.decide();
                return if given_up {
                    stopped()
                } else {
                    record_success(engine, &about, started, times, sealed, context.cancelled)
                };
            }
            Err(error) => error,
        };
        let error = not_the_drives_fault(&error, drive).unwrap_or(error);
        let facts = drive.facts().clone();
        // What it was presumed to hold is not there: nothing need be wrong with the drive.
        let presumed = matches!(error, WriteError::Changed(_));
        let again = presumed || (attempt < engine.limits.attempts && error.is_worth_another_try());
        if !again || context.is_stopped() {
            let given_up = !heartbeat.decide();
            return if given_up {
                stopped()
            } else {
                record_failure(engine, &about, &facts, started, (error.code(), chain(&error)), context.cancelled)
            };
        }
        let mut entry = entry(engine, &about, &facts, started);
        entry.conclude(Conclusion::Retried(error.code()));
        entry.detail = chain(&error);
        if let Err(Unrecorded { code, detail }) = engine.record(&entry, context.cancelled) {
            return JobEnd::failed(code, detail);
        }
        context.tell(Event::JobRetried { job, code: error.code().into(), detail: entry.detail });
        if presumed {
            reuse = Reuse::Nothing;
        } else {
            attempt += 1;
        }
    }
}

/// Wrong data is held against a drive that is still there and that nobody else has written to. This says what else it was.
fn not_the_drives_fault(error: &WriteError, drive: &mut dyn Drive) -> Option<WriteError> {
    let step = error.wrong_data()?;
    let asked = drive.confirm().and_then(|()| drive.confirm_unshared());
    asked.err().map(|source| WriteError::Drive { step, source })
}

/// Nobody waits for this any more; the one who gave the drive up has told how it ended.
pub(super) fn stopped() -> JobEnd {
    JobEnd::failed(Code::Stalled, "")
}

fn record_success(
    engine: &Engine,
    about: &About,
    started: Timestamp,
    times: Times,
    sealed: SealedDrive<'_>,
    cancelled: &AtomicBool,
) -> JobEnd {
    let facts = sealed.facts().clone();
    let mut entry = entry(engine, about, &facts, started);
    entry.written_bytes = sealed.written_bytes;
    entry.verified_bytes = sealed.verified_bytes;
    (entry.write_ms, entry.verify_ms) = (times.write_ms, times.verify_ms);
    entry.conclude(Conclusion::Ended(&about.kind.success()));
    match engine.record(&entry, cancelled) {
        Ok(()) => {
            let moved = Moved {
                written_bytes: sealed.written_bytes,
                verified_bytes: sealed.verified_bytes,
                write_ms: times.write_ms,
                verify_ms: times.verify_ms,
            };
            sealed.keep();
            JobEnd::success(about.kind, moved)
        }
        Err(Unrecorded { code, detail }) => {
            // Dropped without `keep`: what is not recorded does not leave the station as a medium. Should the row be
            // there after all, the next one says what became of the drive.
            drop(sealed);
            record_failure(engine, about, &facts, started, (code, detail), cancelled)
        }
    }
}

#[derive(Default)]
struct Times {
    write_ms: u64,
    verify_ms: u64,
}

fn run<'a>(
    engine: &Engine,
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    reuse: Reuse,
    context: &Context<'_>,
    times: &mut Times,
) -> Result<SealedDrive<'a>, WriteError> {
    let ms_since = |then: Duration| (engine.clock.elapsed() - then).as_millis() as u64;

    let begun = engine.clock.elapsed();
    let written = write(plan, drive, reuse, context)?;
    times.write_ms = ms_since(begun);
    let written = written.power_cycle(context)?;
    let begun = engine.clock.elapsed();
    let verified = written.verify(context)?;
    times.verify_ms = ms_since(begun);

    let facts = verified.facts().clone();
    let record = plan.media().map(|media| DriveRecord {
        schema: drive_record::SCHEMA,
        station: engine.name.clone(),
        vendor_product: facts.label().vendor_product,
        size_bytes: Some(facts.size_bytes),
        drive: facts.drive,
        serial: facts.serial,
        medium: media.name().to_owned(),
        version: media.manifest().version.clone(),
        manifest_sha256: media.signed().manifest_digest(),
        verified_at: engine.clock.now(),
        verified_bytes: verified.verified_bytes(),
        read_back: facts.read_back,
        signature: None,
    });
    let record = record.map(|record| signed(engine, record.fitted())).transpose()?;
    verified.seal(record.as_ref(), context)
}

/// The station says that it wrote this drive and read it back.
fn signed(engine: &Engine, record: DriveRecord) -> Result<DriveRecord, WriteError> {
    let comment = format!("platen drive record of {}", record.medium);
    let signature = engine.journal.sign(&record.signed_bytes(), &comment);
    let signature = signature.map_err(|Unrecorded { code, detail }| WriteError::Unsigned { code, detail })?;
    Ok(DriveRecord { signature: Some(signature), ..record })
}
