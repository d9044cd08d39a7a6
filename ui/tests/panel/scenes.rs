// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Every screen, with something on it.

use platen_events::{Action, BatchId, Code, DataState, Event, SystemState, UpdateState};
use platen_ui::{Answer, Input, Language, Panel, Screen, Wish};

use super::desk::{Desk, Doing, GIB};

pub(crate) type Prepare = fn(&mut Desk);

/// A name, and what makes it. Nothing is drawn yet.
pub(crate) const SCENES: &[(&str, Prepare)] = &[
    ("ports4", |desk| desk.busy(4)),
    ("ports8", |desk| desk.busy(8)),
    ("ports16", |desk| desk.busy(16)),
    ("ports32", |desk| desk.busy(32)),
    ("armed", |desk| {
        desk.ports(8, true);
        desk.tell(Event::BatchCounted { batch: BatchId(3), good: 0, failed: 0, refused: 0 });
    }),
    ("idle", |desk| desk.ports(4, false)),
    ("waiting", |desk| {
        desk.ports(4, false);
        desk.set(1, Doing::Waiting);
    }),
    ("port", |desk| {
        desk.busy(8);
        desk.go(Screen::Port("3".to_owned()));
    }),
    ("port-empty", |desk| {
        desk.busy(8);
        desk.go(Screen::Port("6".to_owned()));
    }),
    ("failure", |desk| {
        desk.busy(8);
        desk.go(Screen::Message("4".to_owned()));
    }),
    ("retry", |desk| {
        desk.ports(8, true);
        desk.set(2, Doing::Retry(Code::Vanished));
        desk.go(Screen::Message("2".to_owned()));
    }),
    ("ready", |desk| {
        desk.busy(8);
        desk.go(Screen::Message("1".to_owned()));
    }),
    ("attention", |desk| {
        desk.ports(16, true);
        desk.set(4, Doing::Failed(Code::ReadBackDiffers));
        desk.set(10, Doing::Ready);
        desk.wait(16_000);
    }),
    ("attention-ready", |desk| {
        desk.ports(16, true);
        desk.set(10, Doing::Ready);
        desk.wait(20_000);
    }),
    ("media", |desk| {
        desk.busy(8);
        desk.go(Screen::Media { port: None, chosen: 0 });
    }),
    ("medium", |desk| {
        desk.busy(8);
        desk.go(Screen::Media { port: None, chosen: 0 });
        desk.go(Screen::Medium { port: None, index: 0 });
    }),
    ("medium-not-yet", |desk| look_at(desk, 1)),
    ("medium-expired", |desk| look_at(desk, 2)),
    ("how-many", |desk| {
        desk.ports(8, false);
        desk.go(Screen::HowMany { medium: "OFFICE-r7".to_owned(), typed: "40".to_owned() });
    }),
    ("pin", |desk| {
        desk.ports(8, false);
        desk.go(Screen::HowMany { medium: "OFFICE-r7".to_owned(), typed: "40".to_owned() });
        desk.choose(&platen_ui::Action::Enter);
        for wish in desk.ui.wishes() {
            let Wish::Ask(id, _) = wish else { continue };
            let answer = Answer::Refused { code: Some(Code::NotPermitted.into()), text: "role".to_owned() };
            desk.ui.answer(id, answer, desk.now_ms);
        }
        for key in ['1', '2', '3'] {
            desk.choose(&platen_ui::Action::Type(key));
        }
    }),
    ("summary", |desk| {
        desk.ports(8, true);
        desk.set(4, Doing::Failed(Code::ReadBackDiffers));
        desk.set(5, Doing::Failed(Code::Fake));
        desk.set(7, Doing::Refused(Code::TooSmall));
        desk.tell(Event::BatchCounted { batch: BatchId(3), good: 40, failed: 2, refused: 1 });
        desk.tell(Event::BatchClosed { batch: BatchId(3) });
    }),
    ("language", |_| {}),
    ("setup-pins", |desk| desk.choose(&platen_ui::Action::Speak(desk.language()))),
    ("learn", |desk| {
        desk.ports(8, false);
        desk.go(Screen::Learn(2));
    }),
    ("menu", |desk| {
        desk.busy(8);
        desk.go(Screen::Menu);
    }),
    ("settings", |desk| {
        desk.busy(8);
        desk.go(Screen::Settings);
        desk.ui.input(Input::Next, desk.now_ms);
    }),
    ("brightness", |desk| {
        desk.busy(8);
        desk.go(Screen::Brightness);
    }),
    ("history", |desk| {
        desk.busy(8);
        desk.go(Screen::History { serial: None });
    }),
    ("search", |desk| {
        desk.busy(8);
        desk.go(Screen::Search { typed: "62".to_owned() });
    }),
    ("import", |desk| {
        desk.ports(8, false);
        desk.go(Screen::Import);
        desk.set(8, Doing::Waiting);
    }),
    ("importing", |desk| {
        desk.ports(8, false);
        desk.go(Screen::Import);
        desk.tell(Event::ActionStarted { action: Action::Import, of: "/run/platen/import/8".to_owned() });
        desk.tell(Event::ActionProgress { action: Action::Import, done_bytes: 6 * GIB, total_bytes: 14 * GIB });
    }),
    ("about", |desk| {
        desk.busy(8);
        desk.go(Screen::About);
    }),
    ("menu-appliance", |desk| {
        desk.busy(8);
        system(desk, DataState::Good, UpdateState::Offered { version: "1.5.0".to_owned(), is_older: false });
        desk.go(Screen::Menu);
    }),
    ("update-offered", |desk| {
        desk.busy(8);
        system(desk, DataState::Good, UpdateState::Offered { version: "1.5.0".to_owned(), is_older: false });
        desk.go(Screen::System);
    }),
    ("update-installing", |desk| {
        desk.busy(8);
        system(desk, DataState::Good, UpdateState::Installing { version: "1.5.0".to_owned(), percent: 40 });
        desk.go(Screen::System);
    }),
    ("update-refused", |desk| {
        desk.busy(8);
        let text = "signed by another key".to_owned();
        system(desk, DataState::Good, UpdateState::Refused { code: Code::UpdateUntrusted.into(), text });
        desk.go(Screen::System);
    }),
    ("data-broken", |desk| {
        desk.ports(8, false);
        system(desk, DataState::Broken, UpdateState::None);
        desk.go(Screen::System);
    }),
    ("service", |desk| {
        desk.busy(8);
        desk.go(Screen::Service);
    }),
    ("test-light", |desk| {
        desk.busy(8);
        desk.go(Screen::Test(platen_ui::Test::Light(2)));
    }),
    ("test-ports", |desk| {
        desk.ports(8, false);
        desk.go(Screen::Test(platen_ui::Test::Ports { seen: Vec::new(), resumes: false }));
        desk.set(2, Doing::Waiting);
        desk.set(5, Doing::Waiting);
    }),
    ("stop", |desk| {
        desk.busy(8);
        desk.go(Screen::Confirm(platen_ui::Confirm::Stop("3".to_owned())));
    }),
    ("notice", |desk| {
        desk.busy(8);
        let text = "the medium OFFICE-r9 is not in the cache; import it first".to_owned();
        desk.go(Screen::Notice { code: None, text });
    }),
];

/// An appliance whose system is like this.
fn system(desk: &mut Desk, data: DataState, update: UpdateState) {
    let (board, version, slot) = ("pc_x86_64".to_owned(), "1.4.0".to_owned(), "a".to_owned());
    desk.tell(Event::System(SystemState { board, version, slot, other_version: None, data, update }));
}

/// One of the media, as it is chosen on this panel.
pub(crate) fn look_at(desk: &mut Desk, index: usize) {
    desk.busy(8);
    desk.go(Screen::Media { port: None, chosen: index });
    if desk
        .ui
        .targets()
        .iter()
        .any(|target| matches!(&target.action, platen_ui::Action::Open(to) if matches!(**to, Screen::Medium { .. })))
    {
        desk.go(Screen::Medium { port: None, index });
    }
}

/// A desk with this scene on it.
pub(crate) fn set_up(prepare: Prepare, name: &str, panel: Panel, language: Language) -> Desk {
    let is_first_start = matches!(name, "language" | "setup-pins");
    let mut desk = Desk::new(panel, language, is_first_start);
    prepare(&mut desk);
    desk.answer_all();
    desk.wait(5000);
    desk
}

impl Desk {
    pub(crate) fn language(&self) -> Language {
        self.ui.settings().language
    }

    /// Open a screen, as a touch would that leads there.
    pub(crate) fn go(&mut self, screen: Screen) {
        self.touch_nothing();
        self.ui.show(screen);
        self.answer_all();
    }

    /// Touch the place that does this.
    pub(crate) fn choose(&mut self, action: &platen_ui::Action) {
        self.wait(400);
        let found = self.ui.targets().iter().find(|target| target.action == *action);
        let at = found.unwrap_or_else(|| panic!("nothing does {action:?}")).area.center();
        self.ui.input(Input::Down(at), self.now_ms);
        self.ui.input(Input::Up(at), self.now_ms + 80);
    }
}
