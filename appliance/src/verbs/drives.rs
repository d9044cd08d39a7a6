// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What all verbs that work on drives have in common: a batch is carried out, shown, and summed up.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use platen_events::{DriveLabel, JobEnd, JobKind};
use platen_station::core::Outcome;
use platen_station::{Exit, Failure, Finished, Order, Paths, stopped};

use crate::board::DriveBoard;
use crate::output::{Output, human_bytes, table};

/// Carry out an order and say how each job ended. `headline` is for people, when the first job begins.
pub fn run(
    order: Order,
    headline: &str,
    paths: &Paths,
    stop: &Arc<AtomicBool>,
    output: &Arc<Output>,
) -> Result<ExitCode, Failure> {
    let mut board = DriveBoard::new(output, headline);
    let finished = platen_station::run(order, paths, stop, &mut board)?;
    let (failed, refused) = match &finished.outcome {
        Outcome::Refused(refused) => return Err(Failure::of_all(Some("nothing was written"), refused)),
        Outcome::NotStarted(failure) => return Err(failure.clone()),
        Outcome::Stopped => return Err(stopped()),
        Outcome::Done { failed, cancelled, refused, .. } => (failed + cancelled, refused),
    };
    summary(&finished, paths, output);
    if finished.still_held > 0 {
        let count = finished.still_held;
        output.say(&format!("{count} drive(s) still hang: this program ends when they answer or are pulled"));
    }
    match &**refused {
        [] if failed == 0 => Ok(ExitCode::SUCCESS),
        [] => Ok(Exit::Drive.into()),
        // What could not even be looked at says nothing about the others.
        [others @ .., last] => {
            others.iter().for_each(|failure| output.failure(failure));
            let worst = refused.iter().map(|failure| failure.exit).max().unwrap_or(last.exit);
            Err(last.clone().exiting(worst))
        }
    }
}

/// What was moved, and how fast, for each drive that was written to.
fn summary(finished: &Finished, paths: &Paths, output: &Output) {
    let ended = finished.jobs().iter().filter_map(|job| {
        let (job, label) = finished.record.job(*job)?;
        Some((job.kind, label, job.end.as_ref()?))
    });
    let rows: Vec<Vec<String>> =
        ended.filter(|(kind, ..)| *kind != JobKind::Verify).map(|(_, label, end)| row(label, end)).collect();
    if rows.is_empty() {
        return;
    }
    let header = ["PORT", "WRITTEN", "AT", "READ BACK", "AT", "VERDICT"];
    output.text(|| format!("\n{}\n\nledger: {}", table(&header, &rows), paths.ledger.display()));
}

fn row(label: &DriveLabel, end: &JobEnd) -> Vec<String> {
    let speed = |bytes: u64, ms: u64| format!("{:.0} MiB/s", bytes as f64 / 1_048_576.0 / (ms.max(1) as f64 / 1000.0));
    match end.moved {
        Some(moved) => vec![
            label.port.clone(),
            human_bytes(moved.written_bytes),
            speed(moved.written_bytes, moved.write_ms),
            human_bytes(moved.verified_bytes),
            speed(moved.verified_bytes, moved.verify_ms),
            end.verdict.to_string(),
        ],
        None => {
            let code = end.verdict.code().map_or_else(String::new, |code| code.to_string());
            vec![label.port.clone(), "-".into(), "-".into(), "-".into(), "-".into(), format!("{} {code}", end.verdict)]
        }
    }
}
