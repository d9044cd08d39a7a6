//! Drives that hang: they are given up, whenever it happens, and harm neither the others nor what is recorded when
//! they wake up.
//!
//! A drive's time is the test's: it stands still until every drive has either ended or hangs, so nothing depends on
//! how fast the machine is.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platen_engine::plan::WritePlan;
use platen_engine::{Limits, ReadDrive, Running, SystemClock, Trouble};
use platen_events::{Code, Event, Outcome};
use platen_media::manifest::Scheme;

use crate::bench::{Bench, Recorded, is_ready, job_of};
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
    events: Arc<Mutex<Vec<Event>>>,
    drive: Arc<Mutex<Liar>>,
    running: Running,
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
    let (drive, events) = (rigged.behind(), Arc::new(Mutex::new(Vec::new())));
    let list = Arc::clone(&events);
    let report = Arc::new(move |event| locked(&list).push(event));
    let running = engine.start(job_of(plan, rigged, report)).unwrap();
    Job { port: port.to_owned(), gate, events, drive, running }
}

/// Verdict and code of each of the port's rows.
fn rows(engine: &Recorded, port: &str) -> Vec<(String, String)> {
    let rows = engine.ledger.entries().unwrap().into_iter().filter(|row| row.entry.port == port);
    rows.map(|row| (row.entry.verdict, row.entry.code)).collect()
}

fn assert_finished_once(events: &[Event], outcome: &Outcome) {
    let ends = events.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
    assert_eq!(ends, 1);
    assert!(matches!(events.last(), Some(Event::Finished { outcome: last, .. }) if last == outcome), "{events:?}");
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
    assert!(is_ready(&bench.engine.run(&plan, &mut golden, &|_| {}, &AtomicBool::new(false))));
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
            let outcome = job.running.join();
            assert!(is_ready(&outcome), "beside hung drives: {outcome:?}");
            assert!(locked(&job.drive).is_like(&mut golden, &plan));
            assert_finished_once(&locked(&job.events), &outcome);
            assert_eq!(rows(&engine, &job.port), [("READY".to_owned(), String::new())]);
        }
        let hanging: Vec<bool> = jobs.iter().map(|job| job.gate.hangs()).collect();
        ticks.pass(STALL);
        let count = hanging.iter().filter(|hangs| **hangs).count() as u64;
        hung += count;
        for (job, hangs) in jobs.into_iter().zip(hanging) {
            let Job { port, gate, events, drive, running } = job;
            let outcome = running.join();
            let before = locked(&events).clone();
            assert_finished_once(&before, &outcome);
            let recorded = rows(&engine, &port);
            if !hangs {
                assert!(is_ready(&outcome), "{port}: {outcome:?}");
                continue;
            }
            assert!(matches!(outcome, Outcome::Failed { code: Code::Stalled, .. }), "{port}: {outcome:?}");
            assert_eq!(recorded, [("NOT USABLE".to_owned(), "P-W-005".to_owned())], "{port}");
            gate.open();
            gate.wait_until_let_go();
            assert!(!has_table(&drive), "{port}");
            assert_eq!(rows(&engine, &port), recorded, "{port}");
            assert_eq!(*locked(&events), before, "{port}");
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
            let outcome = job.running.join();
            assert!(matches!(outcome, Outcome::Failed { code: Code::Stalled, .. }), "{outcome:?}");
            let before = locked(&job.events).clone();
            assert_finished_once(&before, &outcome);
            job.gate.open();
            job.gate.wait_until_let_go();
            assert_eq!(rows(&engine, &port), [("NOT USABLE".to_owned(), "P-W-005".to_owned())]);
            assert_eq!(*locked(&job.events), before);
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
    let outcome = job.running.join();
    assert!(matches!(outcome, Outcome::Failed { code: Code::Stalled, .. }), "{outcome:?}");
    job.gate.open();
    job.gate.wait_until_let_go();
    assert_eq!(rows(&engine, "1").len(), 1);
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
            let outcome = job.running.join();
            assert!(matches!(outcome, Outcome::Failed { code: Code::StationFault, .. }), "{outcome:?}");
            assert_finished_once(&locked(&job.events), &outcome);
            assert_eq!(rows(&engine, &job.port), [("TRY AGAIN".to_owned(), "P-W-007".to_owned())]);
            job.gate.wait_until_let_go();
            assert!(!has_table(&job.drive));
        }
        for job in healthy {
            assert!(is_ready(&job.running.join()));
        }
    }
}
