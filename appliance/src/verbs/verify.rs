//! `platen verify` and `platen inspect`: what a drive is, and whether it is as it was signed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use platen_device::{Candidate, OpenedDrive};
use platen_engine::plan::{fresh_ids, plan};
use platen_engine::report::{Problem, Report, judge};
use platen_engine::{Clock, Drive, Limits, SystemClock, chain};
use platen_events::Code;
use platen_media::manifest::{MediaKind, Scheme};
use platen_media::sign::TrustedKeys;
use serde::Serialize;

use crate::args::{DepthArg, Places, VerifyOptions};
use crate::attend::{Answering, Attended, Patience, Signs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::drives::{answer_of, open_failure, shape_of, stop_flag, stopped};
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
    let check_one = move |path: PathBuf, signs: &Signs| -> Result<Report, Failure> {
        let mut drive = Candidate::find(&path).and_then(Candidate::for_reading).map_err(open_failure)?;
        signs.alive();
        match &expected {
            Some(media) if media.manifest().kind == MediaKind::Raw => compare_image(&mut drive, media, signs),
            expected => {
                let mut report = check(&mut drive, DepthArg::Content, &keys, signs)?;
                if let (Some(media), Some(found)) = (expected, &report.medium)
                    && found.manifest_sha256 != media.signed().manifest_digest()
                {
                    let text = format!("expected {}, found {}-r{}", media.name(), found.id, found.revision);
                    report.problems.push(Problem { code: Code::NotAMedium, text });
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
    let look = move |path: PathBuf, signs: &Signs| -> Result<Report, Failure> {
        let mut drive = Candidate::find(&path).and_then(Candidate::for_reading).map_err(open_failure)?;
        check(&mut drive, DepthArg::Names, &keys, signs)
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
    let problem = |code, text| Ok(Report { problems: vec![Problem { code, text }], ..Report::default() });
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

fn check(drive: &mut OpenedDrive, depth: DepthArg, keys: &TrustedKeys, signs: &Signs) -> Result<Report, Failure> {
    let unreadable =
        |text: String| Report { problems: vec![Problem { code: Code::ReadFailed, text }], ..Report::default() };
    let report = examine::look(drive, depth, signs).map(|seen| match seen {
        Ok(found) => judge(&mut Answering { drive, signs }, &found, keys, SystemClock::new().now())
            .unwrap_or_else(|error| unreadable(chain(&error))),
        Err(died) => unreadable(chain(&died)),
    });
    confirmed(drive, report)
}

/// What was read of a drive that is no longer there, or holds another medium by now, counts for nothing.
fn confirmed(drive: &mut OpenedDrive, report: Result<Report, Failure>) -> Result<Report, Failure> {
    let Err(gone) = drive.confirm() else { return report };
    Ok(Report { problems: vec![Problem { code: Code::Vanished, text: chain(&gone) }], ..Report::default() })
}

/// A raw image has no manifest on it; it is compared with the plan it would be written by.
fn compare_image(drive: &mut OpenedDrive, media: &platen_cache::CachedMedia, signs: &Signs) -> Result<Report, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    let plan = plan(media, shape_of(drive), Scheme::Mbr, ids, SystemClock::new().now())?;
    let mut report = Report::default();
    match platen_engine::compare(&plan, &mut Answering { drive, signs }) {
        Ok(checked_bytes) => {
            report.checked_bytes = checked_bytes;
            report.image = Some(media.name().to_owned());
        }
        Err(error) => report.problems.push(Problem { code: error.code(), text: chain(&error) }),
    }
    confirmed(drive, Ok(report))
}
