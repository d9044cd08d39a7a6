// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The ports of a station, what each is used for, and batches.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::verdict::JobKind;

/// What is done with a drive, and which medium that is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Work {
    /// What is done.
    pub kind: JobKind,
    /// The medium, `<id>-r<revision>`. Absent where none is written, and where a drive is compared with whatever it says
    /// it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.medium {
            Some(medium) => write!(f, "{} {medium}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

/// Number of a batch, counted from 1 through the whole life of a station; none is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct BatchId(pub u64);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How work begins in a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PortMode {
    /// Somebody chooses what is done with the drive that is inserted, and confirms it.
    #[default]
    Kiosk,
    /// Whatever is inserted is worked on at once.
    Armed,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// What a port is used for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PortUse {
    /// How work begins in it.
    pub mode: PortMode,
    /// What an armed port does with a drive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The batch that an armed port works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Nothing is begun in it until somebody lets it go on.
    pub is_paused: bool,
}
