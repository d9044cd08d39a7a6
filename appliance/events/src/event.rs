// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What happens at a station: one event for each change of state, and progress in between.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::any_code::AnyCode;
use crate::identity::{DriveId, DriveLabel, JobId};
use crate::port::{BatchId, PortUse, Work};
use crate::system::SystemState;
use crate::verdict::{JobEnd, JobKind};

/// The steps of a job, in order. Not every job has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Old partition tables are wiped, so that a drive that fails now can't be mistaken for a medium; and the drive is
    /// asked whether it is as big as it claims.
    Prepare,
    /// Content is sent to the drive.
    Write,
    /// The drive's power is cut and comes back, so that nothing is left in its cache.
    PowerCycle,
    /// What is on the drive is read from it and compared.
    Verify,
    /// Boot sectors, partition table and drive record are written and read back.
    Seal,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

impl Step {
    /// Where it stands among the steps of a job; none for one this version does not know.
    pub fn position(self) -> Option<u8> {
        match self {
            Self::Prepare => Some(0),
            Self::Write => Some(1),
            Self::PowerCycle => Some(2),
            Self::Verify => Some(3),
            Self::Seal => Some(4),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for Step {
    /// What is being done, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "preparing",
            Self::Write => "writing",
            Self::PowerCycle => "power-cycling",
            Self::Verify => "reading back",
            Self::Seal => "sealing",
            Self::Unknown => "working on",
        })
    }
}

/// Something that takes a while and is about no drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Media are checked and copied into the cache.
    Import,
    /// Everything in the cache is read and checked.
    Scrub,
    /// A medium is built and signed.
    Build,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// One thing that happened. A newer version may add events, and fields to these; a reader skips what it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A drive was found. Said again, its label is replaced and an earlier refusal forgotten.
    DriveSeen {
        /// The drive that was found.
        drive: DriveId,
        /// What people call it, as far as it is known.
        label: DriveLabel,
    },
    /// A drive may not be worked on, and was left as it is.
    DriveRefused {
        /// A drive that was seen before.
        drive: DriveId,
        /// Absent when it is not the drive that is at fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<AnyCode>,
        /// What, where, expected, found, what to do.
        text: String,
    },
    /// A drive was pulled. It is forgotten, after its job if it has one.
    DriveGone {
        /// A drive that was seen before.
        drive: DriveId,
    },
    /// After a job: nothing of this program holds the drive any more. For a drive that hangs this comes late, or never.
    DriveReleased {
        /// The drive of a job that has ended.
        drive: DriveId,
    },

    /// A port of the station, and what it is used for. Said again, it is replaced.
    PortSet {
        /// What is printed on the case: the `port` of its drives.
        port: String,
        /// Its fields stand beside these.
        #[serde(flatten)]
        used: PortUse,
    },
    /// A drive was inserted to show which socket has a label. The map that is learnt holds from the next start on.
    PortLearnt {
        /// What is printed on the case.
        port: String,
        /// The socket, as the machine calls it.
        socket: String,
    },
    /// From here on good copies are counted.
    BatchStarted {
        /// Number of the new batch.
        batch: BatchId,
        /// What is done with each drive.
        work: Work,
        /// How many good copies end the batch. Absent: as many as there are until somebody ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wanted: Option<u32>,
    },
    /// How far a batch is.
    BatchCounted {
        /// A batch that was started.
        batch: BatchId,
        /// Drives whose job reached what it was for.
        good: u32,
        /// Drives that may not be used.
        failed: u32,
        /// Drives that were taken no job for.
        refused: u32,
    },
    /// A batch has its good copies, or somebody ended it.
    BatchClosed {
        /// A batch that was started; nothing follows about it.
        batch: BatchId,
    },
    /// Something about the station as a whole that somebody should know, for as long as it lasts.
    Condition {
        /// What it is, as one word: `cache-disk`, `clock`.
        condition: String,
        /// For people. Absent: it has passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The appliance's own operating system, where the station has one that is kept for it. Said again, it is replaced; its
    /// fields stand beside `event`.
    System(SystemState),

    /// A job begins; from here on the drive is held.
    JobStarted {
        /// Number of the new job, not used before in this stream.
        job: JobId,
        /// What is done with the drive.
        kind: JobKind,
        /// The drive that the job holds.
        drive: DriveId,
        /// The medium that will be written, `<id>-r<revision>`. Absent for jobs that write none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        medium: Option<String>,
    },
    /// A job enters a step.
    StepStarted {
        /// A job that is running.
        job: JobId,
        /// Comes after the step before it in the order of steps.
        step: Step,
        /// How much the step will move. Absent when nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total_bytes: Option<u64>,
    },
    /// The drive of a job is back after its power was cut. It is known by another disk sequence number from here on.
    DriveReturned {
        /// A job that is running.
        job: JobId,
        /// What the drive is known by now.
        drive: DriveId,
        /// What people call it now: the kernel may have given it another name.
        label: DriveLabel,
        /// It said that it was started anew (the unit attention condition 29h). Otherwise it lost its connection, and
        /// nobody knows whether it lost its power.
        powered_on: bool,
    },
    /// How far the step is: at most ten times a second, and at its end when the total is known.
    Progress {
        /// A job that is running.
        job: JobId,
        /// Counted from the beginning of the step; never goes back within it.
        done_bytes: u64,
    },
    /// What is written has something to be known about it.
    JobNotice {
        /// A job that is running.
        job: JobId,
        /// For people.
        text: String,
    },
    /// The job failed and begins again, with its first step.
    JobRetried {
        /// A job that is running.
        job: JobId,
        /// Why it failed.
        code: AnyCode,
        /// What exactly happened: for the log, not for the display.
        detail: String,
    },
    /// The job's only end, and the last event of it.
    JobEnded {
        /// A job that was running; nothing follows about it but the drive's release.
        job: JobId,
        /// How it ended; its fields stand beside these.
        #[serde(flatten)]
        end: JobEnd,
    },
    /// All drives of one request have their end.
    BatchEnded {
        /// Jobs that came to their good end.
        succeeded: u32,
        /// Jobs that ended with the verdict `failed`.
        failed: u32,
        /// Jobs that somebody stopped before their end.
        cancelled: u32,
        /// Where each of them was recorded.
        ledger: String,
        /// How much was read from the cache for all of them together.
        content_read_bytes: u64,
    },

    /// Something that is about no drive begins; only one of each kind runs at a time.
    ActionStarted {
        /// What begins.
        action: Action,
        /// What it works on: a folder, a file.
        of: String,
    },
    /// How far it is, at most ten times a second. The total may grow as more of the work becomes known.
    ActionProgress {
        /// One that was started and has not ended.
        action: Action,
        /// Counted from the beginning of the action.
        done_bytes: u64,
        /// As much as is known to be done; may grow.
        total_bytes: u64,
    },
    /// It is over. What came of it is said by events of its own, and a failure by `error`.
    ActionEnded {
        /// One that was started before.
        action: Action,
    },

    /// A medium was checked and copied into the cache.
    MediumImported {
        /// The medium, `<id>-r<revision>`.
        medium: String,
        /// Read from the source.
        copied_bytes: u64,
        /// In the cache already; checked, not copied.
        shared_bytes: u64,
    },
    /// A medium was in the cache before; all of it was checked.
    MediumPresent {
        /// The medium, `<id>-r<revision>`.
        medium: String,
        /// In the cache already; checked, not copied.
        shared_bytes: u64,
    },
    /// A medium stays out because it is older than what is in use.
    MediumSkipped {
        /// The medium that was offered.
        medium: String,
        /// An operator's code: why it stays out.
        code: AnyCode,
        /// For people: which revision it is, and which is in use.
        text: String,
    },
    /// A medium was not accepted.
    MediumRefused {
        /// The medium that was offered.
        medium: String,
        /// Absent where no operator's code says why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<AnyCode>,
        /// The exit status this alone would lead to.
        exit: u8,
        /// For people: what is wrong with it.
        text: String,
    },

    /// What was asked for.
    Answer(Box<Answer>),

    /// Something is not as it should be, and stops nothing.
    Warning {
        /// For people.
        text: String,
    },
    /// What was asked for could not be done.
    Error {
        /// The exit status it leads to: 1 some drive failed, 2 the request or definition is wrong, 3 refused by policy,
        /// 4 the machine lacks something.
        exit: u8,
        /// Absent where no operator's code says why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<AnyCode>,
        /// What happened, then the cause of each before it.
        chain: Vec<String>,
    },

    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}
