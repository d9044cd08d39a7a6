// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Many drives of one station at once, half of them bad in all sorts of ways: the good ones never suffer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use platen_engine::plan::{PlannedExtent, Source, WritePlan};
use platen_engine::{JobHandle, Limits, SystemClock};
use platen_ledger::Ledger;
use platen_media::manifest::Scheme;

use crate::bench::{Bench, Recorded, Told, assert_told, faulty, is_ready, job_of};
use crate::fake::{Fake, Fault};
use crate::media::noise;
use crate::rigged::{Act, Rigged, locked};

const DRIVES: usize = 16;
/// At most so many rounds, and none is begun after that time: on a slow machine a few are enough.
const ROUNDS: u64 = 40;
const TIME: Duration = Duration::from_secs(15);

/// Bytes drawn by a seed.
struct Dice(std::vec::IntoIter<u8>);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        let word: u64 = (0..4).fold(0, |word, _| word << 8 | u64::from(self.0.next().unwrap()));
        word % limit
    }
}

/// Any kind of fault, at any time of the job.
fn fault(dice: &mut Dice, plan: &WritePlan) -> Fault {
    let n = 1 + dice.below(50);
    match dice.below(13) {
        0 => Fault::FailWrite(n),
        1 => Fault::FailRead(n),
        2 => Fault::FailFlush(1 + n % 4),
        3 => Fault::DropWrite(n),
        4 => Fault::TearWrite(n),
        5 => Fault::FlipWrite(n),
        6 => Fault::FlipRead(n),
        7 => Fault::EmptyRead(n),
        8 => Fault::Misplace(n, [512, -512, 1 << 20, 8 << 20][dice.below(4) as usize]),
        9 => Fault::StaleFrom(n),
        10 => Fault::ReadOnlyFrom(n),
        11 => Fault::VanishAtByte(dice.below(plan.write_bytes())),
        _ => Fault::Wrap((2 + dice.below((plan.shape().size_bytes >> 20) - 3)) << 20),
    }
}

/// Every byte of the plan, as the drive gives it back; but for its own record, which says where it was inserted.
fn is_right(plan: &WritePlan, drive: &Fake, golden: &[u8]) -> bool {
    let real = if let Fault::Wrap(real) = drive.fault { real as usize } else { golden.len() };
    let sectors = |extent: &PlannedExtent| {
        let (from, to) = (extent.offset_bytes as usize, (extent.offset_bytes + extent.len_bytes) as usize);
        (from / 512..to.div_ceil(512)).map(move |sector| (sector * 512).max(from)..((sector + 1) * 512).min(to))
    };
    let extents = plan.payload().iter().chain(plan.seal()).filter(|extent| extent.source != Source::Record);
    extents.flat_map(sectors).all(|range| drive.memory[range.start % real..][..range.len()] == golden[range])
}

struct Job {
    drive: Arc<Mutex<Fake>>,
    told: Told,
    handle: JobHandle,
}

#[test]
fn good_drives_do_not_suffer_from_bad_ones() {
    let plans = [Bench::raw(), Bench::files()].map(|bench| {
        let size = if bench.media.manifest().image.is_some() { 17 << 20 } else { 36 << 20 };
        let plan = bench.plan_for(Scheme::Mbr, size, 512);
        let golden = bench.golden(&plan);
        (bench, plan, golden)
    });
    let ledger = Ledger::open(&plans[0].0.dir.path().join("many.db")).unwrap();
    let limits = Limits { stall: Duration::from_secs(3600), minimum_bytes_per_s: 0, attempts: 1 };
    let engine = Recorded::new(ledger, Box::new(SystemClock::new()), limits);
    let begun = Instant::now();
    let (mut rounds, mut good, mut refused, mut harmless) = (0, 0, 0, 0);
    for round in 0..ROUNDS {
        if begun.elapsed() > TIME && round >= 2 {
            break;
        }
        rounds += 1;
        let mut dice = Dice(noise(round + 4000, 4096).into_iter());
        // Two media at once now and then.
        let jobs: Vec<(usize, Fault, Job)> = (0..DRIVES)
            .map(|number| {
                let which = if round % 3 == 2 { number / 2 % 2 } else { (round % 2) as usize };
                let plan = &plans[which].1;
                let fault = if number % 2 == 0 { Fault::None } else { fault(&mut dice, plan) };
                let rigged = Rigged::new(faulty(plan, fault), |_| Act::Work).at_port(&format!("{round}-{number}"));
                let drive = rigged.behind();
                std::thread::sleep(Duration::from_micros(dice.below(6000)));
                let (job, told) = job_of(plan, rigged);
                let handle = engine.start(job).unwrap();
                (which, fault, Job { drive, told, handle })
            })
            .collect();
        for (which, fault, job) in jobs {
            let (_, plan, golden) = &plans[which];
            let outcome = job.handle.wait();
            assert_told(&job.told.so_far(), &outcome, true);
            let drive = locked(&job.drive);
            let right = is_right(plan, &drive, golden);
            match is_ready(&outcome) {
                true if fault == Fault::None => {
                    assert!(right, "round {round}: a good drive is wrong");
                    good += 1;
                }
                true => {
                    assert!(right, "round {round}: {fault:?} is called ready");
                    harmless += 1;
                }
                false => {
                    assert!(fault != Fault::None, "round {round}: a good drive: {outcome:?}");
                    refused += 1;
                }
            }
        }
    }
    let rows = engine.ledger.entries().unwrap();
    // One that misplaced something into what is to be zeros is begun anew, and has two.
    let last = rows.iter().filter(|row| row.entry.verdict != "RETRIED");
    assert_eq!(last.count(), rounds * DRIVES, "each drive has its row");
    assert_eq!(rows.iter().filter(|row| row.entry.verdict == "READY").count(), good + harmless);
    engine.ledger.check(None).unwrap();
    eprintln!("{rounds} rounds of {DRIVES} drives: {good} good and READY, {refused} bad refused, {harmless} harmless");
    assert!(good == rounds * DRIVES / 2 && refused > harmless);
}
