// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The end of a batch.

use super::{primary, shown};
use crate::icon::Icon;
use crate::page::{Action, Body, Page, Summary};
use crate::palette::Colour;
use crate::station::Outcome;
use crate::ui::Ui;
use crate::words::Word;

impl Ui {
    pub(super) fn summary_page(&self) -> Page {
        let Some(finished) = &self.finished else { return self.home_page() };
        let state = &finished.state;
        let rest = match (state.failed, state.refused) {
            (0, 0) => self.say(Word::NothingElse),
            (failed, refused) => {
                self.fill(Word::SetAsideAndRefused, &[("n", &failed.to_string()), ("m", &refused.to_string())])
            }
        };
        let summary = Summary {
            good: state.good.to_string(),
            label: self.say(Word::GoodDrivesBelow),
            proof: self.say(Word::AllReadBack),
            medium: self.batch_medium(state),
            rest,
            rows: finished.outcomes.iter().map(|outcome| self.outcome(outcome)).collect(),
            page: self.layer().page,
        };
        Page {
            title: self.say(Word::BatchFinished),
            corner: self.clock.clone(),
            has_back: false,
            body: Body::Summary(Box::new(summary)),
            buttons: vec![primary(self.say(Word::NextBatch), Action::Back)],
        }
    }

    fn outcome(&self, outcome: &Outcome) -> (Icon, Colour, String, String, String) {
        let (icon, colour) = match outcome.is_bad {
            true => (Icon::Failed, Colour::Bad),
            false => (Icon::Refused, Colour::Try),
        };
        let why = match (outcome.is_bad, &outcome.code) {
            (true, Some(code)) => self.catalogue.short(code).what.trim_end_matches('.').to_owned(),
            (_, code) => self.catalogue.why(code.as_ref()),
        };
        (icon, colour, outcome.port.clone(), why, serial_end(&outcome.serial))
    }
}

/// The last four characters, by which a drive is found again.
pub(super) fn serial_end(serial: &str) -> String {
    let characters: Vec<char> = shown(serial).chars().collect();
    characters[characters.len().saturating_sub(4)..].iter().collect()
}
