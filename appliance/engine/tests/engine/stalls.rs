// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that hang: they are given up, whenever it happens, and harm neither the others nor what is recorded when
//! they wake up.
//!
//! A drive's time is the test's: it stands still until every drive has either ended or hangs, so nothing depends on
//! how fast the machine is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use platen_engine::plan::WritePlan;
use platen_engine::{JobHandle, Limits, ReadDrive, SystemClock, Trouble};
use platen_events::{Code, Event};
use platen_media::manifest::Scheme;

use crate::bench::{Bench, Recorded, Told, assert_told, code, is_ready, job_of, write};
use crate::liar::{Blank, Liar, Lie};
use crate::rigged::{Act, Asked, Gate, Kind, Rigged, Ticks, locked};

const STALL: Duration = Duration::from_secs(30);
/// Hung drives that are tried at the same time.
const AT_ONCE: u64 = 10;

fn engine(bench: &Bench, clock: Box<dyn platen_engine::Clock + Send>, stall: Duration) -> Recorded {
    let ledger = platen_ledger::Ledger::open(&bench.dir.path().join("stalls.db")).unwrap();
    Recorded::new(ledger, clock, Limits { stall, ..Limits::default() })
}

/// A drive at work.
struct Job {
    port: String,
    gate: Arc<Gate>,
    told: Told,
    drive: Arc<Mutex<Liar>>,
    handle: JobHandle,
}

/// `rule` may hang at the gate it is given.
fn start(
    engine: &Recorded,
    plan: &WritePlan,
    port: &str,
    has_zero_command: bool,
    mut rule: impl FnMut(Asked, &Gate) -> Act + Send + 'static,
) -> Job {
    let gate = Arc::new(Gate::default());
    let mut drive = Liar::new(plan.shape().size_bytes, Lie::Honest, Blank::Noise(11));
    drive.has_zero_command = has_zero_command;
    let hanging = Arc::clone(&gate);
    let rigged = Rigged::new(drive, move |asked| rule(asked, &hanging)).at_port(port).with_gate(&gate);
    let drive = rigged.behind();
    let (job, told) = job_of(plan, rigged);
    let handle = engine.start(job).unwrap();
    Job { port: port.to_owned(), gate, told, drive, handle }
}

/// Verdict and code of each of the port's rows.
fn rows(engine: &Recorded, port: &str) -> Vec<(String, String)> {
    let rows = engine.ledger.entries().unwrap().into_iter().filter(|row| row.entry.port == port);
    rows.map(|row| (row.entry.verdict, row.entry.code)).collect()
}

/// A drive that was given up comes back: all that is told then is that nobody holds it any more.
fn assert_released_after(told: &Told, before: &[Event]) {
    let Some(Event::JobStarted { drive, .. }) = before.first() else { panic!("{before:?}") };
    while told.so_far().len() == before.len() {
        std::thread::yield_now();
    }
    let expected = [before, &[Event::DriveReleased { drive: drive.clone() }]].concat();
    assert_eq!(told.so_far(), expected);
}

/// Sector 0 says that there are partitions, or a table of them stands behind it.
fn has_table(drive: &Mutex<Liar>) -> bool {
    let mut sectors = platen_engine::AlignedBuffer::new(1024);
    locked(drive).read_at(0, &mut sectors).unwrap();
    sectors[510..512] == [0x55, 0xaa] || sectors[512..520] == *b"EFI PART"
}

/// Every operation of a kind in turn is the one that never ends, or ends when nobody waits for it any more.
fn sweep(bench: &Bench, scheme: Scheme, kind: Kind, size: u64) -> u64 {
    let plan = bench.plan_for(scheme, size, 512);
    let mut golden = Liar::new(size, Lie::Honest, Blank::Zeros);
    assert!(is_ready(&write(&bench.engine, &plan, &mut golden)));
    let ticks = Ticks::default();
    let engine = engine(bench, Box::new(ticks.clone()), STALL);
    let mut hung = 0;
    for first in (1..).step_by(AT_ONCE as usize) {
        let healthy = ["left", "right"].map(|port| {
            start(&engine, &plan, &format!("{port}-{scheme}-{kind:?}-{first}"), kind == Kind::Zero, |_, _| Act::Work)
        });
        let jobs: Vec<Job> = (first..first + AT_ONCE)
            .map(|n| {
                let port = format!("{scheme}-{kind:?}-{n}");
                start(&engine, &plan, &port, kind == Kind::Zero, move |asked, gate| {
                    if asked.kind == kind && asked.nth == n {
                        gate.hang();
                    }
                    Act::Work
                })
            })
            .collect();
        for job in healthy {
            let outcome = job.handle.wait();
            assert!(is_ready(&outcome), "beside hung drives: {outcome:?}");
            assert!(locked(&job.drive).is_like(&mut golden, &plan));
            assert_told(&job.told.so_far(), &outcome, true);
            assert_eq!(rows(&engine, &job.port), [("READY".to_owned(), String::new())]);
        }
        let hanging: Vec<bool> = jobs.iter().map(|job| job.gate.hangs()).collect();
        ticks.pass(STALL);
        let count = hanging.iter().filter(|hangs| **hangs).count() as u64;
        hung += count;
        for (job, hangs) in jobs.into_iter().zip(hanging) {
            let Job { port, gate, told, drive, handle } = job;
            let outcome = handle.wait();
            let before = told.so_far();
            assert_told(&before, &outcome, !hangs);
            let recorded = rows(&engine, &port);
            if !hangs {
                assert!(is_ready(&outcome), "{port}: {outcome:?}");
                continue;
            }
            assert_eq!(code(&outcome), Some(Code::Stalled), "{port}: {outcome:?}");
            assert_eq!(recorded, [("NOT USABLE".to_owned(), "P-W-005".to_owned())], "{port}");
            gate.open();
            gate.wait_until_let_go();
            assert!(!has_table(&drive), "{port}");
            assert_eq!(rows(&engine, &port), recorded, "{port}");
            assert_released_after(&told, &before);
        }
        if count < AT_ONCE {
            break;
        }
    }
    engine.ledger.check(None).unwrap();
    eprintln!("{}, {scheme}: hung at each of {hung} operations of kind {kind:?}", plan.title());
    hung
}

#[test]
fn a_drive_that_hangs_at_a_write() {
    assert!(sweep(&Bench::raw(), Scheme::Mbr, Kind::Write, 17 << 20) > 20);
    assert!(sweep(&Bench::files(), Scheme::Gpt, Kind::Write, 40 << 20) > 30);
}

#[test]
fn a_drive_that_hangs_at_a_read() {
    assert!(sweep(&Bench::raw(), Scheme::Mbr, Kind::Read, 17 << 20) > 20);
    assert!(sweep(&Bench::files(), Scheme::Mbr, Kind::Read, 40 << 20) > 30);
}

#[test]
fn a_drive_that_hangs_at_a_flush_or_while_it_makes_zeros() {
    assert!(sweep(&Bench::files(), Scheme::Mbr, Kind::Flush, 40 << 20) >= 4);
    assert!(sweep(&Bench::raw(), Scheme::Mbr, Kind::Flush, 17 << 20) >= 4);
    assert!(sweep(&Bench::raw(), Scheme::Mbr, Kind::Zero, 17 << 20) >= 1);
}

#[test]
fn a_drive_that_hangs_while_it_is_wiped_after_a_failure() {
    let bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    let ticks = Ticks::default();
    let engine = engine(&bench, Box::new(ticks.clone()), STALL);
    for n in [1, 2, 12, 20] {
        for more in [1, 2, 3] {
            let port = format!("{n}-{more}");
            let job = start(&engine, &plan, &port, false, move |asked, gate| match asked {
                Asked { kind: Kind::Write, nth, .. } if nth == n => Act::Fail(Trouble::Broken),
                Asked { kind: Kind::Write, nth, .. } if nth == n + more => {
                    gate.hang();
                    Act::Work
                }
                _ => Act::Work,
            });
            assert!(job.gate.hangs());
            ticks.pass(STALL);
            let outcome = job.handle.wait();
            assert_eq!(code(&outcome), Some(Code::Stalled), "{outcome:?}");
            let before = job.told.so_far();
            assert_told(&before, &outcome, false);
            job.gate.open();
            job.gate.wait_until_let_go();
            assert_eq!(rows(&engine, &port), [("NOT USABLE".to_owned(), "P-W-005".to_owned())]);
            assert_released_after(&job.told, &before);
            assert!(!has_table(&job.drive));
        }
    }
}

/// The same by the machine's own clock.
#[test]
fn a_hung_drive_is_given_up_in_real_time() {
    let bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    let engine = engine(&bench, Box::new(SystemClock::new()), Duration::from_millis(300));
    let job = start(&engine, &plan, "1", false, |asked, gate| {
        if asked.kind == Kind::Write && asked.nth == 9 {
            gate.hang();
        }
        Act::Work
    });
    let outcome = job.handle.wait();
    assert_eq!(code(&outcome), Some(Code::Stalled), "{outcome:?}");
    assert_eq!(engine.given_up.count(), 1);
    job.gate.open();
    job.gate.wait_until_let_go();
    assert_eq!(rows(&engine, "1").len(), 1);
    assert_released(&engine);
}

/// The thread that was left behind says so a moment after it closed the drive.
fn assert_released(engine: &Recorded) {
    let begun = std::time::Instant::now();
    while engine.given_up.count() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is counted until it is closed, and no longer");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whoever stops a job does not wait for what hangs as long as for one that may still answer.
#[test]
fn a_hung_job_that_is_cancelled_ends_soon() {
    let bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    let ticks = Ticks::default();
    let engine = engine(&bench, Box::new(ticks.clone()), STALL);
    let mut job = start(&engine, &plan, "1", false, |asked, gate| {
        if asked.kind == Kind::Write && asked.nth == 9 {
            gate.hang();
        }
        Act::Work
    });
    assert!(job.gate.hangs());
    ticks.pass(STALL / 2);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(job.handle.try_wait(), None, "the control: nobody stopped it yet");
    job.handle.cancel();
    let outcome = job.handle.wait();
    assert_eq!(code(&outcome), Some(Code::Cancelled), "{outcome:?}");
    assert_told(&job.told.so_far(), &outcome, false);
    assert_eq!(engine.given_up.count(), 1);
    job.gate.open();
    job.gate.wait_until_let_go();
    assert!(!has_table(&job.drive));
    assert_released(&engine);
}

#[test]
fn a_job_that_is_cancelled_ends_and_can_be_asked() {
    let bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    let engine = engine(&bench, Box::new(SystemClock::new()), STALL);
    let mut job = start(&engine, &plan, "1", false, |asked, gate| {
        if asked.kind == Kind::Write && asked.nth == 9 {
            gate.hang();
        }
        Act::Work
    });
    assert!(job.gate.hangs());
    job.handle.cancel();
    job.gate.open();
    let end = loop {
        if let Some(end) = job.handle.try_wait() {
            break end.clone();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code(&end), Some(Code::Cancelled), "{end:?}");
    assert_eq!(job.handle.wait(), end);
    assert_told(&job.told.so_far(), &end, true);
    assert_eq!(engine.given_up.count(), 0);
}

#[test]
fn a_panic_harms_one_drive_only() {
    let bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    let engine = engine(&bench, Box::new(Ticks::default()), STALL);
    // Once, and again while it is wiped.
    for always in [false, true] {
        let healthy = [0, 1].map(|n| start(&engine, &plan, &format!("healthy-{always}-{n}"), false, |_, _| Act::Work));
        let jobs: Vec<Job> = [1, 2, 5, 12, 20]
            .into_iter()
            .map(|n| {
                start(&engine, &plan, &format!("{always}-{n}"), false, move |asked, _| {
                    let panics = asked.nth == n || (always && asked.nth > n);
                    assert!(!(panics && asked.kind == Kind::Write), "a panic that a test wants");
                    Act::Work
                })
            })
            .collect();
        for job in jobs {
            let outcome = job.handle.wait();
            assert_eq!(code(&outcome), Some(Code::StationFault), "{outcome:?}");
            assert_told(&job.told.so_far(), &outcome, true);
            assert_eq!(rows(&engine, &job.port), [("TRY AGAIN".to_owned(), "P-W-007".to_owned())]);
            job.gate.wait_until_let_go();
            assert!(!has_table(&job.drive));
        }
        for job in healthy {
            assert!(is_ready(&job.handle.wait()));
        }
    }
}
