// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! When the station has nothing else to do, everything in its cache is read and checked, now and then: a disk that rots is
//! found before a medium is wanted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Happening, Say, errands};
use crate::core::Input;
use crate::paths::Paths;

/// How long nothing was done.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// How long ago the last one ended.
const EVERY: Duration = Duration::from_secs(7 * 24 * 3600);
const LOOK: Duration = Duration::from_secs(10);
/// While drives are written, reading goes on at a few MB/s: other programs may wait for its end.
const GIVE_WAY: Duration = Duration::from_millis(500);
/// Its time is that of the last scrub.
const STAMP: &str = "scrubbed";

/// Watch on a thread of its own. `is_busy` is set while drives are worked on.
pub(super) fn start(state: &Path, paths: &Paths, is_busy: Arc<AtomicBool>, say: &Say) -> io::Result<()> {
    let (stamp, paths, say) = (state.join(STAMP), paths.clone(), say.clone());
    let watch = move || {
        let mut idle_since = Instant::now();
        loop {
            sleep(LOOK);
            if is_busy.load(Ordering::Relaxed) {
                idle_since = Instant::now();
            } else if idle_since.elapsed() >= IDLE && is_due(&stamp) {
                scrub(&stamp, &paths, &is_busy, &say);
            }
        }
    };
    std::thread::Builder::new().name("scrub".to_owned()).spawn(watch).map(drop)
}

/// A stamp of the future is one of a clock that was wrong.
fn is_due(stamp: &PathBuf) -> bool {
    let age = fs::metadata(stamp).and_then(|stamp| stamp.modified()).map(|modified| modified.elapsed());
    !matches!(age, Ok(Ok(age)) if age < EVERY)
}

fn scrub(stamp: &Path, paths: &Paths, is_busy: &AtomicBool, say: &Say) {
    let give_way = || {
        if is_busy.load(Ordering::Relaxed) {
            sleep(GIVE_WAY);
        }
    };
    let text = match errands::scrub(paths, say, give_way) {
        Ok(found) => match found["damage"].as_array().map_or(0, Vec::len) {
            0 => None,
            count => {
                Some(format!("{count} damaged piece(s) of content in the cache; scrub it, then import the media again"))
            }
        },
        Err(failure) => Some(format!("the cache can't be checked: {}", failure.reason())),
    };
    if let Err(error) = fs::write(stamp, "") {
        tracing::warn!(%error, "when the cache was checked can't be saved");
    }
    let condition = "cache".to_owned();
    say.say(Happening::Input(Input::Condition { condition, text, halts: false }));
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn it_is_due_a_week_after_the_last_one_and_when_the_clock_was_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let stamp = folder.path().join(STAMP);
        assert!(is_due(&stamp), "there was none");
        let at = |time: SystemTime| {
            let file = fs::File::create(&stamp).expect("makes");
            file.set_modified(time).expect("sets");
            is_due(&stamp)
        };
        let now = SystemTime::now();
        assert!(!at(now - EVERY / 2));
        assert!(at(now - EVERY - LOOK));
        assert!(at(now + EVERY));
    }
}
