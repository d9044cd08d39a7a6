//! One row of the ledger: its fields, their order, and its hash.

use std::collections::BTreeMap;
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
    /// What a newer version of Platen recorded besides, by the names of its columns. The chain covers it.
    #[serde(flatten)]
    pub others: BTreeMap<String, String>,
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
}

impl LedgerEntry {
    /// A row that continues the chain.
    pub(super) fn new(number: u64, entry: NewEntry, previous: Sha256) -> Self {
        let row = Self { number, entry, previous, hash: previous, others: BTreeMap::new() };
        Self { hash: row.expected_hash(), ..row }
    }

    /// Each field with its length before it, so that no two rows have the same bytes. What others added comes last, by
    /// name; what was not added has no part in it, so rows from before a column stay what they were.
    pub(super) fn expected_hash(&self) -> Sha256 {
        let mut bytes = Vec::from(self.previous.0);
        bytes.extend(self.number.to_be_bytes());
        let values = self.entry.values();
        let others = self.others.iter().flat_map(|(name, value)| [name, value]);
        for value in values.iter().chain(others) {
            bytes.extend((value.len() as u64).to_be_bytes());
            bytes.extend(value.as_bytes());
        }
        Sha256::of(&bytes)
    }

    /// From a row selected with [`select`].
    pub(super) fn read(row: &Row<'_>, others: &[String], path: &Path) -> Result<Self, LedgerError> {
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
pub(super) fn select(others: &[String], condition: &str) -> String {
    let others: String = others.iter().map(|name| format!(", \"{name}\"")).collect();
    format!("SELECT number, {}, previous, hash{others} FROM drives {condition}", COLUMNS.join(", "))
}
