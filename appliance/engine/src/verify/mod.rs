// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Is this drive a medium, which one, and is it unchanged? Answered from the drive alone: what an [`Examination`]
//! found is held against the signed manifest it found, and the boot sectors are computed anew and compared.

mod check;
mod report;
mod structures;

use std::collections::{BTreeMap, BTreeSet};

use platen_events::Code;
use platen_media::examination::{Examination, SeenFile};
use platen_media::manifest::{Manifest, NotValid, Scheme};
use platen_media::sign::{SignedMedia, TrustedKeys};
use platen_media::stored::StoredError;
use platen_media::{Timestamp, envelope};

pub use self::check::Check;
pub use self::report::{Medium, Problem, Report};
use crate::chain;
use crate::drive::{DriveError, ReadDrive};
use crate::plan::DriveRecord;
use crate::plan::check_dates;
use crate::plan::signed_claim::{NoClaim, SignedClaim};

/// How many harmless things are named.
const MAX_NOTED: usize = 20;
const NOT_UNMOUNTED: &str = "an operating system had the volume mounted and did not unmount it";

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
    let record_text = text(envelope::DRIVE_RECORD);
    let record = record_text.map(DriveRecord::read).transpose().unwrap_or_else(|error| {
        // One that is damaged is nothing, since nobody decides by it; a newer one is worth a word.
        if let StoredError::Newer(newer) = error {
            report.note(&format!("{}: {newer}", envelope::DRIVE_RECORD));
        }
        None
    });
    let record_text = record_text.map(str::to_owned);
    report.medium = Some(medium(signed, scheme, record, record_text));
    match check_dates(manifest.validity, manifest.created, now) {
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

fn medium(signed: &SignedMedia, scheme: Scheme, record: Option<DriveRecord>, record_text: Option<String>) -> Medium {
    let manifest = signed.manifest();
    Medium {
        id: manifest.id.clone(),
        revision: manifest.revision,
        kind: manifest.kind,
        name: report::shown(&manifest.name),
        version: report::shown(&manifest.version),
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
        record_text,
        station_key: None,
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
