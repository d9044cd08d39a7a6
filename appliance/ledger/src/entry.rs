// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One row of the ledger: its fields, their order, and its hash.

use std::collections::BTreeMap;
use std::path::Path;

use platen_engine::NewEntry;
use platen_media::{Sha256, Timestamp};
use rusqlite::Row;
use serde::Serialize;

use crate::LedgerError;

/// A row: an entry in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// 1, 2, 3, ... without gaps.
    pub number: u64,
    /// What was recorded.
    #[serde(flatten)]
    pub entry: NewEntry,
    /// Hash of the row before, zeros for the first.
    pub previous: Sha256,
    /// Over this row and the hash of the one before it.
    pub hash: Sha256,
    /// What a newer version of Platen recorded besides, by the names of its columns. The chain covers it.
    #[serde(flatten)]
    pub others: BTreeMap<String, String>,
}

/// Name and value of every field but the chain's own, in the order they are hashed, stored and exported.
pub(crate) const COLUMNS: [&str; 21] = [
    "station",
    "job",
    "port",
    "path",
    "disk_sequence",
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

/// The fields as text, in the order of [`COLUMNS`].
pub(crate) fn values(entry: &NewEntry) -> [String; COLUMNS.len()] {
    [
        entry.station.clone(),
        entry.job.clone(),
        entry.port.clone(),
        entry.path.clone(),
        entry.disk_sequence.clone(),
        entry.serial.clone(),
        entry.vendor_product.clone(),
        entry.size_bytes.to_string(),
        entry.medium.clone(),
        entry.version.clone(),
        entry.manifest_sha256.clone(),
        entry.written_bytes.to_string(),
        entry.verified_bytes.to_string(),
        entry.write_ms.to_string(),
        entry.verify_ms.to_string(),
        entry.read_back.clone(),
        entry.verdict.clone(),
        entry.code.clone(),
        entry.detail.clone(),
        entry.started.to_string(),
        entry.finished.to_string(),
    ]
}

impl LedgerEntry {
    /// A row that continues the chain.
    pub(crate) fn new(number: u64, entry: NewEntry, previous: Sha256) -> Self {
        let row = Self { number, entry, previous, hash: previous, others: BTreeMap::new() };
        Self { hash: row.expected_hash(), ..row }
    }

    /// Each field with its length before it, so that no two rows have the same bytes. What others added comes last, by
    /// name; what was not added has no part in it, so rows from before a column stay what they were.
    pub(crate) fn expected_hash(&self) -> Sha256 {
        let mut bytes = Vec::from(self.previous.0);
        bytes.extend(self.number.to_be_bytes());
        let values = values(&self.entry);
        let others = self.others.iter().flat_map(|(name, value)| [name, value]);
        for value in values.iter().chain(others) {
            bytes.extend((value.len() as u64).to_be_bytes());
            bytes.extend(value.as_bytes());
        }
        Sha256::of(&bytes)
    }

    /// From a row selected with [`select`].
    pub(crate) fn read(row: &Row<'_>, others: &[String], path: &Path) -> Result<Self, LedgerError> {
        let number = row.get::<_, i64>(0).map_err(LedgerError::database("reading", path))? as u64;
        let text = |name: &str| row.get::<_, String>(name).map_err(LedgerError::database("reading", path));
        let wrong =
            |name: &str| LedgerError::Broken { path: path.to_owned(), number, found: format!("{name} can't be read") };
        let count = |name: &str| text(name)?.parse::<u64>().map_err(|_| wrong(name));
        let time = |name: &str| text(name)?.parse::<Timestamp>().map_err(|_| wrong(name));
        let digest = |name: &str| text(name)?.parse::<Sha256>().map_err(|_| wrong(name));
        let entry = NewEntry {
            station: text("station")?,
            job: text("job")?,
            port: text("port")?,
            path: text("path")?,
            disk_sequence: text("disk_sequence")?,
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
        let (previous, hash) = (digest("previous")?, digest("hash")?);
        let named = others.iter().map(|name| Ok((name.clone(), text(name)?)));
        let others = named.filter(|other| !matches!(other, Ok((_, value)) if value.is_empty()));
        Ok(Self { number, entry, previous, hash, others: others.collect::<Result<_, _>>()? })
    }
}

/// Our columns and the others of the rows that `condition` names.
pub(crate) fn select(others: &[String], condition: &str) -> String {
    let others: String = others.iter().map(|name| format!(", \"{name}\"")).collect();
    format!("SELECT number, {}, previous, hash{others} FROM drives {condition}", COLUMNS.join(", "))
}
