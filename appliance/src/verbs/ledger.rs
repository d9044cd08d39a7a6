// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen ledger`: who wrote what to which drive, and how it ended.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use platen_engine::{Clock, SystemClock};
use platen_events::Answer;
use platen_events::answer::DocumentFormat;
use platen_ledger::{Ledger, LedgerEntry, LedgerError, SignedHead};
use platen_station::{Exit, Failure, Paths};

use crate::answers::ledger_row;
use crate::args::{ExportFormat, LedgerVerb};
use crate::output::{Output, human_bytes, table};

pub fn run(verb: LedgerVerb, paths: &Paths, output: &Output) -> Result<ExitCode, Failure> {
    if !paths.ledger.is_file() {
        let text = format!("no ledger in {}: nothing was written here yet", paths.ledger.display());
        return Err(Failure::new(Exit::Request, text));
    }
    let ledger = Ledger::open_existing(&paths.ledger)?;
    match verb {
        LedgerVerb::List => {
            let entries = ledger.entries()?;
            let header =
                ["NO", "FINISHED", "JOB", "PORT", "SERIAL", "MEDIUM", "VERSION", "WRITTEN", "READ BACK", "VERDICT"];
            let answers = entries.iter().map(|row| Answer::LedgerRow(Box::new(ledger_row(row))));
            output.answers(answers, || table(&header, &entries.iter().map(line).collect::<Vec<_>>()));
        }
        LedgerVerb::Check { head } => {
            let head = head.map(|head| head.parse().or_else(|_| ledger.read_head(Path::new(&head)))).transpose();
            let (rows, head) = head.and_then(|head| ledger.check(head.as_ref())).map_err(judged)?;
            let checked = Answer::LedgerChecked { rows, head: head.to_string() };
            output.answer(checked, || format!("{rows} rows, chain whole; head {head}"));
        }
        LedgerVerb::Head => {
            let SignedHead { rows, head, signature } = signed_head(&ledger, paths)?;
            let answer = Answer::LedgerHead { rows, head: head.to_string(), signature: signature.clone() };
            output.answer(answer, || signature.trim_end().to_owned());
        }
        LedgerVerb::Export { format, head, public_key } => {
            // The head first: rows that are added meanwhile come after it.
            if let Some(path) = head {
                write(&path, &signed_head(&ledger, paths)?.signature)?;
            }
            if let Some(path) = public_key {
                write(&path, &ledger.public_key()?)?;
            }
            export(&ledger, format, output)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::new(Exit::Machine, format!("writing {}: {error}", path.display()));
    std::fs::write(path, text).map_err(failed)
}

/// The document itself; in the record it is one answer.
fn export(ledger: &Ledger, format: ExportFormat, output: &Output) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let format = match format {
        ExportFormat::Csv => ledger.export_csv(&mut bytes).map(|()| DocumentFormat::LedgerCsv),
        ExportFormat::Json => ledger.export_json(&mut bytes).map(|()| DocumentFormat::LedgerJson),
    }?;
    if output.is_json() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        output.answer(Answer::Document { format, of: None, text }, String::new);
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(&bytes).and_then(|()| out.flush()).map_err(|error| Failure::new(Exit::Machine, error))
}

fn signed_head(ledger: &Ledger, paths: &Paths) -> Result<SignedHead, Failure> {
    ledger.signed_head(&paths.station, SystemClock::new().now()).map_err(judged)
}

/// A ledger that was looked at and found wanting, rather than one that could not be looked at.
fn judged(error: LedgerError) -> Failure {
    let exit = match &error {
        error if error.is_tampering() => Exit::Drive,
        LedgerError::Head { .. } => Exit::Request,
        _ => Exit::Machine,
    };
    Failure::from(error).exiting(exit)
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
