// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel of a real station: what its socket tells becomes pictures.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Size;
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
        let panel = Panel { size: Size::new(800, 480), is_mono: false };
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
