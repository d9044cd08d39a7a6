// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a drive was found to be.

use platen_events::{Code, answer, clean};
use platen_media::manifest::{MediaKind, Scheme};
use platen_media::sign::TrustedKeys;
use platen_media::{Moment, Sha256, Timestamp};

use crate::chain;
use crate::drive::DriveFacts;
use crate::plan::DriveRecord;

/// Whoever reads them has seen enough.
const MAX_PROBLEMS: usize = 100;
/// The longest text that is shown, in characters.
const MAX_TEXT_CHARS: usize = 1000;

/// Something found on a drive, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    clean(text, MAX_TEXT_CHARS)
}

/// The medium a drive claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// The medium's id.
    pub id: String,
    /// Which release it is.
    pub revision: u32,
    /// What kind of medium it is.
    pub kind: MediaKind,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// The FAT volume label.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it may be used; `None`: always.
    pub valid_from: Option<Moment>,
    /// Until when it may be used; `None`: without end.
    pub valid_until: Option<Moment>,
    /// Its policy is encrypted.
    pub password_required: bool,
    /// Of the manifest on the drive.
    pub manifest_sha256: Sha256,
    /// The number of the key that signed it.
    pub signed_by: String,
    /// How the drive is partitioned.
    pub scheme: Scheme,
    /// How many files it has.
    pub files: usize,
    /// What the drive says about its making. Whether it is true is said by `station_key`.
    pub record: Option<DriveRecord>,
    /// The same, as it stands on the drive.
    pub(super) record_text: Option<String>,
    /// The number of a trusted station's key: it wrote this drive and read it back. None: nobody asked, or nobody vouches.
    pub station_key: Option<String>,
}

/// Something that keeps a drive from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What the operator is told.
    pub code: Code,
    /// What, where, expected, found; fit to be shown.
    pub text: String,
}

impl Problem {
    /// `text` may hold anything that was found on a drive.
    pub fn new(code: Code, text: &str) -> Self {
        Self { code, text: shown(text) }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What the drive carries, as far as it is known.
    pub medium: Option<Medium>,
    /// The raw image it was compared with; those carry no manifest.
    pub image: Option<String>,
    /// Media that lay on it and are in the cache now, and updates of the station's own system.
    pub imported: Vec<String>,
    /// None: the drive is a medium, complete and unchanged, and valid now.
    pub problems: Vec<Problem>,
    /// Problems besides those, when there were too many to name.
    pub more_problems: usize,
    /// Harmless, but worth knowing.
    pub notes: Vec<String>,
    /// Content that was compared, in bytes.
    pub checked_bytes: u64,
}

impl Report {
    /// One of these stations must have written this drive and read it back.
    pub fn prove(&mut self, facts: &DriveFacts, stations: &TrustedKeys) {
        let Some(medium) = &mut self.medium else {
            return self.problem(Code::NotProven, "nothing on it says who wrote it");
        };
        let text = medium.record_text.as_deref().unwrap_or_default();
        match DriveRecord::prove(text, facts, medium.manifest_sha256, stations) {
            Ok(key) => medium.station_key = Some(key),
            Err(unproven) => self.problem(Code::NotProven, chain(&unproven)),
        }
    }

    /// The drive may be used, or what lay on it.
    pub fn is_good(&self) -> bool {
        let is_something = self.medium.is_some() || self.image.is_some() || !self.imported.is_empty();
        is_something && self.problems.is_empty()
    }

    /// The same report and one thing more that is worth knowing.
    pub fn with_note(mut self, text: &str) -> Self {
        self.note(text);
        self
    }

    /// Nothing but one problem.
    pub fn of_problem(code: Code, text: &str) -> Self {
        Self { problems: vec![Problem::new(code, text)], ..Self::default() }
    }

    /// What is told of a drive that may not be used.
    pub(crate) fn first_problem(&self) -> (Code, String) {
        let first = self.problems.first().map(|problem| (problem.code, problem.text.clone()));
        first.unwrap_or_else(|| (Code::NotAMedium, "no medium".to_owned()))
    }

    pub(super) fn note_once(&mut self, text: &str) {
        if !self.notes.iter().any(|note| note == text) {
            self.note(text);
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(shown(text));
    }

    pub(super) fn problem(&mut self, code: Code, text: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(code, &text.into()));
        } else {
            self.more_problems += 1;
        }
    }
}

impl From<&Report> for answer::DriveReport {
    fn from(report: &Report) -> Self {
        let problem = |problem: &Problem| answer::Problem { code: problem.code.into(), text: problem.text.clone() };
        Self {
            medium: report.medium.as_ref().map(Into::into),
            image: report.image.clone(),
            imported: report.imported.clone(),
            problems: report.problems.iter().map(problem).collect(),
            more_problems: report.more_problems as u64,
            notes: report.notes.clone(),
            checked_bytes: report.checked_bytes,
        }
    }
}

impl From<&Medium> for answer::MediumOnDrive {
    fn from(medium: &Medium) -> Self {
        Self {
            id: medium.id.clone(),
            revision: medium.revision,
            kind: medium.kind.to_string(),
            name: medium.name.clone(),
            version: medium.version.clone(),
            label: medium.label.clone(),
            created: medium.created.to_string(),
            valid_from: medium.valid_from.map(|from| from.to_string()),
            valid_until: medium.valid_until.map(|until| until.to_string()),
            password_required: medium.password_required,
            manifest_sha256: medium.manifest_sha256.to_string(),
            signed_by: medium.signed_by.clone(),
            scheme: medium.scheme.to_string(),
            files: medium.files as u64,
            record: medium.record.as_ref().map(Into::into),
            station_key: medium.station_key.clone(),
        }
    }
}

impl From<&DriveRecord> for answer::MakingRecord {
    fn from(record: &DriveRecord) -> Self {
        Self {
            station: record.station.clone(),
            port: record.drive.port.clone(),
            path: record.drive.path.clone(),
            serial: record.serial.clone(),
            medium: record.medium.clone(),
            version: record.version.clone(),
            manifest_sha256: record.manifest_sha256.to_string(),
            verified_at: record.verified_at.to_string(),
            verified_bytes: record.verified_bytes,
            read_back: record.read_back.clone(),
        }
    }
}
