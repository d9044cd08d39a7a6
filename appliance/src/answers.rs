// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What other crates found, as the record says it.

use platen_author::Finding;
use platen_cache::{Damage, Listed, Minimum};
use platen_events::{Answer, answer};
use platen_ledger::LedgerEntry;

pub fn cached_medium(listed: &Listed) -> Answer {
    Answer::CachedMedium {
        medium: listed.name.clone(),
        title: listed.title.clone(),
        version: listed.version.clone(),
        kind: listed.kind.clone(),
        content_bytes: listed.content_bytes,
        created: listed.created.map(|created| created.to_string()),
        pinned: listed.pinned,
        problem: listed.problem.clone(),
    }
}

pub fn damage(damage: &Damage) -> answer::Damage {
    answer::Damage { medium: damage.medium.clone(), digest: damage.digest.to_string(), files: damage.files.clone() }
}

pub fn minimum(minimum: &Minimum) -> answer::Minimum {
    answer::Minimum {
        id: minimum.id.clone(),
        revision: minimum.revision,
        created: minimum.created.map(|created| created.to_string()),
        signed_by: minimum.signed_by.clone(),
    }
}

pub fn findings(findings: &[Finding]) -> Vec<answer::Finding> {
    let one = |finding: &Finding| answer::Finding {
        rule: finding.rule.to_owned(),
        severity: finding.severity.to_string(),
        place: finding.place.clone(),
        text: finding.text.clone(),
        fix: finding.fix.as_ref().map(|fix| serde_json::to_string(fix).expect("a fix has only strings and numbers")),
    };
    findings.iter().map(one).collect()
}

pub fn ledger_row(row: &LedgerEntry) -> answer::LedgerRow {
    let entry = row.entry.clone();
    answer::LedgerRow {
        number: row.number,
        station: entry.station,
        job: entry.job,
        port: entry.port,
        path: entry.path,
        disk_sequence: entry.disk_sequence,
        serial: entry.serial,
        vendor_product: entry.vendor_product,
        size_bytes: entry.size_bytes,
        medium: entry.medium,
        version: entry.version,
        manifest_sha256: entry.manifest_sha256,
        written_bytes: entry.written_bytes,
        verified_bytes: entry.verified_bytes,
        write_ms: entry.write_ms,
        verify_ms: entry.verify_ms,
        read_back: entry.read_back,
        verdict: entry.verdict,
        code: entry.code,
        detail: entry.detail,
        started: entry.started.to_string(),
        finished: entry.finished.to_string(),
        previous: row.previous.to_string(),
        hash: row.hash.to_string(),
    }
}
