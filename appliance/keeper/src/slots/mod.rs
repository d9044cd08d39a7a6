// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The two slots that a system can be started from, and what the boot loader knows of them.
//!
//! The boot loader takes the first slot of the order that may be started and has starts left, takes one of these away, and
//! starts it. A system that came up well gives itself all starts back; one that never does runs out of them, and the
//! other slot is started. What is decided here is pure; where it is kept is a [`Store`]'s business.

pub mod grub;
pub mod grubenv;
pub mod uboot;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::error::KeeperError;

/// How often a slot is started before it has come up well.
pub const STARTS: u8 = 3;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Kernel and root called `kernel-a` and `root-a`.
    A,
    /// Kernel and root called `kernel-b` and `root-b`.
    B,
}

impl Slot {
    /// By the boot loader's name, or the letter in the names of partitions.
    pub fn from_name(name: &str) -> Result<Self, KeeperError> {
        match name {
            "A" | "a" => Ok(Self::A),
            "B" | "b" => Ok(Self::B),
            _ => Err(KeeperError::Word { what: "slot", expected: "A or B", found: name.to_owned() }),
        }
    }

    /// The slot that the kernel was started from, by its command line.
    pub fn running(command_line: &str) -> Result<Self, KeeperError> {
        let name = command_line.split_whitespace().find_map(|word| word.strip_prefix("platen.slot="));
        let what = "the kernel's command line";
        let wrong =
            || KeeperError::Word { what, expected: "platen.slot=a or =b", found: command_line.trim().to_owned() };
        name.and_then(|name| Self::from_name(name).ok()).ok_or_else(wrong)
    }

    /// Not this one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// As it stands in the names of partitions and in the record.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What the boot loader knows of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    /// It may be started: it was written to the end, and is not known as bad.
    pub is_good: bool,
    /// How often it is still started before it has come up well.
    pub starts_left: u8,
    /// The release in it, where that is known.
    pub version: Option<String>,
}

impl Default for SlotState {
    fn default() -> Self {
        Self { is_good: true, starts_left: STARTS, version: None }
    }
}

/// What the boot loader knows. The default is what it does when it knows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootState {
    /// The slot that is tried first.
    pub first: Slot,
    /// A slot that was written and has not come up well since.
    pub trial: Option<Slot>,
    a: SlotState,
    b: SlotState,
}

impl Default for BootState {
    fn default() -> Self {
        Self { first: Slot::A, trial: None, a: SlotState::default(), b: SlotState::default() }
    }
}

impl BootState {
    /// What is known of a slot.
    pub fn slot(&self, slot: Slot) -> &SlotState {
        match slot {
            Slot::A => &self.a,
            Slot::B => &self.b,
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut SlotState {
        match slot {
            Slot::A => &mut self.a,
            Slot::B => &mut self.b,
        }
    }

    /// It was written: it is tried first from now on, and has to show that it comes up well.
    pub fn set_primary(&mut self, slot: Slot) {
        self.first = slot;
        self.trial = Some(slot);
        let state = self.slot_mut(slot);
        (state.is_good, state.starts_left) = (true, STARTS);
    }

    /// It may be started, or may not: then it is about to be written, and what was known of it holds no more.
    pub fn set_good(&mut self, slot: Slot, is_good: bool) {
        let state = self.slot_mut(slot);
        (state.is_good, state.starts_left) = (is_good, if is_good { STARTS } else { 0 });
        if !is_good {
            state.version = None;
            self.trial = self.trial.filter(|trial| *trial != slot);
        }
    }

    /// The release that was written to a slot.
    pub fn set_version(&mut self, slot: Slot, version: &str) {
        self.slot_mut(slot).version = Some(version.to_owned());
    }

    /// The running slot came up well.
    pub fn set_healthy(&mut self, running: Slot, version: &str) {
        self.set_good(running, true);
        self.set_version(running, version);
        let other = running.other();
        if self.trial == Some(running) {
            self.trial = None;
        } else if self.has_come_back(running) {
            // Not tried again. That it was on trial stays known, so that it can be said until the next update.
            self.first = running;
            let state = self.slot_mut(other);
            (state.is_good, state.starts_left) = (false, 0);
        } else if self.is_passed_over(running) {
            // It was well once; its starts may have been cut off by hand. It gets one at each start of the machine.
            self.slot_mut(other).starts_left = 1;
        }
    }

    /// An update was installed to the other slot, and did not come up well: this is the system from before it.
    pub fn has_come_back(&self, running: Slot) -> bool {
        let other = self.slot(running.other());
        let is_used_up = !other.is_good || (self.first != running && other.starts_left == 0);
        self.trial == Some(running.other()) && is_used_up
    }

    /// The other slot was well once and comes first, and yet this one was started: its starts ran out.
    pub fn is_passed_over(&self, running: Slot) -> bool {
        let other = self.slot(running.other());
        self.first != running && self.trial.is_none() && other.is_good && other.starts_left == 0
    }

    /// An update was installed to the other slot, which the machine starts from next.
    pub fn is_waiting(&self, running: Slot) -> bool {
        self.trial == Some(running.other()) && !self.has_come_back(running)
    }

    /// This slot came up well once, since it was written.
    pub fn was_healthy(&self, slot: Slot) -> bool {
        self.trial != Some(slot)
    }

    /// The release in a slot, if it may be started.
    pub fn startable_version(&self, slot: Slot) -> Option<&str> {
        let state = self.slot(slot);
        state.version.as_deref().filter(|_| state.is_good && state.starts_left > 0)
    }

    /// As the boot loader has it; what is missing or no value has its default.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let slot = |name: Slot| {
            let default = SlotState::default();
            let get = |what: &str| variables.get(&format!("{name}_{what}")).map(String::as_str);
            let number = |what: &str| get(what).and_then(|text| text.parse::<u8>().ok());
            SlotState {
                is_good: number("OK").map_or(default.is_good, |number| number == 1),
                starts_left: number("LEFT").unwrap_or(default.starts_left),
                version: get("VERSION").filter(|version| !version.is_empty()).map(str::to_owned),
            }
        };
        let word = |what: &str| variables.get(what).and_then(|text| text.split_whitespace().next());
        let name = |what: &str| word(what).and_then(|name| Slot::from_name(name).ok());
        Self { first: name("ORDER").unwrap_or(Slot::A), trial: name("TRIAL"), a: slot(Slot::A), b: slot(Slot::B) }
    }

    /// As the boot loader has it. Nothing is an empty text.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut all = vec![
            ("ORDER".to_owned(), format!("{} {}", self.first, self.first.other())),
            ("TRIAL".to_owned(), self.trial.map_or(String::new(), |slot| slot.to_string())),
        ];
        for slot in [Slot::A, Slot::B] {
            let state = self.slot(slot);
            all.push((format!("{slot}_OK"), u8::from(state.is_good).to_string()));
            all.push((format!("{slot}_LEFT"), state.starts_left.to_string()));
            all.push((format!("{slot}_VERSION"), state.version.clone().unwrap_or_default()));
        }
        all
    }
}

/// Where the boot loader keeps what it knows.
pub trait Store: Send + Sync {
    /// What is there. Something that can't be understood is what the boot loader makes of it: its defaults.
    fn read(&self) -> Result<BootState, KeeperError>;

    /// Keep it, so that it outlasts a power cut, and so that one leaves the old or the new one.
    fn write(&self, state: &BootState) -> Result<(), KeeperError>;

    /// Nobody else changes it as long as this is held: RAUC does, through a process of its own.
    fn lock(&self) -> Result<File, KeeperError>;

    /// Change it; nothing is written where nothing changes.
    fn change(&self, change: &dyn Fn(&mut BootState)) -> Result<BootState, KeeperError> {
        let _held = self.lock()?;
        let old = self.read()?;
        let mut new = old.clone();
        change(&mut new);
        if new != old {
            self.write(&new)?;
        }
        Ok(new)
    }
}

/// Held until it is dropped.
fn lock(path: &Path) -> Result<File, KeeperError> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let locked = opened.and_then(|file| file.lock().map(|()| file));
    locked.map_err(KeeperError::file(path, "lock it"))
}

#[cfg(test)]
mod tests;
