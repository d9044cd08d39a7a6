// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A whole station, as people use it: the program `platend` with simulated ports, asked over its socket.

use std::path::Path;
use std::process::Command;

use platen_events::{BatchId, Code, DriveState, StationState, Verdict};
use platen_testkit::daemon::Daemon;

use crate::boot::{self, MEDIA_ID, Variant};
use crate::boot_drives::{self, drive};
use crate::common::{Station, assert_no_medium, tool};

/// The drive in a port.
fn drive_in(state: &StationState, port: usize) -> Option<&DriveState> {
    let port = port.to_string();
    state.drives().values().find(|drive| drive.label.port == port && !drive.is_gone)
}

fn verdict_in(state: &StationState, port: usize) -> Option<Verdict> {
    let job = drive_in(state, port)?.job?;
    Some(state.jobs()[&job].end.as_ref()?.verdict.clone())
}

fn refused_in(state: &StationState, port: usize) -> Option<Code> {
    drive_in(state, port)?.refused.as_ref()?.code.as_ref()?.known()
}

fn counts(state: &StationState, batch: u64) -> Option<(u32, u32)> {
    state.batches().get(&BatchId(batch)).map(|batch| (batch.good, batch.failed))
}

/// By a judge that is not ours, and as people would see it later.
#[track_caller]
fn assert_is_medium(station: &Station, drive: &Path) {
    let drive = drive.to_str().expect("UTF-8");
    station.platen(&["verify", drive]).expect(0);
    let listed = tool("mdir", &["-b", "-i", &format!("{drive}@@1M"), "::/"]).expect(0).stdout;
    assert!(listed.contains("readme.txt"), "{listed}");
}

#[track_caller]
fn assert_replays(station: &Station) {
    for journal in ["state/journal.jsonl", "state/journal.1.jsonl"] {
        if station.path(journal).exists() {
            let mut command = Command::new(crate::common::program().with_file_name("platend"));
            let output = command.args(["replay", &station.text(journal)]).output().expect("platend runs");
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("the same followed from each"), "{journal}: {said}");
        }
    }
}

/// A staging centre's day on four ports: good drives, one that lies, one that is pulled, one that comes back, one that
/// failed before, a restart in the middle of a batch.
#[test]
fn a_batch_from_arming_to_its_last_good_copy() {
    let station = Station::with_medium();
    let mut daemon = Daemon::new(&station, 4, "");
    daemon.ask(&["arm", "write", "TREE-r1", "--wanted", "6"]).expect(0);

    // 1, 2: good. 3: gives back wrong bits in the middle of what is written. 4: it is pulled by itself.
    daemon.insert(1, "GOOD-1", "");
    daemon.insert(2, "GOOD-2", "");
    daemon.insert(3, "LIAR", "wrong-at-mib = 6");
    daemon.insert(4, "LOOSE", "vanish-at-mib = 4");
    let state = daemon.until("four drives have their end", |state| {
        verdict_in(state, 1) == Some(Verdict::Ready)
            && verdict_in(state, 2) == Some(Verdict::Ready)
            && verdict_in(state, 3).is_some()
            && drive_in(state, 4).is_none()
            && counts(state, 1) == Some((2, 2))
    });
    assert_eq!(verdict_in(&state, 3), Some(Verdict::of_code(Code::ReadBackDiffers)));

    // 5: a good one comes back in another port. 6: the liar comes back, and behaves. 7: the same one again as it was.
    let good = daemon.pull(1);
    assert_is_medium(&station, &good);
    let liar = daemon.pull(3);
    assert_no_medium(liar.to_str().expect("UTF-8"));
    daemon.insert_again(1, "LIAR", &liar);
    daemon.insert_again(3, "GOOD-1", &good);
    let state =
        daemon.until("both are refused", |state| refused_in(state, 1).is_some() && refused_in(state, 3).is_some());
    assert_eq!(refused_in(&state, 1), Some(Code::ReadBackDiffers));
    assert_eq!(refused_in(&state, 3), Some(Code::AlreadyDone));

    // 8: another drive with the serial number of a good one, but empty: it is no copy yet.
    daemon.pull(2);
    daemon.insert(2, "GOOD-1", "");
    daemon.until("the twin is written", |state| counts(state, 1) == Some((3, 2)));

    // 9: one that was pulled comes back whole. 10: a slow one, in the making when the power is cut.
    daemon.insert(4, "LOOSE", "");
    daemon.until("the loose one is written", |state| counts(state, 1) == Some((4, 2)));
    daemon.pull(1);
    daemon.insert(1, "SLOW", "slow-ms-per-mib = 200");
    daemon.until("it is in the making", |state| {
        drive_in(state, 1).and_then(|drive| drive.job).is_some_and(|job| state.jobs()[&job].step.is_some())
    });
    daemon.kill();
    assert_replays(&station);
    assert_no_medium(station.path("ports/1").to_str().expect("UTF-8"));
    daemon.start();

    // The counts are as they were, what was good is not redone, what was in the making is made anew.
    let state = daemon.until("it is written after the restart", |state| counts(state, 1) == Some((5, 2)));
    assert_eq!(refused_in(&state, 2), Some(Code::AlreadyDone));
    assert_eq!(verdict_in(&state, 1), Some(Verdict::Ready));

    // 11: the sixth good copy ends the batch, and the next has begun. 12: it takes the next drive.
    daemon.pull(2);
    daemon.insert(2, "GOOD-6", "");
    daemon.until("the next batch has begun", |state| counts(state, 1).is_none() && counts(state, 2) == Some((0, 0)));
    daemon.pull(4);
    daemon.insert(4, "GOOD-7", "");
    daemon.until("its first copy", |state| counts(state, 2) == Some((1, 0)));
    let history = daemon.ask(&["history", "--serial", "LIAR"]).expect(0).stdout;
    assert!(history.contains("P-V-001"), "{history}");
    assert_eq!(daemon.stop(), 0);
    assert_replays(&station);
    station.platen(&["ledger", "check"]).expect(0);
}

/// A drive whose power is cut between writing and reading back is another insertion, and still the same drive of the same
/// batch.
#[test]
fn a_drive_is_read_back_after_its_power_was_cut() {
    let station = Station::with_medium();
    let mut daemon = Daemon::new(&station, 5, "attempts = 1");
    daemon.ask(&["arm", "write", "TREE-r1"]).expect(0);
    daemon.insert(1, "HONEST", "power = \"cut\"");
    daemon.insert(2, "QUIET", "power = \"disconnected\"");
    // It has everything as long as it has power.
    daemon.insert(3, "FORGETFUL", "power = \"cut\"\nforgets-from-mib = 2");
    daemon.insert(4, "SWAPPED", "power = \"cut\"\nserial-after-power = \"OTHER\"");
    let lost = daemon.insert(5, "LOST", "power = \"away\"");
    let state = daemon.until("all have their end", |state| {
        let is_judged = |serial: &str| {
            let drive = state.drives().values().find(|drive| drive.label.serial.as_deref() == Some(serial));
            drive.is_some_and(|drive| drive.job.is_some_and(|job| state.jobs()[&job].end.is_some()))
        };
        ["HONEST", "QUIET", "FORGETFUL", "OTHER"].iter().all(|serial| is_judged(serial))
            && counts(state, 1) == Some((3, 3))
    });
    assert_eq!(verdict_in(&state, 1), Some(Verdict::Ready));
    assert_eq!(verdict_in(&state, 2), Some(Verdict::Ready));
    assert_eq!(verdict_in(&state, 3), Some(Verdict::of_code(Code::ReadBackDiffers)));
    // The one that was put in its place was not taken for it, and was written by a job of its own.
    assert_eq!(verdict_in(&state, 4), Some(Verdict::Ready));
    assert!(drive_in(&state, 5).is_none());
    assert_no_medium(lost.to_str().expect("UTF-8"));
    assert_no_medium(station.path("ports/3").to_str().expect("UTF-8"));
    assert_is_medium(&station, &daemon.pull(1));
    let exported = station.platen(&["ledger", "export", "--format", "json"]).expect(0).stdout;
    let rows = |said: &str| exported.matches(said).count();
    // The forgetful one as well, and the one that came in another's place.
    assert_eq!((rows("its power was cut before"), rows("did not say that it lost its power")), (3, 1), "{exported}");
    assert_eq!(daemon.stop(), 0);
    assert_replays(&station);
}

#[test]
fn a_station_that_demands_it_writes_only_where_the_power_can_be_cut() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 3, "attempts = 1\npower-cycle = \"require\"");
    daemon.ask(&["arm", "write", "TREE-r1"]).expect(0);
    let fixed = daemon.insert(1, "NO-SWITCH", "");
    daemon.insert(2, "QUIET", "power = \"disconnected\"");
    daemon.insert(3, "GOOD", "power = \"cut\"");
    let state = daemon.until("all have their end", |state| {
        refused_in(state, 1).is_some() && refused_in(state, 2).is_some() && verdict_in(state, 3) == Some(Verdict::Ready)
    });
    assert_eq!(refused_in(&state, 1), Some(Code::NoPowerSwitch));
    assert!(std::fs::read(fixed).expect("reads").iter().all(|&byte| byte == 0), "it was written to");
    assert_no_medium(station.path("ports/2").to_str().expect("UTF-8"));
    let history = daemon.ask(&["history", "--serial", "QUIET"]).expect(0).stdout;
    assert!(history.contains("P-V-006"), "{history}");
}

#[test]
fn what_was_seen_is_started_and_nothing_else() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 2, "");
    daemon.insert(1, "FIRST", "");
    let state = daemon.until("it waits", |state| drive_in(state, 1).is_some());
    let seen = state.drives().keys().next().expect("one").clone();
    // Exchanged between choosing and confirming.
    let first = daemon.pull(1);
    let second = daemon.insert(1, "SECOND", "");
    daemon.until("the other one is there", |state| {
        drive_in(state, 1).is_some_and(|drive| drive.label.serial.as_deref() == Some("SECOND"))
    });
    let before = [std::fs::read(&first).expect("reads"), std::fs::read(&second).expect("reads")];
    let mut client = daemon.connect();
    let request = serde_json::json!({
        "id": 1, "request": "start", "port": "1", "drive": seen, "work": { "kind": "write", "medium": "TREE-r1" },
    });
    let answer = client.ask(&request.to_string());
    assert_eq!(answer["error"]["code"], "P-W-002", "{answer}");
    assert!([std::fs::read(&first).expect("reads"), std::fs::read(&second).expect("reads")] == before);
    // Chosen by what is there now, it is written; and cancelled in the middle it is no medium.
    daemon.ask(&["start", "write", "TREE-r1", "--port", "1"]).expect(0);
    daemon.until("it is written", |state| verdict_in(state, 1) == Some(Verdict::Ready));
    let slow = daemon.insert(2, "SLOW", "slow-ms-per-mib = 500");
    daemon.until("it waits", |state| drive_in(state, 2).is_some());
    daemon.ask(&["start", "write", "TREE-r1", "--port", "2"]).expect(0);
    daemon.until("it is in the making", |state| drive_in(state, 2).is_some_and(|drive| drive.job.is_some()));
    daemon.ask(&["cancel", "--port", "2"]).expect(0);
    daemon.until("it has stopped", |state| verdict_in(state, 2) == Some(Verdict::Cancelled));
    assert_no_medium(slow.to_str().expect("UTF-8"));
    assert_replays(&station);
}

#[test]
fn ports_take_what_they_are_for() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 2, "largest-drive = \"48 MiB\"");
    daemon.ask(&["arm", "write", "TREE-r1"]).expect(0);
    let wrong = [(1, "", Code::TooLarge), (2, "class = \"sata\"", Code::NotTaken), (3, "", Code::NotAPort)];
    for (port, traits, code) in wrong {
        let drive = daemon.insert(port, "X", traits);
        let before = std::fs::read(&drive).expect("reads");
        let name = port.to_string();
        daemon.until("it is refused", |state| {
            let refused = state.drives().values().find(|drive| drive.label.port == name);
            refused.and_then(|drive| drive.refused.as_ref()?.code.as_ref()?.known()) == Some(code)
        });
        assert!(std::fs::read(&drive).expect("reads") == before, "{code}: it was touched");
    }
}

#[test]
fn clients_that_say_nonsense_or_do_not_read_harm_nobody() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 1, "");
    let mut client = daemon.connect();
    // The transcript that `docs/formats/socket.md` shows.
    for (request, answer) in [
        ("\u{7f}garbage", r#""error":{"exit":2,"text":"expected JSON"#),
        ("[1]", r#"{"error":{"exit":2,"text":"expected a JSON object"}}"#),
        (r#"{"id":7,"request":"dance"}"#, r#"{"id":7,"error":{"exit":2,"text":"unknown variant `dance`"#),
        (
            r#"{"id":8,"request":"pause","ports":["9"]}"#,
            r#"{"id":8,"error":{"exit":2,"text":"port 9: the station has none"}}"#,
        ),
        (r#"{"id":9,"request":"pause"}"#, r#"{"id":9,"ok":{"done":"accepted"}}"#),
        (r#"{"id":10,"request":"resume"}"#, r#"{"id":10,"ok":{"done":"accepted"}}"#),
        (
            r#"{"id":11,"request":"arm","work":{"kind":"write","medium":"NONE-r1"}}"#,
            r#"{"id":11,"error":{"exit":2,"text":"NONE-r1: the cache has no such medium to be written"}}"#,
        ),
        (r#"{"id":12,"request":"login","role":"operator"}"#, r#"{"id":12,"ok":{"done":"admitted","role":"operator"}}"#),
    ] {
        client.send(request);
        let line = loop {
            if let Some(line) = client.line() {
                break line;
            }
        };
        assert!(line.contains(answer), "{request}\n{line}");
    }
    // Longer than any request, and never ending.
    let mut endless = daemon.connect();
    endless.send(&"x".repeat(1 << 20));
    assert!(endless.has_ended());
    // One that listens and never reads is cut off; the others go on.
    let mut deaf = daemon.connect();
    deaf.send(r#"{"id":1,"request":"subscribe"}"#);
    for n in 0..9000 {
        let request = if n % 2 == 0 { "pause" } else { "resume" };
        client.send(&format!(r#"{{"id":{n},"request":"{request}"}}"#));
        client.line();
    }
    assert!(client.ask(r#"{"id":1,"request":"resume"}"#)["ok"].is_object());
    // A second station with the same things, at this socket and at another.
    let config = std::fs::read_to_string(station.path("station.toml")).expect("reads");
    for socket in ["station.sock", "other.sock"] {
        std::fs::write(station.path("station.toml"), config.replace("station.sock", socket)).expect("writes");
        let second = Daemon::command(&station).output().expect("platend runs");
        assert_eq!(second.status.code(), Some(4), "{second:?}");
        assert!(String::from_utf8_lossy(&second.stderr).contains("another station already uses"), "{second:?}");
    }
    daemon.ask(&["status"]).expect(0);
    // One with a state of its own at the same socket, and one whose socket would take somebody's file.
    std::fs::write(station.path("mine.txt"), "mine").expect("writes");
    let other = config.replace("/state\"", "/other-state\"");
    for (config, said) in [
        (other.clone(), "another station already listens"),
        (other.replace("station.sock", "mine.txt"), "listening at the socket"),
    ] {
        std::fs::write(station.path("station.toml"), config).expect("writes");
        let second = Daemon::command(&station).output().expect("platend runs");
        assert!(second.status.code() == Some(4), "{second:?}");
        assert!(String::from_utf8_lossy(&second.stderr).contains(said), "{second:?}");
    }
    assert_eq!(std::fs::read_to_string(station.path("mine.txt")).expect("reads"), "mine");
    daemon.ask(&["status"]).expect(0);
}

#[test]
fn roles_have_pins_and_a_station_without_configuration_does_not_start() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 1, "");
    daemon.ask_with_pin("8264", &["set-pin", "administrator"]).expect(0);
    daemon.ask_with_pin("3918", &["set-pin", "operator"]).expect(0);
    // One that is guessed first.
    daemon.ask_with_pin("1111", &["set-pin", "technician"]).expect(2);
    daemon.ask_with_pin("3918", &["--role", "operator", "arm", "write", "TREE-r1"]).expect(0);
    daemon.ask_with_pin("3919", &["--role", "operator", "arm", "write", "TREE-r1"]).refused(3, &["P-A-001"]);
    let operator = daemon.ask_with_pin("3918", &["--role", "operator", "import", "layout"]);
    operator.refused(3, &["expected the role administrator"]);
    let pins = std::fs::read_to_string(station.path("state/pins.json")).expect("reads");
    assert!(!pins.contains("8264") && pins.contains("$argon2id$"), "{pins}");
    let journal = std::fs::read_to_string(station.path("state/journal.jsonl")).unwrap_or_default();
    assert!(!journal.contains("8264") && !journal.contains("3918"));
    drop(daemon);

    let text = std::fs::read_to_string(station.path("station.toml")).expect("reads");
    std::fs::write(station.path("station.toml"), text.replace("lowest-free", "lowest-fee")).expect("writes");
    let output = Daemon::command(&station).output().expect("platend runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("lowest-fee"), "{said}");
}

/// Which socket has which label, by inserting a drive in one port after the other.
#[test]
fn ports_are_learnt_by_inserting_drives() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 2, "");
    let socket = station.text("station.sock");
    let learn = station.command(&["station", "--socket", &socket, "learn", "left", "right"]);
    let mut learn = { learn }.stdout(std::process::Stdio::piped()).spawn().expect("platen runs");
    let waits_for = |label: &str| {
        daemon.until("it says where to put one", |state| {
            state
                .conditions()
                .get("learning")
                .is_some_and(|text| text.ends_with(&format!("insert a drive in port {label}")))
        });
    };
    waits_for("left");
    daemon.insert(7, "A", "");
    waits_for("right");
    // The same port again is no other port; and nothing is begun meanwhile.
    daemon.pull(7);
    daemon.insert(7, "B", "");
    daemon.until("it is known", |state| {
        state.conditions().get("learning").is_some_and(|text| text.starts_with("that was port left"))
    });
    daemon.ask(&["start", "write", "TREE-r1", "--port", "7"]).refused(4, &["nothing is begun"]);
    daemon.insert(9, "C", "class = \"sata\"");
    assert!(learn.wait().expect("ends").success());
    let map = std::fs::read_to_string(station.path("ports.toml")).expect("reads");
    assert!(map.contains("label = \"left\"\nsocket = \"7\"") && map.contains("\"sata\""), "{map}");
    // The station has begun anew by itself, with the new map.
    let is_new = || daemon.ask(&["status"]).stdout.contains("left");
    let begun = std::time::Instant::now();
    while !is_new() {
        assert!(begun.elapsed().as_secs() < 60, "{}", daemon.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    daemon.ask(&["learn", "a", "A"]).refused(2, &["label A"]);
    daemon.ask(&["learn", "much too long"]).refused(2, &["label"]);
    // Somebody who goes away does not leave the station waiting.
    let mut given_up = station.command(&["station", "--socket", &socket, "learn", "9"]).spawn().expect("platen runs");
    waits_for("9");
    given_up.kill().and_then(|()| given_up.wait()).expect("ends");
    daemon.until("nothing is learnt", |state| state.conditions().is_empty());
    daemon.ask(&["arm", "write", "TREE-r1"]).expect(0);
    daemon.until("the drive on the right is written", |state| {
        state.drives().values().any(|drive| {
            let end = drive.job.and_then(|job| state.jobs()[&job].end.as_ref());
            drive.label.port == "right" && end.is_some_and(|end| end.verdict == Verdict::Ready)
        })
    });
}

#[test]
fn a_lost_pin_is_taken_away_by_a_signed_request_and_a_report_has_no_secret() {
    let station = Station::with_medium();
    let daemon = Daemon::new(&station, 1, "");
    daemon.ask_with_pin("8264", &["set-pin", "administrator"]).expect(0);
    let request = daemon.ask(&["pin-request"]).expect(0).stdout;
    let file = station.text("reset.json");
    std::fs::write(&file, &request).expect("writes");
    // By a key that nobody trusts here, then by the author's.
    let stranger = Station::new();
    for (signer, succeeds) in [(&stranger, false), (&station, true)] {
        let key = signer.text("test-insecure.key");
        tool("minisign", &["-S", "-m", &file, "-s", &key, "-x", &format!("{file}.minisig")]).expect(0);
        let reset = daemon.ask(&["reset-pin", &file]);
        assert_eq!(reset.status == 0, succeeds, "{}{}", reset.stdout, reset.stderr);
    }
    daemon.ask(&["reset-pin", &file]).refused(3, &["no challenge is open"]);
    daemon.ask_with_pin("8264", &["--role", "administrator", "media"]).refused(3, &["it has no PIN"]);
    daemon.ask_with_pin("9173", &["set-pin", "administrator"]).expect(0);

    // A drive that would speak to the terminal of whoever reads the report.
    let hostile = "serial = \"\\u001b]0;owned\\u0007../../etc\"\n";
    std::fs::write(station.path("ports/1.toml"), hostile).expect("writes");
    std::fs::rename(station.drive("hostile.img", 64), station.path("ports/1")).expect("renames");
    daemon.until("it is there", |state| drive_in(state, 1).is_some());
    let folder = daemon.ask(&["diagnostics", &station.text("")]).expect(0).stdout;
    let folder = Path::new(folder.trim_end());
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(!text.contains("9173") && !text.contains("argon2") && !text.contains('\u{1b}'), "{}", path.display());
        names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
    }
    names.sort();
    let expected = ["history.json", "journal.jsonl", "ports.toml", "record.jsonl", "settings.txt", "versions.txt"]
        .map(str::to_owned);
    assert_eq!(names, expected);
    let mut command = Command::new(crate::common::program().with_file_name("platend"));
    let journal = folder.join("journal.jsonl");
    assert!(command.arg("replay").arg(&journal).output().expect("platend runs").status.success());
    daemon.ask(&["diagnostics", "/nowhere"]).refused(4, &["/nowhere"]);
}

/// A drive that no trusted author signed becomes copies that are what it is, as the station says and as other tools see.
#[test]
fn media_that_somebody_brings_on_a_drive_are_taken_into_the_cache() {
    let [author, stranger] = [(); 2].map(|()| Station::with_medium());
    let station = Station::new();
    tool("cp", &[&author.text("trusted/test-insecure.pub"), &station.text("trusted/author.pub")]).expect(0);
    let mut daemon = Daemon::new(&station, 3, "");
    // As somebody would make it: a stick with a file system of its own, and a folder copied to it.
    let stick = |name: &str, layout: &str, change: &str| {
        let image = station.drive(name, 96);
        let line = format!(
            "mkfs.fat -F 32 -n BROUGHT '{image}' && cp -r '{layout}' copied && cd copied && {change} && cd .. && \
             MTOOLS_SKIP_CHECK=1 mcopy -s -i '{image}' copied ::/ && rm -r copied"
        );
        let line = format!("cd '{}' && export PATH=$PATH:/usr/sbin:/sbin && {line}", station.text(""));
        tool("bash", &["-c", &line]).expect(0);
        image
    };
    let bring = |daemon: &mut Daemon<'_>, serial: &str, image: &str| {
        daemon.pull(1);
        daemon.insert_again(1, serial, Path::new(image));
        daemon.until("it is there", |state| {
            drive_in(state, 1).is_some_and(|drive| drive.label.serial.as_deref() == Some(serial))
        });
        daemon.ask(&["import", "--from", "1"])
    };
    daemon.insert(1, "EMPTY", "");
    // A station that never had a medium says what it has.
    assert!(!daemon.ask(&["media"]).expect(0).stdout.contains("TREE"));
    daemon.ask(&["status"]).expect(0);
    let layout = author.text("layout");
    let largest = "$(ls -S blobs/sha256/* | head -n 1)";
    for (serial, layout, change, said) in [
        ("NOTHING", &layout, "rm index.json", "P-M-007"),
        ("OLD", &layout, "sed -i s/1.0.0/0.9.0/ oci-layout", "expected version 1.0.0"),
        ("DAMAGED", &layout, &*format!("printf X | dd of={largest} bs=1 seek=5000 conv=notrunc"), "P-M-007"),
        ("SHORT", &layout, &*format!("rm {largest}"), "P-M-007"),
        ("STRANGER", &stranger.text("layout"), "true", "P-M-001"),
    ] {
        let image = stick(&format!("{serial}.img"), layout, change);
        bring(&mut daemon, serial, &image).refused(1, &[said]);
        assert!(!daemon.ask(&["media"]).stdout.contains("TREE"), "{serial}");
    }
    // The control; a job goes on beside it.
    let image = stick("good.img", &layout, "true");
    daemon.ask(&["arm", "test", "--port", "2"]).expect(0);
    daemon.insert(2, "BESIDE", "");
    let said = bring(&mut daemon, "GOOD", &image).expect(0).stdout;
    assert!(said.contains("imported TREE-r1"), "{said}");
    daemon.until("the other is tested", |state| verdict_in(state, 2) == Some(Verdict::Good));
    daemon.ask(&["arm", "write", "TREE-r1", "--port", "3"]).expect(0);
    daemon.insert(3, "COPY", "");
    daemon.until("what was brought is written", |state| verdict_in(state, 3) == Some(Verdict::Ready));
    let rows = daemon.ask(&["history"]).expect(0).stdout;
    assert!(rows.contains("GOOD") && rows.contains("import") && rows.contains("READ"), "{rows}");
    assert_eq!(daemon.stop(), 0);
    assert_replays(&station);
}

/// What a drive was written with is on it whole: another station takes the medium from there, to the byte.
#[test]
fn a_written_medium_is_taken_from_its_drive() {
    if !boot::wanted() {
        return;
    }
    let written = drive(Variant::Gpt);
    let author = boot_drives::station();
    let station = Station::new();
    tool("cp", &[&author.text("trusted/test-insecure.pub"), &station.text("trusted/author.pub")]).expect(0);
    let mut daemon = Daemon::new(&station, 3, "");
    daemon.insert(1, "FIRST", "");
    let bring = |daemon: &mut Daemon<'_>, serial: &str, change: &dyn Fn(&Path)| {
        let image = station.path(&format!("{serial}.img"));
        std::fs::copy(&written, &image).expect("copies");
        change(&image);
        daemon.pull(1);
        daemon.insert_again(1, serial, &image);
        daemon.until("it is there", |state| {
            drive_in(state, 1).is_some_and(|drive| drive.label.serial.as_deref() == Some(serial))
        });
    };
    // A medium of an older version has the boot images in no file.
    let at = |image: &Path| format!("{}@@1M", image.display());
    bring(&mut daemon, "OLDER", &|image| {
        tool("mdel", &["-i", &at(image), "::/platen/bios/core-mbr.img"]).expect(0);
    });
    daemon.ask(&["import", "--from", "1"]).refused(1, &["P-M-007", "missing content"]);
    bring(&mut daemon, "CHANGED", &|image| {
        station.files("", &[("net.inf", b"[Versiom]\n")]);
        let (from, to) = (station.text("net.inf"), "::/platen/content/PLTDRV01/net/net.inf");
        tool("mcopy", &["-D", "o", "-i", &at(image), &from, to]).expect(0);
    });
    daemon.ask(&["import", "--from", "1"]).refused(1, &["P-M-007"]);
    assert!(!daemon.ask(&["media"]).stdout.contains(MEDIA_ID));

    bring(&mut daemon, "GOOD", &|_| {});
    let name = format!("{MEDIA_ID}-r1");
    let said = daemon.ask(&["duplicate", "--from", "1"]).expect(0).stdout;
    assert!(said.contains(&format!("port 1 is {name}")), "{said}");
    daemon.insert_again(2, "COPY", Path::new(&station.drive("copy.img", 192)));
    daemon.until("its copy is written", |state| verdict_in(state, 2) == Some(Verdict::Ready));
    let said = daemon.ask(&["import", "--from", "1"]).expect(0).stdout;
    assert!(said.contains(&format!("imported {name}")), "{said}");
    assert_eq!(daemon.stop(), 0);
    assert_replays(&station);
    let blobs = std::fs::read_dir(station.path("cache/blobs/sha256")).expect("lists");
    let mut count = 0;
    for blob in blobs {
        let own = blob.expect("listed").path();
        let theirs = author.path("cache/blobs/sha256").join(own.file_name().expect("named"));
        assert!(std::fs::read(&own).expect("reads") == std::fs::read(&theirs).expect("the author has it"), "{own:?}");
        count += 1;
    }
    assert!(count > 6, "{count} blobs");
}

#[test]
fn a_foreign_drive_is_duplicated_by_this_station_alone() {
    let station = Station::with_medium();
    let mut daemon = Daemon::new(&station, 4, "");
    let master = daemon.insert(1, "MASTER", "");
    daemon.pull(1);
    // FAT32 with a file, and what is in nobody's cluster.
    let master = master.with_file_name("../away-1");
    let drive = master.to_str().expect("UTF-8");
    std::fs::write(&master, vec![0x5a; 64 << 20]).expect("writes");
    tool("mkfs.fat", &["-F", "32", "-s", "1", "-n", "FOREIGN", drive]).expect(0);
    let file = station.text("payload.bin");
    std::fs::write(&file, (0..3_000_000_u32).map(|n| ((n * 7) >> 3) as u8).collect::<Vec<u8>>()).expect("writes");
    tool("mcopy", &["-i", drive, &file, "::/payload.bin"]).expect(0);
    daemon.insert_again(1, "MASTER", &master);
    daemon.until("it is there", |state| drive_in(state, 1).is_some());
    let said = daemon.ask(&["duplicate", "--from", "1", "--wanted", "2"]).expect(0).stdout;
    assert!(said.contains("port 1 is DUPLICATE-00001-r1"), "{said}");
    daemon.insert(2, "COPY-1", "");
    daemon.insert(3, "COPY-2", "");
    daemon.until("two copies are ready", |state| {
        [2, 3].iter().all(|port| verdict_in(state, *port) == Some(Verdict::Ready))
    });
    let media = daemon.ask(&["media"]).expect(0).stdout;
    assert!(media.contains("not signed by its author") && media.contains("Duplicate of MASTER"), "{media}");
    for port in [2, 3] {
        let copy = daemon.pull(port);
        let copy = copy.to_str().expect("UTF-8");
        tool("fsck.fat", &["-n", copy]).expect(0);
        let back = station.text("back.bin");
        tool("mcopy", &["-n", "-o", "-i", copy, "::/payload.bin", &back]).expect(0);
        assert!(std::fs::read(&back).expect("reads") == std::fs::read(&file).expect("reads"));
        // What was in no cluster of the master was not taken along.
        let foreign =
            std::fs::read(copy).expect("reads").iter().rev().take(1 << 20).filter(|&&byte| byte == 0x5a).count();
        assert_eq!(foreign, 0);
    }
    let rows = daemon.ask(&["history"]).expect(0).stdout;
    assert!(rows.contains("read-master") && rows.contains("DUPLICATE-00001-r1"), "{rows}");
    // Another station trusts neither the image nor what says of itself that it is one.
    let other = Station::with_medium();
    tool("cp", &["-r", &station.text("cache"), &other.text("foreign")]).expect(0);
    other.platen(&["cache", "import", "foreign", "DUPLICATE-00001"]).refused(3, &["signed by key"]);
    assert_eq!(daemon.stop(), 0);
    assert_replays(&station);

    // Who may not, and a medium of a trusted author.
    let mut daemon = Daemon::new(&station, 2, "");
    let written = station.drive("own.img", 64);
    station.platen(&["write", "TREE", &written]).expect(0);
    daemon.pull(1);
    daemon.insert_again(1, "OWN", Path::new(&written));
    daemon.until("it is there", |state| {
        drive_in(state, 1).is_some_and(|drive| drive.label.serial.as_deref() == Some("OWN"))
    });
    let said = daemon.ask(&["duplicate", "--from", "1"]).expect(0).stdout;
    assert!(said.contains("port 1 is TREE-r1"), "{said}");
    daemon.ask(&["arm", "write", "DUPLICATE-00002-r1"]).refused(2, &["no such medium"]);
    assert_eq!(daemon.stop(), 0);
}
