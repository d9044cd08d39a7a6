// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What all verbs that work on drives have in common: open them all, run their jobs side by side, print the verdicts.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platen_device::{Candidate, Expected, OpenError, OpenedDrive, OwnFiles, TargetPolicy, process};
use platen_engine::plan::{DriveShape, WritePlan};
use platen_engine::{
    DriveFacts, Engine, EventReceiver, GivenUp, Job, JobHandle, Limits, ReadDrive, Sources, SystemClock, event_queue,
    reserve_memory,
};
use platen_events::{Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, Verdict};
use platen_ledger::Ledger;

use crate::args::{DriveOptions, Places};
use crate::attend::{Attended, Patience, Signs};
use crate::board::DriveBoard;
use crate::exit::{Exit, Failure};
use crate::output::{Output, human_bytes, table};

/// How often it is looked whether somebody asked the jobs to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What a drive is known by, and what people call it.
type Drive = (DriveId, DriveLabel);

/// A drive and what will be made of it.
pub type Prepared = (OpenedDrive, WritePlan);

/// Drives that can be worked on, and those that did not answer when they were looked at.
pub struct Batch {
    kind: JobKind,
    pub jobs: Vec<Prepared>,
    /// And how long they were silent.
    hanging: Vec<(Drive, Duration)>,
}

/// Open and plan every drive before the first byte is erased on any of them; if one is refused, all are left alone. One
/// that does not answer is no request that is wrong: the others are worked on.
pub fn prepare(
    kind: JobKind,
    options: &DriveOptions,
    places: &Places,
    stop: &Arc<AtomicBool>,
    output: &Output,
    plan: impl Fn(&mut OpenedDrive, &Signs) -> Result<WritePlan, Failure> + Send + Sync + 'static,
) -> Result<Batch, Failure> {
    let machine = |error| Failure::new(Exit::Machine, error);
    let patience = Patience::new(stop, Duration::from_secs(options.stall_limit));
    let policy = TargetPolicy::new(&options.allow_device, own_files(places)).map_err(open_failure)?;
    let mut batch = Batch { kind, jobs: Vec::new(), hanging: Vec::new() };
    let mut refused: Vec<Failure> = Vec::new();
    let mut refuse = |drive: DriveId, failure: Failure| {
        output.event(refusal(drive, &failure));
        refused.push(failure);
    };

    // Every name is followed once; from here on drives are known by what was found.
    let mut found: Vec<Candidate> = Vec::new();
    let looked = patience.side_by_side(options.drives.clone(), |path, _| Candidate::find(&path)).map_err(machine)?;
    for (path, looked) in options.drives.iter().zip(looked) {
        match batch.attended(asked_for(path), looked)? {
            None => {}
            Some(Err(error)) => {
                let (drive, label) = asked_for(path);
                output.event(Event::DriveSeen { drive: drive.clone(), label });
                refuse(drive, open_failure(error));
            }
            Some(Ok(candidate)) => {
                output.event(seen(candidate.facts()));
                match found.iter().find(|other| other.identity() == candidate.identity()) {
                    Some(other) => {
                        let (one, other) = (path.display(), &other.facts().drive.path);
                        let text = format!("{one} and {other} are the same drive; name each drive once");
                        refuse(candidate.facts().id(), Failure::new(Exit::Request, text));
                    }
                    None => found.push(candidate),
                }
            }
        }
    }
    let drives: Vec<Drive> =
        found.iter().map(|candidate| (candidate.facts().id(), candidate.facts().label())).collect();
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
    for (drive, prepared) in drives.into_iter().zip(prepared) {
        match batch.attended(drive.clone(), prepared)? {
            None => {}
            Some(Err(failure)) => refuse(drive.0, failure),
            Some(Ok((plan, drive))) => batch.jobs.push((drive, plan)),
        }
    }
    if refused.is_empty() {
        return Ok(batch);
    }
    Err(Failure::of_all(Some("nothing was written"), &refused))
}

/// A drive that was looked at.
pub fn seen(facts: &DriveFacts) -> Event {
    Event::DriveSeen { drive: facts.id(), label: facts.label() }
}

/// A drive of which nothing is known but what it was asked for by.
pub fn asked_for(path: &Path) -> Drive {
    let place = path.display().to_string();
    let port = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let label = DriveLabel { port, path: place.clone(), ..DriveLabel::default() };
    (DriveId { place, disk_sequence: None }, label)
}

/// A drive that is left as it is.
pub fn refusal(drive: DriveId, failure: &Failure) -> Event {
    Event::DriveRefused { drive, code: failure.code.map(Into::into), text: failure.reason() }
}

impl Batch {
    /// None: it hangs, which is noted.
    fn attended<T>(&mut self, drive: Drive, attended: Attended<T>) -> Result<Option<T>, Failure> {
        match attended {
            Attended::Done(result) => Ok(Some(result)),
            Attended::Stalled(silent) => {
                self.hanging.push((drive, silent));
                Ok(None)
            }
            Attended::Stopped => Err(stopped()),
        }
    }
}

/// Before anything was written.
pub fn stopped() -> Failure {
    Failure::new(Exit::Drive, "stopped while the drives were looked at; nothing was written").coded(Code::Cancelled)
}

/// What no drive can be: the station's own cache, keys and ledger.
fn own_files(places: &Places) -> OwnFiles {
    OwnFiles::new([&places.cache, &places.trust, &places.ledger].map(Clone::clone))
}

/// A drive that was not opened.
pub fn open_failure(error: OpenError) -> Failure {
    let code = error.code();
    Failure::from(error).coded(code)
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
    let Batch { kind, jobs, hanging } = batch;
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
        given_up: GivenUp::default(),
    });
    let mut drives: Vec<Drive> = jobs.iter().map(|(drive, _)| (drive.facts().id(), drive.facts().label())).collect();
    drives.extend(hanging.iter().map(|(drive, _)| drive.clone()));
    let board = DriveBoard::new(Arc::clone(output), &drives);
    let (events, told) = event_queue();
    let mut numbers = (1..).map(JobId);
    let start = |(drive, plan): Prepared| {
        let id = numbers.next().expect("there are more numbers than drives");
        Job { id, plan, drive: Box::new(drive), events: events.clone() }
    };
    let jobs: Vec<Job> = jobs.into_iter().map(start).collect();
    let given_up: Vec<JobEnd> = hanging
        .iter()
        .zip(numbers)
        .map(|((drive, silent), job)| hang(&engine, &board, kind, job, drive, *silent))
        .collect();
    let handles = engine.start_all(jobs).map_err(|error| {
        Failure::new(
            Exit::Machine,
            format!("nothing was written: threads or memory for the drives are missing: {error}"),
        )
    })?;
    let mut ends = follow(handles, &told, &board, stop);
    ends.extend(given_up);
    summary(&drives, &ends, &places.ledger, &engine, output);
    if engine.given_up.count() > 0 {
        let count = engine.given_up.count();
        output.say(&format!("{count} drive(s) still hang: this program ends when they answer or are pulled"));
    }
    let all_good = ends.iter().all(|end| end.verdict.is_success());
    Ok(if all_good { ExitCode::SUCCESS } else { Exit::Drive.into() })
}

/// Show what jobs tell until all of them have ended, and stop them when somebody asks for it.
fn follow(mut jobs: Vec<JobHandle>, told: &EventReceiver, board: &DriveBoard, stop: &AtomicBool) -> Vec<JobEnd> {
    loop {
        // Asked before the queue is emptied: what a job tells is in it when the job has ended.
        let have_ended = jobs.iter_mut().all(|job| job.try_wait().is_some());
        if stop.load(Ordering::Relaxed) {
            jobs.iter().for_each(JobHandle::cancel);
        }
        let limit = if have_ended { Duration::ZERO } else { LOOK };
        match told.recv_timeout(limit) {
            Some(event) => board.show(event),
            None if have_ended => return jobs.into_iter().map(JobHandle::wait).collect(),
            None => {}
        }
    }
}

/// A drive that did not answer when it was looked at: its job has an end without a beginning on the drive.
fn hang(
    engine: &Engine,
    board: &DriveBoard,
    kind: JobKind,
    job: JobId,
    (drive, label): &Drive,
    silent: Duration,
) -> JobEnd {
    let mut detail = format!("no answer for {} s while it was looked at", silent.as_secs());
    if let Err(why) = engine.record_unopened(kind, label, Code::Stalled, &detail) {
        detail += &format!("; not recorded: {why}");
    }
    let end = JobEnd::failed(Code::Stalled, detail);
    board.show(Event::DriveSeen { drive: drive.clone(), label: label.clone() });
    board.show(Event::JobStarted { job, kind, drive: drive.clone(), medium: None });
    board.show(Event::JobEnded { job, end: end.clone() });
    end
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
            Err(Failure::new(Exit::Machine, format!("{} {}", entry.what, entry.todo)).coded(code))
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

fn summary(drives: &[Drive], ends: &[JobEnd], ledger: &Path, engine: &Engine, output: &Output) {
    let count = |wanted: fn(&Verdict) -> bool| ends.iter().filter(|end| wanted(&end.verdict)).count() as u32;
    output.event(Event::BatchEnded {
        succeeded: count(Verdict::is_success),
        failed: count(|verdict| !verdict.is_success() && *verdict != Verdict::Cancelled),
        cancelled: count(|verdict| *verdict == Verdict::Cancelled),
        ledger: ledger.display().to_string(),
        content_read_bytes: engine.sources.read_bytes(),
    });
    let speed = |bytes: u64, ms: u64| format!("{:.0} MiB/s", bytes as f64 / 1_048_576.0 / (ms.max(1) as f64 / 1000.0));
    let row = |((_, label), end): (&Drive, &JobEnd)| match end.moved {
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
    };
    let rows: Vec<Vec<String>> = drives.iter().zip(ends).map(row).collect();
    let header = ["PORT", "WRITTEN", "AT", "READ BACK", "AT", "VERDICT"];
    output.text(|| format!("\n{}\n\nledger: {}", table(&header, &rows), ledger.display()));
}
