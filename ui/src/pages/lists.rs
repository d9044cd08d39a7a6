// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Settings, history, import, about.

use platen_events::{Action as Doing, AnyCode, JobKind, Work};

use super::batch::serial_end;
use super::{day, drive_size, open, secondary, shown};
use crate::icon::Icon;
use crate::page::{Action, Body, Facts, Keypad, Page, Row, Rows, Statement};
use crate::palette::Colour;
use crate::request::{Errand, Request, Sound};
use crate::screen::Screen;
use crate::station::{Port, State};
use crate::ui::Ui;
use crate::words::Word;

impl Ui {
    /// A list without a sign for what is missing.
    fn list(&self, title: Word, rows: Vec<Row>, as_tiles: bool) -> Page {
        let list = Rows { rows, page: self.layer().page, empty: Default::default(), as_tiles, side: None };
        self.titled(self.say(title), Body::Rows(list), Vec::new())
    }

    pub(super) fn settings_page(&self) -> Page {
        let count = self.station.labels().len().to_string();
        let hand = if self.settings.is_mirrored { Word::HandLeft } else { Word::HandRight };
        let percent = self.fill(Word::PercentOf, &[("n", &self.settings.brightness.to_string())]);
        let tests = self.fill(Word::TestsNote, &[("n", &crate::screen::Test::ALL.len().to_string())]);
        let entries = [
            (Icon::Language, Word::Language, self.catalogue.name.clone(), Screen::Languages { is_first: false }),
            (Icon::Brightness, Word::Brightness, percent, Screen::Brightness),
            (Icon::Sound, Word::Sound, self.sound_word(self.settings.sound), Screen::Sound),
            (Icon::Ports, Word::Ports, self.fill(Word::PortCount, &[("n", &count)]), Screen::Learn(0)),
            (Icon::Menu, Word::Hand, self.say(hand), Screen::Hand),
            (Icon::Lock, Word::Pins, self.say(Word::PinsNote), Screen::Pins),
            (Icon::Light, Word::Service, tests, Screen::Service),
            (Icon::About, Word::About, shown(&self.board.about.version), Screen::About),
        ];
        let row = |(icon, word, second, screen)| Row {
            icon: Some((icon, Colour::Accent)),
            name: self.say(word),
            second,
            action: Some(open(screen)),
            is_chosen: false,
        };
        let is_there = |screen: &Screen| self.panel.has_light || *screen != Screen::Brightness;
        let entries = entries.into_iter().filter(|(.., screen)| is_there(screen));
        self.list(Word::Settings, entries.map(row).collect(), true)
    }

    pub(super) fn brightness_page(&self) -> Page {
        let row = |percent: u8| Row {
            icon: None,
            name: self.fill(Word::PercentOf, &[("n", &percent.to_string())]),
            second: String::new(),
            action: Some(Action::Brightness(percent)),
            is_chosen: self.settings.brightness == percent,
        };
        self.list(Word::Brightness, [100, 80, 60, 40, 20].map(row).to_vec(), false)
    }

    pub(super) fn sound_page(&self) -> Page {
        let row = |sound: Sound| Row {
            icon: None,
            name: self.sound_word(sound),
            second: String::new(),
            action: Some(Action::Sound(sound)),
            is_chosen: self.settings.sound == sound,
        };
        self.list(Word::Sound, [Sound::Full, Sound::Quiet, Sound::Off].map(row).to_vec(), false)
    }

    pub(super) fn hand_page(&self) -> Page {
        let row = |(is_mirrored, word)| Row {
            icon: None,
            name: self.say(word),
            second: String::new(),
            action: Some(Action::Mirror(is_mirrored)),
            is_chosen: self.settings.is_mirrored == is_mirrored,
        };
        self.list(Word::Hand, [(false, Word::HandRight), (true, Word::HandLeft)].map(row).to_vec(), false)
    }

    pub(super) fn history_page(&self) -> Page {
        let rows = self.rows.as_deref().unwrap_or_default();
        let row = |row: &crate::request::Row| {
            let code: Option<AnyCode> = serde_code(&row.code);
            let (icon, colour) = match row.verdict.as_str() {
                "READY" | "ERASED" | "GOOD" | "VERIFIED" | "READ" => (Icon::Ready, Colour::Ready),
                "TRY AGAIN" => (Icon::Retry, Colour::Try),
                _ => (Icon::Failed, Colour::Bad),
            };
            let name = match &code {
                Some(code) => self.catalogue.short(code).what.trim_end_matches('.').to_owned(),
                None => self.named(&row.medium).0,
            };
            let second = [shown(&row.port), day(&row.finished), serial_end(&row.serial)];
            let second: Vec<String> = second.into_iter().filter(|part| !part.is_empty()).collect();
            Row { icon: Some((icon, colour)), name, second: second.join(" · "), action: None, is_chosen: false }
        };
        let rows: Vec<Row> = rows.iter().rev().map(row).collect();
        let empty = (self.say(Word::NoRows), self.say(Word::NoRowsTodo));
        let list = Rows { rows, page: self.layer().page, empty, as_tiles: false, side: None };
        let search = secondary(None, self.say(Word::Search), open(Screen::Search { typed: String::new() }));
        self.titled(self.say(Word::History), Body::Rows(list), vec![search])
    }

    pub(super) fn search_page(&self, typed: &str) -> Page {
        let is_second = self.layer().page % 2 == 1;
        let keypad = Keypad {
            title: self.say(Word::SearchSerial),
            typed: typed.to_owned(),
            note: String::new(),
            keys: if is_second { "GHIJKLMNOPQRSTUVWXYZ" } else { "123456789ABCDEF0" }.chars().collect(),
            more: Some(if is_second { ("0-F".to_owned(), 0) } else { ("G-Z".to_owned(), 1) }),
        };
        self.titled(self.say(Word::Search), Body::Keypad(keypad), Vec::new())
    }

    pub(super) fn import_page(&self) -> Page {
        let actions = self.station.record().actions();
        if let Some(import) = actions.get(&Doing::Import) {
            let part = import.done_bytes.saturating_mul(1000).checked_div(import.total_bytes).unwrap_or_default();
            let statement = Statement {
                icon: Some((Icon::Import, Colour::Accent)),
                title: self.say(Word::Importing),
                note: shown(&import.of),
                part: Some(part.min(1000) as u16),
            };
            return self.titled(self.say(Word::Import), Body::Statement(statement), Vec::new());
        }
        let row = |name: String, second: &str, request: Request| Row {
            icon: Some((Icon::Import, Colour::Accent)),
            name,
            second: shown(second),
            action: Some(Action::Ask(Box::new(request))),
            is_chosen: false,
        };
        let folder = |source: &crate::ui::Source| {
            let request = Request::Errand(Errand::Import { folder: source.folder.clone() });
            row(shown(&source.name), &source.folder, request)
        };
        // What is on a drive is seen when it is read. One that is worked on is nobody's source.
        let drive = |port: &Port| {
            let drive = port.drive.clone().filter(|_| matches!(port.state, State::Waiting | State::Retry(_)))?;
            let work = Work { kind: JobKind::Import, medium: None };
            let name = self.fill(Word::DriveInPort, &[("n", &port.label)]);
            let size = port.says.size_bytes.map(drive_size).unwrap_or_default();
            let model = port.says.model.clone().unwrap_or_default();
            let says: Vec<String> = [model, size].into_iter().filter(|part| !part.is_empty()).collect();
            Some(row(name, &says.join(" · "), Request::Start { port: port.label.clone(), drive, work }))
        };
        let empty = (self.say(Word::ImportNone), self.say(Word::ImportNoneTodo));
        let ports = self.station.ports(self.now_ms);
        let rows = ports.iter().filter_map(drive).chain(self.sources.iter().map(folder)).collect();
        let list = Rows { rows, page: self.layer().page, empty, as_tiles: false, side: None };
        self.titled(self.say(Word::Import), Body::Rows(list), Vec::new())
    }

    pub(super) fn about_page(&self) -> Page {
        let about = &self.board.about;
        let mut facts = vec![
            (self.say(Word::LabelStation), shown(&about.station)),
            (self.say(Word::LabelSoftware), shown(&about.version)),
            (self.say(Word::LabelStationKey), shown(&about.station_key)),
        ];
        facts.extend(about.author_keys.iter().map(|key| (self.say(Word::LabelAuthorKey), shown(key))));
        facts.push((self.say(Word::LabelLicence), self.say(Word::Licence)));
        facts.push((self.say(Word::Fonts), self.say(Word::FontLicence)));
        facts.retain(|(_, fact)| !fact.is_empty());
        self.titled(self.say(Word::About), Body::Facts(Box::new(Facts { facts, ..Facts::default() })), Vec::new())
    }
}

/// A code as the ledger has it.
fn serde_code(id: &str) -> Option<AnyCode> {
    let known = platen_events::Code::ALL.iter().find(|code| code.entry().id == id);
    known.map(|code| (*code).into())
}
