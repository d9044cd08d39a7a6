// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel of a board, with what is around it: inputs, lights beside ports, a buzzer.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::Sender;
use std::time::Instant;

use embedded_graphics::primitives::Rectangle;
use platen_events::{Event, Line};
use platen_panel::{Backlight, Board, Button, Buzzer, Deed, Display, Lights, Picture, Signal, Tune};
use platen_ui::{Input, Key, Panel, Sound, State, Station, Ui, Wish};

use super::{Said, Show};

/// How an answer begins, and that to [`platen_ui::wire::SUBSCRIBE`].
const ANSWER: &str = "{\"id\":";
const SUBSCRIBED: &str = "{\"id\":0,";

pub(super) struct Face {
    panel: Panel,
    display: Display,
    backlight: Option<Backlight>,
    lights: Lights,
    buzzer: Option<Buzzer>,
    begun: Instant,
    /// What is known of the ports, for lights and sounds.
    station: Station,
    /// What each port's light says.
    signals: BTreeMap<String, Signal>,
    is_batch_over: bool,
    /// What is told is what was there before: nothing is heard of it.
    is_replayed: bool,
}

impl Face {
    /// Whatever of it is missing, the station goes on.
    pub(super) fn open(board: Board, said: Sender<Said>) -> io::Result<Self> {
        let send = move |deed| said.send(of(deed)).is_ok();
        platen_panel::listen(&board, send);
        Ok(Self {
            panel: Panel {
                size: board.panel.size(),
                is_mono: board.panel.is_mono(),
                has_light: board.panel.backlight().is_some(),
            },
            backlight: board.panel.backlight().map(Backlight::open),
            lights: Lights::open(&board.lights),
            buzzer: board.buzzer.map(Buzzer::start).transpose()?,
            display: Display::new(board.panel),
            begun: Instant::now(),
            station: Station::default(),
            signals: BTreeMap::new(),
            is_batch_over: false,
            is_replayed: true,
        })
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    fn show_areas(&mut self, ui: &Ui, areas: &[Rectangle]) {
        let frame = ui.frame();
        let picture = Picture { size: frame.size(), pixels: frame.pixels() };
        self.display.show(&picture, areas, self.now_ms());
    }

    /// What became of the ports since the last time: seen beside them, and heard.
    fn signal(&mut self, sound: Sound) {
        for port in self.station.ports(self.now_ms()) {
            let signal = signal(&port.state);
            if self.signals.get(&port.label) != Some(&signal) {
                self.lights.set(&port.label, signal);
                if !self.is_replayed {
                    self.sound(signal, sound);
                }
                self.signals.insert(port.label, signal);
            }
        }
        if std::mem::take(&mut self.is_batch_over) && sound != Sound::Off {
            self.play(Tune::Over);
        }
    }

    fn sound(&self, signal: Signal, sound: Sound) {
        match (signal, sound) {
            (Signal::Bad, Sound::Quiet | Sound::Full) => self.play(Tune::Bad),
            (Signal::Good, Sound::Full) => self.play(Tune::Good),
            _ => {}
        }
    }

    fn play(&self, tune: Tune) {
        if let Some(buzzer) = &self.buzzer {
            buzzer.play(tune);
        }
    }
}

impl Show for Face {
    fn panel(&self) -> Panel {
        self.panel
    }

    fn show(&mut self, ui: &Ui, areas: &[Rectangle]) -> io::Result<()> {
        self.show_areas(ui, areas);
        Ok(())
    }

    fn hear(&mut self, line: &str) {
        let now_ms = self.now_ms();
        match serde_json::from_str(line) {
            Ok(Line::Hello(_)) => (self.station, self.is_replayed) = (Station::default(), true),
            Ok(Line::Record(record)) => {
                self.is_batch_over |= !self.is_replayed && matches!(record.event, Event::BatchClosed { .. });
                self.station.take(&record.event, now_ms);
            }
            // The first question is asked as the line begins, and answered when all that was before is told.
            Err(_) => self.is_replayed &= line.starts_with(SUBSCRIBED) || !line.starts_with(ANSWER),
        }
    }

    fn wish(&mut self, wish: &Wish) {
        match wish {
            Wish::Light(port) => self.lights.find(port, self.now_ms()),
            Wish::Tone => self.play(Tune::Test),
            Wish::Ask(..) | Wish::Keep(_) => {}
        }
    }

    fn pass(&mut self, ui: &Ui) {
        self.show_areas(ui, &[]);
        if let Some(backlight) = &mut self.backlight {
            backlight.set(ui.brightness());
        }
        self.signal(ui.settings().sound);
        self.lights.tick(self.now_ms());
    }
}

fn of(deed: Deed) -> Said {
    match deed {
        Deed::Touched(at) => Said::Input(Input::Down(at)),
        Deed::Lifted(at) => Said::Input(Input::Up(at)),
        Deed::Pressed(button) => Said::Down(key(button)),
        Deed::Released(button) => Said::Up(key(button)),
        Deed::Next => Said::Input(Input::Next),
        Deed::Previous => Said::Input(Input::Previous),
        Deed::Choose => Said::Input(Input::Choose),
        Deed::Back => Said::Input(Input::Back),
        Deed::Menu => Said::Input(Input::Menu),
    }
}

fn key(button: Button) -> Key {
    match button {
        Button::Previous => Key::Previous,
        Button::Choose => Key::Choose,
        Button::Next => Key::Next,
        Button::Knob => Key::Knob,
    }
}

fn signal(state: &State) -> Signal {
    match state {
        State::Empty { .. } => Signal::Off,
        State::Waiting => Signal::Asks,
        State::Checking | State::Writing | State::Restarting | State::ReadingBack => Signal::Works,
        State::Paused => Signal::Rests,
        State::Ready(_) => Signal::Good,
        State::Retry(_) | State::Refused(_) => Signal::Again,
        State::Failed(_) => Signal::Bad,
    }
}
