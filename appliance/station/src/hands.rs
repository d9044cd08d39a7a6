// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Carries out what orders need: a thread for each drive that is looked at, the engine's jobs, the ledger.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use platen_device::{Candidate, Identity, OpenError};
use platen_engine::{
    Engine, EventReceiver, EventSender, GivenUp, Job, JobHandle, Journal, Limits, Sources, SystemClock, event_queue,
};
use platen_events::{Code, JobId};

use crate::attend::{Signs, answer_of};
use crate::core::{Found, OrderEffect, OrderId, OrderInput, Slot};
use crate::exit::Exit;
use crate::failure::{Failure, open_failure};
use crate::order::{Order, Prepared};
use crate::paths::{Paths, open_ledger};

/// What a thread comes back with.
enum Answer {
    Found(Result<Box<Candidate>, OpenError>),
    Prepared(Result<Prepared, Failure>),
    Recorded(Result<(), String>),
    /// It panicked.
    Broken,
}

/// Everything that orders have only numbers for.
pub(crate) struct Hands {
    paths: Paths,
    journal: Option<Arc<dyn Journal>>,
    limits: Limits,
    stop: Arc<AtomicBool>,
    orders: HashMap<OrderId, Result<Arc<Order>, Failure>>,
    order_of: HashMap<Slot, OrderId>,
    /// Drives on whose answer a thread waits.
    awaited: HashMap<Slot, Signs>,
    say: Sender<(Slot, Answer)>,
    said: Receiver<(Slot, Answer)>,
    found: HashMap<Slot, Candidate>,
    /// Of all drives that were found for the orders there are, and a number for each.
    identities: Vec<(Slot, Identity, u64)>,
    last_identity: u64,
    prepared: HashMap<Slot, Prepared>,
    /// From the first job on.
    engine: Option<Arc<Engine>>,
    events: EventSender,
    told: EventReceiver,
    jobs: Vec<JobHandle>,
}

impl Hands {
    /// Rows go into this journal, or else into the ledger, which is opened when it is needed. Setting `stop` ends the
    /// waiting for its disk.
    pub(crate) fn with_journal(
        paths: &Paths,
        limits: Limits,
        stop: &Arc<AtomicBool>,
        journal: Option<Arc<dyn Journal>>,
    ) -> Self {
        let ((say, said), (events, told)) = (channel(), event_queue());
        Self {
            paths: paths.clone(),
            journal,
            limits,
            stop: Arc::clone(stop),
            orders: HashMap::new(),
            order_of: HashMap::new(),
            awaited: HashMap::new(),
            say,
            said,
            found: HashMap::new(),
            identities: Vec::new(),
            last_identity: 0,
            prepared: HashMap::new(),
            engine: None,
            events,
            told,
            jobs: Vec::new(),
        }
    }

    /// The order that is asked for under this number, or why there is none.
    pub(crate) fn take(&mut self, id: OrderId, order: Result<Order, Failure>) {
        self.orders.insert(id, order.map(Arc::new));
    }

    /// The order is over.
    fn forget(&mut self, id: OrderId) {
        self.orders.remove(&id);
        let slots: Vec<Slot> = self.order_of.extract_if(|_, order| *order == id).map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| self.let_go(slot));
    }

    /// What wakes [`Self::listen`].
    pub(crate) fn waker(&self) -> EventSender {
        self.events.clone()
    }

    /// How much was read from the cache for all drives.
    pub(crate) fn content_read_bytes(&self) -> u64 {
        self.engine.as_ref().map_or(0, |engine| engine.sources.read_bytes())
    }

    /// Drives that hang, and are held until they answer or are pulled.
    pub(crate) fn still_held(&self) -> usize {
        self.engine.as_ref().map_or(0, |engine| engine.given_up.count())
    }

    /// Jobs that have not ended.
    pub(crate) fn running(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn carry_out(&mut self, effect: OrderEffect, inputs: &mut VecDeque<OrderInput>) {
        match effect {
            OrderEffect::Look(id, number, slot) => {
                self.order_of.insert(slot, id);
                match self.orders.get(&id).cloned() {
                    Some(Ok(order)) => {
                        self.ask(slot, move |_| Answer::Found((order.find)(&order.drives[number]).map(Box::new)));
                    }
                    Some(Err(failure)) => inputs.push_back(OrderInput::Looked(slot, Err(failure))),
                    None => {}
                }
            }
            OrderEffect::Prepare(slot) => {
                let order = self.order(slot);
                let (Some(candidate), Some(order)) = (self.found.remove(&slot), order) else { return };
                self.ask(slot, move |signs| Answer::Prepared((order.prepare)(candidate, signs)));
            }
            OrderEffect::Drop(slot) => self.let_go(slot),
            OrderEffect::Start(jobs) => {
                let numbers = jobs.iter().map(|(_, job)| *job).collect();
                if let Err(failure) = self.start(jobs) {
                    inputs.push_back(OrderInput::NotStarted(numbers, failure));
                }
            }
            OrderEffect::Record { slot, kind, drive, job, code, detail } => match self.engine() {
                Ok(engine) => {
                    self.ask(slot, move |_| Answer::Recorded(engine.record_unopened(kind, &drive, code, &detail)));
                }
                Err(failure) => inputs.push_back(OrderInput::NotStarted(vec![job], failure)),
            },
            OrderEffect::Cancel(job) => {
                self.jobs.iter().filter(|handle| handle.id() == job).for_each(JobHandle::cancel);
            }
            OrderEffect::Finish(id, _) => self.forget(id),
            OrderEffect::Tell(_) => {}
        }
    }

    fn order(&self, slot: Slot) -> Option<Arc<Order>> {
        let order = self.order_of.get(&slot).and_then(|id| self.orders.get(id))?;
        order.as_ref().ok().cloned()
    }

    fn let_go(&mut self, slot: Slot) {
        self.awaited.remove(&slot).into_iter().for_each(|signs| signs.give_up());
        self.found.remove(&slot);
        self.prepared.remove(&slot);
        self.identities.retain(|(its, ..)| *its != slot);
    }

    /// Do this on a thread of its own, which a drive that hangs may hold for as long as it likes.
    fn ask(&mut self, slot: Slot, act: impl FnOnce(&Signs) -> Answer + Send + 'static) {
        // The core says when it is given up.
        let signs = Signs::new(Arc::default(), Duration::MAX);
        self.awaited.insert(slot, signs.clone());
        let (say, events) = (self.say.clone(), self.events.clone());
        let thread = std::thread::Builder::new().spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| act(&signs))).unwrap_or(Answer::Broken);
            // Nobody listens any more once the program ends.
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
            jobs.push(Job { id, task, drive, events: self.events.clone() });
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
        let (limits, ledger) = (self.limits, self.paths.ledger.clone());
        let journal = match &self.journal {
            Some(journal) => Arc::clone(journal),
            None => {
                let open = move || open_ledger(&ledger).map(Arc::new);
                answer_of(&self.stop, limits.stall, Code::LedgerStalled, open)? as Arc<dyn Journal>
            }
        };
        let engine = Arc::new(Engine {
            name: self.paths.station.clone(),
            clock: Box::new(SystemClock::new()),
            journal,
            sources: Sources::new(),
            limits,
            given_up: GivenUp::default(),
        });
        self.engine = Some(Arc::clone(&engine));
        Ok(engine)
    }

    /// What has happened; if nothing has, wait for it, for so long or until it is woken.
    pub(crate) fn listen(&mut self, patience: Duration) -> Vec<OrderInput> {
        let mut inputs = Vec::new();
        // Asked before the queue is emptied: what a job tells is in it when the job has ended.
        let over: Vec<JobId> = self.jobs.extract_if(.., |job| job.try_wait().is_some()).map(|job| job.id()).collect();
        inputs.extend(std::iter::from_fn(|| self.told.recv_timeout(Duration::ZERO)).map(OrderInput::Told));
        inputs.extend(over.into_iter().map(OrderInput::Over));
        while let Ok((slot, answer)) = self.said.try_recv() {
            // What is no longer waited for is let go.
            if self.awaited.remove(&slot).is_some() {
                inputs.push(self.input(slot, answer));
            }
        }
        if inputs.is_empty() {
            let silent = |(slot, signs): (&Slot, &Signs)| OrderInput::Silent(*slot, signs.silent_for());
            inputs.extend(self.told.recv_timeout(patience).map(OrderInput::Told));
            inputs.extend(self.awaited.iter().map(silent));
        }
        inputs
    }

    fn input(&mut self, slot: Slot, answer: Answer) -> OrderInput {
        match answer {
            Answer::Found(Ok(candidate)) => {
                let facts = candidate.facts();
                let (mut drive, mut label, identity) = (facts.id(), facts.label(), candidate.identity());
                // It was found to be the one that was seen in its port.
                let order = self.order(slot);
                if let Some(seat) = order.as_ref().and_then(|order| order.seat.as_ref()) {
                    drive.clone_from(&seat.drive);
                    seat.name(&mut label);
                }
                let identity = self.number_of(slot, identity);
                self.found.insert(slot, *candidate);
                OrderInput::Looked(slot, Ok(Found { drive, label, identity }))
            }
            Answer::Found(Err(error)) => OrderInput::Looked(slot, Err(open_failure(error))),
            Answer::Prepared(Ok(prepared)) => {
                self.prepared.insert(slot, prepared);
                OrderInput::Prepared(slot, Ok(()))
            }
            Answer::Prepared(Err(failure)) => OrderInput::Prepared(slot, Err(failure)),
            Answer::Recorded(recorded) => OrderInput::Recorded(slot, recorded),
            Answer::Broken => {
                let text = "the thread that looked at the drive could not be started, or panicked";
                OrderInput::Broken(slot, Failure::new(Exit::Machine, text))
            }
        }
    }

    /// Equal for equal drives.
    fn number_of(&mut self, slot: Slot, identity: Identity) -> u64 {
        let known = self.identities.iter().find(|(_, other, _)| *other == identity).map(|(.., number)| *number);
        let number = known.unwrap_or_else(|| {
            self.last_identity += 1;
            self.last_identity
        });
        self.identities.push((slot, identity, number));
        number
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.awaited.values().for_each(Signs::give_up);
    }
}
