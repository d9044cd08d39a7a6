// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Faults injected into the real program writing real drives, and what came of each. None may be a false pass.
//!
//! Each injection writes two drives at once, one of them with a fault; then the drives are judged by places read off
//! them and by outside tools, never by the engine's word. Each kind of fault has a control: a blind program under the
//! same fault, which must pass a drive the judge calls wrong, so that the judge is known to see.
//!
//!     cargo test --test faults [-- [--full] [--seed N] [KIND]]      KIND: a part of a kind's name

// A program has no public face.
#![allow(unreachable_pub)]

mod bench;
mod device;
mod direct;
mod disks;
mod errors;
mod hangs;
mod judge;
mod kills;
mod lanes;
mod ledger;
mod liars;
mod process;
mod pulled;
mod shim;
mod strace;
mod table;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bench::{Bench, Setting};
use direct::Random;
use judge::{Medium, Source};
use platen_testkit::station::{self as common, Station};
use table::{Control, Kind, Lane, Step, Table};

const SEED: u64 = 0x706c_6174_656e;
const WORKERS: u64 = 2;

enum Work {
    /// With its number among those of its kind.
    Lane(u64, Lane),
    Control(Control),
}

type Queue = Mutex<VecDeque<(usize, Work)>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|verb| verb.starts_with("blind-")) {
        return ExitCode::from(direct::blind(&arguments) as u8);
    }
    // What cargo hands to every test program: nothing here is a single test that could be listed or left out.
    if arguments.iter().any(|argument| ["--list", "--ignored"].contains(&&**argument)) {
        return ExitCode::SUCCESS;
    }
    let full = arguments.iter().any(|argument| argument == "--full");
    let after =
        |flag: &str| arguments.iter().position(|argument| argument == flag).and_then(|at| arguments.get(at + 1));
    let seed = after("--seed").map_or(SEED, |text| text.parse().expect("--seed takes a number"));
    let values: Vec<Option<&String>> = ["--seed", "--test-threads", "--skip", "--format", "--color"].map(after).into();
    let is_name = |argument: &&String| !argument.starts_with('-') && !values.contains(&Some(*argument));
    let name = arguments.iter().find(is_name);

    process::stop_when_asked();
    let started = Instant::now();
    let Some((mut kinds, setting)) = prepare(full, seed, name) else {
        println!("no kind of fault has {:?} in its name", name.map_or("", |name| name));
        return ExitCode::SUCCESS;
    };
    println!("seed {seed}, {} kinds of fault, {} run", kinds.len(), if full { "full" } else { "short" });
    let table = Mutex::new(Table::new(&kinds));
    let mut queue = VecDeque::new();
    for (index, kind) in kinds.iter_mut().enumerate() {
        queue.extend((0..).zip(kind.lanes.drain(..)).map(|(number, lane)| (index, Work::Lane(number, lane))));
        queue.extend(kind.control.take().map(|control| (index, Work::Control(control))));
    }
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (setting, queue, table) = (&setting, &queue, &table);
            scope.spawn(move || work(setting, queue, table));
        }
    });
    let mut table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    table.close();
    println!("{} s", started.elapsed().as_secs());
    table.print();
    if table.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The station and the media, unless no kind is asked for.
fn prepare(full: bool, seed: u64, name: Option<&String>) -> Option<(Vec<Kind>, Arc<Setting>)> {
    let all = [
        errors::kinds,
        shim::kinds,
        kills::kinds,
        pulled::kinds,
        hangs::kinds,
        ledger::kinds,
        disks::kinds,
        liars::kinds,
    ];
    let all = all.iter().flat_map(|kinds| kinds(full));
    let kinds: Vec<Kind> = all.filter(|kind| name.is_none_or(|name| kind.name.contains(&**name))).collect();
    if kinds.is_empty() {
        return None;
    }
    let station = Station::new();
    let shim = shim::compile("shim.c", &station.path("shim.so"));
    let liar = shim::compile("liar.c", &station.path("liar.so"));
    author(&station, seed);
    let source = Source { station: &station, old: "OLD", seed };
    let media = [("TREE", Some("mbr")), ("TREE", Some("gpt")), ("RAW", None), ("WIDE", None)];
    let make = |(reference, scheme)| Medium::make(&source, reference, scheme, device::DEVICE_MIB);
    let media = media.into_iter().map(make).collect();
    Some((kinds, Arc::new(Setting { seed, station, media, shim, liar })))
}

/// A medium of files, the one that was on the drive before, and two images: a small one, and one with content all
/// over the drive.
fn author(station: &Station, seed: u64) {
    let mut random = Random(seed);
    let mut noise = |bytes: usize| {
        let mut noise = vec![0; bytes];
        random.fill(&mut noise);
        noise
    };
    for (id, big) in [("OLD", noise(4_900_000)), ("TREE", noise(5_000_001))] {
        let deep = noise(70_000);
        let _ = std::fs::remove_dir_all(station.path("tree"));
        station.files(
            "tree",
            &[
                ("readme.txt", id.as_bytes()),
                ("empty", b""),
                ("Folder with a long name/Another one/file.dat", &deep),
                ("sources/big.bin", &big),
            ],
        );
        station.build(&station.define(id, 1, "")).expect(0);
    }
    let small = [0..2usize << 20, 3 << 20..4 << 20];
    let wide = [0..3 << 19, 9 << 20..10 << 20, 21 << 20..45 << 19, 33 << 20..34 << 20];
    for (id, parts, mib) in [("RAW", &small[..], 5), ("WIDE", &wide[..], 38)] {
        let mut image = vec![0; mib << 20];
        for part in parts {
            let bytes = noise(part.len());
            image[part.clone()].copy_from_slice(&bytes);
        }
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(station.path(&format!("{id}.img")), image).expect("writes");
        let text = format!(
            "kind = \"raw\"\nid = \"{id}\"\nname = \"Raw\"\nversion = \"1\"\nrevision = 1\n[image]\npath = \"{id}.img\"\n"
        );
        let definition = station.path(&format!("{id}.toml"));
        std::fs::write(&definition, text).expect("writes");
        station.build(&definition).expect(0);
    }
    for id in ["OLD", "TREE", "RAW", "WIDE"] {
        station.platen(&["cache", "import", "layout", id]).expect(0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(setting: &Arc<Setting>, queue: &Queue, table: &Mutex<Table>) {
    let mut bench = Bench::new(setting);
    loop {
        let Some((index, work)) = lock(queue).pop_front() else { break };
        let done = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Lane(number, lane) => {
                bench.random = random_of(setting.seed, lock(table).name(index), number);
                go_through(lane, &mut bench, index, table);
            }
            Work::Control(control) => {
                bench.random = random_of(setting.seed, lock(table).name(index), u64::MAX);
                let seen = control(&mut bench);
                lock(table).control(index, seen);
            }
        }));
        if let Err(panic) = done {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
            lock(table).broken(index, &text);
            // Whatever state the device is in, nobody else gets it.
            bench.drop_device();
        }
        if process::STOP.load(Ordering::Relaxed) {
            return;
        }
    }
    // After all that, the ledger of everything that was written is whole. Some kinds only write with ledgers of their own.
    if !bench.station.path("ledger.db").exists() {
        return;
    }
    let checked = bench.station.platen(&["ledger", "check"]);
    if checked.status != 0 {
        lock(table).problems.push(format!("LEDGER: {}{}", checked.stdout, checked.stderr));
    }
}

/// The same for a kind and a lane, whatever else runs and whoever runs it.
fn random_of(seed: u64, kind: &str, lane: u64) -> Random {
    let mut random = Random(seed ^ lane);
    for byte in kind.bytes() {
        random = Random(random.next() ^ u64::from(byte));
    }
    random
}

fn go_through(mut lane: Lane, bench: &mut Bench, index: usize, table: &Mutex<Table>) {
    for n in 1.. {
        match lane(bench, n) {
            Step::Injected(injection) => {
                let mut table = lock(table);
                table.add(index, injection);
                if table.injected().is_multiple_of(100) {
                    eprintln!("{} injected, {} problems", table.injected(), table.problems.len());
                }
            }
            Step::Missed => {}
            Step::End => return,
        }
    }
}
