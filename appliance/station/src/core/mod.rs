// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station decides. Inputs go in, a new state and effects come out; nothing in here has a thread, a clock or a
//! file. Whoever carries the effects out comes back with what became of them, as the next inputs.
//!
//! ```text
//! Ask -> Look -> Looked -> Prepare -> Prepared -> Start -> Told ... -> Over -> Finish
//!          |                  |
//!          +---- Silent ------+--> Record -> Recorded      a drive that does not answer
//! ```

mod batch;
#[cfg(test)]
mod tests;

use std::time::Duration;

use platen_events::{Code, DriveId, DriveLabel, Event, JobId, JobKind};

pub use self::batch::Station;
use crate::failure::Failure;

/// A drive of a batch, from the moment it is asked for: its number in the order in which people named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub usize);

/// When jobs are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All at once, and only if none of the drives was refused: if something is wrong with the request, nothing is
    /// touched. A drive that does not answer is no request that is wrong.
    Together,
    /// Each as soon as its drive is ready, whatever becomes of the others.
    Each,
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is done with each drive.
    pub kind: JobKind,
    /// When it is begun.
    pub admission: Admission,
    /// A drive that is silent for so long while it is looked at is given up.
    pub stall_limit: Duration,
    /// By what each drive is asked for, as long as nothing else is known of it.
    pub drives: Vec<(DriveId, DriveLabel)>,
}

/// A drive that was found under the name it was asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is known by from here on.
    pub drive: DriveId,
    /// What people call it.
    pub label: DriveLabel,
    /// Equal for all names that lead to one drive, whatever the drive is known by under each.
    pub identity: usize,
}

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// Somebody asks for a batch.
    Ask(Request),
    /// What came of [`Effect::Look`].
    Looked(Slot, Result<Found, Failure>),
    /// What came of [`Effect::Prepare`].
    Prepared(Slot, Result<(), Failure>),
    /// What was asked of the drive came to nothing, by no fault of the drive.
    Broken(Slot, Failure),
    /// A drive that is looked at or prepared has given no sign of life for so long.
    Silent(Slot, Duration),
    /// These jobs can't be begun: the machine lacks something. Nothing was touched for them.
    NotStarted(Vec<JobId>, Failure),
    /// What came of [`Effect::Record`]: why there is no row, if there is none.
    Recorded(Slot, Result<(), String>),
    /// A job says what happens to its drive.
    Told(Event),
    /// A job has ended, and everything it told was taken.
    Over(JobId),
    /// Somebody asks to stop.
    Stop,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Follow the name to the drive, without changing anything.
    Look(Slot),
    /// Open the drive for its job, and see what will be done.
    Prepare(Slot),
    /// Start these jobs, all or none.
    Start(Vec<(Slot, JobId)>),
    /// Let a drive go that has no job: it is not waited for any more, or will have none.
    Drop(Slot),
    /// Record that a job ended before its drive could be opened.
    Record {
        /// The drive.
        slot: Slot,
        /// What people call it.
        drive: DriveLabel,
        /// The number of the job.
        job: JobId,
        /// How it ended.
        code: Code,
        /// What exactly happened.
        detail: String,
    },
    /// Stop this job.
    Cancel(JobId),
    /// Say what happened.
    Tell(Event),
    /// The batch is over.
    Finish(Outcome),
}

/// How a batch came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was begun because of these.
    Refused(Vec<Failure>),
    /// Nothing was begun because somebody asked to stop.
    Stopped,
    /// What the machine lacks to begin.
    NotStarted(Failure),
    /// Jobs were begun, and all of them have ended.
    Done {
        /// Drives whose job reached what it was for.
        succeeded: u32,
        /// Drives that may not be used.
        failed: u32,
        /// Drives whose job was stopped.
        cancelled: u32,
        /// Drives that had no job.
        refused: Vec<Failure>,
    },
}
