// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel of a real station: what its socket tells becomes pictures.

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Size;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use platen_events::{DriveState, Verdict};
use platen_testkit::daemon::{Connection, Daemon};
use platen_ui::{Action, Board, Colour, Input, Panel, Screen, Settings, Shape, Ui, Wish, wire};
use serde_json::{Value, json};

use crate::common::Station;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// It ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The newest picture, and how many pixels of it have this colour.
fn newest(folder: &Path, colour: Colour) -> Option<(PathBuf, usize)> {
    let names = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = names.filter(|path| path.extension().is_some_and(|end| end == "png")).max()?;
    let file = BufReader::new(std::fs::File::open(&newest).ok()?);
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
    let mut data = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut data).expect("a picture");
    assert_eq!((info.width, info.height), (800, 480));
    Some((newest, data.chunks_exact(3).filter(|pixel| *pixel == colour.rgb()).count()))
}

#[track_caller]
fn until(what: &str, folder: &Path, colour: Colour, is_so: impl Fn(usize) -> bool) {
    let begun = Instant::now();
    loop {
        let found = newest(folder, colour);
        if found.as_ref().is_some_and(|(_, pixels)| is_so(*pixels)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {found:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_good_drive_fills_its_tile_on_the_panel() {
    let station = Station::with_medium();
    // The first start writes the configuration.
    let mut daemon = Daemon::new(&station, 4, "");
    daemon.stop();
    let folder = station.path("pictures");
    let mut command = Daemon::command(&station);
    command.arg("--panel").arg(format!("png:{}", folder.display()));
    let _running = Running(command.spawn().expect("platend runs"));
    // Four empty ports, and the one blue button.
    until("the ports are shown", &folder, Colour::Accent, |pixels| pixels > 2_000);
    until("nothing asks for a hand", &folder, Colour::Ready, |pixels| pixels == 0);

    daemon.ask(&["arm", "write", "TREE-r1", "--wanted", "6"]).expect(0);
    daemon.insert(2, "GOOD-1", "");
    daemon.until("the drive is good", |state| {
        let is_ready = |drive: &DriveState| {
            let end = drive.job.and_then(|job| state.jobs().get(&job)?.end.as_ref());
            end.is_some_and(|end| end.verdict == Verdict::Ready)
        };
        state.drives().values().any(is_ready)
    });
    until("its tile is filled", &folder, Colour::Ready, |pixels| pixels > 10_000);

    daemon.pull(2);
    until("it is not filled any more", &folder, Colour::Ready, |pixels| pixels < 10_000);
}

/// A panel that is a client of this station: what it wishes is asked, and what is said is read.
struct Client {
    ui: Ui,
    station: Connection,
    waits_for: BTreeSet<u64>,
}

impl Client {
    fn of(daemon: &Daemon<'_>) -> Self {
        let panel = Panel { size: Size::new(800, 480), is_mono: false, has_light: false };
        let ui = Ui::new(panel, Board::default(), Settings::default(), false);
        let mut station = daemon.connect();
        station.send(wire::SUBSCRIBE.trim_end());
        Self { ui, station, waits_for: BTreeSet::from([0]) }
    }

    /// Until all that was asked is answered.
    fn exchange(&mut self) {
        loop {
            for wish in self.ui.wishes() {
                if let Wish::Ask(id, request) = wish {
                    self.station.send(wire::line(id, &request).trim_end());
                    self.waits_for.insert(id);
                }
            }
            if self.waits_for.is_empty() {
                break;
            }
            let Some(line) = self.station.line() else { continue };
            self.ui.read(&line, 1);
            let line: Value = serde_json::from_str(&line).expect("JSON");
            line["id"].as_u64().map(|id| self.waits_for.remove(&id));
        }
    }

    /// What the panel says on this screen.
    fn says(&mut self, screen: Screen) -> String {
        self.ui.show(screen);
        self.exchange();
        self.said()
    }

    fn said(&mut self) -> String {
        self.ui.draw();
        let shapes = &self.ui.scene().expect("drawn").shapes;
        let text = |shape: &Shape| if let Shape::Text(text) = shape { Some(text.text.clone()) } else { None };
        shapes.iter().filter_map(text).collect::<Vec<_>>().join("|")
    }
}

#[test]
fn the_panel_understands_every_kind_of_answer() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 2, "");
    daemon.ask(&["arm", "write", "TREE-r1"]).expect(0);
    daemon.insert(1, "SERIAL-12345678", "");
    daemon.until("the drive is good", |state| state.jobs().values().any(|job| job.end.is_some()));
    let mut client = Client::of(&daemon);
    client.exchange();
    let media = client.says(Screen::Media { port: None, chosen: 0 });
    let key = std::fs::read_to_string(station.path("test-insecure.pub")).expect("reads");
    let number = key.lines().next().and_then(|line| line.split(' ').next_back()).expect("a number");
    assert!(["Test tree", "File tree", number].iter().all(|wanted| media.contains(wanted)), "{media}");
    let rows = client.says(Screen::History { serial: None });
    assert!(rows.contains("Test tree") && rows.contains("5678"), "{rows}");
    let none = client.says(Screen::History { serial: Some("OTHER".to_owned()) });
    assert!(!none.contains("5678"), "{none}");
    // What is refused is said with the station's words.
    let medium = "NOWHERE-r1".to_owned();
    client.says(Screen::HowMany { medium, typed: String::new() });
    let enter = client.ui.targets().iter().find(|target| target.action == Action::Enter).expect("there").area.center();
    client.ui.input(Input::Down(enter), 2);
    client.ui.input(Input::Up(enter), 2);
    client.exchange();
    let said = client.said();
    assert!(said.contains("NOWHERE-r1"), "{said}");
}

#[test]
fn media_say_who_signed_them_and_what_their_dates_allow() {
    let station = Station::with_medium();
    station.build(&station.define("OLD", 1, "valid-until = 2026-11-02")).expect(0);
    station.build(&station.define("AHEAD", 1, "valid-from = 2090-01-01")).expect(0);
    station.import().expect(0);
    let daemon = Daemon::new(&station, 1, "");
    let answer = daemon.connect().ask(r#"{"id":1,"request":"errand","errand":"media"}"#);
    let media = answer["ok"].as_array().expect("a list");
    let of = |id: &str| media.iter().find(|medium| medium["medium"] == format!("{id}-r1")).expect("listed");
    let dates = |id: &str| of(id)["dates"].as_str().expect("a word");
    assert_eq!(["TREE", "OLD", "AHEAD"].map(dates), ["good", "expired", "not-yet"], "{answer}");
    assert_eq!((&of("OLD")["valid_until"], &of("OLD")["valid_from"]), (&json!("2026-11-02T23:59:59Z"), &Value::Null));
    assert_eq!(of("AHEAD")["valid_from"], json!("2090-01-01T00:00:00Z"));
    // minisign's own comment in the public key names the number.
    let key = std::fs::read_to_string(station.path("test-insecure.pub")).expect("reads");
    let signed_by = of("TREE")["signed_by"].as_str().expect("a number");
    assert!(key.lines().next().expect("a comment").contains(signed_by), "{signed_by}: {key}");
    let listed = daemon.ask(&["media"]).expect(0).stdout;
    assert!(listed.contains(signed_by) && listed.contains("expired"), "{listed}");
    // What is not valid yet may be written: staging centres ship ahead of the date.
    daemon.ask(&["arm", "write", "AHEAD-r1"]).expect(0);
}

/// A terminal of 240 x 140 characters, with the station's panel in it.
struct AtTerminal {
    child: Child,
    keys: std::fs::File,
    line: OwnedFd,
    before: Termios,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl AtTerminal {
    fn start(station: &Station, colours: &str) -> Self {
        let size = Winsize { ws_row: 140, ws_col: 240, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a terminal");
        let before = tcgetattr(&pty.slave).expect("asks");
        let end = || Stdio::from(pty.slave.try_clone().expect("clones"));
        let mut command = Daemon::command(station);
        command.args(["--panel", "terminal"]).env("COLORTERM", colours).stdin(end()).stdout(end());
        let log = std::fs::File::create(station.path("terminal.log")).expect("opens");
        let child = command.stderr(log).spawn().expect("platend runs");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let mut reader = std::fs::File::from(pty.master.try_clone().expect("clones"));
        let into = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                into.lock().expect("whole").extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, keys: pty.master.into(), line: pty.slave, before, shown }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("types");
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&[u8]) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.shown.lock().expect("whole")) {
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// It has ended: with this status, and the terminal is as it was.
    #[track_caller]
    fn ended(mut self, status: i32) {
        let ended = self.child.wait().expect("a process").code();
        assert_eq!(ended, Some(status));
        let after = tcgetattr(&self.line).expect("asks");
        assert_eq!((after.local_flags, after.input_flags), (self.before.local_flags, self.before.input_flags));
    }
}

fn has(shown: &[u8], text: &str) -> bool {
    shown.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What a panel says in the first place: its title and the lines below it, without the clock.
fn words(folder: &Path, station: &Station) -> Vec<[u8; 3]> {
    let mut command = Daemon::command(station);
    command.arg("--panel").arg(format!("png:{}", folder.display()));
    let _running = Running(command.spawn().expect("platend runs"));
    until("the ports are shown", folder, Colour::Accent, |pixels| pixels > 2_000);
    let (path, _) = newest(folder, Colour::Accent).expect("a picture");
    let mut reader =
        png::Decoder::new(BufReader::new(std::fs::File::open(path).expect("opens"))).read_info().expect("PNG");
    let mut data = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut data).expect("a picture");
    let pixels: Vec<[u8; 3]> = data.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    pixels.chunks(800).skip(60).take(100).flat_map(|row| row[..500].to_vec()).collect()
}

/// KlipperScreen/KlipperScreen 1363: the language that was chosen on the panel was another one after a restart.
#[test]
fn a_language_that_was_chosen_at_the_first_start_is_spoken_after_a_restart() {
    let station = Station::with_medium();
    let mut daemon = Daemon::new(&station, 4, "");
    daemon.stop();
    let english = words(&station.path("english"), &station);
    assert!(english == words(&station.path("again"), &station), "the control: the same twice");

    std::fs::remove_dir_all(station.path("state")).expect("removes");
    let mut terminal = AtTerminal::start(&station, "truecolor");
    terminal.until("something is drawn", |shown| has(shown, "▀"));
    // The focus stops at the last language.
    terminal.press("\x1b[B\x1b[B\x1b[B\x1b[B\r");
    let kept = station.path("state/panel.json");
    let begun = Instant::now();
    while !std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("\"ko\"")) {
        assert!(begun.elapsed() < PATIENCE, "the language is kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    terminal.press("q");
    terminal.until("the terminal is given back", |shown| has(shown, "\x1b[?1000l") && has(shown, "\x1b[?1049l"));
    terminal.ended(0);
    assert!(english != words(&station.path("korean"), &station), "it speaks Korean");
}

#[test]
fn a_terminal_without_true_colours_is_told_so_and_left_as_it_was() {
    let station = Station::new();
    let mut daemon = Daemon::new(&station, 1, "");
    daemon.stop();
    let terminal = AtTerminal::start(&station, "yes");
    terminal.ended(4);
    let said = std::fs::read_to_string(station.path("terminal.log")).expect("reads");
    assert!(said.contains("COLORTERM=truecolor"), "{said}");
}
