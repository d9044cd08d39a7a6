// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Is this drive a medium, which one, and is it unchanged? Answered from the drive alone: what an [`Examination`]
//! found is held against the signed manifest it found, and the boot sectors are computed anew and compared.

mod structures;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platen_events::{Code, clean};
use platen_media::examination::{Examination, SeenFile};
use platen_media::manifest::{Manifest, MediaKind, NotValid, Scheme};
use platen_media::sign::{SignedMedia, TrustedKeys};
use platen_media::stored::StoredError;
use platen_media::{Sha256, Timestamp, envelope};
use serde::Serialize;

use crate::chain;
use crate::drive::{DriveError, ReadDrive};
use crate::plan::DriveRecord;
use crate::plan::notice::check_dates;
use crate::plan::signed_claim::{NoClaim, SignedClaim};

/// Whoever reads them has seen enough.
const MAX_PROBLEMS: usize = 100;
/// The same of what is harmless.
const MAX_NOTED: usize = 20;
/// The longest text that is shown, in characters.
const MAX_TEXT_CHARS: usize = 1000;
const NOT_UNMOUNTED: &str = "an operating system had the volume mounted and did not unmount it";

/// The medium a drive claims to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub valid_from: Option<Timestamp>,
    /// Until when it may be used; `None`: without end.
    pub valid_until: Option<Timestamp>,
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
    /// What the drive says about its making; not signed.
    pub record: Option<DriveRecord>,
}

/// Something that keeps a drive from being used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What the operator is told.
    pub code: Code,
    /// What, where, expected, found; fit to be shown.
    pub text: String,
}

impl Problem {
    /// `text` may hold anything that was found on a drive.
    pub fn new(code: Code, text: &str) -> Self {
        Self { code, text: clean(text, MAX_TEXT_CHARS) }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// What the drive carries, as far as it is known.
    pub medium: Option<Medium>,
    /// The raw image it was compared with; those carry no manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
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
    /// The drive may be used.
    pub fn is_good(&self) -> bool {
        (self.medium.is_some() || self.image.is_some()) && self.problems.is_empty()
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

    fn note_once(&mut self, text: &str) {
        if !self.notes.iter().any(|note| note == text) {
            self.note(text);
        }
    }

    fn note(&mut self, text: &str) {
        self.notes.push(clean(text, MAX_TEXT_CHARS));
    }

    fn problem(&mut self, code: Code, text: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(code, &text.into()));
        } else {
            self.more_problems += 1;
        }
    }
}

/// Judge a drive by what was found on it.
pub fn judge(
    drive: &mut dyn ReadDrive,
    found: &Examination,
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<Report, DriveError> {
    let mut report = Report::default();
    let claim = match SignedClaim::of(found, keys) {
        Ok(claim) => claim,
        Err(NoClaim::NoMedium(what)) => {
            report.problem(Code::NotAMedium, what);
            found.problems.iter().take(MAX_NOTED).for_each(|problem| report.note(problem));
            return Ok(report);
        }
        Err(NoClaim::NotTrusted(error)) => {
            let code = if error.is_newer() { Code::NewerMedium } else { Code::NotTrusted };
            report.problem(code, chain(&error));
            return Ok(report);
        }
    };
    let (signed, scheme) = (&claim.signed, claim.scheme());
    let manifest = signed.manifest();
    let text = |path| claim.text(path);
    let record = text(envelope::DRIVE_RECORD).map(DriveRecord::read).transpose().unwrap_or_else(|error| {
        // One that is damaged is nothing, since nobody decides by it; a newer one is worth a word.
        if let StoredError::Newer(newer) = error {
            report.note(&format!("{}: {newer}", envelope::DRIVE_RECORD));
        }
        None
    });
    report.medium = Some(medium(signed, scheme, record));
    match check_dates(manifest, now) {
        Ok(notice) => report.notes.extend(notice.map(|notice| notice.to_string())),
        Err(error @ NotValid::Expired { .. }) => report.problem(Code::Expired, error.to_string()),
        Err(error) => report.problem(Code::NotYetValid, error.to_string()),
    }
    check_sums(signed, text(envelope::SHA256SUMS), text(envelope::SHA256SUMS_SIGNATURE), keys, &mut report);
    check_files(manifest, &claim.files, found, &mut report);
    structures::check(drive, &claim, found, &mut report)?;
    for problem in &found.problems {
        report.problem(Code::FileChanged, problem);
    }
    report.more_problems += found.more_problems;
    Ok(report)
}

fn medium(signed: &SignedMedia, scheme: Scheme, record: Option<DriveRecord>) -> Medium {
    let manifest = signed.manifest();
    Medium {
        id: manifest.id.clone(),
        revision: manifest.revision,
        kind: manifest.kind,
        name: clean(&manifest.name, MAX_TEXT_CHARS),
        version: clean(&manifest.version, MAX_TEXT_CHARS),
        label: manifest.label.to_string(),
        created: manifest.created,
        valid_from: manifest.validity.from,
        valid_until: manifest.validity.until,
        password_required: manifest.password_required,
        manifest_sha256: signed.manifest_digest(),
        signed_by: signed.key_id().to_owned(),
        scheme,
        files: manifest.files.len(),
        record,
    }
}

fn check_sums(
    signed: &SignedMedia,
    sums: Option<&str>,
    signature: Option<&str>,
    keys: &TrustedKeys,
    report: &mut Report,
) {
    let (Some(sums), Some(signature)) = (sums, signature) else {
        report.problem(Code::FileChanged, format!("{} or its signature is missing", envelope::SHA256SUMS));
        return;
    };
    if let Err(error) = keys.check(envelope::SHA256SUMS, sums.as_bytes(), signature) {
        report.problem(Code::NotTrusted, chain(&error));
    }
    if !signed.manifest().has_sha256_sums(signed.manifest_digest(), sums.as_bytes()) {
        report.problem(Code::FileChanged, format!("{} is of another release", envelope::SHA256SUMS));
    }
}

fn check_files(manifest: &Manifest, files: &BTreeMap<&str, &SeenFile>, found: &Examination, report: &mut Report) {
    let mut unchecked = 0;
    let mut listed: BTreeMap<&str, ()> = envelope::ALL.iter().map(|path| (*path, ())).collect();
    for file in &manifest.files {
        let path = file.path.as_str();
        listed.insert(path, ());
        match files.get(path) {
            None => report.problem(Code::FileChanged, format!("{path}: missing")),
            Some(seen) if seen.size_bytes != file.size_bytes => {
                let text = format!("{path}: expected {} bytes, found {}", file.size_bytes, seen.size_bytes);
                report.problem(Code::FileChanged, text);
            }
            Some(SeenFile { blake3: Some(found), .. }) if found.parse() != Ok(file.blake3) => {
                report.problem(Code::FileChanged, format!("{path}: its content was changed"));
            }
            Some(SeenFile { blake3: Some(_), size_bytes, .. }) => report.checked_bytes += size_bytes,
            Some(_) => unchecked += 1,
        }
    }
    if unchecked > 0 {
        report.note(&format!("the content of {unchecked} files was not read; `platen verify` does"));
    }
    for path in files.keys().filter(|path| !listed.contains_key(*path)) {
        report.problem(Code::FileChanged, format!("{path}: not part of the medium"));
    }
    let folders: BTreeSet<&str> = found.folders.iter().map(|folder| &*folder.path).collect();
    let listed_folders: BTreeSet<&str> = manifest.folders.iter().map(|folder| folder.as_str()).collect();
    for folder in listed_folders.difference(&folders) {
        report.problem(Code::FileChanged, format!("{folder}/: missing"));
    }
    let empty = found.empty_folders.iter().filter(|folder| !listed_folders.contains(&***folder));
    let added: Vec<&String> = found.made_by_systems.iter().chain(empty).collect();
    for name in added.iter().take(MAX_NOTED) {
        report.note(&format!("{name}: added by an operating system, not checked"));
    }
    if let Some(more) = added.len().checked_sub(MAX_NOTED).filter(|more| *more > 0) {
        report.note(&format!("{more} more files and folders: added by operating systems, not checked"));
    }
    if found.deleted_entries > 0 {
        report.note(&format!("an operating system deleted {} files of its own", found.deleted_entries));
    }
    if found.is_dirty {
        report.note(NOT_UNMOUNTED);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(medium) = &self.medium {
            writeln!(f, "medium     {}-r{}  {:?}  {} media", medium.id, medium.revision, medium.name, medium.kind)?;
            writeln!(f, "version    {}  made {}", medium.version, medium.created)?;
            let date = |date: Option<Timestamp>| date.map_or_else(|| "any time".to_owned(), |date| date.to_string());
            writeln!(f, "valid      from {} until {}", date(medium.valid_from), date(medium.valid_until))?;
            writeln!(f, "signed by  {}  manifest sha256:{}", medium.signed_by, medium.manifest_sha256)?;
            writeln!(f, "layout     {}, label {:?}, {} files", medium.scheme, medium.label, medium.files)?;
            if let Some(record) = &medium.record {
                writeln!(
                    f,
                    "written    at {} by {} in port {}",
                    record.verified_at, record.station, record.drive.port
                )?;
            }
        }
        if let Some(image) = &self.image {
            writeln!(f, "image      {image}, compared byte for byte")?;
        }
        for note in &self.notes {
            writeln!(f, "note       {note}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem    {}  {}", problem.code, problem.text)?;
        }
        if self.more_problems > 0 {
            writeln!(f, "problem    and {} more", self.more_problems)?;
        }
        if self.is_good() {
            write!(f, "verdict    READY: {} bytes checked, all as signed", self.checked_bytes)
        } else {
            let code = self.problems.first().map_or(Code::NotAMedium, |problem| problem.code);
            write!(f, "verdict    {}: {} {}", code.entry().advice, code.entry().what, code.entry().todo)
        }
    }
}
