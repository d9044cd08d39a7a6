// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A station on an appliance, as far as its own operating system goes: the program that keeps that system is played here, by the
//! lines that `docs/formats/appliance.md` describes. The real one is in `appliance/keeper`; both together run in `tests/image`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use platen_events::{Code, DataState, SystemRequest, SystemState, UpdateState};
use platen_testkit::daemon::Daemon;

use crate::common::{Station, tool};

const UPDATE: &str = "platen-pc_x86_64-1.5.0.raucb";

/// What the station is connected to in place of the keeper.
struct Played {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    state: SystemState,
}

impl Played {
    fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().expect("the station connects");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a limit");
        let lines = BufReader::new(stream.try_clone().expect("a handle"));
        let (board, version, slot) = ("pc_x86_64".to_owned(), "1.4.0".to_owned(), "a".to_owned());
        let mut played = Self { stream, lines, state: SystemState { board, version, slot, ..SystemState::default() } };
        played.say(UpdateState::None);
        played
    }

    fn say(&mut self, update: UpdateState) {
        self.state.update = update;
        let line = serde_json::to_string(&self.state).expect("JSON");
        writeln!(self.stream, "{line}").expect("the station hears");
    }

    fn asked(&mut self) -> SystemRequest {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a request");
        serde_json::from_str(&line).expect(&line)
    }
}

/// A drive as somebody would make it, with an update and nothing else on it; its name is what was copied there.
fn stick(station: &Station, update: &[u8]) -> String {
    std::fs::write(station.path(UPDATE), update).expect("writes");
    let image = station.drive("brought.img", 64);
    let line = format!("mkfs.fat -F 32 '{image}' && mcopy -i '{image}' {UPDATE} ::/");
    tool("bash", &["-c", &format!("cd '{}' && export PATH=$PATH:/usr/sbin:/sbin && {line}", station.text(""))])
        .expect(0);
    image
}

#[test]
fn an_update_comes_with_a_drive_and_is_installed_when_somebody_who_may_says_so() {
    let station = Station::with_medium();
    let keeper = station.text("keeper.sock");
    let listener = UnixListener::bind(&keeper).expect("binds");
    let incoming = station.path("incoming");
    std::fs::create_dir(&incoming).expect("a folder");
    let policy = format!("[system]\nkeeper = {keeper:?}\nupdates = {:?}", station.text("incoming"));
    let mut daemon = Daemon::new(&station, 2, &policy);
    let mut played = Played::accept(&listener);
    daemon.until("its system is known", |state| state.system().is_some_and(|system| system.version == "1.4.0"));

    let update: Vec<u8> = (0..5_000_003_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    daemon.insert_again(1, "BROUGHT", stick(&station, &update).as_ref());
    daemon.until("it is there", |state| !state.drives().is_empty());
    let said = daemon.ask(&["import", "--from", "1"]).expect(0).stdout;
    assert!(said.contains(&format!("imported {UPDATE}")), "{said}");
    assert!(std::fs::read(incoming.join(UPDATE)).expect("is there") == update);
    assert_eq!(played.asked(), SystemRequest::Look);

    // What the keeper finds is told, and what is asked goes to it.
    let (version, is_older) = ("1.5.0".to_owned(), false);
    played.say(UpdateState::Offered { version: version.clone(), is_older });
    daemon.until("it is offered", |state| {
        matches!(state.system().map(|system| &system.update), Some(UpdateState::Offered { .. }))
    });
    let status = daemon.ask(&["status"]).expect(0).stdout;
    assert!(status.contains("system 1.4.0 for pc_x86_64 in slot a; 1.5.0 can be installed"), "{status}");
    daemon.ask(&["install-update", "1.5.0"]).expect(0);
    assert_eq!(played.asked(), SystemRequest::Install { version: version.clone(), older: false });
    played.say(UpdateState::Installed { version });
    daemon.until("it is installed", |state| {
        matches!(state.system().map(|system| &system.update), Some(UpdateState::Installed { .. }))
    });

    // Why one is not taken is told in words.
    played.say(UpdateState::Refused { code: Code::UpdateUntrusted.into(), text: "another key".to_owned() });
    daemon.until("it is refused", |state| {
        matches!(state.system().map(|system| &system.update), Some(UpdateState::Refused { .. }))
    });
    assert!(daemon.ask(&["status"]).expect(0).stdout.contains("P-U-001  another key"));

    // A station whose data can't be kept makes nothing.
    played.state.data = DataState::Broken;
    played.say(UpdateState::None);
    daemon.until("it says so", |state| {
        state.conditions().get("data").is_some_and(|text| text.starts_with(Code::DataBroken.entry().id))
    });
    daemon.ask(&["arm", "write", "TREE-r1", "--port", "2"]).expect(0);
    daemon.insert(2, "WAITS", "");
    daemon.until("the drive is there", |state| state.drives().len() == 2);
    std::thread::sleep(Duration::from_secs(1));
    let begun = |daemon: &Daemon<'_>| daemon.ask(&["status"]).expect(0).stdout;
    assert!(!begun(&daemon).contains("writing"), "{}", begun(&daemon));
    daemon.ask(&["make-data-anew"]).expect(0);
    assert_eq!(played.asked(), SystemRequest::MakeDataAnew);
    // The control: when it is good again the drive is written.
    played.state.data = DataState::Good;
    played.say(UpdateState::None);
    daemon.until("it is written", |state| state.jobs().values().any(|job| job.medium.is_some() && job.end.is_some()));

    // A keeper that goes away and comes back is heard again.
    drop(played);
    let mut played = Played::accept(&listener);
    daemon.ask(&["restart"]).expect(0);
    assert_eq!(played.asked(), SystemRequest::Restart);
    assert_eq!(daemon.stop(), 0);
    tool("grep", &["-c", "1.5.0", &station.text("state/journal.jsonl")]).expect(0);
}

/// On any other machine the station says what it lacks, and a drive with an update alone is no import.
#[test]
fn a_station_that_is_no_appliance_says_so() {
    let station = Station::new();
    let daemon = Daemon::new(&station, 1, "");
    for args in [&["restart"][..], &["install-update", "1.5.0"], &["make-data-anew"]] {
        daemon.ask(args).refused(4, &["only an appliance has such a program"]);
    }
    daemon.insert_again(1, "BROUGHT", stick(&station, b"update").as_ref());
    daemon.until("it is there", |state| !state.drives().is_empty());
    daemon.ask(&["import", "--from", "1"]).refused(1, &["P-M-007", "an update of an appliance's system only"]);
}
