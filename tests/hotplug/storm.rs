// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that come, go, change places and names at random while the station is armed, and the station that is killed now
//! and then. Nothing is written to what is no target, and what the station says in the end is true.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::bench::Bench;
use super::drive::{Before, Drive, How, assert_media, bait, text};
use super::line::{Line, PATIENCE};
use super::ports::{PORTS, Port, UNMAPPED};

/// A sequence that its seed says (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.below(all.len())])
    }
}

/// Where a drive may be plugged in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Ports,
    /// Sockets that are no ports.
    Nowhere,
}

struct Storm<'a> {
    bench: &'a mut Bench,
    random: Random,
    drives: Vec<(Drive, Place)>,
    /// Which drive is in which socket.
    inside: BTreeMap<&'static str, usize>,
    counts: BTreeMap<&'static str, u32>,
}

/// With every run of the tests.
pub(super) fn short(bench: &mut Bench) {
    storm(bench, 24, 10);
}

/// `tests/long storms`.
#[test]
#[ignore = "most of an hour: tests/long storms"]
fn storms() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let events = number("PLATEN_STORM_EVENTS").unwrap_or(1000);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let seed = number("PLATEN_STORM_SEED").unwrap_or_else(now);
    println!("storms: {events} events, seed {seed}");
    let mut left = events;
    for guest in 0.. {
        let some = left.min(250);
        let mut bench = Bench::start();
        storm(&mut bench, some, seed.wrapping_add(guest));
        super::others::unchanged(&mut bench);
        left -= some;
        println!("storms: {} of {events} events, 0 bytes changed off target", events - left);
        if left == 0 {
            return;
        }
    }
}

fn storm(bench: &mut Bench, events: u64, seed: u64) {
    let targets = (0..6).map(|n| (bench.drive(&format!("TARGET-{n}"), How::Stick), Place::Ports));
    let baits = (0..3).map(|n| (bait(&bench.station, &format!("BAIT-{n}")), Place::Ports));
    let locked = (0..2).map(|n| (bench.drive(&format!("LOCKED-{n}"), How::ReadOnly), Place::Ports));
    let nowhere = (0..2).map(|n| (bench.drive(&format!("OUTSIDE-{n}"), How::Stick), Place::Nowhere));
    let drives: Vec<(Drive, Place)> = targets.chain(baits).chain(locked).chain(nowhere).collect();
    let off_target = drives.iter().filter(|(drive, _)| !is_target(drive)).map(|(drive, _)| Before::of(&drive.image));
    let off_target: Vec<Before> = off_target.collect();
    bench.arm(&PORTS, None);
    let (random, inside, counts) = (Random(seed), BTreeMap::new(), BTreeMap::new());
    let mut storm = Storm { bench, random, drives, inside, counts };
    for _ in 0..events {
        storm.event();
    }
    storm.until_settled();
    println!("storm: seed {seed}: {:?}", storm.counts);
    storm.assert_true();

    let changed = |bench: &Bench| {
        let disks = [&bench.system, &bench.internal];
        off_target.iter().chain(disks).map(Before::changed_bytes).sum::<usize>()
    };
    let Storm { bench, drives, .. } = storm;
    bench.clear();
    println!("storm: {} bytes changed off target, in {} disks", changed(bench), off_target.len() + 2);
    assert_eq!(changed(bench), 0, "off target");
    // The control: a byte that the guest writes to one of them.
    let (drive, _) = drives.iter().find(|(drive, _)| drive.serial == "BAIT-0").expect("there");
    bench.plug(PORTS[0], drive);
    bench.until_seen(PORTS[0].name, &drive.serial);
    let path = bench.inside(PORTS[0].name).expect("seen").1.label.path.clone();
    bench.shell(&format!("printf x | dd of={path} bs=1 count=1 seek=123456789 conv=notrunc,fsync 2> /dev/null"));
    assert_eq!(changed(bench), 1, "control");
}

fn is_target(drive: &Drive) -> bool {
    drive.serial.starts_with("TARGET")
}

impl Storm<'_> {
    /// One that is possible now.
    fn event(&mut self) {
        let done = match self.random.below(32) {
            0..12 => self.plug().map(|()| "plug"),
            12..18 => self.pull().map(|_| "pull"),
            18..26 => self.swap().map(|()| "swap"),
            26..31 => self.rename().map(|()| "rename"),
            _ => {
                self.restart();
                Some("restart")
            }
        };
        let Some(done) = done else { return self.event() };
        *self.counts.entry(done).or_default() += 1;
        // At once, or while drives are looked at, written, read back.
        let pauses_ms = [0, 0, 0, 100, 300, 1000, 2000, 5000];
        let pause_ms = self.random.one_of(&pauses_ms).unwrap_or_default();
        sleep(Duration::from_millis(pause_ms));
    }

    fn free_drives(&self, place: Place) -> Vec<usize> {
        let is_free = |n: &usize| self.drives[*n].1 == place && !self.inside.values().any(|inside| inside == n);
        (0..self.drives.len()).filter(is_free).collect()
    }

    fn put(&mut self, port: Port, drive: usize) {
        self.bench.plug(port, &self.drives[drive].0);
        self.inside.insert(port.name, drive);
    }

    fn take(&mut self, port: Port) -> Option<usize> {
        self.bench.pull(port);
        self.inside.remove(port.name)
    }

    fn sockets(&self, is_empty: bool) -> Vec<Port> {
        PORTS.into_iter().chain(UNMAPPED).filter(|port| self.bench.is_empty(*port) == is_empty).collect()
    }

    fn plug(&mut self) -> Option<()> {
        let port = self.random.one_of(&self.sockets(true))?;
        let drive = self.random.one_of(&self.free_drives(place_of(port)))?;
        self.put(port, drive);
        Some(())
    }

    fn pull(&mut self) -> Option<usize> {
        let port = self.random.one_of(&self.sockets(false))?;
        self.take(port)
    }

    /// Another drive in the same port, at once.
    fn swap(&mut self) -> Option<()> {
        let port = self.random.one_of(&self.sockets(false))?;
        let drive = self.random.one_of(&self.free_drives(place_of(port)))?;
        self.take(port);
        self.put(port, drive);
        Some(())
    }

    /// The kernel gives out names in the order in which drives come.
    fn rename(&mut self) -> Option<()> {
        let first = self.random.one_of(&self.sockets(false))?;
        let others: Vec<Port> = self.sockets(false).into_iter().filter(|port| *port != first).collect();
        let second = self.random.one_of(&others)?;
        let (one, other) = (self.take(first)?, self.take(second)?);
        self.put(second, other);
        self.put(first, one);
        Some(())
    }

    fn restart(&mut self) {
        self.bench.shell("kill_station");
        self.bench.start_station();
    }

    /// Until nothing is under way any more, and the station says what the kernel says.
    fn until_settled(&mut self) {
        let is_port = |name: &str| PORTS.iter().any(|port| port.name == name);
        let (begun, mut found) = (Instant::now(), (Vec::new(), Vec::new()));
        while begun.elapsed() < PATIENCE {
            // What it says now, and not what was read of it so far.
            self.bench.catch_up();
            self.bench.line.until("every drive in a port has its end", |line: &Line| {
                let state = line.state();
                let mut drives = state.drives().values().filter(|drive| is_port(&drive.label.port));
                drives.all(|drive| {
                    let job = drive.job.and_then(|job| state.jobs().get(&job));
                    !drive.is_gone && (drive.refused.is_some() || job.is_some_and(|job| job.end.is_some()))
                })
            });
            found = (self.bench.in_state(), self.bench.in_sysfs());
            // Three disks that stay, and what was plugged in.
            if found.0 == found.1 && found.1.len() == self.inside.len() + 3 {
                return;
            }
            sleep(Duration::from_millis(500));
        }
        panic!("the station knows {:?}, the kernel {:?}, in {:?}", found.0, found.1, self.inside);
    }

    /// What the ledger calls READY is a whole medium, and nothing else passes for one.
    fn assert_true(&mut self) {
        let rows = self.bench.ask(json!({ "request": "errand", "errand": "history", "limit": 10000 }));
        let rows = rows.as_array().expect("rows");
        let mut good = 0;
        for (drive, _) in self.drives.iter().filter(|(drive, _)| is_target(drive)) {
            let last = rows.iter().rfind(|row| row["serial"] == drive.serial);
            match last.filter(|row| row["verdict"] == "READY") {
                Some(row) => {
                    assert_media(&self.bench.station, &[(&drive.image, row["port"].as_str().expect("a port"))]);
                    good += 1;
                }
                None => {
                    let verified = self.bench.station.platen(&["verify", text(&drive.image)]);
                    assert_ne!(verified.status, 0, "{} passes for a medium: {last:?}", drive.serial);
                }
            }
        }
        for row in rows {
            let serial = row["serial"].as_str().expect("text");
            assert!(["BAIT", "LOCKED", "OUTSIDE"].iter().all(|other| !serial.starts_with(other)), "{row}");
        }
        println!("storm: {} rows; {good} of the targets are whole media, the others none", rows.len());
    }
}

fn place_of(port: Port) -> Place {
    if UNMAPPED.contains(&port) { Place::Nowhere } else { Place::Ports }
}
