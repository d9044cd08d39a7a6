//! `platen verify` and `platen inspect`: what a drive is, and whether it is as it was signed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use platen_device::{Candidate, OpenedDrive};
use platen_engine::verify::{Problem, Report, judge};
use platen_engine::{Clock, Drive, Limits, SystemClock, chain};
use platen_events::Code;
use platen_media::manifest::MediaKind;
use platen_media::sign::TrustedKeys;
use serde::Serialize;

use crate::args::{DepthArg, Places, VerifyOptions};
use crate::attend::{Answering, Attended, Patience, Signs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::drives::{answer_of, open_failure, stop_flag, stopped};
use crate::verbs::images::{compare_image, recognise};
use crate::verbs::{cache, examine};
use crate::verbs::{trusted_keys, warn_of_unusable};

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    drive: &'a platen_events::DriveRef,
    good: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn verify(options: &VerifyOptions, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
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
    let check_one = move |path: PathBuf, signs: &Signs| -> Result<Report, Failure> {
        let mut drive = Candidate::find(&path).and_then(Candidate::for_reading).map_err(open_failure)?;
        signs.alive();
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
    let reports = patience.side_by_side(options.drives.clone(), check_one);
    let reports = reports.map_err(|error| Failure::new(Exit::Machine, error))?;
    let (mut all_good, mut refused) = (true, None);
    for (path, attended) in options.drives.iter().zip(reports) {
        match report_of(attended) {
            Ok(report) => {
                all_good &= report.is_good();
                print(path, &report, "verified", output);
            }
            // A drive that can't be opened says nothing about the others.
            Err(failure) => {
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
    let look = move |path: PathBuf, signs: &Signs| -> Result<Report, Failure> {
        let mut drive = Candidate::find(&path).and_then(Candidate::for_reading).map_err(open_failure)?;
        check(&mut drive, DepthArg::Names, &places, &keys, signs)
    };
    let patience = Patience::new(&stop, Limits::default().stall);
    let looked = patience.side_by_side(vec![path.to_owned()], look);
    let looked = looked.map_err(|error| Failure::new(Exit::Machine, error))?.pop();
    let report = looked.map_or_else(|| Err(stopped()), report_of)?;
    print(path, &report, "inspected", output);
    Ok(if report.is_good() { ExitCode::SUCCESS } else { Exit::Drive.into() })
}

/// A drive that did not answer has a report as well.
fn report_of(attended: Attended<Result<Report, Failure>>) -> Result<Report, Failure> {
    let problem = |code, text: String| Ok(Report::of_problem(code, &text));
    match attended {
        Attended::Done(report) => report,
        Attended::Stalled(silent) => problem(Code::Stalled, format!("no answer for {} s", silent.as_secs())),
        Attended::Stopped => problem(Code::Cancelled, "stopped before all of it was read".to_owned()),
    }
}

fn print(path: &Path, report: &Report, event: &'static str, output: &Output) {
    let port = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let drive = platen_events::DriveRef { port, path: path.display().to_string() };
    let line = Line { event, drive: &drive, good: report.is_good(), report };
    output.result(&line, || format!("{}\n{report}", path.display()));
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
