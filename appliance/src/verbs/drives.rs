//! What all verbs that work on drives have in common: open them all, run their jobs side by side, print the verdicts.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platen_device::{OpenedDrive, open_for_writing};
use platen_engine::ledger::Ledger;
use platen_engine::plan::{DriveShape, WritePlan};
use platen_engine::{Limits, ReadDrive, Running, Sources, Station, SystemClock};
use platen_events::{Code, DriveRef, Event, Outcome};
use serde_json::json;

use crate::args::{DriveOptions, Places};
use crate::exit::{Exit, Failure};
use crate::output::{DriveBoard, Output, human_bytes, table};

/// A drive and what will be made of it.
pub type Prepared = (OpenedDrive, WritePlan);

/// Open and plan every drive before the first byte is erased on any of them; if one is refused, all are left alone.
pub fn prepare(
    options: &DriveOptions,
    mut plan: impl FnMut(&mut OpenedDrive) -> Result<WritePlan, Failure>,
) -> Result<Vec<Prepared>, Failure> {
    let mut jobs: Vec<Prepared> = Vec::new();
    let mut refused: Vec<Failure> = Vec::new();
    for path in &options.drives {
        let job = open_for_writing(path, &options.allow_device).map_err(|error| coded(error.code(), error.into()));
        match job.and_then(|mut drive| Ok((plan(&mut drive)?, drive))) {
            Ok((mut plan, drive)) => {
                if let Some((_, other)) = jobs.first() {
                    plan.share_payload(other);
                }
                jobs.push((drive, plan));
            }
            Err(failure) => refused.push(failure),
        }
    }
    if refused.is_empty() {
        return Ok(jobs);
    }
    let exit = refused.iter().map(|failure| failure.exit).max().unwrap_or(Exit::Request);
    let texts: Vec<String> = refused.iter().map(Failure::text).collect();
    Err(Failure::new(exit, format!("nothing was written: {}", texts.join("\n        "))))
}

/// Run all jobs to their end and say how each one ended. `stop` ends them early.
pub fn run(
    jobs: Vec<Prepared>,
    options: &DriveOptions,
    places: &Places,
    stop: &Arc<AtomicBool>,
    output: &Arc<Output>,
) -> Result<ExitCode, Failure> {
    let limits = Limits {
        stall: Duration::from_secs(options.stall_limit),
        floor_bytes_per_s: options.speed_floor * 1000,
        attempts: if options.retry { 2 } else { 1 },
    };
    let station = Arc::new(Station {
        name: places.station.clone(),
        clock: Box::new(SystemClock::new()),
        ledger: open_ledger(&places.ledger)?,
        sources: Sources::new(),
        limits,
    });
    let drives: Vec<DriveRef> = jobs.iter().map(|(drive, _)| drive.facts().drive.clone()).collect();
    let verdict = jobs.first().map_or("", |(_, plan)| plan.purpose().verdict());
    let board = Arc::new(DriveBoard::new(Arc::clone(output), &drives, verdict));
    let start = |(drive, plan): Prepared| {
        let board = Arc::clone(&board);
        let report = Arc::new(move |event: Event| board.show(&event));
        station.start(plan, Box::new(drive), report, Arc::clone(stop))
    };
    let running: Vec<Running> = jobs.into_iter().map(start).collect();
    let outcomes: Vec<Outcome> = running.into_iter().map(Running::join).collect();
    summary(&drives, &outcomes, verdict, &station, output);
    let failed = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed { .. }));
    Ok(if failed { Exit::Drive.into() } else { ExitCode::SUCCESS })
}

/// Set when somebody asks this program to stop. Must be called before any other thread is started.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    platen_device::signals::on_termination(move || set.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::new(Exit::Machine, error))?;
    Ok(flag)
}

/// The operator's code in front of an error.
pub fn coded(code: Code, failure: Failure) -> Failure {
    let text = format!("{code}  {}", failure.text());
    Failure::new(failure.exit, text)
}

pub fn shape_of(drive: &dyn ReadDrive) -> DriveShape {
    let facts = drive.facts();
    DriveShape { size_bytes: facts.size_bytes, sector_bytes: facts.sector_bytes }
}

/// The ledger to append to, made where there is none.
pub fn open_ledger(path: &Path) -> Result<Ledger, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let text = |error| format!("making the ledger's folder {}: {error}", folder.display());
        let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
        made.map_err(|error| Failure::new(Exit::Machine, text(error)))?;
    }
    Ok(Ledger::open(path)?)
}

fn summary(drives: &[DriveRef], outcomes: &[Outcome], verdict: &str, station: &Station, output: &Output) {
    if output.is_json() {
        let ready = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Ready { .. })).count();
        let ledger: PathBuf = station.ledger.path().to_owned();
        let value = json!({
            "event": "done", "ready": ready, "failed": outcomes.len() - ready, "ledger": ledger,
            "content_read_bytes": station.sources.read_bytes(),
        });
        output.result(&value, String::new);
        return;
    }
    let speed = |bytes: u64, ms: u64| format!("{:.0} MiB/s", bytes as f64 / 1_048_576.0 / (ms.max(1) as f64 / 1000.0));
    let row = |(drive, outcome): (&DriveRef, &Outcome)| match outcome {
        Outcome::Ready { written_bytes, verified_bytes, write_ms, verify_ms } => vec![
            drive.port.clone(),
            human_bytes(*written_bytes),
            speed(*written_bytes, *write_ms),
            human_bytes(*verified_bytes),
            speed(*verified_bytes, *verify_ms),
            verdict.to_owned(),
        ],
        Outcome::Failed { code, .. } => {
            let verdict = format!("{} {code}", code.entry().verdict);
            vec![drive.port.clone(), "-".into(), "-".into(), "-".into(), "-".into(), verdict]
        }
    };
    let rows: Vec<Vec<String>> = drives.iter().zip(outcomes).map(row).collect();
    let header = ["PORT", "WRITTEN", "AT", "READ BACK", "AT", "VERDICT"];
    output.result(&(), || format!("\n{}\n\nledger: {}", table(&header, &rows), station.ledger.path().display()));
}
