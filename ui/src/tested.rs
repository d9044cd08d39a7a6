// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How the tests of the panel and what is around it go on.

use crate::request::{Request, Wish};
use crate::screen::{Screen, Test};
use crate::ui::Ui;

/// Full panels of the colour test.
pub(crate) const COLOURS: usize = 6;

impl Ui {
    pub(crate) fn light(&mut self, index: usize) {
        if let Some(label) = self.station.labels().get(index) {
            self.wishes.push(Wish::Light(label.clone()));
        }
    }

    pub(crate) fn keys_tested(&mut self) {
        if let Screen::Test(test @ Test::Keys([true, true, true])) = self.layer().screen.clone() {
            self.passed[test.index()] = Some(true);
            self.back();
        }
    }

    /// A drive was seen in this port: one more of those that are tested.
    pub(crate) fn port_tested(&mut self, port: &str) {
        let labels = self.station.labels();
        let Screen::Test(Test::Ports { seen, .. }) = &mut self.top().screen else { return };
        // A drive beside the ports of the map is in none of them.
        if !labels.iter().any(|label| label == port) {
            return;
        }
        seen.retain(|label| label != port);
        seen.push(port.to_owned());
        let is_done = seen.len() == labels.len();
        self.wishes.push(Wish::Light(port.to_owned()));
        if is_done {
            self.judged(true);
        }
    }

    /// What was paused for a test goes on.
    pub(crate) fn resume_after(&mut self, test: &Test) {
        if let Test::Ports { resumes: true, .. } = test {
            self.ask(Request::Resume { ports: Vec::new() });
        }
    }

    pub(crate) fn judged(&mut self, is_good: bool) {
        let Screen::Test(test) = self.layer().screen.clone() else { return };
        let next = match test {
            Test::Colour(index) if index + 1 < COLOURS => Some(Test::Colour(index + 1)),
            Test::Touch(index) if index < 4 => Some(Test::Touch(index + 1)),
            Test::Light(index) if is_good && index + 1 < self.station.labels().len() => Some(Test::Light(index + 1)),
            _ => None,
        };
        match next {
            Some(test) => self.instead(Screen::Test(test)),
            None => {
                self.passed[test.index()] = Some(is_good);
                self.back();
            }
        }
    }
}
