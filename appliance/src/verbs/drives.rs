//! What all verbs that work on drives have in common: open them all, run their jobs side by side, print the verdicts.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platen_device::{Candidate, Expected, OpenError, OpenedDrive, OwnFiles, TargetPolicy, process};
use platen_engine::plan::{DriveShape, WritePlan};
use platen_engine::{Engine, Job, Limits, ReadDrive, Running, Sources, SystemClock, reserve_memory};
use platen_events::{Code, DriveRef, Event, Outcome};
use platen_ledger::Ledger;
use serde_json::json;

use crate::args::{DriveOptions, Places};
use crate::attend::{Attended, Patience, Signs};
use crate::exit::{Exit, Failure};
use crate::output::{DriveBoard, Output, human_bytes, table};

/// A drive and what will be made of it.
pub type Prepared = (OpenedDrive, WritePlan);

/// Drives that can be worked on, and those that did not answer when they were looked at.
pub struct Batch {
    /// What will be made of them, as the ledger calls it.
    job: &'static str,
    pub jobs: Vec<Prepared>,
    hanging: Vec<(DriveRef, Duration)>,
}

/// Open and plan every drive before the first byte is erased on any of them; if one is refused, all are left alone. One
/// that does not answer is no request that is wrong: the others are worked on.
pub fn prepare(
    job: &'static str,
    options: &DriveOptions,
    places: &Places,
    stop: &Arc<AtomicBool>,
    plan: impl Fn(&mut OpenedDrive, &Signs) -> Result<WritePlan, Failure> + Send + Sync + 'static,
) -> Result<Batch, Failure> {
    let machine = |error| Failure::new(Exit::Machine, error);
    let patience = Patience::new(stop, Duration::from_secs(options.stall_limit));
    let policy = TargetPolicy::new(&options.allow_device, own_files(places)).map_err(open_failure)?;
    let (mut batch, mut refused) = (Batch { job, jobs: Vec::new(), hanging: Vec::new() }, Vec::new());

    // Every name is followed once; from here on drives are known by what was found.
    let mut found: Vec<Candidate> = Vec::new();
    let looked = patience.side_by_side(options.drives.clone(), |path, _| Candidate::find(&path)).map_err(machine)?;
    for (path, looked) in options.drives.iter().zip(looked) {
        match batch.attended(path, looked)? {
            None => {}
            Some(Err(error)) => refused.push(open_failure(error)),
            Some(Ok(candidate)) => match found.iter().find(|other| other.identity() == candidate.identity()) {
                Some(other) => {
                    let (one, other) = (path.display(), &other.facts().drive.path);
                    let text = format!("{one} and {other} are the same drive; name each drive once");
                    refused.push(Failure::new(Exit::Request, text));
                }
                None => found.push(candidate),
            },
        }
    }
    let paths: Vec<PathBuf> = found.iter().map(|candidate| candidate.facts().drive.path.clone().into()).collect();
    let rescan = options.rescan;
    let prepare = move |candidate: Candidate, signs: &Signs| {
        let expected = Expected::of(candidate.facts());
        let mut drive = candidate.for_writing(&expected, &policy).map_err(open_failure)?;
        if rescan {
            drive.rescan_when_finished();
        }
        signs.alive();
        Ok((plan(&mut drive, signs)?, drive))
    };
    let prepared = patience.side_by_side(found, prepare).map_err(machine)?;
    for (path, prepared) in paths.iter().zip(prepared) {
        match batch.attended(path, prepared)? {
            None => {}
            Some(Err(failure)) => refused.push(failure),
            Some(Ok((mut plan, drive))) => {
                if let Some((_, other)) = batch.jobs.first() {
                    plan.share_payload(other);
                }
                batch.jobs.push((drive, plan));
            }
        }
    }
    if refused.is_empty() {
        return Ok(batch);
    }
    let exit = refused.iter().map(|failure| failure.exit).max().unwrap_or(Exit::Request);
    let texts: Vec<String> = refused.iter().map(Failure::text).collect();
    Err(Failure::new(exit, format!("nothing was written: {}", texts.join("\n        "))))
}

impl Batch {
    /// None: it hangs, which is noted.
    fn attended<T>(&mut self, path: &Path, attended: Attended<T>) -> Result<Option<T>, Failure> {
        match attended {
            Attended::Done(result) => Ok(Some(result)),
            Attended::Stalled(silent) => {
                let port = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.hanging.push((DriveRef { port, path: path.display().to_string() }, silent));
                Ok(None)
            }
            Attended::Stopped => Err(stopped()),
        }
    }
}

/// Before anything was written.
pub fn stopped() -> Failure {
    coded(Code::Cancelled, Failure::new(Exit::Drive, "stopped while the drives were looked at; nothing was written"))
}

/// What no drive can be: the station's own cache, keys and ledger.
fn own_files(places: &Places) -> OwnFiles {
    OwnFiles::new([&places.cache, &places.trust, &places.ledger].map(Clone::clone))
}

/// A drive that was not opened.
pub fn open_failure(error: OpenError) -> Failure {
    coded(error.code(), error.into())
}

/// Run all jobs to their end and say how each one ended. `stop` ends them early.
pub fn run(
    batch: Batch,
    options: &DriveOptions,
    places: &Places,
    stop: &Arc<AtomicBool>,
    output: &Arc<Output>,
) -> Result<ExitCode, Failure> {
    let limits = Limits {
        stall: Duration::from_secs(options.stall_limit),
        minimum_bytes_per_s: options.speed_floor * 1000,
        attempts: if options.retry { 2 } else { 1 },
    };
    let Batch { job, jobs, hanging } = batch;
    let ledger = answer_of(stop, limits.stall, Code::LedgerStalled, {
        let ledger = places.ledger.clone();
        move || open_ledger(&ledger).map(Arc::new)
    })?;
    let engine = Arc::new(Engine {
        name: places.station.clone(),
        clock: Box::new(SystemClock::new()),
        journal: ledger,
        sources: Sources::new(),
        limits,
    });
    let mut drives: Vec<DriveRef> = jobs.iter().map(|(drive, _)| drive.facts().drive.clone()).collect();
    drives.extend(hanging.iter().map(|(drive, _)| drive.clone()));
    let verdict = jobs.first().map_or("", |(_, plan)| plan.purpose().verdict());
    let board = Arc::new(DriveBoard::new(Arc::clone(output), &drives, verdict));
    let hang = |(drive, silent): (DriveRef, Duration)| {
        let mut detail = format!("no answer for {} s while it was looked at", silent.as_secs());
        if let Err(why) = engine.record_unopened(job, &drive, Code::Stalled, &detail) {
            detail += &format!("; not recorded: {why}");
        }
        let outcome = Outcome::Failed { code: Code::Stalled, detail };
        board.show(&Event::Finished { drive, outcome: outcome.clone() });
        outcome
    };
    let hanging: Vec<Outcome> = hanging.into_iter().map(hang).collect();
    let start = |(drive, plan): Prepared| {
        let board = Arc::clone(&board);
        let report = Arc::new(move |event: Event| board.show(&event));
        Job { plan, drive: Box::new(drive), report, cancelled: Arc::clone(stop) }
    };
    let running = engine.start_all(jobs.into_iter().map(start).collect()).map_err(|error| {
        Failure::new(
            Exit::Machine,
            format!("nothing was written: threads or memory for the drives are missing: {error}"),
        )
    })?;
    let mut outcomes: Vec<Outcome> = running.into_iter().map(Running::join).collect();
    outcomes.extend(hanging);
    summary(&drives, &outcomes, verdict, &places.ledger, &engine, output);
    let failed = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed { .. }));
    Ok(if failed { Exit::Drive.into() } else { ExitCode::SUCCESS })
}

/// Wait for an answer of the station's own disk, which may hang as well as a drive may.
pub fn answer_of<T: Send + 'static>(
    stop: &Arc<AtomicBool>,
    stall_limit: Duration,
    code: Code,
    ask: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let patience = Patience::new(stop, stall_limit);
    let asked = patience.side_by_side(vec![ask], |ask, _| ask());
    match asked.map_err(|error| Failure::new(Exit::Machine, error))?.pop() {
        Some(Attended::Done(answer)) => answer,
        Some(Attended::Stopped) => Err(stopped()),
        Some(Attended::Stalled(_)) | None => {
            let entry = code.entry();
            Err(coded(code, Failure::new(Exit::Machine, format!("{} {}", entry.what, entry.todo))))
        }
    }
}

/// See that the machine has what jobs on so many drives need, then the same as [`stop_flag`].
pub fn begin(drives: usize) -> Result<Arc<AtomicBool>, Failure> {
    let machine = |error: std::io::Error| Failure::new(Exit::Machine, error);
    process::reserve_handles(drives).map_err(machine)?;
    let missing = |error| std::io::Error::other(format!("there is not enough memory for {drives} drive(s): {error}"));
    reserve_memory(drives).map_err(missing).map_err(machine)?;
    stop_flag()
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

fn summary(drives: &[DriveRef], outcomes: &[Outcome], verdict: &str, ledger: &Path, engine: &Engine, output: &Output) {
    if output.is_json() {
        let ready = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Ready { .. })).count();
        let value = json!({
            "event": "done", "ready": ready, "failed": outcomes.len() - ready, "ledger": ledger,
            "content_read_bytes": engine.sources.read_bytes(),
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
    output.result(&(), || format!("\n{}\n\nledger: {}", table(&header, &rows), ledger.display()));
}
