//! `platen ledger`: who wrote what to which drive, and how it ended.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use platen_engine::{Clock, SystemClock};
use platen_ledger::{Ledger, LedgerEntry, LedgerError, SignedHead};
use serde_json::json;

use crate::args::{ExportFormat, LedgerVerb, Places};
use crate::exit::{Exit, Failure};
use crate::output::{Output, human_bytes, table};

pub fn run(verb: LedgerVerb, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    if !places.ledger.is_file() {
        let text = format!("no ledger in {}: nothing was written here yet", places.ledger.display());
        return Err(Failure::new(Exit::Request, text));
    }
    let ledger = Ledger::open_existing(&places.ledger)?;
    match verb {
        LedgerVerb::List if output.is_json() => {
            for row in ledger.entries()? {
                output.result(&row, String::new);
            }
        }
        LedgerVerb::List => {
            let rows: Vec<Vec<String>> = ledger.entries()?.iter().map(line).collect();
            let header =
                ["NO", "FINISHED", "JOB", "PORT", "SERIAL", "MEDIUM", "VERSION", "WRITTEN", "READ BACK", "VERDICT"];
            output.result(&(), || table(&header, &rows));
        }
        LedgerVerb::Check { head } => {
            let head = head.map(|head| head.parse().or_else(|_| ledger.read_head(Path::new(&head)))).transpose();
            let (rows, head) = head.and_then(|head| ledger.check(head.as_ref())).map_err(judged)?;
            let value = json!({ "rows": rows, "head": head, "whole": true });
            output.result(&value, || format!("{rows} rows, chain whole; head {head}"));
        }
        LedgerVerb::Head => {
            let head = signed_head(&ledger, places)?;
            output.result(&head, || head.signature.trim_end().to_owned());
        }
        LedgerVerb::Export { format, head } => {
            // The head first: rows that are added meanwhile come after it.
            if let Some(path) = head {
                let text = |error| Failure::new(Exit::Machine, format!("writing {}: {error}", path.display()));
                std::fs::write(&path, signed_head(&ledger, places)?.signature).map_err(text)?;
            }
            let mut out = io::stdout().lock();
            match format {
                ExportFormat::Csv => ledger.export_csv(&mut out)?,
                ExportFormat::Json => ledger.export_json(&mut out)?,
            }
            out.flush().map_err(|error| Failure::new(Exit::Machine, error))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn signed_head(ledger: &Ledger, places: &Places) -> Result<SignedHead, Failure> {
    ledger.signed_head(&places.station, SystemClock::new().now()).map_err(judged)
}

/// A ledger that was looked at and found wanting, rather than one that could not be looked at.
fn judged(error: LedgerError) -> Failure {
    let exit = match &error {
        error if error.is_tampering() => Exit::Drive,
        LedgerError::Head { .. } => Exit::Request,
        _ => Exit::Machine,
    };
    Failure::new(exit, error)
}

fn line(row: &LedgerEntry) -> Vec<String> {
    let entry = &row.entry;
    let verdict = format!("{} {}", entry.verdict, entry.code);
    vec![
        row.number.to_string(),
        entry.finished.to_string(),
        entry.job.clone(),
        entry.port.clone(),
        entry.serial.clone(),
        entry.medium.clone(),
        entry.version.clone(),
        human_bytes(entry.written_bytes),
        human_bytes(entry.verified_bytes),
        verdict.trim_end().to_owned(),
    ]
}
