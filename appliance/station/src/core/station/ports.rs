// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives in ports: what may be done with each, and when that begins.

use platen_events::{
    Advice, BatchId, Code, DriveId, DriveLabel, Event, JobKind, PortMode, PortUse, Step, Verdict, Work,
};
use serde::{Deserialize, Serialize};

use super::{Effect, Inserted, Past, Station};
use crate::config::{Accepts, Port as MappedPort, SetAside, UnmappedPorts};
use crate::core::request::{Admission, OrderId, OrderInput, Outcome, Request, Wanted};
use crate::exit::Exit;
use crate::failure::Failure;

/// A place for a drive.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Port {
    /// None: it is no port of the station, and is here only because a drive is in it.
    pub(super) mapped: Option<MappedPort>,
    pub(super) used: PortUse,
    pub(super) inside: Option<Inside>,
    /// The drive that was lost in it last, and how often in a row.
    pub(super) lost: Option<(DriveLabel, u32)>,
}

impl Port {
    fn new(mapped: Option<MappedPort>) -> Self {
        Self { mapped, used: PortUse::default(), inside: None, lost: None }
    }
}

/// The drive in a port.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Inside {
    pub(super) inserted: Inserted,
    pub(super) past: Past,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// What is known of it from before is being looked up.
    Recalling,
    /// Nothing will be done with it until it is inserted again.
    Refused,
    /// Somebody says what is done with it.
    Idle,
    /// It is worked on as soon as that may begin.
    Waiting,
    /// An order is about it.
    Ordered { order: OrderId, batch: Option<BatchId>, since_row: u64 },
    /// It came while the drive of this order has no power: the order knows whether it is the same.
    Returning { order: OrderId },
    /// An order was about it.
    Worked,
}

impl Station {
    pub(super) fn came(&mut self, mut inserted: Inserted, effects: &mut Vec<Effect>) {
        self.learn_from(&inserted, effects);
        let mapped = self.settings.map.by_socket(&inserted.socket).cloned();
        let name = match &mapped {
            Some(port) => port.label.clone(),
            // A place that is no port is never taken for one.
            None if self.settings.map.by_label(&inserted.socket).is_some() => format!("{} (no port)", inserted.socket),
            None => inserted.socket.clone(),
        };
        inserted.label.port.clone_from(&name);
        if let Some(before) = self.ports.get(&name).and_then(|port| port.inside.as_ref()) {
            let before = before.inserted.drive.clone();
            self.went(&before, effects);
        }
        let past = Past::default();
        if let Some(order) = self.cut_in(&name) {
            let port = self.ports.entry(name).or_insert(Port::new(mapped));
            port.inside = Some(Inside { inserted, past, stage: Stage::Returning { order } });
            return;
        }
        self.tell(Event::DriveSeen { drive: inserted.drive.clone(), label: inserted.label.clone() }, effects);
        let is_back = |inside: &Inside| inside.inserted.drive == inserted.drive;
        if let Some((order, _)) = self.leaving.iter().find(|(_, inside)| is_back(inside)) {
            // Its job has said already that it is the same.
            let inside = self.leaving.remove(&order.clone());
            let port = self.ports.entry(name).or_insert(Port::new(mapped));
            port.inside = inside.map(|inside| Inside { inserted, ..inside });
            return;
        }
        let objection = self.objection(mapped.as_ref(), &inserted);
        // Seen only when its job had ended, which has not let go of it: nothing more is done with it until it is pulled.
        let is_held = self.is_held(&inserted.drive);
        let stage = match objection {
            Some(_) => Stage::Refused,
            None if is_held => Stage::Worked,
            None => Stage::Recalling,
        };
        let port = self.ports.entry(name).or_insert(Port::new(mapped));
        port.inside = Some(Inside { inserted: inserted.clone(), past, stage });
        match objection {
            Some((code, text)) => self.refuse(&inserted.drive, code, text, effects),
            None if is_held => {}
            None => effects.push(Effect::Recall(inserted)),
        }
    }

    /// The order whose drive was in this port when its power was cut. Until that order is over, also when its job has ended
    /// already, what comes into the port may be that very drive.
    fn cut_in(&self, name: &str) -> Option<OrderId> {
        let is_cut = |order: OrderId| {
            let job = self.dispatch.job_of(order).and_then(|job| self.record().jobs().get(&job));
            let step = job.filter(|job| job.returned.is_none()).and_then(|job| job.step.as_ref());
            step.is_some_and(|step| step.step == Step::PowerCycle)
        };
        let mut left = self.leaving.iter().filter(|(_, inside)| inside.inserted.label.port == name);
        left.find(|(order, _)| is_cut(**order)).map(|(order, _)| *order)
    }

    /// A job's drive is back after its power was cut: the same drive, under another number. It is in its port once somebody
    /// has seen it there.
    pub(super) fn returned(
        &mut self,
        before: &DriveId,
        drive: &DriveId,
        label: &DriveLabel,
        effects: &mut Vec<Effect>,
    ) {
        let is_it = |inside: &mut Inside| inside.inserted.drive == *before;
        let here = self.ports.values_mut().find_map(|port| port.inside.take_if(is_it));
        let mut there = self.leaving.extract_if(.., |_, inside| is_it(inside)).map(|(_, inside)| inside);
        let Some(mut inside) = here.or_else(|| there.next()) else { return };
        drop(there);
        let Stage::Ordered { order, .. } = inside.stage else { return };
        (inside.inserted.drive, inside.inserted.label.path) = (drive.clone(), label.path.clone());
        let seen = self.ports.get_mut(&inside.inserted.label.port).and_then(|port| port.inside.as_mut());
        match seen.filter(|seen| seen.inserted.drive == *drive) {
            Some(seen) => *seen = inside,
            None => {
                self.leaving.insert(order, inside);
                // What is there instead is another one.
                self.arrive(order, effects);
            }
        }
    }

    /// Why nothing is done with a drive, whatever is on it.
    fn objection(&self, port: Option<&MappedPort>, inserted: &Inserted) -> Option<(Code, String)> {
        let size = inserted.size_bytes;
        let policy = &self.settings.policy;
        let takes = match port {
            Some(port) => port.accepts.takes(inserted.class),
            // What people carry in their hands: a disk that nobody gave a label is the computer's own.
            None => policy.unmapped_ports == UnmappedPorts::Accept && Accepts::default().takes(inserted.class),
        };
        match (policy.smallest_drive_bytes, policy.largest_drive_bytes) {
            _ if !takes && port.is_none() => {
                Some((Code::NotAPort, format!("{} is not in the station's map of ports", inserted.socket)))
            }
            _ if !takes => Some((Code::NotTaken, format!("found a drive of the class {}", inserted.class))),
            (Some(least), _) if size < least => Some((Code::TooSmall, format!("expected {least} bytes, found {size}"))),
            (_, Some(most)) if size > most => {
                Some((Code::TooLarge, format!("expected at most {most} bytes, found {size}")))
            }
            _ => None,
        }
    }

    fn refuse(&mut self, drive: &DriveId, code: Code, text: String, effects: &mut Vec<Effect>) {
        self.tell(Event::DriveRefused { drive: drive.clone(), code: Some(code.into()), text }, effects);
    }

    /// The name of the port a drive is in.
    fn place_of(&self, drive: &DriveId) -> Option<String> {
        let is_here = |port: &Port| port.inside.as_ref().is_some_and(|inside| inside.inserted.drive == *drive);
        self.ports.iter().find(|(_, port)| is_here(port)).map(|(name, _)| name.clone())
    }

    /// A job notices by itself that its drive is gone, and says so with a code of its own.
    pub(super) fn went(&mut self, drive: &DriveId, effects: &mut Vec<Effect>) {
        let Some(name) = self.place_of(drive) else { return };
        let Some(port) = self.ports.get_mut(&name) else { return };
        let Some(inside) = port.inside.take() else { return };
        if port.mapped.is_none() {
            self.ports.remove(&name);
        }
        match inside.stage {
            Stage::Ordered { order, .. } => {
                self.leaving.insert(order, inside);
            }
            // Nobody was told of it.
            Stage::Returning { .. } => {}
            _ => self.tell(Event::DriveGone { drive: drive.clone() }, effects),
        }
    }

    pub(super) fn recalled(&mut self, drive: &DriveId, past: Past, effects: &mut Vec<Effect>) {
        let Some(port) = self.place_of(drive).and_then(|name| self.ports.get_mut(&name)) else { return };
        let Some(inside) = port.inside.as_mut().filter(|inside| inside.stage == Stage::Recalling) else { return };
        inside.past = past;
        inside.stage = Stage::Idle;
        if self.settings.policy.set_aside == SetAside::Refuse
            && let Some((code, text)) = inside.past.set_aside.clone()
        {
            inside.stage = Stage::Refused;
            return self.refuse(drive, code, text, effects);
        }
        let name = inside.inserted.label.port.clone();
        self.await_work(&name, effects);
    }

    /// An armed port takes up the drive that nothing was done with yet.
    pub(super) fn await_work(&mut self, name: &str, effects: &mut Vec<Effect>) {
        let attempts = self.settings.policy.attempts;
        let Some(Port { used, inside: Some(inside), lost, .. }) = self.ports.get_mut(name) else { return };
        let (PortMode::Armed, Some(work), Stage::Idle) = (used.mode, &used.work, &inside.stage) else { return };
        let since = used.batch.and_then(|batch| self.batches.get(&batch)).map_or(0, |batch| batch.since_row);
        let done = inside.past.good_copy.as_ref().filter(|(row, medium)| {
            *row > since
                && matches!(work.kind, JobKind::Write | JobKind::Update)
                && work.medium.as_ref() == Some(medium)
        });
        let Some((row, medium)) = done else {
            // A loose plug would be begun for ever.
            let times =
                lost.as_ref().filter(|(label, _)| *label == known_by(&inside.inserted.label)).map_or(0, |lost| lost.1);
            if times < attempts {
                inside.stage = Stage::Waiting;
                return;
            }
            let drive = inside.inserted.drive.clone();
            let text = format!("it was lost {times} times in a row; start it by hand, or use another drive");
            return self.refuse(&drive, Code::Vanished, text, effects);
        };
        inside.stage = Stage::Refused;
        let (drive, text) = (inside.inserted.drive.clone(), format!("it became {medium} in row {row} of the ledger"));
        self.refuse(&drive, Code::AlreadyDone, text, effects);
    }

    /// Everything that may begin by itself.
    pub(super) fn begin_what_waits(&mut self, effects: &mut Vec<Effect>) {
        let names: Vec<String> = self.ports.keys().cloned().collect();
        for name in names {
            let Some(port) = self.ports.get_mut(&name) else { continue };
            let PortUse { mode, work, batch, is_paused } = port.used.clone();
            let Some(inside) = port.inside.as_mut().filter(|inside| inside.stage == Stage::Waiting) else { continue };
            match work.filter(|_| mode == PortMode::Armed) {
                None => inside.stage = Stage::Idle,
                Some(work) if !is_paused && self.halts.is_empty() && self.has_room(batch) => {
                    self.commission(&name, work, batch, effects);
                }
                Some(_) => {}
            }
        }
    }

    /// Make an order for the drive in a port.
    fn commission(&mut self, name: &str, work: Work, batch: Option<BatchId>, effects: &mut Vec<Effect>) {
        let Some(inside) = self.ports.get_mut(name).and_then(|port| port.inside.as_mut()) else { return };
        self.last_order += 1;
        let order = OrderId(self.last_order);
        inside.stage = Stage::Ordered { order, batch, since_row: self.ledger_row };
        let inserted = inside.inserted.clone();
        let wanted = Wanted { drive: inserted.drive.clone(), label: inserted.label.clone(), is_pinned: true };
        let request = Request {
            kind: work.kind,
            admission: Admission::Each,
            stall_limit: self.settings.stall_limit(),
            drives: vec![wanted],
        };
        effects.push(Effect::Commission(order, inserted, work));
        self.order(OrderInput::Ask(order, request), effects);
    }

    /// The order about a drive is over.
    pub(super) fn finished(&mut self, order: OrderId, outcome: &Outcome, effects: &mut Vec<Effect>) {
        let is_it = |inside: &&mut Inside| matches!(inside.stage, Stage::Ordered { order: its, .. } if its == order);
        let here = self.ports.values_mut().filter_map(|port| port.inside.as_mut()).find(is_it);
        let (inserted, batch, has_left) = match here {
            Some(inside) => {
                let Stage::Ordered { batch, .. } = std::mem::replace(&mut inside.stage, Stage::Worked) else { return };
                (inside.inserted.clone(), batch, false)
            }
            None => {
                let Some(Inside { inserted, stage: Stage::Ordered { batch, .. }, .. }) = self.leaving.remove(&order)
                else {
                    return;
                };
                (inserted, batch, true)
            }
        };
        self.note_lost(&inserted.label, outcome);
        let drive = inserted.drive;
        self.arrive(order, effects);
        if let Outcome::NotStarted(failure) = outcome {
            let (code, text) = (failure.code.map(Into::into), failure.reason());
            self.tell(Event::DriveRefused { drive: drive.clone(), code, text }, effects);
        }
        if has_left {
            self.tell(Event::DriveGone { drive }, effects);
        }
        if let Some(batch) = batch {
            self.count(batch, outcome, effects);
        }
    }

    /// What came in the place of an order's drive is a drive like any other.
    fn arrive(&mut self, order: OrderId, effects: &mut Vec<Effect>) {
        let is_it =
            |port: &&mut Port| port.inside.as_ref().is_some_and(|inside| inside.stage == Stage::Returning { order });
        if let Some(inside) = self.ports.values_mut().find(is_it).and_then(|port| port.inside.take()) {
            self.came(inside.inserted, effects);
        }
    }

    /// A drive that comes back after it was lost, in the same port, is known again by what it says of itself.
    fn note_lost(&mut self, inserted: &DriveLabel, outcome: &Outcome) {
        let Outcome::Done { jobs, .. } = outcome else { return };
        let Some((job, _)) = jobs.first().and_then(|job| self.record().job(*job)) else { return };
        let Some(verdict) = job.end.as_ref().map(|end| end.verdict.clone()) else { return };
        let (label, name) = (known_by(inserted), inserted.port.clone());
        let Some(port) = self.ports.get_mut(&name) else { return };
        let before = port.lost.take().filter(|(before, _)| *before == label).map_or(0, |(_, times)| times);
        let is_lost =
            verdict != Verdict::Cancelled && verdict.code().is_some_and(|code| code.entry().advice == Advice::TryAgain);
        port.lost = is_lost.then_some((label, before + 1));
    }

    /// Somebody wants this done with the drive that was seen in a port.
    pub(super) fn start(
        &mut self,
        name: &str,
        drive: &DriveId,
        work: Work,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let wrong = |text: String| Err(Failure::new(Exit::Request, text));
        self.check_work(&work)?;
        let Some(port) = self.ports.get(name) else { return wrong(format!("port {name}: the station has none")) };
        let Some(inside) = &port.inside else { return wrong(format!("port {name}: it is empty")) };
        let found = &inside.inserted.drive;
        if found != drive {
            let text =
                format!("port {name}: expected drive {drive}, found {found}; another one was inserted meanwhile");
            return Err(Failure::new(Exit::Request, text).coded(Code::Vanished));
        }
        if let Some(halt) = self.halts.iter().next() {
            let text = self.record().conditions().get(halt).map_or(halt.as_str(), String::as_str);
            return Err(Failure::new(Exit::Machine, format!("nothing is begun at this station now: {text}")));
        }
        if port.used.is_paused {
            return wrong(format!("port {name}: it is paused"));
        }
        match inside.stage {
            Stage::Idle | Stage::Worked if !self.is_held(drive) => {
                self.commission(name, work, None, effects);
                Ok(())
            }
            Stage::Idle | Stage::Worked => wrong(format!("port {name}: the drive does not answer; pull it")),
            Stage::Recalling => wrong(format!("port {name}: the drive is still being looked at")),
            Stage::Waiting | Stage::Ordered { .. } | Stage::Returning { .. } => {
                wrong(format!("port {name}: the drive is being worked on"))
            }
            Stage::Refused => wrong(format!("port {name}: the drive was refused; insert another one")),
        }
    }

    /// An order is about a drive.
    pub(super) fn is_busy(&self) -> bool {
        let is_ordered = |port: &Port| {
            port.inside
                .as_ref()
                .is_some_and(|inside| matches!(inside.stage, Stage::Ordered { .. } | Stage::Returning { .. }))
        };
        !self.leaving.is_empty() || self.ports.values().any(is_ordered)
    }

    /// The job of a drive has not let go of it.
    fn is_held(&self, drive: &DriveId) -> bool {
        let record = self.record();
        let job = record.drives().get(drive).and_then(|drive| record.jobs().get(&drive.job?));
        job.is_some_and(|job| !job.released)
    }

    /// Whether a station does this at all.
    pub(super) fn check_work(&self, work: &Work) -> Result<(), Failure> {
        let wrong = |text: String| Err(Failure::new(Exit::Request, text));
        let Work { kind, medium } = work;
        match (kind, medium) {
            (JobKind::Write | JobKind::Update, None) => wrong(format!("{kind}: expected a medium")),
            (JobKind::Write | JobKind::Update | JobKind::Verify, Some(medium)) => self.check_medium(medium),
            (JobKind::Unknown, _) => wrong(format!("{kind}: no work of a station")),
            (_, Some(medium)) => wrong(format!("{kind}: expected no medium, found {medium}")),
            (_, None) => Ok(()),
        }
    }

    fn check_medium(&self, medium: &str) -> Result<(), Failure> {
        if !self.media.contains(medium) {
            return Err(Failure::new(Exit::Request, format!("{medium}: the cache has no such medium to be written")));
        }
        let id = medium.rsplit_once("-r").map_or(medium, |(id, _)| id);
        match self.settings.policy.may_write(id) {
            true => Ok(()),
            false => Err(Failure::new(Exit::Policy, format!("{medium}: this station's policy does not name {id}"))),
        }
    }

    /// The ports that are meant; none named: all of the station.
    pub(super) fn named(&self, names: &[String]) -> Result<Vec<String>, Failure> {
        if let Some(unknown) = names.iter().find(|name| !self.ports.contains_key(*name)) {
            return Err(Failure::new(Exit::Request, format!("port {unknown}: the station has none")));
        }
        let all = || self.ports.iter().filter(|(_, port)| port.mapped.is_some()).map(|(name, _)| name.clone());
        Ok(if names.is_empty() { all().collect() } else { names.to_vec() })
    }

    /// Stop what is under way in these ports.
    pub(super) fn cancel(&mut self, names: &[String], effects: &mut Vec<Effect>) {
        for name in names {
            let inside = self.ports.get_mut(name).and_then(|port| port.inside.as_mut());
            match inside.map(|inside| &mut inside.stage) {
                Some(stage @ Stage::Waiting) => *stage = Stage::Idle,
                Some(&mut (Stage::Ordered { order, .. } | Stage::Returning { order })) => {
                    self.order(OrderInput::Stop(order), effects)
                }
                _ => {}
            }
        }
    }

    /// Change what a port is used for, and say so.
    pub(super) fn set_use(&mut self, name: &str, change: impl FnOnce(&mut PortUse), effects: &mut Vec<Effect>) {
        let Some(port) = self.ports.get_mut(name) else { return };
        let before = port.used.clone();
        change(&mut port.used);
        let used = port.used.clone();
        if used != before {
            self.tell(Event::PortSet { port: name.to_owned(), used }, effects);
        }
    }
}

/// What a drive says of itself, wherever it is.
fn known_by(label: &DriveLabel) -> DriveLabel {
    DriveLabel { port: String::new(), path: String::new(), ..label.clone() }
}
