//! `platen verify` and `platen inspect`: what a drive is, and whether it is as it was signed.

use std::path::Path;
use std::process::ExitCode;

use platen_device::{OpenedDrive, open_for_reading};
use platen_engine::plan::{fresh_ids, plan};
use platen_engine::report::{Problem, Report, judge};
use platen_engine::{Clock, SystemClock, chain};
use platen_events::Code;
use platen_media::manifest::{MediaKind, Scheme};
use platen_media::sign::TrustedKeys;
use serde::Serialize;

use crate::args::{DepthArg, Places, VerifyOptions};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::drives::shape_of;
use crate::verbs::trusted_keys;
use crate::verbs::{cache, examine};

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    drive: &'a platen_events::DriveRef,
    good: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn verify(options: &VerifyOptions, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let keys = trusted_keys(places, output)?;
    let drives = options.drives.iter().map(|path| open_for_reading(path)).collect::<Result<Vec<_>, _>>()?;
    let expected = match &options.medium {
        Some(medium) => Some(cache::open(&places.cache)?.load(medium, &keys)?),
        None => None,
    };
    let reports: Vec<Result<Report, Failure>> = std::thread::scope(|scope| {
        let one = |mut drive: OpenedDrive| {
            let (keys, expected) = (&keys, expected.as_ref());
            scope.spawn(move || match expected {
                Some(media) if media.manifest().kind == MediaKind::Raw => compare_image(&mut drive, media),
                _ => {
                    let mut report = check(&mut drive, DepthArg::Content, keys)?;
                    if let (Some(media), Some(found)) = (expected, &report.medium)
                        && found.manifest_sha256 != media.signed().manifest_digest()
                    {
                        let text = format!("expected {}, found {}-r{}", media.name(), found.id, found.revision);
                        report.problems.push(Problem { code: Code::NotAMedium, text });
                    }
                    Ok(report)
                }
            })
        };
        let threads: Vec<_> = drives.into_iter().map(one).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all_good = true;
    for (path, report) in options.drives.iter().zip(reports) {
        let report = report?;
        all_good &= report.is_good();
        print(path, &report, "verified", output);
    }
    Ok(if all_good { ExitCode::SUCCESS } else { Exit::Drive.into() })
}

pub fn inspect(path: &Path, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let keys = trusted_keys(places, output)?;
    let mut drive = open_for_reading(path)?;
    let report = check(&mut drive, DepthArg::Names, &keys)?;
    print(path, &report, "inspected", output);
    Ok(if report.is_good() { ExitCode::SUCCESS } else { Exit::Drive.into() })
}

fn print(path: &Path, report: &Report, event: &'static str, output: &Output) {
    let port = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let drive = platen_events::DriveRef { port, path: path.display().to_string() };
    let line = Line { event, drive: &drive, good: report.is_good(), report };
    output.result(&line, || format!("{}\n{report}", path.display()));
}

fn check(drive: &mut OpenedDrive, depth: DepthArg, keys: &TrustedKeys) -> Result<Report, Failure> {
    let unreadable =
        |text: String| Report { problems: vec![Problem { code: Code::ReadFailed, text }], ..Report::default() };
    let found = match examine::look(drive, depth)? {
        Ok(found) => found,
        Err(died) => return Ok(unreadable(chain(&died))),
    };
    match judge(drive, &found, keys, SystemClock::new().now()) {
        Ok(report) => Ok(report),
        Err(error) => Ok(unreadable(chain(&error))),
    }
}

/// A raw image has no manifest on it; it is compared with the plan it would be written by.
fn compare_image(drive: &mut OpenedDrive, media: &platen_cache::CachedMedia) -> Result<Report, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    let plan = plan(media, shape_of(drive), Scheme::Mbr, ids, SystemClock::new().now())?;
    let mut report = Report::default();
    match platen_engine::compare(&plan, drive) {
        Ok(checked_bytes) => {
            report.checked_bytes = checked_bytes;
            report.image = Some(media.name().to_owned());
        }
        Err(error) => report.problems.push(Problem { code: error.code(), text: chain(&error) }),
    }
    Ok(report)
}
