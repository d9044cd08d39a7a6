// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that hold less than they claim, at every size they are sold at. The oracle is what such a drive gives back
//! after it was pulled and inserted again, not what the engine says of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platen_engine::plan::WritePlan;
use platen_engine::{Clock, Limits};
use platen_events::{Code, Event, JobEnd, Step, Verdict};
use platen_media::manifest::Scheme;

use crate::bench::{Bench, Recorded, assert_told, code, is_ready};
use crate::liar::{Answer, Blank, Liar, Lie};
use crate::rigged::{Act, Asked, Kind, Rigged, Ticks, locked};

const MIB: u64 = 1 << 20;
const SIZES: [(&str, u64); 5] =
    [("64 MiB", 64 << 20), ("1 GiB", 1 << 30), ("32 GiB", 32 << 30), ("256 GiB", 256 << 30), ("2 TiB", 2 << 40)];
/// Asking must not be noticed beside writing.
const ASKING: Duration = Duration::from_secs(5);

/// Whether the probe must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Must {
    Always,
    /// On drives of up to so many bytes; beyond them its time runs out, or it has nothing to stumble over.
    UpTo(u64),
}

pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) lie: Lie,
    pub(crate) cache: usize,
    must: Must,
}

pub(crate) fn models(size: u64) -> Vec<Model> {
    let whole = |bytes: u64| bytes / MIB * MIB;
    // Neither a multiple of 4 KiB nor of anything else but a sector.
    let odd = |bytes: u64| bytes / 8192 * 8192 + 3 * 512;
    let wrap = |real| Lie::Wrap { real };
    let limbo = |real, answer| Lie::Limbo { real, tail: 0, answer };
    let near = size / 1024 * 1014 / 512 * 512;
    let model = |name, lie, cache, must| Model { name, lie, cache, must };
    vec![
        model("wraps at 1/2", wrap(size / 2), 0, Must::Always),
        model("wraps at 1/8", wrap(size / 8), 0, Must::Always),
        model("wraps at 1/3, whole MiB", wrap(whole(size / 3)), 0, Must::Always),
        model("wraps at 3/10, odd", wrap(odd(size / 10 * 3)), 0, Must::UpTo(256 << 30)),
        model("wraps at 5/7, odd", wrap(odd(size / 7 * 5)), 0, Must::UpTo(32 << 30)),
        model("wraps at 99 %", wrap(near), 0, Must::UpTo(32 << 30)),
        model("wraps at 1/4, 3 MiB cache", wrap(size / 4), 3 << 20, Must::Always),
        model("wraps above 1/4, pow. of 2", Lie::WrapAbove { low: size / 4, real: size / 2 }, 0, Must::Always),
        // Nothing of it ever comes down in the window, and no two marks on each other.
        model("wraps above 1/5, odd", Lie::WrapAbove { low: odd(size / 5), real: odd(size / 7 * 3) }, 0, Must::UpTo(0)),
        model("limbo at 1/4, zeros", limbo(size / 4, Answer::Zeros), 0, Must::Always),
        model("limbo at 1/4, 0xFF", limbo(odd(size / 4), Answer::Ones), 0, Must::Always),
        model("limbo at 1/3, noise", limbo(odd(size / 3), Answer::Noise), 0, Must::Always),
        model("limbo at 1/3, stale", limbo(odd(size / 3), Answer::Stale), 0, Must::Always),
        model("limbo at 1/4, 1 MiB cache", limbo(size / 4, Answer::Zeros), 1 << 20, Must::Always),
        model("limbo at 1/4, 3 MiB cache", limbo(size / 4, Answer::Zeros), 3 << 20, Must::Always),
        model(
            "limbo at 1/2, last MiB real",
            Lie::Limbo { real: size / 2, tail: MIB, answer: Answer::Zeros },
            0,
            Must::Always,
        ),
        model("limbo at 7/8", limbo(size / 8 * 7, Answer::Zeros), 0, Must::Always),
        model("limbo at 99 %", limbo(near, Answer::Zeros), 0, Must::Always),
    ]
}

/// A drive's run, with all that was asked of it before the payload.
struct Run {
    outcome: JobEnd,
    /// The payload was begun.
    begun: bool,
    asked: Vec<Asked>,
    took: Duration,
}

/// `stop`: when it is asked no further. `asking` is cleared when the asking is over.
fn run(bench: &Bench, plan: &WritePlan, drive: Liar, stop: bool, asking: &Arc<AtomicBool>) -> (Run, Liar) {
    let (ticks, cancelled) = (Ticks::default(), AtomicBool::new(false));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (passing, asking_now, list) = (ticks.clone(), Arc::clone(asking), Arc::clone(&asked));
    asking.store(true, Ordering::SeqCst);
    let mut rigged = Rigged::new(drive, move |asked| {
        passing.pass_for(asked);
        if asking_now.load(Ordering::SeqCst) {
            locked(&list).push(asked);
        }
        Act::Work
    });
    let ledger = platen_ledger::Ledger::open(&bench.dir.path().join("probing.db")).unwrap();
    let engine = Recorded::new(ledger, Box::new(ticks.clone()), Limits::default());
    let (took, told) = (Mutex::new(None), Mutex::new(Vec::new()));
    let report = |event: Event| {
        if matches!(event, Event::StepStarted { step: Step::Write, .. }) {
            *locked(&took) = Some(ticks.elapsed());
            asking.store(false, Ordering::SeqCst);
            cancelled.store(stop, Ordering::SeqCst);
        }
        locked(&told).push(event);
    };
    let outcome = engine.run(plan, &mut rigged, &report, &cancelled);
    assert_told(&locked(&told), &outcome, false);
    let took = locked(&took).take();
    let behind = rigged.behind();
    drop(rigged);
    let drive = Arc::into_inner(behind).unwrap().into_inner().unwrap();
    let asked = locked(&asked).clone();
    (Run { outcome, begun: took.is_some(), asked, took: took.unwrap_or_else(|| ticks.elapsed()) }, drive)
}

fn golden(bench: &Bench, plan: &WritePlan) -> Liar {
    let drive = Liar::new(plan.shape().size_bytes, Lie::Honest, Blank::Noise(3));
    let (run, drive) = run(bench, plan, drive, false, &Arc::default());
    assert!(is_ready(&run.outcome), "{:?}", run.outcome);
    drive
}

#[derive(Debug, Default)]
struct Count {
    probe: u64,
    read_back: u64,
    holds_all: u64,
    false_ready: u64,
}

/// `blinded`: the drive answers the probe as if it did not lie.
fn sweep(bench: &Bench, size: u64, blinded: bool) -> Count {
    let plan = bench.plan_for(Scheme::Mbr, size, 512);
    let mut golden = golden(bench, &plan);
    let mut count = Count::default();
    for model in models(size) {
        let asking = Arc::new(AtomicBool::new(false));
        let mut drive = Liar::new(size, model.lie, Blank::Noise(7)).with_cache(model.cache);
        if blinded {
            drive = drive.honest_while(&asking);
        }
        let (run, mut drive) = run(bench, &plan, drive, false, &asking);
        asking.store(false, Ordering::SeqCst);
        drive.power_cycle();
        let name = model.name;
        let how = match code(&run.outcome) {
            None if drive.is_like(&mut golden, &plan) => {
                count.holds_all += 1;
                "READY, and holds it all".to_owned()
            }
            None => {
                count.false_ready += 1;
                "false READY".to_owned()
            }
            Some(Code::Fake) if !run.begun => {
                count.probe += 1;
                "the probe".to_owned()
            }
            Some(code) => {
                let detail = run.outcome.detail();
                assert!(run.begun, "{name}: {code} {detail}");
                // P-D-008 after the payload: zeros that were presumed were not there, and it was asked again.
                let found = [Code::ReadBackDiffers, Code::SealFailed, Code::Fake].contains(&code);
                assert!(found, "{name}: {code} {detail}");
                count.read_back += 1;
                format!("{code}")
            }
        };
        eprintln!("  {name:<28} {how}");
        let must = model.must == Must::Always || matches!(model.must, Must::UpTo(limit) if size <= limit);
        assert!(blinded || !must || how == "the probe", "{name} on {size} bytes: {how}");
    }
    count
}

#[test]
fn a_drive_smaller_than_it_claims_is_found_before_it_is_written_or_by_what_it_gives_back() {
    let (raw, files) = (Bench::raw(), Bench::files());
    for (name, size) in SIZES {
        // The allocation tables of a FAT volume grow with the drive.
        for bench in [Some(&raw), (size <= 1 << 30).then_some(&files)].into_iter().flatten() {
            eprintln!("{} on {name}:", bench.media.name());
            let count = sweep(bench, size, false);
            eprintln!("{} on {name}: {} models, {count:?}", bench.media.name(), models(size).len());
            assert_eq!(count.false_ready, 0);
            assert!(count.probe >= 14);
        }
    }
}

/// The control: without the probe the same drives are found by what they give back, or hold all of a small medium, or
/// are called ready wrongly, because their cache answered for them.
#[test]
fn without_the_probe_they_are_found_later_or_not_at_all() {
    let bench = Bench::raw();
    for (name, size) in &SIZES[..2] {
        let count = sweep(&bench, *size, true);
        eprintln!("probe blinded, {name}: {} models, {count:?}", models(*size).len());
        assert_eq!(count.probe, 0);
        assert!(count.read_back > 0 && count.holds_all > 0);
    }
}

#[test]
fn an_honest_drive_is_never_called_a_fake() {
    let bench = Bench::raw();
    let mut runs = 0;
    for (_, size) in SIZES {
        // Sold sizes are rarely round; each probe draws a number of its own.
        for size in [size, size - 512, size / 1000 * 999 / 512 * 512] {
            let plan = bench.plan_for(Scheme::Mbr, size, 512);
            let times = if size <= 1 << 30 { 5 } else { 1 };
            for nonce in 0..times {
                for blank in [Blank::Zeros, Blank::Ones, Blank::Noise(nonce)] {
                    let drive = Liar::new(size, Lie::Honest, blank);
                    let (once, drive) = run(&bench, &plan, drive, true, &Arc::default());
                    assert_eq!(once.outcome.verdict, Verdict::Cancelled, "{:?}", once.outcome);
                    // The marks of an earlier probe are on it now, where they were not wiped.
                    let (again, _) = run(&bench, &plan, drive.with_cache(MIB as usize), true, &Arc::default());
                    assert!(again.begun, "{size} {blank:?}: {:?}", again.outcome);
                    runs += 2;
                }
            }
        }
    }
    eprintln!("honest drives: {runs} probes, 0 called fake");
}

#[test]
fn asking_takes_a_few_seconds_whatever_the_size() {
    let bench = Bench::raw();
    for (name, size) in SIZES {
        let plan = bench.plan_for(Scheme::Mbr, size, 512);
        let drive = Liar::new(size, Lie::Honest, Blank::Zeros);
        let (run, _) = run(&bench, &plan, drive, true, &Arc::default());
        assert!(run.begun);
        let of = |kind| {
            let of_kind = run.asked.iter().filter(|asked| asked.kind == kind);
            (of_kind.clone().count(), of_kind.map(|asked| asked.len_bytes).sum::<u64>())
        };
        let ((writes, written), (reads, read)) = (of(Kind::Write), of(Kind::Read));
        eprintln!(
            "asking {name}: {writes} writes of {written} bytes, {reads} reads of {read} bytes, {} flushes, {:.2} s",
            of(Kind::Flush).0,
            run.took.as_secs_f64()
        );
        assert!(run.took < ASKING, "{name}: {:?}", run.took);
        assert!(written < 80 * MIB && read < 16 * MIB);
    }
}
