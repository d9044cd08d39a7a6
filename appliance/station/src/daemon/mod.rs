// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station as a program that runs for months: its ports, its socket, its memory, around [`core::Station`](Station).
//!
//! One thread has the core and everything it decides by. All others wait for something (ports, clients, the ledger's
//! disk, a PIN's hash) and say what became of it.

mod clients;
mod conditions;
mod diagnostics;
mod errands;
mod history;
mod journal;
mod memory;
mod past;
mod pin_desk;
mod protocol;
mod scrubber;
mod system;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use platen_device::process;
use platen_engine::{EventSender, Journal, NewEntry, Subject, Unrecorded};
use platen_events::{Action, Code, DriveId, Event, JobKind, SystemRequest};
use platen_ledger::{Ledger, LedgerEntry};
use serde_json::Value;

use self::clients::{Call, Clients};
use self::history::History;
use self::journal::JournalFile;
pub use self::journal::{Replayed, replay};
use self::past::Pasts;
use self::protocol::Wish;
use self::system::Keeper;
use crate::attend::{LOOK, answer_of};
use crate::config::{DriveClass, PortMap, Role, StartMode, StationConfig};
use crate::core::{ClientId, Effect, Input, OrderInput, Past, Settings, Station};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hands::Hands;
use crate::notify::Notifier;
use crate::order::Order;
use crate::paths::{Paths, open_ledger};
use crate::pins::Pins;
use crate::ports::{Ports, Script, Seen, changes};
use crate::seat::Seat;

/// How long jobs have to end when the program is to end.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How often it is saved how long PINs are not tried.
const KEEP: Duration = Duration::from_secs(60);

/// What threads say to the one that decides.
enum Happening {
    /// Drives went, then drives came.
    Changed(Vec<Seen>, Vec<Seen>),
    Call(Call),
    Recalled(DriveId, Past),
    Tried(ClientId, u64, Role, Result<(), Failure>),
    /// What came of an errand.
    Ran(ClientId, u64, Result<Value, Failure>),
    /// An errand says how it gets on.
    Told(Event),
    /// A row was recorded.
    Row(Box<LedgerEntry>),
    /// Something for the core.
    Input(Input),
}

/// The way to the thread that decides.
#[derive(Clone)]
struct Say {
    happenings: Sender<Happening>,
    waker: EventSender,
    /// What is about no drive and under way: one of each kind at a time.
    under_way: Arc<Mutex<Vec<Action>>>,
}

impl Say {
    fn under_way(&self) -> MutexGuard<'_, Vec<Action>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, happening: Happening) {
        // Nobody listens any more once the program ends.
        let _ = self.happenings.send(happening);
        self.waker.wake();
    }
}

/// Records rows, and says which.
struct Recorder {
    ledger: Arc<Ledger>,
    rows: Mutex<Option<Say>>,
}

impl Journal for Recorder {
    fn append(&self, entry: &NewEntry) -> Result<(), Unrecorded> {
        let row = Ledger::append(&self.ledger, entry)
            .map_err(|error| Unrecorded { code: error.code(), detail: platen_engine::chain(&error) })?;
        if let Some(say) = &*self.rows.lock().unwrap_or_else(PoisonError::into_inner) {
            say.say(Happening::Row(Box::new(row)));
        }
        Ok(())
    }

    fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Unrecorded> {
        self.ledger.sign(bytes, comment)
    }
}

/// Why a station has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody wants it to end.
    Stopped,
    /// Its map of ports is another one now: the program is to start again.
    ToBeginAnew,
}

/// Run a station until `stop` is set.
pub fn serve(
    config: &StationConfig,
    map: PortMap,
    ports: Box<dyn Ports>,
    stop: &Arc<AtomicBool>,
) -> Result<Ended, Failure> {
    let machine = |error: std::io::Error| Failure::new(Exit::Machine, error);
    let paths = config.job_paths();
    let limits = config.policy.limits();
    process::reserve_handles(map.ports().len().max(32)).map_err(machine)?;
    let notifier = Notifier::from_environment().map_err(machine)?;
    let _lock = memory::lock(&config.paths.state)?;
    let memory = memory::load(&config.paths.state)?;
    let pins = Pins::open(&config.paths.state, since_boot()).map_err(|error| Failure::new(Exit::Machine, error))?;
    let ledger_path = paths.ledger.clone();
    let ledger = answer_of(stop, limits.stall, Code::LedgerStalled, move || open_ledger(&ledger_path).map(Arc::new))?;
    let (pasts, counts) = Pasts::read(&ledger, &memory).map_err(Failure::from)?;
    let recorder = Arc::new(Recorder { ledger, rows: Mutex::default() });
    let hands = Hands::with_journal(&paths, limits, stop, Some(Arc::clone(&recorder) as Arc<dyn Journal>));
    let (happenings, happened) = channel();
    let say = Say { happenings, waker: hands.waker(), under_way: Arc::default() };
    *recorder.rows.lock().unwrap_or_else(PoisonError::into_inner) = Some(say.clone());
    for (group, label) in config.groups_without_port(&map) {
        tracing::warn!("group {group}: the board has no port {label}");
    }
    let labels = map.ports().iter().map(|port| port.label.clone());
    let armed = labels.filter(|label| config.mode_of(label) == StartMode::Armed).collect();
    let settings = Settings { map, armed, policy: config.policy.clone(), roles: config.roles.clone() };
    let keeper = match &config.system {
        Some(system) => Keeper::listen(system.keeper.clone(), say.clone()).map_err(machine)?,
        None => Keeper::default(),
    };
    let mut daemon = Daemon {
        station: Station::default(),
        hands,
        clients: Clients::default(),
        history: History::new(),
        journal: JournalFile::open(&config.paths.state)?,
        saver: memory::Saver::start(&config.paths.state).map_err(machine)?,
        pasts,
        pins: Arc::new(Mutex::new(pins)),
        recorder,
        keeper,
        scripts: HashMap::new(),
        inputs: VecDeque::new(),
        paths,
        config: config.clone(),
        say: say.clone(),
        stop: Arc::clone(stop),
        begins_anew: false,
        is_busy: Arc::default(),
    };
    let rows = daemon.pasts.rows;
    daemon.take(Input::LedgerAt(rows));
    daemon.take(Input::Began(Box::new(settings), Box::new(memory), counts));
    // Whoever connects first may ask for a medium at once.
    daemon.take(Input::Media(conditions::media(&daemon.paths.cache)));
    conditions::watch(config, &daemon.paths, &say).map_err(machine)?;
    scrubber::start(&config.paths.state, &daemon.paths, Arc::clone(&daemon.is_busy), &say).map_err(machine)?;
    let calls = say.clone();
    clients::listen(&config.paths.socket, move |call| calls.say(Happening::Call(call))).map_err(machine)?;
    watch_ports(ports, say, Arc::clone(stop)).map_err(machine)?;
    notifier.ready("the station is ready").map_err(machine)?;
    daemon.run(&happened, &notifier)?;
    // The file would be taken for a station that hangs.
    let _ = std::fs::remove_file(&config.paths.socket);
    Ok(if daemon.begins_anew { Ended::ToBeginAnew } else { Ended::Stopped })
}

fn since_boot() -> Duration {
    platen_device::since_boot()
}

/// Say what comes and goes. Ports that can't be looked at are looked at again: nothing else can be done.
fn watch_ports(mut ports: Box<dyn Ports>, say: Say, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let watch = move || {
        let mut before: Vec<Seen> = Vec::new();
        let mut is_broken = false;
        while !stop.load(Ordering::Relaxed) {
            let now = match ports.scan() {
                Ok(now) => now,
                Err(error) => {
                    let text = Some(format!("the ports can't be looked at: {error}"));
                    is_broken = true;
                    let condition = "ports".to_owned();
                    say.say(Happening::Input(Input::Condition { condition, text, halts: true }));
                    std::thread::sleep(Duration::from_secs(1));
                    continue;
                }
            };
            if std::mem::take(&mut is_broken) {
                let condition = "ports".to_owned();
                say.say(Happening::Input(Input::Condition { condition, text: None, halts: true }));
            }
            let (went, came) = changes(&before, &now);
            if !went.is_empty() || !came.is_empty() {
                say.say(Happening::Changed(went, came));
            }
            before = now;
            if let Err(error) = ports.wait(Duration::from_secs(1)) {
                tracing::warn!(%error, "waiting for drives");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    };
    std::thread::Builder::new().name("ports".to_owned()).spawn(watch).map(drop)
}

/// The thread that decides.
struct Daemon {
    station: Station,
    hands: Hands,
    clients: Clients,
    history: History,
    journal: JournalFile,
    saver: memory::Saver,
    pasts: Pasts,
    pins: Arc<Mutex<Pins>>,
    recorder: Arc<dyn Journal>,
    keeper: Keeper,
    scripts: HashMap<DriveId, Option<Arc<Script>>>,
    inputs: VecDeque<Input>,
    paths: Paths,
    config: StationConfig,
    say: Say,
    stop: Arc<AtomicBool>,
    /// It ends only to be started again.
    begins_anew: bool,
    /// Drives are worked on.
    is_busy: Arc<AtomicBool>,
}

impl Daemon {
    fn run(&mut self, happened: &Receiver<Happening>, notifier: &Notifier) -> Result<(), Failure> {
        let (mut alive, mut kept) = (Instant::now(), Instant::now());
        let mut ends: Option<Instant> = None;
        loop {
            let inputs: Vec<OrderInput> = self.hands.listen(LOOK);
            for input in inputs {
                // What is not silent for long decides nothing.
                if !matches!(&input, OrderInput::Silent(_, silent) if *silent < self.config.policy.limits().stall) {
                    self.take(Input::Order(input));
                }
            }
            while let Ok(happening) = happened.try_recv() {
                self.happened(happening);
            }
            self.is_busy.store(self.hands.running() > 0, Ordering::Relaxed);
            // What a kill at this moment would take from a report is the last moment.
            self.journal.save();
            if kept.elapsed() >= KEEP {
                kept = Instant::now();
                let keep = self.pins.try_lock().map(|mut pins| pins.keep(since_boot()));
                if let Ok(Err(error)) = keep {
                    tracing::warn!(%error, "how long PINs are not tried can't be saved");
                }
            }
            if notifier.interval().is_some_and(|interval| alive.elapsed() >= interval) {
                alive = Instant::now();
                if let Err(error) = notifier.alive() {
                    tracing::warn!(%error, "the watchdog could not be told");
                }
            }
            match ends {
                None if self.stop.load(Ordering::Relaxed) => {
                    let _ = notifier.stopping("jobs are being stopped");
                    self.take(Input::Stop);
                    ends = Some(Instant::now());
                }
                Some(since) if self.hands.running() == 0 || since.elapsed() > STOP_LIMIT => break,
                _ => {}
            }
        }
        self.journal.save();
        self.saver.finish()
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Changed(went, came) => {
                for seen in went {
                    self.scripts.remove(&seen.inserted.drive);
                    self.take(Input::Went(seen.inserted.drive));
                }
                for seen in came {
                    self.scripts.insert(seen.inserted.drive.clone(), seen.script);
                    self.take(Input::Came(seen.inserted));
                }
            }
            Happening::Call(Call::Connected(client, caller)) => {
                let is_trusted = caller.is_trusted;
                self.clients.add(client, caller);
                self.take(Input::Connected(client, is_trusted));
            }
            Happening::Call(Call::Left(client)) => {
                self.clients.remove(client);
                self.take(Input::Left(client));
            }
            Happening::Call(Call::Line(client, line)) => {
                self.clients.taken(client);
                self.called(client, line);
            }
            Happening::Recalled(drive, past) => self.take(Input::Recalled(drive, past)),
            Happening::Tried(client, request, role, tried) => self.take(Input::Login(client, request, role, tried)),
            Happening::Ran(client, request, ran) => {
                let line = match ran {
                    Ok(value) => protocol::done(request, value),
                    Err(failure) => protocol::failed(request, &failure),
                };
                self.clients.tell(client, &line);
            }
            Happening::Told(event) => self.take(Input::Order(OrderInput::Told(event))),
            Happening::Row(row) => {
                self.pasts.take(&row);
                let adds_media = [JobKind::ReadMaster, JobKind::Import].map(|kind| Subject::Job(kind).word());
                if adds_media.contains(&&*row.entry.job) {
                    // Whoever hears of its end asks for the medium at once.
                    self.take(Input::Media(conditions::media(&self.paths.cache)));
                }
                if row.entry.job == Subject::Job(JobKind::Import).word()
                    && self.paths.updates.is_some()
                    && let Err(failure) = self.keeper.ask(&SystemRequest::Look)
                {
                    tracing::warn!("an update that was brought is not looked at: {}", failure.reason());
                }
                self.take(Input::LedgerAt(row.number));
            }
            Happening::Input(input) => self.take(input),
        }
    }

    /// A client's line.
    fn called(&mut self, client: ClientId, line: Result<Vec<u8>, &'static str>) {
        let read = line.map_err(|why| (None, why.to_owned())).and_then(|line| protocol::read(&line));
        match read {
            Ok((request, Wish::Ask(ask))) => self.take(Input::Asked(client, request, ask)),
            Ok((request, Wish::Subscribe { from })) => {
                self.clients.tell(client, &protocol::done(request, Value::Null));
                for line in self.history.beginning(from.as_ref(), self.station.record()) {
                    self.clients.tell(client, &line);
                }
                self.clients.subscribe(client);
            }
            Ok((request, Wish::Login { role, pin })) => self.login(client, request, role, pin),
            Ok((request, Wish::SetPin { role, pin })) => self.set_pin(client, request, role, pin),
            Ok((request, Wish::Challenge)) => self.challenge(client, request),
            Ok((request, Wish::ResetPin { text, signature })) => self.reset_pin(client, request, text, signature),
            Err((request, text)) => self.clients.tell(client, &protocol::unread(request, &text)),
        }
    }

    /// Hand an input to the core, and do what follows.
    fn take(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let snapshot_due = self.journal.is_full();
            if snapshot_due {
                self.journal.begin_anew(&self.station);
            }
            let told = self.journal.writes(&input).then(|| input.clone());
            let effects = self.station.step(input);
            if let Some(input) = told {
                self.journal.append(&input, &effects);
            }
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Recall(inserted) => {
                let past = self.pasts.of(&inserted);
                self.recall(inserted, past);
            }
            Effect::Commission(id, inserted, work) => {
                let seat = Seat {
                    port: inserted.label.port.clone(),
                    socket: inserted.socket.clone(),
                    drive: inserted.drive.clone(),
                    // The guard asks for a removable USB drive unless the port is for something else.
                    takes_disks: inserted.class != DriveClass::UsbRemovable,
                    power_cycle: self.config.policy.power_cycle,
                    script: self.scripts.get(&inserted.drive).cloned().flatten(),
                };
                let path = inserted.label.path.into();
                let order =
                    Order::for_seat(&work, path, seat, &self.paths, self.config.policy.limits(), &self.recorder);
                self.hands.take(id, order);
            }
            Effect::Order(effect) => {
                let mut follows = VecDeque::new();
                self.hands.carry_out(effect, &mut follows);
                self.inputs.extend(follows.into_iter().map(Input::Order));
            }
            Effect::Reply(client, request, reply) => {
                self.clients.tell(client, &protocol::answered(request, reply));
            }
            Effect::Run(client, request, errand) => self.run_errand(client, request, errand),
            Effect::KeepMap(client, request, map) => {
                let saved = map.save(&self.config.paths.ports).map_err(Failure::from);
                let line = match saved {
                    Ok(()) => {
                        self.begins_anew = true;
                        self.stop.store(true, Ordering::Relaxed);
                        protocol::done(request, Value::Null)
                    }
                    Err(failure) => protocol::failed(request, &failure),
                };
                self.clients.tell(client, &line);
            }
            Effect::Tell(event) => {
                let line = self.history.take(event);
                if !self.clients.nobody_listens() {
                    self.clients.tell_all(&line);
                }
            }
            Effect::Save(memory) => self.saver.save(memory),
        }
    }

    /// What is known of a drive; that it is a good copy already is believed only if the drive says so too.
    fn recall(&mut self, inserted: crate::core::Inserted, past: Past) {
        let drive = inserted.drive.clone();
        if past.good_copy.is_none() {
            return self.inputs.push_back(Input::Recalled(drive, past));
        }
        let (paths, say, stop) = (self.paths.clone(), self.say.clone(), Arc::clone(&self.stop));
        let stall = self.config.policy.limits().stall;
        let plain = Past { good_copy: None, ..past.clone() };
        let asked = drive.clone();
        let thread = std::thread::Builder::new().name("recall".to_owned()).spawn(move || {
            let mut past = past;
            past.good_copy =
                past.good_copy.filter(|(_, medium)| past::carries(&inserted, medium, &paths, &stop, stall));
            say.say(Happening::Recalled(asked, past));
        });
        if thread.is_err() {
            self.inputs.push_back(Input::Recalled(drive, plain));
        }
    }
}
