// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's panel: a board's own, or on a developer's desk in a terminal, or as pictures in a folder. It is a client
//! of the station's socket like any other, and knows nothing that others are not told.

mod board;
mod kept;
mod keys;
mod pictures;
mod terminal;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Point;
use embedded_graphics::primitives::Rectangle;
use platen_station::config::{PortMap, StationConfig};
use platen_station::{Exit, Failure};
use platen_ui::{About, Board, Input, Key, Keys, Panel, Place, Ui, Wish, wire};

use self::kept::Kept;
use self::pictures::Pictures;
use self::terminal::Terminal;

/// How often the picture is looked at when nothing happens.
const FRAME: Duration = Duration::from_millis(50);
/// How long until a station that does not listen is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// What threads say to the one that draws.
enum Said {
    /// The station listens, and answers here.
    Connected(UnixStream),
    /// A line of the station.
    Line(String),
    /// Somebody does something.
    Input(Input),
    /// Somebody wants the station to end.
    Quit,
    /// A key with a name on the case comes down.
    Down(Key),
    /// It is let go.
    Up(Key),
}

/// Where the picture goes.
trait Show: Send {
    /// What it is like.
    fn panel(&self) -> Panel;
    /// Whether what was shown is gone, as when a window has another size.
    fn lost_it(&mut self) -> bool {
        false
    }
    /// These areas have changed.
    fn show(&mut self, ui: &Ui, areas: &[Rectangle]) -> std::io::Result<()>;
    /// A line of the station.
    fn hear(&mut self, _: &str) {}
    /// What the panel wishes of the machine it is part of.
    fn wish(&mut self, _: &Wish) {}
    /// Time has passed, whether anything changed or not.
    fn pass(&mut self, _: &Ui) {}
}

/// A panel that is shown until it is told to end.
pub struct Shown {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Shown {
    /// Nothing is shown any more.
    pub fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        // A panel that failed has nothing left to give back.
        let _ = self.thread.join();
    }
}

/// Show the panel that was asked for: `board`, which its file describes, `terminal` or `png:DIR`. Before the station itself is
/// started: one that never was has nothing in the folder of its state.
pub fn show(
    wanted: &str,
    board: &Path,
    config: &StationConfig,
    map: &PortMap,
    stop: &Arc<AtomicBool>,
) -> Result<Shown, Failure> {
    let machine = |error: std::io::Error| Failure::new(Exit::Machine, format!("--panel {wanted}: {error}"));
    let (said, hears) = channel();
    let face: Box<dyn Show> = match wanted.split_once(':') {
        None if wanted == "board" => {
            let board = platen_panel::Board::load(board).map_err(|error| Failure::new(Exit::Request, error))?;
            Box::new(board::Face::open(board, said.clone()).map_err(machine)?)
        }
        None if wanted == "terminal" => Box::new(Terminal::open(said.clone()).map_err(machine)?),
        Some(("png", folder)) => Box::new(Pictures::open(Path::new(folder)).map_err(machine)?),
        _ => return Err(Failure::new(Exit::Request, "--panel: expected board, terminal or png:DIR")),
    };
    let place = |port: &platen_station::config::Port| Place {
        label: port.label.clone(),
        // At most 99; 0 where the map does not say.
        row: port.row.unwrap_or_default() as u16,
        column: port.column.unwrap_or_default() as u16,
        bank: port.bank.clone().unwrap_or_default(),
    };
    let about =
        About { station: config.name.clone(), version: env!("CARGO_PKG_VERSION").to_owned(), ..About::default() };
    let board = Board { places: map.ports().iter().map(place).collect(), about };
    let is_over = Arc::new(AtomicBool::new(false));
    listen(config.paths.socket.clone(), said, Arc::clone(&is_over)).map_err(machine)?;
    let state = &config.paths.state;
    let is_first_start = std::fs::read_dir(state).map_or(true, |mut inside| inside.next().is_none());
    let kept = Kept::load(state);
    let ui = Ui::new(face.panel(), board, kept.settings(), is_first_start);
    let flags = Flags { is_over: Arc::clone(&is_over), stop: Arc::clone(stop) };
    let named = std::thread::Builder::new().name("panel".to_owned());
    let thread = named.spawn(move || run(ui, kept, face, &hears, &flags)).map_err(machine)?;
    Ok(Shown { is_over, thread })
}

/// What a board's file says, in a few words. Its lights must stand beside ports.
pub fn check(board: &Path, map: &PortMap) -> Result<String, Failure> {
    let found = platen_panel::Board::load(board).map_err(|error| Failure::new(Exit::Request, error))?;
    let unknown = |port: &&str| !map.ports().is_empty() && map.by_label(port).is_none();
    if let Some(port) = found.lights.iter().map(|light| &*light.port).find(unknown) {
        let text = format!("{}: light: expected a port of ports.toml, found {port:?}", board.display());
        return Err(Failure::new(Exit::Request, text));
    }
    let size = found.panel.size();
    let mut text = format!("{}, {} x {}", found.name, size.width, size.height);
    if let Some((width, height)) = found.millimetres {
        text.push_str(&format!(" on {width} x {height} mm"));
    }
    Ok(text)
}

/// Read what the station says, and come back when it was away.
fn listen(socket: PathBuf, said: Sender<Said>, is_over: Arc<AtomicBool>) -> std::io::Result<()> {
    let listen = move || {
        while !is_over.load(Ordering::Relaxed) {
            let connected = UnixStream::connect(&socket).and_then(|stream| Ok((stream.try_clone()?, stream)));
            if let Ok((own, stream)) = connected
                && said.send(Said::Connected(own)).is_ok()
            {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if said.send(Said::Line(line)).is_err() {
                        return;
                    }
                }
            }
            std::thread::sleep(AGAIN);
        }
    };
    std::thread::Builder::new().name("panel-lines".to_owned()).spawn(listen).map(drop)
}

/// What ends, and what is to end.
struct Flags {
    /// The panel.
    is_over: Arc<AtomicBool>,
    /// The station.
    stop: Arc<AtomicBool>,
}

fn run(mut ui: Ui, mut kept: Kept, mut face: Box<dyn Show>, hears: &Receiver<Said>, flags: &Flags) {
    let begun = Instant::now();
    let mut station: Option<UnixStream> = None;
    let mut keys = Keys::default();
    while !flags.is_over.load(Ordering::Relaxed) {
        let said = match hears.recv_timeout(FRAME) {
            Ok(said) => Some(said),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // A millisecond is never 0, which would mean that nothing was ever touched.
        let now_ms = begun.elapsed().as_millis() as u64 + 1;
        for said in said.into_iter().chain(hears.try_iter().take(1000)) {
            match said {
                Said::Connected(mut stream) => {
                    // One that is gone at once is noticed by whoever reads from it.
                    let _ = stream.write_all(wire::SUBSCRIBE.as_bytes());
                    station = Some(stream);
                }
                Said::Line(line) => {
                    ui.read(&line, now_ms);
                    face.hear(&line);
                }
                Said::Input(input) => ui.input(input, now_ms),
                Said::Quit => flags.stop.store(true, Ordering::Relaxed),
                Said::Down(key) => keys.down(key, now_ms),
                Said::Up(key) => keys.up(key).into_iter().for_each(|input| ui.input(input, now_ms)),
            }
        }
        keys.tick(now_ms).into_iter().for_each(|input| ui.input(input, now_ms));
        ui.tick(now_ms, &clock());
        for wish in ui.wishes() {
            face.wish(&wish);
            match (wish, &mut station) {
                (Wish::Ask(id, request), Some(stream)) => {
                    let _ = stream.write_all(wire::line(id, &request).as_bytes());
                }
                (Wish::Keep(settings), _) => kept.keep(settings),
                // Lights and tones are the machine's, and a desk has none.
                (Wish::Ask(..) | Wish::Light(_) | Wish::Tone, _) => {}
            }
        }
        let mut areas = ui.draw();
        if face.lost_it() {
            areas = vec![Rectangle::new(Point::zero(), face.panel().size)];
        }
        if !areas.is_empty()
            && let Err(error) = face.show(&ui, &areas)
        {
            tracing::error!("the panel can't be shown: {error}");
            return;
        }
        face.pass(&ui);
    }
}

/// Hours and minutes, in UTC: what a station without a zone has.
fn clock() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let minutes = since.as_secs() / 60;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}
