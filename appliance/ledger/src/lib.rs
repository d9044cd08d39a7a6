// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The ledger: one row for each drive that was worked on, appended and never changed.
//!
//! Each row carries the SHA-256 of the row before it and of itself, so a row that was edited, deleted, inserted or
//! swapped is found by [`Ledger::check`], unless the whole chain after it was computed anew: that, and rows cut off at
//! the end, can only be noticed against a head that is kept elsewhere ([`Ledger::signed_head`]).

mod entry;
mod error;
mod export;
mod head;
mod schema;
mod station_key;

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use platen_engine::{Journal, NewEntry, Unrecorded, chain};
use platen_media::Sha256;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params_from_iter};

pub use self::entry::LedgerEntry;
pub use self::error::LedgerError;
pub use self::head::SignedHead;

use self::entry::{COLUMNS, select, values};
use self::station_key::StationKey;

/// How long to wait for another process that appends.
const BUSY_LIMIT: Duration = Duration::from_secs(30);
const ZERO: Sha256 = Sha256([0; 32]);

/// An open ledger. Safe to use from many threads and processes.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: FileId,
    connection: Mutex<Connection>,
    key: OnceLock<StationKey>,
}

impl Ledger {
    /// Open the ledger in the file `path` to append to it, making an empty one, and the station's key beside it, where
    /// there is none.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        keep_to_owner(path).map_err(|source| LedgerError::File { path: path.to_owned(), source })?;
        let ledger = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        {
            let mut connection = ledger.connection();
            // Before anything is changed: not even the journal's mode of a newer ledger is ours to choose.
            schema::check_version(&connection, path)?;
            let prepared = use_write_ahead_log(&connection).and_then(|()| schema::make(&mut connection));
            prepared.map_err(ledger.fail("opening"))?;
            schema::check(&connection, path)?;
            schema::bring_up_to_date(&connection).map_err(ledger.fail("opening"))?;
        }
        ledger.key()?;
        Ok(ledger)
    }

    /// Open an existing ledger to look at it, whatever it has become.
    pub fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, LedgerError> {
        let before = FileId::of(path);
        let connection = connect(path, flags).map_err(LedgerError::database("opening", path))?;
        match (before, FileId::of(path)) {
            (Ok(before), Ok(after)) if before != after => Err(LedgerError::Replaced { path: path.to_owned() }),
            (_, Ok(file)) => {
                let (connection, key) = (Mutex::new(connection), OnceLock::new());
                Ok(Self { path: path.to_owned(), file, connection, key })
            }
            (_, Err(_)) => Err(LedgerError::Replaced { path: path.to_owned() }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read once: signing must not wait for a disk.
    fn key(&self) -> Result<&StationKey, LedgerError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let key = StationKey::open(folder.unwrap_or(Path::new(".")))?;
        Ok(self.key.get_or_init(|| key))
    }

    /// The public half of the station's key, as a minisign public key file: who has it can check heads and drive records.
    pub fn public_key(&self) -> Result<String, LedgerError> {
        self.key()?.public_text()
    }

    fn fail(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError {
        LedgerError::database(doing, &self.path)
    }

    /// Append a row. When this returns it is on disk, in the file that the ledger's path leads to.
    pub fn append(&self, entry: &NewEntry) -> Result<LedgerEntry, LedgerError> {
        let mut connection = self.connection();
        self.check_file()?;
        let row = self.insert(&mut connection, entry)?;
        self.check_file()?;
        // Asked once more through the path: what this connection has open, its log included, may have been taken away
        // from under it, and then it alone sees the row.
        let fresh = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(self.fail("reading"))?;
        self.look_for(&fresh, &row)?;
        Ok(row)
    }

    fn insert(&self, connection: &mut Connection, entry: &NewEntry) -> Result<LedgerEntry, LedgerError> {
        let fail = self.fail("appending to");
        // IMMEDIATE: the row that is linked to must still be the last one when this one is written.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        schema::check(&transaction, &self.path)?;
        let last = transaction.query_row("SELECT number, hash FROM drives ORDER BY number DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get::<_, String>(1)?))
        });
        let (last_number, previous) = match last.optional().map_err(&fail)? {
            Some((number, hash)) => (number, hash.parse().map_err(|_| self.broken(number, "its hash is no digest"))?),
            None => (0, ZERO),
        };
        let number = last_number + 1;
        let row = LedgerEntry::new(number, entry.clone(), previous);
        let marks = vec!["?"; COLUMNS.len() + 3].join(", ");
        let insert = format!("INSERT INTO drives (number, {}, previous, hash) VALUES ({marks})", COLUMNS.join(", "));
        let values = std::iter::once(Value::Integer(number as i64))
            .chain(values(entry).into_iter().map(Value::Text))
            .chain([row.previous, row.hash].map(|hash| Value::Text(hash.to_string())));
        transaction.execute(&insert, params_from_iter(values)).map_err(&fail)?;
        self.look_for(&transaction, &row)?;
        transaction.commit().map_err(&fail)?;
        Ok(row)
    }

    /// The row must be there as it was meant.
    fn look_for(&self, connection: &Connection, row: &LedgerEntry) -> Result<(), LedgerError> {
        let found = connection
            .query_row(&select(&[], "WHERE number = ?"), [row.number as i64], |found| {
                Ok(LedgerEntry::read(found, &[], &self.path))
            })
            .optional()
            .map_err(self.fail("reading"))?;
        let not_recorded = |found| LedgerError::NotRecorded { path: self.path.clone(), number: row.number, found };
        match found.transpose()? {
            Some(found) if found == *row => Ok(()),
            Some(_) => Err(not_recorded("another one")),
            None => Err(not_recorded("none")),
        }
    }

    /// What is open must be what the path leads to.
    fn check_file(&self) -> Result<(), LedgerError> {
        match FileId::of(&self.path) {
            Ok(found) if found == self.file => Ok(()),
            _ => Err(LedgerError::Replaced { path: self.path.clone() }),
        }
    }

    /// The last row as it stands, checked or not; none of an empty ledger.
    pub fn last(&self) -> Result<Option<LedgerEntry>, LedgerError> {
        let connection = self.connection();
        let fail = self.fail("reading");
        let last = connection
            .query_row(&select(&[], "ORDER BY number DESC LIMIT 1"), [], |row| {
                Ok(LedgerEntry::read(row, &[], &self.path))
            })
            .optional()
            .map_err(&fail)?;
        last.transpose()
    }

    /// All rows as they stand, checked or not.
    pub fn entries(&self) -> Result<Vec<LedgerEntry>, LedgerError> {
        Ok(self.rows_and_columns()?.0)
    }

    /// The same, and the columns that a newer version of Platen added.
    fn rows_and_columns(&self) -> Result<(Vec<LedgerEntry>, Vec<String>), LedgerError> {
        let mut connection = self.connection();
        // One transaction, so that both are of one moment.
        let transaction = connection.transaction().map_err(self.fail("reading"))?;
        let others = schema::other_columns(&transaction).map_err(self.fail("reading"))?;
        Ok((self.read_all(&transaction)?, others))
    }

    fn read_all(&self, connection: &Connection) -> Result<Vec<LedgerEntry>, LedgerError> {
        let fail = self.fail("reading");
        let others = schema::other_columns(connection).map_err(&fail)?;
        let mut statement = connection.prepare(&select(&others, "ORDER BY number")).map_err(&fail)?;
        let rows = statement.query_map([], |row| Ok(LedgerEntry::read(row, &others, &self.path))).map_err(&fail)?;
        rows.map(|row| row.map_err(&fail)?).collect()
    }

    fn broken(&self, number: u64, found: &str) -> LedgerError {
        LedgerError::Broken { path: self.path.clone(), number, found: found.to_owned() }
    }

    /// Check that the database is ours, follow the chain from the first row to the last, and return the number of rows
    /// and the last hash. With `head`, the hash of an earlier export, that row must still be in the chain.
    pub fn check(&self, head: Option<&Sha256>) -> Result<(u64, Sha256), LedgerError> {
        let mut connection = self.connection();
        self.check_file()?;
        // One transaction: what was looked at is what is read.
        let transaction = connection.transaction().map_err(self.fail("reading"))?;
        schema::check(&transaction, &self.path)?;
        self.check_pages(&transaction)?;
        let mut previous = ZERO;
        let mut count = 0;
        let mut seen_head = head == Some(&ZERO);
        for row in self.read_all(&transaction)? {
            count += 1;
            if row.number != count {
                return Err(self.broken(row.number, &format!("expected row {count} here: rows are missing or swapped")));
            }
            if row.previous != previous {
                return Err(self.broken(count, "it does not continue the row before it"));
            }
            if row.expected_hash() != row.hash {
                return Err(self.broken(count, "it was changed after it was recorded"));
            }
            previous = row.hash;
            seen_head |= head == Some(&previous);
        }
        match head {
            Some(head) if !seen_head => {
                Err(self
                    .broken(count, &format!("no row has the hash {head}: rows were cut off, or all were made anew")))
            }
            _ => Ok((count, previous)),
        }
    }

    /// SQLite's own look at every page.
    fn check_pages(&self, connection: &Connection) -> Result<(), LedgerError> {
        let answer: String =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(self.fail("reading"))?;
        if answer == "ok" { Ok(()) } else { Err(LedgerError::Altered { path: self.path.clone(), found: answer }) }
    }
}

impl Journal for Ledger {
    fn append(&self, entry: &NewEntry) -> Result<(), Unrecorded> {
        let appended = Ledger::append(self, entry).map(drop);
        appended.map_err(|error| Unrecorded { code: error.code(), detail: chain(&error) })
    }

    fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Unrecorded> {
        let signed = self.key().and_then(|key| key.sign(bytes, comment));
        signed.map_err(|error| Unrecorded { code: error.code(), detail: chain(&error) })
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    Ok(connection)
}

/// Make the file where there is none, and let only its owner open it: whoever may read it could hold the locks in it,
/// and no row would be recorded any more. SQLite gives its other files the same mode.
fn keep_to_owner(path: &Path) -> io::Result<()> {
    match File::options().create_new(true).write(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    for path in [path.to_owned(), beside("-wal"), beside("-shm")] {
        let is_open = |metadata: &fs::Metadata| metadata.is_file() && metadata.mode() & 0o077 != 0;
        if fs::symlink_metadata(&path).is_ok_and(|metadata| is_open(&metadata)) {
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// An acknowledged row survives a loss of power, and readers don't stop the one who appends.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let begun = Instant::now();
    loop {
        let answer = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match answer {
            // SQLite does not wait by itself here when several processes open a new file at once.
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY_LIMIT =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => return answer.map(drop),
        }
    }
}

/// Which file a path leads to. Asked without opening it: closing a second descriptor of a file would give up the locks
/// that SQLite holds on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

#[cfg(test)]
mod tests;
