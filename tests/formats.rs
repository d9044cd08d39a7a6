// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What one release stores, the next one reads, and the one before it too: samples of every format and release, as they
//! stand, with fields added, and with a schema that is too new. See docs/formats.

use std::fs;
use std::path::{Path, PathBuf};

use platen_author::Signer;
use platen_cache::BlobSource as _;
use platen_cache::layout::{IndexEntry, Layout, MediaEntry};
use platen_engine::plan::DriveRecord;
use platen_media::manifest::Manifest;
use platen_media::policy::{DeploymentPolicy, MediaVariable, OperatingSystemImage, PolicyError, Software};
use platen_media::{MediaPath, Sha256};
use platen_sequence::{SequenceError, TaskSequence};
use platen_testkit::daemon::Daemon;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::common::{Ran, Station, tool};

/// What a newer release might add.
const ADDED: &str = "added-by-a-newer-release";

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

/// The folder of each release.
pub(crate) fn releases() -> Vec<PathBuf> {
    let entries = fs::read_dir(formats()).expect("lists").map(|entry| entry.expect("lists").path());
    let found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    assert!(!found.is_empty(), "no sample is there");
    found
}

/// A station that trusts the samples' key.
fn station() -> Station {
    let station = Station::new();
    fs::copy(formats().join("insecure-test.pub"), station.path("trusted/samples.pub")).expect("copies");
    station
}

fn copy(from: &Path, to: &Path) {
    tool("cp", &["-r", from.to_str().expect("UTF-8"), to.to_str().expect("UTF-8")]).expect(0);
}

/// A station with a release's cache and ledger.
fn station_of(release: &Path) -> Station {
    let station = station();
    copy(&release.join("layout"), &station.path("cache"));
    fs::copy(release.join("state.json"), station.path("cache/state.json")).expect("copies");
    let ledger = Connection::open(station.path("ledger.db")).expect("opens");
    ledger.execute_batch(&fs::read_to_string(release.join("ledger.sql")).expect("reads")).expect("runs");
    station
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("reads")).expect("JSON")
}

pub(crate) fn write_json(path: &Path, value: &Value) {
    fs::write(path, serde_json::to_vec_pretty(value).expect("JSON")).expect("writes");
}

/// A field more in every object, but for those whose fields are names of media, or annotations, which are texts.
pub(crate) fn add_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_map = fields.keys().any(|key| key.starts_with("SAMPLE") || key.starts_with("org.opencontainers"));
            fields.values_mut().for_each(add_fields);
            if !is_map {
                fields.insert(ADDED.to_owned(), json!({ "list": [1, "two", null] }));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(add_fields),
        _ => {}
    }
}

/// How many objects have the field, somewhere below.
fn count_added(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            let below: usize = fields.values().map(count_added).sum();
            below + usize::from(fields.contains_key(ADDED))
        }
        Value::Array(items) => items.iter().map(count_added).sum(),
        _ => 0,
    }
}

fn is_newer(ran: Ran, status: i32) {
    ran.refused(status, &["made by a newer version of Platen", "update Platen"]);
}

/// A medium of the sample whose manifest was changed and signed again, in a layout of its own.
fn changed_medium(station: &Station, release: &Path, change: impl FnOnce(&mut Value)) {
    let sample = Layout::open(&release.join("layout")).expect("a layout");
    let entry: IndexEntry = sample.find(&"SAMPLE".parse().expect("a name")).expect("there");
    let media = sample.media(&entry).expect("whole");
    let mut value: Value = serde_json::from_slice(&media.manifest_bytes).expect("JSON");
    change(&mut value);
    let mut manifest_bytes = serde_json::to_vec(&value).expect("JSON");
    manifest_bytes.push(b'\n');

    let manifest = Manifest::from_json(&media.manifest_bytes).expect("a manifest");
    let sums = manifest.sha256_sums(Sha256::of(&manifest_bytes));
    let signer = Signer::load(&formats().join("insecure-test.key"), None).expect("a key");
    let sign = |bytes: &[u8]| signer.sign(bytes, "changed by a test").expect("signs");
    let (manifest_signature, sums_signature) = (sign(&manifest_bytes), sign(&sums));
    let changed = MediaEntry { manifest_bytes, manifest_signature, sums, sums_signature, ..media };
    copy(&release.join("layout"), &station.path("changed"));
    let layout = Layout::open(&station.path("changed")).expect("a layout");
    layout.publish(&manifest, &changed).expect("publishes");
}

#[test]
fn media_of_every_release_are_imported_written_and_verified() {
    for release in releases() {
        let station = station();
        let layout = release.join("layout");
        station.platen(&["cache", "import", layout.to_str().expect("UTF-8")]).expect(0);
        let drive = station.drive("drive.img", 64);
        station.platen(&["write", "SAMPLE", &drive]).expect(0);
        station.platen(&["verify", &drive]).expect(0);
        // What that release wrote on a drive is what is in its layout.
        let entry = Layout::open(&layout).and_then(|it| Ok((it.find(&"SAMPLE".parse().expect("a name"))?, it)));
        let (entry, layout) = entry.expect("a layout");
        let media = layout.media(&entry).expect("whole");
        assert!(fs::read(release.join("drive/platen/manifest.json")).expect("reads") == media.manifest_bytes);
        assert!(fs::read(release.join("drive/SHA256SUMS")).expect("reads") == media.sums);
        let text = fs::read_to_string(release.join("drive/platen/drive.json")).expect("reads");
        let record = DriveRecord::read(&text).expect("a record");
        assert_eq!((&*record.medium, record.manifest_sha256), ("SAMPLE-r2", Sha256::of(&media.manifest_bytes)));
    }
}

#[test]
fn stations_of_every_release_go_on_with_cache_and_ledger() {
    for release in releases() {
        let station = station_of(&release);
        let minimums = station.platen(&["--json", "cache", "minimum"]).expect(0);
        assert!(minimums.stdout.contains("\"revision\":2"), "{minimums:?}");
        let listed = station.platen(&["--json", "cache", "list"]).expect(0);
        assert_eq!(listed.stdout.matches("\"pinned\":true").count(), 1, "{listed:?}");
        station.platen(&["ledger", "check"]).expect(0);
        let listed = |station: &Station| station.platen(&["--json", "ledger", "list"]).expect(0).recorded();
        let rows = |station: &Station| listed(station).answers().len();
        let before = rows(&station);
        assert_eq!(before, 3, "write, erase, write");
        station.platen(&["write", "SAMPLE-r1", &station.drive("drive.img", 64)]).expect(0);
        assert_eq!(rows(&station), before + 1);
        station.platen(&["ledger", "check"]).expect(0);
    }
}

/// What [`policies_of_every_release_are_read`] knows of the samples.
pub(crate) fn policy() -> DeploymentPolicy {
    let sequence = "<sequence version=\"3.10\"><step type=\"SMS_TaskSequence_PartitionDiskAction\" name=\"Partition Disk 0\" \
                    description=\"\"><action>osddiskpart.exe</action></step></sequence>";
    let path = |text| MediaPath::new(text).expect("a path");
    DeploymentPolicy {
        schema: 1,
        media_id: "SAMPLE".into(),
        revision: 2,
        task_sequence: TaskSequence::from_xml(sequence).expect("a sequence").to_json(),
        variables: vec![
            MediaVariable { name: "OSDComputerName".into(), value: String::new(), secret: false },
            MediaVariable { name: "OSDTimeZone".into(), value: "Korea Standard Time".into(), secret: true },
        ],
        prestart: None,
        operating_system_image: Some(OperatingSystemImage {
            id: "OS".into(),
            path: path("platen/content/OS/install.swm"),
            index: 1,
            parts: 2,
        }),
        driver_packages: vec![],
        applications: vec![Software {
            id: "EDITOR".into(),
            name: "Editor".into(),
            version: "3".into(),
            folder: path("platen/content/EDITOR"),
            install: Some("setup.exe /S".into()),
            depends_on: vec![],
        }],
        packages: vec![],
        target_disk: None,
    }
}

#[test]
fn policies_of_every_release_are_read() {
    if let Some(folder) = std::env::var_os("PLATEN_WRITE_FORMATS") {
        fs::write(Path::new(&folder).join("policy.json"), policy().to_json()).expect("writes");
    }
    for release in releases() {
        let bytes = fs::read(release.join("policy.json")).expect("reads");
        let read = DeploymentPolicy::from_json(&bytes).expect("a policy");
        assert_eq!(read, policy());
        TaskSequence::from_json(&read.task_sequence).expect("a sequence");

        let mut value: Value = serde_json::from_slice(&bytes).expect("JSON");
        let sequence = value["task_sequence"].take();
        add_fields(&mut value);
        value["task_sequence"] = sequence;
        let longer = serde_json::to_vec(&value).expect("JSON");
        assert_eq!(DeploymentPolicy::from_json(&longer).expect("fields more are passed over"), policy());
        // But in the sequence itself nothing is passed over: a step without it would do something else.
        add_fields(&mut value["task_sequence"]);
        let read = DeploymentPolicy::from_json(&serde_json::to_vec(&value).expect("JSON")).expect("a policy");
        let refused = TaskSequence::from_json(&read.task_sequence);
        assert!(matches!(refused, Err(SequenceError::Json(_))), "a step's unknown property is refused: {refused:?}");

        let newer = json!({ "schema": 2, "everything": "else" });
        let refused = DeploymentPolicy::from_json(newer.to_string().as_bytes());
        assert!(matches!(refused, Err(PolicyError::Newer(_))), "{refused:?}");
        let control = DeploymentPolicy::from_json(json!({ "schema": 1, "everything": "else" }).to_string().as_bytes());
        assert!(matches!(control, Err(PolicyError::Syntax(_))), "{control:?}");
    }
}

#[test]
fn a_medium_with_more_fields_is_imported_and_written_as_it_was_signed() {
    for release in releases() {
        let station = station();
        changed_medium(&station, &release, add_fields);
        station.platen(&["cache", "import", "changed"]).expect(0);
        let drive = station.drive("drive.img", 64);
        station.platen(&["write", "SAMPLE", &drive]).expect(0);
        station.platen(&["verify", &drive]).expect(0);
        tool("mcopy", &["-i", &format!("{drive}@@1M"), "::platen/manifest.json", &station.text("manifest.json")])
            .expect(0);
        assert!(count_added(&read_json(&station.path("manifest.json"))) > 5, "nothing of it was dropped");
    }
}

#[test]
fn a_medium_of_a_newer_schema_is_called_that() {
    for release in releases() {
        let station = station_of(&release);
        changed_medium(&station, &release, |value| {
            *value = json!({ "everything": "else", "schema": 3 });
        });
        is_newer(station.platen(&["cache", "import", "changed"]), 2);
        // It can be in the cache all the same: the station fell back to an older release.
        let state = fs::read(station.path("cache/state.json")).expect("reads");
        fs::remove_dir_all(station.path("cache")).expect("removes");
        copy(&station.path("changed"), &station.path("cache"));
        fs::write(station.path("cache/state.json"), state).expect("writes");
        let drive = station.drive("drive.img", 64);
        let refused = station.platen(&["write", "SAMPLE", &drive]).refused(2, &["P-M-006", "newer version of Platen"]);
        assert!(!refused.stderr.contains("P-M-001"), "{refused:?}");
        let listed = station.platen(&["cache", "list"]).expect(0);
        assert!(listed.stdout.contains("newer version of Platen"), "{listed:?}");
        // The control: fields that make no sense, of this schema, are no newer version.
        changed_medium_again(&station, &release, json!({ "everything": "else", "schema": 1 }));
        let refused = station.platen(&["cache", "import", "changed"]).expect(2);
        assert!(!refused.stderr.contains("newer version"), "{refused:?}");
    }
}

fn changed_medium_again(station: &Station, release: &Path, manifest: Value) {
    fs::remove_dir_all(station.path("changed")).expect("removes");
    changed_medium(station, release, |value| *value = manifest);
}

#[test]
fn what_a_newer_release_remembers_is_kept_for_it() {
    for release in releases() {
        let station = station_of(&release);
        for file in ["cache/state.json", "cache/index.json"] {
            let mut value = read_json(&station.path(file));
            add_fields(&mut value);
            write_json(&station.path(file), &value);
        }
        let added = |file: &str| count_added(&read_json(&station.path(file)));
        let before = [added("cache/state.json"), added("cache/index.json")];
        assert!(before[0] >= 2 && before[1] >= 3, "{before:?}");
        station.platen(&["cache", "minimum", "SAMPLE", "--set", "1"]).expect(0);
        // Revision 2 was withdrawn with its entry in the index, and the field in that.
        let left = [added("cache/state.json"), added("cache/index.json")];
        assert_eq!(left[0], before[0]);
        assert!(left[1] < before[1] && left[1] >= 2, "{before:?} {left:?}");
        let layout = release.join("layout");
        station.platen(&["cache", "import", layout.to_str().expect("UTF-8"), "SAMPLE-r2"]).expect(0);
        assert_eq!([added("cache/state.json"), added("cache/index.json")], left);
    }
}

#[test]
fn a_cache_of_a_newer_schema_is_called_that_and_left_alone() {
    for release in releases() {
        let station = station_of(&release);
        let path = station.path("cache/state.json");
        let mut value = read_json(&path);
        value["schema"] = json!(2);
        value["floors"] = json!("somewhere else now");
        write_json(&path, &value);
        let bytes = fs::read(&path).expect("reads");
        let drive = station.drive("drive.img", 64);
        is_newer(station.platen(&["write", "SAMPLE", &drive]).refused(4, &["P-C-004"]), 4);
        is_newer(station.platen(&["cache", "minimum", "SAMPLE", "--set", "1"]), 4);
        let layout = release.join("layout");
        is_newer(station.platen(&["cache", "import", layout.to_str().expect("UTF-8")]), 4);
        assert!(fs::read(&path).expect("reads") == bytes, "it is left alone");
        // The control: the same, of this schema, is damage.
        value["schema"] = json!(1);
        write_json(&path, &value);
        let refused = station.platen(&["cache", "minimum"]).expect(2);
        assert!(!refused.stderr.contains("newer version"), "{refused:?}");
    }
}

#[test]
fn a_drive_record_with_more_fields_is_read_and_a_newer_one_called_that() {
    for release in releases() {
        let text = fs::read_to_string(release.join("drive/platen/drive.json")).expect("reads");
        let record = DriveRecord::read(&text).expect("a record");
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        add_fields(&mut value);
        assert_eq!(DriveRecord::read(&value.to_string()).expect("fields more are passed over"), record);
        let newer = Map::from_iter([("schema".to_owned(), json!(2))]);
        let refused = DriveRecord::read(&Value::Object(newer).to_string()).expect_err("newer").to_string();
        assert!(refused.contains("made by a newer version of Platen"), "{refused}");
        let control = DriveRecord::read("{\"schema\":1}").expect_err("no record").to_string();
        assert!(!control.contains("newer"), "{control}");
    }
}

/// A ledger as the next release might leave it: a column more, and a row that uses it, hashed as docs/formats/ledger.md says.
fn with_column(station: &Station) {
    let ledger = Connection::open(station.path("ledger.db")).expect("opens");
    ledger.execute_batch("ALTER TABLE drives ADD COLUMN operator TEXT NOT NULL DEFAULT ''").expect("adds");
    let names: Vec<String> = {
        let mut statement = ledger.prepare("SELECT name FROM pragma_table_info('drives')").expect("asks");
        let rows = statement.query_map([], |row| row.get(0)).expect("asks");
        rows.collect::<Result<_, _>>().expect("names")
    };
    let (number, previous): (i64, String) = ledger
        .query_row("SELECT number, hash FROM drives ORDER BY number DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("a row");
    let values: Vec<String> = names[1..names.len() - 3]
        .iter()
        .map(|name| {
            ledger
                .query_row(&format!("SELECT {name} FROM drives WHERE number = 1"), [], |row| row.get(0))
                .expect("text")
        })
        .collect();
    let previous: Sha256 = previous.parse().expect("a digest");
    let mut bytes = Vec::from(previous.0);
    bytes.extend((number as u64 + 1).to_be_bytes());
    let mut put = |text: &str| {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    values.iter().for_each(|value| put(value));
    put("operator");
    put("Kim");
    let hash = Sha256::of(&bytes);
    let texts = values.iter().cloned().chain([previous.to_string(), hash.to_string(), "Kim".to_owned()]);
    let marks = vec!["?"; names.len()].join(", ");
    let row = std::iter::once(rusqlite::types::Value::from(number + 1)).chain(texts.map(rusqlite::types::Value::from));
    ledger.execute(&format!("INSERT INTO drives VALUES ({marks})"), rusqlite::params_from_iter(row)).expect("appends");
}

#[test]
fn a_ledger_with_a_column_more_is_followed_continued_and_exported() {
    for release in releases() {
        let station = station_of(&release);
        with_column(&station);
        let checked = station.platen(&["--json", "ledger", "check"]).expect(0);
        assert!(checked.stdout.contains("\"rows\":4"), "{checked:?}");
        station.platen(&["write", "SAMPLE", &station.drive("drive.img", 64)]).expect(0);
        station.platen(&["ledger", "check"]).expect(0);
        let csv = station.platen(&["ledger", "export"]).expect(0).stdout;
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].ends_with(",hash,operator") && lines[4].ends_with(",Kim") && lines[5].ends_with(','), "{csv}");
        let exported = station.platen(&["ledger", "export", "--format", "json"]).expect(0).stdout;
        let rows: Value = serde_json::from_str(&exported).expect("JSON");
        assert_eq!((&rows[3]["operator"], rows[4].get("operator")), (&json!("Kim"), None));

        // The control: what the column says is covered by the chain.
        let ledger = Connection::open(station.path("ledger.db")).expect("opens");
        let trigger: String = ledger
            .query_row("SELECT sql FROM sqlite_master WHERE name = 'no_update'", [], |row| row.get(0))
            .expect("a trigger");
        for number in [1, 4] {
            let sql = format!(
                "DROP TRIGGER no_update; UPDATE drives SET operator = 'Lee' WHERE number = {number}; {trigger}"
            );
            ledger.execute_batch(&sql).expect("changes");
            station.platen(&["ledger", "check"]).refused(1, &["changed after it was recorded"]);
            let original = if number == 4 { "Kim" } else { "" };
            let back = format!(
                "DROP TRIGGER no_update; UPDATE drives SET operator = '{original}' WHERE number = {number}; {trigger}"
            );
            ledger.execute_batch(&back).expect("changes back");
            station.platen(&["ledger", "check"]).expect(0);
        }
    }
}

#[test]
fn a_ledger_of_a_newer_schema_is_called_that_and_left_alone() {
    for release in releases() {
        let station = station_of(&release);
        let ledger = Connection::open(station.path("ledger.db")).expect("opens");
        ledger
            .execute_batch("PRAGMA user_version = 2; CREATE TABLE operators (name TEXT NOT NULL) STRICT;")
            .expect("changes");
        is_newer(station.platen(&["ledger", "check"]), 4);
        let drive = station.drive("drive.img", 64);
        is_newer(station.platen(&["write", "SAMPLE", &drive]), 4);
        let rows: i64 = ledger.query_row("SELECT count(*) FROM drives", [], |row| row.get(0)).expect("counts");
        assert_eq!(rows, 3);
        let untouched = fs::read(&drive).expect("reads").iter().all(|byte| *byte == 0xd1);
        assert!(untouched, "nothing was written");
        // The control: the same of this schema is a ledger that somebody changed.
        ledger.execute_batch("PRAGMA user_version = 1").expect("changes");
        let refused = station.platen(&["ledger", "check"]).refused(1, &["somebody changed this ledger"]);
        assert!(!refused.stderr.contains("newer version"), "{refused:?}");
    }
}

/// A station of this release: its ports, its PINs, its batch, its ledger.
fn state_of(release: &Path, station: &Station) {
    let sample = release.join("station");
    fs::copy(sample.join("ports.toml"), station.path("ports.toml")).expect("copies");
    for name in ["memory.json", "pins.json"] {
        fs::copy(sample.join(name), station.path("state").join(name)).expect("copies");
    }
    fs::remove_file(station.path("ledger.db")).expect("removes");
    let ledger = Connection::open(station.path("ledger.db")).expect("opens");
    ledger.execute_batch(&fs::read_to_string(sample.join("ledger.sql")).expect("reads")).expect("runs");
}

#[test]
fn stations_of_every_release_go_on_where_they_were() {
    for (release, is_longer) in releases().into_iter().flat_map(|release| [(release.clone(), false), (release, true)]) {
        let station = Station::new();
        let mut daemon = Daemon::new(&station, 0, "");
        assert_eq!(daemon.stop(), 0);
        state_of(&release, &station);
        for (name, maps) in [("memory.json", &["/memory/ports", "/memory/batches"][..]), ("pins.json", &["/roles"])] {
            let path = station.path("state").join(name);
            let mut value = read_json(&path);
            if is_longer {
                add_fields(&mut value);
                // What stands under names is no field.
                for map in maps {
                    value.pointer_mut(map).and_then(Value::as_object_mut).expect("a map").remove(ADDED).expect("added");
                }
            }
            write_json(&path, &value);
        }
        daemon.start();
        let status = daemon.ask(&["status"]).expect(0).stdout;
        assert!(status.contains("batch 1: test: 1 good of 3, 0 failed, 0 refused"), "{status}");
        assert!(status.contains("\nleft ") && status.contains("\nright "), "{status}");
        let history = daemon.ask(&["history"]).expect(0).stdout;
        assert!(history.contains("THIRD") && history.contains("GOOD"), "{history}");
        daemon.ask_with_pin("826431", &["--role", "administrator", "status"]).expect(0);
        daemon.ask_with_pin("826432", &["--role", "administrator", "status"]).refused(3, &["P-A-001"]);
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn what_a_newer_station_left_is_called_that() {
    for release in releases() {
        let station = Station::new();
        let mut daemon = Daemon::new(&station, 0, "");
        assert_eq!(daemon.stop(), 0);
        for name in ["state/memory.json", "state/pins.json", "ports.toml"] {
            state_of(&release, &station);
            let newer = if name == "ports.toml" { "schema = 2\n" } else { "{\"schema\": 2, \"everything\": \"else\"}" };
            fs::write(station.path(name), newer).expect("writes");
            let output = Daemon::command(&station).output().expect("platend runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{name}");
            assert!(said.contains("made by a newer version of Platen") && said.contains(name), "{name}: {said}");
        }
        // The control.
        state_of(&release, &station);
        daemon.start();
    }
}
