// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Why a medium is refused, and the operator's code for it.

use std::path::PathBuf;

use platen_events::Code;
use platen_media::manifest::NotValid;
use platen_media::policy::PolicyError;
use platen_media::sign::SignError;
use platen_sequence::SequenceError;

use crate::medium::FileProblem;
use crate::programs::ProgramsError;

/// Why a booted computer does not use the medium it was started from. Every end but "OK" is one of these.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The boot menu does not say which medium it belongs to.
    #[error("kernel argument platen.media: expected the medium's id, found {found}")]
    NoMediaId { found: String },
    /// The public keys in the boot image can't be used.
    #[error("keys of the boot image")]
    Keys(#[source] SignError),
    /// No volume is the one the boot menu names.
    #[error("no medium {wanted} within {waited_s} s; volumes seen: {seen}")]
    NoMedium { wanted: String, waited_s: u64, seen: String },
    /// Drives with the same serial number and different content, each signed.
    #[error("expected one drive with medium {wanted}, found several that differ: {found}")]
    Twins { wanted: String, found: String },
    /// A manifest without its signature file.
    #[error("{path}: expected the manifest's signature, found none")]
    NoSignature { path: PathBuf },
    /// Signed by nobody we trust, or changed afterwards.
    #[error(transparent)]
    Signature(SignError),
    /// Signed, but not the one this boot menu belongs to.
    #[error("expected medium {expected}, found {found}")]
    OtherMedium { expected: String, found: String },
    /// Too early, too late, or the clock is wrong.
    #[error(transparent)]
    NotValid(NotValid),
    /// Files are missing or differ from the manifest; all of them are listed.
    #[error("{} file(s) missing, changed or unreadable: {}", problems.len(), first(problems))]
    Files { problems: Vec<FileProblem> },
    /// Wrong each time.
    #[error("wrong password, {attempts} times")]
    Password { attempts: u32 },
    /// Nobody can type here.
    #[error("the password can't be asked for: expected a keyboard or a serial line, found none")]
    NoInput,
    /// The manifest promises a policy in one form, and the medium has another.
    #[error("policy: expected {expected}, found {found}")]
    PolicyForm { expected: &'static str, found: &'static str },
    /// The policy is there and can't be read.
    #[error(transparent)]
    Policy(PolicyError),
    /// A policy of another medium or of another release of it.
    #[error("policy: expected one for {expected}, found one for {found}")]
    PolicyOfOther { expected: String, found: String },
    /// The task sequence in the policy can't be read.
    #[error(transparent)]
    Sequence(SequenceError),
    /// The programs of the boot image can't be used, though the medium is as it was signed.
    #[error("programs of the boot image")]
    Programs(#[source] ProgramsError),
    /// A manifest of a size that no medium has.
    #[error("{}: expected at most {limit_bytes} bytes, found {found_bytes}", path.display())]
    TooLong { path: PathBuf, limit_bytes: u64, found_bytes: u64 },
    /// The drive or its volume fails.
    #[error("reading {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A fault of this program or of the boot image.
    #[error("{what}")]
    Fault { what: String },
}

/// The first few problems, for the one line that is read out on the phone.
fn first(problems: &[FileProblem]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = problems.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if problems.len() > SHOWN { "; ..." } else { "" };
    shown.join("; ") + more
}

impl Refusal {
    /// The operator's code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoMediaId { .. } | Self::NoMedium { .. } | Self::OtherMedium { .. } => Code::TargetNoMedium,
            Self::Twins { .. } => Code::TargetTwins,
            Self::Signature(error) if error.is_newer() => Code::TargetNewer,
            Self::Policy(PolicyError::Newer(_)) => Code::TargetNewer,
            Self::NoSignature { .. } | Self::Signature(_) | Self::TooLong { .. } => Code::TargetUntrusted,
            Self::NotValid(NotValid::NotYet { .. }) => Code::TargetNotYet,
            Self::NotValid(NotValid::Expired { .. }) => Code::TargetExpired,
            Self::NotValid(NotValid::ClockBehind { .. }) => Code::TargetClock,
            // Nothing was found that differs, but not everything could be looked at: the port may be to blame.
            Self::Files { problems } if problems.iter().all(FileProblem::is_read_error) => Code::TargetUnreadable,
            Self::Files { .. } => Code::TargetTampered,
            Self::Password { .. } | Self::NoInput => Code::TargetPassword,
            Self::PolicyForm { .. } | Self::Policy(_) | Self::PolicyOfOther { .. } | Self::Sequence(_) => {
                Code::TargetPolicy
            }
            Self::Read { .. } => Code::TargetUnreadable,
            Self::Programs(ProgramsError::Changed(problem)) if problem.is_read_error() => Code::TargetUnreadable,
            Self::Programs(ProgramsError::Changed(_)) => Code::TargetTampered,
            Self::Keys(_) | Self::Programs(_) | Self::Fault { .. } => Code::TargetFault,
        }
    }

    /// The whole chain of causes in one line.
    pub(crate) fn chain(&self) -> String {
        platen_media::chain(self)
    }
}
