// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the station may ask for, and what comes of it.

use platen_events::Code;

use super::{DataState, Effect, End, Keeper, Looked, Refusal, SystemRequest, Then, UpdateState, Work};

impl Keeper {
    pub(super) fn asked(&mut self, now_ms: u64, request: SystemRequest, effects: &mut Vec<Effect>) {
        match request {
            SystemRequest::Look if self.work.is_some() => self.must_look_again = true,
            SystemRequest::Look => self.begin(Work::Looking, effects),
            SystemRequest::Install { version, older } => self.install(&version, older, effects),
            SystemRequest::Restart => self.end_station(now_ms, Then::EndMachine(End::Restart), effects),
            SystemRequest::PowerOff => self.end_station(now_ms, Then::EndMachine(End::PowerOff), effects),
            // Only what is lost anyway.
            SystemRequest::MakeDataAnew if self.state.data == DataState::Broken && self.work.is_none() => {
                self.end_station(now_ms, Then::MakeDataAnew, effects);
            }
            SystemRequest::MakeDataAnew => {
                effects.push(Effect::Say("the disk for data is not made anew: it is in use".to_owned()));
            }
        }
    }

    fn begin(&mut self, work: Work, effects: &mut Vec<Effect>) {
        self.work = Some(work);
        effects.push(match work {
            Work::Looking => Effect::Look,
            Work::Installing => Effect::Install,
        });
    }

    fn install(&mut self, wanted: &str, older: bool, effects: &mut Vec<Effect>) {
        let UpdateState::Offered { version, is_older } = &self.state.update else {
            return effects.push(Effect::Say(format!("{wanted} is not installed: no update is offered")));
        };
        if version != wanted || self.work.is_some() {
            return effects.push(Effect::Say(format!("{wanted} is not installed: {version} is offered")));
        }
        if *is_older && !older {
            let text = format!("{version} is installed only if an administrator allows it");
            return self.refuse(Refusal::new(Code::UpdateOlder, text));
        }
        self.state.update = UpdateState::Installing { version: version.clone(), percent: 0 };
        // What is in the other slot is about to be written over.
        self.state.other_version = None;
        self.begin(Work::Installing, effects);
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.state.update = UpdateState::Refused { code: refusal.code.into(), text: refusal.text };
    }

    fn worked(&mut self, effects: &mut Vec<Effect>) {
        self.work = None;
        if std::mem::take(&mut self.must_look_again) {
            self.begin(Work::Looking, effects);
        }
    }

    pub(super) fn looked(&mut self, looked: Looked, effects: &mut Vec<Effect>) {
        match looked {
            // What is known of the last one stays known, but for an offer that is gone.
            Looked::Nothing => {
                if let UpdateState::Offered { .. } = self.state.update {
                    self.state.update = UpdateState::None;
                }
            }
            // It is in the other slot, and the drive was put in once more.
            Looked::Offered { version, .. } if self.is_installed(&version) => {}
            Looked::Offered { version, is_older } => self.state.update = UpdateState::Offered { version, is_older },
            Looked::Refused(refusal) => self.refuse(refusal),
        }
        self.worked(effects);
    }

    fn is_installed(&self, wanted: &str) -> bool {
        matches!(&self.state.update, UpdateState::Installed { version } if version == wanted)
    }

    pub(super) fn percent(&mut self, done: u8) {
        if let UpdateState::Installing { percent, .. } = &mut self.state.update {
            *percent = (*percent).max(done.min(100));
        }
    }

    pub(super) fn installed(&mut self, ended: Result<(), Refusal>, effects: &mut Vec<Effect>) {
        match (ended, &self.state.update) {
            (Ok(()), UpdateState::Installing { version, .. }) => {
                let version = version.clone();
                self.state.other_version = Some(version.clone());
                self.state.update = UpdateState::Installed { version };
            }
            (Ok(()), _) => {}
            (Err(refusal), _) => self.refuse(refusal),
        }
        self.worked(effects);
    }

    pub(super) fn data_made(&mut self, now_ms: u64, made: Result<(), String>, effects: &mut Vec<Effect>) {
        match made {
            Ok(()) => self.state.data = DataState::Good,
            Err(why) => effects.push(Effect::Say(format!("the disk for data could not be made anew: {why}"))),
        }
        if self.then == Then::MakeDataAnew {
            self.then = Then::StartAgain;
            self.start_station(now_ms, effects);
        }
    }
}
