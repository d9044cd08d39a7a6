// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The same panel once more, on the host: it is told what the station tells, and does what is done at the guest's. So its
//! picture is what the guest's display must show.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use embedded_graphics::prelude::{Point, Size};
use platen_events::{Event, Line, Replay};
use platen_ui::{About, Action, Board, Input, Panel, Place, Request, Screen, Settings, Ui, Wish, wire};

/// What the board of the guest has.
pub(super) const SIZE: Size = Size::new(800, 480);
/// Labels of the station's ports.
pub(super) const PORTS: [&str; 4] = ["1", "2", "3", "4"];

pub(super) struct Mirror {
    ui: Ui,
    line: UnixStream,
    said: Receiver<String>,
    /// By the program that runs now.
    is_answered: bool,
    begun: Instant,
    replay: Replay,
    /// Port and medium of each job that was begun.
    pub(super) started: Vec<(String, String)>,
    /// Port and verdict of each that ended.
    pub(super) ended: Vec<(String, String)>,
}

impl Mirror {
    pub(super) fn new(line: UnixStream) -> Self {
        let reader = BufReader::new(line.try_clone().expect("second handle"));
        let (say, said) = channel();
        // It ends with QEMU.
        std::thread::spawn(move || reader.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        Self {
            ui: panel(),
            line,
            said,
            is_answered: false,
            begun: Instant::now(),
            replay: Replay::default(),
            started: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// The station was started: everything is told from the beginning.
    pub(super) fn begin(&mut self) {
        (self.ui, self.replay, self.is_answered, self.begun) = (panel(), Replay::default(), false, Instant::now());
        self.line.write_all(wire::SUBSCRIBE.as_bytes()).expect("the guest takes lines");
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64 + 1
    }

    /// Hear what was said, ask what is to be asked, and draw.
    pub(super) fn pass(&mut self) -> Vec<[u8; 3]> {
        let now_ms = self.now_ms();
        while let Ok(line) = self.said.try_recv() {
            self.is_answered |= line.starts_with("{\"id\":0,");
            if self.is_answered {
                self.ui.read(&line, now_ms);
                self.note(&line);
            }
        }
        for wish in self.ui.wishes() {
            match wish {
                Wish::Ask(id, request @ Request::Errand(_)) => {
                    self.line.write_all(wire::line(id, &request).as_bytes()).expect("the guest takes lines");
                }
                // That is the guest's to ask.
                Wish::Ask(id, _) => self.ui.read(&format!("{{\"id\":{id},\"ok\":null}}"), now_ms),
                Wish::Light(_) | Wish::Tone | Wish::Keep(_) => {}
            }
        }
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
        let minutes = seconds / 60;
        // Numbers that count are drawn twice a second.
        self.ui.tick(now_ms, &format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60));
        self.ui.draw();
        self.ui.frame().pixels().to_vec()
    }

    fn note(&mut self, line: &str) {
        let Ok(told) = serde_json::from_str::<Line>(line) else { return };
        self.replay.take(&told).unwrap_or_else(|broken| panic!("{broken:?}: {line}"));
        let Line::Record(record) = told else { return };
        let port = |job| self.replay.state().job(job).map(|(_, label)| label.port.clone()).unwrap_or_default();
        match record.event {
            Event::JobStarted { job, medium, .. } => self.started.push((port(job), medium.unwrap_or_default())),
            Event::JobEnded { job, end } => self.ended.push((port(job), end.verdict.to_string())),
            _ => {}
        }
    }

    /// How many places there are, and which of them leads on to writing the drive in this port; whether it begins it.
    pub(super) fn way(&self, port: &str) -> (usize, usize, bool) {
        self.find_way(port).unwrap_or_else(|| panic!("no way for {port}: {:?}", self.ui.targets()))
    }

    /// None: nothing was told yet that could be written.
    pub(super) fn find_way(&self, port: &str) -> Option<(usize, usize, bool)> {
        let of = |wanted: &dyn Fn(&Action) -> bool| self.ui.targets().iter().position(|target| wanted(&target.action));
        let begins = of(&|action| match action {
            Action::Ask(request) => matches!(&**request, Request::Start { port: own, .. } if own == port),
            _ => false,
        });
        let leads = || {
            of(&|action| match action {
                Action::Open(screen) => match &**screen {
                    Screen::Port(own) | Screen::Message(own) => own == port,
                    Screen::Media { port: own, .. } => own.as_deref() == Some(port),
                    _ => false,
                },
                _ => false,
            })
        };
        let at = begins.or_else(leads)?;
        Some((self.ui.targets().len(), at, begins.is_some()))
    }

    /// The middle of a place.
    pub(super) fn middle(&self, target: usize) -> Point {
        self.ui.targets()[target].area.center()
    }

    pub(super) fn input(&mut self, input: Input) {
        let now_ms = self.now_ms();
        self.ui.input(input, now_ms);
    }
}

/// As the guest's begins.
fn panel() -> Ui {
    let place = |label: &str| Place { label: label.to_owned(), row: 0, column: 0, bank: String::new() };
    let about =
        About { station: "guest".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), ..About::default() };
    let board = Board { places: PORTS.into_iter().map(place).collect(), about };
    Ui::new(Panel { size: SIZE, is_mono: false, has_light: false }, board, Settings::default(), false)
}
