// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The row of a job: what it was about, and how it failed.

use std::sync::atomic::AtomicBool;

use platen_events::{Code, JobEnd, JobKind, Verdict};
use platen_media::Timestamp;

use super::{Conclusion, Engine, NewEntry, Subject};
use crate::drive::DriveFacts;
use crate::plan::WritePlan;
use crate::verify::Report;

/// What a row says of a job whatever comes of it.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) kind: JobKind,
    /// `<id>-r<revision>`; empty where there is no medium, as are the other two.
    pub(super) medium: String,
    version: String,
    manifest_sha256: String,
    /// What is to be known besides, if it ends well.
    notices: String,
}

impl About {
    fn no_medium(kind: JobKind) -> Self {
        let empty = String::new;
        Self { kind, medium: empty(), version: empty(), manifest_sha256: empty(), notices: empty() }
    }

    pub(super) fn plan(plan: &WritePlan) -> Self {
        let Some(media) = plan.media() else { return Self::no_medium(plan.kind()) };
        Self {
            kind: plan.kind(),
            medium: media.name().to_owned(),
            version: media.manifest().version.clone(),
            manifest_sha256: media.signed().manifest_digest().to_string(),
            notices: plan.notices().iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        }
    }

    /// Before anything is known of the drive.
    pub(super) fn check(kind: JobKind, expected: Option<&str>) -> Self {
        Self { medium: expected.unwrap_or_default().to_owned(), ..Self::no_medium(kind) }
    }

    /// With what was found on the drive.
    pub(super) fn found(self, report: &Report) -> Self {
        let found = Self { notices: report.notes.join("; "), ..self };
        match (&report.medium, &report.image) {
            (Some(medium), _) => Self {
                medium: format!("{}-r{}", medium.id, medium.revision),
                version: medium.version.clone(),
                manifest_sha256: medium.manifest_sha256.to_string(),
                ..found
            },
            (None, Some(image)) => Self { medium: image.clone(), ..found },
            (None, None) => found,
        }
    }

    /// For the record.
    pub(super) fn medium(&self) -> Option<String> {
        (!self.medium.is_empty()).then(|| self.medium.clone())
    }
}

/// A row that does not yet say how the job ended.
pub(super) fn entry(engine: &Engine, about: &About, facts: &DriveFacts, started: Timestamp) -> NewEntry {
    NewEntry {
        station: engine.name.clone(),
        job: Subject::Job(about.kind).word().to_owned(),
        port: facts.drive.port.clone(),
        path: facts.drive.path.clone(),
        disk_sequence: facts.id().disk_sequence.map_or_else(String::new, |sequence| sequence.to_string()),
        serial: facts.serial.clone().unwrap_or_default(),
        vendor_product: facts.label().vendor_product.unwrap_or_default(),
        size_bytes: facts.size_bytes,
        medium: about.medium.clone(),
        version: about.version.clone(),
        manifest_sha256: about.manifest_sha256.clone(),
        read_back: facts.read_back.clone(),
        started,
        finished: engine.clock.now(),
        written_bytes: 0,
        verified_bytes: 0,
        write_ms: 0,
        verify_ms: 0,
        verdict: String::new(),
        code: String::new(),
        detail: about.notices.clone(),
    }
}

/// Record that a job failed.
pub(super) fn record_failure(
    engine: &Engine,
    about: &About,
    facts: &DriveFacts,
    started: Timestamp,
    (code, detail): (Code, String),
    cancelled: &AtomicBool,
) -> JobEnd {
    let mut entry = entry(engine, about, facts, started);
    entry.conclude(Conclusion::Ended(&Verdict::of_code(code)));
    entry.detail.clone_from(&detail);
    match engine.record(&entry, cancelled) {
        Ok(()) => JobEnd::failed(code, detail),
        Err(unrecorded) if unrecorded.code == code => JobEnd::failed(code, detail),
        Err(unrecorded) => JobEnd::failed(code, format!("{detail}; not recorded: {}", unrecorded.detail)),
    }
}
