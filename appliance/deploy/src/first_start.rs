// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! On the system that was installed: the rest of the task sequence, over as many restarts as it takes.
//!
//! The boot system left everything in the folder this program is in. At the end only the log stays there.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use platen_deploy::engine::carry::{Carrier, End, Home, Means, Report, TakenAlong};
use platen_deploy::engine::linux;
use platen_deploy::engine::log::Level;
use platen_deploy::engine::machine::{Machine, Progress};
use platen_deploy::engine::software::{SEQUENCE, SOFTWARE};
use platen_deploy::engine::state::Store;
use platen_deploy::target::{Places, RealMachine};
use platen_media::{Timestamp, chain};
use platen_sequence::TaskSequence;
use platen_sequence::run::Surroundings;

/// Lines on standard output, which the unit sends to the console and the journal.
struct Words;

impl Report for Words {
    fn begins(&mut self, number: usize, of: usize, path: &str, _: &str) {
        println!("platen: step {number} of {of}: {path}");
    }

    fn progress(&mut self, _: &str, _: Progress) {}

    fn ended(&mut self, _: Level, path: &str, detail: &str) {
        println!("platen: {path}: {detail}");
    }
}

/// Exit status 0: done, or a restart was begun; 1: the sequence failed.
pub(crate) fn run() -> i32 {
    let folder = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let folder = folder.unwrap_or_else(|| PathBuf::from("/"));
    match carry(&folder) {
        Ok(Some(End::Finished)) => {
            println!("PLATEN DEPLOYMENT FINISHED");
            0
        }
        Ok(Some(End::Restart | End::StartFromDisk)) => {
            rustix::fs::sync();
            // The system's own way, so that what else runs ends in order.
            let restarted = std::process::Command::new("/bin/sh").args(["-c", "reboot"]).status();
            i32::from(!restarted.is_ok_and(|status| status.success()))
        }
        Ok(Some(End::Failed { path, code })) => {
            println!("PLATEN DEPLOYMENT STOPPED step {path} failed with code {code:#x}");
            1
        }
        // It was done before, or this is no folder of ours.
        Ok(None) => 0,
        Err(reason) => {
            println!("PLATEN DEPLOYMENT STOPPED {reason}");
            1
        }
    }
}

fn carry(folder: &Path) -> Result<Option<End>, String> {
    let store = Store::new(folder);
    let Some(state) = store.load(None).map_err(|error| chain(&error))? else { return Ok(None) };
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("reading {}: {error}", path.display()))
    };
    let json = serde_json::from_str(&read(SEQUENCE)?).map_err(|error| format!("{SEQUENCE}: {error}"))?;
    let sequence = TaskSequence::from_json(&json).map_err(|error| format!("{SEQUENCE}: {}", chain(&error)))?;
    let software: TakenAlong =
        serde_json::from_str(&read(SOFTWARE)?).map_err(|error| format!("{SOFTWARE}: {error}"))?;
    let mut machine = RealMachine::look(Places::default(), None);
    let computer = machine.computer();
    let surroundings = Surroundings::new(&sequence, &computer, &[]).map_err(|error| error.to_string())?;
    let media = (state.media_id.clone(), state.revision);
    let (home, mut words) = (Home::Deployed { software }, Words);
    let means = Means { machine: &mut machine, report: &mut words, store: store.clone(), now };
    let end = Carrier::begin(&sequence, surroundings, home, media, means)
        .resume(state)
        .and_then(|mut carrier| carrier.carry())
        .map_err(|error| chain(&error))?;
    if !matches!(end, End::Restart | End::StartFromDisk) {
        // Also after a failure: nothing secret stays, and it is not tried again at each start.
        store.clear().map_err(|error| chain(&error))?;
        linux::remove_first_start(Path::new("/"))?;
    }
    Ok(Some(end))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_s(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
