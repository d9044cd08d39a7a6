// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that are judged and left as they are: the job around that, whatever the one who looks at them does.

use std::sync::Arc;
use std::time::Duration;

use platen_engine::verify::{Check, Report};
use platen_engine::{DriveError, Job, Limits, ReadDrive, Task, Trouble, Watch, event_queue};
use platen_events::{Answer, Code, Event, JobEnd, JobId, JobKind, Step, Verdict};
use platen_ledger::Ledger;

use crate::bench::{Recorded, assert_told, now};
use crate::liar::{Blank, Liar, Lie};
use crate::rigged::{Act, Asked, Gate, Kind, Rigged, Ticks};

const SIZE: u64 = 64 << 20;
const STALL: Duration = Duration::from_secs(30);

/// Somebody who looks at a drive.
struct Looks<F>(F);

impl<F: FnMut(&mut dyn ReadDrive, &dyn Watch) -> Report + Send> Check for Looks<F> {
    fn medium(&self) -> Option<&str> {
        None
    }

    fn check(&mut self, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Report {
        (self.0)(drive, watch)
    }
}

/// An image that was compared, and is right.
fn good() -> Report {
    Report { image: Some("RAW-r3".to_owned()), checked_bytes: 77, ..Report::default() }
}

struct Judged {
    dir: tempfile::TempDir,
    ticks: Ticks,
    engine: Recorded,
}

impl Judged {
    fn new() -> Self {
        let (dir, ticks) = (tempfile::tempdir().unwrap(), Ticks::default());
        let ledger = Ledger::open(&dir.path().join("ledger.db")).unwrap();
        let limits = Limits { stall: STALL, minimum_bytes_per_s: 0, attempts: 1 };
        let engine = Recorded::new(ledger, Box::new(ticks.clone()), limits);
        Self { dir, ticks, engine }
    }

    fn job(
        &self,
        rule: impl FnMut(Asked) -> Act + Send + 'static,
        look: impl FnMut(&mut dyn ReadDrive, &dyn Watch) -> Report + Send + 'static,
    ) -> (Job, platen_engine::EventReceiver) {
        let drive = Rigged::new(Liar::new(SIZE, Lie::Honest, Blank::Noise(11)), rule);
        let (events, told) = event_queue();
        (Job { id: JobId(4), task: Task::Check(Box::new(Looks(look))), drive: Box::new(drive), events }, told)
    }

    /// Run it to its end: that, and what was told, which must be a possible history.
    fn run(
        &self,
        rule: impl FnMut(Asked) -> Act + Send + 'static,
        look: impl FnMut(&mut dyn ReadDrive, &dyn Watch) -> Report + Send + 'static,
    ) -> (JobEnd, Vec<Event>) {
        let (job, told) = self.job(rule, look);
        let end = self.engine.start(job).unwrap().wait();
        let events: Vec<Event> = std::iter::from_fn(|| told.recv_timeout(Duration::ZERO)).collect();
        assert_told(&events, &end, true);
        (end, events)
    }

    /// Job, medium, verdict and code of each row.
    fn rows(&self) -> Vec<[String; 4]> {
        let rows = self.engine.ledger.entries().unwrap().into_iter().map(|row| row.entry);
        rows.map(|row| [row.job, row.medium, row.verdict, row.code]).collect()
    }
}

fn row(medium: &str, verdict: &str, code: &str) -> [String; 4] {
    ["verify", medium, verdict, code].map(str::to_owned)
}

fn works(_: Asked) -> Act {
    Act::Work
}

fn examined(events: &[Event]) -> Vec<bool> {
    let good = |event: &Event| match event {
        Event::Answer(answer) => match **answer {
            Answer::DriveExamined { good, job: Some(JobId(4)), .. } => Some(good),
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(good).collect()
}

#[test]
fn what_was_found_is_told_and_recorded() {
    let judged = Judged::new();
    let (end, events) = judged.run(works, |drive, watch| {
        watch.progress(0, 1000);
        drive.read_at(0, &mut platen_engine::AlignedBuffer::new(4096)).unwrap();
        watch.progress(1000, 1000);
        good()
    });
    assert_eq!((&end.verdict, end.moved.map(|moved| moved.verified_bytes)), (&Verdict::Verified, Some(77)));
    assert_eq!(examined(&events), [true]);
    let step = Event::StepStarted { job: JobId(4), step: Step::Verify, total_bytes: Some(1000) };
    assert!(events.contains(&step) && events.contains(&Event::Progress { job: JobId(4), done_bytes: 1000 }));
    let (end, events) = judged.run(works, |_, _| Report::of_problem(Code::FileChanged, "a.txt: missing"));
    assert_eq!((end.verdict.code(), end.detail()), (Some(Code::FileChanged), "a.txt: missing"));
    assert_eq!(examined(&events), [false]);
    assert_eq!(judged.rows(), [row("RAW-r3", "VERIFIED", ""), row("", "TRY AGAIN", "P-V-004")]);
    assert_eq!(judged.engine.ledger.entries().unwrap()[0].entry.started, now());
}

/// Whoever looks may be a process that a hostile drive has taken over.
#[test]
fn progress_that_can_not_be_is_not_told() {
    let judged = Judged::new();
    let (_, events) = judged.run(works, |_, watch| {
        for (done_bytes, total_bytes) in [(0, 100), (60, 100), (20, 100), (u64::MAX, 5), (70, u64::MAX), (100, 100)] {
            watch.progress(done_bytes, total_bytes);
        }
        good()
    });
    let mut told = events.iter().filter_map(|event| match event {
        Event::Progress { done_bytes, .. } => Some(*done_bytes),
        _ => None,
    });
    assert_eq!(told.next_back(), Some(100));
}

#[test]
fn one_that_is_stopped_ends_at_once() {
    let judged = Judged::new();
    let gate = Arc::new(Gate::default());
    let looking = Arc::clone(&gate);
    let (job, told) = judged.job(works, move |_, watch| {
        looking.hang();
        assert!(!watch.is_wanted());
        good()
    });
    let handle = judged.engine.start(job).unwrap();
    gate.hangs();
    handle.cancel();
    gate.open();
    let end = handle.wait();
    assert_eq!(end.verdict, Verdict::Cancelled, "although what was found was good: {end:?}");
    let events: Vec<Event> = std::iter::from_fn(|| told.recv_timeout(Duration::ZERO)).collect();
    assert_told(&events, &end, true);
    assert_eq!(judged.rows(), [row("", "TRY AGAIN", "P-W-004")]);
}

/// A process that looks and gives no sign, and one that gives signs for longer than the limit.
#[test]
fn silence_ends_it_and_signs_of_life_do_not() {
    let judged = Judged::new();
    let gate = Arc::new(Gate::default());
    let (looking, ticks) = (Arc::clone(&gate), judged.ticks.clone());
    let (job, told) = judged.job(works, move |_, watch| {
        for _ in 0..10 {
            watch.heard();
            ticks.pass(STALL / 2);
        }
        watch.heard();
        looking.hang();
        good()
    });
    let handle = judged.engine.start(job).unwrap();
    gate.hangs();
    assert_eq!(judged.rows(), Vec::<[String; 4]>::new(), "five limits long it gave signs");
    judged.ticks.pass(STALL);
    let end = handle.wait();
    assert_eq!(end.verdict.code(), Some(Code::Stalled));
    assert_eq!((judged.rows(), judged.engine.given_up.count()), (vec![row("", "NOT USABLE", "P-W-005")], 1));
    gate.open();
    while judged.engine.given_up.count() > 0 {
        std::thread::yield_now();
    }
    let events: Vec<Event> = std::iter::from_fn(|| told.recv_timeout(Duration::ZERO)).collect();
    assert_told(&events, &end, true);
    assert_eq!(examined(&events), Vec::<bool>::new(), "what comes back late has nothing to say");
    assert_eq!(judged.rows().len(), 1);
}

#[test]
fn a_drive_that_is_gone_at_the_end_is_not_judged() {
    let judged = Judged::new();
    let gone = |asked: Asked| if asked.kind == Kind::Confirm { Act::Fail(Trouble::Vanished) } else { Act::Work };
    let (end, events) = judged.run(gone, |_, _| good());
    assert_eq!((end.verdict.code(), examined(&events)), (Some(Code::Vanished), vec![false]));
}

#[test]
fn nothing_is_written_to_a_drive_that_is_judged() {
    let judged = Judged::new();
    let never = |asked: Asked| {
        assert!(matches!(asked.kind, Kind::Read | Kind::Confirm), "{asked:?}");
        Act::Work
    };
    let (end, _) = judged.run(never, |drive, _| {
        let read: Result<(), DriveError> = drive.read_at(0, &mut platen_engine::AlignedBuffer::new(4096));
        read.unwrap();
        good()
    });
    assert_eq!(end.verdict, JobKind::Verify.success());
}

/// What is not recorded is not verified, but what was found is told.
#[test]
fn a_ledger_that_takes_no_row() {
    let judged = Judged::new();
    let path = judged.dir.path().join("ledger.db");
    std::fs::remove_file(&path).unwrap();
    let (end, events) = judged.run(works, |_, _| good());
    assert_eq!((end.verdict.code(), examined(&events)), (Some(Code::LedgerFailed), vec![true]), "{end:?}");
}
