//! Plan, write, read back, seal, record; and checking a drive that is already written.
//!
//! Left to right, and no stage can be skipped, because only the stage to its left makes what it needs:
//!
//! ```text
//! CachedMedia --plan::plan--> WritePlan --write::write--> WrittenDrive --verify--> VerifiedDrive --seal--> SealedDrive
//! ```
//!
//! The engine never opens a device: a drive is whatever implements [`Drive`] (real ones are in `platen-device`). It
//! never parses what is on an inserted drive, except in [`examine`], which runs in a process of its own.

mod boot_code;
mod buffer;
mod check;
mod claim;
mod clock;
mod context;
mod drive;
pub mod examine;
mod fingerprint;
mod job;
pub mod ledger;
mod markers;
mod notice;
mod overwrite;
mod pace;
pub mod plan;
mod plan_image;
mod probe;
mod pulse;
pub mod record;
mod recorder;
pub mod report;
mod shared;
mod source;
mod spans;
mod station;
pub mod update;
mod write;
mod write_plan;

/// The locks of [`pace`], which tests replace by ones whose every interleaving they can try.
mod sync {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
}

pub use buffer::{AlignedBuffer, MEMORY_ALIGN_BYTES};
pub use clock::{Clock, SystemClock};
pub use drive::{Drive, DriveError, DriveFacts, DriveKind, Operation, ReadDrive, Trouble};
pub use overwrite::{erase, test};
pub use platen_media::chain;
pub use probe::Fake;
pub use shared::Sources;
pub use source::SourceError;
pub use station::{Job, Limits, Running, Station, reserve_memory};
pub use write::{Survey, WriteError, begins_like, compare};

/// Drives are written and read in pieces of this size: large enough that the round trip of a command does not count
/// (64 KiB pieces run at a tenth of the speed), small enough for dozens of drives.
pub const PIECE_BYTES: usize = 2 << 20;
