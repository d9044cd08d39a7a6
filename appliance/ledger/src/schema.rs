// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the ledger's database consists of, exactly: a trigger more could swallow rows, a view in the table's place
//! could show rows that were never recorded. Only columns may be added, in one form, by newer versions of Platen
//! (docs/formats/ledger.md).

use std::collections::BTreeMap;
use std::path::Path;

use platen_media::stored::NewerSchema;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::LedgerError;
use crate::entry::COLUMNS;

/// How an object of the database was made, by its name.
type Objects = BTreeMap<String, String>;

/// The `user_version` this version of Platen writes, and the newest it reads. Ledgers from before there was one have 0.
const SCHEMA: u32 = 1;

const TABLE: &str = "table drives";
const TABLE_END: &str = ") STRICT";
/// How a column is added, so that programs that don't know it can append rows.
const ADDED: &str = " TEXT NOT NULL DEFAULT ''";

/// The statement of the table, but for its end.
fn table() -> String {
    let columns: String = COLUMNS.iter().map(|column| format!("{column} TEXT NOT NULL, ")).collect();
    format!("CREATE TABLE drives (number INTEGER PRIMARY KEY, {columns}previous TEXT NOT NULL, hash TEXT NOT NULL")
}

fn statements() -> String {
    format!(
        "{}{TABLE_END};
         CREATE TRIGGER no_update BEFORE UPDATE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
         CREATE TRIGGER no_delete BEFORE DELETE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;",
        table()
    )
}

/// Everything SQLite keeps in its own table of contents.
fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    let mut statement = connection.prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_master")?;
    let named = statement.query_map([], |row| {
        let (kind, name) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        Ok((format!("{kind} {name}"), row.get::<_, String>(2)?))
    })?;
    named.collect()
}

/// Make table and triggers in an empty database; one that has anything is left alone.
pub(crate) fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    if objects(&transaction)?.is_empty() {
        transaction.execute_batch(&statements())?;
    }
    transaction.commit()
}

/// The columns that the statement of a table has behind ours; None if it is another table.
fn added_columns(sql: &str) -> Option<Vec<String>> {
    let more = sql.strip_prefix(&table())?.strip_suffix(TABLE_END)?;
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let column = |text: &str| text.strip_suffix(ADDED).filter(|name| is_name(name)).map(str::to_owned);
    match more.strip_prefix(", ") {
        Some(more) => more.split(", ").map(column).collect(),
        None => more.is_empty().then(Vec::new),
    }
}

/// The columns that a newer version of Platen added, in the order of their names; none for a table that is not ours.
pub(crate) fn other_columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut columns = objects(connection)?.get(TABLE).and_then(|sql| added_columns(sql)).unwrap_or_default();
    columns.sort();
    Ok(columns)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuse a ledger of a newer version of Platen, whatever else it is.
pub(crate) fn check_version(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found = version(connection).map_err(LedgerError::database("reading", path))?;
    match u64::try_from(found) {
        Ok(found) if found > u64::from(SCHEMA) => {
            Err(LedgerError::Newer { path: path.to_owned(), source: NewerSchema { newest: SCHEMA, found } })
        }
        _ => Ok(()),
    }
}

/// Give a ledger that is ours the number of this version. Ledgers from before there was one are the same otherwise.
pub(crate) fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    match version(connection)? {
        found if found < i64::from(SCHEMA) => connection.pragma_update(None, "user_version", SCHEMA),
        _ => Ok(()),
    }
}

/// Refuse a database that is not exactly ours. Inside a transaction it holds until that ends.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    check_version(connection, path)?;
    let reading = LedgerError::database("reading", path);
    let ours = || {
        let empty = Connection::open_in_memory()?;
        empty.execute_batch(&statements())?;
        objects(&empty)
    };
    let (expected, found) = (ours().map_err(&reading)?, objects(connection).map_err(&reading)?);
    let altered = |found: String| LedgerError::Altered { path: path.to_owned(), found };
    if let Some(name) = found.keys().find(|name| !expected.contains_key(*name)) {
        return Err(altered(format!("{name:?}")));
    }
    for (name, sql) in &expected {
        match found.get(name) {
            Some(other) if other == sql => {}
            Some(other) if name == TABLE && added_columns(other).is_some() => {}
            Some(_) if name == TABLE => return Err(LedgerError::OtherVersion { path: path.to_owned() }),
            Some(_) => return Err(altered(format!("{name:?} that does something else"))),
            None => return Err(altered(format!("no {name:?}"))),
        }
    }
    Ok(())
}
