// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which drive, and which job, a record is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a drive is known by as long as it is inserted: where it is, and which insertion it is.
///
/// Another drive in the same place has another disk sequence number, so the two are never taken for one. Serial number,
/// model and path are no part of it, because drives repeat and invent them: see [`DriveLabel`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriveId {
    /// Bus and port path of a USB drive, such as `2-3.1`; the kernel's name of any other block device. An image file, and
    /// a drive that did not answer when it was looked at, are in the place where they were asked for: their path.
    pub place: String,
    /// Number of the insertion, counted by the kernel since it started (Linux `diskseq`). Absent for image files, which
    /// are not inserted, and for drives that did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_sequence: Option<u64>,
}

impl fmt::Display for DriveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        self.disk_sequence.map_or(Ok(()), |sequence| write!(f, " #{sequence}"))
    }
}

/// What people call a drive. Nothing is decided by it: a drive says what it wants of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriveLabel {
    /// Short name for people: the port, or the name of an image file.
    pub port: String,
    /// Where it was opened.
    pub path: String,
    /// Serial number, as the drive says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// USB vendor and product number, such as `0781:5581`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_product: Option<String>,
    /// Vendor and product, as the drive says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Absent when it is not known, because the drive did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

/// Number of a job in its stream, counted from 1; none is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
