// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Why a path is not accepted as a drive.

use std::io;
use std::path::PathBuf;

use platen_events::Code;

/// Nothing was touched.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum OpenError {
    /// Missing, a folder, a pipe, a character device, or a file that no drive could be.
    #[error("{path}: expected a drive or an image file, found {found}")]
    NotADrive { path: PathBuf, found: String },
    /// Nothing is inserted there: it was pulled, or a reader's slot is empty.
    #[error("{path}: nothing is inserted there (it was pulled, or the slot is empty)")]
    Gone { path: PathBuf },
    /// One of the station's own files.
    #[error("{path} is {what}, not a drive")]
    OwnFile { path: PathBuf, what: String },
    /// A part of a drive.
    #[error("{path} is a partition; name the whole drive, {whole}")]
    Partition { path: PathBuf, whole: PathBuf },
    /// A disk this computer runs from.
    #[error("{path} is a system disk: {holds}")]
    SystemDisk { path: PathBuf, holds: String },
    /// Not a removable USB drive, and not named as an exception.
    #[error("{path} is {found}, not a removable USB drive; to write to it all the same, add --allow-device {path}")]
    NotAllowed { path: PathBuf, found: String },
    /// The name says one device, what is behind it is another.
    #[error("{path} leads to the device that the kernel calls {device}: expected the one of that name")]
    OtherName { path: PathBuf, device: String },
    /// The name led to one drive when it was followed first, and to another one afterwards.
    #[error(
        "{path}: the name leads to different drives from one moment to the next; name the drive when that has ended"
    )]
    Renamed { path: PathBuf },
    /// Another drive took the place of the one that was asked for.
    #[error("{path}: expected {expected}, found {found}; another drive was inserted meanwhile")]
    Replaced { path: PathBuf, expected: String, found: String },
    /// Mounted, or opened by somebody else.
    #[error("{path} is in use: {users}")]
    Busy { path: PathBuf, users: String },
    /// Write-protected, by its own switch or by permissions.
    #[error("{path} is write-protected ({found})")]
    ReadOnly { path: PathBuf, found: String },
    /// Whether it may be written to can't be found out.
    #[error("{path}: what uses this drive can't be found out, so it is left alone; are /sys and /proc mounted?")]
    Unknown { path: PathBuf, source: io::Error },
    /// The operating system refused.
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl OpenError {
    /// What the operator is told.
    pub fn code(&self) -> Code {
        match self {
            Self::NotADrive { .. } => Code::NotADrive,
            Self::Gone { .. } | Self::Replaced { .. } => Code::Vanished,
            Self::OwnFile { .. } | Self::Partition { .. } | Self::SystemDisk { .. } | Self::NotAllowed { .. } => {
                Code::NotAllowed
            }
            Self::Busy { .. } => Code::Busy,
            Self::ReadOnly { .. } => Code::ReadOnly,
            Self::OtherName { .. } | Self::Renamed { .. } | Self::Unknown { .. } | Self::Io { .. } => Code::CannotOpen,
        }
    }

    /// Refused by the target guard: allowed drives exist, this is none.
    pub fn is_policy(&self) -> bool {
        matches!(
            self,
            Self::OwnFile { .. }
                | Self::Partition { .. }
                | Self::SystemDisk { .. }
                | Self::NotAllowed { .. }
                | Self::OtherName { .. }
                | Self::Renamed { .. }
                | Self::Unknown { .. }
        )
    }
}
