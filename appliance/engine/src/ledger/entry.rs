//! One row of the ledger: its fields, their order, and its hash.

use std::path::Path;

use platen_media::{Sha256, Timestamp};
use rusqlite::Row;
use serde::Serialize;

use super::LedgerError;

/// What is known when a drive is finished. `code` is empty for a drive that is ready; `detail` then holds notices only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewEntry {
    pub station: String,
    /// write, update, erase-quick, erase-full or test; minimum-version for a change that is about no drive.
    pub job: String,
    pub port: String,
    pub path: String,
    /// Which insertion it was (Linux `diskseq`); empty for image files.
    pub disk_sequence: String,
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
    /// READY, ERASED or GOOD; RETRIED, TRY AGAIN or NOT USABLE; CHANGED for what is about no drive.
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

/// Name and value of every field but the chain's own, in the order they are hashed, stored and exported.
pub(super) const COLUMNS: [&str; 21] = [
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

impl NewEntry {
    /// A row about a decision instead of a drive.
    pub fn about_no_drive(station: &str, job: &str, detail: &str, now: Timestamp) -> Self {
        Self {
            station: station.to_owned(),
            job: job.to_owned(),
            port: String::new(),
            path: String::new(),
            disk_sequence: String::new(),
            serial: String::new(),
            vendor_product: String::new(),
            size_bytes: 0,
            medium: String::new(),
            version: String::new(),
            manifest_sha256: String::new(),
            written_bytes: 0,
            verified_bytes: 0,
            write_ms: 0,
            verify_ms: 0,
            read_back: String::new(),
            verdict: "CHANGED".to_owned(),
            code: String::new(),
            detail: detail.to_owned(),
            started: now,
            finished: now,
        }
    }

    pub(super) fn values(&self) -> [String; COLUMNS.len()] {
        [
            self.station.clone(),
            self.job.clone(),
            self.port.clone(),
            self.path.clone(),
            self.disk_sequence.clone(),
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
    pub(super) fn hash(&self, number: u64, previous: &Sha256) -> Sha256 {
        let mut bytes = Vec::from(previous.0);
        bytes.extend(number.to_be_bytes());
        for value in self.values() {
            bytes.extend((value.len() as u64).to_be_bytes());
            bytes.extend(value.as_bytes());
        }
        Sha256::of(&bytes)
    }
}

impl LedgerEntry {
    /// From a row selected with [`select`].
    pub(super) fn read(row: &Row<'_>, path: &Path) -> Result<Self, LedgerError> {
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
pub(super) fn select(condition: &str) -> String {
    format!("SELECT number, {}, previous, hash FROM drives {condition}", COLUMNS.join(", "))
}
