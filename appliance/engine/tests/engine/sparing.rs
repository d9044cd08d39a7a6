// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Zeros that a drive has already are not sent to it, and nobody is believed to have them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use platen_engine::plan::{Source, WritePlan};
use platen_engine::{AlignedBuffer, Drive};
use platen_events::{Event, JobEnd, Moved, Step};
use platen_media::manifest::Scheme;

use crate::bench::{Bench, assert_told, is_ready, moved, raw_manifest};
use crate::liar::{Blank, Liar, Lie};
use crate::rigged::{Act, Asked, Kind, Rigged, locked};

struct Seen {
    outcome: JobEnd,
    /// With the step it was asked in.
    asked: Vec<(Step, Asked)>,
    drive: Liar,
}

impl Seen {
    fn of(&self, kind: Kind, steps: &[Step]) -> Vec<Asked> {
        self.asked
            .iter()
            .filter(|(step, asked)| asked.kind == kind && steps.contains(step))
            .map(|(_, it)| *it)
            .collect()
    }

    /// Bytes of these places that were asked for.
    fn bytes_in(&self, kind: Kind, step: Step, places: &[(u64, u64)]) -> u64 {
        let common = |asked: &Asked, (from, to): (u64, u64)| {
            (asked.offset_bytes + asked.len_bytes).min(to).saturating_sub(asked.offset_bytes.max(from))
        };
        self.of(kind, &[step]).iter().flat_map(|asked| places.iter().map(|place| common(asked, *place))).sum()
    }
}

fn run(bench: &Bench, plan: &WritePlan, drive: Liar, rule: impl Fn(Asked) -> Act + Send + 'static) -> Seen {
    let step = Arc::new(Mutex::new(Step::Prepare));
    let list = Arc::new(Mutex::new(Vec::new()));
    let (now, asking) = (Arc::clone(&step), Arc::clone(&list));
    let mut rigged = Rigged::new(drive, move |asked| {
        locked(&asking).push((*locked(&now), asked));
        rule(asked)
    });
    let told = Mutex::new(Vec::new());
    let report = |event: Event| {
        if let Event::StepStarted { step: started, .. } = event {
            *locked(&step) = started;
        }
        locked(&told).push(event);
    };
    let outcome = bench.engine.run(plan, &mut rigged, &report, &AtomicBool::new(false));
    assert_told(&locked(&told), &outcome, false);
    let behind = rigged.behind();
    drop(rigged);
    let drive = Arc::into_inner(behind).unwrap().into_inner().unwrap();
    let asked = locked(&list).clone();
    Seen { outcome, asked, drive }
}

/// Long runs of zeros in the payload that nothing was written to before. The probe marks every sector at a drive's
/// beginning, and zeros are sent there before anything else.
fn holes(plan: &WritePlan) -> Vec<(u64, u64)> {
    let marked = (plan.shape().size_bytes * 4096).isqrt().next_multiple_of(1 << 20).max(4 << 20);
    let zeros = plan.payload().iter().filter(|extent| extent.source == Source::Zero && extent.len_bytes >= 64 << 10);
    let ranges = zeros.map(|extent| (extent.offset_bytes, extent.offset_bytes + extent.len_bytes));
    let wiped = |from, to| plan.invalidate().iter().any(|wiped| wiped.start < to && from < wiped.end);
    ranges.filter(|&(from, to)| from >= marked && !wiped(from, to)).collect()
}

/// An image with a hole on which marks fall, and a volume whose allocation tables are mostly zeros.
fn benches() -> Vec<(Bench, WritePlan, Liar)> {
    let (mut manifest, blobs) = raw_manifest();
    if let Some(image) = &mut manifest.image {
        image.parts[1].offset_bytes = 70 << 20;
        // Another hole behind the part.
        image.size_bytes = 140 << 20;
    }
    [(Bench::with(&manifest, &blobs), 512 << 20), (Bench::files(), 8 << 30)]
        .into_iter()
        .map(|(bench, size)| {
            let plan = bench.plan_for(Scheme::Mbr, size, 512);
            let golden = run(&bench, &plan, drive(&plan, Blank::Noise(8)), |_| Act::Work);
            assert!(is_ready(&golden.outcome), "{:?}", golden.outcome);
            (bench, plan, golden.drive)
        })
        .collect()
}

fn drive(plan: &WritePlan, blank: Blank) -> Liar {
    Liar::new(plan.shape().size_bytes, Lie::Honest, blank)
}

fn able(plan: &WritePlan) -> Liar {
    let mut drive = drive(plan, Blank::Noise(6));
    drive.has_zero_command = true;
    drive
}

/// Ready, right, and as many bytes written as it says.
fn assert_ready(seen: &mut Seen, plan: &WritePlan, golden: &mut Liar) {
    let Moved { written_bytes, verified_bytes, .. } = moved(&seen.outcome);
    let written = seen.of(Kind::Write, &[Step::Write, Step::Verify, Step::Seal]);
    assert_eq!(written.iter().map(|asked| asked.len_bytes).sum::<u64>(), written_bytes);
    assert_eq!(verified_bytes, plan.write_bytes());
    assert!(seen.drive.is_like(golden, plan));
}

#[test]
fn zeros_are_sent_only_where_there_are_none() {
    for (bench, plan, mut golden) in benches() {
        let holes = holes(&plan);
        let hole_bytes: u64 = holes.iter().map(|(from, to)| to - from).sum();
        assert!(hole_bytes >= 2 << 20, "{holes:?}");
        let work = |_| Act::Work;

        let mut new = run(&bench, &plan, drive(&plan, Blank::Zeros), work);
        assert_ready(&mut new, &plan, &mut golden);
        assert_eq!(new.bytes_in(Kind::Write, Step::Write, &holes), 0);
        let looked = new.bytes_in(Kind::Read, Step::Write, &holes);
        assert!((hole_bytes / 32..=hole_bytes).contains(&looked), "each is looked at, long ones in samples: {looked}");
        assert_eq!(new.bytes_in(Kind::Read, Step::Verify, &holes), hole_bytes, "and read back as a whole");

        let mut old = run(&bench, &plan, drive(&plan, Blank::Noise(6)), work);
        assert_ready(&mut old, &plan, &mut golden);
        assert_eq!(old.bytes_in(Kind::Write, Step::Write, &holes), hole_bytes);
        assert!(old.bytes_in(Kind::Read, Step::Write, &holes) < hole_bytes, "not all of it is looked at");
        assert_eq!(old.of(Kind::Zero, &[Step::Write]).len(), 1, "a drive without the command is asked once");

        let mut able = run(&bench, &plan, able(&plan), work);
        assert_ready(&mut able, &plan, &mut golden);
        assert_eq!(able.bytes_in(Kind::Write, Step::Write, &holes), 0);
        assert_eq!(able.bytes_in(Kind::Zero, Step::Write, &holes), hole_bytes);
        assert_eq!(able.bytes_in(Kind::Read, Step::Verify, &holes), hole_bytes, "what the command did is read back");
        eprintln!("zeros, {}: {hole_bytes} bytes in {} holes", plan.title(), holes.len());
    }
}

/// Says it made zeros and made none, or too few: found by the read-back, and then everything is written. The control is
/// the same drive telling the truth, above.
#[test]
fn a_zero_command_that_lies_is_not_asked_again() {
    for (bench, plan, mut golden) in benches() {
        for lie in [Act::Pretend, Act::Half] {
            let before = bench.engine.ledger.entries().unwrap().len();
            let rule = move |asked: Asked| if asked.kind == Kind::Zero { lie } else { Act::Work };
            let mut seen = run(&bench, &plan, able(&plan), rule);
            assert!(!seen.of(Kind::Zero, &[Step::Write]).is_empty());
            assert!(is_ready(&seen.outcome) && seen.drive.is_like(&mut golden, &plan), "{lie:?}: {:?}", seen.outcome);
            let rows = bench.engine.ledger.entries().unwrap();
            let told: Vec<_> = rows[before..].iter().map(|row| (&*row.entry.verdict, &*row.entry.code)).collect();
            assert_eq!(told, [("RETRIED", "P-V-004"), ("READY", "")], "{lie:?}");
        }
    }
}

/// Samples of a long run of zeros say nothing of what is between them.
#[test]
fn what_samples_did_not_show_is_found_by_the_read_back() {
    let (bench, plan, mut golden) = benches().swap_remove(0);
    let (from, to) = holes(&plan).into_iter().max_by_key(|(from, to)| to - from).unwrap();
    assert!(to - from > 64 << 20, "it is looked at in samples");
    let mut stale = drive(&plan, Blank::Zeros);
    let mut old = AlignedBuffer::new(4096);
    old.fill(0x5a);
    // In the middle of a piece, of which only the beginning is a sample.
    stale.write_at(from + (7 << 20), &old).unwrap();
    let mut seen = run(&bench, &plan, stale, |_| Act::Work);
    assert!(is_ready(&seen.outcome) && seen.drive.is_like(&mut golden, &plan), "{:?}", seen.outcome);
    let rows = bench.engine.ledger.entries().unwrap();
    assert!(rows.iter().any(|row| row.entry.verdict == "RETRIED" && row.entry.code == "P-V-004"));
}

/// Where an image has holes, the probe's marks are made zeros again before anything is looked at, and no more than they
/// took. The stretch begins in the middle of a piece here, of which no sample is taken; the window is longer than what
/// is wiped with the tables.
#[test]
fn what_the_probe_marked_is_not_left_in_holes() {
    let (mut manifest, blobs) = raw_manifest();
    let (size_bytes, part_bytes) = (2 << 30, 7 << 20);
    if let Some(image) = &mut manifest.image {
        image.parts[0].offset_bytes = 64 << 20;
        image.parts[1].offset_bytes = (80 << 20) + (3 << 12);
        image.size_bytes = size_bytes;
    }
    let bench = Bench::with(&manifest, &blobs);
    let plan = bench.plan_for(Scheme::Mbr, size_bytes, 512);
    let mut golden = run(&bench, &plan, drive(&plan, Blank::Noise(8)), |_| Act::Work).drive;
    for has_zero_command in [false, true] {
        let before = bench.engine.ledger.entries().unwrap().len();
        let mut new = drive(&plan, Blank::Zeros);
        new.has_zero_command = has_zero_command;
        let mut seen = run(&bench, &plan, new, |_| Act::Work);
        assert_ready(&mut seen, &plan, &mut golden);
        assert_eq!(bench.engine.ledger.entries().unwrap().len(), before + 1, "once is enough");
        // Before that is the seal.
        assert_eq!(seen.bytes_in(Kind::Write, Step::Write, &[(4096, size_bytes)]), part_bytes);
        assert_eq!(seen.of(Kind::Zero, &[Step::Write]), []);
        let all = [(0, size_bytes)];
        let written = seen.bytes_in(Kind::Write, Step::Prepare, &all);
        let made_zeros = if has_zero_command { seen.bytes_in(Kind::Zero, Step::Prepare, &all) } else { 0 };
        let marked = written + made_zeros;
        // A stretch of 32 MiB and a window of 3 MiB, and zeros there; tables and the marks in between.
        assert!((68 << 20..75 << 20).contains(&marked), "{marked}");
    }
}
