// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the ledger knows of drives that come back, and of the batches that were under way.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_events::{Advice, BatchId, Code, JobKind};
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

    /// What is known of a drive by what it says of itself. What failed in a reader was one of its cards, and not the reader.
    pub(crate) fn of(&self, inserted: &Inserted) -> Past {
        let label = &inserted.label;
        let saying = Saying {
            serial: label.serial.clone().unwrap_or_default(),
            vendor_product: label.vendor_product.clone().unwrap_or_default(),
            size_bytes: label.size_bytes.unwrap_or_default(),
        };
        let past = self.last.get(&saying).cloned().unwrap_or_default();
        match inserted.is_in_reader {
            true => Past { set_aside: None, ..past },
            false => past,
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use platen_engine::{Conclusion, NewEntry, Subject};
    use platen_events::{DriveId, DriveLabel, Verdict};
    use platen_media::{Sha256, Timestamp};

    use super::*;
    use crate::config::DriveClass;

    /// Of a drive, or of a reader, that calls itself A1.
    fn row(number: u64, verdict: &Verdict) -> LedgerEntry {
        let mut entry = NewEntry {
            serial: "A1".to_owned(),
            size_bytes: 1000,
            medium: "PLT00001-r1".to_owned(),
            ..NewEntry::about_no_drive("", Subject::Job(JobKind::Write), "", Timestamp::from_unix_s(0))
        };
        entry.conclude(Conclusion::Ended(verdict));
        LedgerEntry { number, entry, previous: Sha256([0; 32]), hash: Sha256([0; 32]), others: BTreeMap::new() }
    }

    fn inserted(is_in_reader: bool) -> Inserted {
        Inserted {
            socket: "pci-0000:00:14.0-usb-1".to_owned(),
            class: DriveClass::UsbRemovable,
            drive: DriveId { place: "2-1".to_owned(), disk_sequence: Some(7) },
            label: DriveLabel { serial: Some("A1".to_owned()), size_bytes: Some(1000), ..DriveLabel::default() },
            size_bytes: 1000,
            is_in_reader,
        }
    }

    #[test]
    fn a_card_that_failed_says_nothing_of_the_next_one_in_its_reader() {
        let mut pasts = Pasts::default();
        pasts.take(&row(1, &Verdict::Failed { code: Code::ReadBackDiffers.into() }));
        assert_eq!(pasts.of(&inserted(true)), Past::default());
        let past = pasts.of(&inserted(false)).set_aside.expect("the control: a stick is set aside");
        assert_eq!(past.0, Code::ReadBackDiffers);
        // Whether the card is the good one is looked at on the card.
        pasts.take(&row(2, &Verdict::Ready));
        assert_eq!(pasts.of(&inserted(true)).good_copy, Some((2, "PLT00001-r1".to_owned())));
    }
}
