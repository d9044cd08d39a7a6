// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which medium, and how many.

use platen_events::{JobKind, Work};

use super::{content_size, day, open, primary, shown};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Body, Button, Facts, Keypad, Page, Row, Rows};
use crate::palette::Colour;
use crate::request::{Dates, Medium, Request};
use crate::screen::Screen;
use crate::ui::Ui;
use crate::words::Word;

/// What a file system needs besides the content, in parts of a hundred.
const OVERHEAD_PERCENT: u64 = 3;
/// Duplicates of foreign drives are named so by the station that made them.
const DUPLICATE: &str = "DUPLICATE-";
/// Drives are sold in these sizes, in powers of ten.
const SIZES_GB: [u64; 9] = [4, 8, 16, 32, 64, 128, 256, 512, 1024];

impl Ui {
    pub(super) fn media_page(&self, port: Option<&String>, chosen: usize) -> Page {
        let media = self.media.as_deref().unwrap_or_default();
        let chosen = chosen.min(media.len().saturating_sub(1));
        let has_side = matches!(self.metrics().class, Class::Wide | Class::Full);
        let row = |(index, medium): (usize, &Medium)| {
            let here = Screen::Media { port: port.cloned(), chosen: index };
            let action = match has_side {
                true => Action::Turn(Box::new(here)),
                false => open(Screen::Medium { port: port.cloned(), index }),
            };
            let hindrance = self.hindrance(medium);
            let icon = hindrance.as_ref().map(|_| (Icon::Refused, Colour::Try));
            let second = hindrance.unwrap_or_else(|| match self.not_yet(medium) {
                Some(from) => format!("{} · {from}", shown(&medium.version)),
                None => format!("{} · {}", self.kind(medium), shown(&medium.version)),
            });
            let is_chosen = has_side && index == chosen;
            Row { icon, name: title(medium), second, action: Some(action), is_chosen }
        };
        let rows: Vec<Row> = media.iter().enumerate().map(row).collect();
        let (side, buttons) = match media.get(chosen).filter(|_| has_side) {
            Some(medium) => (Some(Box::new(self.medium_facts(medium))), self.choose_button(port, medium)),
            None => (None, Vec::new()),
        };
        let empty = (self.say(Word::NoMedia), self.say(Word::NoMediaTodo));
        let mut page = self.titled(
            self.say(Word::ChooseWhat),
            Body::Rows(Rows { rows, page: self.layer().page, empty, as_tiles: false, side }),
            buttons,
        );
        page.corner = match media.len() {
            0 => String::new(),
            count => self.fill(Word::PageOf, &[("n", &(chosen + 1).to_string()), ("m", &count.to_string())]),
        };
        page
    }

    pub(super) fn medium_page(&self, port: Option<&String>, index: usize) -> Page {
        let media = self.media.as_deref().unwrap_or_default();
        let Some(medium) = media.get(index) else { return self.media_page(port, 0) };
        let mut facts = self.medium_facts(medium);
        let at = |index: usize| Action::Turn(Box::new(Screen::Medium { port: port.cloned(), index }));
        if self.metrics().class == Class::Half && media.len() > 1 {
            facts.turn = Some((at((index + media.len() - 1) % media.len()), at((index + 1) % media.len())));
        }
        let heading = std::mem::take(&mut facts.heading);
        let body = Body::Facts(Box::new(facts));
        let mut page = self.titled(heading, body, self.choose_button(port, medium));
        page.corner = self.fill(Word::PageOf, &[("n", &(index + 1).to_string()), ("m", &media.len().to_string())]);
        page
    }

    fn choose_button(&self, port: Option<&String>, medium: &Medium) -> Vec<Button> {
        if self.hindrance(medium).is_some() {
            return Vec::new();
        }
        let name = medium.medium.clone();
        let drive = port.and_then(|label| {
            let ports = self.station.ports(self.now_ms);
            ports.into_iter().find(|port| port.label == *label)?.drive
        });
        let action = match (port, drive) {
            (Some(port), Some(drive)) => {
                let work = Work { kind: JobKind::Write, medium: Some(name) };
                Action::Ask(Box::new(Request::Start { port: port.clone(), drive, work }))
            }
            _ => open(Screen::HowMany { medium: name, typed: String::new() }),
        };
        vec![primary(self.say(Word::Choose), action)]
    }

    /// Why it can't be chosen.
    fn hindrance(&self, medium: &Medium) -> Option<String> {
        let word = match (&medium.problem, medium.dates) {
            (Some(_), _) => Word::MediumDamaged,
            (None, Dates::Expired) => Word::MediumExpired,
            (None, Dates::ClockBehind) => Word::ClockBehind,
            (None, Dates::NotYet | Dates::Good) => return None,
        };
        Some(self.say(word))
    }

    /// The first day of a medium that is written ahead of it.
    fn not_yet(&self, medium: &Medium) -> Option<String> {
        let from = medium.valid_from.as_ref().filter(|_| medium.dates == Dates::NotYet)?;
        Some(self.fill(Word::MediumNotYet, &[("d", &day(from))]))
    }

    fn kind(&self, medium: &Medium) -> String {
        let word = match medium.kind.as_str() {
            _ if medium.medium.starts_with(DUPLICATE) => Word::Duplicate,
            "stand-alone" => Word::KindStandAlone,
            "prestaged" => Word::KindPrestaged,
            "capture" => Word::KindCapture,
            "bootable" => Word::KindBootable,
            "raw" => Word::KindImage,
            "tree" => Word::KindTree,
            _ => Word::KindOther,
        };
        self.say(word)
    }

    fn medium_facts(&self, medium: &Medium) -> Facts {
        let needed = needed_gb(medium.content_bytes);
        let mut facts = vec![
            (self.say(Word::LabelKind), self.kind(medium)),
            (self.say(Word::LabelVersion), shown(&medium.version)),
        ];
        facts.extend(medium.valid_until.as_ref().map(|until| (self.say(Word::LabelValidUntil), day(until))));
        facts.extend(medium.signed_by.as_ref().map(|key| (self.say(Word::LabelSignedBy), shown(key))));
        facts.push((self.say(Word::LabelContent), content_size(medium.content_bytes)));
        facts.push((self.say(Word::LabelFits), self.fill(Word::SizeAndUp, &[("n", &needed.to_string())])));
        let mut notes = Vec::new();
        if medium.medium.starts_with(DUPLICATE) {
            notes.push((Icon::Refused, Colour::Try, self.say(Word::DuplicateNote)));
        }
        notes.extend(self.not_yet(medium).map(|from| (Icon::Clock, Colour::Try, from)));
        match self.hindrance(medium) {
            Some(why) => notes.push((Icon::Refused, Colour::Try, why)),
            None => notes.extend(self.fits(medium)),
        }
        Facts { heading: title(medium), facts, notes, ..Facts::default() }
    }

    /// How many of the drives that are inserted are large enough, and which is the first that is not.
    fn fits(&self, medium: &Medium) -> Vec<(Icon, Colour, String)> {
        let needed = medium.content_bytes * (100 + OVERHEAD_PERCENT) / 100;
        let ports = self.station.ports(self.now_ms);
        let sizes: Vec<(&str, u64)> = ports
            .iter()
            .filter_map(|port| Some((port.label.as_str(), port.says.size_bytes.filter(|_| port.drive.is_some())?)))
            .collect();
        if sizes.is_empty() {
            return vec![(Icon::Port, Colour::Quiet, self.say(Word::NoDrives))];
        }
        let fitting = sizes.iter().filter(|(_, size)| *size >= needed).count();
        let values = [("n", fitting.to_string()), ("m", sizes.len().to_string())];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut notes = vec![(Icon::Ready, Colour::Ready, self.fill(Word::DrivesFit, &values))];
        if let Some((label, _)) = sizes.iter().find(|(_, size)| *size < needed) {
            notes.push((Icon::Refused, Colour::Try, self.fill(Word::PortTooSmall, &[("n", label)])));
        }
        notes
    }

    pub(super) fn how_many_page(&self, typed: &str) -> Page {
        let keypad = Keypad {
            title: self.say(Word::HowMany),
            typed: typed.to_owned(),
            note: self.say(Word::HowManyNote),
            keys: "1234567890".chars().collect(),
            more: None,
        };
        let has_room = !matches!(self.metrics().class, Class::Small | Class::Square);
        let title = match &self.layer().screen {
            Screen::HowMany { medium, .. } if has_room => self.named(medium).0,
            _ => String::new(),
        };
        self.titled(title, Body::Keypad(keypad), Vec::new())
    }
}

fn title(medium: &Medium) -> String {
    shown(if medium.title.is_empty() { &medium.medium } else { &medium.title })
}

/// The smallest size of drives as they are sold.
fn needed_gb(content_bytes: u64) -> u64 {
    let needed = content_bytes.saturating_mul(100 + OVERHEAD_PERCENT) / 100 / 1_000_000_000;
    SIZES_GB.into_iter().find(|size| *size > needed).unwrap_or(needed + 1)
}
