//! One drive from plan to ledger. Whoever has many drives calls this once for each, on a thread of its own: nothing
//! is shared between drives but the reading of the content, the ledger and the report of events.

use std::time::Duration;

use platen_events::{Code, Event, Outcome};

use crate::context::Context;
use crate::drive::Drive;
use crate::ledger::{Ledger, NewEntry};
use crate::plan::WritePlan;
use crate::record::DriveRecord;
use crate::write::{SealedDrive, WriteError, write};

/// Write, read back, seal, record. The outcome is also reported as the drive's last event.
pub fn write_drive(plan: &WritePlan, drive: &mut dyn Drive, ledger: &Ledger, context: &Context<'_>) -> Outcome {
    let facts = drive.facts().clone();
    let started = context.clock.now();
    let mut times = Times::default();
    let result = run(plan, drive, context, &mut times);
    let media = plan.media();
    let mut entry = NewEntry {
        station: context.station.to_owned(),
        port: facts.drive.port.clone(),
        path: facts.drive.path.clone(),
        serial: facts.serial.clone().unwrap_or_default(),
        vendor_product: facts.vendor_product.map_or_else(String::new, |(v, p)| format!("{v:04x}:{p:04x}")),
        size_bytes: facts.size_bytes,
        medium: media.name().to_owned(),
        version: media.manifest().version.clone(),
        manifest_sha256: media.signed().manifest_digest().to_string(),
        read_back: facts.read_back.clone(),
        started,
        finished: context.clock.now(),
        written_bytes: 0,
        verified_bytes: 0,
        write_ms: times.write_ms,
        verify_ms: times.verify_ms,
        verdict: String::new(),
        code: String::new(),
        detail: String::new(),
    };
    let outcome = match result {
        Ok(sealed) => {
            entry.written_bytes = sealed.written_bytes;
            entry.verified_bytes = sealed.verified_bytes;
            entry.verdict = "READY".to_owned();
            match ledger.append(&entry) {
                Ok(_) => {
                    let outcome = Outcome::Ready {
                        written_bytes: sealed.written_bytes,
                        verified_bytes: sealed.verified_bytes,
                        write_ms: times.write_ms,
                        verify_ms: times.verify_ms,
                    };
                    sealed.keep();
                    outcome
                }
                // Dropped without `keep`: what is not recorded does not leave the station as a medium.
                Err(error) => Outcome::Failed { code: Code::LedgerFailed, detail: chain(&error) },
            }
        }
        Err(error) => {
            let (code, detail) = (error.code(), chain(&error));
            entry.verdict = code.entry().verdict.to_string();
            entry.code = code.to_string();
            entry.detail.clone_from(&detail);
            match ledger.append(&entry) {
                Ok(_) => Outcome::Failed { code, detail },
                Err(unrecorded) => {
                    Outcome::Failed { code, detail: format!("{detail}; not recorded: {}", chain(&unrecorded)) }
                }
            }
        }
    };
    (context.report)(Event::Finished { drive: facts.drive, outcome: outcome.clone() });
    outcome
}

#[derive(Default)]
struct Times {
    write_ms: u64,
    verify_ms: u64,
}

fn run<'a>(
    plan: &'a WritePlan,
    drive: &'a mut dyn Drive,
    context: &Context<'_>,
    times: &mut Times,
) -> Result<SealedDrive<'a>, WriteError> {
    let facts = drive.facts().clone();
    let begun = context.clock.elapsed();
    let ms_since = |then: Duration| (context.clock.elapsed() - then).as_millis() as u64;

    let written = write(plan, drive, context);
    times.write_ms = ms_since(begun);
    let begun = context.clock.elapsed();
    let verified = written?.verify(context);
    times.verify_ms = ms_since(begun);
    let verified = verified?;

    let payload_bytes = verified.payload_bytes();
    let record = DriveRecord {
        station: context.station.to_owned(),
        drive: facts.drive,
        serial: facts.serial,
        medium: plan.media().name().to_owned(),
        version: plan.media().manifest().version.clone(),
        manifest_sha256: plan.media().signed().manifest_digest(),
        verified_at: context.clock.now(),
        written_bytes: payload_bytes,
        verified_bytes: payload_bytes,
        read_back: facts.read_back,
    };
    verified.seal(&record, context)
}

/// An error and all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
