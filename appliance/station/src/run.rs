// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Carries out what [`core`](crate::core) decides: a thread for each drive that is looked at, the engine's jobs, the
//! ledger.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use platen_device::{Candidate, Identity, OpenError, process};
use platen_engine::{
    Engine, EventReceiver, EventSender, GivenUp, Job, JobHandle, Limits, Sources, SystemClock, event_queue,
    reserve_memory,
};
use platen_events::{Code, Event, JobId};

use crate::attend::{LOOK, Signs, answer_of};
use crate::core::{Effect, Found, Input, Outcome, Slot, Station};
use crate::exit::Exit;
use crate::failure::{Failure, open_failure};
use crate::order::{Order, Prepared};
use crate::paths::{Paths, open_ledger};

/// What a thread comes back with.
enum Answer {
    Found(Result<Candidate, OpenError>),
    Prepared(Result<Prepared, Failure>),
    Recorded(Result<(), String>),
    /// It panicked.
    Broken,
}

/// Who hears what happens.
pub trait Front {
    /// The first job is about to be begun; nothing was touched yet.
    fn ready(&mut self);
    /// The next thing that happened.
    fn tell(&mut self, event: Event);
}

/// A batch that is over.
#[derive(Debug)]
pub struct Finished {
    /// How it came out.
    pub outcome: Outcome,
    /// All that was told, as a state.
    pub station: Station,
    /// Drives that hang, and are held until they answer or are pulled.
    pub still_held: usize,
}

/// Carry out an order. `front` hears everything that happens, in order; setting `stop` ends it early. An error means that
/// the machine lacks what so many drives need, and nothing was looked at.
pub fn run(order: Order, paths: &Paths, stop: &Arc<AtomicBool>, front: &mut dyn Front) -> Result<Finished, Failure> {
    let (count, machine) = (order.drives.len(), |error: std::io::Error| Failure::new(Exit::Machine, error));
    process::reserve_handles(count).map_err(machine)?;
    let missing = |error| std::io::Error::other(format!("there is not enough memory for {count} drive(s): {error}"));
    reserve_memory(count).map_err(missing).map_err(machine)?;
    let mut runner = Runner::new(order, paths, stop);
    let mut is_ready = false;
    let mut inputs = VecDeque::from([Input::Ask(runner.order.request())]);
    let outcome = loop {
        let input = match inputs.pop_front() {
            Some(input) => input,
            None => {
                runner.listen(&mut inputs);
                continue;
            }
        };
        let mut outcome = None;
        for effect in runner.station.step(input) {
            match effect {
                Effect::Tell(event) => front.tell(event),
                Effect::Finish(finish) => outcome = Some(finish),
                effect => {
                    if matches!(effect, Effect::Start(_)) && !std::mem::replace(&mut is_ready, true) {
                        front.ready();
                    }
                    runner.carry_out(effect, &mut inputs);
                }
            }
        }
        if let Some(outcome) = outcome {
            break outcome;
        }
    };
    Ok(runner.finish(outcome, front))
}

/// Everything that the core has only numbers for.
struct Runner<'a> {
    order: Order,
    paths: &'a Paths,
    stop: &'a Arc<AtomicBool>,
    is_stop_told: bool,
    station: Station,
    /// Drives on whose answer a thread waits.
    awaited: HashMap<Slot, Signs>,
    say: Sender<(Slot, Answer)>,
    said: Receiver<(Slot, Answer)>,
    found: HashMap<Slot, Candidate>,
    /// Of all drives that were found, each once.
    identities: Vec<Identity>,
    prepared: HashMap<Slot, Prepared>,
    /// From the first job on.
    engine: Option<Arc<Engine>>,
    events: EventSender,
    told: EventReceiver,
    jobs: Vec<JobHandle>,
}

impl<'a> Runner<'a> {
    fn new(order: Order, paths: &'a Paths, stop: &'a Arc<AtomicBool>) -> Self {
        let ((say, said), (events, told)) = (channel(), event_queue());
        Self {
            order,
            paths,
            stop,
            is_stop_told: false,
            station: Station::default(),
            awaited: HashMap::new(),
            say,
            said,
            found: HashMap::new(),
            identities: Vec::new(),
            prepared: HashMap::new(),
            engine: None,
            events,
            told,
            jobs: Vec::new(),
        }
    }

    fn carry_out(&mut self, effect: Effect, inputs: &mut VecDeque<Input>) {
        match effect {
            Effect::Look(slot) => {
                let path = self.order.drives[slot.0].clone();
                self.ask(slot, move |_| Answer::Found(Candidate::find(&path)));
            }
            Effect::Prepare(slot) => {
                let (candidate, prepare) = (self.found.remove(&slot), Arc::clone(&self.order.prepare));
                let candidate = candidate.expect("only what was found is prepared");
                self.ask(slot, move |signs| Answer::Prepared(prepare(candidate, signs)));
            }
            Effect::Drop(slot) => {
                self.awaited.remove(&slot).into_iter().for_each(|signs| signs.give_up());
                self.found.remove(&slot);
                self.prepared.remove(&slot);
            }
            Effect::Start(jobs) => {
                let numbers = jobs.iter().map(|(_, job)| *job).collect();
                if let Err(failure) = self.start(jobs) {
                    inputs.push_back(Input::NotStarted(numbers, failure));
                }
            }
            Effect::Record { slot, drive, job, code, detail } => match self.engine() {
                Ok(engine) => {
                    let kind = self.order.kind;
                    self.ask(slot, move |_| Answer::Recorded(engine.record_unopened(kind, &drive, code, &detail)));
                }
                Err(failure) => inputs.push_back(Input::NotStarted(vec![job], failure)),
            },
            Effect::Cancel(job) => self.jobs.iter().filter(|handle| handle.id() == job).for_each(JobHandle::cancel),
            Effect::Tell(_) | Effect::Finish(_) => {}
        }
    }

    /// Do this on a thread of its own, which a drive that hangs may hold for as long as it likes.
    fn ask(&mut self, slot: Slot, act: impl FnOnce(&Signs) -> Answer + Send + 'static) {
        // The core says when it is given up.
        let signs = Signs::new(Arc::default(), Duration::MAX);
        self.awaited.insert(slot, signs.clone());
        let (say, events) = (self.say.clone(), self.events.clone());
        let thread = std::thread::Builder::new().spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| act(&signs))).unwrap_or(Answer::Broken);
            // Nobody listens any more once the batch is over.
            let _ = say.send((slot, answer));
            events.wake();
        });
        if thread.is_err() {
            let _ = self.say.send((slot, Answer::Broken));
        }
    }

    fn start(&mut self, starting: Vec<(Slot, JobId)>) -> Result<(), Failure> {
        let engine = self.engine()?;
        let mut jobs = Vec::with_capacity(starting.len());
        for (slot, id) in starting {
            let (drive, task) = self.prepared.remove(&slot).expect("only what was prepared is started");
            jobs.push(Job { id, task, drive: Box::new(drive), events: self.events.clone() });
        }
        let handles = engine.start_all(jobs).map_err(|error| {
            let text = format!("nothing was written: threads or memory for the drives are missing: {error}");
            Failure::new(Exit::Machine, text)
        })?;
        self.jobs.extend(handles);
        Ok(())
    }

    /// The ledger is opened when there is something to be recorded.
    fn engine(&mut self) -> Result<Arc<Engine>, Failure> {
        if let Some(engine) = &self.engine {
            return Ok(Arc::clone(engine));
        }
        let limits: Limits = self.order.limits;
        let ledger = self.paths.ledger.clone();
        let ledger =
            answer_of(self.stop, limits.stall, Code::LedgerStalled, move || open_ledger(&ledger).map(Arc::new))?;
        let engine = Arc::new(Engine {
            name: self.paths.station.clone(),
            clock: Box::new(SystemClock::new()),
            journal: ledger,
            sources: Sources::new(),
            limits,
            given_up: GivenUp::default(),
        });
        self.engine = Some(Arc::clone(&engine));
        Ok(engine)
    }

    /// Wait until something happens.
    fn listen(&mut self, inputs: &mut VecDeque<Input>) {
        if self.stop.load(Ordering::Relaxed) && !self.is_stop_told {
            self.is_stop_told = true;
            inputs.push_back(Input::Stop);
        }
        // Asked before the queue is emptied: what a job tells is in it when the job has ended.
        let over: Vec<JobId> = self.jobs.extract_if(.., |job| job.try_wait().is_some()).map(|job| job.id()).collect();
        inputs.extend(std::iter::from_fn(|| self.told.recv_timeout(Duration::ZERO)).map(Input::Told));
        inputs.extend(over.into_iter().map(Input::Over));
        while let Ok((slot, answer)) = self.said.try_recv() {
            // What is no longer waited for is let go.
            if self.awaited.remove(&slot).is_some() {
                inputs.push_back(self.input(slot, answer));
            }
        }
        if inputs.is_empty() {
            let silent = |(slot, signs): (&Slot, &Signs)| Input::Silent(*slot, signs.silent_for());
            let event = self.told.recv_timeout(LOOK);
            inputs.extend(event.map(Input::Told));
            inputs.extend(self.awaited.iter().map(silent));
        }
    }

    fn input(&mut self, slot: Slot, answer: Answer) -> Input {
        match answer {
            Answer::Found(Ok(candidate)) => {
                let facts = candidate.facts();
                let (drive, label, identity) = (facts.id(), facts.label(), candidate.identity());
                let known = self.identities.iter().position(|other| *other == identity);
                let identity = known.unwrap_or_else(|| {
                    self.identities.push(identity);
                    self.identities.len() - 1
                });
                let found = Found { drive, label, identity };
                self.found.insert(slot, candidate);
                Input::Looked(slot, Ok(found))
            }
            Answer::Found(Err(error)) => Input::Looked(slot, Err(open_failure(error))),
            Answer::Prepared(Ok(prepared)) => {
                self.prepared.insert(slot, prepared);
                Input::Prepared(slot, Ok(()))
            }
            Answer::Prepared(Err(failure)) => Input::Prepared(slot, Err(failure)),
            Answer::Recorded(recorded) => Input::Recorded(slot, recorded),
            Answer::Broken => {
                let text = "the thread that looked at the drive could not be started, or panicked";
                Input::Broken(slot, Failure::new(Exit::Machine, text))
            }
        }
    }

    fn finish(self, outcome: Outcome, front: &mut dyn Front) -> Finished {
        self.awaited.values().for_each(Signs::give_up);
        if let Outcome::Done { succeeded, failed, cancelled, .. } = outcome {
            front.tell(Event::BatchEnded {
                succeeded,
                failed,
                cancelled,
                ledger: self.paths.ledger.display().to_string(),
                content_read_bytes: self.engine.as_ref().map_or(0, |engine| engine.sources.read_bytes()),
            });
        }
        let still_held = self.engine.as_ref().map_or(0, |engine| engine.given_up.count());
        Finished { outcome, station: self.station, still_held }
    }
}
