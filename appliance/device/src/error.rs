//! Why a path is not accepted as a drive.

use std::io;
use std::path::PathBuf;

use platen_events::Code;

/// Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Missing, a folder, a pipe, a character device.
    #[error("{path}: expected a drive or an image file, found {found}")]
    NotADrive { path: PathBuf, found: String },
    /// A part of a drive.
    #[error("{path} is a partition; name the whole drive, {whole}")]
    Partition { path: PathBuf, whole: PathBuf },
    /// A disk this computer runs from.
    #[error("{path} is a system disk: it holds {holds}")]
    SystemDisk { path: PathBuf, holds: String },
    /// Not a removable USB drive, and not named as an exception.
    #[error("{path} is {found}, not a removable USB drive; to write to it all the same, add --allow-device {path}")]
    NotAllowed { path: PathBuf, found: String },
    /// Mounted, or opened by somebody else.
    #[error("{path} is in use: {users}")]
    Busy { path: PathBuf, users: String },
    /// Write-protected, by its own switch or by permissions.
    #[error("{path} is write-protected ({found})")]
    ReadOnly { path: PathBuf, found: String },
    /// The operating system refused.
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl OpenError {
    /// What the operator is told.
    pub fn code(&self) -> Code {
        match self {
            Self::NotADrive { .. } => Code::NotADrive,
            Self::Partition { .. } | Self::SystemDisk { .. } | Self::NotAllowed { .. } => Code::NotAllowed,
            Self::Busy { .. } => Code::Busy,
            Self::ReadOnly { .. } => Code::ReadOnly,
            Self::Io { .. } => Code::CannotOpen,
        }
    }

    /// Refused by the target guard: allowed drives exist, this is none.
    pub fn is_policy(&self) -> bool {
        matches!(self, Self::Partition { .. } | Self::SystemDisk { .. } | Self::NotAllowed { .. })
    }
}
