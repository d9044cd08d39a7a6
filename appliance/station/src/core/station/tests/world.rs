// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Everything outside the core: ports, drives, people, jobs and a ledger. It does what the core asks for, and holds what must
//! always be so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use platen_events::{
    BatchId, Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, Moved, StationState, Step, Verdict, Work,
};

use super::super::{Counts, Errand, Memory, Past, UnderWay};
use super::ops::*;
use super::{Ask, ClientId, Effect, Input, Inserted, Station};
use crate::config::DriveClass;
use crate::core::request::{Found, OrderEffect, OrderId, OrderInput, Slot};

/// A job as far as it has come.
#[derive(Debug)]
pub(super) struct Running {
    /// As it was told last.
    drive: DriveId,
    /// As it is.
    now: DriveId,
    /// How far the cutting of its power is.
    cut: Option<Cut>,
    kind: JobKind,
    told: usize,
    has_ended: bool,
}

/// The stages of a drive whose power is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cut {
    Begun,
    Off(usize, Box<Inserted>),
    Back,
    Told,
}

/// A row of the world's ledger.
#[derive(Debug, Clone)]
pub(super) struct Row {
    drive: DriveId,
    serial: Option<String>,
    work: Work,
    code: Option<Code>,
}

/// Everything outside the core.
pub(super) struct World {
    pub(super) station: Station,
    pub(super) record: StationState,
    pub(super) memory: Memory,
    pub(super) ledger: Vec<Row>,
    pub(super) inserted: BTreeMap<usize, Inserted>,
    /// What the core was not told yet of drives that came and went.
    pub(super) late: Vec<Input>,
    pub(super) last_sequence: u64,
    pub(super) recalls: Vec<Inserted>,
    pub(super) commissioned: BTreeMap<OrderId, (Inserted, Work)>,
    /// Which batch each of these that began by itself is for.
    for_batch: BTreeMap<OrderId, BatchId>,
    /// Somebody asks for a start just now.
    is_by_hand: bool,
    pub(super) looking: BTreeMap<Slot, OrderId>,
    pub(super) preparing: BTreeMap<Slot, OrderId>,
    pub(super) prepared: BTreeMap<Slot, OrderId>,
    pub(super) running: BTreeMap<JobId, Running>,
    pub(super) cancelled: BTreeSet<JobId>,
    pub(super) starts_fail: bool,
    pub(super) is_halted: bool,
    pub(super) is_stopped: bool,
    pub(super) last_job: u64,
    /// Good copies of each batch that is under way, as the ledger has them.
    pub(super) ready: u32,
    pub(super) before: Option<(usize, DriveId)>,
    /// How many inputs the core was given.
    pub(super) inputs: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            station: Station::default(),
            record: StationState::default(),
            memory: Memory::default(),
            ledger: Vec::new(),
            inserted: BTreeMap::new(),
            late: Vec::new(),
            last_sequence: 0,
            recalls: Vec::new(),
            commissioned: BTreeMap::new(),
            for_batch: BTreeMap::new(),
            is_by_hand: false,
            looking: BTreeMap::new(),
            preparing: BTreeMap::new(),
            prepared: BTreeMap::new(),
            running: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            starts_fail: false,
            is_halted: false,
            is_stopped: false,
            last_job: 0,
            ready: 0,
            before: None,
            inputs: 0,
        };
        world.begin();
        world
    }

    /// The program starts, with what was remembered and what is inserted.
    fn begin(&mut self) {
        self.give(Input::LedgerAt(self.ledger.len() as u64));
        let counts = self.memory.batches.iter().map(|(id, batch)| {
            let is_it = |number: usize, row: &Row| {
                let of = |drive: &UnderWay| drive.drive == row.drive && number as u64 >= drive.since_row;
                row.work == batch.work && batch.under_way.iter().any(of)
            };
            let rows = self.ledger.iter().enumerate().filter(|(number, row)| is_it(*number, row)).map(|(_, row)| row);
            let (mut good, mut failed) = (0, 0);
            for row in rows {
                match row.code {
                    None => good += 1,
                    Some(Code::Cancelled) => {}
                    Some(_) => failed += 1,
                }
            }
            (*id, Counts { good, failed, refused: 0 })
        });
        let counts: Vec<(BatchId, Counts)> = counts.collect();
        let memory = self.memory.clone();
        self.give(Input::Began(Box::new(settings()), Box::new(memory), counts));
        self.give(Input::Media(BTreeSet::from([MEDIUM.to_owned()])));
        self.give(Input::Connected(BOSS, true));
        self.give(Input::Connected(GUEST, false));
        for inserted in self.inserted.clone().into_values() {
            self.give(Input::Came(inserted));
        }
    }

    /// Hand an input to the core, and see what it asks for.
    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            // Now and then: the same core, stored and read again, comes to the same.
            self.inputs += 1;
            let stored = self.inputs.is_multiple_of(31).then(|| {
                let station = serde_json::to_string(&self.station).expect("stored");
                (station, serde_json::to_string(&input).expect("stored"))
            });
            let effects = self.station.step(input);
            if let Some((station, input)) = stored {
                let mut again: Station = serde_json::from_str(&station).expect("read");
                let replayed = again.step(serde_json::from_str(&input).expect("read"));
                assert_eq!(replayed, effects, "replaying comes to something else");
            }
            for effect in effects {
                inputs.extend(self.take(effect));
            }
            assert_eq!(self.station.record(), &self.record, "whoever hears all of it knows as much");
        }
    }

    /// A drive came or went, and who watches the ports says so, at once or later.
    fn change(&mut self, change: Input, is_late: bool) {
        if !is_late && self.late.is_empty() {
            return self.give(change);
        }
        // What came and went before anybody looked was never there.
        let was_missed = |late: &Input| match (&change, late) {
            (Input::Went(drive), Input::Came(inserted)) => inserted.drive == *drive,
            _ => false,
        };
        match self.late.iter().position(was_missed) {
            Some(at) => drop(self.late.remove(at)),
            None => self.late.push(change),
        }
    }

    fn catch_up(&mut self) {
        std::mem::take(&mut self.late).into_iter().for_each(|change| self.give(change));
    }

    /// The core was told of it.
    fn is_shown(&self, drive: &DriveId) -> bool {
        let went = self.late.iter().any(|late| matches!(late, Input::Went(its) if its == drive));
        let comes = self.late.iter().any(|late| matches!(late, Input::Came(its) if its.drive == *drive));
        went || self.is_inserted(drive) && !comes
    }

    fn is_inserted(&self, drive: &DriveId) -> bool {
        self.inserted.values().any(|inserted| inserted.drive == *drive)
    }

    /// Everything that must hold of an effect. Returns what follows from it at once.
    pub(super) fn take(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Recall(inserted) => self.recalls.push(inserted),
            Effect::Commission(order, inserted, work) => {
                assert!(self.is_shown(&inserted.drive), "an order about a drive that is not there");
                assert!(!self.is_halted && !self.is_stopped, "begun although nothing may be");
                assert!(!self.record.conditions().contains_key("learning"), "begun while ports are learnt");
                let socket: usize = inserted.socket.trim_start_matches("socket-").parse().expect("a number");
                assert!(socket < PORTS, "an order about a place that is no port");
                assert_eq!(inserted.class, DriveClass::UsbRemovable, "the port does not take it");
                assert!(inserted.size_bytes >= 1000, "it is too small");
                let is_held = |running: &Running| [&running.drive, &running.now].contains(&&inserted.drive);
                assert!(!self.running.values().any(is_held), "a second job on a drive");
                let used = self.record.ports().get(&inserted.label.port).filter(|_| !self.is_by_hand);
                self.for_batch.extend(used.and_then(|used| Some((order, used.batch?))));
                self.commissioned.insert(order, (inserted, work));
            }
            Effect::Order(OrderEffect::Look(order, _, slot)) => {
                self.looking.insert(slot, order);
            }
            Effect::Order(OrderEffect::Prepare(slot)) => {
                let order = self.order_of(slot);
                self.preparing.insert(slot, order);
            }
            Effect::Order(OrderEffect::Start(jobs)) => {
                let numbers = jobs.iter().map(|(_, job)| *job).collect();
                for (slot, job) in jobs {
                    let order = self.prepared.remove(&slot).expect("started unprepared");
                    let (inserted, work) = &self.commissioned[&order];
                    assert!(job.0 > self.last_job, "a number that was used: {job}");
                    self.last_job = job.0;
                    let (drive, now, kind) = (inserted.drive.clone(), inserted.drive.clone(), work.kind);
                    let running = Running { drive, now, cut: None, kind, told: 0, has_ended: false };
                    if !self.starts_fail {
                        self.running.insert(job, running);
                    }
                }
                if std::mem::take(&mut self.starts_fail) {
                    return Some(Input::Order(OrderInput::NotStarted(numbers, failure())));
                }
            }
            Effect::Order(OrderEffect::Drop(slot)) => {
                self.looking.remove(&slot);
                self.preparing.remove(&slot);
                self.prepared.remove(&slot);
            }
            Effect::Order(OrderEffect::Record { slot, job, .. }) => {
                self.last_job = self.last_job.max(job.0);
                return Some(Input::Order(OrderInput::Recorded(slot, Ok(()))));
            }
            Effect::Order(OrderEffect::Cancel(job)) => {
                assert!(self.running.contains_key(&job), "cancelled: {job}");
                self.cancelled.insert(job);
            }
            Effect::Order(OrderEffect::Finish(order, _)) => {
                self.commissioned.remove(&order).expect("an order that was commissioned");
                self.for_batch.remove(&order);
                self.order_is_over(order);
            }
            Effect::Order(OrderEffect::Tell(_)) => panic!("told twice"),
            Effect::Tell(event) => {
                self.record.apply(&event).unwrap_or_else(|illegal| panic!("{illegal}: {event:?}"));
                if let Event::JobEnded { end, .. } = &event {
                    self.ready += u32::from(end.verdict == Verdict::Ready);
                }
            }
            Effect::Save(memory) => self.memory = memory,
            Effect::Reply(client, _, reply) => {
                assert!(client != GUEST || reply.is_err(), "somebody without a role was obeyed");
            }
            Effect::Run(client, ..) | Effect::KeepMap(client, ..) => {
                assert_ne!(client, GUEST, "somebody without a role was obeyed")
            }
        }
        None
    }

    fn order_of(&self, slot: Slot) -> OrderId {
        let of = |all: &BTreeMap<Slot, OrderId>| all.get(&slot).copied();
        of(&self.looking)
            .or_else(|| of(&self.preparing))
            .unwrap_or_else(|| *self.commissioned.keys().last().expect("one"))
    }

    fn order_is_over(&mut self, order: OrderId) {
        for all in [&mut self.looking, &mut self.preparing, &mut self.prepared] {
            all.retain(|_, its| *its != order);
        }
    }

    pub(super) fn ask(&mut self, client: ClientId, ask: Ask) {
        self.give(Input::Asked(client, 1, ask));
    }

    pub(super) fn apply(&mut self, op: Op) {
        match op {
            Op::Insert { socket, serial, class, small } => self.insert(socket, serial, class, small),
            Op::Pull(socket) => {
                if let Some(inserted) = self.inserted.remove(&socket) {
                    self.before = Some((socket, inserted.drive.clone()));
                    self.change(Input::Went(inserted.drive), false);
                }
            }
            Op::Recall(which) => {
                if let Some(at) = which.checked_rem(self.recalls.len()) {
                    let inserted = self.recalls.remove(at);
                    let past = self.past_of(&inserted);
                    self.give(Input::Recalled(inserted.drive, past));
                }
            }
            Op::Look { which, is_other, fails } => self.look(which, is_other, fails),
            Op::Prepare { which, fails } => {
                if let Some((slot, order)) = nth(self.preparing.clone(), which) {
                    self.preparing.remove(&slot);
                    self.prepared.insert(slot, order);
                    let result = if fails { Err(failure()) } else { Ok(()) };
                    self.give(Input::Order(OrderInput::Prepared(slot, result)));
                }
            }
            Op::JobGoesOn { which, goes_well } => self.job_goes_on(which, goes_well),
            Op::CutPower { which, is_late } => self.cut_power(which, is_late),
            Op::CatchUp => self.catch_up(),
            Op::JobOver(which) => {
                let ended = self.running.iter().filter(|(_, running)| running.has_ended).map(|(job, _)| *job);
                if let Some(job) = nth(ended, which) {
                    self.running.remove(&job);
                    self.give(Input::Order(OrderInput::Over(job)));
                }
            }
            Op::StartsFail => self.starts_fail = true,
            Op::Arm { kind, wanted, ports } => {
                let ports = ports.into_iter().map(label).collect();
                self.ask(BOSS, Ask::Arm { ports, work: work(kind), wanted });
            }
            Op::Disarm(ports) => self.ask(BOSS, Ask::Disarm { ports: ports.into_iter().map(label).collect() }),
            Op::Start { socket, kind, stale } => {
                let here = self.inserted.get(&socket).map(|inserted| inserted.drive.clone());
                let drive = match (&self.before, stale) {
                    (Some((at, drive)), true) if *at == socket => Some(drive.clone()),
                    _ => here,
                };
                if let Some(drive) = drive {
                    self.is_by_hand = true;
                    self.ask(BOSS, Ask::Start { port: label(socket), drive, work: work(kind) });
                    self.is_by_hand = false;
                }
            }
            Op::Cancel(ports) => self.ask(BOSS, Ask::Cancel { ports: ports.into_iter().map(label).collect() }),
            Op::Learn(port) => self.ask(BOSS, Ask::Learn { label: label(port) }),
            Op::LearnEnd(keep) => self.ask(BOSS, Ask::LearnEnd { keep }),
            Op::Pause(port, true) => self.ask(BOSS, Ask::Pause { ports: vec![label(port)] }),
            Op::Pause(port, false) => self.ask(BOSS, Ask::Resume { ports: vec![label(port)] }),
            Op::Trespass(which) => {
                let ask = match which {
                    0 => Ask::Arm { ports: Vec::new(), work: work(JobKind::Write), wanted: None },
                    1 => Ask::Disarm { ports: Vec::new() },
                    2 => Ask::Cancel { ports: Vec::new() },
                    3 => Ask::Pause { ports: Vec::new() },
                    4 => Ask::Resume { ports: Vec::new() },
                    7 => Ask::LearnEnd { keep: true },
                    5 => Ask::Errand(Errand::Import { folder: "/".to_owned() }),
                    6 => Ask::Errand(Errand::ShutDown),
                    8 => Ask::Errand(Errand::Restart),
                    9 => Ask::Errand(Errand::InstallUpdate { version: "2.0.0".to_owned(), older: false }),
                    10 => Ask::Errand(Errand::MakeDataAnew),
                    _ => Ask::Errand(Errand::Scrub),
                };
                self.ask(GUEST, ask);
            }
            Op::Condition(is_on) => {
                self.is_halted = is_on;
                let (condition, text) = ("disk".to_owned(), is_on.then(|| "full".to_owned()));
                self.give(Input::Condition { condition, text, halts: true });
            }
            Op::Restart => self.restart(),
            Op::Stop => {
                self.is_stopped = true;
                self.give(Input::Stop);
            }
        }
    }

    fn insert(&mut self, socket: usize, serial: Option<u8>, class: DriveClass, small: bool) {
        self.last_sequence += 1;
        let size_bytes = if small { 999 } else { 1_000_000 };
        let inserted = Inserted {
            socket: format!("socket-{socket}"),
            class,
            drive: DriveId { place: format!("2-{socket}"), disk_sequence: Some(self.last_sequence) },
            label: DriveLabel {
                path: format!("/dev/sd{socket}"),
                serial: serial.map(|serial| serial.to_string()),
                size_bytes: Some(size_bytes),
                ..DriveLabel::default()
            },
            size_bytes,
            is_in_reader: false,
        };
        if let Some(before) = self.inserted.insert(socket, inserted.clone()) {
            self.before = Some((socket, before.drive.clone()));
            self.change(Input::Went(before.drive), false);
        }
        self.change(Input::Came(inserted), false);
    }

    /// The next stage.
    fn cut_power(&mut self, which: usize, is_late: bool) {
        let Some(job) = nth(self.running.keys().copied(), which) else { return };
        let running = self.running.get_mut(&job).expect("it is running");
        let is_writing = running.told == 3 && running.kind == JobKind::Write && !running.has_ended;
        match running.cut.clone() {
            None if is_writing && self.inserted.values().any(|inserted| inserted.drive == running.now) => {
                running.cut = Some(Cut::Begun);
                let step = Event::StepStarted { job, step: Step::PowerCycle, total_bytes: None };
                self.give(Input::Order(OrderInput::Told(step)));
            }
            Some(Cut::Begun) if is_writing => {
                let Some((&socket, _)) = self.inserted.iter().find(|(_, inserted)| inserted.drive == running.now)
                else {
                    return;
                };
                let inserted = self.inserted.remove(&socket).expect("it is there");
                running.cut = Some(Cut::Off(socket, Box::new(inserted.clone())));
                self.change(Input::Went(inserted.drive), is_late);
            }
            Some(Cut::Off(socket, mut inserted)) if is_writing && !self.inserted.contains_key(&socket) => {
                self.last_sequence += 1;
                inserted.drive.disk_sequence = Some(self.last_sequence);
                inserted.label.path += "x";
                (running.cut, running.now) = (Some(Cut::Back), inserted.drive.clone());
                self.inserted.insert(socket, (*inserted).clone());
                self.change(Input::Came(*inserted), is_late);
            }
            Some(Cut::Back) if is_writing => {
                running.cut = Some(Cut::Told);
                let (before, drive) = (running.drive.clone(), running.now.clone());
                running.drive = drive.clone();
                for (inserted, _) in self.commissioned.values_mut().filter(|(its, _)| its.drive == before) {
                    inserted.drive = drive.clone();
                }
                let mut label = self.record.drives()[&before].label.clone();
                label.path += "x";
                let back = Event::DriveReturned { job, drive, label, powered_on: true };
                self.give(Input::Order(OrderInput::Told(back)));
            }
            _ => {}
        }
    }

    /// By the ledger, as a drive says what it is.
    fn past_of(&self, inserted: &Inserted) -> Past {
        let is_it = |row: &&(usize, &Row)| row.1.serial.is_some() && row.1.serial == inserted.label.serial;
        let rows: Vec<(usize, &Row)> = self.ledger.iter().enumerate().collect();
        let Some((number, row)) = rows.iter().rev().find(is_it) else { return Past::default() };
        match row.code {
            Some(Code::WriteFailed) => {
                Past { set_aside: Some((Code::WriteFailed, "before".to_owned())), good_copy: None }
            }
            None if row.work.kind == JobKind::Write => {
                Past { set_aside: None, good_copy: Some((*number as u64 + 1, MEDIUM.to_owned())) }
            }
            _ => Past::default(),
        }
    }

    fn look(&mut self, which: usize, is_other: bool, fails: bool) {
        let Some((slot, order)) = nth(self.looking.clone(), which) else { return };
        self.looking.remove(&slot);
        self.preparing.remove(&slot);
        let (inserted, _) = self.commissioned[&order].clone();
        let mut drive = inserted.drive.clone();
        if is_other {
            drive.disk_sequence = drive.disk_sequence.map(|sequence| sequence + 1000);
        }
        let is_here = self.is_inserted(&inserted.drive);
        let found = match fails || !is_here {
            true => Err(failure().coded(Code::Vanished)),
            false => Ok(Found { drive, label: inserted.label.clone(), identity: slot.0 }),
        };
        self.looking.insert(slot, order);
        let goes_on = found.is_ok() && !is_other;
        self.give(Input::Order(OrderInput::Looked(slot, found)));
        self.looking.remove(&slot);
        assert!(!goes_on || self.preparing.contains_key(&slot), "what was found is not opened");
        assert!(goes_on || !self.preparing.contains_key(&slot), "another drive is opened");
    }

    /// The events of a job, one after the other. The row is there before the end is told.
    fn job_goes_on(&mut self, which: usize, goes_well: bool) {
        let Some(job) = nth(self.running.keys().copied(), which) else { return };
        let is_here = self.is_inserted(&self.running[&job].now);
        let was_cancelled = self.cancelled.contains(&job);
        let Some(running) = self.running.get_mut(&job) else { return };
        let (drive, kind) = (running.drive.clone(), running.kind);
        let is_cut = matches!(running.cut, Some(Cut::Begun | Cut::Back)) && !running.has_ended;
        if is_cut && goes_well && is_here {
            return;
        }
        let goes_well = goes_well && is_here && !was_cancelled;
        let code = match () {
            () if !is_here => Some(Code::Vanished),
            () if was_cancelled => Some(Code::Cancelled),
            () if !goes_well => Some(Code::WriteFailed),
            () => None,
        };
        let event = match running.told {
            0 => Event::JobStarted { job, kind, drive: drive.clone(), medium: work(kind).medium },
            1..=3 if goes_well => {
                let step = [Step::Prepare, Step::Write, Step::Verify][running.told - 1];
                Event::StepStarted { job, step, total_bytes: None }
            }
            _ if !running.has_ended => {
                running.has_ended = true;
                running.told = 4;
                let end = match code {
                    Some(code) => JobEnd::failed(code, ""),
                    None => JobEnd::success(kind, Moved::default()),
                };
                Event::JobEnded { job, end }
            }
            5 => Event::DriveReleased { drive: drive.clone() },
            _ => return,
        };
        running.told += 1;
        if let Event::JobEnded { .. } = &event {
            let label = &self.record.drives()[&drive].label;
            let row = Row { drive: drive.clone(), serial: label.serial.clone(), work: work(kind), code };
            self.ledger.push(row);
            self.give(Input::LedgerAt(self.ledger.len() as u64));
        }
        self.give(Input::Order(OrderInput::Told(event)));
    }

    /// The power was cut: only what was kept is left, and what was in the making is no more.
    pub(super) fn restart(&mut self) {
        let before: BTreeMap<BatchId, (u32, Option<u32>)> =
            self.record.batches().iter().map(|(id, batch)| (*id, (batch.good, batch.wanted))).collect();
        self.station = Station::default();
        self.record = StationState::default();
        self.recalls.clear();
        self.late.clear();
        self.commissioned.clear();
        self.for_batch.clear();
        for all in [&mut self.looking, &mut self.preparing, &mut self.prepared] {
            all.clear();
        }
        self.running.clear();
        self.cancelled.clear();
        (self.is_halted, self.is_stopped, self.starts_fail) = (false, false, false);
        self.begin();
        for (id, (good, _)) in before {
            if let Some(batch) = self.record.batches().get(&id) {
                assert!(batch.good >= good, "batch {id}: {good} good copies before, {} after", batch.good);
            }
        }
        let last = self.record.batches().keys().last().map_or(0, |id| id.0);
        assert!(last >= self.memory.batches.keys().last().map_or(0, |id| id.0));
    }

    /// What is true of every state.
    pub(super) fn check(&self) {
        for (id, batch) in self.record.batches() {
            let coming = self.for_batch.values().filter(|its| *its == id).count() as u32;
            if let Some(wanted) = batch.wanted {
                let text = format!("{} good copies and {coming} in the making, {wanted} wanted", batch.good);
                assert!(batch.good + coming <= wanted, "batch {id}: {text}");
            }
        }
        for (drive, state) in self.record.drives() {
            let job = state.job.and_then(|job| self.record.jobs().get(&job));
            let is_known = self.is_shown(drive) || job.is_some_and(|job| !job.released) || self.is_leaving(drive);
            assert!(is_known, "a drive that is gone is still shown: {drive}");
        }
        let is_cut = |running: &Running| running.cut.as_ref().is_some_and(|cut| *cut != Cut::Told);
        for (number, inserted) in &self.inserted {
            // What comes while a drive has no power is nobody's until that drive's job says whether it is the same.
            let place = &inserted.drive.place;
            if !self.is_shown(&inserted.drive)
                || self.running.values().any(|running| is_cut(running) && running.now.place == *place)
            {
                continue;
            }
            assert!(self.record.drives().contains_key(&inserted.drive), "the drive in socket {number} is not shown");
        }
    }

    fn is_leaving(&self, drive: &DriveId) -> bool {
        self.commissioned.values().any(|(inserted, _)| inserted.drive == *drive)
    }

    /// Everything under way comes to its end.
    pub(super) fn wind_down(&mut self) {
        for _ in 0..2000 {
            self.catch_up();
            for which in 0..self.running.len() {
                self.apply(Op::CutPower { which, is_late: false });
            }
            if self.commissioned.is_empty() && self.recalls.is_empty() {
                return;
            }
            for op in [Op::Recall(0), Op::Look { which: 0, is_other: false, fails: false }] {
                self.apply(op);
            }
            self.apply(Op::Prepare { which: 0, fails: false });
            for which in 0..self.running.len() {
                self.apply(Op::JobGoesOn { which, goes_well: true });
            }
            self.apply(Op::JobOver(0));
        }
        panic!("it never ends: {:?}", self.station);
    }
}
