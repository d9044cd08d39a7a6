//! What the ledger's database consists of, exactly: a trigger more could swallow rows, a view in the table's place
//! could show rows that were never recorded.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::LedgerError;
use crate::entry::COLUMNS;

/// How an object of the database was made, by its name.
type Objects = BTreeMap<String, String>;

fn statements() -> String {
    let columns: String = COLUMNS.iter().map(|column| format!("{column} TEXT NOT NULL, ")).collect();
    format!(
        "CREATE TABLE drives (number INTEGER PRIMARY KEY, {columns}previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
         CREATE TRIGGER no_update BEFORE UPDATE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
         CREATE TRIGGER no_delete BEFORE DELETE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
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

/// Refuse a database that is not exactly ours. Inside a transaction it holds until that ends.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
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
            Some(_) if name == "table drives" => return Err(LedgerError::OtherVersion { path: path.to_owned() }),
            Some(_) => return Err(altered(format!("{name:?} that does something else"))),
            None => return Err(altered(format!("no {name:?}"))),
        }
    }
    Ok(())
}
