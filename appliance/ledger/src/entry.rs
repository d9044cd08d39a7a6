//! One row of the ledger: its fields, their order, and its hash.

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
    #[serde(flatten)]
    pub entry: NewEntry,
    /// Hash of the row before, zeros for the first.
    pub previous: Sha256,
    pub hash: Sha256,
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

/// Each field with its length before it, so that no two entries have the same bytes.
pub(crate) fn hash(entry: &NewEntry, number: u64, previous: &Sha256) -> Sha256 {
    let mut bytes = Vec::from(previous.0);
    bytes.extend(number.to_be_bytes());
    for value in values(entry) {
        bytes.extend((value.len() as u64).to_be_bytes());
        bytes.extend(value.as_bytes());
    }
    Sha256::of(&bytes)
}

impl LedgerEntry {
    /// From a row selected with [`select`].
    pub(crate) fn read(row: &Row<'_>, path: &Path) -> Result<Self, LedgerError> {
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
        Ok(Self { number, entry, previous: digest("previous")?, hash: digest("hash")? })
    }
}

/// All columns of the rows that `condition` names.
pub(crate) fn select(condition: &str) -> String {
    format!("SELECT number, {}, previous, hash FROM drives {condition}", COLUMNS.join(", "))
}
