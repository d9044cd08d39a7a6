// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Random histories: a world does what the core asks for, in any order and with any result, and holds what must always be
//! so. The last tests plant what must never be, and the world has to see it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use platen_events::{Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, Moved, StationState, Step};
use proptest::prelude::*;

use super::{Admission, Dispatch, Found, OrderEffect as Effect, OrderId, OrderInput as Input, Outcome, Request, Slot};
use crate::core::request::Wanted;
use crate::exit::Exit;
use crate::failure::Failure;

const STALL_LIMIT: Duration = Duration::from_secs(120);
const ORDER: OrderId = OrderId(7);

/// What may happen next. `usize` chooses among what is under way.
#[derive(Debug, Clone)]
enum Op {
    /// A name leads to a drive, maybe to one that another name leads to as well.
    Found(usize, Option<usize>),
    LookFails(usize),
    Prepared(usize),
    PrepareFails(usize),
    Breaks(usize),
    Silent(usize, u64),
    /// The next start fails.
    StartsFail,
    Recorded(usize, bool),
    /// A job goes on by one event.
    JobTells(usize, bool),
    JobOver(usize),
    Stop,
    /// An answer for a drive that nobody waits for any more.
    Late(usize),
    /// Somebody asks for another batch meanwhile.
    AskAgain,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let which = 0..8_usize;
    let op = prop_oneof![
        6 => (which.clone(), prop::option::weighted(0.15, 0..6_usize)).prop_map(|(at, twin)| Op::Found(at, twin)),
        1 => which.clone().prop_map(Op::LookFails),
        6 => which.clone().prop_map(Op::Prepared),
        1 => which.clone().prop_map(Op::PrepareFails),
        1 => which.clone().prop_map(Op::Breaks),
        2 => (which.clone(), 0..240_u64).prop_map(|(at, s)| Op::Silent(at, s)),
        1 => Just(Op::StartsFail),
        2 => (which.clone(), any::<bool>()).prop_map(|(at, is_kept)| Op::Recorded(at, is_kept)),
        12 => (which.clone(), prop::bool::weighted(0.8)).prop_map(|(at, goes_well)| Op::JobTells(at, goes_well)),
        3 => which.clone().prop_map(Op::JobOver),
        1 => Just(Op::Stop),
        1 => which.prop_map(Op::Late),
        1 => Just(Op::AskAgain),
    ];
    prop::collection::vec(op, 0..80)
}

/// A job as far as it has come.
struct Running {
    drive: DriveId,
    told: usize,
    has_ended: bool,
}

/// Everything outside the core.
struct World {
    dispatch: Dispatch,
    request: Request,
    looking: BTreeSet<Slot>,
    preparing: BTreeSet<Slot>,
    prepared: BTreeSet<Slot>,
    recording: BTreeSet<Slot>,
    running: BTreeMap<JobId, Running>,
    starts_fail: bool,
    stopped: bool,
    // What was seen so far.
    looked_at: BTreeSet<Slot>,
    dropped: BTreeSet<Slot>,
    drives: BTreeMap<Slot, (DriveId, u64)>,
    refusals: usize,
    started: BTreeSet<u64>,
    starts: usize,
    cancelled: BTreeSet<JobId>,
    last_job: u64,
    ends: Vec<JobEnd>,
    record: StationState,
    outcome: Option<Outcome>,
}

fn drive(place: u64) -> (DriveId, DriveLabel) {
    let label = DriveLabel { port: format!("2-{place}"), path: format!("/dev/sd{place}"), ..DriveLabel::default() };
    (DriveId { place: label.port.clone(), disk_sequence: Some(place) }, label)
}

fn name(number: usize) -> Wanted {
    let label = DriveLabel { path: format!("/dev/name-{number}"), ..DriveLabel::default() };
    Wanted { drive: DriveId { place: label.path.clone(), disk_sequence: None }, label, is_pinned: false }
}

fn failure() -> Failure {
    Failure::new(Exit::Policy, "no")
}

/// One of these, if there are any.
fn nth<T: Clone>(items: impl IntoIterator<Item = T>, at: usize) -> Option<T> {
    let items: Vec<T> = items.into_iter().collect();
    items.get(at.checked_rem(items.len())?).cloned()
}

impl World {
    fn new(admission: Admission, names: &[usize]) -> Self {
        let drives = names.iter().map(|number| name(*number)).collect();
        let request = Request { kind: JobKind::Write, admission, stall_limit: STALL_LIMIT, drives };
        let mut world = Self {
            dispatch: Dispatch::default(),
            request: request.clone(),
            looking: BTreeSet::new(),
            preparing: BTreeSet::new(),
            prepared: BTreeSet::new(),
            recording: BTreeSet::new(),
            running: BTreeMap::new(),
            starts_fail: false,
            stopped: false,
            looked_at: BTreeSet::new(),
            dropped: BTreeSet::new(),
            drives: BTreeMap::new(),
            refusals: 0,
            started: BTreeSet::new(),
            starts: 0,
            cancelled: BTreeSet::new(),
            last_job: 0,
            ends: Vec::new(),
            record: StationState::default(),
            outcome: None,
        };
        world.give(Input::Ask(ORDER, request));
        world
    }

    /// Hand an input to the core and see what it asks for.
    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.dispatch.step(input) {
                inputs.extend(self.take(effect));
            }
            assert_eq!(self.dispatch.record(), &self.record, "whoever hears all of it knows as much");
        }
    }

    /// Everything that must hold of an effect. Returns what follows from it at once.
    fn take(&mut self, effect: Effect) -> Option<Input> {
        assert!(self.outcome.is_none(), "after the end: {effect:?}");
        let together = self.request.admission == Admission::Together;
        match effect {
            Effect::Look(_, _, slot) => {
                assert!(self.looked_at.insert(slot), "looked at twice: {slot:?}");
                self.looking.insert(slot);
            }
            Effect::Prepare(slot) => {
                assert!(self.drives.contains_key(&slot) && !self.dropped.contains(&slot), "not found: {slot:?}");
                assert!(!together || self.looking.is_empty(), "prepared before all were found");
                self.preparing.insert(slot);
            }
            Effect::Start(jobs) => {
                assert!(!self.stopped, "started although stopped");
                assert!(!jobs.is_empty());
                self.starts += 1;
                if together {
                    assert_eq!((self.starts, self.refusals), (1, 0), "started although a drive was refused");
                    assert!(self.looking.is_empty() && self.preparing.is_empty(), "started before all were ready");
                }
                let numbers = jobs.iter().map(|(_, job)| *job).collect();
                for (slot, job) in jobs {
                    assert!(self.prepared.remove(&slot), "started unprepared: {slot:?}");
                    self.number(job);
                    let (drive, identity) = self.drives[&slot].clone();
                    assert!(self.started.insert(identity), "two jobs on one drive");
                    if !self.starts_fail {
                        self.running.insert(job, Running { drive, told: 0, has_ended: false });
                    }
                }
                if std::mem::take(&mut self.starts_fail) {
                    return Some(Input::NotStarted(numbers, failure()));
                }
            }
            Effect::Drop(slot) => {
                self.dropped.insert(slot);
                for waiting in [&mut self.looking, &mut self.preparing, &mut self.prepared] {
                    waiting.remove(&slot);
                }
            }
            Effect::Record { slot, job, code, .. } => {
                assert!(self.dropped.contains(&slot), "recorded although it may still answer");
                assert!(code == Code::Stalled || self.stopped, "{code}");
                self.number(job);
                self.recording.insert(slot);
            }
            Effect::Cancel(job) => {
                assert!(self.stopped, "cancelled by nobody");
                assert!(self.running.contains_key(&job) && self.cancelled.insert(job), "cancelled: {job}");
            }
            Effect::Tell(event) => {
                self.record.apply(&event).expect("what is told can have happened");
                match event {
                    Event::JobEnded { end, .. } => self.ends.push(end),
                    Event::DriveRefused { .. } => {}
                    _ => {}
                }
            }
            Effect::Finish(order, outcome) => {
                assert_eq!(order, ORDER);
                self.finish(outcome);
            }
        }
        None
    }

    fn number(&mut self, job: JobId) {
        assert!(job.0 > self.last_job, "a number that was used: {job}");
        self.last_job = job.0;
    }

    fn finish(&mut self, outcome: Outcome) {
        assert!(self.running.is_empty() && self.recording.is_empty(), "finished too early");
        match &outcome {
            Outcome::Refused(refused) => assert!(self.starts == 0 && refused.len() == self.refusals),
            Outcome::Stopped => assert!(self.starts == 0 && self.stopped),
            Outcome::NotStarted(_) => assert!(self.ends.is_empty()),
            Outcome::Done { succeeded, failed, cancelled, refused, jobs } => {
                assert!(self.looking.is_empty() && self.preparing.is_empty(), "a drive is forgotten");
                assert_eq!((succeeded + failed + cancelled) as usize, self.ends.len());
                assert_eq!(jobs.len(), self.ends.len());
                let good = self.ends.iter().filter(|end| end.verdict.is_success()).count();
                assert_eq!(*succeeded as usize, good, "nothing is counted that no job said");
                assert!(refused.len() >= self.refusals);
            }
        }
        self.outcome = Some(outcome);
    }

    fn apply(&mut self, op: Op) {
        if self.outcome.is_some() {
            return;
        }
        match op {
            Op::Found(at, twin) => self.found(at, twin),
            Op::LookFails(at) => {
                if let Some(slot) = nth(self.looking.clone(), at) {
                    self.looking.remove(&slot);
                    self.refusals += 1;
                    self.give(Input::Looked(slot, Err(failure())));
                }
            }
            Op::Prepared(at) => {
                if let Some(slot) = nth(self.preparing.clone(), at) {
                    self.preparing.remove(&slot);
                    self.prepared.insert(slot);
                    self.give(Input::Prepared(slot, Ok(())));
                }
            }
            Op::PrepareFails(at) => {
                if let Some(slot) = nth(self.preparing.clone(), at) {
                    self.preparing.remove(&slot);
                    self.refusals += 1;
                    self.give(Input::Prepared(slot, Err(failure())));
                }
            }
            Op::Breaks(at) => {
                let waiting = self.looking.iter().chain(&self.preparing).chain(&self.recording).copied();
                if let Some(slot) = nth(waiting, at) {
                    let was_recorded = self.recording.remove(&slot);
                    self.refusals += usize::from(!was_recorded);
                    self.looking.remove(&slot);
                    self.preparing.remove(&slot);
                    self.give(Input::Broken(slot, failure()));
                }
            }
            Op::Silent(at, seconds) => {
                let waiting = self.looking.iter().chain(&self.preparing).chain(&self.recording).copied();
                if let Some(slot) = nth(waiting, at) {
                    self.give(Input::Silent(slot, Duration::from_secs(seconds)));
                    let is_given_up = seconds >= STALL_LIMIT.as_secs();
                    assert!(is_given_up || self.recording.contains(&slot) || !self.dropped.contains(&slot));
                }
            }
            Op::StartsFail => self.starts_fail = true,
            Op::Recorded(at, is_kept) => {
                if let Some(slot) = nth(self.recording.clone(), at) {
                    self.recording.remove(&slot);
                    self.give(Input::Recorded(slot, if is_kept { Ok(()) } else { Err("full".to_owned()) }));
                }
            }
            Op::JobTells(at, goes_well) => self.job_tells(at, goes_well),
            Op::JobOver(at) => {
                let ended = self.running.iter().filter(|(_, running)| running.has_ended).map(|(job, _)| *job);
                if let Some(job) = nth(ended, at) {
                    self.running.remove(&job);
                    self.give(Input::Over(job));
                }
            }
            Op::Stop => {
                self.stopped = true;
                self.give(Input::Stop(ORDER));
                if self.outcome.is_none() {
                    let running = self.running.iter().filter(|(_, running)| !running.has_ended);
                    assert!(running.into_iter().all(|(job, _)| self.cancelled.contains(job)), "not all were stopped");
                }
            }
            Op::Late(at) => {
                if let Some(slot) = nth(self.dropped.clone(), at).filter(|slot| !self.recording.contains(slot)) {
                    self.give(Input::Prepared(slot, Ok(())));
                    self.give(Input::Looked(slot, Err(failure())));
                }
            }
            Op::AskAgain => {
                let request = self.request.clone();
                self.give(Input::Ask(ORDER, request));
            }
        }
    }

    fn found(&mut self, at: usize, twin: Option<usize>) {
        let Some(slot) = nth(self.looking.clone(), at) else { return };
        let twin = twin.and_then(|twin| nth(self.drives.values().map(|(_, identity)| *identity), twin));
        self.looking.remove(&slot);
        self.refusals += usize::from(twin.is_some());
        // An image file is known by the name it was found under.
        let ((drive, label), identity) = (drive(slot.0), twin.unwrap_or(slot.0));
        self.drives.insert(slot, (drive.clone(), identity));
        self.give(Input::Looked(slot, Ok(Found { drive, label, identity })));
    }

    /// The events of a job, one after the other.
    fn job_tells(&mut self, at: usize, goes_well: bool) {
        let Some(job) = nth(self.running.keys().copied(), at) else { return };
        let Some(running) = self.running.get_mut(&job) else { return };
        let drive = running.drive.clone();
        let (kind, moved) = (JobKind::Write, Moved::default());
        let was_cancelled = self.cancelled.contains(&job);
        let end = match (was_cancelled, goes_well) {
            (true, _) => JobEnd::failed(Code::Cancelled, ""),
            (_, false) => JobEnd::failed(Code::WriteFailed, ""),
            _ => JobEnd::success(kind, moved),
        };
        let event = match running.told {
            0 => Event::JobStarted { job, kind, drive, medium: None },
            1..=3 if goes_well && !was_cancelled => {
                let step = [Step::Prepare, Step::Write, Step::Verify][running.told - 1];
                Event::StepStarted { job, step, total_bytes: None }
            }
            _ if !running.has_ended => {
                running.has_ended = true;
                running.told = 4;
                Event::JobEnded { job, end }
            }
            5 => Event::DriveReleased { drive },
            _ => return,
        };
        running.told += 1;
        self.give(Input::Told(event));
    }

    /// Everything under way comes to its end, and then the batch must.
    fn wind_down(&mut self) {
        for _ in 0..1000 {
            if self.outcome.is_some() {
                return;
            }
            for op in [Op::Found(0, None), Op::Prepared(0), Op::Recorded(0, true)] {
                self.apply(op);
            }
            for at in 0..self.running.len() {
                self.apply(Op::JobTells(at, true));
            }
            self.apply(Op::JobOver(0));
        }
        panic!("the batch never ends: {:?}", self.dispatch);
    }
}

fn admission() -> impl Strategy<Value = Admission> {
    prop_oneof![Just(Admission::Together), Just(Admission::Each)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(admission in admission(), names in prop::collection::vec(0..12_usize, 1..6), ops in ops()) {
        let mut world = World::new(admission, &names);
        let same_names = names.len() - names.iter().collect::<BTreeSet<_>>().len();
        world.refusals += same_names;
        for op in ops {
            world.apply(op);
        }
        world.wind_down();
    }
}

fn done(succeeded: u32, failed: u32, refused: Vec<Failure>, jobs: &[u64]) -> Outcome {
    let jobs = jobs.iter().copied().map(JobId).collect();
    Outcome::Done { succeeded, failed, cancelled: 0, refused, jobs }
}

#[test]
fn a_batch_that_goes_well() {
    let mut world = World::new(Admission::Together, &[0, 1, 2]);
    world.wind_down();
    assert_eq!(world.outcome, Some(done(3, 0, Vec::new(), &[1, 2, 3])));
}

#[test]
fn one_that_hangs_stops_only_itself() {
    let mut world = World::new(Admission::Together, &[0, 1, 2]);
    world.apply(Op::Silent(1, 119));
    assert!(!world.dropped.contains(&Slot(2)));
    world.apply(Op::Silent(1, 120));
    world.wind_down();
    // The one that never answered has its number after those that did.
    assert_eq!(world.outcome, Some(done(2, 1, Vec::new(), &[1, 3, 2])));
}

#[test]
fn together_one_refusal_leaves_all_alone_and_each_goes_on_by_itself() {
    for (admission, expected) in
        [(Admission::Together, Outcome::Refused(vec![failure()])), (Admission::Each, done(1, 0, vec![failure()], &[1]))]
    {
        let mut world = World::new(admission, &[0, 1]);
        world.apply(Op::LookFails(0));
        world.wind_down();
        assert_eq!(world.outcome, Some(expected));
    }
}

#[test]
fn a_drive_named_twice_is_said_in_the_order_of_the_names() {
    let text = "/dev/sd2 and /dev/sd1 are the same drive; name each drive once";
    let twins = Outcome::Refused(vec![Failure::new(Exit::Request, text)]);
    for order in [[Slot(1), Slot(2)], [Slot(2), Slot(1)]] {
        let mut dispatch = Dispatch::default();
        let drives = vec![name(0), name(1)];
        let (kind, admission, stall_limit) = (JobKind::Write, Admission::Together, STALL_LIMIT);
        dispatch.step(Input::Ask(ORDER, Request { kind, admission, stall_limit, drives }));
        let mut effects = Vec::new();
        for slot in order {
            let found = Found { drive: drive(slot.0).0, label: drive(slot.0).1, identity: 7 };
            effects.extend(dispatch.step(Input::Looked(slot, Ok(found))));
        }
        effects.extend(dispatch.step(Input::Prepared(order[0], Ok(()))));
        assert_eq!(effects.last(), Some(&Effect::Finish(ORDER, twins.clone())), "{effects:?}");
    }
}

/// What a core with a fault would ask for, and a world that has come so far.
#[test]
fn the_world_sees_what_must_never_be() {
    let ready = || {
        let mut world = World::new(Admission::Each, &[0, 1]);
        world.apply(Op::Found(0, None));
        world
    };
    let working = || {
        let mut world = ready();
        world.apply(Op::Prepared(0));
        world
    };
    let planted: Vec<(&str, World, Effect)> = vec![
        ("a job on a drive that was not opened", ready(), Effect::Start(vec![(Slot(1), JobId(9))])),
        ("a job on a drive nobody has seen", ready(), Effect::Start(vec![(Slot(2), JobId(9))])),
        ("a second job on a drive", working(), Effect::Start(vec![(Slot(1), JobId(9))])),
        ("a number used twice", working(), {
            let (drive, detail) = (DriveLabel::default(), String::new());
            Effect::Record { slot: Slot(1), kind: JobKind::Write, drive, job: JobId(1), code: Code::Stalled, detail }
        }),
        ("an end while a job runs", working(), Effect::Finish(ORDER, done(0, 0, Vec::new(), &[]))),
        ("a job stopped by nobody", working(), Effect::Cancel(JobId(1))),
        ("an end of a job that never began", ready(), {
            Effect::Tell(Event::JobEnded { job: JobId(1), end: JobEnd::failed(Code::Stalled, "") })
        }),
        ("a drive looked at twice", ready(), Effect::Look(ORDER, 0, Slot(1))),
    ];
    for (what, mut world, effect) in planted {
        let seen = catch_unwind(AssertUnwindSafe(|| {
            world.take(effect);
        }));
        assert!(seen.is_err(), "{what}: not seen");
    }
}
