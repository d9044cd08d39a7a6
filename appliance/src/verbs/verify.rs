// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen verify` and `platen inspect`: what a drive is, and whether it is as it was signed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use platen_device::{Candidate, OpenedDrive};
use platen_engine::verify::{Problem, Report, judge};
use platen_engine::{Clock, Drive, DriveFacts, Limits, ReadDrive, SystemClock, chain};
use platen_events::{Answer, Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, Moved, Step};
use platen_media::manifest::MediaKind;
use platen_media::sign::TrustedKeys;

use crate::answers;
use crate::args::{DepthArg, Places, VerifyOptions};
use crate::attend::{Answering, Attended, Patience, Signs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::drives::{answer_of, asked_for, open_failure, refusal, stop_flag};
use crate::verbs::images::{compare_image, recognise};
use crate::verbs::{cache, examine};
use crate::verbs::{trusted_keys, warn_of_unusable};

/// One drive that is checked, in the record: it is seen once, and its job begins and ends once, whoever is first to say so.
struct Checked {
    output: Arc<Output>,
    job: JobId,
    begun: Mutex<Option<(DriveId, Instant)>>,
}

impl Checked {
    fn new(output: &Arc<Output>, job: JobId) -> Self {
        Self { output: Arc::clone(output), job, begun: Mutex::default() }
    }

    /// Say which drive it is, if nobody has, and how long ago that was.
    fn begin(&self, drive: DriveId, label: DriveLabel) -> (DriveId, Duration) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let (drive, since) = begun.get_or_insert_with(|| {
            self.output.event(Event::DriveSeen { drive: drive.clone(), label });
            let started =
                Event::JobStarted { job: self.job, kind: JobKind::Verify, drive: drive.clone(), medium: None };
            self.output.event(started);
            self.output.event(Event::StepStarted { job: self.job, step: Step::Verify, total_bytes: None });
            (drive, Instant::now())
        });
        (drive.clone(), since.elapsed())
    }

    /// Say what was found.
    fn report(&self, path: &Path, report: &Report, is_released: bool) {
        let (drive, label) = asked_for(path);
        let (drive, took) = self.begin(drive, label);
        print(path, &drive, Some(self.job), report, &self.output);
        let end = match report.problems.first() {
            _ if report.is_good() => {
                let (verified_bytes, verify_ms) = (report.checked_bytes, took.as_millis() as u64);
                JobEnd::success(JobKind::Verify, Moved { verified_bytes, verify_ms, ..Moved::default() })
            }
            Some(problem) => JobEnd::failed(problem.code, &*problem.text),
            None => JobEnd::failed(Code::NotAMedium, "no medium"),
        };
        self.end(drive, end, is_released);
    }

    /// Say why it can't be checked at all.
    fn fail(&self, path: &Path, failure: &Failure) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match begun {
            Some((drive, _)) => {
                let code = failure.code.unwrap_or(Code::StationFault);
                self.end(drive, JobEnd::failed(code, failure.reason()), true);
            }
            None => {
                let (drive, label) = asked_for(path);
                self.output.event(Event::DriveSeen { drive: drive.clone(), label });
                self.output.event(refusal(drive, failure));
            }
        }
    }

    fn end(&self, drive: DriveId, end: JobEnd, is_released: bool) {
        self.output.event(Event::JobEnded { job: self.job, end });
        if is_released {
            self.output.event(Event::DriveReleased { drive });
        }
    }
}

pub fn verify(options: &VerifyOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let stall_limit = Duration::from_secs(options.stall_limit);
    let (keys, expected) = {
        let (places, medium) = (places.clone(), options.medium.clone());
        answer_of(&stop, stall_limit, Code::CacheStalled, move || {
            let keys = TrustedKeys::load(&places.trust)?;
            let medium = medium.map(|medium| cache::open(&places.cache)?.load(&medium, &keys).map_err(Failure::from));
            Ok((keys, medium.transpose()?))
        })?
    };
    warn_of_unusable(&keys, output);
    let places = places.clone();
    let check_one = move |(path, checked): (PathBuf, Arc<Checked>), signs: &Signs| -> Result<Report, Failure> {
        let mut drive = Candidate::find(&path).and_then(Candidate::for_reading).map_err(open_failure)?;
        signs.alive();
        checked.begin(drive.facts().id(), drive.facts().label());
        match &expected {
            Some(media) if media.manifest().kind == MediaKind::Raw => {
                let report = compare_image(&mut Answering { drive: &mut drive, signs }, media);
                confirmed(&mut drive, report)
            }
            expected => {
                let mut report = check(&mut drive, DepthArg::Content, &places, &keys, signs)?;
                if let (Some(media), Some(found)) = (expected, &report.medium)
                    && found.manifest_sha256 != media.signed().manifest_digest()
                {
                    let text = format!("expected {}, found {}-r{}", media.name(), found.id, found.revision);
                    report.problems.push(Problem::new(Code::NotAMedium, &text));
                }
                Ok(report)
            }
        }
    };
    let patience = Patience::new(&stop, stall_limit);
    let drives: Vec<(PathBuf, Arc<Checked>)> = options
        .drives
        .iter()
        .zip((1..).map(JobId))
        .map(|(path, job)| (path.clone(), Arc::new(Checked::new(output, job))))
        .collect();
    let reports = patience.side_by_side(drives.clone(), check_one);
    let reports = reports.map_err(|error| Failure::new(Exit::Machine, error))?;
    let (mut all_good, mut refused) = (true, None);
    for ((path, checked), attended) in drives.iter().zip(reports) {
        // A thread that is no longer waited for still holds its drive.
        let is_released = matches!(attended, Attended::Done(_));
        match report_of(attended) {
            Ok(report) => {
                all_good &= report.is_good();
                checked.report(path, &report, is_released);
            }
            // A drive that can't be opened says nothing about the others.
            Err(failure) => {
                checked.fail(path, &failure);
                if let Some(earlier) = refused.replace(failure) {
                    output.failure(&earlier);
                }
            }
        }
    }
    match refused {
        Some(failure) => Err(failure),
        None if all_good => Ok(ExitCode::SUCCESS),
        None => Ok(Exit::Drive.into()),
    }
}

pub fn inspect(path: &Path, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let keys = trusted_keys(places, output)?;
    let places = places.clone();
    let look = move |path: PathBuf, signs: &Signs| -> Result<(DriveFacts, Report), Failure> {
        let mut drive = Candidate::find(&path).and_then(Candidate::for_reading).map_err(open_failure)?;
        let report = check(&mut drive, DepthArg::Names, &places, &keys, signs)?;
        Ok((drive.facts().clone(), report))
    };
    let patience = Patience::new(&stop, Limits::default().stall);
    let looked = patience.side_by_side(vec![path.to_owned()], look);
    let looked = looked.map_err(|error| Failure::new(Exit::Machine, error))?.pop().unwrap_or(Attended::Stopped);
    let ((drive, label), report) = match looked {
        Attended::Done(Ok((facts, report))) => ((facts.id(), facts.label()), report),
        Attended::Done(Err(failure)) => return Err(failure),
        Attended::Stalled(silent) => (asked_for(path), stalled(silent)),
        Attended::Stopped => (asked_for(path), stopped_early()),
    };
    output.event(Event::DriveSeen { drive: drive.clone(), label });
    print(path, &drive, None, &report, output);
    Ok(if report.is_good() { ExitCode::SUCCESS } else { Exit::Drive.into() })
}

/// A drive that did not answer has a report as well.
fn report_of(attended: Attended<Result<Report, Failure>>) -> Result<Report, Failure> {
    match attended {
        Attended::Done(report) => report,
        Attended::Stalled(silent) => Ok(stalled(silent)),
        Attended::Stopped => Ok(stopped_early()),
    }
}

fn stopped_early() -> Report {
    Report::of_problem(Code::Cancelled, "stopped before all of it was read")
}

fn stalled(silent: Duration) -> Report {
    Report::of_problem(Code::Stalled, &format!("no answer for {} s", silent.as_secs()))
}

fn print(path: &Path, drive: &DriveId, job: Option<JobId>, report: &Report, output: &Output) {
    let (drive, good) = (drive.clone(), report.is_good());
    let answer = Answer::DriveExamined { drive, job, good, report: Box::new(answers::report(report)) };
    output.answer(answer, || format!("{}\n{report}", path.display()));
}

fn check(
    drive: &mut OpenedDrive,
    depth: DepthArg,
    places: &Places,
    keys: &TrustedKeys,
    signs: &Signs,
) -> Result<Report, Failure> {
    let unreadable = |text: String| Report::of_problem(Code::ReadFailed, &text);
    let report = examine::look(drive, depth, signs).map(|seen| {
        let found = match seen {
            Ok(found) => found,
            Err(died) => return unreadable(chain(&died)),
        };
        let mut drive = Answering { drive: &mut *drive, signs };
        match judge(&mut drive, &found, keys, SystemClock::new().now()) {
            Ok(report) if report.problems.iter().any(|problem| problem.code == Code::NotAMedium) => {
                recognise(report, &mut drive, depth, places, keys)
            }
            Ok(report) => report,
            Err(error) => unreadable(chain(&error)),
        }
    });
    confirmed(drive, report)
}

/// What was read of a drive that is no longer there, or holds another medium by now, counts for nothing.
fn confirmed(drive: &mut OpenedDrive, report: Result<Report, Failure>) -> Result<Report, Failure> {
    let Err(gone) = drive.confirm() else { return report };
    Ok(Report::of_problem(Code::Vanished, &chain(&gone)))
}
