//! Where the end of every drive is recorded. The station's own is in `platen-ledger`.

use platen_events::Code;
use platen_media::Timestamp;
use serde::Serialize;

/// Keeps a row for each drive, for good.
pub trait Journal: Send + Sync {
    /// Append a row. When this returns it survives a loss of power.
    fn append(&self, entry: &NewEntry) -> Result<(), Unrecorded>;
}

/// Why there is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// What the operator is told.
    pub code: Code,
    /// What went wrong, with all its causes.
    pub detail: String,
}

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
}
