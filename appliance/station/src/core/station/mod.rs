// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The machine on the bench: ports, what each is used for, batches, people.
//!
//! ```text
//! Came -> Recall -> Recalled -> (armed, or somebody asks) -> Commission + order -> ... -> the order's end -> counted
//! Went -> the order is stopped, and the drive forgotten when nothing holds it
//! ```

mod batches;
mod learning;
mod memory;
mod people;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use platen_events::{BatchId, Code, DataState, DriveId, DriveLabel, Event, StationState, SystemState, Work};
use serde::{Deserialize, Serialize};

use self::batches::Batch;
use self::learning::Learning;
pub use self::memory::{BatchMemory, Counts, Memory, UnderWay};
use self::people::Session;
use self::ports::{Inside, Port};
use super::dispatch::Dispatch;
use super::request::{OrderEffect, OrderId, OrderInput};
use super::settings::Settings;
use crate::config::{DriveClass, PortMap, Role};
use crate::failure::Failure;

/// Somebody who is connected; none is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u64);

/// A drive that is inserted somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inserted {
    /// Where, as the machine says it.
    pub socket: String,
    /// What kind of drive it is.
    pub class: DriveClass,
    /// Which drive, pinned from here on.
    pub drive: DriveId,
    /// What it says of itself. Its port is the machine's name for it; the station gives it the label's.
    pub label: DriveLabel,
    /// Its capacity in bytes.
    pub size_bytes: u64,
    /// It is a card in a reader, and the serial number is the reader's.
    #[serde(default)]
    pub is_in_reader: bool,
}

/// What is known of a drive from before. Drives are known again by what they say of themselves, so this can be wrong about
/// a drive whose serial number is not its own; it never leads to anything being written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The last job in the ledger ended with this: the drive is not usable.
    pub set_aside: Option<(Code, String)>,
    /// The ledger's row in which it became a good copy of this medium, and it carries that medium still.
    pub good_copy: Option<(u64, String)>,
}

/// What somebody asks of the station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Do this with the drive that was seen in a port, and with no other.
    Start {
        /// The port's label.
        port: String,
        /// The drive that was seen there.
        drive: DriveId,
        /// What is done with it.
        work: Work,
    },
    /// From now on, do this with every drive that is inserted in these ports.
    Arm {
        /// Their labels; empty: all ports.
        #[serde(default)]
        ports: Vec<String>,
        /// What is done with each drive.
        work: Work,
        /// How many good copies make a batch. Absent: it has no end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wanted: Option<u32>,
    },
    /// Begin nothing by itself any more. What is under way goes on.
    Disarm {
        /// Their labels; empty: all ports.
        #[serde(default)]
        ports: Vec<String>,
    },
    /// Stop what is under way.
    Cancel {
        /// Their labels; empty: all ports.
        #[serde(default)]
        ports: Vec<String>,
    },
    /// Begin nothing until it goes on. What is under way goes on.
    Pause {
        /// Their labels; empty: all ports.
        #[serde(default)]
        ports: Vec<String>,
    },
    /// Go on after a pause.
    Resume {
        /// Their labels; empty: all ports.
        #[serde(default)]
        ports: Vec<String>,
    },
    /// The next drive that is inserted shows which socket has this label.
    Learn {
        /// What is painted beside the socket.
        label: String,
    },
    /// End the learning of ports.
    LearnEnd {
        /// Write what was learnt into the file with the map, and begin anew with it.
        keep: bool,
    },
    /// Something that is about no drive.
    Errand(Errand),
}

/// Something that is asked for and is about no drive: who may is decided here, it is done outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "errand", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Errand {
    /// Check the media of a layout and copy them into the cache.
    Import {
        /// The layout's folder, as the station sees it.
        folder: String,
    },
    /// Which media there are.
    Media,
    /// Rows of the ledger, the newest last.
    History {
        /// Only those whose serial number contains this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// Read and check everything in the cache.
    Scrub,
    /// Write what helps others to find a fault into a new folder in this one. No secret is among it.
    Diagnostics {
        /// As the station sees it.
        folder: String,
    },
    /// End the program, when nothing is under way any more. An appliance switches itself off then.
    ShutDown,
    /// Start the appliance anew: what is under way is stopped.
    Restart,
    /// Install the update of the appliance's own system that is offered.
    InstallUpdate {
        /// Its release, as it was offered.
        version: String,
        /// It may be older than what was in use.
        #[serde(default)]
        older: bool,
    },
    /// Make the file system for the station's data anew. What was on it is lost.
    MakeDataAnew,
}

/// A request that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "kebab-case")]
pub enum Reply {
    /// It is done, or begun.
    Accepted,
    /// Ports were armed for this batch.
    Armed {
        /// Its number.
        batch: BatchId,
    },
    /// The client has this role from now on.
    Admitted {
        /// What it may do follows from it.
        role: Role,
    },
}

/// What happens to a station.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The program was started: the first input, and no other.
    Began(Box<Settings>, Box<Memory>, Vec<(BatchId, Counts)>),
    /// A drive was inserted.
    Came(Inserted),
    /// It was pulled.
    Went(DriveId),
    /// What came of [`Effect::Recall`].
    Recalled(DriveId, Past),
    /// These media are in the cache and may be written, by `<id>-r<revision>`.
    Media(BTreeSet<String>),
    /// The number of the ledger's last row.
    LedgerAt(u64),
    /// Something about the whole station lasts (a text for people), or has passed. Nothing is begun while `halts` lasts.
    Condition {
        /// One word.
        condition: String,
        /// For people. None: it has passed.
        text: Option<String>,
        /// No job is begun while it lasts.
        halts: bool,
    },
    /// The appliance's own system is as its keeper says.
    System(SystemState),
    /// Somebody connected. Who answers for the whole machine needs no PIN.
    Connected(ClientId, bool),
    /// The connection ended.
    Left(ClientId),
    /// A client wants a role, and what came of trying its PIN.
    Login(ClientId, u64, Role, Result<(), Failure>),
    /// A client asks for something, under a number of its own.
    Asked(ClientId, u64, Ask),
    /// An order goes on.
    Order(OrderInput),
    /// The program is to end: what is under way is stopped, and nothing more begun.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Effect {
    /// Ask the ledger, and the drive, what is known of it.
    Recall(Inserted),
    /// The next order is about this drive and this work.
    Commission(OrderId, Inserted, Work),
    /// Something for an order, or its end.
    Order(OrderEffect),
    /// Answer a client.
    Reply(ClientId, u64, Result<Reply, Failure>),
    /// Do this for a client, and answer it.
    Run(ClientId, u64, Errand),
    /// Write this map for a client, answer it, and begin anew.
    KeepMap(ClientId, u64, PortMap),
    /// Say what happened.
    Tell(Event),
    /// Keep this for the next start.
    Save(Memory),
}

/// All that a station knows. [`Station::step`] is the only way on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Station {
    settings: Settings,
    dispatch: Dispatch,
    /// By label.
    ports: BTreeMap<String, Port>,
    /// What was pulled while an order held it.
    leaving: BTreeMap<OrderId, Inside>,
    batches: BTreeMap<BatchId, Batch>,
    last_batch: u64,
    last_order: u64,
    ledger_row: u64,
    media: BTreeSet<String>,
    /// What keeps jobs from being begun.
    halts: BTreeSet<String>,
    sessions: BTreeMap<ClientId, Session>,
    learning: Option<Learning>,
    saved: Memory,
}

impl Station {
    /// What everybody who reads the record knows.
    pub fn record(&self) -> &StationState {
        self.dispatch.record()
    }

    /// Go on by one input.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        // It comes ten times a second from each drive, and nothing follows from it.
        if let Input::Order(OrderInput::Told(event @ Event::Progress { .. })) = input {
            self.tell(event, &mut effects);
            return effects;
        }
        match input {
            Input::Began(settings, memory, counts) => self.begin(*settings, *memory, counts, &mut effects),
            Input::Came(inserted) => self.came(inserted, &mut effects),
            Input::Went(drive) => self.went(&drive, &mut effects),
            Input::Recalled(drive, past) => self.recalled(&drive, past, &mut effects),
            Input::Media(media) => self.media = media,
            Input::LedgerAt(row) => self.ledger_row = self.ledger_row.max(row),
            Input::Condition { condition, text, halts } => self.condition(condition, text, halts, &mut effects),
            Input::System(system) => self.system(system, &mut effects),
            Input::Connected(client, is_trusted) => self.connected(client, is_trusted),
            Input::Left(client) => self.left(client, &mut effects),
            Input::Login(client, request, role, tried) => self.login(client, request, role, tried, &mut effects),
            Input::Asked(client, request, ask) => self.asked(client, request, ask, &mut effects),
            Input::Order(input) => self.order(input, &mut effects),
            Input::Stop => self.stop(&mut effects),
        }
        self.begin_what_waits(&mut effects);
        self.save(&mut effects);
        effects
    }

    /// Nothing is told that can't have happened.
    fn tell(&mut self, event: Event, effects: &mut Vec<Effect>) {
        let mut told = Vec::new();
        self.dispatch.tell(event, &mut told);
        self.follow(told, effects);
    }

    fn order(&mut self, input: OrderInput, effects: &mut Vec<Effect>) {
        let returned = match &input {
            OrderInput::Told(Event::DriveReturned { job, drive, label, .. }) => {
                let before = self.record().jobs().get(job).map(|job| job.drive.clone());
                before.map(|before| (before, drive.clone(), label.clone()))
            }
            _ => None,
        };
        let follows = self.dispatch.step(input);
        self.follow(follows, effects);
        if let Some((before, drive, label)) = returned {
            self.returned(&before, &drive, &label, effects);
        }
    }

    fn follow(&mut self, follows: Vec<OrderEffect>, effects: &mut Vec<Effect>) {
        for effect in follows {
            match effect {
                OrderEffect::Tell(event) => effects.push(Effect::Tell(event)),
                OrderEffect::Finish(order, outcome) => {
                    self.finished(order, &outcome, effects);
                    effects.push(Effect::Order(OrderEffect::Finish(order, outcome)));
                }
                effect => effects.push(Effect::Order(effect)),
            }
        }
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        let (condition, text) = ("stopping".to_owned(), Some("the station is being shut down".to_owned()));
        self.condition(condition, text, true, effects);
        let names: Vec<String> = self.ports.keys().cloned().collect();
        self.cancel(&names, effects);
        let leaving: Vec<OrderId> = self.leaving.keys().copied().collect();
        leaving.into_iter().for_each(|order| self.order(OrderInput::Stop(order), effects));
    }

    /// Without its data a station keeps no rows, so it makes nothing.
    fn system(&mut self, system: SystemState, effects: &mut Vec<Effect>) {
        let broken = (system.data == DataState::Broken).then_some(Code::DataBroken);
        let text = broken.map(|code| format!("{code}: {} {}", code.entry().what, code.entry().todo));
        if self.record().system() != Some(&system) {
            self.tell(Event::System(system), effects);
        }
        self.condition("data".to_owned(), text, true, effects);
    }

    fn condition(&mut self, condition: String, text: Option<String>, halts: bool, effects: &mut Vec<Effect>) {
        if halts && text.is_some() {
            self.halts.insert(condition.clone());
        } else {
            self.halts.remove(&condition);
        }
        if self.record().conditions().get(&condition) != text.as_ref() {
            self.tell(Event::Condition { condition, text }, effects);
        }
    }
}
