// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive that had a bad moment is begun anew, and one that is too slow is given up.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_engine::plan::plan_erase;
use platen_engine::plan::{DriveShape, Erase};
use platen_engine::{Clock, Drive, Trouble};
use platen_events::{Code, Event, JobEnd, Step, Verdict};
use platen_media::manifest::Scheme;

use crate::bench::{Bench, code, faulty, is_ready, is_right, observe, recognisable};
use crate::fake::Fault;
use crate::liar::{Blank, Liar, Lie};
use crate::rigged::{Act, Asked, Kind, Rigged, Ticks, locked};

/// Verdict and code of each row written since.
fn rows_since(bench: &Bench, before: usize) -> Vec<(String, String)> {
    let rows = bench.engine.ledger.entries().unwrap();
    rows[before..].iter().map(|row| (row.entry.verdict.clone(), row.entry.code.clone())).collect()
}

/// What was said when a drive was begun anew.
fn retries(events: &[Event]) -> Vec<Code> {
    let code = |event: &Event| if let Event::JobRetried { code, .. } = event { code.known() } else { None };
    events.iter().filter_map(code).collect()
}

#[test]
fn a_drive_that_refuses_once_is_written_all_the_same() {
    let mut bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    let golden = bench.golden(&plan);
    bench.engine.idle().limits.attempts = 2;
    type Kind = fn(u64) -> Fault;
    let kinds: [(Kind, Code); 3] = [
        (Fault::FailWrite, Code::WriteFailed),
        (Fault::FailRead, Code::ReadFailed),
        (Fault::FailFlush, Code::FlushFailed),
    ];
    let (mut retried, mut others) = (0, Vec::new());
    for (kind, code) in kinds {
        for n in 1.. {
            let before = bench.engine.ledger.entries().unwrap().len();
            let mut drive = faulty(&plan, kind(n));
            let (outcome, events) = observe(&bench.engine, &plan, &mut drive, &AtomicBool::new(false));
            let rows = rows_since(&bench, before);
            let told = retries(&events);
            if !drive.struck {
                assert!(is_ready(&outcome) && rows.len() == 1);
                break;
            }
            match outcome.verdict.code() {
                None => {
                    assert!(is_right(&plan, &drive.memory, &golden), "{:?}", kind(n));
                    assert_eq!(rows, [("RETRIED".to_owned(), code.to_string()), ("READY".to_owned(), String::new())]);
                    assert_eq!(told, vec![code]);
                    let steps =
                        events.iter().filter(|event| matches!(event, Event::StepStarted { step: Step::Prepare, .. }));
                    assert_eq!(steps.count(), 2, "it is begun at the beginning");
                    retried += 1;
                }
                Some(code) => others.push(format!("{:?}: {code} {}", kind(n), outcome.detail())),
            }
        }
    }
    eprintln!("refused once: {retried} retried and READY; refused at once: {others:#?}");
    assert!(retried > 50 && others.is_empty());
    bench.engine.ledger.check(None).unwrap();
}

/// Wrong data is never given a second chance. (Zeros that were presumed and are not there say nothing against a drive:
/// then it is written as a whole.)
#[test]
fn a_drive_that_gives_back_wrong_data_once_is_refused_however_often_it_may_be_tried() {
    let mut bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    bench.engine.idle().limits.attempts = 3;
    for kind in [Fault::FlipWrite as fn(u64) -> Fault, Fault::FlipRead] {
        let mut refused = 0;
        for n in 1.. {
            let before = bench.engine.ledger.entries().unwrap().len();
            let mut drive = faulty(&plan, kind(n));
            let (outcome, events) = observe(&bench.engine, &plan, &mut drive, &AtomicBool::new(false));
            if !drive.struck {
                break;
            }
            let wrong = [Code::ReadBackDiffers, Code::SealFailed];
            assert!(retries(&events).iter().all(|code| *code == Code::FileChanged), "{:?}: {events:?}", kind(n));
            if let Some(code) = code(&outcome) {
                assert!(wrong.contains(&code), "{:?}: {code}", kind(n));
                let last = rows_since(&bench, before).pop().unwrap();
                assert_eq!(last, ("NOT USABLE".to_owned(), code.to_string()));
                refused += 1;
            }
        }
        assert!(refused > 5, "{refused} refused");
    }
}

#[test]
fn a_drive_that_fails_again_is_refused() {
    let mut bench = Bench::raw();
    let plan = bench.plan_for(Scheme::Mbr, 17 << 20, 512);
    for attempts in [1, 2, 3] {
        bench.engine.idle().limits.attempts = attempts;
        for (kind, act, code) in [
            (Kind::Write, Act::Fail(Trouble::Broken), Code::WriteFailed),
            (Kind::Flush, Act::Fail(Trouble::Broken), Code::FlushFailed),
            (Kind::Read, Act::Fail(Trouble::Broken), Code::ReadFailed),
        ] {
            let before = bench.engine.ledger.entries().unwrap().len();
            let fails = move |asked: Asked| if asked.kind == kind && asked.nth >= 3 { act } else { Act::Work };
            let mut drive = Rigged::new(faulty(&plan, Fault::None), fails);
            let (outcome, events) = observe(&bench.engine, &plan, &mut drive, &AtomicBool::new(false));
            assert_eq!(outcome.verdict.code(), Some(code), "{outcome:?}");
            let again = attempts as usize - 1;
            let mut expected = vec![("RETRIED".to_owned(), code.to_string()); again];
            expected.push(("NOT USABLE".to_owned(), code.to_string()));
            assert_eq!(rows_since(&bench, before), expected);
            assert_eq!(retries(&events), vec![code; again]);
            assert!(matches!(events.last(), Some(Event::JobEnded { .. })));
        }
    }
}

#[test]
fn what_another_try_can_not_mend_is_not_tried_again() {
    let mut bench = Bench::raw();
    bench.engine.idle().limits.attempts = 3;
    let plan = bench.plan_for(Scheme::Mbr, 64 << 20, 512);
    let drive = |lie| Liar::new(64 << 20, lie, Blank::Noise(1));
    let troubles =
        [(Trouble::Vanished, Code::Vanished), (Trouble::ReadOnly, Code::ReadOnly), (Trouble::TooSlow, Code::TooSlow)];
    let once = |drive: &mut dyn Drive, cancelled: bool, code: Code| {
        let before = bench.engine.ledger.entries().unwrap().len();
        let (outcome, events) = observe(&bench.engine, &plan, drive, &AtomicBool::new(cancelled));
        assert_eq!(outcome.verdict.code(), Some(code), "{outcome:?}");
        assert_eq!(rows_since(&bench, before), [(code.entry().advice.to_string(), code.to_string())]);
        assert_eq!(retries(&events), []);
    };
    for (trouble, code) in troubles {
        let fails = move |asked: Asked| if asked.nth == 6 { Act::Fail(trouble) } else { Act::Work };
        once(&mut Rigged::new(drive(Lie::Honest), fails), false, code);
    }
    once(&mut drive(Lie::Wrap { real: 16 << 20 }), false, Code::Fake);
    once(&mut drive(Lie::Honest), true, Code::Cancelled);
    // A drive that fails while its job is stopped.
    let fails =
        |asked: Asked| if asked.kind == Kind::Write && asked.nth == 1 { Act::Fail(Trouble::Broken) } else { Act::Work };
    once(&mut Rigged::new(drive(Lie::Honest), fails), true, Code::WriteFailed);
}

/// An erase of 40 MiB on a drive that moves so many bytes a second, and takes so long to flush.
fn at_speed(bytes_per_s: f64, flush: Duration) -> (JobEnd, Ticks, Vec<u8>) {
    let mut bench = Bench::raw();
    let ticks = Ticks::default();
    bench.engine.idle().clock = Box::new(ticks.clone());
    let plan = plan_erase(DriveShape { size_bytes: 40 << 20, sector_bytes: 512 }, Erase::Full);
    let passing = ticks.clone();
    let mut drive = Rigged::new(faulty(&plan, Fault::None), move |asked| {
        passing.pass(match asked.kind {
            Kind::Flush => flush,
            _ => Duration::from_secs_f64(asked.len_bytes as f64 / bytes_per_s),
        });
        Act::Work
    });
    let (outcome, _) = observe(&bench.engine, &plan, &mut drive, &AtomicBool::new(false));
    let memory = std::mem::take(&mut locked(&drive.behind()).memory);
    (outcome, ticks, memory)
}

#[test]
fn a_hopelessly_slow_drive_is_given_up_soon() {
    let second = Duration::from_secs(1);
    for (kb_per_s, slow) in
        [(20.0, true), (100.0, true), (500.0, true), (900.0, true), (1100.0, false), (1500.0, false)]
    {
        let (outcome, ticks, memory) = at_speed(kb_per_s * 1000.0, second);
        let took = ticks.elapsed();
        eprintln!("{kb_per_s} kB/s: {} after {:.0} s", outcome.verdict, took.as_secs_f64());
        assert_eq!(recognisable(&memory, 512), None, "{kb_per_s} kB/s: {outcome:?}");
        if slow {
            assert_eq!(code(&outcome), Some(Code::TooSlow), "{kb_per_s}: {outcome:?}");
            // Until it is known, which takes four operations, and wiping it: all at its own speed.
            let most = 22.0 + (4 * 2 + 3) as f64 * (1 << 20) as f64 / (kb_per_s * 1000.0) + 3.0;
            assert!(took.as_secs_f64() < most, "{kb_per_s} kB/s: {took:?}, expected {most}");
        } else {
            assert_eq!(outcome.verdict, Verdict::Erased, "{kb_per_s}: {outcome:?}");
        }
    }
}

#[test]
fn a_long_flush_is_no_reason() {
    let (outcome, ticks, _) = at_speed(5e6, Duration::from_secs(60));
    assert_eq!(outcome.verdict, Verdict::Erased, "{outcome:?}");
    assert!(ticks.elapsed() > Duration::from_secs(120), "control: it took its time");
}
