// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which socket has which label, learnt by inserting a drive in one port after the other. Nothing is begun meanwhile.

use platen_events::Event;
use serde::{Deserialize, Serialize};

use super::{ClientId, Effect, Inserted, Station};
use crate::config::{Accepts, Port, PortMap};
use crate::exit::Exit;
use crate::failure::Failure;

/// What keeps jobs from being begun while ports are learnt.
const CONDITION: &str = "learning";

/// As far as it has come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Learning {
    /// Who asked last. If this one leaves, what was learnt is forgotten: the station must not wait for nobody.
    by: ClientId,
    ports: Vec<Port>,
    /// The label whose drive is awaited.
    next: Option<String>,
}

impl Station {
    /// The next drive that is inserted shows which socket has this label.
    pub(super) fn learn(&mut self, by: ClientId, label: String, effects: &mut Vec<Effect>) -> Result<(), Failure> {
        if self.learning.is_none() && self.is_busy() {
            return Err(Failure::new(Exit::Request, "drives are being worked on; ports are learnt when nothing is"));
        }
        let learning = self.learning.get_or_insert(Learning { by, ports: Vec::new(), next: None });
        // As it would be refused with any socket.
        let port = Port { label: label.clone(), socket: "socket".into(), ..Port::default() };
        let map = PortMap::new(learning.ports.iter().cloned().chain([port]).collect());
        if let Err(problem) = map {
            // Nothing has begun by a request that is wrong.
            self.learning.take_if(|learning| learning.ports.is_empty() && learning.next.is_none());
            return Err(Failure::new(Exit::Request, problem));
        }
        (learning.by, learning.next) = (by, Some(label.clone()));
        self.condition(CONDITION.into(), Some(format!("insert a drive in port {label}")), true, effects);
        Ok(())
    }

    /// A drive was inserted, wherever.
    pub(super) fn learn_from(&mut self, inserted: &Inserted, effects: &mut Vec<Effect>) {
        let Some(learning) = &mut self.learning else { return };
        let Some(label) = learning.next.clone() else { return };
        let socket = inserted.socket.clone();
        if let Some(port) = learning.ports.iter().find(|port| port.socket == socket) {
            let text = format!("that was port {}; insert a drive in port {label}", port.label);
            return self.condition(CONDITION.into(), Some(text), true, effects);
        }
        // What is put in to show the port is taken there later, too.
        let accepts = Accepts::default().classes().chain([inserted.class]).collect::<Vec<_>>();
        let accepts = Accepts::new(accepts).unwrap_or_default();
        learning.ports.push(Port { label: label.clone(), socket: socket.clone(), accepts, ..Port::default() });
        learning.next = None;
        let text = format!("{} port(s) are known; the last one is {label}", learning.ports.len());
        self.tell(Event::PortLearnt { port: label, socket }, effects);
        self.condition(CONDITION.into(), Some(text), true, effects);
    }

    /// Keep what was learnt, or forget it.
    pub(super) fn end_learning(
        &mut self,
        client: ClientId,
        request: u64,
        keep: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let Some(learning) = &self.learning else {
            return Err(Failure::new(Exit::Request, "no ports are being learnt"));
        };
        if keep {
            if learning.ports.is_empty() {
                return Err(Failure::new(Exit::Request, "no port was learnt; a station without ports writes nothing"));
            }
            let map = PortMap::new(learning.ports.clone()).map_err(|problem| Failure::new(Exit::Request, problem))?;
            effects.push(Effect::KeepMap(client, request, map));
        }
        self.forget_learning(effects);
        Ok(())
    }

    fn forget_learning(&mut self, effects: &mut Vec<Effect>) {
        self.learning = None;
        self.condition(CONDITION.into(), None, true, effects);
    }

    /// A client has left.
    pub(super) fn learns_no_more(&mut self, client: ClientId, effects: &mut Vec<Effect>) {
        if self.learning.as_ref().is_some_and(|learning| learning.by == client) {
            self.forget_learning(effects);
        }
    }
}
