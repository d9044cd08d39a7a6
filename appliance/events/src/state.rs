// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The state of a station, rebuilt from its record: what anyone who reads the stream knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::any_code::AnyCode;
use crate::event::{Action, Event, Step};
use crate::identity::{DriveId, DriveLabel, JobId};
use crate::port::{BatchId, PortUse, Work};
use crate::system::SystemState;
use crate::verdict::{JobEnd, JobKind, Verdict};

/// Ports, drives, the last job of each, and what else is under way. Whoever applies the same events has the same state. As
/// stored text it is the events that lead to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Event>", try_from = "Vec<Event>")]
pub struct StationState {
    ports: BTreeMap<String, PortUse>,
    batches: BTreeMap<BatchId, BatchState>,
    conditions: BTreeMap<String, String>,
    system: Option<SystemState>,
    drives: BTreeMap<DriveId, DriveState>,
    jobs: BTreeMap<JobId, JobState>,
    actions: BTreeMap<Action, ActionState>,
}

/// A drive that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveState {
    /// The one said last.
    pub label: DriveLabel,
    /// Why it may not be worked on.
    pub refused: Option<Refused>,
    /// The last that was begun on it.
    pub job: Option<JobId>,
    /// It was pulled, and only its job keeps it here.
    pub is_gone: bool,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchState {
    /// What is done with each drive.
    pub work: Work,
    /// How many good copies end it. None: somebody ends it.
    pub wanted: Option<u32>,
    /// Drives whose job reached what it was for.
    pub good: u32,
    /// Drives that may not be used.
    pub failed: u32,
    /// Drives that were taken no job for.
    pub refused: u32,
}

/// Why a drive may not be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// None where the drive is not at fault.
    pub code: Option<AnyCode>,
    /// For people.
    pub text: String,
}

/// The last job of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// What is done with the drive.
    pub kind: JobKind,
    /// The drive it holds until `released`.
    pub drive: DriveId,
    /// What will be written. None for jobs that write no medium.
    pub medium: Option<String>,
    /// What is to be known about what is written, in the order it was said.
    pub notices: Vec<String>,
    /// Why it was begun again, once for each time.
    pub retries: Vec<Retry>,
    /// Its drive lost its connection so that its power was cut, and is back: whether it said that it was started anew. None:
    /// not since the job was begun, or begun again.
    pub returned: Option<bool>,
    /// None: before the first, also after it was begun again.
    pub step: Option<StepState>,
    /// None: it is running.
    pub end: Option<JobEnd>,
    /// Nothing holds the drive any more.
    pub released: bool,
}

/// Why a job was begun again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Why it failed.
    pub code: AnyCode,
    /// What exactly happened: for the log, not for the display.
    pub detail: String,
}

/// The step a job is in, or was in when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepState {
    /// The one begun last.
    pub step: Step,
    /// How much the step will move. None when nobody knows.
    pub total_bytes: Option<u64>,
    /// Counted from the beginning of the step.
    pub done_bytes: u64,
}

/// Something under way that is about no drive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionState {
    /// What it works on: a folder, a file.
    pub of: String,
    /// Counted from the beginning; 0 until progress is told.
    pub done_bytes: u64,
    /// As much as is known to be done; 0 until progress is told.
    pub total_bytes: u64,
}

/// An event that can't happen in the state it meets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum Illegal {
    #[error("drive {0}: nobody has seen it")]
    UnknownDrive(DriveId),
    #[error("drive {0}: it is held by a job")]
    HeldDrive(DriveId),
    #[error("drive {0}: a job was begun although it was refused")]
    RefusedDrive(DriveId),
    #[error("drive {0}: released, but no ended job holds it")]
    NotHeld(DriveId),
    #[error("batch {0}: it was started before")]
    BatchTwice(BatchId),
    #[error("batch {0}: it was never started, or is closed")]
    UnknownBatch(BatchId),
    #[error("job {0}: it was begun before")]
    JobTwice(JobId),
    #[error("job {0}: it was never begun, or forgotten since")]
    UnknownJob(JobId),
    #[error("job {0}: it has ended")]
    EndedJob(JobId),
    #[error("job {job}: step {step:?} after {after:?}")]
    StepOrder { job: JobId, step: Step, after: Step },
    #[error("job {0}: progress before the first step")]
    NoStep(JobId),
    #[error("job {job}: progress to {done_bytes} bytes; expected at least {at_least} and at most {at_most:?}")]
    Progress { job: JobId, done_bytes: u64, at_least: u64, at_most: Option<u64> },
    #[error("job {job}: a job of kind {kind} can't end as {verdict}")]
    Verdict { job: JobId, kind: JobKind, verdict: Verdict },
    #[error("{0:?}: it is under way already")]
    ActionTwice(Action),
    #[error("{0:?}: it is not under way")]
    NoAction(Action),
}

impl StationState {
    /// Every port of the station, by its label.
    pub fn ports(&self) -> &BTreeMap<String, PortUse> {
        &self.ports
    }

    /// Every batch that is not closed.
    pub fn batches(&self) -> &BTreeMap<BatchId, BatchState> {
        &self.batches
    }

    /// What somebody should know about the station as a whole, by its word.
    pub fn conditions(&self) -> &BTreeMap<String, String> {
        &self.conditions
    }

    /// The appliance's own operating system. None: the station runs on one that it has no part in.
    pub fn system(&self) -> Option<&SystemState> {
        self.system.as_ref()
    }

    /// Every drive that was seen.
    pub fn drives(&self) -> &BTreeMap<DriveId, DriveState> {
        &self.drives
    }

    /// The last job of each drive.
    pub fn jobs(&self) -> &BTreeMap<JobId, JobState> {
        &self.jobs
    }

    /// What else is under way.
    pub fn actions(&self) -> &BTreeMap<Action, ActionState> {
        &self.actions
    }

    /// A job and what its drive is called.
    pub fn job(&self, job: JobId) -> Option<(&JobState, &DriveLabel)> {
        let state = self.jobs.get(&job)?;
        Some((state, &self.drives.get(&state.drive)?.label))
    }

    /// Go on by one event. One that can't happen now changes nothing; a reader may go on after it.
    pub fn apply(&mut self, event: &Event) -> Result<(), Illegal> {
        match event {
            Event::DriveSeen { drive, label } => {
                let known = self.drives.get(drive);
                let (job, is_gone) = known.map_or((None, false), |known| (known.job, known.is_gone));
                let (label, refused) = (label.clone(), None);
                self.drives.insert(drive.clone(), DriveState { label, refused, job, is_gone });
            }
            Event::DriveRefused { drive, code, text } => {
                let held = self.is_held(drive)?;
                if held {
                    return Err(Illegal::HeldDrive(drive.clone()));
                }
                self.drive(drive)?.refused = Some(Refused { code: code.clone(), text: text.clone() });
            }
            Event::DriveReleased { drive } => {
                let is_gone = self.drive(drive)?.is_gone;
                let job = self.drive(drive)?.job.and_then(|job| self.jobs.get_mut(&job));
                let job = job.filter(|job| job.end.is_some() && !job.released);
                job.ok_or_else(|| Illegal::NotHeld(drive.clone()))?.released = true;
                if is_gone {
                    self.forget(drive);
                }
            }
            Event::DriveGone { drive } => match self.is_held(drive)? {
                true => self.drive(drive)?.is_gone = true,
                false => self.forget(drive),
            },
            Event::PortSet { port, used } => {
                self.ports.insert(port.clone(), used.clone());
            }
            Event::BatchStarted { batch, work, wanted } => {
                if self.batches.contains_key(batch) {
                    return Err(Illegal::BatchTwice(*batch));
                }
                let state = BatchState { work: work.clone(), wanted: *wanted, good: 0, failed: 0, refused: 0 };
                self.batches.insert(*batch, state);
            }
            Event::BatchCounted { batch, good, failed, refused } => {
                let state = self.batches.get_mut(batch).ok_or(Illegal::UnknownBatch(*batch))?;
                (state.good, state.failed, state.refused) = (*good, *failed, *refused);
            }
            Event::BatchClosed { batch } => {
                self.batches.remove(batch).ok_or(Illegal::UnknownBatch(*batch))?;
            }
            Event::Condition { condition, text: Some(text) } => {
                self.conditions.insert(condition.clone(), text.clone());
            }
            Event::Condition { condition, text: None } => {
                self.conditions.remove(condition);
            }
            Event::System(system) => self.system = Some(system.clone()),
            Event::JobStarted { job, kind, drive, medium } => self.start(*job, *kind, drive, medium.as_deref())?,
            Event::StepStarted { job, step, total_bytes } => {
                let state = self.running(*job)?;
                // Where a step of a newer version stands is not known here.
                if let Some(StepState { step: after, .. }) = state.step
                    && let (Some(before), Some(now)) = (after.position(), step.position())
                    && now <= before
                {
                    return Err(Illegal::StepOrder { job: *job, step: *step, after });
                }
                state.step = Some(StepState { step: *step, total_bytes: *total_bytes, done_bytes: 0 });
            }
            Event::DriveReturned { job, drive, label, powered_on } => {
                self.come_back(*job, drive, label)?;
                self.running(*job)?.returned = Some(*powered_on);
            }
            Event::Progress { job, done_bytes } => {
                let step = self.running(*job)?.step.as_mut().ok_or(Illegal::NoStep(*job))?;
                let (at_least, at_most) = (step.done_bytes, step.total_bytes);
                if *done_bytes < at_least || at_most.is_some_and(|most| *done_bytes > most) {
                    return Err(Illegal::Progress { job: *job, done_bytes: *done_bytes, at_least, at_most });
                }
                step.done_bytes = *done_bytes;
            }
            Event::JobNotice { job, text } => self.running(*job)?.notices.push(text.clone()),
            Event::JobRetried { job, code, detail } => {
                let state = self.running(*job)?;
                state.retries.push(Retry { code: code.clone(), detail: detail.clone() });
                (state.step, state.returned) = (None, None);
            }
            Event::JobEnded { job, end } => {
                let state = self.running(*job)?;
                if !end.verdict.fits(state.kind) {
                    return Err(Illegal::Verdict { job: *job, kind: state.kind, verdict: end.verdict.clone() });
                }
                state.end = Some(end.clone());
            }
            // Several kinds this version does not know would be taken for one.
            Event::ActionStarted { action: Action::Unknown, .. }
            | Event::ActionProgress { action: Action::Unknown, .. }
            | Event::ActionEnded { action: Action::Unknown } => {}
            Event::ActionStarted { action, of } => {
                if self.actions.contains_key(action) {
                    return Err(Illegal::ActionTwice(*action));
                }
                self.actions.insert(*action, ActionState { of: of.clone(), ..ActionState::default() });
            }
            Event::ActionProgress { action, done_bytes, total_bytes } => {
                let state = self.actions.get_mut(action).ok_or(Illegal::NoAction(*action))?;
                (state.done_bytes, state.total_bytes) = (*done_bytes, *total_bytes);
            }
            Event::ActionEnded { action } => {
                self.actions.remove(action).ok_or(Illegal::NoAction(*action))?;
            }
            Event::PortLearnt { .. }
            | Event::BatchEnded { .. }
            | Event::MediumImported { .. }
            | Event::MediumPresent { .. }
            | Event::MediumSkipped { .. }
            | Event::MediumRefused { .. }
            | Event::Answer(_)
            | Event::Warning { .. }
            | Event::Error { .. }
            | Event::Unknown => {}
        }
        Ok(())
    }

    /// Events that lead from nothing to this state: the beginning of a stream for whoever comes later.
    pub fn replicate(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (port, used) in &self.ports {
            events.push(Event::PortSet { port: port.clone(), used: used.clone() });
        }
        for (&batch, BatchState { work, wanted, good, failed, refused }) in &self.batches {
            events.push(Event::BatchStarted { batch, work: work.clone(), wanted: *wanted });
            events.push(Event::BatchCounted { batch, good: *good, failed: *failed, refused: *refused });
        }
        for (condition, text) in &self.conditions {
            events.push(Event::Condition { condition: condition.clone(), text: Some(text.clone()) });
        }
        events.extend(self.system.clone().map(Event::System));
        for (drive, DriveState { label, refused, job, is_gone }) in &self.drives {
            events.push(Event::DriveSeen { drive: drive.clone(), label: label.clone() });
            if let Some((number, job)) = job.and_then(|number| Some((number, self.jobs.get(&number)?))) {
                events.extend(job.replicate(number, label));
            }
            if let Some(Refused { code, text }) = refused {
                events.push(Event::DriveRefused { drive: drive.clone(), code: code.clone(), text: text.clone() });
            }
            if *is_gone {
                events.push(Event::DriveGone { drive: drive.clone() });
            }
        }
        for (&action, ActionState { of, done_bytes, total_bytes }) in &self.actions {
            events.push(Event::ActionStarted { action, of: of.clone() });
            events.push(Event::ActionProgress { action, done_bytes: *done_bytes, total_bytes: *total_bytes });
        }
        events
    }

    fn forget(&mut self, drive: &DriveId) {
        let job = self.drives.remove(drive).and_then(|drive| drive.job);
        job.map(|job| self.jobs.remove(&job));
    }

    fn drive(&mut self, drive: &DriveId) -> Result<&mut DriveState, Illegal> {
        self.drives.get_mut(drive).ok_or_else(|| Illegal::UnknownDrive(drive.clone()))
    }

    fn is_held(&self, drive: &DriveId) -> Result<bool, Illegal> {
        let state = self.drives.get(drive).ok_or_else(|| Illegal::UnknownDrive(drive.clone()))?;
        Ok(state.job.and_then(|job| self.jobs.get(&job)).is_some_and(|job| !job.released))
    }

    fn running(&mut self, job: JobId) -> Result<&mut JobState, Illegal> {
        let state = self.jobs.get_mut(&job).ok_or(Illegal::UnknownJob(job))?;
        if state.end.is_some() { Err(Illegal::EndedJob(job)) } else { Ok(state) }
    }

    /// A job's drive is known by another name from here on. Whoever saw it come back may have told of it already.
    fn come_back(&mut self, job: JobId, drive: &DriveId, label: &DriveLabel) -> Result<(), Illegal> {
        let before = self.running(job)?.drive.clone();
        if before != *drive && self.drives.get(drive).is_some_and(|seen| seen.job.is_some()) {
            return Err(Illegal::HeldDrive(drive.clone()));
        }
        let state = self.drives.remove(&before).ok_or(Illegal::UnknownDrive(before))?;
        self.drives.insert(drive.clone(), DriveState { label: label.clone(), is_gone: false, ..state });
        self.running(job)?.drive = drive.clone();
        Ok(())
    }

    /// A drive's last job takes the place of the one before.
    fn start(&mut self, job: JobId, kind: JobKind, drive: &DriveId, medium: Option<&str>) -> Result<(), Illegal> {
        if self.jobs.contains_key(&job) {
            return Err(Illegal::JobTwice(job));
        }
        if self.is_held(drive)? {
            return Err(Illegal::HeldDrive(drive.clone()));
        }
        let state = self.drive(drive)?;
        if state.refused.is_some() {
            return Err(Illegal::RefusedDrive(drive.clone()));
        }
        let earlier = state.job.replace(job);
        if let Some(earlier) = earlier {
            self.jobs.remove(&earlier);
        }
        let state = JobState {
            kind,
            drive: drive.clone(),
            medium: medium.map(str::to_owned),
            notices: Vec::new(),
            retries: Vec::new(),
            returned: None,
            step: None,
            end: None,
            released: false,
        };
        self.jobs.insert(job, state);
        Ok(())
    }
}

impl JobState {
    fn replicate(&self, job: JobId, label: &DriveLabel) -> Vec<Event> {
        let Self { kind, drive, medium, notices, retries, returned, step, end, released } = self;
        let mut events = vec![Event::JobStarted { job, kind: *kind, drive: drive.clone(), medium: medium.clone() }];
        events.extend(notices.iter().map(|text| Event::JobNotice { job, text: text.clone() }));
        let retried = |retry: &Retry| Event::JobRetried { job, code: retry.code.clone(), detail: retry.detail.clone() };
        events.extend(retries.iter().map(retried));
        if let Some(powered_on) = *returned {
            let (drive, label) = (drive.clone(), label.clone());
            events.push(Event::DriveReturned { job, drive, label, powered_on });
        }
        if let Some(StepState { step, total_bytes, done_bytes }) = *step {
            events.push(Event::StepStarted { job, step, total_bytes });
            events.push(Event::Progress { job, done_bytes });
        }
        if let Some(end) = end {
            events.push(Event::JobEnded { job, end: end.clone() });
        }
        if *released {
            events.push(Event::DriveReleased { drive: drive.clone() });
        }
        events
    }
}

impl From<StationState> for Vec<Event> {
    fn from(state: StationState) -> Self {
        state.replicate()
    }
}

impl TryFrom<Vec<Event>> for StationState {
    type Error = Illegal;

    fn try_from(events: Vec<Event>) -> Result<Self, Illegal> {
        let mut state = Self::default();
        events.iter().try_for_each(|event| state.apply(event)).map(|()| state)
    }
}
