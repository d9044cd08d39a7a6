// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Layouts, cache and ledger from outside: several programs at once, several media, and what is recorded.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use platen_events::answer::LedgerRow;
use platen_events::{Answer, Event};
use platen_testkit::mount::ReadOnly;

use crate::common::{Station, assert_no_medium, tool};

/// The last row of the ledger.
fn last_row(station: &Station) -> LedgerRow {
    let listed = station.platen(&["ledger", "list", "--json"]).expect(0).recorded();
    match listed.answers().last() {
        Some(Answer::LedgerRow(row)) => LedgerRow::clone(row),
        other => panic!("a row, not {other:?}"),
    }
}

#[test]
fn eight_builds_into_one_layout_at_once_are_all_in_its_index() {
    let station = Station::new();
    station.files("tree", &[("readme.txt", b"hello\n")]);
    let start = |n: u32| {
        let definition = station.define(&format!("M{n}"), 1, "");
        let definition = definition.to_str().expect("UTF-8");
        let build = ["media", "build", definition, "--key", "test-insecure.key", "--out", "layout"];
        station.command(&build).stdout(Stdio::null()).spawn().expect("starts")
    };
    let children: Vec<_> = (0..8).map(start).collect();
    for mut child in children {
        assert_eq!(child.wait().expect("ends").code(), Some(0));
    }
    let imported = station.import().expect(0);
    for n in 0..8 {
        assert!(imported.stdout.contains(&format!("M{n}-r1 imported")), "{}", imported.stdout);
    }
    // A judge that is not ours reads the index too.
    let image = format!("oci:{}:M3-r1", station.text("layout"));
    tool("skopeo", &["inspect", "--raw", &image]).expect(0);
}

#[test]
fn imports_at_once_wait_for_each_other() {
    let station = Station::new();
    station.sample_tree();
    for n in 0..4 {
        station.build(&station.define(&format!("M{n}"), 1, "")).expect(0);
    }
    let start = |n: u32| {
        let medium = format!("M{n}");
        station.command(&["cache", "import", "layout", &medium]).stdout(Stdio::null()).spawn().expect("starts")
    };
    let children: Vec<_> = (0..4).map(start).collect();
    for mut child in children {
        assert_eq!(child.wait().expect("ends").code(), Some(0));
    }
    assert_eq!(station.platen(&["cache", "list", "--json"]).expect(0).recorded().answers().len(), 4);
    station.platen(&["cache", "scrub"]).expect(0);
}

#[test]
fn each_medium_of_a_layout_has_its_own_verdict() {
    let station = Station::new();
    station.sample_tree();
    for revision in [1, 2] {
        station.build(&station.define("TREE", revision, "")).expect(0);
    }
    station.platen(&["cache", "import", "layout", "TREE-r2"]).expect(0);
    station.build(&station.define("LATER", 1, "")).expect(0);
    let recorded = station.platen(&["cache", "import", "layout", "--json"]).expect(0).recorded();
    let said: Vec<(&str, &str)> = recorded
        .events
        .iter()
        .filter_map(|event| match event {
            Event::MediumSkipped { medium, .. } => Some(("skipped", &**medium)),
            Event::MediumPresent { medium, .. } => Some(("present", &**medium)),
            Event::MediumImported { medium, .. } => Some(("imported", &**medium)),
            Event::MediumRefused { medium, .. } => Some(("refused", &**medium)),
            _ => None,
        })
        .collect();
    assert_eq!(said, [("skipped", "TREE-r1"), ("present", "TREE-r2"), ("imported", "LATER-r1")]);
    let again = station.import().expect(0);
    for line in ["TREE-r1 skipped", "TREE-r2 was here already", "LATER-r1 was here already"] {
        assert!(again.stdout.contains(line), "{}", again.stdout);
    }
    // One that is asked for by name and not imported is a failure.
    station.platen(&["cache", "import", "layout", "TREE-r1"]).refused(3, &["revision 1", "revision 2"]);

    // One that is refused does not stop what comes after it.
    let other = Station::new();
    other.sample_tree();
    std::fs::rename(station.path("layout"), station.path("old-layout")).expect("renames");
    let definition = other.define("FOREIGN", 1, "");
    let (key, out) = (other.text("test-insecure.key"), station.text("layout"));
    let build = ["media", "build", definition.to_str().expect("UTF-8"), "--key", &key, "--out", &out];
    other.platen(&build).expect(0);
    station.build(&station.define("LAST", 1, "")).expect(0);
    let ran = station.import().refused(3, &["FOREIGN-r1", "signed by key"]);
    assert!(ran.stdout.contains("LAST-r1 imported") && !ran.stderr.contains("nothing"), "{ran:?}");
    station.platen(&["cache", "show", "LAST"]).expect(0);
}

#[test]
fn a_minimum_version_is_shown_and_lowered_and_that_is_recorded() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("TREE", 2, "")).expect(0);
    station.import().expect(0);
    std::fs::rename(station.path("layout"), station.path("good")).expect("renames");
    station.build(&station.define("TREE", u32::MAX, "")).expect(0);
    station.import().expect(0);
    station.platen(&["cache", "import", "good"]).refused(3, &["4294967295"]);

    let shown = station.platen(&["cache", "minimum", "--json"]).expect(0).recorded();
    let Answer::Minimum(minimum) = shown.answers()[0] else { panic!("{shown:?}") };
    assert_eq!((&*minimum.id, minimum.revision), ("TREE", 4_294_967_295));
    station.platen(&["cache", "minimum", "NONE"]).refused(2, &["NONE"]);
    station.platen(&["cache", "minimum", "TREE", "--key", "0000000000000000"]).refused(3, &["0000000000000000"]);
    let lowered = station.platen(&["cache", "minimum", "TREE", "--set", "2"]).expect(0);
    assert!(lowered.stdout.contains("TREE-r4294967295"), "{}", lowered.stdout);
    let row = last_row(&station);
    assert_eq!((&*row.job, &*row.medium, &*row.verdict), ("minimum-version", "TREE", "CHANGED"));
    assert!(row.detail.contains("revision 2") && row.detail.contains("4294967295"));
    station.platen(&["ledger", "check"]).expect(0);

    station.platen(&["cache", "import", "good"]).expect(0);
    let drive = station.drive("drive.img", 128);
    station.platen(&["write", "TREE", &drive]).expect(0);
    assert_eq!(last_row(&station).medium, "TREE-r2");
}

#[test]
fn another_trusted_key_cannot_take_an_id() {
    let station = Station::with_medium();
    station.platen(&["key", "new", "second", "--out", "."]).expect(0);
    std::fs::copy(station.path("second.pub"), station.path("trusted/second.pub")).expect("copies");
    let number = station.platen(&["key", "show", "second.pub"]).expect(0).stdout[..16].to_owned();
    let definition = station.define("TREE", u32::MAX, "");
    let definition = definition.to_str().expect("UTF-8");
    station.platen(&["media", "build", definition, "--key", "second.key", "--out", "second"]).expect(0);
    station.platen(&["cache", "import", "second"]).refused(3, &["TREE", &number, "cache minimum"]);
    let drive = station.drive("drive.img", 128);
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.platen(&["cache", "minimum", "TREE", "--key", &number]).expect(0);
    station.platen(&["write", "TREE", &drive]).refused(3, &["P-M-005", &number]);
    station.platen(&["cache", "import", "second"]).expect(0);
}

#[test]
fn media_ahead_of_their_dates_are_written_with_a_notice() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("FUTURE", 1, "valid-from = 2099-01-01")).expect(0);
    station.import().expect(0);
    let drive = station.drive("drive.img", 128);
    let planned = station.platen(&["plan", "FUTURE", "--drive", &drive]).expect(0);
    assert!(planned.stdout.contains("notice    not valid before 2099-01-01"), "{}", planned.stdout);
    let written = station.platen(&["write", "FUTURE", &drive]).expect(0);
    assert!(written.stderr.contains("not valid before 2099-01-01"), "{}", written.stderr);
    let recorded = station.platen(&["write", "FUTURE", &drive, "--json"]).expect(0).recorded();
    let notice = |event: &Event| matches!(event, Event::JobNotice { text, .. } if text.contains("2099-01-01"));
    assert_eq!(recorded.events.iter().filter(|event| notice(event)).count(), 1, "{recorded:#?}");
    let row = last_row(&station);
    assert_eq!(row.verdict, "READY");
    assert!(row.detail.contains("not valid before 2099-01-01"), "{row:?}");
    let verified = station.platen(&["verify", &drive]).expect(0);
    assert!(verified.stdout.contains("not valid before"), "{}", verified.stdout);
}

#[test]
fn a_pinned_older_revision_is_written_and_the_row_says_so() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("TREE", 1, "")).expect(0);
    station.import().expect(0);
    station.build(&station.define("TREE", 2, "")).expect(0);
    station.import().expect(0);
    let drive = station.drive("drive.img", 128);
    station.platen(&["write", "TREE-r1", &drive]).refused(3, &["P-M-004"]);
    station.platen(&["cache", "pin", "TREE-r1"]).expect(0);
    station.platen(&["cache", "gc"]).expect(0);
    station.platen(&["write", "TREE-r1", &drive]).expect(0);
    let row = last_row(&station);
    assert!(row.detail.contains("pinned older revision"), "{row:?}");
    station.platen(&["write", "TREE", &drive]).expect(0);
    let row = last_row(&station);
    assert_eq!((&*row.medium, &*row.detail), ("TREE-r2", ""));
}

/// Start writing, change the ledger once the content is being written, and give the exit status.
fn written_while(station: &Station, drive: &str, change: impl FnOnce(&Path)) -> (Option<i32>, String) {
    let mut command = station.command(&["write", "TREE", drive, "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut events = String::new();
    for line in said.by_ref() {
        let line = line.expect("UTF-8");
        events += &line;
        if line.contains("\"step\":\"write\"") {
            break;
        }
    }
    change(&station.path("ledger.db"));
    events.extend(said.map(|line| line.expect("UTF-8")));
    (child.wait().expect("ends").code(), events)
}

fn sqlite(ledger: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(ledger).expect("opens");
    connection.execute_batch(sql).expect("runs");
}

#[test]
fn no_drive_is_ready_that_the_ledger_swallowed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("trigger", |path| {
            sqlite(path, "CREATE TRIGGER t BEFORE INSERT ON drives BEGIN SELECT RAISE(IGNORE); END");
        }),
        ("view", |path| {
            let insert = "CREATE TRIGGER t INSTEAD OF INSERT ON drives BEGIN SELECT 1; END";
            sqlite(path, &format!("ALTER TABLE drives RENAME TO d; CREATE VIEW drives AS SELECT * FROM d; {insert}"));
        }),
        ("removed", |path| std::fs::remove_file(path).expect("removes")),
        ("renamed", |path| std::fs::rename(path, path.with_extension("old")).expect("renames")),
        ("replaced", |path| {
            let copy = path.with_extension("copy");
            std::fs::copy(path, &copy).expect("copies");
            std::fs::rename(copy, path).expect("renames");
        }),
        ("log removed", |path| std::fs::remove_file(path.with_extension("db-wal")).expect("removes")),
    ];
    for (what, change) in changes {
        let station = Station::with_medium();
        let drive = station.drive("drive.img", 128);
        station.platen(&["write", "TREE", &drive]).expect(0);
        let (status, events) = written_while(&station, &drive, change);
        assert!(status == Some(1) && events.contains("P-L-001"), "{what}: {status:?} {events}");
        assert_no_medium(&drive);
        if ["trigger", "view"].contains(&what) {
            station.platen(&["ledger", "check"]).refused(1, &["ledger.db", "somebody changed this ledger"]);
            let before = std::fs::read(&drive).expect("reads");
            station.platen(&["write", "TREE", &drive]).refused(4, &["somebody changed this ledger"]);
            assert!(before == std::fs::read(&drive).expect("reads"), "refused before the first byte");
        }
    }
    // The control: left alone, it is READY and in the ledger.
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 128);
    let (status, _) = written_while(&station, &drive, |_| {});
    assert_eq!((status, &*last_row(&station).verdict), (Some(0), "READY"));
}

#[test]
fn an_exported_head_shows_a_ledger_that_was_made_anew() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 128);
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.platen(&["ledger", "export", "--head", "head.minisig"]).expect(0);
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.platen(&["ledger", "check", "--head", "head.minisig"]).expect(0);
    let recorded = station.platen(&["ledger", "head", "--json"]).expect(0).recorded();
    let Answer::LedgerHead { rows: 2, head: hash, .. } = recorded.answers()[0] else { panic!("{recorded:?}") };
    station.platen(&["ledger", "check", "--head", hash]).expect(0);
    std::fs::write(station.path("head"), format!("{hash}\n")).expect("writes");
    std::fs::write(station.path("head.2"), station.platen(&["ledger", "head"]).expect(0).stdout).expect("writes");
    let (public, file, signature) = (station.text("station.pub"), station.text("head"), station.text("head.2"));
    tool("minisign", &["-V", "-p", &public, "-m", &file, "-x", &signature]).expect(0);
    station.platen(&["ledger", "check", "--head", "tree/readme.txt"]).refused(2, &["readme.txt"]);

    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(station.path(file));
    }
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.platen(&["ledger", "check"]).expect(0);
    station.platen(&["ledger", "check", "--head", "head.minisig"]).refused(1, &["made anew"]);
}

#[test]
fn programs_that_write_at_once_share_one_ledger() {
    let station = Station::with_medium();
    let start = |n: u32| {
        let drive = station.drive(&format!("drive{n}.img"), 96);
        station.command(&["write", "TREE", &drive]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
    };
    let children: Vec<_> = (0..6).map(start).collect();
    for mut child in children {
        assert_eq!(child.wait().expect("ends").code(), Some(0));
    }
    let checked = station.platen(&["ledger", "check", "--json"]).expect(0).recorded();
    assert!(matches!(checked.answers()[..], [Answer::LedgerChecked { rows: 6, .. }]), "{checked:?}");
}

#[test]
fn whatever_the_umask_nothing_is_writable_by_others() {
    let station = Station::new();
    station.files("tree", &[("readme.txt", b"hello\n")]);
    let definition = station.define("TREE", 1, "");
    let drive = station.drive("drive.img", 96);
    let platen = env!("CARGO_BIN_EXE_platen");
    let script = format!(
        "umask 000; set -e; {platen} key new own --out .; {platen} media build {} --key test-insecure.key --out made/layout;
         {platen} cache import made/layout --cache made/cache; {platen} write TREE {drive} --cache made/cache --ledger made/of/ledger.db
         {platen} cache minimum TREE --set 1 --cache made/cache --ledger made/of/ledger.db",
        definition.display()
    );
    let mut shell = station.command(&[]);
    let environment: Vec<_> =
        shell.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
    shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(station.dir.path()).stdin(Stdio::null());
    for (key, value) in environment {
        shell.env(key, value.unwrap_or_default());
    }
    let ran = shell.output().expect("sh runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut folders = vec![station.path("made")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("lists") {
            let path = entry.expect("lists").path();
            let mode = path.symlink_metadata().expect("metadata").mode();
            assert_eq!(mode & 0o022, 0, "{} has mode {mode:o}", path.display());
            seen += 1;
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen > 20, "{seen}");
    for (name, mode) in [("own.key", 0o600), ("made/of/station.key", 0o600), ("made/cache/lock", 0o600)] {
        let found = station.path(name).metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name} has mode {found:o}");
    }
}

#[test]
fn a_read_only_cache_can_be_listed_planned_and_written_from() {
    let station = Station::with_medium();
    for made in ["ingest", "lock", "index.lock"] {
        let path = station.path("cache").join(made);
        let _ = if path.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) };
    }
    let Some(_mounted) = ReadOnly::make(&station.path("cache")) else { return };
    let drive = station.drive("drive.img", 128);
    for verb in [
        &["cache", "list"][..],
        &["cache", "show", "TREE"],
        &["cache", "minimum"],
        &["cache", "scrub"],
        &["plan", "TREE", "--drive", &drive],
        &["write", "TREE", &drive],
        &["verify", &drive],
    ] {
        station.platen(verb).expect(0);
    }
    station.platen(&["cache", "pin", "TREE"]).refused(4, &["cache/lock"]);
}

#[test]
fn a_pipe_in_a_source_ends_the_import_with_its_name() {
    for name in ["index.json", "oci-layout"] {
        let station = Station::new();
        station.sample_tree();
        station.build(&station.define("TREE", 1, "")).expect(0);
        let path = station.text(&format!("layout/{name}"));
        std::fs::remove_file(&path).expect("removes");
        tool("mkfifo", &[&path]).expect(0);
        let ran = tool(
            "timeout",
            &[
                "60",
                env!("CARGO_BIN_EXE_platen"),
                "cache",
                "import",
                &station.text("layout"),
                "--cache",
                &station.text("cache"),
                "--trust",
                &station.text("trusted"),
            ],
        );
        ran.refused(2, &[name, "expected a regular file"]);
    }
}
