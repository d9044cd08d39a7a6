// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the panel knows of the station: the record, and what was seen of it while it was told.

use std::collections::BTreeMap;

use platen_events::{
    Advice, AnyCode, BatchId, BatchState, DriveId, DriveLabel, DriveState, Event, JobEnd, JobId, JobKind, JobState,
    PortMode, StationState, Step, Verdict,
};

use crate::pace::Pace;

/// What a port's tile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No drive; one that is inserted is begun at once, or not.
    Empty {
        /// It is begun at once.
        is_armed: bool,
    },
    /// A drive for which nothing was chosen yet.
    Waiting,
    /// Nothing is written yet.
    Checking,
    /// The first half.
    Writing,
    /// The power is cut between the halves.
    Restarting,
    /// The second half.
    ReadingBack,
    /// A drive that is not begun until the station goes on.
    Paused,
    /// What was to be done is done, and proved.
    Ready(JobKind),
    /// The drive is fine and has to be put in again, or something else has to be done first.
    Retry(AnyCode),
    /// The drive is not taken.
    Refused(Option<AnyCode>),
    /// The drive is to be set aside.
    Failed(AnyCode),
}

impl State {
    /// Somebody has to do something, and how pressing it is: 0 the most.
    pub fn asks(&self) -> Option<u8> {
        match self {
            Self::Failed(_) => Some(0),
            Self::Ready(_) => Some(1),
            Self::Retry(_) => Some(2),
            Self::Refused(_) => Some(3),
            _ => None,
        }
    }

    /// Why, where there is a code.
    pub fn code(&self) -> Option<&AnyCode> {
        match self {
            Self::Retry(code) | Self::Failed(code) => Some(code),
            Self::Refused(code) => code.as_ref(),
            _ => None,
        }
    }
}

/// A port and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What is printed beside it.
    pub label: String,
    /// What its tile says.
    pub state: State,
    /// How far both halves are, each from 0 to 1000.
    pub halves: [u16; 2],
    /// Of the whole job; none while nobody can say.
    pub percent: Option<u8>,
    /// Seconds until it is done.
    pub left_s: Option<u64>,
    /// Bytes in a second.
    pub speed: Option<u64>,
    /// How long writing took.
    pub written_ms: Option<u64>,
    /// What the drive is known by.
    pub drive: Option<DriveId>,
    /// What it says of itself.
    pub says: DriveLabel,
    /// The medium on it, or that will be.
    pub medium: Option<String>,
    /// Whether it said that its power was cut; none: not yet.
    pub returned: Option<bool>,
}

/// A drive of a batch that did not become good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The port's label.
    pub port: String,
    /// To be set aside, or only refused.
    pub is_bad: bool,
    /// Why.
    pub code: Option<AnyCode>,
    /// As the drive says it.
    pub serial: String,
}

/// A batch that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// As it was counted last.
    pub state: BatchState,
    /// What did not become good, the oldest first.
    pub outcomes: Vec<Outcome>,
}

/// More are not kept of a batch.
const MOST_OUTCOMES: usize = 200;

/// The record, and what was seen of it.
#[derive(Debug, Default)]
pub struct Station {
    record: StationState,
    paces: BTreeMap<JobId, Pace>,
    /// Ports whose drive was pulled too early, until another comes.
    lost: BTreeMap<String, (AnyCode, DriveLabel)>,
    outcomes: Vec<Outcome>,
    finished: Option<Finished>,
    /// Since when each port asks for a hand.
    asking: BTreeMap<String, (State, u64)>,
    /// Labels in the order in which they are shown.
    order: Vec<String>,
    /// Mean length of the jobs that were seen to their end.
    mean_job_s: Option<u64>,
    begun: BTreeMap<JobId, u64>,
}

impl Station {
    /// The record as it stands.
    pub fn record(&self) -> &StationState {
        &self.record
    }

    /// A batch that came to its end since it was asked last.
    pub(crate) fn take_finished(&mut self) -> Option<Finished> {
        self.finished.take()
    }

    /// Labels in the order in which they stand on the case.
    pub(crate) fn set_order(&mut self, order: Vec<String>) {
        self.order = order;
    }

    /// Everything from the beginning, as the stream says after its first line.
    pub(crate) fn forget(&mut self) {
        *self = Self { order: std::mem::take(&mut self.order), ..Self::default() };
    }

    /// Something happened. What can't have happened is passed over, as the record does.
    pub fn take(&mut self, event: &Event, now_ms: u64) {
        let before = event_batch(event).and_then(|batch| self.record.batches().get(&batch)).cloned();
        if self.record.apply(event).is_err() {
            return;
        }
        match event {
            Event::JobStarted { job, .. } => {
                self.begun.insert(*job, now_ms);
            }
            Event::StepStarted { job, step, total_bytes } => {
                self.paces.entry(*job).or_default().begin(*step, *total_bytes, now_ms);
            }
            Event::Progress { job, done_bytes } => {
                self.paces.entry(*job).or_default().progress(*done_bytes, now_ms);
            }
            Event::JobRetried { job, .. } => {
                self.paces.remove(job);
            }
            Event::JobEnded { job, end } => self.ended(*job, end, now_ms),
            Event::DriveSeen { label, .. } => {
                self.lost.remove(&label.port);
            }
            Event::DriveRefused { drive, code, .. } => {
                if let Some(DriveState { label, .. }) = self.record.drives().get(drive) {
                    let is_bad = advice(code.as_ref()) == Some(Advice::PullAndSetAside);
                    let (port, serial) = (label.port.clone(), label.serial.clone().unwrap_or_default());
                    self.note(Outcome { port, is_bad, code: code.clone(), serial });
                }
            }
            // The next one begins before the one that is full is closed: until then its outcomes are wanted.
            Event::BatchStarted { .. } if self.record.batches().len() == 1 => self.outcomes.clear(),
            Event::BatchClosed { .. } => {
                let outcomes = std::mem::take(&mut self.outcomes);
                self.finished = before.map(|state| Finished { state, outcomes });
            }
            _ => {}
        }
        self.paces.retain(|job, _| self.record.jobs().contains_key(job));
        self.begun.retain(|job, _| self.record.jobs().contains_key(job));
        self.see_who_asks(now_ms);
    }

    fn note(&mut self, outcome: Outcome) {
        // The same drive is refused again each time it is looked at.
        if self.outcomes.len() < MOST_OUTCOMES && self.outcomes.last() != Some(&outcome) {
            self.outcomes.push(outcome);
        }
    }

    fn ended(&mut self, job: JobId, end: &JobEnd, now_ms: u64) {
        if end.verdict.is_success()
            && let Some(begun_ms) = self.begun.get(&job)
        {
            let took_s = (now_ms - (*begun_ms).min(now_ms)) / 1000;
            self.mean_job_s = Some(self.mean_job_s.map_or(took_s, |mean| (mean * 3 + took_s) / 4));
        }
        let Some((state, label)) = self.record.job(job) else { return };
        let code = match &end.verdict {
            Verdict::Failed { code } => code.clone(),
            verdict => match verdict.code() {
                Some(code) => code.into(),
                None => return,
            },
        };
        let is_gone = self.record.drives().get(&state.drive).is_some_and(|drive| drive.is_gone);
        let label = label.clone();
        if is_gone {
            self.lost.insert(label.port.clone(), (code.clone(), label.clone()));
        }
        if advice(Some(&code)) == Some(Advice::PullAndSetAside) {
            let serial = label.serial.clone().unwrap_or_default();
            self.note(Outcome { port: label.port, is_bad: true, code: Some(code), serial });
        }
    }

    fn see_who_asks(&mut self, now_ms: u64) {
        let mut asking = BTreeMap::new();
        for port in self.ports(now_ms).into_iter().filter(|port| port.state.asks().is_some()) {
            let since = match self.asking.get(&port.label) {
                Some((state, since)) if *state == port.state => *since,
                _ => now_ms,
            };
            asking.insert(port.label, (port.state, since));
        }
        self.asking = asking;
    }

    /// Ports that have asked for a hand for so long, the most pressing first.
    pub fn asking(&self, now_ms: u64, for_ms: u64) -> Vec<String> {
        let old = self.asking.iter().filter(|(_, (_, since))| since + for_ms <= now_ms);
        let mut ports: Vec<(u8, usize, String)> = old
            .map(|(label, (state, _))| (state.asks().unwrap_or(u8::MAX), self.position(label), label.clone()))
            .collect();
        ports.sort();
        ports.into_iter().map(|(_, _, label)| label).collect()
    }

    /// Nothing more is said of a drive that was pulled too early.
    pub(crate) fn seen(&mut self, label: &str) {
        self.lost.remove(label);
        self.asking.remove(label);
    }

    fn position(&self, label: &str) -> usize {
        self.order.iter().position(|known| known == label).unwrap_or(usize::MAX)
    }

    /// Labels of all ports, as they stand on the case.
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.record.ports().keys().cloned().collect();
        let number = |label: &String| label.parse().unwrap_or(u32::MAX);
        labels.sort_by_key(|label| (self.position(label), number(label), label.clone()));
        labels
    }

    /// All ports, as they stand on the case.
    pub fn ports(&self, now_ms: u64) -> Vec<Port> {
        self.labels().into_iter().map(|label| self.port(label, now_ms)).collect()
    }

    fn port(&self, label: String, now_ms: u64) -> Port {
        let inside = self.record.drives().iter().rev().find(|(_, drive)| drive.label.port == label && !drive.is_gone);
        let used = self.record.ports().get(&label);
        let is_paused = used.is_some_and(|used| used.is_paused);
        let is_armed = used.is_some_and(|used| used.mode == PortMode::Armed) && !is_paused;
        let mut port = Port {
            label,
            state: State::Empty { is_armed },
            halves: [0, 0],
            percent: None,
            left_s: None,
            speed: None,
            written_ms: None,
            drive: None,
            says: DriveLabel::default(),
            medium: None,
            returned: None,
        };
        let Some((id, drive)) = inside else {
            if let Some((code, says)) = self.lost.get(&port.label) {
                (port.state, port.says) = (State::Retry(code.clone()), says.clone());
            }
            return port;
        };
        (port.drive, port.says) = (Some(id.clone()), drive.label.clone());
        let job = drive.job.and_then(|job| Some((job, self.record.jobs().get(&job)?)));
        port.state = match (&drive.refused, job) {
            (Some(refused), _) => State::Refused(refused.code.clone()),
            (None, Some((_, JobState { end: Some(end), kind, .. }))) => ended_state(end, *kind),
            (None, Some((_, job))) => running_state(job),
            (None, None) if is_paused => State::Paused,
            (None, None) if is_armed => State::Checking,
            (None, None) => State::Waiting,
        };
        if let Some((id, job)) = job {
            (port.medium, port.returned) = (job.medium.clone(), job.returned);
            port.halves = halves(job);
            port.percent = percent(job, port.halves);
            if let Some(pace) = self.paces.get(&id) {
                (port.left_s, port.speed, port.written_ms) = (pace.left_s(now_ms), pace.speed(), pace.written_ms);
            }
        }
        port
    }

    /// The batch that is under way, and how long it will take.
    pub fn batch(&self, now_ms: u64) -> Option<(BatchId, &BatchState, Option<u64>)> {
        let armed = self.record.ports().values().find_map(|used| used.batch);
        let newest = || self.record.batches().keys().next_back().copied();
        let id = armed.filter(|id| self.record.batches().contains_key(id)).or_else(newest)?;
        let state = self.record.batches().get(&id)?;
        Some((id, state, self.batch_left_s(state, now_ms)))
    }

    fn batch_left_s(&self, batch: &BatchState, now_ms: u64) -> Option<u64> {
        let missing = u64::from(batch.wanted?.saturating_sub(batch.good));
        let lefts: Vec<u64> = self.ports(now_ms).iter().filter_map(|port| port.left_s).collect();
        let slowest = lefts.iter().max().copied();
        let at_work = lefts.len() as u64;
        let rounds = missing.saturating_sub(at_work).div_ceil(at_work.max(1));
        match (slowest, rounds) {
            (None, _) => None,
            (Some(slowest), 0) => Some(slowest),
            (Some(slowest), rounds) => Some(slowest + rounds * self.mean_job_s?),
        }
    }
}

fn event_batch(event: &Event) -> Option<BatchId> {
    match event {
        Event::BatchClosed { batch } => Some(*batch),
        _ => None,
    }
}

pub(crate) fn advice(code: Option<&AnyCode>) -> Option<Advice> {
    Some(code?.known()?.entry().advice)
}

fn ended_state(end: &JobEnd, kind: JobKind) -> State {
    match &end.verdict {
        verdict if verdict.is_success() => State::Ready(kind),
        // What nobody here knows is kept out of use.
        Verdict::Failed { code } => match advice(Some(code)) {
            Some(Advice::TryAgain) => State::Retry(code.clone()),
            _ => State::Failed(code.clone()),
        },
        verdict => match verdict.code() {
            Some(code) => State::Retry(code.into()),
            None => State::Refused(None),
        },
    }
}

fn running_state(job: &JobState) -> State {
    match job.step.map(|step| step.step) {
        None | Some(Step::Prepare) => State::Checking,
        Some(Step::Write) => State::Writing,
        Some(Step::PowerCycle) => State::Restarting,
        Some(Step::Verify | Step::Seal) => State::ReadingBack,
        Some(Step::Unknown) => State::Checking,
    }
}

/// How far writing and reading back are, each from 0 to 1000.
fn halves(job: &JobState) -> [u16; 2] {
    let Some(step) = job.step else { return [0, 0] };
    let part = match step.total_bytes {
        Some(total) if total > 0 => (u128::from(step.done_bytes) * 1000 / u128::from(total)) as u16,
        _ => 0,
    };
    match step.step {
        Step::Prepare | Step::Unknown => [0, 0],
        Step::Write => [part, 0],
        Step::PowerCycle => [1000, 0],
        Step::Verify => [1000, part],
        Step::Seal => [1000, 1000],
    }
}

/// A job is done when it has ended, so until then there are at most 99 of a hundred.
fn percent(job: &JobState, [first, second]: [u16; 2]) -> Option<u8> {
    let permille = match (job.step?.step, job.kind) {
        (Step::Prepare | Step::Unknown, _) => return None,
        (_, JobKind::Verify | JobKind::ReadMaster | JobKind::Import) => second,
        (_, JobKind::EraseQuick) => first,
        _ => (first + second) / 2,
    };
    Some((permille / 10).min(99) as u8)
}
