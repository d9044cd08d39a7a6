// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What kinds of jobs there are, and how each of them can end.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::any_code::AnyCode;
use crate::code::Code;

/// What is done with a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// A medium is written.
    Write,
    /// A medium is written over an older version of itself.
    Update,
    /// Partition tables and boot sectors are overwritten.
    EraseQuick,
    /// Every byte that has an address is overwritten.
    EraseFull,
    /// The whole drive is filled and read back.
    Test,
    /// A drive that was written before is compared with what was signed.
    Verify,
    /// A drive is read, to become content for others.
    ReadMaster,
    /// Media that lie on a drive are copied into the station's cache.
    Import,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

impl JobKind {
    /// As streams and the ledger call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Update => "update",
            Self::EraseQuick => "erase-quick",
            Self::EraseFull => "erase-full",
            Self::Test => "test",
            Self::Verify => "verify",
            Self::ReadMaster => "read-master",
            Self::Import => "import",
            Self::Unknown => "unknown",
        }
    }

    /// How such a job ends when all is well.
    pub fn success(self) -> Verdict {
        match self {
            Self::Write | Self::Update => Verdict::Ready,
            Self::EraseQuick | Self::EraseFull => Verdict::Erased,
            Self::Test => Verdict::Good,
            Self::Verify => Verdict::Verified,
            Self::ReadMaster | Self::Import => Verdict::Read,
            Self::Unknown => Verdict::Unknown,
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a job ended. A drive is ready only when it is a medium that was written, read back, sealed and recorded; each other
/// kind of job has a word of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It is a medium, and may be used.
    Ready,
    /// It was erased, and that was read back.
    Erased,
    /// It was tested: it stores what it claims.
    Good,
    /// It is as it was signed.
    Verified,
    /// All of it that is used was read.
    Read,
    /// It may not be used; the code says why, and what to do.
    Failed {
        /// An operator's code, such as `P-V-001`.
        code: AnyCode,
    },
    /// Somebody stopped the job before its end (`P-W-004`).
    Cancelled,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

impl Verdict {
    /// The verdict of a job that did not come to its good end.
    pub fn of_code(code: Code) -> Self {
        match code {
            Code::Cancelled => Self::Cancelled,
            code => Self::Failed { code: code.into() },
        }
    }

    /// The operator's code of a job that did not come to its good end.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Failed { code } => code.known(),
            Self::Cancelled => Some(Code::Cancelled),
            _ => None,
        }
    }

    /// What the job was for was reached, and proved.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Ready | Self::Erased | Self::Good | Self::Verified | Self::Read)
    }

    /// Whether a job of this kind can end so.
    pub fn fits(&self, kind: JobKind) -> bool {
        !self.is_success() || kind == JobKind::Unknown || *self == kind.success()
    }
}

impl fmt::Display for Verdict {
    /// As people read it, and as the ledger has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "READY",
            Self::Erased => "ERASED",
            Self::Good => "GOOD",
            Self::Verified => "VERIFIED",
            Self::Read => "READ",
            Self::Failed { .. } | Self::Cancelled => match self.code() {
                Some(code) => return code.entry().advice.fmt(f),
                None => "FAILED",
            },
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// What was moved, and how long that took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// Sent to the drive. Less than the drive holds afterwards where it held some of it before.
    pub written_bytes: u64,
    /// Read from the drive and found right.
    pub verified_bytes: u64,
    /// How long writing took.
    pub write_ms: u64,
    /// How long reading back took.
    pub verify_ms: u64,
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JobEnd {
    /// How it ended; its fields stand beside these.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Only of a job that came to its good end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// What exactly happened: for the log, not for the display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl JobEnd {
    /// The good end of a job.
    pub fn success(kind: JobKind, moved: Moved) -> Self {
        Self { verdict: kind.success(), moved: Some(moved), detail: None }
    }

    /// The end of a job with an operator's code.
    pub fn failed(code: Code, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::of_code(code), moved: None, detail: Some(detail.into()) }
    }

    /// What happened; empty when there is nothing to be said.
    pub fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [JobKind; 8] = [
        JobKind::Write,
        JobKind::Update,
        JobKind::EraseQuick,
        JobKind::EraseFull,
        JobKind::Test,
        JobKind::Verify,
        JobKind::ReadMaster,
        JobKind::Import,
    ];

    #[test]
    fn the_words_of_a_stream_are_those_of_the_ledger() {
        for kind in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }

    #[test]
    fn ready_is_said_of_media_only() {
        let ready: Vec<JobKind> = KINDS.into_iter().filter(|kind| Verdict::Ready.fits(*kind)).collect();
        assert_eq!(ready, [JobKind::Write, JobKind::Update]);
        for kind in KINDS {
            assert!(kind.success().is_success() && kind.success().fits(kind));
            assert!(Verdict::Cancelled.fits(kind) && Verdict::of_code(Code::Stalled).fits(kind));
        }
    }

    #[test]
    fn people_read_the_words_they_know() {
        let words: Vec<String> = KINDS.iter().map(|kind| kind.success().to_string()).collect();
        assert_eq!(words, ["READY", "READY", "ERASED", "ERASED", "GOOD", "VERIFIED", "READ", "READ"]);
        assert_eq!(Verdict::of_code(Code::Stalled).to_string(), "NOT USABLE");
        assert_eq!(Verdict::of_code(Code::Cancelled), Verdict::Cancelled);
        assert_eq!(Verdict::Cancelled.to_string(), "TRY AGAIN");
    }

    #[test]
    fn an_end_of_a_newer_version_is_still_an_end() {
        let read = |json: &str| serde_json::from_str::<JobEnd>(json).unwrap();
        assert_eq!(read(r#"{"verdict":"polished","shine":9}"#).verdict, Verdict::Unknown);
        let newer = read(r#"{"verdict":"failed","code":"P-Z-099","detail":"x"}"#);
        assert_eq!((newer.verdict.code(), newer.detail()), (None, "x"));
    }
}
