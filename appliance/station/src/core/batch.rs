// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A batch from the request to its end.

use std::mem;
use std::time::Duration;

use platen_events::{Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, StationState, Verdict};

use super::{Admission, Effect, Found, Input, Outcome, Request, Slot};
use crate::exit::Exit;
use crate::failure::Failure;

/// All that a station knows. [`Station::step`] is the only way on.
#[derive(Debug, Default)]
pub struct Station {
    /// What everybody who reads the record knows as well.
    record: StationState,
    batch: Option<Batch>,
    last_job: u64,
}

#[derive(Debug)]
struct Batch {
    request: Request,
    slots: Vec<SlotState>,
    refused: Vec<Failure>,
    /// What the machine lacks.
    not_started: Option<Failure>,
    is_stopped: bool,
    /// Jobs were begun, or rows of jobs written.
    is_begun: bool,
    /// How it came out was said.
    is_over: bool,
}

#[derive(Debug)]
struct SlotState {
    drive: DriveId,
    label: DriveLabel,
    /// Of a drive that was found.
    identity: Option<usize>,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Station {
    /// What everybody who reads the record knows.
    pub fn record(&self) -> &StationState {
        &self.record
    }

    /// The last job of each drive of the batch, in the order in which people named the drives.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        let job = |slot: &SlotState| match slot.stage {
            Stage::Working(job) | Stage::Over(job) | Stage::Recording(job, ..) => Some(job),
            _ => None,
        };
        self.batch.iter().flat_map(|batch| &batch.slots).filter_map(job)
    }

    /// Go on by one input.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Ask(request) => self.ask(request, &mut effects),
            Input::Looked(slot, found) => self.looked(slot, found, &mut effects),
            Input::Prepared(slot, prepared) => self.prepared(slot, prepared, &mut effects),
            Input::Broken(slot, failure) => self.broken(slot, failure, &mut effects),
            Input::Silent(slot, silent) => self.silent(slot, silent, &mut effects),
            Input::NotStarted(jobs, failure) => self.not_started(&jobs, failure, &mut effects),
            Input::Recorded(slot, recorded) => self.recorded(slot, recorded, &mut effects),
            Input::Told(event) => self.tell(event, &mut effects),
            Input::Over(job) => self.over(job),
            Input::Stop => self.stop(&mut effects),
        }
        self.go_on(&mut effects);
        effects
    }

    /// Nothing is told that can't have happened.
    fn tell(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match self.record.apply(&event) {
            Ok(()) => effects.push(Effect::Tell(event)),
            Err(illegal) => debug_assert!(false, "{illegal}: {event:?}"),
        }
    }

    fn slot(&mut self, slot: Slot) -> Option<&mut SlotState> {
        self.batch.as_mut()?.slots.get_mut(slot.0)
    }

    /// The slot, if it is in this stage; what comes late of one that was given up counts for nothing.
    fn slot_in(&mut self, slot: Slot, stage: &Stage) -> Option<&mut SlotState> {
        self.slot(slot).filter(|state| state.stage == *stage)
    }

    /// One batch at a time.
    fn ask(&mut self, request: Request, effects: &mut Vec<Effect>) {
        if self.batch.as_ref().is_some_and(|batch| !batch.is_over) {
            return;
        }
        let looking = |(drive, label): &(DriveId, DriveLabel)| SlotState {
            drive: drive.clone(),
            label: label.clone(),
            identity: None,
            stage: Stage::Looking,
        };
        let slots: Vec<SlotState> = request.drives.iter().map(looking).collect();
        self.batch = Some(Batch {
            request,
            slots,
            refused: Vec::new(),
            not_started: None,
            is_stopped: false,
            is_begun: false,
            is_over: false,
        });
        for number in 0..self.slots().len() {
            let slots = self.slots();
            let twin = slots[..number].iter().find(|earlier| earlier.drive == slots[number].drive);
            match twin.map(|earlier| named_twice(&earlier.label, &slots[number].label)) {
                Some(failure) => self.leave_out(Slot(number), failure, effects),
                None => effects.push(Effect::Look(Slot(number))),
            }
        }
    }

    fn slots(&self) -> &[SlotState] {
        self.batch.as_ref().map_or(&[], |batch| &batch.slots)
    }

    fn looked(&mut self, slot: Slot, found: Result<Found, Failure>, effects: &mut Vec<Effect>) {
        if self.slot_in(slot, &Stage::Looking).is_none() {
            return;
        }
        match found {
            Ok(Found { drive, label, identity }) => {
                let twin = self.twin(slot, identity, &label);
                let Some(state) = self.slot(slot) else { return };
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
    fn twin(&self, slot: Slot, identity: usize, label: &DriveLabel) -> Option<Failure> {
        let (number, other) = self.slots().iter().enumerate().find(|(_, other)| other.identity == Some(identity))?;
        let (first, second) = if number < slot.0 { (&other.label, label) } else { (label, &other.label) };
        Some(named_twice(first, second))
    }

    fn see(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        if let Some(SlotState { drive, label, .. }) = self.slot(slot) {
            let seen = Event::DriveSeen { drive: drive.clone(), label: label.clone() };
            self.tell(seen, effects);
        }
    }

    fn prepared(&mut self, slot: Slot, prepared: Result<(), Failure>, effects: &mut Vec<Effect>) {
        let Some(state) = self.slot_in(slot, &Stage::Preparing) else { return };
        match prepared {
            Ok(()) => state.stage = Stage::Prepared,
            Err(failure) => self.refuse(slot, failure, effects),
        }
    }

    /// A drive that may not be worked on.
    fn refuse(&mut self, slot: Slot, failure: Failure, effects: &mut Vec<Effect>) {
        if let Some(drive) = self.slot(slot).map(|state| state.drive.clone()) {
            let (code, text) = (failure.code.map(Into::into), failure.reason());
            self.tell(Event::DriveRefused { drive, code, text }, effects);
            self.leave_out(slot, failure, effects);
        }
    }

    /// The same of the second name of a drive, which says nothing about that drive.
    fn leave_out(&mut self, slot: Slot, failure: Failure, effects: &mut Vec<Effect>) {
        if let Some(batch) = &mut self.batch {
            batch.slots[slot.0].stage = Stage::Refused;
            batch.refused.push(failure);
            effects.push(Effect::Drop(slot));
        }
    }

    fn broken(&mut self, slot: Slot, failure: Failure, effects: &mut Vec<Effect>) {
        match self.slot(slot).map(|state| state.stage.clone()) {
            Some(Stage::Looking) => self.looked(slot, Err(failure), effects),
            Some(Stage::Preparing) => self.prepared(slot, Err(failure), effects),
            Some(Stage::Recording(..)) => self.recorded(slot, Err(failure.reason()), effects),
            _ => {}
        }
    }

    fn silent(&mut self, slot: Slot, silent: Duration, effects: &mut Vec<Effect>) {
        let limit = self.batch.as_ref().map_or(Duration::MAX, |batch| batch.request.stall_limit);
        if silent >= limit {
            let detail = format!("no answer for {} s while it was looked at", silent.as_secs());
            self.give_up(slot, Code::Stalled, detail, effects);
        }
    }

    /// Wait no more for a drive that has no job yet.
    fn give_up(&mut self, slot: Slot, code: Code, detail: String, effects: &mut Vec<Effect>) {
        if let Some(state) = self.slot(slot).filter(|state| state.stage.is_open()) {
            state.stage = Stage::Unopened(code, detail);
            effects.push(Effect::Drop(slot));
        }
    }

    fn not_started(&mut self, jobs: &[JobId], failure: Failure, effects: &mut Vec<Effect>) {
        let Some(batch) = &mut self.batch else { return };
        for (number, slot) in batch.slots.iter_mut().enumerate() {
            if matches!(slot.stage, Stage::Working(job) | Stage::Recording(job, ..) if jobs.contains(&job)) {
                slot.stage = Stage::Refused;
                effects.push(Effect::Drop(Slot(number)));
            }
        }
        batch.not_started.get_or_insert(failure);
    }

    fn recorded(&mut self, slot: Slot, recorded: Result<(), String>, effects: &mut Vec<Effect>) {
        let Some(SlotState { drive, label, stage, .. }) = self.slot(slot) else { return };
        let Stage::Recording(job, code, mut detail) = mem::replace(stage, Stage::Refused) else { return };
        *stage = Stage::Over(job);
        if let Err(why) = recorded {
            detail += &format!("; not recorded: {why}");
        }
        let (drive, label) = (drive.clone(), label.clone());
        let kind = self.kind();
        self.tell(Event::DriveSeen { drive: drive.clone(), label }, effects);
        self.tell(Event::JobStarted { job, kind, drive, medium: None }, effects);
        self.tell(Event::JobEnded { job, end: JobEnd::failed(code, detail) }, effects);
    }

    fn kind(&self) -> JobKind {
        self.batch.as_ref().map_or(JobKind::Unknown, |batch| batch.request.kind)
    }

    fn over(&mut self, over: JobId) {
        let slots = self.batch.iter_mut().flat_map(|batch| &mut batch.slots);
        for slot in slots.filter(|slot| slot.stage == Stage::Working(over)) {
            slot.stage = Stage::Over(over);
        }
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        let Some(batch) = self.batch.as_mut().filter(|batch| !batch.is_stopped) else { return };
        batch.is_stopped = true;
        let stages: Vec<Stage> = batch.slots.iter().map(|slot| slot.stage.clone()).collect();
        for (number, stage) in stages.into_iter().enumerate() {
            match stage {
                Stage::Working(job) => effects.push(Effect::Cancel(job)),
                _ => self.give_up(Slot(number), Code::Cancelled, "stopped while it was looked at".to_owned(), effects),
            }
        }
    }

    /// Everything that follows without another input.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        let Some(batch) = self.batch.as_mut().filter(|batch| !batch.is_over) else { return };
        let together = batch.request.admission == Admission::Together;
        let is = |wanted: fn(&Stage) -> bool| batch.slots.iter().any(|slot| wanted(&slot.stage));
        if together && !batch.is_begun && batch.is_stopped {
            return self.finish(Outcome::Stopped, effects);
        }
        // Together nobody is opened for writing before all were found: one may be named twice.
        if !(together && is(|stage| *stage == Stage::Looking)) {
            for (number, slot) in batch.slots.iter_mut().enumerate().filter(|(_, slot)| slot.stage == Stage::Found) {
                slot.stage = Stage::Preparing;
                effects.push(Effect::Prepare(Slot(number)));
            }
        }
        if together && batch.slots.iter().any(|slot| slot.stage.is_open()) {
            return;
        }
        if together && !batch.is_begun && !batch.refused.is_empty() {
            let refused = mem::take(&mut batch.refused);
            return self.finish(Outcome::Refused(refused), effects);
        }
        self.start(effects);
        self.finish_if_over(effects);
    }

    /// Start what is ready, and record what never will be.
    fn start(&mut self, effects: &mut Vec<Effect>) {
        let Some(batch) = &mut self.batch else { return };
        let mut starting = Vec::new();
        for (number, slot) in batch.slots.iter_mut().enumerate() {
            if slot.stage == Stage::Prepared {
                self.last_job += 1;
                let job = JobId(self.last_job);
                slot.stage = Stage::Working(job);
                starting.push((Slot(number), job));
            }
        }
        if !starting.is_empty() {
            batch.is_begun = true;
            effects.push(Effect::Start(starting));
        }
        for (number, slot) in batch.slots.iter_mut().enumerate() {
            if let Stage::Unopened(code, detail) = &slot.stage {
                self.last_job += 1;
                let (job, code, detail) = (JobId(self.last_job), *code, detail.clone());
                slot.stage = Stage::Recording(job, code, detail.clone());
                effects.push(Effect::Record { slot: Slot(number), drive: slot.label.clone(), job, code, detail });
                batch.is_begun = true;
            }
        }
    }

    fn finish_if_over(&mut self, effects: &mut Vec<Effect>) {
        let Some(batch) = self.batch.as_mut().filter(|batch| batch.slots.iter().all(|slot| slot.stage.is_final()))
        else {
            return;
        };
        let (mut refused, not_started) = (mem::take(&mut batch.refused), batch.not_started.take());
        let ends: Vec<Verdict> = self.jobs().filter_map(|job| self.end(job)).map(|end| end.verdict.clone()).collect();
        match not_started {
            Some(failure) if ends.is_empty() => return self.finish(Outcome::NotStarted(failure), effects),
            not_started => refused.extend(not_started),
        }
        let count = |wanted: fn(&Verdict) -> bool| ends.iter().filter(|verdict| wanted(verdict)).count() as u32;
        let done = Outcome::Done {
            succeeded: count(Verdict::is_success),
            failed: count(|verdict| !verdict.is_success() && *verdict != Verdict::Cancelled),
            cancelled: count(|verdict| *verdict == Verdict::Cancelled),
            refused,
        };
        self.finish(done, effects);
    }

    fn end(&self, job: JobId) -> Option<&JobEnd> {
        self.record.job(job)?.0.end.as_ref()
    }

    fn finish(&mut self, outcome: Outcome, effects: &mut Vec<Effect>) {
        self.batch.iter_mut().for_each(|batch| batch.is_over = true);
        effects.push(Effect::Finish(outcome));
    }
}

fn named_twice(first: &DriveLabel, second: &DriveLabel) -> Failure {
    let text = format!("{} and {} are the same drive; name each drive once", second.path, first.path);
    Failure::new(Exit::Request, text)
}
