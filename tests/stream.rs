// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The record that every verb writes with `--json`: each line is held against the schema by a judge that is not ours, all
//! of a run's lines make one possible history, and every kind of event that is described is seen.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use platen_events::{Answer, BatchId, Code, Event, JobKind, SystemState, UpdateState, Verdict};
use serde_json::{Value, json};

use crate::common::{Ran, Station};
use platen_testkit::daemon::Daemon;
use platen_testkit::record::Recorded;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/appliance/events/events.schema.json");

/// Debian's python3-jsonschema: prints the number of each line that is not what the schema says, and why.
const JUDGE: &str = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
judge = jsonschema.Draft202012Validator(schema)
for number, line in enumerate(sys.stdin, 1):
    for error in judge.iter_errors(json.loads(line)):
        print(number, error.message[:200].replace('\\n', ' '))
        break
";

/// What the judge says against these lines: the numbers of those that are wrong, and why.
#[track_caller]
fn judged(lines: &str) -> Vec<(usize, String)> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", JUDGE, SCHEMA]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut judge = command.spawn().expect("python3 runs (appliance/install-packages test)");
    let mut stdin = judge.stdin.take().expect("piped");
    let lines = lines.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let said = judge.wait_with_output().expect("ends");
    writing.join().expect("writes").expect("the judge reads all of it");
    assert!(said.status.success(), "the judge failed: {}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).expect("UTF-8");
    let parts = text.lines().map(|line| line.split_once(' ').expect("a number and why"));
    parts.map(|(number, why)| (number.parse().expect("a number"), why.to_owned())).collect()
}

/// Runs of `platen`, and everything they recorded.
struct Runs<'a> {
    station: &'a Station,
    recorded: Vec<(String, Recorded)>,
    lines: String,
}

impl<'a> Runs<'a> {
    fn new(station: &'a Station) -> Self {
        Self { station, recorded: Vec::new(), lines: String::new() }
    }

    /// Run it; what it prints is a record from the first line to the last.
    #[track_caller]
    fn run(&mut self, status: i32, args: &[&str]) -> &Recorded {
        let ran = self.station.platen(&[args, &["--json"]].concat()).expect(status);
        self.took(&args.join(" "), &ran)
    }

    #[track_caller]
    fn took(&mut self, what: &str, ran: &Ran) -> &Recorded {
        assert!(ran.status == 0 || ran.stderr.is_empty(), "{what}: all of it is in the record: {}", ran.stderr);
        self.lines += &ran.stdout;
        self.recorded.push((what.to_owned(), ran.recorded()));
        &self.recorded.last().expect("pushed").1
    }
}

/// The error a run ended with: exit status, code, chain.
#[track_caller]
fn error(recorded: &Recorded) -> (u8, Option<Code>, String) {
    match recorded.events.last() {
        Some(Event::Error { exit, code, chain }) => {
            (*exit, code.as_ref().and_then(|code| code.known()), chain.join(" / "))
        }
        other => panic!("an error at the end, not {other:?}"),
    }
}

#[track_caller]
fn answer(recorded: &Recorded) -> &Answer {
    match recorded.answers()[..] {
        [answer] => answer,
        _ => panic!("one answer: {recorded:?}"),
    }
}

fn authoring(runs: &mut Runs<'_>) {
    let station = runs.station;
    runs.run(0, &["key", "new", "second"]);
    assert!(matches!(answer(runs.run(0, &["key", "show", "second.pub"])), Answer::Key { .. }));
    let one = station.define("TREE", 1, "");
    let one = one.to_str().expect("UTF-8");
    let linted = runs.run(0, &["media", "lint", one]);
    assert!(matches!(answer(linted), Answer::DefinitionChecked { revision: 1, .. }));
    let built = runs.run(0, &["media", "build", one, "--key", "test-insecure.key", "--out", "layout"]);
    assert!(matches!(answer(built), Answer::MediumBuilt { medium, .. } if medium == "TREE-r1"));
    station.files("tree", &[("readme.txt", b"hello again\n")]);
    let two = station.define("TREE", 2, "valid-from = 2099-01-01");
    let two = two.to_str().expect("UTF-8");
    runs.run(0, &["cache", "import", "layout"]);
    runs.run(0, &["media", "build", two, "--key", "test-insecure.key", "--out", "layout"]);
    assert!(matches!(answer(runs.run(0, &["media", "show", "layout", "TREE-r2"])), Answer::Document { .. }));
    let changed = runs.run(0, &["media", "diff", "layout", "TREE-r1", "TREE-r2"]);
    assert!(matches!(answer(changed), Answer::MediaCompared { changes } if !changes.is_empty()));
    std::fs::write(station.path("wrong.toml"), "kind = \"tree\"\nlable = 7\n").expect("writes");
    let (exit, _, chain) = error(runs.run(2, &["media", "lint", "wrong.toml"]));
    assert!(exit == 2 && chain.contains("lable"), "{chain}");
}

fn storing(runs: &mut Runs<'_>) {
    let station = runs.station;
    let imported = runs.run(0, &["cache", "import", "layout"]);
    let medium = |event: &Event| match event {
        Event::MediumPresent { medium, .. } | Event::MediumImported { medium, .. } => Some(medium.clone()),
        _ => None,
    };
    assert_eq!(imported.events.iter().filter_map(medium).collect::<Vec<_>>(), ["TREE-r1", "TREE-r2"]);
    let (exit, code, _) = error(runs.run(3, &["cache", "import", "layout", "TREE-r1"]));
    assert_eq!((exit, code), (3, Some(Code::OlderThanMinimum)));
    // Signed by nobody this station trusts.
    let definition = station.define("FOREIGN", 1, "");
    let definition = definition.to_str().expect("UTF-8");
    runs.run(0, &["media", "build", definition, "--key", "second.key", "--out", "foreign"]);
    let refused = runs.run(3, &["cache", "import", "foreign"]);
    let is_refusal = |event: &Event| matches!(event, Event::MediumRefused { exit: 3, code: Some(_), .. });
    assert_eq!(refused.events.iter().filter(|event| is_refusal(event)).count(), 1);
    assert_eq!(error(refused).1, Some(Code::NotTrusted));
    std::fs::write(station.path("trusted/junk.pub"), "junk").expect("writes");
    let warned = runs.run(0, &["cache", "show", "TREE"]);
    assert!(warned.events.iter().any(|event| matches!(event, Event::Warning { text } if text.contains("junk.pub"))));
    std::fs::remove_file(station.path("trusted/junk.pub")).expect("removes");

    assert_eq!(runs.run(0, &["cache", "list"]).answers().len(), 2);
    runs.run(0, &["cache", "minimum"]);
    runs.run(0, &["cache", "pin", "TREE-r1"]);
    runs.run(0, &["cache", "pin", "TREE-r1", "--remove"]);
    assert!(matches!(answer(runs.run(0, &["cache", "scrub"])), Answer::Scrubbed { damage, .. } if damage.is_empty()));
    runs.run(0, &["cache", "minimum", "TREE", "--set", "1"]);
    runs.run(0, &["plan", "TREE-r1", "--size", "134217728", "--map"]);
    runs.run(0, &["plan", "TREE-r1", "--size", "134217728"]);
    let (exit, code, _) = error(runs.run(2, &["plan", "TREE-r1", "--size", "1048576"]));
    assert_eq!((exit, code), (2, Some(Code::TooSmall)));
    let (exit, code, chain) = error(runs.run(2, &["cache", "show", "NOBODY"]));
    assert!((exit, code) == (2, None) && chain.contains("NOBODY"));
}

fn writing(runs: &mut Runs<'_>) {
    let station = runs.station;
    let (one, two) = (station.drive("one.img", 128), station.drive("two.img", 96));
    let written = runs.run(0, &["write", "TREE-r1", &one, &two]);
    let ends = written.ends();
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|(_, kind, end)| (*kind, &end.verdict) == (JobKind::Write, &Verdict::Ready)));
    assert!(written.state.jobs().values().all(|job| job.released), "every drive was let go: {written:?}");
    let is_batch = |event: &Event| matches!(event, Event::BatchEnded { succeeded: 2, failed: 0, cancelled: 0, .. });
    assert!(written.events.last().is_some_and(is_batch), "{written:?}");
    runs.run(0, &["cache", "minimum", "TREE", "--set", "2"]);
    runs.run(0, &["cache", "import", "layout", "TREE-r2"]);

    // Its notice is that it is not valid yet.
    let updated = runs.run(0, &["write", "TREE-r2", &one, "--update"]);
    assert!(updated.events.iter().any(|event| matches!(event, Event::JobNotice { .. })));
    assert_eq!(updated.ends()[0].1, JobKind::Update);
    // One bit of what an update presumes to be there.
    let mut bytes = std::fs::read(&two).expect("reads");
    let big = std::fs::read(station.path("tree/sources/big.bin")).expect("reads");
    let at = bytes.windows(64).position(|window| *window == big[4096..4160]).expect("the big file is on the drive");
    bytes[at] ^= 1;
    std::fs::write(&two, &bytes).expect("writes");
    let (kind, end) = (JobKind::Verify, Verdict::of_code(Code::FileChanged));
    let verified = runs.run(1, &["verify", &one, &two]);
    // Each drive is begun as it comes, and ends when it is done.
    let end_of = |path: &str| {
        let ends = verified.ends();
        let of_path = ends.iter().find(|(label, ..)| label.path == path);
        of_path.map(|(_, kind, end)| (*kind, end.verdict.clone()))
    };
    assert_eq!([end_of(&one), end_of(&two)], [Some((kind, Verdict::Verified)), Some((kind, end))]);
    let retried = runs.run(0, &["write", "TREE-r2", &two, "--update"]);
    assert!(retried.events.iter().any(|event| matches!(event, Event::JobRetried { .. })), "{retried:?}");
    runs.run(0, &["inspect", &two]);
    runs.run(0, &["inspect", "--used", "--map", &two]);

    // Refused: nothing of it was begun.
    let small = station.drive("small.img", 1);
    let refused = runs.run(2, &["write", "TREE-r2", &one, &small]);
    assert_eq!((error(refused).0, error(refused).1), (2, Some(Code::TooSmall)));
    let is_small = |event: &Event| {
        matches!(event, Event::DriveRefused { drive, code: Some(code), .. }
        if drive.place == small && *code == Code::TooSmall)
    };
    assert!(refused.ends().is_empty() && refused.events.iter().any(is_small), "{refused:?}");
    let (exit, code, _) = error(runs.run(2, &["write", "TREE-r2", "no-such-drive.img"]));
    assert_eq!((exit, code), (2, Some(Code::NotADrive)));
    let (exit, code, _) = error(runs.run(2, &["verify", "no-such-drive.img"]));
    assert_eq!((exit, code), (2, Some(Code::NotADrive)));
    let (exit, code, _) = error(runs.run(3, &["write", "TREE-r1", &one]));
    assert_eq!((exit, code), (3, Some(Code::OlderThanMinimum)));

    // Content of the cache that is damaged: the job fails, and a scrub finds it.
    let blobs = std::fs::read_dir(station.path("cache/blobs/sha256")).expect("blobs");
    let is_big = |path: &std::path::PathBuf| path.metadata().is_ok_and(|blob| blob.len() > 8 << 20);
    let blob = blobs.map(|blob| blob.expect("a blob").path()).find(is_big).expect("the big file");
    let whole = std::fs::read(&blob).expect("reads");
    let mut damaged = whole.clone();
    damaged[5_000_000] ^= 1;
    std::fs::remove_file(&blob).expect("removes");
    std::fs::write(&blob, damaged).expect("writes");
    let failed = runs.run(1, &["write", "TREE-r2", &two]);
    assert_eq!(failed.ends()[0].2.verdict, Verdict::of_code(Code::CacheDamaged));
    assert!(matches!(failed.events.last(), Some(Event::BatchEnded { succeeded: 0, failed: 1, .. })));
    assert!(matches!(answer(runs.run(4, &["cache", "scrub"])), Answer::Scrubbed { damage, .. } if !damage.is_empty()));
    std::fs::write(&blob, whole).expect("writes");
    let bare = runs.run(1, &["verify", &two]);
    assert_eq!(bare.ends()[0].2.verdict, Verdict::of_code(Code::NotAMedium));

    for (args, kind, verdict) in [
        (&["erase", &*two][..], JobKind::EraseQuick, Verdict::Erased),
        (&["erase", "--full", &two], JobKind::EraseFull, Verdict::Erased),
        (&["test", &two], JobKind::Test, Verdict::Good),
    ] {
        let done = runs.run(0, args);
        let ends = done.ends();
        assert_eq!((ends[0].1, &ends[0].2.verdict), (kind, &verdict), "{args:?}");
    }
    runs.run(0, &["cache", "gc"]);
}

fn recording(runs: &mut Runs<'_>) {
    let rows = runs.run(0, &["ledger", "list"]).answers().len();
    let checked = runs.run(0, &["ledger", "check"]);
    assert!(matches!(answer(checked), Answer::LedgerChecked { rows: found, .. } if *found == rows as u64));
    runs.run(0, &["ledger", "head"]);
    for format in ["csv", "json"] {
        let plain = runs.station.platen(&["ledger", "export", "--format", format]).expect(0).stdout;
        let exported = runs.run(0, &["ledger", "export", "--format", format]);
        assert!(matches!(answer(exported), Answer::Document { text, .. } if *text == plain), "{format}");
    }
    let (exit, ..) = error(runs.run(2, &["ledger", "list", "--ledger", "none.db"]));
    assert_eq!(exit, 2);
    let (exit, _, chain) = error(runs.run(2, &["write"]));
    assert!(exit == 2 && chain.contains("MEDIUM"), "{chain}");
    let (exit, _, chain) = error(runs.run(2, &["wriet"]));
    assert!(exit == 2 && chain.contains("wriet"), "{chain}");
    for args in [["--help"], ["--version"]] {
        assert!(
            matches!(answer(runs.run(0, &args)), Answer::Document { text, .. } if text.contains("platen") || text.contains("USB"))
        );
    }
}

/// What only a station has: ports, batches, drives that come and go.
fn at_a_station(runs: &mut Runs<'_>) {
    // What keeps an appliance's own system says how that is.
    let keeper = runs.station.text("keeper.sock");
    let listener = UnixListener::bind(&keeper).expect("binds");
    let policy = format!("[system]\nkeeper = {keeper:?}\nupdates = {:?}", runs.station.text("incoming"));
    let daemon = Daemon::new(runs.station, 2, &policy);
    let (mut kept, _) = listener.accept().expect("the station connects");
    let update = UpdateState::Offered { version: "1.5.0".to_owned(), is_older: false };
    let system = SystemState { version: "1.4.0".to_owned(), slot: "a".to_owned(), update, ..SystemState::default() };
    writeln!(kept, "{}", serde_json::to_string(&system).expect("JSON")).expect("the station hears");
    daemon.until("its system is known", |state| state.system().is_some());
    let mut connection = daemon.connect();
    connection.send(r#"{"id":1,"request":"subscribe"}"#);
    connection.send(r#"{"id":2,"request":"learn","label":"x"}"#);
    daemon.until("ports are learnt", |state| state.conditions().contains_key("learning"));
    daemon.insert(2, "BBB", "");
    daemon.until("one is", |state| state.conditions().values().any(|text| text.contains("1 port(s) are known")));
    daemon.pull(2);
    connection.send(r#"{"id":3,"request":"learn-end","keep":false}"#);
    daemon.until("nothing is learnt", |state| state.conditions().is_empty() && state.drives().is_empty());
    daemon.ask(&["arm", "write", "TREE-r2", "--wanted", "1"]).expect(0);
    daemon.insert(1, "AAA", "power = \"cut\"");
    daemon.until("a batch is closed", |state| state.batches().contains_key(&BatchId(2)));
    let drive = daemon.pull(1);
    daemon.until("the drive is gone", |state| state.drives().is_empty());
    std::fs::remove_file(drive).expect("removes");
    daemon.ask(&["shut-down"]).expect(0);
    let mut lines = String::new();
    while !lines.contains("\"condition\":\"stopping\"") {
        lines += &connection.line().unwrap_or_default();
    }
    let lines: Vec<&str> = lines.lines().filter(|line| line.contains("\"event\":")).collect();
    runs.lines += &(lines.join("\n") + "\n");
}

/// The kinds of events and answers that the schema describes.
fn described(schema: &Value, field: &str, kinds: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(kind) = schema["properties"][field]["const"].as_str() {
                kinds.insert(kind.to_owned());
            }
            object.values().for_each(|value| described(value, field, kinds));
        }
        Value::Array(list) => list.iter().for_each(|value| described(value, field, kinds)),
        _ => {}
    }
}

#[test]
fn whatever_is_said_is_in_the_schema_and_whatever_is_in_the_schema_is_said() {
    let station = Station::new();
    station.sample_tree();
    let mut runs = Runs::new(&station);
    authoring(&mut runs);
    storing(&mut runs);
    writing(&mut runs);
    recording(&mut runs);
    at_a_station(&mut runs);
    let count = runs.lines.lines().count();
    assert!(count > 200, "{count} lines");
    assert_eq!(judged(&runs.lines), []);

    let lines: Vec<Value> = runs.lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(SCHEMA).expect("reads")).expect("JSON");
    for field in ["event", "answer"] {
        let mut kinds = BTreeSet::new();
        described(&schema, field, &mut kinds);
        assert!(kinds.len() > 15, "{kinds:?}");
        for line in &lines {
            kinds.remove(line[field].as_str().unwrap_or_default());
        }
        assert_eq!(kinds, BTreeSet::new(), "described, and never said here");
    }
}

/// The judge sees: each of these is one right line with one thing wrong.
#[test]
fn a_line_that_is_wrong_is_seen() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 96);
    let ran = station.platen(&["write", "TREE", &drive, "--json"]).expect(0);
    assert_eq!(judged(&ran.stdout), []);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |event: &str| lines.iter().find(|line| line["event"] == event).expect(event).clone();
    let mut planted = Vec::new();
    let mut plant = |event: &str, change: &dyn Fn(&mut Value)| {
        let mut line = of(event);
        change(&mut line);
        assert_ne!(line, of(event), "{event}: nothing was changed");
        planted.push(line);
    };
    plant("hello", &|line| line["schema"] = "2".into());
    plant("hello", &|line| line["mood"] = "good".into());
    plant("progress", &|line| line["step"] = "write".into());
    plant("progress", &|line| line["done_bytes"] = json!(-1));
    plant("progress", &|line| line["seq"] = json!(null));
    plant("progress", &|line| line["event"] = "advance".into());
    plant("step-started", &|line| line["total_bytes"] = json!(null));
    plant("step-started", &|line| line["step"] = "polish".into());
    plant("job-started", &|line| line["drive"]["serial"] = "x".into());
    plant("job-started", &|line| drop(line["drive"].as_object_mut().expect("a drive").remove("place")));
    plant("job-ended", &|line| line["verdict"] = "fine".into());
    plant("job-ended", &|line| line["verdict"] = "failed".into());
    plant("job-ended", &|line| line["moved"]["spent_ms"] = json!(1));
    plant("drive-seen", &|line| drop(line.as_object_mut().expect("an object").remove("label")));
    plant("batch-ended", &|line| drop(line.as_object_mut().expect("an object").remove("mono_ms")));
    let text: String = planted.iter().map(|line| format!("{line}\n")).collect();
    let found: Vec<usize> = judged(&text).into_iter().map(|(number, _)| number).collect();
    assert_eq!(found, (1..=planted.len()).collect::<Vec<_>>(), "{text}");
}

/// Also what ends a run early is in the record, and the job has its one end.
#[test]
fn a_job_that_is_stopped_ends_cancelled() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 256);
    let mut child = station.command(&["test", &drive, "--json"]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut said = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    let mut text = String::new();
    for line in said.by_ref() {
        text += &(line.expect("UTF-8") + "\n");
        if text.contains("\"step\":\"write\"") {
            break;
        }
    }
    crate::common::tool("kill", &["-s", "INT", &child.id().to_string()]).expect(0);
    said.for_each(|line| text += &(line.expect("UTF-8") + "\n"));
    assert_eq!(child.wait().expect("ends").code(), Some(1));
    assert_eq!(judged(&text), []);
    let recorded = Recorded::read(&text);
    assert_eq!(recorded.ends()[0].2.verdict, Verdict::Cancelled);
    assert!(matches!(recorded.events.last(), Some(Event::BatchEnded { cancelled: 1, failed: 0, succeeded: 0, .. })));
}

/// A drive that is checked has a job like any other: steps with a known total, progress up to it, a row.
#[test]
fn a_verification_is_a_job() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);
    let recorded = station.platen(&["verify", &drive, "--json"]).expect(0).recorded();
    let totals = recorded.events.iter().filter_map(|event| match event {
        Event::StepStarted { total_bytes, .. } => *total_bytes,
        _ => None,
    });
    let totals: Vec<u64> = totals.collect();
    let mut furthest = recorded.events.iter().filter_map(|event| match event {
        Event::Progress { done_bytes, .. } => Some(*done_bytes),
        _ => None,
    });
    let [total] = totals[..] else { panic!("one step with a total, not {totals:?}") };
    assert!(total > 9_000_000, "all files: {total}");
    assert_eq!(furthest.next_back(), Some(total), "the last progress says that all was read");
    let rows = |station: &Station| {
        let listed = station.platen(&["ledger", "list", "--json"]).expect(0).recorded();
        let row = |answer: &&Answer| match answer {
            Answer::LedgerRow(row) => {
                Some((row.job.clone(), row.medium.clone(), row.verdict.clone(), row.code.clone()))
            }
            _ => None,
        };
        listed.answers().iter().filter_map(row).collect::<Vec<_>>()
    };
    let row = |job: &str, verdict: &str, code: &str| {
        (job.to_owned(), "TREE-r1".to_owned(), verdict.to_owned(), code.to_owned())
    };
    assert_eq!(rows(&station), [row("write", "READY", ""), row("verify", "VERIFIED", "")]);

    // One byte of content is wrong.
    let big = std::fs::read(station.path("tree/sources/big.bin")).expect("reads");
    let mut bytes = std::fs::read(&drive).expect("reads");
    let at = bytes.windows(64).position(|window| *window == big[4096..4160]).expect("the big file is on the drive");
    bytes[at] ^= 1;
    std::fs::write(&drive, bytes).expect("writes");
    let changed = station.platen(&["verify", &drive, "--json"]).expect(1).recorded();
    assert_eq!(changed.ends()[0].2.verdict.code(), Some(platen_events::Code::FileChanged));
    assert_eq!(rows(&station)[2], row("verify", "TRY AGAIN", "P-V-004"));
}
