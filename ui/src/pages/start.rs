// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! All ports, the menu, and what is asked before it is done.

use super::{open, primary, secondary};
use crate::act::confirmed;
use crate::icon::Icon;
use crate::page::{Action, Body, Button, Count, Grid, Page, Row, Rows, Statement};
use crate::palette::Colour;
use crate::request::Request;
use crate::screen::{Confirm, Screen};
use crate::station::State;
use crate::ui::Ui;
use crate::words::Word;

impl Ui {
    pub(super) fn home_page(&self) -> Page {
        let ports = self.station.ports(self.now_ms);
        let batch = self.station.batch(self.now_ms);
        let (title, version) = match &batch {
            Some((_, batch, _)) if batch.work.medium.is_some() => self.batch_medium(batch),
            _ => (self.say(Word::Platen), String::new()),
        };
        let used: Vec<_> = self.station.record().ports().values().collect();
        let is_paused = !used.is_empty() && used.iter().all(|used| used.is_paused);
        let is_armed = used.iter().any(|used| used.mode == platen_events::PortMode::Armed);
        let mode = match (is_paused, is_armed) {
            (true, _) => (Some(Icon::Paused), self.say(Word::SomePaused)),
            (false, true) => (Some(Icon::Armed), self.say(Word::Armed)),
            (false, false) => (None, self.say(Word::NotArmed)),
        };
        let all_empty = ports.iter().all(|port| matches!(port.state, State::Empty { .. }));
        let invitation = all_empty.then(|| match is_armed {
            true => (self.say(Word::InsertDrives), self.say(Word::StartsAtOnce)),
            false => (self.say(Word::ChooseWhat), self.say(Word::NothingStarts)),
        });
        let grid = Grid {
            version,
            mode,
            invitation,
            tiles: ports.iter().map(|port| self.tile(port)).collect(),
            plan: self.plan(),
            count: batch.map(|(_, state, left_s)| self.count(state, left_s)),
            page: self.layer().page,
        };
        let menu = secondary(Some(Icon::Menu), self.say(Word::Menu), open(Screen::Menu));
        let all = Vec::new;
        let first = match (is_armed, is_paused, all_empty) {
            (_, true, _) => {
                let go_on = Action::Ask(Box::new(Request::Resume { ports: all() }));
                secondary(Some(Icon::Armed), self.say(Word::Resume), go_on)
            }
            (false, ..) => {
                let choose = open(Screen::Media { port: None, chosen: 0 });
                Button { icon: Some(Icon::Armed), ..primary(self.say(Word::Choose), choose) }
            }
            (true, false, true) => {
                secondary(Some(Icon::Stop), self.say(Word::Disarm), open(Screen::Confirm(Confirm::Disarm)))
            }
            (true, false, false) => {
                let pause = Action::Ask(Box::new(Request::Pause { ports: all() }));
                secondary(Some(Icon::Paused), self.say(Word::Pause), pause)
            }
        };
        let (corner, buttons) = (self.clock.clone(), vec![first, menu]);
        Page { title, corner, has_back: false, body: Body::Grid(Box::new(grid)), buttons }
    }

    fn count(&self, state: &platen_events::BatchState, left_s: Option<u64>) -> Count {
        let wanted = state.wanted.map(|wanted| wanted.to_string());
        let of = |word| wanted.as_ref().map(|wanted| self.fill(word, &[("n", wanted)]));
        let time = left_s.map(|seconds| self.catalogue.duration(seconds)).unwrap_or_default();
        let left = |word| if time.is_empty() { String::new() } else { self.fill(word, &[("t", &time)]) };
        let number = |count: u32, word| (count, self.fill(word, &[("n", &count.to_string())]));
        Count {
            label: self.say(Word::GoodDrives),
            good: state.good.to_string(),
            of: of(Word::OfMany).unwrap_or_default(),
            of_good: of(Word::OfManyGood).unwrap_or_else(|| self.say(Word::Good)),
            part: state.wanted.map(|wanted| (u64::from(state.good) * 1000 / u64::from(wanted.max(1))).min(1000) as u16),
            about_left: left(Word::AboutLeft),
            left: left(Word::Left),
            brief_left: time.clone(),
            set_aside: number(state.failed, Word::SetAsideCount),
            refused: number(state.refused, Word::RefusedCount),
        }
    }

    pub(super) fn menu_page(&self) -> Page {
        let used: Vec<_> = self.station.record().ports().values().collect();
        let is_paused = used.iter().any(|used| used.is_paused);
        let is_armed = used.iter().any(|used| used.mode == platen_events::PortMode::Armed);
        let ask = |request: Request| Action::Ask(Box::new(request));
        let all = Vec::new;
        let pause = match is_paused {
            true => (Icon::Armed, Word::Resume, ask(Request::Resume { ports: all() })),
            false => (Icon::Paused, Word::Pause, ask(Request::Pause { ports: all() })),
        };
        let disarm = (Icon::Stop, Word::Disarm, open(Screen::Confirm(Confirm::Disarm)));
        let shut_down = (Icon::Power, Word::ShutDown, open(Screen::Confirm(Confirm::ShutDown)));
        let entries = [
            Some((Icon::Ready, Word::ChooseWhat, open(Screen::Media { port: None, chosen: 0 }))),
            Some(pause),
            is_armed.then_some(disarm),
            Some((Icon::Clock, Word::History, open(Screen::History { serial: None }))),
            Some((Icon::Import, Word::Import, open(Screen::Import))),
            Some((Icon::Ports, Word::Settings, open(Screen::Settings))),
            Some((Icon::Light, Word::Service, open(Screen::Service))),
            Some((Icon::About, Word::About, open(Screen::About))),
        ];
        let row = |(icon, word, action)| Row {
            icon: Some((icon, Colour::Accent)),
            name: self.say(word),
            second: String::new(),
            action: Some(action),
            is_chosen: false,
        };
        let rows = entries.into_iter().flatten().map(row).chain(self.system_row()).chain([row(shut_down)]).collect();
        let list = Rows { rows, page: self.layer().page, empty: Default::default(), as_tiles: true, side: None };
        self.titled(self.say(Word::Menu), Body::Rows(list), Vec::new())
    }

    pub(super) fn confirm_page(&self, confirm: &Confirm) -> Page {
        let (title, note, button) = match confirm {
            Confirm::Stop(port) => (self.fill(Word::StopQuestion, &[("n", port)]), Word::StopNote, Word::Stop),
            Confirm::Disarm => (self.say(Word::DisarmQuestion), Word::DisarmNote, Word::Disarm),
            Confirm::ShutDown => (self.say(Word::ShutDownQuestion), Word::ShutDownNote, Word::ShutDown),
            Confirm::Restart => (self.say(Word::RestartQuestion), Word::ShutDownNote, Word::Restart),
            Confirm::DataAnew => (self.say(Word::DataAnewQuestion), Word::DataAnewNote, Word::DataAnew),
        };
        let statement = Statement { icon: None, title, note: self.say(note), part: None };
        // The harmless one is where the focus begins.
        let buttons = vec![
            secondary(None, self.say(button), Action::Ask(Box::new(confirmed(confirm)))),
            primary(self.say(Word::Back), Action::Back),
        ];
        self.titled(String::new(), Body::Statement(statement), buttons)
    }
}
