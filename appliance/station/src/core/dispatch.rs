// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Orders from the request to their end, each drive by itself: found, opened, worked on, recorded.
//!
//! ```text
//! Ask -> Look -> Looked -> Prepare -> Prepared -> Start -> Told ... -> Over -> Finish
//!          |                  |
//!          +---- Silent ------+--> Record -> Recorded      a drive that does not answer
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use platen_events::{Code, DriveId, DriveLabel, Event, JobEnd, JobId, StationState, Verdict};
use serde::{Deserialize, Serialize};

use super::request::{Admission, Found, OrderEffect, OrderId, OrderInput, Outcome, Request, Slot};
use crate::exit::Exit;
use crate::failure::Failure;

/// All orders that are not over, and the record of what was told. [`Dispatch::step`] is the only way on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Dispatch {
    /// What everybody who reads the record knows as well.
    record: StationState,
    orders: BTreeMap<OrderId, Order>,
    slots: BTreeMap<Slot, SlotState>,
    last_slot: u64,
    last_job: u64,
}

/// How far an order is.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    request: Request,
    refused: Vec<Failure>,
    /// What the machine lacks.
    not_started: Option<Failure>,
    is_stopped: bool,
    /// Jobs were begun, or rows of jobs written.
    is_begun: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct SlotState {
    order: OrderId,
    drive: DriveId,
    label: DriveLabel,
    is_pinned: bool,
    /// Of a drive that was found.
    identity: Option<u64>,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Looking,
    Found,
    Preparing,
    Prepared,
    /// It did not answer, or was not waited for any more, before it had a job.
    Unopened(Code, String),
    /// That is being recorded.
    Recording(JobId, Code, String),
    /// It may have been touched from here on.
    Working(JobId),
    /// The job has ended; its end is in the record.
    Over(JobId),
    /// No job will be begun on it.
    Refused,
}

impl Stage {
    /// Nothing is known yet of whether the drive can have a job.
    fn is_open(&self) -> bool {
        matches!(self, Self::Looking | Self::Found | Self::Preparing)
    }

    fn is_final(&self) -> bool {
        matches!(self, Self::Over(_) | Self::Refused)
    }
}

impl Dispatch {
    /// Jobs are numbered from the one after this.
    pub fn after_job(last_job: u64) -> Self {
        Self { last_job, ..Self::default() }
    }

    /// What everybody who reads the record knows.
    pub fn record(&self) -> &StationState {
        &self.record
    }

    /// The number of the job that was begun last.
    pub fn last_job(&self) -> u64 {
        self.last_job
    }

    /// The job that an order about one drive is in.
    pub fn job_of(&self, id: OrderId) -> Option<JobId> {
        self.of(id).find_map(|(_, state)| match state.stage {
            Stage::Working(job) => Some(job),
            _ => None,
        })
    }

    /// Go on by one input.
    pub fn step(&mut self, input: OrderInput) -> Vec<OrderEffect> {
        let mut effects = Vec::new();
        match input {
            OrderInput::Ask(id, request) => self.ask(id, request, &mut effects),
            OrderInput::Looked(slot, found) => self.looked(slot, found, &mut effects),
            OrderInput::Prepared(slot, prepared) => self.prepared(slot, prepared, &mut effects),
            OrderInput::Broken(slot, failure) => self.broken(slot, failure, &mut effects),
            OrderInput::Silent(slot, silent) => self.silent(slot, silent, &mut effects),
            OrderInput::NotStarted(jobs, failure) => self.not_started(&jobs, &failure, &mut effects),
            OrderInput::Recorded(slot, recorded) => self.recorded(slot, recorded, &mut effects),
            OrderInput::Told(event) => self.tell(event, &mut effects),
            OrderInput::Over(job) => self.over(job),
            OrderInput::Stop(id) => self.stop(id, &mut effects),
        }
        let orders: Vec<OrderId> = self.orders.keys().copied().collect();
        for id in orders {
            self.go_on(id, &mut effects);
        }
        effects
    }

    /// Nothing is told that can't have happened.
    pub fn tell(&mut self, event: Event, effects: &mut Vec<OrderEffect>) {
        match self.record.apply(&event) {
            Ok(()) => effects.push(OrderEffect::Tell(event)),
            Err(illegal) => debug_assert!(false, "{illegal}: {event:?}"),
        }
    }

    /// The drives of an order, as people named them.
    fn of(&self, id: OrderId) -> impl Iterator<Item = (Slot, &SlotState)> {
        self.slots.iter().filter(move |(_, state)| state.order == id).map(|(slot, state)| (*slot, state))
    }

    fn of_mut(&mut self, id: OrderId) -> impl Iterator<Item = (Slot, &mut SlotState)> {
        self.slots.iter_mut().filter(move |(_, state)| state.order == id).map(|(slot, state)| (*slot, state))
    }

    /// The slot, if it is in this stage; what comes late of one that was given up counts for nothing.
    fn slot_in(&mut self, slot: Slot, stage: &Stage) -> Option<&mut SlotState> {
        self.slots.get_mut(&slot).filter(|state| state.stage == *stage)
    }

    fn ask(&mut self, id: OrderId, request: Request, effects: &mut Vec<OrderEffect>) {
        if self.orders.contains_key(&id) {
            return;
        }
        let wanted = request.drives.clone();
        let (refused, not_started) = (Vec::new(), None);
        self.orders.insert(id, Order { request, refused, not_started, is_stopped: false, is_begun: false });
        for (number, wanted) in wanted.into_iter().enumerate() {
            self.last_slot += 1;
            let slot = Slot(self.last_slot);
            let twin = self.of(id).find(|(_, earlier)| earlier.drive == wanted.drive);
            let twin = twin.map(|(_, earlier)| named_twice(&earlier.label, &wanted.label));
            let (drive, label, is_pinned) = (wanted.drive, wanted.label, wanted.is_pinned);
            let stage = Stage::Looking;
            self.slots.insert(slot, SlotState { order: id, drive, label, is_pinned, identity: None, stage });
            match twin {
                Some(failure) => self.leave_out(slot, failure, effects),
                None => effects.push(OrderEffect::Look(id, number, slot)),
            }
        }
    }

    fn looked(&mut self, slot: Slot, found: Result<Found, Failure>, effects: &mut Vec<OrderEffect>) {
        let Some(state) = self.slot_in(slot, &Stage::Looking) else { return };
        match found {
            Ok(Found { drive, .. }) if state.is_pinned && drive != state.drive => {
                let text = format!("{}: expected drive {}, found {drive}", state.label.path, state.drive);
                self.see(slot, effects);
                self.refuse(slot, Failure::new(Exit::Request, text).coded(Code::Vanished), effects);
            }
            Ok(Found { drive, mut label, identity }) => {
                if state.is_pinned {
                    label.port.clone_from(&state.label.port);
                }
                let twin = self.twin(slot, identity, &label);
                let Some(state) = self.slots.get_mut(&slot) else { return };
                (state.drive, state.label, state.stage) = (drive, label, Stage::Found);
                state.identity = Some(identity);
                match twin {
                    Some(failure) => self.leave_out(slot, failure, effects),
                    None => self.see(slot, effects),
                }
            }
            Err(failure) => {
                self.see(slot, effects);
                self.refuse(slot, failure, effects);
            }
        }
    }

    /// Why a drive can't be worked on twice at once.
    fn twin(&self, slot: Slot, identity: u64, label: &DriveLabel) -> Option<Failure> {
        let (number, other) = self.slots.iter().find(|(_, other)| other.identity == Some(identity))?;
        let (first, second) = if *number < slot { (&other.label, label) } else { (label, &other.label) };
        Some(named_twice(first, second))
    }

    fn see(&mut self, slot: Slot, effects: &mut Vec<OrderEffect>) {
        if let Some(SlotState { drive, label, .. }) = self.slots.get(&slot) {
            let seen = Event::DriveSeen { drive: drive.clone(), label: label.clone() };
            self.tell(seen, effects);
        }
    }

    fn prepared(&mut self, slot: Slot, prepared: Result<(), Failure>, effects: &mut Vec<OrderEffect>) {
        let Some(state) = self.slot_in(slot, &Stage::Preparing) else { return };
        match prepared {
            Ok(()) => state.stage = Stage::Prepared,
            Err(failure) => self.refuse(slot, failure, effects),
        }
    }

    /// A drive that may not be worked on.
    fn refuse(&mut self, slot: Slot, failure: Failure, effects: &mut Vec<OrderEffect>) {
        if let Some(drive) = self.slots.get(&slot).map(|state| state.drive.clone()) {
            let (code, text) = (failure.code.map(Into::into), failure.reason());
            self.tell(Event::DriveRefused { drive, code, text }, effects);
            self.leave_out(slot, failure, effects);
        }
    }

    /// The same of the second name of a drive, which says nothing about that drive.
    fn leave_out(&mut self, slot: Slot, failure: Failure, effects: &mut Vec<OrderEffect>) {
        let Some(state) = self.slots.get_mut(&slot) else { return };
        state.stage = Stage::Refused;
        if let Some(order) = self.orders.get_mut(&state.order) {
            order.refused.push(failure);
        }
        effects.push(OrderEffect::Drop(slot));
    }

    fn broken(&mut self, slot: Slot, failure: Failure, effects: &mut Vec<OrderEffect>) {
        match self.slots.get(&slot).map(|state| state.stage.clone()) {
            Some(Stage::Looking) => self.looked(slot, Err(failure), effects),
            Some(Stage::Preparing) => self.prepared(slot, Err(failure), effects),
            Some(Stage::Recording(..)) => self.recorded(slot, Err(failure.reason()), effects),
            _ => {}
        }
    }

    fn silent(&mut self, slot: Slot, silent: Duration, effects: &mut Vec<OrderEffect>) {
        let order = self.slots.get(&slot).and_then(|state| self.orders.get(&state.order));
        if order.is_some_and(|order| silent >= order.request.stall_limit) {
            let detail = format!("no answer for {} s while it was looked at", silent.as_secs());
            self.give_up(slot, Code::Stalled, detail, effects);
        }
    }

    /// Wait no more for a drive that has no job yet.
    fn give_up(&mut self, slot: Slot, code: Code, detail: String, effects: &mut Vec<OrderEffect>) {
        if let Some(state) = self.slots.get_mut(&slot).filter(|state| state.stage.is_open()) {
            state.stage = Stage::Unopened(code, detail);
            effects.push(OrderEffect::Drop(slot));
        }
    }

    fn not_started(&mut self, jobs: &[JobId], failure: &Failure, effects: &mut Vec<OrderEffect>) {
        for (slot, state) in &mut self.slots {
            if matches!(state.stage, Stage::Working(job) | Stage::Recording(job, ..) if jobs.contains(&job)) {
                state.stage = Stage::Refused;
                effects.push(OrderEffect::Drop(*slot));
                if let Some(order) = self.orders.get_mut(&state.order) {
                    order.not_started.get_or_insert_with(|| failure.clone());
                }
            }
        }
    }

    fn recorded(&mut self, slot: Slot, recorded: Result<(), String>, effects: &mut Vec<OrderEffect>) {
        let Some(SlotState { order, drive, label, stage, .. }) = self.slots.get_mut(&slot) else { return };
        let Some(order) = self.orders.get(order) else { return };
        let Stage::Recording(job, code, detail) = stage else { return };
        let (job, code, mut detail) = (*job, *code, mem::take(detail));
        *stage = Stage::Over(job);
        if let Err(why) = recorded {
            detail += &format!("; not recorded: {why}");
        }
        let (drive, label, kind) = (drive.clone(), label.clone(), order.request.kind);
        self.tell(Event::DriveSeen { drive: drive.clone(), label }, effects);
        self.tell(Event::JobStarted { job, kind, drive, medium: None }, effects);
        self.tell(Event::JobEnded { job, end: JobEnd::failed(code, detail) }, effects);
    }

    fn over(&mut self, over: JobId) {
        for slot in self.slots.values_mut().filter(|slot| slot.stage == Stage::Working(over)) {
            slot.stage = Stage::Over(over);
        }
    }

    fn stop(&mut self, id: OrderId, effects: &mut Vec<OrderEffect>) {
        let Some(order) = self.orders.get_mut(&id).filter(|order| !order.is_stopped) else { return };
        order.is_stopped = true;
        let stages: Vec<(Slot, Stage)> = self.of(id).map(|(slot, state)| (slot, state.stage.clone())).collect();
        for (slot, stage) in stages {
            match stage {
                Stage::Working(job) => effects.push(OrderEffect::Cancel(job)),
                _ => self.give_up(slot, Code::Cancelled, "stopped while it was looked at".to_owned(), effects),
            }
        }
    }

    /// Everything that follows without another input.
    fn go_on(&mut self, id: OrderId, effects: &mut Vec<OrderEffect>) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let together = order.request.admission == Admission::Together;
        if together && !order.is_begun && order.is_stopped {
            return self.finish(id, Outcome::Stopped, effects);
        }
        let refused = order.refused.clone();
        let is_waiting = together && !order.is_begun;
        // Together nobody is opened for writing before all were found: one may be named twice.
        if !(together && self.of(id).any(|(_, slot)| slot.stage == Stage::Looking)) {
            for (slot, state) in self.of_mut(id).filter(|(_, state)| state.stage == Stage::Found) {
                state.stage = Stage::Preparing;
                effects.push(OrderEffect::Prepare(slot));
            }
        }
        if together && self.of(id).any(|(_, state)| state.stage.is_open()) {
            return;
        }
        if is_waiting && !refused.is_empty() {
            return self.finish(id, Outcome::Refused(refused), effects);
        }
        self.start(id, effects);
        self.finish_if_over(id, effects);
    }

    /// Start what is ready, and record what never will be.
    fn start(&mut self, id: OrderId, effects: &mut Vec<OrderEffect>) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let (kind, mut starting, mut recording) = (order.request.kind, Vec::new(), Vec::new());
        let mut last_job = self.last_job;
        let mut number = || {
            last_job += 1;
            JobId(last_job)
        };
        let of_order = |(_, state): &(&Slot, &mut SlotState)| state.order == id;
        for (slot, state) in self.slots.iter_mut().filter(of_order) {
            if state.stage == Stage::Prepared {
                let job = number();
                state.stage = Stage::Working(job);
                starting.push((*slot, job));
            }
        }
        for (&slot, state) in self.slots.iter_mut().filter(of_order) {
            if let Stage::Unopened(code, detail) = &state.stage {
                let (job, code, detail) = (number(), *code, detail.clone());
                state.stage = Stage::Recording(job, code, detail.clone());
                recording.push(OrderEffect::Record { slot, kind, drive: state.label.clone(), job, code, detail });
            }
        }
        self.last_job = last_job;
        order.is_begun |= !starting.is_empty() || !recording.is_empty();
        if !starting.is_empty() {
            effects.push(OrderEffect::Start(starting));
        }
        effects.append(&mut recording);
    }

    fn finish_if_over(&mut self, id: OrderId, effects: &mut Vec<OrderEffect>) {
        if !self.of(id).all(|(_, slot)| slot.stage.is_final()) {
            return;
        }
        let Some(order) = self.orders.get_mut(&id) else { return };
        let (mut refused, not_started) = (mem::take(&mut order.refused), order.not_started.take());
        let job = |(_, slot): (Slot, &SlotState)| match slot.stage {
            Stage::Over(job) => Some(job),
            _ => None,
        };
        let jobs: Vec<JobId> = self.of(id).filter_map(job).collect();
        let ends: Vec<Verdict> = jobs.iter().filter_map(|job| self.end(*job)).map(|end| end.verdict.clone()).collect();
        match not_started {
            Some(failure) if ends.is_empty() => return self.finish(id, Outcome::NotStarted(failure), effects),
            not_started => refused.extend(not_started),
        }
        let count = |wanted: fn(&Verdict) -> bool| ends.iter().filter(|verdict| wanted(verdict)).count() as u32;
        let done = Outcome::Done {
            succeeded: count(Verdict::is_success),
            failed: count(|verdict| !verdict.is_success() && *verdict != Verdict::Cancelled),
            cancelled: count(|verdict| *verdict == Verdict::Cancelled),
            refused,
            jobs,
        };
        self.finish(id, done, effects);
    }

    fn end(&self, job: JobId) -> Option<&JobEnd> {
        self.record.job(job)?.0.end.as_ref()
    }

    /// What was opened and has no job is let go.
    fn finish(&mut self, id: OrderId, outcome: Outcome, effects: &mut Vec<OrderEffect>) {
        self.orders.remove(&id);
        for (slot, state) in self.slots.extract_if(.., |_, state| state.order == id) {
            if !state.stage.is_final() {
                effects.push(OrderEffect::Drop(slot));
            }
        }
        effects.push(OrderEffect::Finish(id, outcome));
    }
}

fn named_twice(first: &DriveLabel, second: &DriveLabel) -> Failure {
    let text = format!("{} and {} are the same drive; name each drive once", second.path, first.path);
    Failure::new(Exit::Request, text)
}
