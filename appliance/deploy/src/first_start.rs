// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! On the system that was installed: the rest of the task sequence, over as many restarts as it takes.
//!
//! The boot system left everything in the folder this program is in. At the end only the log stays there.

#[cfg(target_os = "linux")]
#[path = "first_start/linux.rs"]
mod system;
#[cfg(windows)]
#[path = "first_start/windows.rs"]
mod system;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use platen_deploy::engine::carry::{Carrier, End, Home, Means, Report, TakenAlong};
use platen_deploy::engine::log::{self, Level};
use platen_deploy::engine::machine::{Machine, Progress};
use platen_deploy::engine::software::{SEQUENCE, SOFTWARE};
use platen_deploy::engine::state::{FOLDER, Store};
use platen_media::{Timestamp, chain};
use platen_sequence::TaskSequence;
use platen_sequence::run::Surroundings;

/// Lines on standard output: on Linux the unit sends them to the console and the journal.
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

/// Who does the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// This process.
    Here,
    /// Another one, which this has started.
    Elsewhere,
}

/// Exit status 0: done, a restart was begun, or another process does it; 1: the sequence failed.
pub(crate) fn run() -> i32 {
    let folder = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let folder = folder.unwrap_or_else(|| PathBuf::from("/"));
    let store = Store::new(&folder);
    // Where this program was started from anywhere else, there is nothing to do, and nothing to remove.
    if !folder.ends_with(FOLDER) {
        return 0;
    }
    if system::prepare(&folder) == Start::Elsewhere {
        return 0;
    }
    let ended = carry(&store).and_then(|end| leave(&store, end));
    match ended {
        Ok(Some(End::Finished)) => {
            println!("PLATEN DEPLOYMENT FINISHED");
            0
        }
        Ok(Some(End::Restart | End::StartFromDisk)) => match system::restart() {
            Ok(()) => 0,
            Err(reason) => {
                note(&folder, Level::Error, &format!("the restart: {reason}; restart by hand, and the rest follows"));
                1
            }
        },
        Ok(Some(End::Failed { path, code })) => {
            println!("PLATEN DEPLOYMENT STOPPED step {path} failed with code {code:#x}");
            1
        }
        // It was done before.
        Ok(None) => 0,
        Err(reason) => {
            note(&folder, Level::Error, &reason);
            println!("PLATEN DEPLOYMENT STOPPED {reason}");
            1
        }
    }
}

/// None: nothing was left to do.
fn carry(store: &Store) -> Result<Option<End>, String> {
    let folder = store.folder();
    let Some(state) = store.load(None).map_err(|error| chain(&error))? else { return Ok(None) };
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("reading {}: {error}", path.display()))
    };
    let json = serde_json::from_str(&read(SEQUENCE)?).map_err(|error| format!("{SEQUENCE}: {error}"))?;
    let sequence = TaskSequence::from_json(&json).map_err(|error| format!("{SEQUENCE}: {}", chain(&error)))?;
    let software: TakenAlong =
        serde_json::from_str(&read(SOFTWARE)?).map_err(|error| format!("{SOFTWARE}: {error}"))?;
    let mut machine = system::machine();
    let computer = system::with_kept_facts(machine.computer(), &state.variables);
    let surroundings = Surroundings::new(&sequence, &computer, &[]).map_err(|error| error.to_string())?;
    let media = (state.media_id.clone(), state.revision);
    let (home, mut words) = (Home::Deployed { software }, Words);
    let means = Means { machine: &mut machine, report: &mut words, store: store.clone(), now };
    Carrier::begin(&sequence, surroundings, home, media, means)
        .resume(state)
        .and_then(|mut carrier| carrier.carry())
        .map(Some)
        .map_err(|error| chain(&error))
}

/// Unless it goes on after a restart: also after a failure nothing secret stays, and it is not tried again at each start.
/// What could not be removed is removed at the next start.
fn leave(store: &Store, end: Option<End>) -> Result<Option<End>, String> {
    if !matches!(end, Some(End::Restart | End::StartFromDisk)) {
        store.clear().map_err(|error| chain(&error))?;
        system::leave(store.folder())?;
    }
    Ok(end)
}

/// Says it, and has it in the log. A log that can't be written stops nothing.
fn note(folder: &Path, level: Level, text: &str) {
    println!("platen: {text}");
    let _ = log::add(folder, now(), level, text);
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_s(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
