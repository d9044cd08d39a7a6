// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What decides: inputs go in, effects come out. It has no clock, no file and no process of its own.

mod asked;
mod station;

use platen_events::{DataState, SystemRequest, SystemState, UpdateState};

use crate::bundle::{Looked, Refusal};
use crate::kernel::End;

pub use self::station::Phase;

/// How long a start may take until the station says that it is ready.
pub const START_LIMIT_MS: u64 = 5 * 60 * 1000;
/// How long it may be silent; it says more often that it is alive.
pub const SILENCE_LIMIT_MS: u64 = 2 * 60 * 1000;
/// How long it may take to end when it was asked to. Jobs are given 20 seconds to leave their drives in order.
pub const STOP_LIMIT_MS: u64 = 60 * 1000;
/// How long it has to live to be taken for well.
pub const HEALTHY_AFTER_MS: u64 = 20 * 1000;
/// A system on trial that is not healthy by then is given up.
pub const TRIAL_LIMIT_MS: u64 = 3 * 60 * 1000;
/// So is one whose station ends so often.
pub const TRIAL_ENDS: u32 = 5;
/// The hardware's watchdog waits longer than twice this.
pub const PET_EVERY_MS: u64 = 5 * 1000;
/// Longest pause before the station is started anew.
const MAX_PAUSE_MS: u64 = 30 * 1000;

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// The station could not be started.
    NotStarted(String),
    /// It is ready.
    Ready,
    /// It is alive.
    Alive,
    /// It ended: with a status, or by a signal.
    Ended(Option<i32>),
    /// Somebody who may asked for something.
    Asked(SystemRequest),
    /// What was brought has been looked at.
    Looked(Looked),
    /// So much of the update is installed.
    Percent(u8),
    /// Installing it has ended.
    Installed(Result<(), Refusal>),
    /// The disk for data was made anew, or could not be.
    DataMade(Result<(), String>),
    /// The slot was marked as well: the release in the other one that may still be started.
    Marked(Option<String>),
    /// This program is to end.
    Terminate,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start the station.
    StartStation,
    /// Ask it to end.
    EndStation,
    /// It does not: kill it.
    KillStation,
    /// Tell the hardware's watchdog that all is well.
    Pet,
    /// The running system came up well.
    MarkHealthy,
    /// Say what is known to whoever listens.
    Tell,
    /// Look at what was brought.
    Look,
    /// Install the update that is offered.
    Install,
    /// Make the disk for data anew. The station does not run.
    MakeDataAnew,
    /// End this program.
    Exit,
    /// End the machine.
    EndMachine(End),
    /// For the log.
    Say(String),
}

/// Something that takes long and is done beside everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Looking,
    Installing,
}

/// What follows once the station has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    StartAgain,
    Exit,
    EndMachine(End),
    MakeDataAnew,
}

/// Everything that is known, and what is going on.
#[derive(Debug, Clone)]
pub struct Keeper {
    state: SystemState,
    is_on_trial: bool,
    began_ms: u64,
    phase: Phase,
    then: Then,
    ends_in_a_row: u32,
    is_healthy: bool,
    work: Option<Work>,
    must_look_again: bool,
    petted_ms: Option<u64>,
}

impl Keeper {
    /// Begin. `is_on_trial`: the running system was installed and has not come up well since.
    pub fn new(now_ms: u64, state: SystemState, is_on_trial: bool) -> (Self, Vec<Effect>) {
        let keeper = Self {
            state,
            is_on_trial,
            began_ms: now_ms,
            phase: Phase::Starting { since_ms: now_ms },
            then: Then::StartAgain,
            ends_in_a_row: 0,
            is_healthy: false,
            work: Some(Work::Looking),
            must_look_again: false,
            petted_ms: None,
        };
        (keeper, vec![Effect::StartStation, Effect::Tell, Effect::Look])
    }

    /// What is told.
    pub fn state(&self) -> &SystemState {
        &self.state
    }

    /// What follows from an input.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        let before = self.state.clone();
        match input {
            Input::Tick => self.tick(now_ms, &mut effects),
            Input::NotStarted(why) => self.ended(now_ms, &format!("could not be started: {why}"), &mut effects),
            Input::Ready => self.ready(now_ms),
            Input::Alive => self.alive(now_ms),
            Input::Ended(status) => self.station_ended(now_ms, status, &mut effects),
            Input::Terminate => self.end_station(now_ms, Then::Exit, &mut effects),
            Input::Asked(request) => self.asked(now_ms, request, &mut effects),
            Input::Looked(looked) => self.looked(looked, &mut effects),
            Input::Percent(percent) => self.percent(percent),
            Input::Installed(ended) => self.installed(ended, &mut effects),
            Input::DataMade(made) => self.data_made(now_ms, made, &mut effects),
            Input::Marked(other_version) => self.state.other_version = other_version,
        }
        if self.state != before {
            effects.push(Effect::Tell);
        }
        effects
    }
}

#[cfg(test)]
mod tests;
