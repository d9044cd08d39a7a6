// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::process::Command;

use platen_events::Code;
use platen_media::Timestamp;

use super::*;

fn entry(serial: &str) -> NewEntry {
    NewEntry {
        station: "bench".into(),
        job: "write".into(),
        port: "2-3".into(),
        path: "/dev/sdb".into(),
        disk_sequence: "17".into(),
        serial: serial.into(),
        vendor_product: "0781:5581".into(),
        size_bytes: 64 << 20,
        medium: "PLT00001-r1".into(),
        version: "1".into(),
        manifest_sha256: Sha256::of(b"m").to_string(),
        written_bytes: 1,
        verified_bytes: 1,
        write_ms: 1,
        verify_ms: 1,
        read_back: "O_DIRECT".into(),
        verdict: "READY".into(),
        code: String::new(),
        detail: String::new(),
        started: Timestamp::from_unix_s(1),
        finished: Timestamp::from_unix_s(2),
    }
}

fn filled(dir: &Path) -> (Ledger, PathBuf) {
    let path = dir.join("ledger.db");
    let ledger = Ledger::open(&path).expect("opens");
    for serial in ["A", "B", "C", "D"] {
        ledger.append(&entry(serial)).expect("appends");
    }
    (ledger, path)
}

/// Change the file as an attacker with SQLite would: past the triggers, which are there again afterwards.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).expect("opens");
    let select = "SELECT group_concat(sql, ';\n') FROM sqlite_master WHERE type = 'trigger'";
    let triggers: String = connection.query_row(select, [], |row| row.get(0)).expect("two triggers");
    connection.execute_batch("DROP TRIGGER no_update; DROP TRIGGER no_delete;").expect("drops");
    connection.execute_batch(sql).expect("runs");
    connection.execute_batch(&format!("{triggers};")).expect("made anew");
}

fn altered(path: &Path, sql: &str) {
    Connection::open(path).expect("opens").execute_batch(sql).expect("runs");
}

#[test]
fn an_untouched_ledger_passes_and_goes_on_after_reopening() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (ledger, path) = filled(dir.path());
    let (count, head) = ledger.check(None).expect("whole");
    assert_eq!(count, 4);
    drop(ledger);
    let ledger = Ledger::open(&path).expect("opens");
    ledger.append(&entry("E")).expect("appends");
    assert_eq!(ledger.check(Some(&head)).expect("the old head is still in the chain").0, 5);
}

#[test]
fn every_field_of_every_row_is_protected() {
    for column in COLUMNS.iter().chain(&["previous", "hash"]) {
        for number in 1..=4 {
            let dir = tempfile::tempdir().expect("temporary folder");
            let (ledger, path) = filled(dir.path());
            drop(ledger);
            tamper(&path, &format!("UPDATE drives SET {column} = '7' WHERE number = {number}"));
            let result = Ledger::open_existing(&path).expect("opens").check(None);
            assert!(matches!(result, Err(LedgerError::Broken { .. })), "{column} of row {number}: {result:?}");
        }
    }
}

#[test]
fn deleted_and_swapped_rows_are_found() {
    for sql in [
        "DELETE FROM drives WHERE number = 1",
        "DELETE FROM drives WHERE number = 2",
        "DELETE FROM drives WHERE number = 2; UPDATE drives SET number = number - 1 WHERE number > 2",
        "UPDATE drives SET number = 9 WHERE number = 2; UPDATE drives SET number = 2 WHERE number = 3; UPDATE drives SET number = 3 WHERE number = 9",
    ] {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (ledger, path) = filled(dir.path());
        drop(ledger);
        tamper(&path, sql);
        let result = Ledger::open_existing(&path).expect("opens").check(None);
        assert!(matches!(result, Err(LedgerError::Broken { .. })), "{sql}");
    }
}

#[test]
fn a_cut_tail_is_found_against_an_exported_head_only() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (ledger, path) = filled(dir.path());
    let (_, head) = ledger.check(None).expect("whole");
    drop(ledger);
    tamper(&path, "DELETE FROM drives WHERE number = 4");
    let ledger = Ledger::open_existing(&path).expect("opens");
    assert!(ledger.check(None).is_ok(), "the limit is stated in the documentation");
    assert!(matches!(ledger.check(Some(&head)), Err(LedgerError::Broken { .. })));
}

#[test]
fn a_ledger_with_other_columns_is_left_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("l.db");
    let connection = Connection::open(&path).expect("opens");
    connection.execute_batch("CREATE TABLE drives (number INTEGER PRIMARY KEY, hash TEXT)").expect("creates");
    assert!(matches!(Ledger::open(&path), Err(LedgerError::OtherVersion { .. })));
}

#[test]
fn a_ledger_from_before_it_had_a_number_gets_one_and_goes_on() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (ledger, path) = filled(dir.path());
    drop(ledger);
    altered(&path, "PRAGMA user_version = 0");
    let ledger = Ledger::open(&path).expect("opens");
    ledger.append(&entry("E")).expect("appends");
    assert_eq!(ledger.check(None).expect("whole").0, 5);
    let connection = Connection::open(&path).expect("opens");
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a number");
    assert_eq!(version, 1);
}

#[test]
fn a_ledger_of_a_newer_version_is_called_that_whatever_it_holds() {
    for sql in ["", "CREATE TABLE more (x)", "DROP TABLE drives", "ALTER TABLE drives ADD COLUMN x TEXT"] {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (ledger, path) = filled(dir.path());
        altered(&path, &format!("PRAGMA user_version = 7; {sql}"));
        let newer = |result: Result<(), LedgerError>| match result {
            Err(error @ LedgerError::Newer { .. }) => {
                let said = platen_media::chain(&error);
                assert!(said.contains("made by a newer version of Platen") && said.contains("found 7"), "{said}");
                assert_eq!(error.code(), Code::LedgerNewer);
            }
            other => panic!("{sql}: {other:?}"),
        };
        newer(ledger.append(&entry("E")).map(drop));
        newer(ledger.check(None).map(drop));
        drop(ledger);
        newer(Ledger::open(&path).map(drop));
    }
}

#[test]
fn only_columns_that_any_program_can_leave_empty_may_be_added() {
    let added = |columns: &[&str]| {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (ledger, path) = filled(dir.path());
        for column in columns {
            altered(&path, &format!("ALTER TABLE drives ADD COLUMN {column}"));
        }
        let appended = ledger.append(&entry("E")).map(|row| row.others.len());
        let rows = ledger.check(None).map(|(rows, _)| rows);
        (appended, rows)
    };
    for good in
        [&["operator TEXT NOT NULL DEFAULT ''"][..], &["z TEXT NOT NULL DEFAULT ''", "a_2 TEXT NOT NULL DEFAULT ''"]]
    {
        let (appended, rows) = added(good);
        assert_eq!((appended.expect("appends"), rows.expect("whole")), (0, 5), "{good:?}");
    }
    for bad in [
        "x TEXT",
        "x TEXT NOT NULL DEFAULT 'y'",
        "x INTEGER NOT NULL DEFAULT 0",
        "x TEXT NOT NULL DEFAULT '' CHECK (x = '')",
        "x TEXT NOT NULL ON CONFLICT IGNORE DEFAULT ''",
        "x TEXT NOT NULL DEFAULT '' COLLATE NOCASE",
        "x TEXT GENERATED ALWAYS AS ('') VIRTUAL",
        "\"a, b\" TEXT NOT NULL DEFAULT ''",
        "X TEXT NOT NULL DEFAULT ''",
    ] {
        let (appended, rows) = added(&[bad]);
        assert!(matches!(appended, Err(LedgerError::OtherVersion { .. })), "{bad}: {appended:?}");
        assert!(matches!(rows, Err(LedgerError::OtherVersion { .. })), "{bad}: {rows:?}");
    }
}

#[test]
fn triggers_refuse_changes() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (_ledger, path) = filled(dir.path());
    let connection = Connection::open(&path).expect("opens");
    for change in ["DELETE FROM drives", "UPDATE drives SET port = 'x'"] {
        let refused = connection.execute(change, []).expect_err(change);
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::ConstraintViolation), "{refused}");
    }
}

#[test]
fn exports_keep_hostile_serial_numbers_harmless() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::open(&dir.path().join("l.db")).expect("opens");
    ledger.append(&entry("=cmd|' /C calc'!A0,\"x\"\n")).expect("appends");
    let mut csv = Vec::new();
    ledger.export_csv(&mut csv).expect("exports");
    let csv = String::from_utf8(csv).expect("UTF-8");
    assert!(csv.contains("\"'=cmd|' /C calc'!A0,\"\"x\"\"\n\""), "{csv}");
    let mut json = Vec::new();
    ledger.export_json(&mut json).expect("exports");
    let rows: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(rows[0]["number"], 1);
}

/// Ways to make a ledger that says yes and keeps nothing, or shows what nobody recorded.
const CHANGED_SCHEMAS: [&str; 7] = [
    "CREATE TRIGGER full BEFORE INSERT ON drives BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER late AFTER INSERT ON drives WHEN NEW.verdict = 'READY' BEGIN DELETE FROM drives; END",
    "ALTER TABLE drives RENAME TO kept; CREATE VIEW drives AS SELECT * FROM kept",
    "CREATE TABLE more (x)",
    "CREATE INDEX by_port ON drives (port)",
    "DROP TRIGGER no_delete",
    "DROP TRIGGER no_update; CREATE TRIGGER no_update BEFORE UPDATE ON drives BEGIN SELECT 1; END",
];

#[test]
fn a_database_that_is_not_exactly_ours_records_nothing_and_is_not_whole() {
    for sql in CHANGED_SCHEMAS {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (ledger, path) = filled(dir.path());
        altered(&path, sql);
        let refused = ledger.append(&entry("E"));
        assert!(matches!(refused, Err(LedgerError::Altered { .. })), "open while it was changed, {sql}: {refused:?}");
        drop(ledger);
        let refused = Ledger::open(&path);
        assert!(matches!(refused, Err(LedgerError::Altered { .. })), "opened afterwards, {sql}: {refused:?}");
        let ledger = Ledger::open_existing(&path).expect("to look at it");
        let found = ledger.check(None);
        assert!(matches!(found, Err(LedgerError::Altered { .. })), "{sql}: {found:?}");
    }
}

#[test]
fn a_ledger_taken_away_while_it_is_open_records_nothing() {
    type Take = fn(&Path);
    let ways: [(&str, Take); 5] = [
        ("removed", |path| fs::remove_file(path).expect("removes")),
        ("renamed", |path| fs::rename(path, path.with_extension("old")).expect("renames")),
        ("replaced by a copy", |path| {
            let copy = path.with_extension("copy");
            fs::copy(path, &copy).expect("copies");
            fs::rename(copy, path).expect("renames");
        }),
        ("log removed", |path| fs::remove_file(path.with_extension("db-wal")).expect("removes")),
        ("log replaced", |path| {
            let log = path.with_extension("db-wal");
            fs::rename(&log, path.with_extension("taken")).expect("renames");
            fs::write(log, "").expect("writes");
        }),
    ];
    for (how, take) in ways {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (ledger, path) = filled(dir.path());
        take(&path);
        let refused = ledger.append(&entry("E")).expect_err(how);
        assert!(matches!(refused, LedgerError::Replaced { .. } | LedgerError::Database { .. }), "{how}: {refused:?}");
    }
}

#[test]
fn many_open_and_append_at_once() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("ledger.db");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for round in 0..4 {
                    let ledger = Ledger::open(path).expect("opens");
                    ledger.append(&entry(&format!("{n}-{round}"))).expect("appends");
                }
            });
        }
    });
    let ledger = Ledger::open(&path).expect("opens");
    assert_eq!(ledger.check(None).expect("whole").0, 32);
}

#[test]
fn a_signed_head_is_judged_by_minisign_and_finds_a_chain_made_anew() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (ledger, path) = filled(dir.path());
    let signed = ledger.signed_head("bench\n", Timestamp::from_unix_s(3)).expect("signs");
    assert_eq!(signed.rows, 4);
    let (head, signature) = (dir.path().join("head"), dir.path().join("head.minisig"));
    fs::write(&signature, &signed.signature).expect("writes");
    let judged = |text: &str| {
        fs::write(&head, text).expect("writes");
        let mut minisign = Command::new("minisign");
        minisign.args(["-V", "-p", "station.pub", "-m", "head"]).current_dir(dir.path());
        minisign.output().expect("minisign is installed").status.success()
    };
    assert!(judged(&format!("{}\n", signed.head)));
    assert!(!judged(&format!("{}\n", Sha256::of(b"other"))), "the control must fail");

    let head = ledger.read_head(&signature).expect("ours");
    assert_eq!(head, signed.head);
    ledger.append(&entry("E")).expect("appends");
    ledger.check(Some(&head)).expect("still in the chain");
    let changed = signed.signature.replace(&head.to_string(), &Sha256::of(b"other").to_string());
    fs::write(&signature, changed).expect("writes");
    assert!(matches!(ledger.read_head(&signature), Err(LedgerError::HeadSignature { .. })));
    fs::write(&signature, "no head").expect("writes");
    assert!(matches!(ledger.read_head(&signature), Err(LedgerError::Head { .. })));
    drop(ledger);

    // Whoever may write the file can make a whole chain of other rows: only the head shows it.
    fs::remove_file(&path).expect("removes");
    let forged = Ledger::open(&path).expect("opens");
    forged.append(&entry("X")).expect("appends");
    assert!(forged.check(None).is_ok(), "the limit is stated in the documentation");
    assert!(matches!(forged.check(Some(&head)), Err(LedgerError::Broken { .. })));
}

#[test]
fn nobody_but_its_owner_can_hold_the_locks_of_a_ledger() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (ledger, path) = filled(dir.path());
    let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    let files = [path.clone(), beside("-wal"), beside("-shm")];
    let check = || {
        for file in &files {
            assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
    };
    check();
    // One from before, or opened up since.
    for file in &files {
        fs::set_permissions(file, Permissions::from_mode(0o666)).expect("sets");
    }
    drop(Ledger::open(&path).expect("opens"));
    check();
    drop(ledger);
}

#[test]
fn the_station_key_is_made_once_and_is_the_owners() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (ledger, path) = filled(dir.path());
    let key = dir.path().join("station.key");
    assert_eq!(key.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&key).expect("reads");
    drop(ledger);
    Ledger::open(&path).expect("opens");
    assert_eq!(fs::read_to_string(&key).expect("reads"), text);
    fs::write(&key, "rubbish").expect("writes");
    assert!(matches!(Ledger::open(&path), Err(LedgerError::Key { .. })));
}
