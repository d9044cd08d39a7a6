// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What went wrong, as operators are told it, and which error of which crate that is.

use std::error::Error;
use std::io::ErrorKind;

use platen_cache::CacheError;
use platen_device::OpenError;
use platen_engine::plan::PlanError;
use platen_engine::verify::Report;
use platen_events::{AnyCode, Code, Event};
use platen_ledger::LedgerError;
use platen_media::causes;
use platen_media::sign::SignError;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// An error on its way out: what is printed, and the exit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How a program ends that can't go on because of it.
    pub exit: Exit,
    /// What the operator is told, if there is a code for it.
    pub code: Option<Code>,
    /// What happened, then the cause of each before it.
    chain: Vec<String>,
    /// For people.
    text: String,
}

impl Failure {
    /// Without a code.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let chain = causes(&*error);
        Self { exit, code: None, text: chain.join(": "), chain }
    }

    /// What several failures together lead to.
    pub fn of_all(doing: Option<&str>, failures: &[Self]) -> Self {
        let worst = failures.iter().max_by_key(|failure| failure.exit);
        let texts = failures.iter().map(|failure| failure.text.clone());
        let before = doing.map_or_else(String::new, |doing| format!("{doing}: "));
        Self {
            exit: worst.map_or(Exit::Request, |worst| worst.exit),
            code: worst.and_then(|worst| worst.code),
            text: before + &texts.clone().collect::<Vec<_>>().join("\n        "),
            chain: doing.map(str::to_owned).into_iter().chain(texts).collect(),
        }
    }

    /// With another exit status.
    pub fn exiting(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// With an operator's code, which people read in front of the text.
    pub fn coded(self, code: Code) -> Self {
        Self { code: Some(code), text: format!("{code}  {}", self.text), ..self }
    }

    /// With a code that is in the record only.
    fn recorded_as(self, code: Option<Code>) -> Self {
        Self { code, ..self }
    }

    /// The error and all its causes, for people.
    pub fn text(&self) -> String {
        self.text.clone()
    }

    /// The error and all its causes, without the code.
    pub fn reason(&self) -> String {
        self.chain.join(": ")
    }

    /// What is told of a drive that could not be looked at to the end.
    pub(crate) fn to_report(&self) -> Report {
        Report::of_problem(self.code.unwrap_or(Code::StationFault), &self.reason())
    }

    /// For the record.
    pub fn event(&self) -> Event {
        let code = self.code.map(AnyCode::from);
        Event::Error { exit: self.exit as u8, code, chain: self.chain.clone() }
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        let exit = match &error {
            CacheError::Signature { source: SignError::Manifest(_), .. } => Exit::Request,
            CacheError::Signature { .. } | CacheError::OlderThanMinimum { .. } | CacheError::OtherSigner { .. } => {
                Exit::Policy
            }
            // What was given is not there, or is no file of a layout.
            CacheError::Io { source, .. }
                if matches!(
                    source.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput | ErrorKind::InvalidData
                ) =>
            {
                Exit::Request
            }
            CacheError::Io { .. }
            | CacheError::DiskFull { .. }
            | CacheError::Quota { .. }
            | CacheError::Locked { .. } => Exit::Machine,
            CacheError::Newer { .. } => Exit::Machine,
            CacheError::NotALayout { .. }
            | CacheError::Json { .. }
            | CacheError::Entry { .. }
            | CacheError::UnknownMedia { .. }
            | CacheError::Manifest { .. }
            | CacheError::Missing { .. }
            | CacheError::Damaged { .. } => Exit::Request,
        };
        let code = cache_code(&error);
        Self::new(exit, error).recorded_as(code)
    }
}

/// What the operator is told of the cache.
fn cache_code(error: &CacheError) -> Option<Code> {
    match error {
        CacheError::Signature { source, .. } if source.is_newer() => Some(Code::NewerMedium),
        CacheError::Signature { .. } => Some(Code::NotTrusted),
        CacheError::OlderThanMinimum { .. } => Some(Code::OlderThanMinimum),
        CacheError::OtherSigner { .. } => Some(Code::OtherSigner),
        CacheError::Missing { .. } => Some(Code::CacheMissing),
        CacheError::Entry { .. } | CacheError::Json { .. } | CacheError::Manifest { .. } => Some(Code::CacheDamaged),
        CacheError::Newer { .. } => Some(Code::CacheNewer),
        _ => None,
    }
}

impl From<SignError> for Failure {
    /// Of loading trusted keys; a signature that does not hold comes wrapped in what it signs.
    fn from(error: SignError) -> Self {
        Self::new(Exit::Machine, error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let code = error.code();
        Self::new(Exit::Machine, error).recorded_as(Some(code))
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let exit = if error.is_policy() { Exit::Policy } else { Exit::Request };
        let code = error.code();
        Self::new(exit, error).recorded_as(Some(code))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let exit = match &error {
            error if error.is_policy() => Exit::Policy,
            OpenError::Io { .. } => Exit::Machine,
            _ => Exit::Request,
        };
        let code = error.code();
        Self::new(exit, error).recorded_as(Some(code))
    }
}

/// A drive that was not opened.
pub fn open_failure(error: OpenError) -> Failure {
    let code = error.code();
    Failure::from(error).coded(code)
}

/// Somebody asked to stop before anything was written.
pub fn stopped() -> Failure {
    Failure::new(Exit::Drive, "stopped while the drives were looked at; nothing was written").coded(Code::Cancelled)
}
