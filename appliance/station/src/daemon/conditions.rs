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
            let sys = Path::new("/sys");
            let others =
                [("clock", wrong_clock(&paths.ledger)), ("temperature", too_hot(sys)), ("wear", worn_out(sys))];
            let now: Vec<(&str, Option<String>)> = disks.chain(others).collect();
            for (condition, text) in &now {
                let was = said.iter().find(|(name, _)| name == condition).and_then(|(_, text)| text.clone());
                if *text != was {
                    let (condition, halts) = ((*condition).to_owned(), condition.ends_with("-disk"));
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

/// The first sensor that is at its limit (Documentation/hwmon/sysfs-interface: thousandths of a degree).
fn too_hot(sys: &Path) -> Option<String> {
    let text = |path: PathBuf| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let degrees = |path: PathBuf| Some(text(path)?.parse::<i64>().ok()? / 1000);
    for chip in folders(&sys.join("class/hwmon")) {
        for (sensor, input) in numbered(&chip, "temp", "_input") {
            let limit = |name: &str| degrees(chip.join(format!("temp{sensor}_{name}")));
            let (Some(now), Some(limit)) = (degrees(input), limit("crit").or_else(|| limit("max"))) else { continue };
            // Chips without a sensor there say 0, or less.
            if limit > 0 && now >= limit {
                let name = text(chip.join(format!("temp{sensor}_label"))).or_else(|| text(chip.join("name")));
                let name = name.unwrap_or_else(|| "a sensor".to_owned());
                return Some(format!("{name}: its limit of {limit} degrees Celsius is reached"));
            }
        }
    }
    None
}

/// The first soldered memory that says that it is used up (JEDEC JESD84-B51, 7.4: EXT_CSD 267 to 269; tenths of its life).
fn worn_out(sys: &Path) -> Option<String> {
    const NEARLY_USED_UP: u32 = 0x0a;
    folders(&sys.join("block")).into_iter().find_map(|disk| {
        let life = fs::read_to_string(disk.join("device/life_time")).ok()?;
        let tenths = life.split_whitespace().filter_map(|part| u32::from_str_radix(part.strip_prefix("0x")?, 16).ok());
        let worst = tenths.max().filter(|worst| *worst >= NEARLY_USED_UP)?;
        let name = disk.file_name()?.to_string_lossy().into_owned();
        let used = if worst > NEARLY_USED_UP { "more than its whole life" } else { "nine tenths of its life" };
        Some(format!("{name}: the station's own memory has used up {used}; have it replaced"))
    })
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Files such as `temp3_input`, with their number.
fn numbered(folder: &Path, before: &str, after: &str) -> Vec<(u32, PathBuf)> {
    let number = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let number = name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
        Some((number, path))
    };
    folders(folder).into_iter().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these files.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("makes");
            fs::write(path, text).expect("writes");
        }
        folder
    }

    #[test]
    fn a_sensor_at_its_limit_is_named() {
        let sensors = |now: &str, limit: &str| {
            let files = [
                ("class/hwmon/hwmon0/name", "cpu_thermal\n"),
                ("class/hwmon/hwmon0/temp1_input", now),
                ("class/hwmon/hwmon0/temp1_crit", limit),
                ("class/hwmon/hwmon1/temp1_input", "990000"),
            ];
            too_hot(machine(&files).path())
        };
        assert_eq!(sensors("84999\n", "85000\n"), None, "one without a limit says nothing");
        let said = sensors("85000\n", "85000\n").expect("it is said");
        assert_eq!(said, "cpu_thermal: its limit of 85 degrees Celsius is reached");
        assert_eq!((sensors("0", "0"), sensors("x", "85000"), sensors("-5000", "")), (None, None, None));
    }

    #[test]
    fn memory_that_is_used_up_is_named() {
        let worn = |life: &str| worn_out(machine(&[("block/mmcblk0/device/life_time", life)]).path());
        assert_eq!((worn("0x01 0x09\n"), worn("nothing"), worn("")), (None, None, None));
        assert!(worn("0x01 0x0a\n").is_some_and(|said| said.contains("mmcblk0") && said.contains("nine tenths")));
        assert!(worn("0x0b 0x01\n").is_some_and(|said| said.contains("its whole life")));
    }
}
