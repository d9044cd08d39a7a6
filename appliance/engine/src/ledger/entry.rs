//! One row of the ledger: its fields, their order, and its hash.

use std::path::Path;

use platen_events::{Code, JobKind, Verdict};
use platen_media::{Sha256, Timestamp};
use rusqlite::Row;
use serde::Serialize;

use super::LedgerError;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A job on a drive.
    Job(JobKind),
    /// Somebody changed which versions of a medium are accepted.
    MinimumVersion,
}

impl Subject {
    /// As it stands in the column `job`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Job(kind) => kind.word(),
            Self::MinimumVersion => "minimum-version",
        }
    }
}

/// How what a row is about came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion<'a> {
    /// The job's end.
    Ended(&'a Verdict),
    /// It failed and was begun again.
    Retried(Code),
    /// Something that is about no drive was changed.
    Changed,
}

/// What is known when a drive is finished. `code` is empty for a drive that is ready; `detail` then holds notices only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewEntry {
    pub station: String,
    /// The word of a [`Subject`].
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
    /// The word of a [`Conclusion`]: READY, ERASED or GOOD; RETRIED, TRY AGAIN or NOT USABLE; CHANGED.
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
    pub fn about_no_drive(station: &str, subject: Subject, detail: &str, now: Timestamp) -> Self {
        let mut entry = Self {
            station: station.to_owned(),
            job: subject.word().to_owned(),
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
            verdict: String::new(),
            code: String::new(),
            detail: detail.to_owned(),
            started: now,
            finished: now,
        };
        entry.conclude(Conclusion::Changed);
        entry
    }

    /// Fill in verdict and code.
    pub fn conclude(&mut self, conclusion: Conclusion<'_>) {
        let (verdict, code) = match conclusion {
            Conclusion::Ended(verdict) => (verdict.to_string(), verdict.code()),
            Conclusion::Retried(code) => ("RETRIED".to_owned(), Some(code)),
            Conclusion::Changed => ("CHANGED".to_owned(), None),
        };
        (self.verdict, self.code) = (verdict, code.map_or_else(String::new, |code| code.to_string()));
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
