// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive in a port of the station: the one that was seen there, under the port's label, and no other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platen_device::ports::{CameBack, PortPower, Socket};
use platen_device::{Candidate, Expected, OpenError, OpenedDrive, TargetPolicy};
use platen_engine::{Drive, DriveError, DriveFacts, Operation, ReadDrive, Returned, Trouble, chain};
use platen_events::{Code, DriveId, DriveLabel};

use crate::config::PowerCycle;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ports::Script;

/// Right after a drive came back, the system's own programs look at it for a moment.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
const OPEN_AGAIN: Duration = Duration::from_millis(200);

/// A drive as it was seen in its port.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The port's label.
    pub(crate) port: String,
    /// The port, as the machine calls it.
    pub(crate) socket: String,
    /// Which drive.
    pub(crate) drive: DriveId,
    /// The port takes disks: what is no removable USB drive may be written to as well.
    pub(crate) takes_disks: bool,
    /// Whether its power is cut before it is read back.
    pub(crate) power_cycle: PowerCycle,
    /// How a file that stands for a drive behaves.
    pub(crate) script: Option<Arc<Script>>,
}

impl Seat {
    /// The drive under this name, if it is still the one.
    pub(crate) fn find(&self, path: &Path) -> Result<Candidate, OpenError> {
        let candidate = Candidate::find(path)?;
        let is_it = match &self.script {
            Some(script) => script.is_of(&candidate),
            None => candidate.facts().id() == self.drive,
        };
        if is_it { Ok(candidate) } else { Err(OpenError::Gone { path: path.to_owned() }) }
    }

    /// What the drive that was found says of itself: a file says nothing.
    pub(crate) fn name(&self, found: &mut DriveLabel) {
        if let Some(script) = &self.script {
            found.serial = script.serial();
        }
    }

    /// What it may be written to by.
    fn policy(&self, policy: &TargetPolicy, candidate: &Candidate) -> TargetPolicy {
        if self.takes_disks { policy.clone().allowing(candidate.identity()) } else { policy.clone() }
    }

    /// Open the drive that was found, for writing.
    pub(crate) fn open(&self, candidate: Candidate, policy: &TargetPolicy) -> Result<OpenedDrive, OpenError> {
        let (expected, policy) = (Expected::of(candidate.facts()), self.policy(policy, &candidate));
        candidate.for_writing(&expected, &policy)
    }

    /// The switch of its port's power, if the station is to use it. None: it has none, and that is allowed.
    pub(crate) fn switch(&self) -> Result<Option<Switch>, Failure> {
        if self.power_cycle == PowerCycle::Never {
            return Ok(None);
        }
        let switch = match &self.script {
            Some(script) => Arc::clone(script).switch().map(Switch::Script),
            None => PortPower::of(&Socket::from(self.socket.clone())).map(Switch::Port),
        };
        match switch {
            Ok(switch) => Ok(Some(switch)),
            Err(error) if self.power_cycle == PowerCycle::Require => {
                let text = format!("port {}: {error}", self.port);
                Err(Failure::new(Exit::Policy, text).coded(Code::NoPowerSwitch))
            }
            Err(_) => Ok(None),
        }
    }

    /// The drive, under its port's label. `again` opens it once more after its power was cut.
    pub(crate) fn seated(&self, drive: OpenedDrive, again: Option<Again>) -> Box<dyn Drive> {
        let facts = self.facts(drive.facts());
        let drive = SeatedDrive { drive, facts, seat: self.clone(), again };
        match &self.script {
            None => Box::new(drive),
            Some(script) => script.played(drive),
        }
    }

    fn facts(&self, found: &DriveFacts) -> DriveFacts {
        let mut facts = found.clone();
        facts.drive.port.clone_from(&self.port);
        facts.inserted = Some(self.drive.clone());
        facts
    }
}

/// What switches a port's power.
#[derive(Debug)]
pub(crate) enum Switch {
    /// The hub.
    Port(PortPower),
    /// The script of a file that stands for a drive.
    Script(Arc<Script>),
}

/// How a drive is opened again after its power was cut.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) switch: Switch,
    pub(crate) policy: TargetPolicy,
}

/// A drive that goes by the label of its port.
pub(crate) struct SeatedDrive {
    drive: OpenedDrive,
    pub(crate) facts: DriveFacts,
    seat: Seat,
    again: Option<Again>,
}

impl SeatedDrive {
    /// The drive that came back, opened as the first time. What is no longer known to be the same is left alone.
    fn reopen(&self, back: &CameBack, policy: &TargetPolicy) -> Result<(Seat, OpenedDrive), DriveError> {
        let seat = Seat { drive: back.inserted.drive.clone(), ..self.seat.clone() };
        let begun = Instant::now();
        let opened = loop {
            let candidate = seat.find(&back.inserted.path);
            if let Ok(candidate) = &candidate
                && !is_alike(&self.facts, candidate.facts())
            {
                let text = "another drive was put in its place while it had no power";
                return Err(failed(Trouble::Vanished, text));
            }
            match candidate.and_then(|candidate| seat.open(candidate, policy)) {
                Err(OpenError::Busy { .. }) if begun.elapsed() < OPEN_LIMIT => std::thread::sleep(OPEN_AGAIN),
                opened => break opened,
            }
        };
        let trouble = |error: &OpenError| match error {
            OpenError::Busy { .. } => Trouble::InUse,
            OpenError::ReadOnly { .. } => Trouble::ReadOnly,
            _ => Trouble::Vanished,
        };
        let opened = opened.map_err(|error| failed(trouble(&error), &chain(&error)))?;
        Ok((seat, opened))
    }

    /// None: the switch does nothing.
    fn cycle(&mut self, switch: &Switch, policy: &TargetPolicy) -> Result<Option<Returned>, DriveError> {
        let is_required = self.seat.power_cycle == PowerCycle::Require;
        let lost = |error: io::Error| failed(Trouble::Vanished, &error.to_string());
        match switch {
            Switch::Port(power) => {
                let socket = Socket::from(self.seat.socket.clone());
                let Some(back) = power.cycle(&socket, &self.seat.drive).map_err(lost)? else { return Ok(None) };
                if is_required && !back.powered_on {
                    return Err(failed(Trouble::PowerKept, "it came back and did not say that it was started anew"));
                }
                (self.seat, self.drive) = self.reopen(&back, policy)?;
                self.facts = self.seat.facts(self.drive.facts());
                Ok(Some(Returned { powered_on: back.powered_on }))
            }
            Switch::Script(script) => {
                let (drive, powered_on) = script.cycle(&self.facts).map_err(lost)?;
                if is_required && !powered_on {
                    return Err(failed(Trouble::PowerKept, "it came back and did not say that it was started anew"));
                }
                self.seat.drive = drive;
                self.facts = self.seat.facts(&self.facts);
                Ok(Some(Returned { powered_on }))
            }
        }
    }
}

/// All that a drive says of itself is the same. Two of one make without serial numbers are alike as well.
fn is_alike(before: &DriveFacts, now: &DriveFacts) -> bool {
    let says = |facts: &DriveFacts| {
        (facts.serial.clone(), facts.vendor_product, facts.model.clone(), facts.size_bytes, facts.sector_bytes)
    };
    says(before) == says(now)
}

fn failed(trouble: Trouble, text: &str) -> DriveError {
    let (operation, source) = (Operation::PowerCycle, io::Error::other(text.to_owned()));
    DriveError { operation, offset_bytes: 0, len_bytes: 0, trouble, source }
}

impl ReadDrive for SeatedDrive {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.drive.read_at(offset_bytes, bytes)
    }
}

impl Drive for SeatedDrive {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.drive.write_at(offset_bytes, bytes)
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        self.drive.zero_at(offset_bytes, len_bytes)
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.drive.flush()
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        self.drive.confirm()
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        self.drive.confirm_unshared()
    }

    fn has_power_switch(&self) -> bool {
        self.again.is_some()
    }

    fn power_cycle(&mut self) -> Result<Option<Returned>, DriveError> {
        let Some(again) = self.again.take() else { return Ok(None) };
        let returned = self.cycle(&again.switch, &again.policy);
        self.again = Some(again);
        match returned? {
            None if self.seat.power_cycle == PowerCycle::Require => {
                Err(failed(Trouble::PowerKept, "the switch of its port does nothing"))
            }
            None => {
                self.facts.read_back += "; its port's switch did not cut its power";
                Ok(None)
            }
            Some(returned) => {
                self.facts.read_back += match returned.powered_on {
                    true => "; its power was cut before",
                    false => "; it was disconnected before, and did not say that it lost its power",
                };
                Ok(Some(returned))
            }
        }
    }

    fn publish(&mut self) {
        self.drive.publish();
    }
}
