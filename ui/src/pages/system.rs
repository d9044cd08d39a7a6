// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The appliance's own operating system: which release runs, and what is to be done about it.

use platen_events::{Code, DataState, SystemState, UpdateState};

use super::{open, primary, shown};
use crate::icon::Icon;
use crate::page::{Action, Body, Page, Row, Statement};
use crate::palette::Colour;
use crate::request::{Errand, Request};
use crate::screen::{Confirm, Screen};
use crate::ui::Ui;
use crate::words::Word;

impl Ui {
    /// Its place in the menu, on a station that has such a system.
    pub(super) fn system_row(&self) -> Option<Row> {
        let system = self.station.record().system()?;
        let version = match &system.update {
            UpdateState::Offered { version, .. } | UpdateState::Installed { version } => Some(version),
            _ => None,
        };
        let waits = version.is_some()
            || system.data == DataState::Broken
            || matches!(system.update, UpdateState::Refused { .. });
        Some(Row {
            icon: Some((Icon::Retry, if waits { Colour::Try } else { Colour::Accent })),
            name: self.say(Word::System),
            second: version.map(|version| shown(version)).unwrap_or_default(),
            action: Some(open(Screen::System)),
            is_chosen: false,
        })
    }

    pub(super) fn system_page(&self) -> Page {
        let unknown = SystemState::default();
        let system = self.station.record().system().unwrap_or(&unknown);
        let ask = |errand| Action::Ask(Box::new(Request::Errand(errand)));
        let named = |word, version: &str| self.fill(word, &[("n", &shown(version))]);
        let (icon, title, note, part, button) = match &system.update {
            _ if system.data == DataState::Broken => {
                let code = Code::DataBroken.into();
                let (said, short) = (self.catalogue.sentences(&code), self.catalogue.short(&code));
                let anew = primary(self.say(Word::DataAnew), open(Screen::Confirm(Confirm::DataAnew)));
                ((Icon::Failed, Colour::Bad), said.what, short.todo, None, Some(anew))
            }
            UpdateState::Refused { code, text } => return self.notice_page(Some(code), text),
            UpdateState::Offered { version, is_older } => {
                let note = match is_older {
                    true => self.say(Word::SystemOlder),
                    false => named(Word::SystemInUse, &system.version),
                };
                let install = ask(Errand::InstallUpdate { version: version.clone(), older: *is_older });
                let install = primary(self.say(Word::Install), install);
                ((Icon::Retry, Colour::Accent), named(Word::SystemOffered, version), note, None, Some(install))
            }
            UpdateState::Installing { version, percent } => {
                let part = Some(u16::from((*percent).min(100)) * 10);
                let note = self.say(Word::InstallingNote);
                ((Icon::Writing, Colour::Accent), named(Word::Installing, version), note, part, None)
            }
            UpdateState::Installed { version } => {
                let restart = primary(self.say(Word::Restart), open(Screen::Confirm(Confirm::Restart)));
                let note = self.say(Word::InstalledNote);
                ((Icon::Ready, Colour::Ready), named(Word::Installed, version), note, None, Some(restart))
            }
            UpdateState::None | UpdateState::Unknown => {
                let note = self.say(Word::SystemNone);
                ((Icon::Ready, Colour::Ready), named(Word::SystemInUse, &system.version), note, None, None)
            }
        };
        let statement = Statement { icon: Some(icon), title, note, part };
        self.titled(self.say(Word::System), Body::Statement(statement), button.into_iter().collect())
    }
}
