// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Tests of the panel and what is around it.

use super::{open, primary, secondary};
use crate::icon::Icon;
use crate::page::{Action, Body, Page, Row, Rows, Statement};
use crate::palette::Colour;
use crate::screen::{Screen, Test};
use crate::ui::Ui;
use crate::words::Word;

/// Red, green and blue as far as the palette has them, light, dark, and grey.
const FIELDS: [Colour; crate::tested::COLOURS] =
    [Colour::Bad, Colour::Ready, Colour::Accent, Colour::Text, Colour::Ink, Colour::Quiet];

impl Ui {
    pub(super) fn service_page(&self) -> Page {
        let names =
            [Word::TestColour, Word::TestTouch, Word::TestKeys, Word::TestLight, Word::TestSound, Word::TestPorts];
        let signs = [Icon::Brightness, Icon::Insert, Icon::Menu, Icon::Light, Icon::Sound, Icon::Ports];
        let row = |test: Test| {
            let index = test.index();
            let (icon, second) = match self.passed[index] {
                Some(true) => ((Icon::Ready, Colour::Ready), Word::Passed),
                Some(false) => ((Icon::Failed, Colour::Bad), Word::NotPassed),
                None => ((signs[index], Colour::Accent), Word::NotRun),
            };
            Row {
                icon: Some(icon),
                name: self.say(names[index]),
                second: self.say(second),
                action: Some(open(Screen::Test(test))),
                is_chosen: false,
            }
        };
        let rows = Test::ALL.into_iter().map(row).collect();
        let list = Rows { rows, page: self.layer().page, empty: Default::default(), as_tiles: true, side: None };
        self.titled(self.say(Word::Service), Body::Rows(list), Vec::new())
    }

    pub(super) fn test_page(&self, test: &Test) -> Page {
        let asked = |icon: Icon, title: String, again: Option<Action>| {
            let mut buttons = vec![
                secondary(None, self.say(Word::No), Action::Judge(false)),
                primary(self.say(Word::Yes), Action::Judge(true)),
            ];
            if let Some(again) = again {
                buttons.insert(0, secondary(Some(icon), String::new(), again));
            }
            let statement = Statement { icon: Some((icon, Colour::Accent)), title, note: String::new(), part: None };
            self.titled(self.say(Word::Service), Body::Statement(statement), buttons)
        };
        match test {
            Test::Colour(index) => {
                let body = Body::Field(FIELDS[(*index).min(FIELDS.len() - 1)]);
                Page { title: String::new(), corner: String::new(), has_back: false, body, buttons: Vec::new() }
            }
            Test::Touch(corner) => {
                let body = Body::Cross(*corner);
                let title = self.say(Word::TouchCrosses);
                Page { title, corner: String::new(), has_back: false, body, buttons: Vec::new() }
            }
            Test::Keys(pressed) => {
                let keys = [Word::KeyPrevious, Word::KeyChoose, Word::KeyNext];
                let left: Vec<String> = keys
                    .into_iter()
                    .zip(pressed)
                    .filter(|(_, pressed)| !**pressed)
                    .map(|(word, _)| self.say(word))
                    .collect();
                let statement = Statement {
                    icon: Some((Icon::Menu, Colour::Accent)),
                    title: self.say(Word::KeysPress),
                    note: left.join(", "),
                    part: None,
                };
                self.titled(self.say(Word::Service), Body::Statement(statement), Vec::new())
            }
            Test::Light(index) => {
                let label = self.station.labels().get(*index).cloned().unwrap_or_default();
                let title = self.fill(Word::LightQuestion, &[("n", &label)]);
                asked(Icon::Light, title, None)
            }
            Test::Sound => asked(Icon::Sound, self.say(Word::SoundQuestion), Some(Action::Tone)),
            Test::Ports { seen, .. } => {
                let invitation = self.say(Word::PortsInsert);
                let (title, note) = match seen.last() {
                    Some(port) => (self.fill(Word::PortNumber, &[("n", port)]), invitation),
                    None => (invitation, String::new()),
                };
                let count = self.station.labels().len();
                let part = Some((seen.len() * 1000 / count.max(1)).min(1000) as u16);
                let statement = Statement { icon: Some((Icon::Insert, Colour::Accent)), title, note, part };
                let buttons = vec![secondary(None, self.say(Word::NotPassed), Action::Judge(false))];
                let mut page = self.titled(self.say(Word::Service), Body::Statement(statement), buttons);
                page.corner = self.fill(Word::PageOf, &[("n", &seen.len().to_string()), ("m", &count.to_string())]);
                page
            }
        }
    }
}
