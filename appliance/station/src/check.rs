// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a drive is, and whether it is as it was signed.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_cache::CachedMedia;
use platen_device::Candidate;
use platen_engine::verify::{Check, Problem, Report, judge};
use platen_engine::{Clock, Drive, DriveFacts, ReadDrive, SystemClock, Watch, chain};
use platen_events::{Code, DriveId, DriveLabel};
use platen_media::examination::Depth;
use platen_media::manifest::MediaKind;
use platen_media::sign::TrustedKeys;

use crate::attend::{Answering, Attended, Signs, attend};
use crate::exit::Exit;
use crate::failure::{Failure, open_failure};
use crate::images::{compare_image, recognise};
use crate::look::look;
use crate::order::{asked_for, handle_of};
use crate::paths::Paths;

/// Compares a drive with what was signed: by the manifest it carries, or with the image it should be.
pub(crate) struct MediumCheck {
    /// The medium it should be; None: whatever it carries.
    pub(crate) expected: Option<CachedMedia>,
    pub(crate) keys: TrustedKeys,
    /// One of these stations must have written the drive; None: whichever.
    pub(crate) stations: Option<TrustedKeys>,
    pub(crate) paths: Paths,
    /// The drive, for the process that looks at it.
    pub(crate) handle: File,
}

impl Check for MediumCheck {
    fn medium(&self) -> Option<&str> {
        self.expected.as_ref().map(CachedMedia::name)
    }

    fn check(&mut self, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Report {
        let found = match &self.expected {
            Some(media) if media.manifest().kind == MediaKind::Raw => compare_image(drive, media, watch),
            _ => {
                let handle = self.handle.try_clone().map_err(|error| Failure::new(Exit::Machine, error));
                handle.and_then(|handle| examined(drive, handle, Depth::Content, &self.paths, &self.keys, watch))
            }
        };
        let mut report = match found {
            Ok(report) => report,
            Err(failure) => {
                return failure.to_report();
            }
        };
        if let (Some(media), Some(found)) = (&self.expected, &report.medium)
            && found.manifest_sha256 != media.signed().manifest_digest()
        {
            let text = format!("expected {}, found {}-r{}", media.name(), found.id, found.revision);
            report.problems.push(Problem::new(Code::NotAMedium, &text));
        }
        if let Some(stations) = &self.stations {
            report.prove(drive.facts(), stations);
        }
        report
    }
}

/// Which medium a drive carries, without reading all of it. A drive that does not answer has a report as well.
pub fn inspect(
    path: &Path,
    paths: &Paths,
    keys: TrustedKeys,
    stop: &Arc<AtomicBool>,
    stall_limit: Duration,
) -> Result<(DriveId, DriveLabel, Report), Failure> {
    let (name, paths) = (path.to_owned(), paths.clone());
    let look = move |signs: &Signs| -> Result<(DriveFacts, Report), Failure> {
        let mut drive = Candidate::find(&name).and_then(Candidate::for_reading).map_err(open_failure)?;
        let handle = handle_of(&mut drive)?;
        let answering = &mut Answering { drive: &mut drive, signs };
        let report = examined(answering, handle, Depth::Names, &paths, &keys, signs);
        // What was read of a drive that is no longer there, or holds another medium by now, counts for nothing.
        let report = match drive.confirm() {
            Ok(()) => report?,
            Err(gone) => Report::of_problem(Code::Vanished, &chain(&gone)),
        };
        Ok((drive.facts().clone(), report))
    };
    let looked = attend(stop, stall_limit, look).map_err(|error| Failure::new(Exit::Machine, error))?;
    let (code, text) = match looked {
        Attended::Done(done) => return done.map(|(facts, report)| (facts.id(), facts.label(), report)),
        Attended::Stalled(silent) => (Code::Stalled, format!("no answer for {} s", silent.as_secs())),
        Attended::Stopped => (Code::Cancelled, "stopped before all of it was read".to_owned()),
    };
    let (drive, label) = asked_for(path);
    Ok((drive, label, Report::of_problem(code, &text)))
}

/// Look, and hold what was found against what was signed.
pub(crate) fn examined(
    drive: &mut dyn ReadDrive,
    handle: File,
    depth: Depth,
    paths: &Paths,
    keys: &TrustedKeys,
    watch: &dyn Watch,
) -> Result<Report, Failure> {
    let unreadable = |text: String| Report::of_problem(Code::ReadFailed, &text);
    let found = match look(handle, drive.facts().size_bytes, depth, watch)? {
        Ok(found) => found,
        Err(died) => return Ok(unreadable(chain(&died))),
    };
    Ok(match judge(drive, &found, keys, SystemClock::new().now()) {
        Ok(report) if report.problems.iter().any(|problem| problem.code == Code::NotAMedium) => {
            recognise(report, drive, depth, paths, keys, watch)
        }
        Ok(report) => report,
        Err(error) => unreadable(chain(&error)),
    })
}
