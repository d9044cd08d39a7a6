// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From the station's state and the screen that is open to what is to be shown, in words.

mod batch;
mod lists;
mod media;
mod port;
mod service;
mod setup;
mod start;
mod system;

use platen_events::{AnyCode, BatchState};

use crate::icon::Icon;
use crate::page::{Action, Body, Button, Form, Message, Page};
use crate::request::Medium;
use crate::screen::Screen;
use crate::ui::Ui;
use crate::words::Word;

impl Ui {
    /// What is to be shown now.
    pub(crate) fn page(&self) -> Page {
        if let Some(label) = self.calls() {
            return self.attention(&label);
        }
        match &self.layer().screen {
            Screen::Home => self.home_page(),
            Screen::Port(label) => self.port_page(label),
            Screen::Message(label) => self.message_page(label),
            Screen::Menu => self.menu_page(),
            Screen::Media { port, chosen } => self.media_page(port.as_ref(), *chosen),
            Screen::Medium { port, index } => self.medium_page(port.as_ref(), *index),
            Screen::HowMany { typed, .. } => self.how_many_page(typed),
            Screen::Pin(pin) => self.pin_page(pin),
            Screen::Summary => self.summary_page(),
            Screen::Languages { is_first } => self.languages_page(*is_first),
            Screen::Setup(step) => self.setup_page(*step),
            Screen::Learn(index) => self.learn_page(*index),
            Screen::Settings => self.settings_page(),
            Screen::Brightness => self.brightness_page(),
            Screen::Sound => self.sound_page(),
            Screen::Hand => self.hand_page(),
            Screen::Pins => self.pins_page(),
            Screen::History { .. } => self.history_page(),
            Screen::Search { typed } => self.search_page(typed),
            Screen::Import => self.import_page(),
            Screen::About => self.about_page(),
            Screen::System => self.system_page(),
            Screen::Service => self.service_page(),
            Screen::Test(test) => self.test_page(test),
            Screen::Confirm(confirm) => self.confirm_page(confirm),
            Screen::Notice { code, text } => self.notice_page(code.as_ref(), text),
        }
    }

    pub(super) fn say(&self, word: Word) -> String {
        self.catalogue.say(word).to_owned()
    }

    pub(super) fn fill(&self, word: Word, values: &[(&str, &str)]) -> String {
        self.catalogue.fill(word, values)
    }

    /// A page below the first line with a way back.
    pub(super) fn titled(&self, title: String, body: Body, buttons: Vec<Button>) -> Page {
        Page { title, corner: self.clock.clone(), has_back: true, body, buttons }
    }

    /// The medium of this number, as far as it is known.
    pub(super) fn medium(&self, name: &str) -> Option<&Medium> {
        self.media.as_ref()?.iter().find(|medium| medium.medium == name)
    }

    /// What people call a medium, and its version.
    pub(super) fn named(&self, name: &str) -> (String, String) {
        match self.medium(name).filter(|medium| !medium.title.is_empty()) {
            Some(medium) => (shown(&medium.title), shown(&medium.version)),
            None => (shown(name), String::new()),
        }
    }

    /// The medium that a batch makes, and its version.
    pub(super) fn batch_medium(&self, batch: &BatchState) -> (String, String) {
        batch.work.medium.as_ref().map(|medium| self.named(medium)).unwrap_or_default()
    }

    fn notice_page(&self, code: Option<&AnyCode>, text: &str) -> Page {
        let (what, todo, short) = match code {
            Some(code) => {
                let (long, short) = (self.catalogue.sentences(code), self.catalogue.short(code));
                (long.what, long.todo, [short.what, short.todo])
            }
            None => {
                let [what, todo] = [self.say(Word::NotDone), self.say(Word::NotDoneTodo)];
                let what_long = if text.is_empty() { what.clone() } else { capital(&shown(text)) };
                (what_long, todo, [self.say(Word::MonoNotDone), self.say(Word::MonoNotDoneTodo)])
            }
        };
        let [short_what, short_todo] = short;
        let message = Message {
            form: Form::Framed,
            port: None,
            map: None,
            what: [what, short_what],
            todo: [todo, short_todo],
            icon: None,
            verdict: (Icon::Retry, self.say(Word::VerdictTryAgain)),
            code: code.map(ToString::to_string).unwrap_or_default(),
        };
        let buttons = vec![primary(self.say(Word::Ok), Action::Back)];
        Page::of_message(message, buttons)
    }
}

/// The one blue button.
pub(super) fn primary(text: String, action: Action) -> Button {
    Button { icon: None, text, action, is_primary: true }
}

/// Another button.
pub(super) fn secondary(icon: Option<Icon>, text: String, action: Action) -> Button {
    Button { icon, text, action, is_primary: false }
}

pub(super) fn open(screen: Screen) -> Action {
    Action::Open(Box::new(screen))
}

/// Text from outside, fit to be shown: what shows itself, and what the panel has letters for as well as it can.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(120).map(|c| if platen_events::is_plain(c) { c } else { '·' }).collect()
}

/// The day of a time, as RFC 3339 has it.
pub(super) fn day(time: &str) -> String {
    shown(time).chars().take(10).collect()
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// A size as printed on drives: powers of ten.
pub(super) fn drive_size(bytes: u64) -> String {
    match bytes / 1_000_000_000 {
        0 => format!("{} MB", bytes / 1_000_000),
        gb => format!("{gb} GB"),
    }
}

/// A size of content: powers of two, with a decimal below ten.
pub(super) fn content_size(bytes: u64) -> String {
    let (mib, gib) = (bytes >> 20, bytes as f64 / f64::from(1 << 30));
    match gib {
        _ if mib < 1024 => format!("{mib} MiB"),
        gib if gib < 10.0 => format!("{gib:.1} GiB"),
        gib => format!("{gib:.0} GiB"),
    }
}
