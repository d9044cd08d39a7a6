// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the ledger knows of drives that come back, and of the batches that were under way.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_events::{Advice, BatchId, Code, DriveLabel, JobKind};
use platen_ledger::{Ledger, LedgerEntry, LedgerError};

use platen_media::sign::TrustedKeys;

use crate::check::inspect;
use crate::core::{BatchMemory, Counts, Inserted, Memory, Past, UnderWay};
use crate::paths::Paths;

/// By what a drive is known again: what it says of itself. Drives without a serial number are never known again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Saying {
    serial: String,
    vendor_product: String,
    size_bytes: u64,
}

/// The last row of each drive of which something follows.
#[derive(Debug, Default)]
pub(crate) struct Pasts {
    last: HashMap<Saying, Past>,
    /// The number of the ledger's last row.
    pub(crate) rows: u64,
}

fn is_set_aside(code: Code) -> bool {
    code.entry().advice == Advice::PullAndSetAside
}

impl Pasts {
    /// All rows, once. Also counts what belongs to batches that were under way.
    pub(crate) fn read(ledger: &Ledger, memory: &Memory) -> Result<(Self, Vec<(BatchId, Counts)>), LedgerError> {
        let mut pasts = Self::default();
        let mut counts: Vec<(BatchId, Counts)> = memory.batches.keys().map(|id| (*id, Counts::default())).collect();
        for row in ledger.entries()? {
            for (id, counts) in &mut counts {
                count(&memory.batches[id], &row, counts);
            }
            pasts.take(&row);
        }
        Ok((pasts, counts))
    }

    /// The next row.
    pub(crate) fn take(&mut self, row: &LedgerEntry) {
        self.rows = self.rows.max(row.number);
        let entry = &row.entry;
        // Looking at a drive makes nothing of it; what is about no drive has no serial number.
        let only_looks =
            [JobKind::Verify, JobKind::ReadMaster, JobKind::Import].iter().any(|kind| entry.job == kind.word());
        if entry.serial.is_empty() || only_looks {
            return;
        }
        let saying = Saying {
            serial: entry.serial.clone(),
            vendor_product: entry.vendor_product.clone(),
            size_bytes: entry.size_bytes,
        };
        let set_aside = Code::from_id(&entry.code).filter(|code| is_set_aside(*code)).map(|code| {
            let text = format!("set aside on {} (row {} of the ledger): {}", entry.finished, row.number, entry.detail);
            (code, text)
        });
        let good_copy = (entry.verdict == "READY").then(|| (row.number, entry.medium.clone()));
        match set_aside.is_some() || good_copy.is_some() {
            true => self.last.insert(saying, Past { set_aside, good_copy }),
            false => self.last.remove(&saying),
        };
    }

    /// What is known of a drive that says this of itself.
    pub(crate) fn of(&self, label: &DriveLabel) -> Past {
        let saying = Saying {
            serial: label.serial.clone().unwrap_or_default(),
            vendor_product: label.vendor_product.clone().unwrap_or_default(),
            size_bytes: label.size_bytes.unwrap_or_default(),
        };
        self.last.get(&saying).cloned().unwrap_or_default()
    }
}

/// The row is of a drive that was under way for the batch.
fn count(batch: &BatchMemory, row: &LedgerEntry, counts: &mut Counts) {
    let entry = &row.entry;
    let is_it = |drive: &UnderWay| {
        let sequence = drive.drive.disk_sequence.map_or_else(String::new, |sequence| sequence.to_string());
        row.number > drive.since_row && drive.port == entry.port && sequence == entry.disk_sequence
    };
    let is_of_batch = entry.job == batch.work.kind.word() && batch.under_way.iter().any(is_it);
    let code = Code::from_id(&entry.code);
    match () {
        () if !is_of_batch || code == Some(Code::Cancelled) => {}
        () if code.is_none() => counts.good += 1,
        () => counts.failed += 1,
    }
}

/// Whether a drive carries a medium that this station wrote to it: by its signed manifest and its own record, or, for a
/// disk image, by its beginning.
pub(super) fn carries(
    inserted: &Inserted,
    medium: &str,
    paths: &Paths,
    stop: &Arc<AtomicBool>,
    stall_limit: Duration,
) -> bool {
    let path = Path::new(&inserted.label.path);
    let Ok(keys) = TrustedKeys::load(&paths.trust) else { return false };
    let Ok((_, _, report)) = inspect(path, paths, keys, stop, stall_limit) else { return false };
    let begins_like =
        report.problems.iter().any(|problem| problem.code == Code::ImageUnjudged && problem.text.contains(medium));
    let is_medium = report.medium.as_ref().is_some_and(|found| {
        let is_ours = found.record.as_ref().is_some_and(|record| record.station == paths.station);
        is_ours && format!("{}-r{}", found.id, found.revision) == medium
    });
    begins_like || is_medium && report.problems.is_empty()
}
