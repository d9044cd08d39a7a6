// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the panel asks of the station, as `docs/formats/socket.md` has it, and what it asks of the machine it runs on.

use platen_events::{AnyCode, DriveId, Work};
use serde::{Deserialize, Serialize};

use crate::words::Language;

/// Who is at the station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Writes drives.
    Technician,
    /// Says what is written.
    Operator,
    /// Decides what the station may do.
    Administrator,
}

/// What somebody typed and nobody prints.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pin(pub(crate) String);

impl From<&str> for Pin {
    fn from(typed: &str) -> Self {
        Self(typed.to_owned())
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// Something asked of the station: a line of its socket, but for the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "docs/formats/socket.md describes each")]
pub enum Request {
    Login {
        role: Role,
        pin: Pin,
    },
    SetPin {
        role: Role,
        pin: Pin,
    },
    Start {
        port: String,
        drive: DriveId,
        work: Work,
    },
    Arm {
        ports: Vec<String>,
        work: Work,
        #[serde(skip_serializing_if = "Option::is_none")]
        wanted: Option<u32>,
    },
    Disarm {
        ports: Vec<String>,
    },
    Cancel {
        ports: Vec<String>,
    },
    Pause {
        ports: Vec<String>,
    },
    Resume {
        ports: Vec<String>,
    },
    Learn {
        label: String,
    },
    LearnEnd {
        keep: bool,
    },
    Errand(Errand),
}

/// Something asked of the station that is about no drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "errand", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "docs/formats/socket.md describes each")]
pub enum Errand {
    Media,
    Import {
        folder: String,
    },
    History {
        #[serde(skip_serializing_if = "Option::is_none")]
        serial: Option<String>,
        limit: u32,
    },
    ShutDown,
    Restart,
    InstallUpdate {
        version: String,
        older: bool,
    },
    MakeDataAnew,
}

/// What the station answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or begun.
    Done,
    /// To [`Errand::Media`].
    Media(Vec<Medium>),
    /// To [`Errand::History`], the newest last.
    Rows(Vec<Row>),
    /// It was not done.
    Refused {
        /// An operator's code, where one says why.
        code: Option<AnyCode>,
        /// For people, in English.
        text: String,
    },
}

/// A medium that may be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Medium {
    /// `<id>-r<revision>`.
    pub medium: String,
    /// What people call it.
    pub title: String,
    /// A text for people.
    pub version: String,
    /// As one word.
    pub kind: String,
    /// Size of its content.
    pub content_bytes: u64,
    /// What is missing or wrong.
    #[serde(default)]
    pub problem: Option<String>,
    /// The number of the key that signed it. Older stations do not say.
    #[serde(default)]
    pub signed_by: Option<String>,
    /// From when on it is valid, RFC 3339 in UTC. Older stations do not say.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// Until when, the same way.
    #[serde(default)]
    pub valid_until: Option<String>,
    /// What the station's clock says to that.
    #[serde(default)]
    pub dates: Dates,
}

/// Whether a medium's dates let it be written now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// It is written, but computers refuse it until its first day.
    NotYet,
    /// Its last day is over. It isn't written.
    Expired,
    /// The station's clock is before the day on which it was made. It isn't written.
    ClockBehind,
    /// It may be written; or what a newer station says, who decides in any case.
    #[default]
    #[serde(other)]
    Good,
}

/// A row of the ledger, as far as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Where it was written.
    pub port: String,
    /// As the drive said it.
    pub serial: String,
    /// What was written.
    pub medium: String,
    /// How it ended, as one word.
    pub verdict: String,
    /// An operator's code; empty where all was well.
    pub code: String,
    /// When, RFC 3339 in UTC.
    pub finished: String,
}

/// Something asked of the machine that the panel is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Send this to the station, and bring the answer back with its number.
    Ask(u64, Request),
    /// Light this port so that it is found.
    Light(String),
    /// A tone, to be heard in the test.
    Tone,
    /// These settings hold from now on, and after the next start.
    Keep(Settings),
}

/// How loud the station is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sound {
    /// Never.
    Off,
    /// Failed drives and the end of a batch.
    Quiet,
    /// Good drives too.
    Full,
}

/// What somebody chose at the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The panel's language.
    pub language: Language,
    /// Light behind the panel, from 20 to 100.
    pub brightness: u8,
    /// What is heard.
    pub sound: Sound,
    /// Buttons stand on the left.
    pub is_mirrored: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { language: Language::English, brightness: 80, sound: Sound::Quiet, is_mirrored: false }
    }
}
