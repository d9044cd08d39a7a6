// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What follows from touches, keys and answers.

use embedded_graphics::prelude::*;
use platen_events::{Code, JobKind, Work};

use crate::canvas::Edges;
use crate::page::Action;
use crate::request::{Answer, Errand, Pin as Secret, Request, Role, Wish};
use crate::screen::{Confirm, Input, Pin, Screen, Test};
use crate::ui::{Layer, Ui};
use crate::words::Catalogue;

/// A touch so soon after the screen changed was meant for the one before.
const SETTLE_MS: u64 = 300;
/// What is typed is no longer than this.
const MOST_TYPED: usize = 12;
/// More screens are not opened on top of each other.
const MOST_LAYERS: usize = 12;
/// So many rows of the ledger are asked for.
const ROWS: u32 = 200;

impl Ui {
    /// Somebody does something.
    pub fn input(&mut self, input: Input, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        let only_wakes = self.calls().is_some() || self.is_dim();
        self.touched_ms = self.now_ms;
        self.change();
        if only_wakes {
            // The first touch ends the call, or brings the light back, and does nothing else.
            self.pressed = None;
            self.changed_ms = self.now_ms;
            self.look();
            return;
        }
        match input {
            Input::Down(at) => {
                self.shows_focus = false;
                self.pressed = self.target_at(at).filter(|_| self.has_settled());
            }
            Input::Up(at) => {
                let meant = self.pressed.take();
                if let Some(action) = meant.filter(|meant| self.target_at(at).as_ref() == Some(meant)) {
                    self.act(action);
                }
            }
            Input::Next => self.turn(1),
            Input::Previous => self.turn(-1),
            Input::Choose => self.choose(),
            Input::Back => self.back(),
            Input::Menu => self.menu(),
        }
        self.look();
    }

    /// Open a screen on top of the one that is open, as the place that leads there would.
    pub fn show(&mut self, screen: Screen) {
        self.open(screen);
        self.change();
        self.look();
    }

    fn has_settled(&self) -> bool {
        self.now_ms >= self.changed_ms + SETTLE_MS || self.changed_ms == 0
    }

    /// What is drawn last lies on top.
    fn target_at(&self, at: Point) -> Option<Action> {
        let hit = self.targets.iter().rev().find(|target| target.area.contains(at));
        let near = || self.targets.iter().rev().find(|target| target.area.inset(-8).contains(at));
        hit.or_else(near).map(|target| target.action.clone())
    }

    /// The focus stops at both ends.
    fn turn(&mut self, by: isize) {
        if let Screen::Test(Test::Keys(pressed)) = &mut self.top().screen {
            pressed[if by < 0 { 0 } else { 2 }] = true;
            return self.keys_tested();
        }
        let Some(last) = self.targets.len().checked_sub(1) else { return };
        let now = self.focus().unwrap_or_default();
        // The first turn only shows where the focus is.
        let next = if self.shows_focus { now.saturating_add_signed(by).min(last) } else { now };
        self.shows_focus = true;
        self.top().focus = Some(next);
    }

    fn choose(&mut self) {
        if let Screen::Test(Test::Keys(pressed)) = &mut self.top().screen {
            pressed[1] = true;
            return self.keys_tested();
        }
        let Some(target) = self.focus().and_then(|index| self.targets.get(index)) else { return };
        let is_plain = target.is_first || self.targets.len() == 1;
        if self.shows_focus || is_plain {
            let action = target.action.clone();
            self.act(action);
        } else {
            self.shows_focus = true;
        }
    }

    pub(crate) fn top(&mut self) -> &mut Layer {
        if self.layers.is_empty() {
            self.layers.push(Screen::Home.into());
        }
        let last = self.layers.len() - 1;
        &mut self.layers[last]
    }

    fn open(&mut self, mut screen: Screen) {
        match &mut screen {
            Screen::Media { .. } => self.ask(Request::Errand(Errand::Media)),
            Screen::History { serial } => {
                self.rows = None;
                let serial = serial.clone();
                self.ask(Request::Errand(Errand::History { serial, limit: ROWS }));
            }
            Screen::Learn(index) => self.learn(*index),
            Screen::Test(Test::Light(index)) => self.light(*index),
            Screen::Test(Test::Sound) => self.wishes.push(Wish::Tone),
            // A drive that is inserted to be seen must not be written.
            Screen::Test(Test::Ports { resumes, .. }) => {
                *resumes = self.station.record().ports().values().any(|used| !used.is_paused);
                if *resumes {
                    self.ask(Request::Pause { ports: Vec::new() });
                }
            }
            _ => {}
        }
        if self.layers.len() >= MOST_LAYERS {
            self.layers.truncate(1);
        }
        self.changed_ms = self.now_ms;
        self.layers.push(screen.into());
    }

    /// Another screen in place of the one that is open.
    pub(crate) fn instead(&mut self, screen: Screen) {
        if self.layers.len() > 1 {
            self.layers.pop();
        }
        self.open(screen);
    }

    pub(crate) fn back(&mut self) {
        self.changed_ms = self.now_ms;
        match self.layer().screen.clone() {
            Screen::Home => self.open(Screen::Menu),
            Screen::Learn(_) => {
                self.ask(Request::LearnEnd { keep: false });
                self.layers.pop();
            }
            Screen::Test(test) => {
                self.resume_after(&test);
                self.layers.pop();
            }
            Screen::Setup(_) => self.instead(Screen::Languages { is_first: true }),
            Screen::Pin(Pin { setup: Some(step), .. }) => self.instead(Screen::Setup(step)),
            // Nothing is before it.
            Screen::Languages { is_first: true } => {}
            Screen::Message(port) => {
                self.layers.pop();
                self.station.seen(&port);
            }
            _ => {
                self.layers.pop();
            }
        }
    }

    fn menu(&mut self) {
        let is_started = !self
            .layers
            .iter()
            .any(|layer| matches!(layer.screen, Screen::Languages { is_first: true } | Screen::Setup(_)));
        if is_started && self.layer().screen != Screen::Menu {
            self.leave_all();
            self.open(Screen::Menu);
        }
    }

    fn home(&mut self) {
        self.leave_all();
        self.changed_ms = self.now_ms;
    }

    fn leave_all(&mut self) {
        if self.layers.iter().any(|layer| matches!(layer.screen, Screen::Learn(_))) {
            self.ask(Request::LearnEnd { keep: false });
        }
        for layer in self.layers.split_off(1.min(self.layers.len())) {
            if let Screen::Test(test) = &layer.screen {
                self.resume_after(test);
            }
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::Back => self.back(),
            Action::Home => self.home(),
            Action::Open(screen) => self.open(*screen),
            Action::Turn(screen) => self.instead(*screen),
            Action::Page(page) => {
                let layer = self.top();
                (layer.page, layer.focus) = (page, layer.focus);
            }
            Action::Type(c) => self.typed(c),
            Action::Delete => {
                if let Some(text) = self.text() {
                    text.pop();
                }
            }
            Action::Enter => self.enter(),
            Action::Ask(request) => {
                self.ask(*request);
                // What becomes of an update is seen where it was asked for.
                if self.layer().screen != Screen::System {
                    self.home();
                }
            }
            Action::Speak(language) => {
                self.settings.language = language;
                self.catalogue = Catalogue::of(language);
                self.wishes.push(Wish::Keep(self.settings));
                match self.layer().screen {
                    Screen::Languages { is_first: true } => self.instead(Screen::Setup(2)),
                    _ => self.back(),
                }
            }
            Action::Brightness(brightness) => {
                self.settings.brightness = brightness.clamp(20, 100);
                self.wishes.push(Wish::Keep(self.settings));
            }
            Action::Sound(sound) => {
                self.settings.sound = sound;
                self.wishes.push(Wish::Keep(self.settings));
            }
            Action::Mirror(is_mirrored) => {
                self.settings.is_mirrored = is_mirrored;
                self.wishes.push(Wish::Keep(self.settings));
            }
            Action::Light(port) => self.wishes.push(Wish::Light(port)),
            Action::Seen(port) => {
                self.back();
                self.station.seen(&port);
            }
            Action::Judge(is_good) => self.judged(is_good),
            Action::Setup(step) => match step {
                2..=4 => self.instead(Screen::Setup(step)),
                _ => self.home(),
            },
            Action::Tone => self.wishes.push(Wish::Tone),
        }
    }

    /// What is being typed on the screen that is open.
    fn text(&mut self) -> Option<&mut String> {
        match &mut self.top().screen {
            Screen::HowMany { typed, .. } | Screen::Search { typed } => Some(typed),
            Screen::Pin(pin) => Some(&mut pin.typed),
            _ => None,
        }
    }

    fn typed(&mut self, c: char) {
        let most = match self.layer().screen {
            Screen::HowMany { .. } => 4,
            _ => MOST_TYPED,
        };
        if let Some(text) = self.text()
            && text.chars().count() < most
        {
            text.push(c);
        }
    }

    fn enter(&mut self) {
        match self.layer().screen.clone() {
            Screen::HowMany { medium, typed } => {
                let work = Work { kind: JobKind::Write, medium: Some(medium) };
                let wanted = typed.parse().ok().filter(|wanted| *wanted > 0);
                self.ask(Request::Arm { ports: Vec::new(), work, wanted });
                self.home();
            }
            Screen::Search { typed } => {
                self.layers.pop();
                self.instead(Screen::History { serial: (!typed.is_empty()).then_some(typed) });
            }
            Screen::Pin(pin) if pin.typed.len() >= 4 => {
                let (role, typed) = (pin.role, Secret(pin.typed));
                self.ask(match pin.is_new {
                    true => Request::SetPin { role, pin: typed },
                    false => Request::Login { role, pin: typed },
                });
            }
            _ => {}
        }
    }

    /// What the station answered to the request of this number.
    pub fn answer(&mut self, id: u64, answer: Answer, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        let Some(request) = self.pending.remove(&id) else { return };
        self.change();
        match (answer, request) {
            (Answer::Media(media), _) => self.media = Some(media),
            (Answer::Rows(rows), _) => self.rows = Some(rows),
            (Answer::Done, Request::Login { .. } | Request::SetPin { .. }) => self.admitted(),
            (Answer::Done, _) => {}
            (Answer::Refused { .. }, Request::Login { .. } | Request::SetPin { .. }) => {
                if let Screen::Pin(pin) = &mut self.top().screen {
                    pin.typed.clear();
                    pin.was_wrong = true;
                }
            }
            // What nobody asked for by hand is not worth a screen.
            (Answer::Refused { .. }, Request::Errand(Errand::Media) | Request::LearnEnd { keep: false }) => {
                self.media.get_or_insert_with(Vec::new);
            }
            (Answer::Refused { code, text }, request) => {
                let is_role = code.as_ref().is_some_and(|code| *code == Code::NotPermitted);
                let screen = match is_role {
                    true => ask_for(request),
                    false => Screen::Notice { code, text },
                };
                self.changed_ms = self.now_ms;
                match self.layer().screen {
                    Screen::History { .. } | Screen::Learn(_) => self.layers.pop(),
                    _ => None,
                };
                self.open(screen);
            }
        }
        self.look();
    }

    fn admitted(&mut self) {
        let Screen::Pin(pin) = self.layer().screen.clone() else { return };
        match (pin.then, pin.setup) {
            (Some(request), _) => {
                self.ask(*request.clone());
                self.layers.pop();
                if let Request::Errand(Errand::History { serial, .. }) = *request {
                    self.layers.push(Screen::History { serial }.into());
                }
            }
            (None, Some(step)) => self.instead(Screen::Setup(step + 1)),
            (None, None) => {
                self.layers.pop();
            }
        }
        self.changed_ms = self.now_ms;
    }

    fn learn(&mut self, index: usize) {
        if let Some(label) = self.station.labels().get(index) {
            let label = label.clone();
            self.ask(Request::Learn { label });
        }
    }

    /// The socket of a label is known: on to the next one.
    pub(crate) fn learnt(&mut self) {
        let Screen::Learn(index) = self.layer().screen else { return };
        if index + 1 < self.station.labels().len() {
            self.instead(Screen::Learn(index + 1));
        } else {
            self.ask(Request::LearnEnd { keep: true });
            self.layers.pop();
        }
    }

    /// Screens about what is not there any more close by themselves.
    pub(crate) fn close_what_is_over(&mut self) {
        let Screen::Message(label) = &self.layer().screen else { return };
        let ports = self.station.ports(self.now_ms);
        let asks = ports.iter().any(|port| port.label == *label && port.state.asks().is_some());
        if !asks {
            self.layers.pop();
            self.changed_ms = self.now_ms;
        }
    }
}

/// Who has to say it, when the person at the panel may not.
fn ask_for(request: Request) -> Screen {
    let role = match &request {
        Request::Start { work: Work { kind: JobKind::Import, .. }, .. } => Role::Administrator,
        Request::Start { .. } | Request::Cancel { .. } | Request::Errand(Errand::History { .. }) => Role::Technician,
        Request::Arm { .. } | Request::Disarm { .. } | Request::Pause { .. } | Request::Resume { .. } => Role::Operator,
        _ => Role::Administrator,
    };
    let then = Some(Box::new(request));
    Screen::Pin(Pin { role, typed: String::new(), then, is_new: false, was_wrong: false, setup: None })
}

/// What is asked once it was confirmed.
pub(crate) fn confirmed(confirm: &Confirm) -> Request {
    match confirm {
        Confirm::Stop(port) => Request::Cancel { ports: vec![port.clone()] },
        Confirm::Disarm => Request::Disarm { ports: Vec::new() },
        Confirm::ShutDown => Request::Errand(Errand::ShutDown),
        Confirm::Restart => Request::Errand(Errand::Restart),
        Confirm::DataAnew => Request::Errand(Errand::MakeDataAnew),
    }
}
