// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Language, PINs, ports: the first start, and the same later.

use super::{open, primary, secondary};
use crate::icon::Icon;
use crate::page::{Action, Body, Keypad, Page, Row, Rows, Statement};
use crate::palette::Colour;
use crate::request::Role;
use crate::screen::{Pin, Screen};
use crate::ui::Ui;
use crate::words::{Catalogue, Language, Word};

impl Ui {
    pub(super) fn languages_page(&self, is_first: bool) -> Page {
        let catalogues: Vec<(Language, Catalogue)> =
            Language::ALL.into_iter().map(|language| (language, Catalogue::of(language))).collect();
        let all = catalogues.iter().map(|(language, it)| (*language, it.name.clone(), it.start.clone())).collect();
        let invitations = catalogues.iter().map(|(_, it)| it.say(Word::ChooseLanguage).to_owned()).collect();
        let corner = match is_first {
            true => self.fill(Word::PageOf, &[("n", "1"), ("m", "4")]),
            false => self.clock.clone(),
        };
        let title = self.say(if is_first { Word::Platen } else { Word::Language });
        Page { title, corner, has_back: !is_first, body: Body::Languages(all, invitations), buttons: Vec::new() }
    }

    pub(super) fn setup_page(&self, step: u8) -> Page {
        let (icon, title, note, go) = match step {
            2 => {
                let pin = Pin {
                    role: Role::Administrator,
                    typed: String::new(),
                    then: None,
                    is_new: true,
                    was_wrong: false,
                    setup: Some(2),
                };
                (Icon::Lock, Word::SetupPins, Word::SetupPinsNote, Action::Turn(Box::new(Screen::Pin(pin))))
            }
            3 => (Icon::Ports, Word::SetupPorts, Word::SetupPortsNote, open(Screen::Learn(0))),
            _ => (Icon::Clock, Word::SetupClock, Word::SetupClockNote, Action::Home),
        };
        let title = match step {
            4 => format!("{}: {}", self.say(title), self.clock),
            _ => self.say(title),
        };
        let statement = Statement { icon: Some((icon, Colour::Accent)), title, note: self.say(note), part: None };
        let next = primary(self.say(if step == 4 { Word::Done } else { Word::Next }), go);
        let skip = secondary(None, self.say(Word::Skip), Action::Setup(step + 1));
        let mut page = self.titled(self.say(Word::Platen), Body::Statement(statement), vec![next]);
        if step < 4 {
            page.buttons.insert(0, skip);
        }
        page.corner = self.fill(Word::PageOf, &[("n", &step.to_string()), ("m", "4")]);
        page
    }

    pub(super) fn learn_page(&self, index: usize) -> Page {
        let labels = self.station.labels();
        let label = labels.get(index).cloned().unwrap_or_default();
        let statement = Statement {
            icon: Some((Icon::Insert, Colour::Accent)),
            title: self.fill(Word::LearnPort, &[("n", &label)]),
            note: self.fill(Word::LearnNote, &[("n", &label)]),
            part: Some((index * 1000 / labels.len().max(1)) as u16),
        };
        let mut page = self.titled(self.say(Word::Ports), Body::Statement(statement), Vec::new());
        page.corner = self.fill(Word::PageOf, &[("n", &(index + 1).to_string()), ("m", &labels.len().to_string())]);
        page
    }

    fn role(&self, role: Role) -> String {
        self.say(match role {
            Role::Technician => Word::Technician,
            Role::Operator => Word::Operator,
            Role::Administrator => Word::Administrator,
        })
    }

    pub(super) fn pin_page(&self, pin: &Pin) -> Page {
        let keypad = Keypad {
            title: self.say(if pin.is_new { Word::NewPin } else { Word::EnterPin }),
            typed: "•".repeat(pin.typed.chars().count()),
            note: self.say(if pin.was_wrong { Word::WrongPin } else { Word::PinNote }),
            keys: "1234567890".chars().collect(),
            more: None,
        };
        self.titled(self.role(pin.role), Body::Keypad(keypad), Vec::new())
    }

    pub(super) fn pins_page(&self) -> Page {
        let row = |role: Role| {
            let pin = Pin { role, typed: String::new(), then: None, is_new: true, was_wrong: false, setup: None };
            Row {
                icon: Some((Icon::Lock, Colour::Accent)),
                name: self.role(role),
                second: String::new(),
                action: Some(open(Screen::Pin(pin))),
                is_chosen: false,
            }
        };
        let rows = [Role::Administrator, Role::Operator, Role::Technician].map(row).to_vec();
        let list = Rows { rows, page: self.layer().page, empty: Default::default(), as_tiles: false, side: None };
        self.titled(self.say(Word::Pins), Body::Rows(list), Vec::new())
    }
}
