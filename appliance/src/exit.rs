//! How a run ends: the exit statuses of the manual, and which failure leads to which.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;

use platen_cache::CacheError;
use platen_device::OpenError;
use platen_engine::chain;
use platen_engine::plan::PlanError;
use platen_ledger::LedgerError;
use platen_media::sign::SignError;

/// See `platen --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Some drive failed.
    Drive = 1,
    /// The request or definition is wrong; nothing was touched.
    Request = 2,
    /// Refused by policy; nothing was touched.
    Policy = 3,
    /// The machine lacks something.
    Machine = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error on its way out: what is printed, and the exit status.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into() }
    }

    /// The error and all its causes, one line.
    pub fn text(&self) -> String {
        chain(&*self.error)
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        let exit = match &error {
            CacheError::Signature { source: SignError::Manifest(_), .. } => Exit::Request,
            CacheError::Signature { .. } | CacheError::OlderThanFloor { .. } | CacheError::OtherSigner { .. } => {
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
        Self::new(exit, error)
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
        Self::new(Exit::Machine, error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let exit = if error.is_policy() { Exit::Policy } else { Exit::Request };
        Self::new(exit, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let exit = match &error {
            error if error.is_policy() => Exit::Policy,
            OpenError::Io { .. } => Exit::Machine,
            _ => Exit::Request,
        };
        Self::new(exit, error)
    }
}
