// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A port: its tile, its facts, its message, and the call across the room.

use platen_events::{Advice, JobKind};

use super::{drive_size, open, primary, secondary, shown};
use crate::board::Plan;
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Attention, Body, Facts, Form, Message, Page, Rows, Tile};
use crate::request::Sound;
use crate::screen::{Confirm, Screen};
use crate::station::{Port, State, advice};
use crate::ui::Ui;
use crate::words::Word;

impl Ui {
    /// Where the ports stand on this panel.
    pub(super) fn plan(&self) -> Plan {
        let metrics = self.metrics();
        let is_flat = matches!(metrics.class, Class::Tall | Class::Half | Class::Mono);
        Plan::new(&self.board.places, &self.station.labels(), metrics.is_tall(), is_flat)
    }

    fn place_of(&self, label: &str) -> (Plan, usize) {
        let index = self.station.labels().iter().position(|known| known == label);
        (self.plan(), index.unwrap_or(usize::MAX))
    }

    fn find_port(&self, label: &str) -> Option<Port> {
        self.station.ports(self.now_ms).into_iter().find(|port| port.label == label)
    }

    pub(super) fn tile(&self, port: &Port) -> Tile {
        let say = |word| self.say(word);
        let (form, icon, words) = self.looks(&port.state);
        let todo = match &port.state {
            State::Ready(_) => [say(Word::Remove), say(Word::MonoPull)],
            State::Failed(_) => [say(Word::SetAside), say(Word::MonoPull)],
            State::Retry(code) => [self.catalogue.why(Some(code)), say(Word::MonoPutBack)],
            // Not the drive is at fault: only the station's log says more.
            State::Refused(None) => [say(Word::Remove), say(Word::MonoPull)],
            State::Refused(code) => [self.catalogue.why(code.as_ref()), say(Word::MonoPull)],
            _ => Default::default(),
        };
        let left = port.left_s.map(|seconds| self.catalogue.duration(seconds));
        let left = left.map_or_else(Default::default, |time| [self.fill(Word::Left, &[("t", &time)]), time]);
        let is_working = matches!(
            port.state,
            State::Checking | State::Writing | State::Restarting | State::ReadingBack | State::Paused
        );
        let action = match &port.state {
            state if state.asks().is_some() => open(Screen::Message(port.label.clone())),
            State::Waiting => open(Screen::Media { port: Some(port.label.clone()), chosen: 0 }),
            _ => open(Screen::Port(port.label.clone())),
        };
        let shows_percent = matches!(port.state, State::Writing | State::ReadingBack | State::Restarting);
        Tile {
            label: port.label.clone(),
            form,
            icon,
            words,
            todo,
            code: port.state.code().map(ToString::to_string).unwrap_or_default(),
            percent: port.percent.filter(|_| shows_percent),
            left: if is_working { left } else { Default::default() },
            halves: is_working.then_some(port.halves),
            is_cut: port.state == State::Restarting,
            action,
        }
    }

    /// Form, sign and words of a state.
    fn looks(&self, state: &State) -> (Form, Icon, [String; 3]) {
        let say = |words: [Word; 3]| words.map(|word| self.say(word));
        match state {
            State::Empty { is_armed: true } => {
                (Form::Outline, Icon::Port, say([Word::Insert, Word::Insert, Word::MonoInsert]))
            }
            State::Empty { is_armed: false } => {
                (Form::Outline, Icon::Port, say([Word::Empty, Word::Empty, Word::MonoEmpty]))
            }
            State::Waiting => (Form::Plain, Icon::Next, say([Word::ChooseTile, Word::ChooseTile, Word::MonoChoose])),
            State::Checking => {
                (Form::Plain, Icon::Checking, self.words([Word::Checking, Word::SmallChecking], Word::MonoChecking))
            }
            State::Writing => {
                (Form::Plain, Icon::Writing, self.words([Word::Writing, Word::Writing], Word::MonoWriting))
            }
            State::Restarting => {
                (Form::Plain, Icon::Power, self.words([Word::Restarting, Word::SmallRestarting], Word::MonoRestarting))
            }
            State::ReadingBack => (
                Form::Plain,
                Icon::ReadingBack,
                self.words([Word::LongReadingBack, Word::SmallReadingBack], Word::MonoReadingBack),
            ),
            State::Paused => (Form::Quiet, Icon::Paused, self.words([Word::Paused, Word::Paused], Word::MonoPaused)),
            State::Ready(kind) => {
                let word = match kind {
                    JobKind::EraseQuick | JobKind::EraseFull => Word::Erased,
                    JobKind::Test => Word::Tested,
                    JobKind::Verify => Word::Verified,
                    JobKind::ReadMaster | JobKind::Import => Word::Read,
                    JobKind::Write | JobKind::Update | JobKind::Unknown => Word::Ready,
                };
                (Form::Ready, Icon::Ready, self.words([word, word], Word::MonoReady))
            }
            State::Retry(_) => (Form::Framed, Icon::Retry, self.words([Word::Retry, Word::Retry], Word::MonoRetry)),
            State::Refused(_) => {
                (Form::Framed, Icon::Refused, self.words([Word::Refused, Word::Refused], Word::MonoRefused))
            }
            State::Failed(_) => (Form::Bad, Icon::Failed, self.words([Word::Failed, Word::Failed], Word::MonoFailed)),
        }
    }

    /// The shortest word is another one on panels of one bit.
    fn words(&self, [long, small]: [Word; 2], mono: Word) -> [String; 3] {
        let short = if self.metrics().is_mono() { mono } else { small };
        let middle = if long == Word::LongReadingBack { small } else { long };
        [long, middle, short].map(|word| self.say(word))
    }

    pub(super) fn port_page(&self, label: &str) -> Page {
        let title = self.fill(Word::PortNumber, &[("n", label)]);
        let Some(port) = self.find_port(label).filter(|port| port.drive.is_some()) else {
            let empty = (self.say(Word::NoDrive), self.say(Word::NoDriveTodo));
            let rows = Rows { rows: Vec::new(), page: 0, empty, as_tiles: false, side: None };
            let light = secondary(
                Some(Icon::Light),
                self.fill(Word::LightPort, &[("n", label)]),
                Action::Light(label.to_owned()),
            );
            return self.titled(title, Body::Rows(rows), vec![light]);
        };
        let tile = self.tile(&port);
        let word = tile.words[0].clone();
        let mut facts = Vec::new();
        let mut fact = |name: Word, value: Option<String>| {
            facts.extend(value.map(|value| (self.say(name), value)));
        };
        let size = port.says.size_bytes.map(drive_size);
        let model = port.says.model.as_deref().map(shown);
        let drive = [model, size].into_iter().flatten().collect::<Vec<_>>().join(", ");
        fact(Word::LabelDrive, Some(drive).filter(|drive| !drive.is_empty()));
        fact(Word::LabelSerial, port.says.serial.as_deref().map(shown));
        fact(Word::LabelSpeed, port.speed.map(|speed| format!("{} MiB/s", speed >> 20)));
        let cut = match port.returned {
            Some(true) => Word::PowerConfirmed,
            Some(false) => Word::PowerLost,
            None => Word::PowerNotYet,
        };
        fact(Word::LabelPowerCut, Some(self.say(cut)));
        fact(Word::LabelMedium, port.medium.as_ref().map(|medium| self.named(medium).0));
        let of = Facts { facts, port: Some((tile, word, self.place_of(label))), ..Facts::default() };
        let light =
            secondary(Some(Icon::Light), self.fill(Word::LightPort, &[("n", label)]), Action::Light(label.to_owned()));
        let is_running =
            matches!(port.state, State::Checking | State::Writing | State::Restarting | State::ReadingBack);
        let stop = is_running.then(|| {
            secondary(
                Some(Icon::Stop),
                self.say(Word::StopDrive),
                open(Screen::Confirm(Confirm::Stop(label.to_owned()))),
            )
        });
        let choose = (port.state == State::Waiting)
            .then(|| primary(self.say(Word::Choose), open(Screen::Media { port: Some(label.to_owned()), chosen: 0 })));
        let buttons = [Some(light), stop, choose].into_iter().flatten().collect();
        self.titled(title, Body::Facts(Box::new(of)), buttons)
    }

    pub(super) fn message_page(&self, label: &str) -> Page {
        let Some(port) = self.find_port(label) else { return self.port_page(label) };
        let tile = self.tile(&port);
        let code = port.state.code();
        let (long, short) = match (code, &port.state) {
            (Some(code), _) => (self.catalogue.sentences(code), self.catalogue.short(code)),
            (None, State::Ready(_)) => {
                let said = |what: String| crate::words::Sentences {
                    what,
                    todo: self.fill(Word::PullFromPort, &[("n", label)]),
                };
                let short = crate::words::Sentences { what: self.say(Word::Good), todo: self.say(Word::Remove) };
                (said(self.say(Word::AllReadBack)), short)
            }
            _ => {
                let what = self.say(Word::FailedCodeFree);
                let todo = self.fill(Word::PullFromPort, &[("n", label)]);
                (crate::words::Sentences { what, todo }, self.catalogue.short(&platen_events::Code::CannotOpen.into()))
            }
        };
        let (verdict, icon) = match &port.state {
            State::Ready(_) => (Word::VerdictReady, Some(Icon::Pull)),
            State::Failed(_) => (Word::VerdictNotUsable, Some(Icon::Pull)),
            _ if advice(code) == Some(Advice::PullAndSetAside) => (Word::VerdictNotUsable, Some(Icon::Pull)),
            State::Retry(_) if port.drive.is_none() => (Word::VerdictTryAgain, Some(Icon::Insert)),
            _ => (Word::VerdictTryAgain, Some(Icon::Pull)),
        };
        let message = Message {
            form: tile.form,
            port: Some((self.say(Word::Port), label.to_owned())),
            map: Some(self.place_of(label)).filter(|(_, index)| *index != usize::MAX),
            what: [long.what, short.what],
            todo: [long.todo, short.todo],
            icon,
            verdict: (tile.icon, self.say(verdict)),
            code: tile.code,
        };
        let light =
            secondary(Some(Icon::Light), self.fill(Word::LightPort, &[("n", label)]), Action::Light(label.to_owned()));
        let buttons = vec![light, primary(self.say(Word::Ok), Action::Seen(label.to_owned()))];
        Page::of_message(message, buttons)
    }

    pub(super) fn attention(&self, label: &str) -> Page {
        let Some(port) = self.find_port(label) else { return self.home_page() };
        let tile = self.tile(&port);
        let word = match &port.state {
            State::Failed(_) => self.say(Word::SetAside),
            _ => tile.words[0].clone(),
        };
        let waiting = self.station.asking(self.now_ms, 0).len().saturating_sub(1);
        let also = match waiting {
            0 => String::new(),
            waiting => self.fill(Word::AlsoWaiting, &[("n", &waiting.to_string())]),
        };
        let todo = match &port.state {
            State::Retry(code) => self.catalogue.sentences(code).todo,
            _ => self.fill(Word::PullFromPort, &[("n", label)]),
        };
        let call = Attention { tile, word, todo, also, map: self.place_of(label) };
        Page {
            title: String::new(),
            corner: String::new(),
            has_back: false,
            body: Body::Attention(Box::new(call)),
            buttons: Vec::new(),
        }
    }

    pub(super) fn sound_word(&self, sound: Sound) -> String {
        self.say(match sound {
            Sound::Off => Word::SoundOff,
            Sound::Quiet => Word::SoundQuiet,
            Sound::Full => Word::SoundFull,
        })
    }
}
