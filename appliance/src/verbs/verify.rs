// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen verify` and `platen inspect`: what a drive is, and whether it is as it was signed.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use platen_engine::Limits;
use platen_events::{Answer, Code, Event};
use platen_media::sign::TrustedKeys;
use platen_station::{Exit, Failure, Order, Paths, Targets, answer_of, load, stop_flag};

use crate::args::VerifyOptions;
use crate::output::Output;
use crate::report;
use crate::verbs::drives::run;
use crate::verbs::{trusted_keys, warn_of_unusable};

pub fn verify(options: &VerifyOptions, paths: &Paths, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    // However slow it is: a drive is good if everything on it is right.
    let limits =
        Limits { stall: Duration::from_secs(options.stall_limit), minimum_bytes_per_s: 0, ..Limits::default() };
    let (keys, expected) = {
        let (paths, medium) = (paths.clone(), options.medium.clone());
        answer_of(&stop, limits.stall, Code::CacheStalled, move || {
            let keys = TrustedKeys::load(&paths.trust)?;
            let medium = medium.map(|medium| load(&paths, &medium, &keys)).transpose()?;
            Ok((keys, medium))
        })?
    };
    warn_of_unusable(&keys, output);
    let stations = options.stations.as_deref().map(TrustedKeys::load).transpose();
    let stations = stations.map_err(|error| Failure::from(error).exiting(Exit::Request))?;
    let headline = format!("verifying {} drive(s)", options.drives.len());
    let (drives, allowed) = (options.drives.clone(), Vec::new());
    let targets = Targets { drives, seat: None, allowed, rescan: false, limits };
    let order = Order::verify(expected, keys, stations, targets, paths);
    run(order, &headline, paths, &stop, output)
}

pub fn inspect(path: &Path, paths: &Paths, output: &Output) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let keys = trusted_keys(paths, output)?;
    let (drive, label, report) = platen_station::inspect(path, paths, keys, &stop, Limits::default().stall)?;
    output.event(Event::DriveSeen { drive: drive.clone(), label });
    let (good, report) = (report.is_good(), Box::new((&report).into()));
    let text = report::text(path, good, &report);
    output.answer(Answer::DriveExamined { drive, job: None, good, report }, || text);
    Ok(if good { ExitCode::SUCCESS } else { Exit::Drive.into() })
}
