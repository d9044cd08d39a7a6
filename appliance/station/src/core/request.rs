// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The words in which orders are asked for, carried out and answered.

use std::time::Duration;

use platen_events::{Code, DriveId, DriveLabel, Event, JobId, JobKind};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Number of an order, chosen by whoever asks; none is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub u64);

/// A drive of an order, from the moment it is asked for: counted through all orders in the order in which people named
/// the drives, so that what comes late of one is never taken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u64);

/// When jobs are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// All at once, and only if none of the drives was refused: if something is wrong with the request, nothing is
    /// touched. A drive that does not answer is no request that is wrong.
    Together,
    /// Each as soon as its drive is ready, whatever becomes of the others.
    Each,
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is done with each drive.
    pub kind: JobKind,
    /// When it is begun.
    pub admission: Admission,
    /// A drive that is silent for so long while it is looked at is given up.
    pub stall_limit: Duration,
    /// By what each drive is asked for.
    pub drives: Vec<Wanted>,
}

/// A drive that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What it is known by, as long as nothing else is known of it.
    pub drive: DriveId,
    /// What people call it.
    pub label: DriveLabel,
    /// It was seen in its port: exactly this drive is meant, and no other that is found under its name.
    pub is_pinned: bool,
}

/// A drive that was found under the name it was asked for by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What it is known by from here on.
    pub drive: DriveId,
    /// What people call it.
    pub label: DriveLabel,
    /// Equal for all names that lead to one drive, whatever the drive is known by under each.
    pub identity: u64,
}

/// What happens to orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum OrderInput {
    /// Somebody asks for something.
    Ask(OrderId, Request),
    /// What came of [`OrderEffect::Look`].
    Looked(Slot, Result<Found, Failure>),
    /// What came of [`OrderEffect::Prepare`].
    Prepared(Slot, Result<(), Failure>),
    /// What was asked of the drive came to nothing, by no fault of the drive.
    Broken(Slot, Failure),
    /// A drive that is looked at or prepared has given no sign of life for so long.
    Silent(Slot, Duration),
    /// These jobs can't be begun: the machine lacks something. Nothing was touched for them.
    NotStarted(Vec<JobId>, Failure),
    /// What came of [`OrderEffect::Record`]: why there is no row, if there is none.
    Recorded(Slot, Result<(), String>),
    /// A job says what happens to its drive.
    Told(Event),
    /// A job has ended, and everything it told was taken.
    Over(JobId),
    /// Somebody asks to stop.
    Stop(OrderId),
}

/// What is to be done for orders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum OrderEffect {
    /// Follow the name to the drive, without changing anything: the order's drive of this number, counted from 0.
    Look(OrderId, usize, Slot),
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
        /// What should have been done with it.
        kind: JobKind,
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
    /// The order is over, and forgotten.
    Finish(OrderId, Outcome),
}

/// How an order came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        /// The job of each drive that had one, in the order in which people named the drives.
        jobs: Vec<JobId>,
    },
}
