// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Plan, write, read back, seal, record; and checking a drive that is already written.
//!
//! Left to right, and no stage can be skipped, because only the stage to its left makes what it needs:
//!
//! ```text
//! CachedMedia --plan::plan--> WritePlan --write::write--> WrittenDrive --verify--> VerifiedDrive --seal--> SealedDrive
//! ```
//!
//! The engine never opens a device: a drive is whatever implements [`Drive`] (real ones are in `platen-device`). It
//! never parses what is on an inserted drive: that is `platen-examine`'s work, in a process of its own. Rows go to a
//! [`Journal`]; the real one is `platen-ledger`.

mod capacity;
mod clock;
mod content;
mod context;
mod drive;
mod job;
pub mod plan;
mod teller;
pub mod verify;
mod write;

pub use capacity::{CapacityReport, Fake};
pub use clock::{Clock, SystemClock};
pub use content::{SourceError, Sources};
pub use drive::{
    AlignedBuffer, Drive, DriveError, DriveFacts, DriveKind, DriveRef, MEMORY_ALIGN_BYTES, Operation, ReadDrive,
    Returned, Trouble, Watch,
};
pub use job::{
    Conclusion, Engine, EventReceiver, EventSender, Job, JobHandle, Journal, Limits, NewEntry, Subject, Task,
    Unrecorded, event_queue, reserve_memory,
};
pub use platen_media::chain;
pub use teller::GivenUp;
pub use write::{WriteError, begins_like, compare};

/// Drives are written and read in pieces of this size: large enough that the round trip of a command does not count
/// (64 KiB pieces run at a tenth of the speed), small enough for dozens of drives.
pub const PIECE_BYTES: usize = 2 << 20;
