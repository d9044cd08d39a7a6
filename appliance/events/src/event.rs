//! What happens to a drive, as data: one event for each change of state, and progress in between. The screen, the
//! progress bars, `--json` and the log all read this one stream.

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// Which drive an event is about.
///
/// A drive is known by its port and disk sequence number; a path such as `/dev/sdb` is only where it was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DriveRef {
    /// Label of the place it is inserted in: a sysfs port path such as `2-3.1`, or the file's name for image files.
    pub port: String,
    /// Where it was opened.
    pub path: String,
}

/// The steps of one drive, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Old partition tables are wiped, so that a drive that fails now can't be mistaken for a medium.
    Prepare,
    Write,
    /// Everything written is read back from the device.
    Verify,
    /// Boot sectors, partition table and drive record.
    Seal,
}

/// How it ended for one drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Outcome {
    /// Written, read back, sealed: may be used.
    Ready { written_bytes: u64, verified_bytes: u64, write_ms: u64, verify_ms: u64 },
    /// May not be used. `detail` is for the log, not for the display.
    Failed { code: Code, detail: String },
}

/// One thing that happened to a drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A drive enters a step that will move `total_bytes`.
    Started { drive: DriveRef, step: Step, total_bytes: u64 },
    /// At most ten of these a second for each drive.
    Progress { drive: DriveRef, step: Step, done_bytes: u64, total_bytes: u64 },
    /// What is written has something to be known about it.
    Notice { drive: DriveRef, text: String },
    /// It failed, and is begun anew.
    Retrying { drive: DriveRef, code: Code, detail: String },
    /// The last event of a drive.
    Finished { drive: DriveRef, outcome: Outcome },
}
