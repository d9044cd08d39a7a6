// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What holds for the whole station: space on its disks, its clock, the media it has.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platen_cache::{Cache, free_bytes};
use platen_engine::{Clock, SystemClock};
use platen_ledger::Ledger;

use super::{Happening, Say};
use crate::config::StationConfig;
use crate::core::Input;
use crate::paths::Paths;

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Look now and then, on a thread of its own, and say what has changed.
pub(super) fn watch(config: &StationConfig, paths: &Paths, say: &Say) -> io::Result<()> {
    let lowest = config.policy.lowest_free_bytes;
    let disks = [
        ("cache-disk", paths.cache.clone()),
        ("ledger-disk", paths.ledger.clone()),
        ("state-disk", config.paths.state.clone()),
    ];
    let (paths, say) = (paths.clone(), say.clone());
    let watch = move || {
        let mut said: Vec<(&str, Option<String>)> = Vec::new();
        let (mut stamp, mut is_listed) = (None, false);
        loop {
            let disks = disks.iter().map(|(name, path)| (*name, too_full(path, lowest)));
            let now: Vec<(&str, Option<String>)> = disks.chain([("clock", wrong_clock(&paths.ledger))]).collect();
            for (condition, text) in &now {
                let was = said.iter().find(|(name, _)| name == condition).and_then(|(_, text)| text.clone());
                if *text != was {
                    let (condition, halts) = ((*condition).to_owned(), *condition != "clock");
                    say.say(Happening::Input(Input::Condition { condition, text: text.clone(), halts }));
                }
            }
            said = now;
            // A large cache takes a while to be listed.
            let index = fs::metadata(paths.cache.join("index.json"));
            let now = index.ok().map(|index| (index.ino(), index.len(), index.modified().ok()));
            if now != stamp || !is_listed {
                (stamp, is_listed) = (now, true);
                say.say(Happening::Input(Input::Media(media(&paths.cache))));
            }
            std::thread::sleep(LOOK);
        }
    };
    std::thread::Builder::new().name("conditions".to_owned()).spawn(watch).map(drop)
}

/// The media of the cache; whether one may be written is seen when it is.
pub(super) fn media(cache: &Path) -> BTreeSet<String> {
    let listed = Cache::open_existing(cache).and_then(|cache| cache.list()).unwrap_or_default();
    listed.into_iter().map(|medium| medium.name.to_string()).collect()
}

/// Why nothing is begun: what is made could not be recorded.
fn too_full(path: &Path, lowest: u64) -> Option<String> {
    let folder: PathBuf = path.ancestors().find(|folder| folder.is_dir())?.to_owned();
    let Some(free) = free_bytes(&folder) else {
        return Some(format!("{}: what is free on its disk can't be found out", path.display()));
    };
    // The exact number changes all the time.
    let mib = |bytes: u64| bytes >> 20;
    (free < lowest).then(|| format!("{}: less than {} MiB are free on its disk", path.display(), mib(lowest)))
}

/// A clock that is before the last row's time was set back, or has lost its battery.
fn wrong_clock(ledger: &Path) -> Option<String> {
    let now = SystemClock::new().now();
    let last = Ledger::open_existing(ledger).and_then(|ledger| ledger.last()).ok().flatten()?;
    let finished = last.entry.finished;
    // A minute is what clocks are corrected by.
    (now.unix_s() + 60 < finished.unix_s())
        .then(|| format!("the clock says {now}, but the last row of the ledger is of {finished}"))
}
