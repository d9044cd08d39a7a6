//! The ledger: one row for each drive that was worked on, appended and never changed.
//!
//! Each row carries the SHA-256 of the row before it and of itself, so an edited, deleted, inserted or swapped row is
//! found by [`Ledger::check`]. Rows cut off at the end can only be noticed against a head that was exported before.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use platen_media::{Sha256, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params_from_iter};
use serde::Serialize;

/// What is known when a drive is finished. `code` and `detail` are empty for a drive that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewEntry {
    pub station: String,
    /// write, update, erase-quick, erase-full or test.
    pub job: String,
    pub port: String,
    pub path: String,
    pub serial: String,
    /// `vvvv:pppp`, empty for drives that are not USB.
    pub vendor_product: String,
    pub size_bytes: u64,
    /// `<id>-r<revision>`.
    pub medium: String,
    pub version: String,
    pub manifest_sha256: String,
    pub written_bytes: u64,
    pub verified_bytes: u64,
    pub write_ms: u64,
    pub verify_ms: u64,
    /// Which cache the read-back went past.
    pub read_back: String,
    /// READY, ERASED or GOOD; RETRIED, TRY AGAIN or NOT USABLE.
    pub verdict: String,
    pub code: String,
    pub detail: String,
    pub started: Timestamp,
    pub finished: Timestamp,
}

/// A row: an entry in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// 1, 2, 3, ... without gaps.
    pub number: u64,
    #[serde(flatten)]
    pub entry: NewEntry,
    /// Hash of the row before, zeros for the first.
    pub previous: Sha256,
    pub hash: Sha256,
}

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQLite's answer.
    #[error("{doing} the ledger {path}")]
    Database { doing: &'static str, path: PathBuf, source: rusqlite::Error },
    /// The ledger was tampered with, or the disk lost something.
    #[error("{path}: row {number}: {found}")]
    Broken { path: PathBuf, number: u64, found: String },
    /// Its rows have other columns, so they can't be continued.
    #[error(
        "{path}: expected a ledger of this version of Platen, found one of another; move it away, it stays readable with SQLite"
    )]
    OtherVersion { path: PathBuf },
    /// An export could not be written.
    #[error("exporting the ledger")]
    Export(#[source] io::Error),
}

/// Name and value of every field but the chain's own, in the order they are hashed, stored and exported.
const COLUMNS: [&str; 20] = [
    "station",
    "job",
    "port",
    "path",
    "serial",
    "vendor_product",
    "size_bytes",
    "medium",
    "version",
    "manifest_sha256",
    "written_bytes",
    "verified_bytes",
    "write_ms",
    "verify_ms",
    "read_back",
    "verdict",
    "code",
    "detail",
    "started",
    "finished",
];

impl NewEntry {
    fn values(&self) -> [String; COLUMNS.len()] {
        [
            self.station.clone(),
            self.job.clone(),
            self.port.clone(),
            self.path.clone(),
            self.serial.clone(),
            self.vendor_product.clone(),
            self.size_bytes.to_string(),
            self.medium.clone(),
            self.version.clone(),
            self.manifest_sha256.clone(),
            self.written_bytes.to_string(),
            self.verified_bytes.to_string(),
            self.write_ms.to_string(),
            self.verify_ms.to_string(),
            self.read_back.clone(),
            self.verdict.clone(),
            self.code.clone(),
            self.detail.clone(),
            self.started.to_string(),
            self.finished.to_string(),
        ]
    }

    /// Each field with its length before it, so that no two entries have the same bytes.
    fn hash(&self, number: u64, previous: &Sha256) -> Sha256 {
        let mut bytes = Vec::from(previous.0);
        bytes.extend(number.to_be_bytes());
        for value in self.values() {
            bytes.extend((value.len() as u64).to_be_bytes());
            bytes.extend(value.as_bytes());
        }
        Sha256::of(&bytes)
    }
}

/// An open ledger. Safe to use from many threads and processes.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    connection: Mutex<Connection>,
}

const ZERO: Sha256 = Sha256([0; 32]);

impl Ledger {
    /// Open the ledger in the file `path`, making an empty one where there is none.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE, |connection| {
            // FULL: an acknowledged row survives a loss of power.
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
            let mut columns = String::new();
            for column in COLUMNS {
                write!(columns, "{column} TEXT NOT NULL, ").expect("writing to a string does not fail");
            }
            connection.execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS drives (number INTEGER PRIMARY KEY, {columns}previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
                 CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
                 CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
            ))
        })
    }

    /// Open an existing ledger to look at it.
    pub fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE, |_| Ok(()))
    }

    fn open_with(
        path: &Path,
        flags: OpenFlags,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Self, LedgerError> {
        let open = || {
            let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(Duration::from_secs(30))?;
            prepare(&connection)?;
            Ok(connection)
        };
        match open() {
            Ok(connection) if !has_our_columns(&connection) => Err(LedgerError::OtherVersion { path: path.to_owned() }),
            Ok(connection) => Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) }),
            Err(source) => Err(LedgerError::Database { doing: "opening", path: path.to_owned(), source }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn fail(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError + '_ {
        move |source| LedgerError::Database { doing, path: self.path.clone(), source }
    }

    /// Append a row; on disk when this returns.
    pub fn append(&self, entry: &NewEntry) -> Result<LedgerEntry, LedgerError> {
        let fail = self.fail("appending to");
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // IMMEDIATE: the row that is linked to must still be the last one when this one is written.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        let last = transaction.query_row("SELECT number, hash FROM drives ORDER BY number DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get::<_, String>(1)?))
        });
        let (last_number, previous) = match last {
            Ok((number, hash)) => (number, hash.parse().map_err(|_| self.broken(number, "its hash is no digest"))?),
            Err(rusqlite::Error::QueryReturnedNoRows) => (0, ZERO),
            Err(error) => return Err(fail(error)),
        };
        let number = last_number + 1;
        let hash = entry.hash(number, &previous);
        let marks = vec!["?"; COLUMNS.len() + 3].join(", ");
        let insert = format!("INSERT INTO drives (number, {}, previous, hash) VALUES ({marks})", COLUMNS.join(", "));
        let values = std::iter::once(Value::Integer(number as i64))
            .chain(entry.values().into_iter().map(Value::Text))
            .chain([Value::Text(previous.to_string()), Value::Text(hash.to_string())]);
        transaction.execute(&insert, params_from_iter(values)).map_err(&fail)?;
        transaction.commit().map_err(&fail)?;
        Ok(LedgerEntry { number, entry: entry.clone(), previous, hash })
    }

    /// All rows as they stand, checked or not.
    pub fn entries(&self) -> Result<Vec<LedgerEntry>, LedgerError> {
        let fail = self.fail("reading");
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let select = format!("SELECT number, {}, previous, hash FROM drives ORDER BY number", COLUMNS.join(", "));
        let mut statement = connection.prepare(&select).map_err(&fail)?;
        let rows = statement.query_map([], |row| Ok(self.read(row))).map_err(&fail)?;
        rows.map(|row| row.map_err(&fail)?).collect()
    }

    fn read(&self, row: &Row<'_>) -> Result<LedgerEntry, LedgerError> {
        let number = row.get::<_, i64>(0).map_err(self.fail("reading"))? as u64;
        let text = |name: &str| row.get::<_, String>(name).map_err(self.fail("reading"));
        let wrong = |name: &str| self.broken(number, &format!("{name} can't be read"));
        let count = |name: &str| text(name)?.parse::<u64>().map_err(|_| wrong(name));
        let time = |name: &str| text(name)?.parse::<Timestamp>().map_err(|_| wrong(name));
        let digest = |name: &str| text(name)?.parse::<Sha256>().map_err(|_| wrong(name));
        let entry = NewEntry {
            station: text("station")?,
            job: text("job")?,
            port: text("port")?,
            path: text("path")?,
            serial: text("serial")?,
            vendor_product: text("vendor_product")?,
            size_bytes: count("size_bytes")?,
            medium: text("medium")?,
            version: text("version")?,
            manifest_sha256: text("manifest_sha256")?,
            written_bytes: count("written_bytes")?,
            verified_bytes: count("verified_bytes")?,
            write_ms: count("write_ms")?,
            verify_ms: count("verify_ms")?,
            read_back: text("read_back")?,
            verdict: text("verdict")?,
            code: text("code")?,
            detail: text("detail")?,
            started: time("started")?,
            finished: time("finished")?,
        };
        Ok(LedgerEntry { number, entry, previous: digest("previous")?, hash: digest("hash")? })
    }

    fn broken(&self, number: u64, found: &str) -> LedgerError {
        LedgerError::Broken { path: self.path.clone(), number, found: found.to_owned() }
    }

    /// Follow the chain from the first row to the last and return the last hash and the number of rows. With `head`,
    /// the hash of an earlier export, that row must still be in the chain: this is what finds rows cut off.
    pub fn check(&self, head: Option<&Sha256>) -> Result<(u64, Sha256), LedgerError> {
        let mut previous = ZERO;
        let mut count = 0;
        let mut seen_head = false;
        for row in self.entries()? {
            count += 1;
            if row.number != count {
                return Err(self.broken(row.number, &format!("expected row {count} here: rows are missing or swapped")));
            }
            if row.previous != previous {
                return Err(self.broken(count, "it does not continue the row before it"));
            }
            if row.entry.hash(count, &previous) != row.hash {
                return Err(self.broken(count, "it was changed after it was recorded"));
            }
            previous = row.hash;
            seen_head |= head == Some(&previous);
        }
        match head {
            Some(head) if !seen_head => {
                Err(self.broken(count, &format!("no row has the hash {head}: rows were cut off")))
            }
            _ => Ok((count, previous)),
        }
    }

    /// RFC 4180, with a header line.
    pub fn export_csv(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        let mut text = format!("number,{},previous,hash\r\n", COLUMNS.join(","));
        for row in self.entries()? {
            write!(text, "{}", row.number).expect("writing to a string does not fail");
            let chain = [row.previous.to_string(), row.hash.to_string()];
            for value in row.entry.values().into_iter().chain(chain) {
                write!(text, ",{}", csv_field(&value)).expect("writing to a string does not fail");
            }
            text.push_str("\r\n");
        }
        out.write_all(text.as_bytes()).map_err(LedgerError::Export)
    }

    /// An array of objects, one for each row.
    pub fn export_json(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        let entries = self.entries()?;
        serde_json::to_writer_pretty(&mut *out, &entries).map_err(|error| LedgerError::Export(error.into()))?;
        out.write_all(b"\n").map_err(LedgerError::Export)
    }
}

fn has_our_columns(connection: &Connection) -> bool {
    let select = format!("SELECT number, {}, previous, hash FROM drives", COLUMNS.join(", "));
    connection.prepare(&select).is_ok()
}

/// Quoted where needed. A drive names itself, so a serial number may begin like a formula; a quote before it keeps
/// spreadsheets from running it.
fn csv_field(value: &str) -> String {
    let guarded =
        if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{value}") } else { value.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(serial: &str) -> NewEntry {
        NewEntry {
            station: "bench".into(),
            job: "write".into(),
            port: "2-3".into(),
            path: "/dev/sdb".into(),
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

    /// Change the file as an attacker with SQLite would, past the triggers.
    fn tamper(path: &Path, sql: &str) {
        let connection = Connection::open(path).expect("opens");
        connection.execute_batch("DROP TRIGGER no_update; DROP TRIGGER no_delete;").expect("drops");
        connection.execute_batch(sql).expect("runs");
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
    fn triggers_refuse_changes() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (_ledger, path) = filled(dir.path());
        let connection = Connection::open(&path).expect("opens");
        assert!(connection.execute("DELETE FROM drives", []).is_err());
        assert!(connection.execute("UPDATE drives SET port = 'x'", []).is_err());
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
}
