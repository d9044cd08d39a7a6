// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Histories drawn at random: whoever reads the record has the state of whoever lived through it.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::state::StationState;
use crate::*;

/// What may happen, as far as it can be said without the state.
#[derive(Debug, Clone)]
enum Op {
    See(usize, DriveLabel),
    Refuse(usize, AnyCode),
    Release(usize),
    Gone(usize),
    Port(usize, PortUse),
    Batch { batch: u64, counts: Option<(u32, u32, u32)>, is_over: bool },
    Condition(usize, Option<String>),
    System(UpdateState),
    Start { drive: usize, kind: JobKind, medium: Option<String> },
    Return { job: usize, drive: usize, label: DriveLabel },
    Step { job: usize, step: Step, total_bytes: Option<u64> },
    Progress { job: usize, percent: u64 },
    Notice(usize, String),
    Retry(usize, AnyCode),
    End { job: usize, code: Option<Code>, moved: Moved },
    Action(Action, String),
    ActionProgress(Action, u64),
    ActionEnd(Action),
    Say(String),
}

/// Two drives after each other in one place, one in another, and an image file.
fn drive(which: usize) -> DriveId {
    let (place, disk_sequence) = [("2-1", Some(3)), ("2-1", Some(4)), ("2-3.1", Some(5)), ("/a.img", None)][which % 4];
    DriveId { place: place.to_owned(), disk_sequence }
}

fn code() -> impl Strategy<Value = AnyCode> {
    prop_oneof![
        4 => prop::sample::select(Code::ALL).prop_map(AnyCode::Known),
        1 => Just(AnyCode::Newer("P-Z-099".to_owned())),
    ]
}

fn label() -> impl Strategy<Value = DriveLabel> {
    (any::<String>(), any::<Option<String>>(), any::<Option<u64>>()).prop_map(|(port, serial, size_bytes)| DriveLabel {
        path: format!("/dev/{port}"),
        port,
        serial,
        size_bytes,
        vendor_product: None,
        model: None,
    })
}

fn kind() -> impl Strategy<Value = JobKind> {
    use JobKind::*;
    prop::sample::select(vec![Write, Update, EraseQuick, EraseFull, Test, Verify, ReadMaster, Import, Unknown])
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0_usize..4;
    let step = prop::sample::select(vec![
        Step::Prepare,
        Step::Write,
        Step::PowerCycle,
        Step::Verify,
        Step::Seal,
        Step::Unknown,
    ]);
    let action = || prop::sample::select(vec![Action::Import, Action::Scrub, Action::Build, Action::Unknown]);
    let moved = any::<(u64, u64)>().prop_map(|(written_bytes, verified_bytes)| Moved {
        written_bytes,
        verified_bytes,
        write_ms: 1,
        verify_ms: 2,
    });
    prop_oneof![
        3 => (at.clone(), label()).prop_map(|(drive, label)| Op::See(drive, label)),
        1 => (at.clone(), code()).prop_map(|(drive, code)| Op::Refuse(drive, code)),
        2 => at.clone().prop_map(Op::Release),
        1 => at.clone().prop_map(Op::Gone),
        1 => (at.clone(), port_use()).prop_map(|(port, used)| Op::Port(port, used)),
        1 => (0..3_u64, prop::option::of(any::<(u32, u32, u32)>()), any::<bool>())
            .prop_map(|(batch, counts, is_over)| Op::Batch { batch, counts, is_over }),
        1 => (at.clone(), any::<Option<String>>()).prop_map(|(which, text)| Op::Condition(which, text)),
        1 => update().prop_map(Op::System),
        3 => (at.clone(), kind(), any::<Option<String>>())
            .prop_map(|(drive, kind, medium)| Op::Start { drive, kind, medium }),
        4 => (at.clone(), step, prop::option::of(0_u64..1 << 40))
            .prop_map(|(job, step, total_bytes)| Op::Step { job, step, total_bytes }),
        1 => (at.clone(), at.clone(), label()).prop_map(|(job, drive, label)| Op::Return { job, drive, label }),
        4 => (at.clone(), 0_u64..=100).prop_map(|(job, percent)| Op::Progress { job, percent }),
        1 => (at.clone(), any::<String>()).prop_map(|(job, text)| Op::Notice(job, text)),
        1 => (at.clone(), code()).prop_map(|(job, code)| Op::Retry(job, code)),
        2 => (at, prop::option::of(prop::sample::select(Code::ALL)), moved)
            .prop_map(|(job, code, moved)| Op::End { job, code, moved }),
        1 => (action(), any::<String>()).prop_map(|(action, of)| Op::Action(action, of)),
        1 => (action(), any::<u64>()).prop_map(|(action, done)| Op::ActionProgress(action, done)),
        1 => action().prop_map(Op::ActionEnd),
        1 => any::<String>().prop_map(Op::Say),
    ]
}

fn update() -> impl Strategy<Value = UpdateState> {
    prop_oneof![
        Just(UpdateState::None),
        (any::<String>(), any::<bool>()).prop_map(|(version, is_older)| UpdateState::Offered { version, is_older }),
        (code(), any::<String>()).prop_map(|(code, text)| UpdateState::Refused { code, text }),
        (any::<String>(), 0_u8..=100).prop_map(|(version, percent)| UpdateState::Installing { version, percent }),
        any::<String>().prop_map(|version| UpdateState::Installed { version }),
    ]
}

fn port_use() -> impl Strategy<Value = PortUse> {
    let mode = prop::sample::select(vec![PortMode::Kiosk, PortMode::Armed, PortMode::Unknown]);
    let work = (kind(), any::<Option<String>>()).prop_map(|(kind, medium)| Work { kind, medium });
    let batch = prop::option::of(any::<u64>().prop_map(BatchId));
    (mode, prop::option::of(work), batch, any::<bool>()).prop_map(|(mode, work, batch, is_paused)| PortUse {
        mode,
        work,
        batch,
        is_paused,
    })
}

/// The event, about one of the jobs there are.
fn event(op: Op, state: &StationState, next_job: &mut u64) -> Option<Event> {
    let job = |which: usize| {
        let all = state.jobs();
        all.keys().nth(which % all.len().max(1)).copied()
    };
    Some(match op {
        Op::See(which, label) => Event::DriveSeen { drive: drive(which), label },
        Op::Refuse(which, code) => Event::DriveRefused { drive: drive(which), code: Some(code), text: "no".to_owned() },
        Op::Release(which) => Event::DriveReleased { drive: drive(which) },
        Op::Gone(which) => Event::DriveGone { drive: drive(which) },
        Op::Port(which, used) => Event::PortSet { port: which.to_string(), used },
        Op::Batch { batch, is_over: true, .. } => Event::BatchClosed { batch: BatchId(batch) },
        Op::Batch { batch, counts: Some((good, failed, refused)), .. } => {
            Event::BatchCounted { batch: BatchId(batch), good, failed, refused }
        }
        Op::Batch { batch, .. } => {
            let work = Work { kind: JobKind::Write, medium: Some("TREE-r1".to_owned()) };
            Event::BatchStarted { batch: BatchId(batch), work, wanted: Some(7) }
        }
        Op::Condition(which, text) => Event::Condition { condition: which.to_string(), text },
        Op::System(update) => {
            let other_version = matches!(update, UpdateState::Installed { .. }).then(|| "1.5.0".to_owned());
            let (board, version, slot) = ("pc_x86_64".to_owned(), "1.4.0".to_owned(), "a".to_owned());
            Event::System(SystemState { board, version, slot, other_version, data: DataState::Broken, update })
        }
        Op::Start { drive: which, kind, medium } => {
            *next_job += 1;
            Event::JobStarted { job: JobId(*next_job), kind, drive: drive(which), medium }
        }
        Op::Step { job: which, step, total_bytes } => Event::StepStarted { job: job(which)?, step, total_bytes },
        Op::Return { job: which, drive: by, label } => {
            Event::DriveReturned { job: job(which)?, drive: drive(by), label, powered_on: true }
        }
        Op::Progress { job: which, percent } => {
            let job = job(which)?;
            let total_bytes = state.jobs()[&job].step?.total_bytes.unwrap_or(100);
            Event::Progress { job, done_bytes: (u128::from(total_bytes) * u128::from(percent) / 100) as u64 }
        }
        Op::Notice(which, text) => Event::JobNotice { job: job(which)?, text },
        Op::Retry(which, code) => Event::JobRetried { job: job(which)?, code, detail: "again".to_owned() },
        Op::End { job: which, code, moved } => {
            let job = job(which)?;
            let end = match code {
                Some(code) => JobEnd::failed(code, "it failed"),
                None => JobEnd::success(state.jobs()[&job].kind, moved),
            };
            Event::JobEnded { job, end }
        }
        Op::Action(action, of) => Event::ActionStarted { action, of },
        Op::ActionProgress(action, done_bytes) => Event::ActionProgress { action, done_bytes, total_bytes: u64::MAX },
        Op::ActionEnd(action) => Event::ActionEnded { action },
        Op::Say(text) => Event::Warning { text },
    })
}

/// What was lived through: the state after each event that could happen, and the events.
fn live(ops: Vec<Op>) -> (StationState, Vec<Event>) {
    let (mut state, mut events, mut next_job) = (StationState::default(), Vec::new(), 0);
    for op in ops {
        let Some(event) = event(op, &state, &mut next_job) else { continue };
        let before = state.clone();
        match state.apply(&event) {
            Ok(()) => events.push(event),
            Err(_) => assert_eq!(state, before, "what can't happen changes nothing: {event:?}"),
        }
        check(&state);
    }
    (state, events)
}

/// What is true of every state.
fn check(state: &StationState) {
    for (number, job) in state.jobs() {
        let drive = &state.drives()[&job.drive];
        assert_eq!(drive.job, Some(*number), "a job is its drive's last");
        assert!(drive.refused.is_none() || job.released, "no refused drive is held");
        assert!(!job.released || job.end.is_some(), "no drive is released before its job's end");
        assert!(!job.released || !state.drives()[&job.drive].is_gone, "a drive that is gone is held, or forgotten");
        assert!(job.end.as_ref().is_none_or(|end| end.verdict.fits(job.kind)), "{job:?}");
    }
    assert!(state.jobs().len() <= state.drives().len());
}

fn stream(events: &[Event]) -> Vec<String> {
    let mut stamper = Stamper::default();
    let hello =
        Hello { schema: SCHEMA, program: "test".into(), version: "1".into(), boot_id: None, stream: None, after: 0 };
    let stamped = |(at, event): (usize, &Event)| {
        let wall_ms = at.is_multiple_of(2).then_some(at as u64);
        Line::Record(stamper.stamp(event.clone(), wall_ms, at as u64 / 3))
    };
    let lines = std::iter::once(Line::Hello(hello)).chain(events.iter().enumerate().map(stamped));
    lines.map(|line| serde_json::to_string(&line).unwrap()).collect()
}

fn replayed(lines: &[String]) -> StationState {
    let mut replay = Replay::default();
    for line in lines {
        replay.take(&serde_json::from_str(line).unwrap()).unwrap_or_else(|error| panic!("{error:?}: {line}"));
    }
    replay.state().clone()
}

/// Fields that no version has yet, wherever there is an object.
fn with_news(value: &mut Value, news: &Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(|value| with_news(value, news));
            object.insert("news".to_owned(), news.clone());
        }
        Value::Array(list) => list.iter_mut().for_each(|value| with_news(value, news)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn replaying_a_record_gives_the_live_state(ops in prop::collection::vec(op(), 0..120)) {
        let (state, events) = live(ops);
        prop_assert_eq!(replayed(&stream(&events)), state);
    }

    #[test]
    fn a_state_is_rebuilt_from_its_own_events(ops in prop::collection::vec(op(), 0..120)) {
        let (state, _) = live(ops);
        let mut again = StationState::default();
        for event in state.replicate() {
            // As it arrives, not as it was sent.
            let event: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
            prop_assert_eq!(again.apply(&event), Ok(()));
        }
        prop_assert_eq!(again, state);
    }

    #[test]
    fn what_a_newer_version_adds_changes_nothing(
        ops in prop::collection::vec(op(), 0..60),
        news in prop::sample::select(vec![json!(null), json!(7), json!("x"), json!([1, {"a": 2}]), json!({"event": 1})]),
        at in any::<prop::sample::Index>(),
    ) {
        let (state, mut events) = live(ops);
        events.insert(at.index(events.len() + 1), Event::Unknown);
        let lines: Vec<String> = stream(&events)
            .iter()
            .map(|line| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                with_news(&mut value, &news);
                if value["event"] == "unknown" {
                    value["event"] = "port-painted".into();
                }
                value.to_string()
            })
            .collect();
        prop_assert_eq!(replayed(&lines), state);
    }
}

/// The histories above reach what they are about.
#[test]
fn drawn_histories_are_eventful() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut ended, mut retried, mut released, mut refused, mut again, mut acting) = (0, 0, 0, 0, 0, 0);
    let (mut gone, mut ports, mut batches, mut conditions, mut systems, mut returned) = (0, 0, 0, 0, 0, 0);
    for _ in 0..200 {
        let ops = prop::collection::vec(op(), 120).new_tree(&mut runner).unwrap().current();
        let (state, events) = live(ops);
        ended += state.jobs().values().filter(|job| job.end.is_some()).count();
        retried += state.jobs().values().filter(|job| !job.retries.is_empty()).count();
        released += state.jobs().values().filter(|job| job.released).count();
        refused += state.drives().values().filter(|drive| drive.refused.is_some()).count();
        acting += state.actions().len();
        gone += state.drives().values().filter(|drive| drive.is_gone).count();
        ports += state.ports().len();
        batches += state.batches().len();
        conditions += state.conditions().len();
        systems += usize::from(state.system().is_some());
        returned += events.iter().filter(|event| matches!(event, Event::DriveReturned { .. })).count();
        let begun = events.iter().filter(|event| matches!(event, Event::JobStarted { .. })).count();
        again += usize::from(begun > state.jobs().len());
    }
    let reached =
        [ended, retried, released, refused, again, acting, gone, ports, batches, conditions, systems, returned];
    assert!(reached.iter().all(|count| *count > 30), "{reached:?}");
}

fn started(job: u64, which: usize) -> Event {
    Event::JobStarted { job: JobId(job), kind: JobKind::Test, drive: drive(which), medium: None }
}

/// Each rule, by the event that breaks it.
#[test]
fn what_can_not_happen_is_named() {
    let seen = |which| Event::DriveSeen { drive: drive(which), label: DriveLabel::default() };
    let refused = |which| Event::DriveRefused { drive: drive(which), code: None, text: "no".to_owned() };
    let released = |which| Event::DriveReleased { drive: drive(which) };
    let gone = |which| Event::DriveGone { drive: drive(which) };
    let batch = || {
        let work = Work { kind: JobKind::Test, medium: None };
        Event::BatchStarted { batch: BatchId(1), work, wanted: None }
    };
    let counted = Event::BatchCounted { batch: BatchId(1), good: 1, failed: 0, refused: 0 };
    let closed = Event::BatchClosed { batch: BatchId(1) };
    let step = |step| Event::StepStarted { job: JobId(1), step, total_bytes: Some(10) };
    let progress = |done_bytes| Event::Progress { job: JobId(1), done_bytes };
    let returned = |which| {
        let (job, drive, label) = (JobId(1), drive(which), DriveLabel::default());
        Event::DriveReturned { job, drive, label, powered_on: true }
    };
    let ended = |verdict| Event::JobEnded { job: JobId(1), end: JobEnd { verdict, moved: None, detail: None } };
    let retried = Event::JobRetried { job: JobId(1), code: Code::WriteFailed.into(), detail: String::new() };
    let import = |of: &str| Event::ActionStarted { action: Action::Import, of: of.to_owned() };

    let begun = || vec![seen(0), started(1, 0)];
    let writing = || [begun(), vec![step(Step::Write)]].concat();
    let done = || [writing(), vec![ended(Verdict::Good)]].concat();
    let order = |step, after| Illegal::StepOrder { job: JobId(1), step, after };
    let cases: Vec<(Vec<Event>, Event, Illegal)> = vec![
        (vec![], started(1, 0), Illegal::UnknownDrive(drive(0))),
        (vec![], refused(0), Illegal::UnknownDrive(drive(0))),
        (vec![], released(0), Illegal::UnknownDrive(drive(0))),
        // The drive that came after it in the same place is another one.
        (vec![seen(0)], started(1, 1), Illegal::UnknownDrive(drive(1))),
        (begun(), started(2, 0), Illegal::HeldDrive(drive(0))),
        (done(), started(2, 0), Illegal::HeldDrive(drive(0))),
        (begun(), refused(0), Illegal::HeldDrive(drive(0))),
        (vec![seen(0), refused(0)], started(1, 0), Illegal::RefusedDrive(drive(0))),
        (vec![seen(0)], released(0), Illegal::NotHeld(drive(0))),
        (begun(), released(0), Illegal::NotHeld(drive(0))),
        ([done(), vec![released(0)]].concat(), released(0), Illegal::NotHeld(drive(0))),
        ([begun(), vec![seen(2)]].concat(), started(1, 2), Illegal::JobTwice(JobId(1))),
        (vec![], step(Step::Write), Illegal::UnknownJob(JobId(1))),
        (done(), step(Step::Seal), Illegal::EndedJob(JobId(1))),
        (done(), progress(1), Illegal::EndedJob(JobId(1))),
        (done(), retried.clone(), Illegal::EndedJob(JobId(1))),
        (done(), ended(Verdict::Good), Illegal::EndedJob(JobId(1))),
        (writing(), step(Step::Write), order(Step::Write, Step::Write)),
        (writing(), step(Step::Prepare), order(Step::Prepare, Step::Write)),
        (begun(), progress(1), Illegal::NoStep(JobId(1))),
        ([writing(), vec![retried]].concat(), progress(1), Illegal::NoStep(JobId(1))),
        (writing(), progress(11), Illegal::Progress { job: JobId(1), done_bytes: 11, at_least: 0, at_most: Some(10) }),
        (
            [writing(), vec![progress(5)]].concat(),
            progress(4),
            Illegal::Progress { job: JobId(1), done_bytes: 4, at_least: 5, at_most: Some(10) },
        ),
        (
            writing(),
            ended(Verdict::Ready),
            Illegal::Verdict { job: JobId(1), kind: JobKind::Test, verdict: Verdict::Ready },
        ),
        // One that came back is known by its new name only, and takes no other's.
        ([writing(), vec![returned(1)]].concat(), released(0), Illegal::UnknownDrive(drive(0))),
        ([writing(), vec![gone(0), returned(1)]].concat(), started(2, 1), Illegal::HeldDrive(drive(1))),
        ([writing(), vec![seen(2), started(2, 2)]].concat(), returned(2), Illegal::HeldDrive(drive(2))),
        (done(), returned(1), Illegal::EndedJob(JobId(1))),
        (vec![], returned(1), Illegal::UnknownJob(JobId(1))),
        // What was pulled is forgotten; what a job holds, when that lets go.
        (vec![seen(0), gone(0)], refused(0), Illegal::UnknownDrive(drive(0))),
        ([done(), vec![gone(0), released(0)]].concat(), refused(0), Illegal::UnknownDrive(drive(0))),
        ([done(), vec![gone(0)]].concat(), started(2, 0), Illegal::HeldDrive(drive(0))),
        (vec![batch()], batch(), Illegal::BatchTwice(BatchId(1))),
        (vec![batch(), closed.clone()], closed.clone(), Illegal::UnknownBatch(BatchId(1))),
        (vec![], counted, Illegal::UnknownBatch(BatchId(1))),
        (vec![import("a")], import("b"), Illegal::ActionTwice(Action::Import)),
        (vec![], Event::ActionEnded { action: Action::Scrub }, Illegal::NoAction(Action::Scrub)),
        (
            vec![],
            Event::ActionProgress { action: Action::Scrub, done_bytes: 1, total_bytes: 2 },
            Illegal::NoAction(Action::Scrub),
        ),
    ];
    for (before, event, illegal) in cases {
        let mut state = StationState::default();
        before.iter().for_each(|event| state.apply(event).unwrap());
        assert_eq!(state.apply(&event), Err(illegal), "{event:?} after {before:?}");
    }
}

#[test]
fn a_job_begun_again_goes_through_its_steps_again() {
    let mut state = StationState::default();
    let step = |step| Event::StepStarted { job: JobId(1), step, total_bytes: None };
    let events = [
        Event::DriveSeen { drive: drive(0), label: DriveLabel::default() },
        started(1, 0),
        step(Step::Prepare),
        step(Step::Verify),
        Event::JobRetried { job: JobId(1), code: Code::WriteFailed.into(), detail: "x".to_owned() },
        step(Step::Prepare),
        Event::JobEnded { job: JobId(1), end: JobEnd::failed(Code::Stalled, "no answer") },
        Event::DriveReleased { drive: drive(0) },
        started(2, 0),
    ];
    for event in &events[..events.len() - 1] {
        state.apply(event).unwrap();
    }
    let (job, _) = state.job(JobId(1)).unwrap();
    assert_eq!((job.retries.len(), job.step.unwrap().step), (1, Step::Prepare));
    state.apply(&events[events.len() - 1]).unwrap();
    assert_eq!((state.job(JobId(1)), state.jobs().len()), (None, 1), "the last job of a drive is remembered, no more");
}
