//! One drive from plan to ledger. Nothing is shared between drives but the reading of the content, the ledger and the
//! report of events.

use std::time::Duration;

use platen_events::{Code, Event, Outcome};
use platen_media::{Timestamp, chain};

use crate::Station;
use crate::context::Context;
use crate::drive::{Drive, DriveFacts, ReadDrive};
use crate::ledger::NewEntry;
use crate::plan::WritePlan;
use crate::pulse::Watched;
use crate::record::{self, DriveRecord};
use crate::recorder::Unrecorded;
use crate::write::{Presume, SealedDrive, WriteError, write};

/// Verdict of an attempt after which the drive was begun anew.
const RETRIED: &str = "RETRIED";

/// Write, read back, seal, record; begin anew where the station's limits say so.
pub(crate) fn work(plan: &WritePlan, drive: &mut dyn Drive, context: &Context<'_>) -> Outcome {
    let station = context.station;
    let pulse = &context.pulse;
    let drive = &mut Watched::new(drive, pulse, &*station.clock, station.limits.floor_bytes_per_s);
    let facts = drive.facts().clone();
    for notice in plan.notices() {
        tracing::info!(drive = %facts.drive.path, medium = %plan.title(), "{notice}");
        context.tell(Event::Notice { drive: facts.drive.clone(), text: notice.to_string() });
    }
    let mut presume = Presume::Likely;
    let mut attempt = 1;
    loop {
        let started = station.clock.now();
        let mut times = Times::default();
        let error = match run(plan, drive, presume, context, &mut times) {
            Ok(sealed) => {
                let given_up = !pulse.decide();
                return if given_up {
                    stopped()
                } else {
                    record_success(context, plan, &facts, started, times, sealed)
                };
            }
            Err(error) => error,
        };
        let error = not_the_drives_fault(&error, drive).unwrap_or(error);
        // What it was presumed to hold is not there: nothing need be wrong with the drive.
        let presumed = matches!(error, WriteError::Changed(_));
        let again = presumed || (attempt < station.limits.attempts && error.is_worth_another_try());
        if !again || context.is_stopped() {
            let given_up = !pulse.decide();
            return if given_up {
                stopped()
            } else {
                let (code, detail) = (error.code(), chain(&error));
                record_failure(station, plan, &facts, started, code, detail)
            };
        }
        let mut entry = entry(station, plan, &facts, started);
        (entry.verdict, entry.code, entry.detail) = (RETRIED.to_owned(), error.code().to_string(), chain(&error));
        if let Err(Unrecorded { code, detail }) = station.record(&entry) {
            return Outcome::Failed { code, detail };
        }
        context.tell(Event::Retrying { drive: facts.drive.clone(), code: error.code(), detail: entry.detail });
        if presumed {
            presume = Presume::Nothing;
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
fn stopped() -> Outcome {
    Outcome::Failed { code: Code::Stalled, detail: String::new() }
}

fn record_success(
    context: &Context<'_>,
    plan: &WritePlan,
    facts: &DriveFacts,
    started: Timestamp,
    times: Times,
    sealed: SealedDrive<'_>,
) -> Outcome {
    let station = context.station;
    let mut entry = entry(station, plan, facts, started);
    entry.written_bytes = sealed.written_bytes;
    entry.verified_bytes = sealed.verified_bytes;
    (entry.write_ms, entry.verify_ms) = (times.write_ms, times.verify_ms);
    entry.verdict = plan.purpose().verdict().to_owned();
    entry.detail = plan.notices().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match station.record(&entry) {
        Ok(()) => {
            let outcome = Outcome::Ready {
                written_bytes: sealed.written_bytes,
                verified_bytes: sealed.verified_bytes,
                write_ms: times.write_ms,
                verify_ms: times.verify_ms,
            };
            sealed.keep();
            outcome
        }
        Err(Unrecorded { code, detail }) => {
            // Dropped without `keep`: what is not recorded does not leave the station as a medium. Should the row be
            // there after all, the next one says what became of the drive.
            drop(sealed);
            record_failure(station, plan, facts, started, code, detail)
        }
    }
}

/// A drive's row when it failed.
pub(crate) fn record_failure(
    station: &Station,
    plan: &WritePlan,
    facts: &DriveFacts,
    started: Timestamp,
    code: Code,
    detail: String,
) -> Outcome {
    let mut entry = entry(station, plan, facts, started);
    entry.verdict = code.entry().verdict.to_string();
    entry.code = code.to_string();
    entry.detail.clone_from(&detail);
    match station.record(&entry) {
        Ok(()) => Outcome::Failed { code, detail },
        Err(unrecorded) if unrecorded.code == code => Outcome::Failed { code, detail },
        Err(unrecorded) => Outcome::Failed { code, detail: format!("{detail}; not recorded: {}", unrecorded.detail) },
    }
}

/// A row that does not yet say how it ended.
fn entry(station: &Station, plan: &WritePlan, facts: &DriveFacts, started: Timestamp) -> NewEntry {
    let media = plan.media();
    NewEntry {
        station: station.name.clone(),
        job: plan.job().to_owned(),
        port: facts.drive.port.clone(),
        path: facts.drive.path.clone(),
        disk_sequence: facts.disk_sequence.map_or_else(String::new, |sequence| sequence.to_string()),
        serial: facts.serial.clone().unwrap_or_default(),
        vendor_product: facts.vendor_product.map_or_else(String::new, |(v, p)| format!("{v:04x}:{p:04x}")),
        size_bytes: facts.size_bytes,
        medium: media.map_or_else(String::new, |media| media.name().to_owned()),
        version: media.map_or_else(String::new, |media| media.manifest().version.clone()),
        manifest_sha256: media.map_or_else(String::new, |media| media.signed().manifest_digest().to_string()),
        read_back: facts.read_back.clone(),
        started,
        finished: station.clock.now(),
        written_bytes: 0,
        verified_bytes: 0,
        write_ms: 0,
        verify_ms: 0,
        verdict: String::new(),
        code: String::new(),
        detail: String::new(),
    }
}

#[derive(Default)]
struct Times {
    write_ms: u64,
    verify_ms: u64,
}

fn run<'a>(
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    presume: Presume,
    context: &Context<'_>,
    times: &mut Times,
) -> Result<SealedDrive<'a>, WriteError> {
    let facts = drive.facts().clone();
    let station = context.station;
    let ms_since = |then: Duration| (station.clock.elapsed() - then).as_millis() as u64;

    let begun = station.clock.elapsed();
    let written = write(plan, drive, presume, context)?;
    times.write_ms = ms_since(begun);
    let begun = station.clock.elapsed();
    let verified = written.verify(context)?;
    times.verify_ms = ms_since(begun);

    let record = plan.media().map(|media| DriveRecord {
        schema: record::SCHEMA,
        station: station.name.clone(),
        drive: facts.drive,
        serial: facts.serial,
        medium: media.name().to_owned(),
        version: media.manifest().version.clone(),
        manifest_sha256: media.signed().manifest_digest(),
        verified_at: station.clock.now(),
        verified_bytes: verified.verified_bytes(),
        read_back: facts.read_back,
    });
    verified.seal(record.as_ref(), context)
}
