// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's life: started, heard, ended, started again; and what follows from it for the slot and the watchdog.

use super::{
    Effect, HEALTHY_AFTER_MS, Keeper, MAX_PAUSE_MS, PET_EVERY_MS, SILENCE_LIMIT_MS, START_LIMIT_MS, STOP_LIMIT_MS,
    TRIAL_ENDS, TRIAL_LIMIT_MS, Then,
};
use crate::kernel::End;

/// How the station is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It ended, and is started again after a pause.
    Pausing {
        /// When.
        until_ms: u64,
    },
    /// It was started, and has not said that it is ready.
    Starting {
        /// When.
        since_ms: u64,
    },
    /// It is ready.
    Ready {
        /// When it became so.
        since_ms: u64,
        /// When it was heard last.
        heard_ms: u64,
    },
    /// It was asked to end.
    Ending {
        /// When.
        since_ms: u64,
        /// It was killed, too.
        is_killed: bool,
    },
    /// It is not to run.
    Down,
}

impl Keeper {
    pub(super) fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let waited = |since_ms: u64| now_ms.saturating_sub(since_ms);
        match self.phase {
            Phase::Pausing { until_ms } if now_ms >= until_ms => self.start_station(now_ms, effects),
            Phase::Starting { since_ms } if waited(since_ms) > START_LIMIT_MS => {
                effects.push(Effect::Say("the station does not become ready".to_owned()));
                self.end_station(now_ms, Then::StartAgain, effects);
            }
            Phase::Ready { heard_ms, .. } if waited(heard_ms) > SILENCE_LIMIT_MS => {
                effects.push(Effect::Say("the station is silent".to_owned()));
                self.end_station(now_ms, Then::StartAgain, effects);
            }
            Phase::Ready { since_ms, .. } if waited(since_ms) >= HEALTHY_AFTER_MS && !self.is_healthy => {
                self.is_healthy = true;
                effects.push(Effect::MarkHealthy);
            }
            Phase::Ending { since_ms, is_killed: false } if waited(since_ms) > STOP_LIMIT_MS => {
                effects.push(Effect::Say("the station does not end, and is killed".to_owned()));
                effects.push(Effect::KillStation);
                self.phase = Phase::Ending { since_ms, is_killed: true };
            }
            _ => {}
        }
        self.judge_trial(now_ms, effects);
        self.pet(now_ms, effects);
    }

    /// A system that was installed and does not come up is left, so that its starts run out and the other one is started. One
    /// that came up before is not: the station is started again and again.
    fn judge_trial(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let is_late = now_ms.saturating_sub(self.began_ms) > TRIAL_LIMIT_MS;
        let is_failing = is_late || self.ends_in_a_row >= TRIAL_ENDS;
        if self.is_on_trial && !self.is_healthy && is_failing && self.then == Then::StartAgain {
            effects.push(Effect::Say("this system does not come up well: the machine starts anew".to_owned()));
            self.end_station(now_ms, Then::EndMachine(End::Restart), effects);
        }
    }

    /// The watchdog is told that all is well, unless a station that was killed does not go away: then only the hardware helps.
    fn pet(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let is_stuck = matches!(self.phase, Phase::Ending { since_ms, .. }
            if now_ms.saturating_sub(since_ms) > 2 * STOP_LIMIT_MS);
        let is_due = self.petted_ms.is_none_or(|petted| now_ms.saturating_sub(petted) >= PET_EVERY_MS);
        if is_due && !is_stuck {
            self.petted_ms = Some(now_ms);
            effects.push(Effect::Pet);
        }
    }

    pub(super) fn start_station(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        self.phase = Phase::Starting { since_ms: now_ms };
        effects.push(Effect::StartStation);
    }

    pub(super) fn ready(&mut self, now_ms: u64) {
        if let Phase::Starting { .. } = self.phase {
            self.phase = Phase::Ready { since_ms: now_ms, heard_ms: now_ms };
        }
    }

    pub(super) fn alive(&mut self, now_ms: u64) {
        if let Phase::Ready { since_ms, .. } = self.phase {
            self.phase = Phase::Ready { since_ms, heard_ms: now_ms };
        }
    }

    /// Ask the station to end. What is to follow was asked for last, but a machine that ends stays at that.
    pub(super) fn end_station(&mut self, now_ms: u64, then: Then, effects: &mut Vec<Effect>) {
        if !matches!(self.then, Then::EndMachine(_) | Then::Exit) {
            self.then = then;
        }
        match self.phase {
            Phase::Starting { .. } | Phase::Ready { .. } => {
                effects.push(Effect::EndStation);
                self.phase = Phase::Ending { since_ms: now_ms, is_killed: false };
            }
            Phase::Ending { .. } => {}
            Phase::Pausing { .. } | Phase::Down => self.follow(now_ms, effects),
        }
    }

    pub(super) fn station_ended(&mut self, now_ms: u64, status: Option<i32>, effects: &mut Vec<Effect>) {
        if let Phase::Ending { .. } = self.phase
            && self.then != Then::StartAgain
        {
            return self.follow(now_ms, effects);
        }
        match status {
            // Nobody here told it to: a person did, at the panel.
            Some(0) if !matches!(self.phase, Phase::Ending { .. }) => {
                effects.push(Effect::Say("the station was shut down: so is the machine".to_owned()));
                self.then = Then::EndMachine(End::PowerOff);
                self.follow(now_ms, effects);
            }
            Some(status) => self.ended(now_ms, &format!("ended with status {status}"), effects),
            None => self.ended(now_ms, "ended by a signal", effects),
        }
    }

    /// It ended without being asked to: it is started again, later each time.
    pub(super) fn ended(&mut self, now_ms: u64, how: &str, effects: &mut Vec<Effect>) {
        if let Phase::Ready { since_ms, .. } = self.phase
            && now_ms.saturating_sub(since_ms) >= HEALTHY_AFTER_MS
        {
            self.ends_in_a_row = 0;
        }
        self.ends_in_a_row = self.ends_in_a_row.saturating_add(1);
        let pause_ms = 1000u64.checked_shl(self.ends_in_a_row - 1).unwrap_or(MAX_PAUSE_MS).min(MAX_PAUSE_MS);
        effects.push(Effect::Say(format!("the station {how}; it is started again in {} s", pause_ms / 1000)));
        self.phase = Phase::Pausing { until_ms: now_ms + pause_ms };
        self.judge_trial(now_ms, effects);
    }

    /// The station does not run: what is to follow.
    fn follow(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        self.phase = Phase::Down;
        match self.then {
            Then::StartAgain => self.start_station(now_ms, effects),
            Then::Exit => effects.push(Effect::Exit),
            Then::EndMachine(end) => effects.push(Effect::EndMachine(end)),
            Then::MakeDataAnew => effects.push(Effect::MakeDataAnew),
        }
    }
}
