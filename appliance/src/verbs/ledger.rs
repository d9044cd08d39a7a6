//! `platen ledger`: who wrote what to which drive, and how it ended.

use std::io::{self, Write};
use std::process::ExitCode;

use platen_engine::ledger::{Ledger, LedgerEntry, LedgerError};
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
        LedgerVerb::Check { head } => match ledger.check(head.as_ref()) {
            Ok((rows, head)) => {
                let value = json!({ "rows": rows, "head": head, "whole": true });
                output.result(&value, || format!("{rows} rows, chain whole; head {head}"));
            }
            Err(error @ LedgerError::Broken { .. }) => return Err(Failure::new(Exit::Drive, error)),
            Err(error) => return Err(error.into()),
        },
        LedgerVerb::Export { format } => {
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
