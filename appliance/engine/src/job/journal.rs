// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where the end of every drive is recorded. The station's own is in `platen-ledger`.

use platen_events::{Code, JobKind, Verdict};
use platen_media::Timestamp;
use serde::Serialize;

/// Keeps a row for each drive, for good.
pub trait Journal: Send + Sync {
    /// Append a row. When this returns it survives a loss of power.
    fn append(&self, entry: &NewEntry) -> Result<(), Unrecorded>;
    /// A minisign signature of the station over `bytes`; `comment` is one line, and signed too. Waits for no disk.
    fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Unrecorded>;
}

/// Why there is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// What the operator is told.
    pub code: Code,
    /// What went wrong, with all its causes.
    pub detail: String,
}

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
    /// The station's name.
    pub station: String,
    /// The word of a [`Subject`].
    pub job: String,
    /// Where the drive was inserted.
    pub port: String,
    /// How the drive was reached.
    pub path: String,
    /// Which insertion it was (Linux `diskseq`); empty for image files.
    pub disk_sequence: String,
    /// What the drive says of itself; empty when it says nothing.
    pub serial: String,
    /// `vvvv:pppp`, empty for drives that are not USB.
    pub vendor_product: String,
    /// The drive's capacity in bytes.
    pub size_bytes: u64,
    /// `<id>-r<revision>`.
    pub medium: String,
    /// The medium's version, for people.
    pub version: String,
    /// Of the manifest that was written; empty for other jobs.
    pub manifest_sha256: String,
    /// Sent to the drive, in bytes.
    pub written_bytes: u64,
    /// Read back and found right, in bytes.
    pub verified_bytes: u64,
    /// How long writing took, in milliseconds.
    pub write_ms: u64,
    /// How long reading back took, in milliseconds.
    pub verify_ms: u64,
    /// Which cache the read-back went past.
    pub read_back: String,
    /// The word of a [`Conclusion`]: READY, ERASED or GOOD; RETRIED, TRY AGAIN or NOT USABLE; CHANGED.
    pub verdict: String,
    /// The operator's code of a failure; empty otherwise.
    pub code: String,
    /// What else is known of a failure; empty otherwise.
    pub detail: String,
    /// When the job began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

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
}
