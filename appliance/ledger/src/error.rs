// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can go wrong with the ledger.

use std::io;
use std::path::{Path, PathBuf};

use platen_events::Code;
use platen_media::sign::SignError;
use platen_media::stored::NewerSchema;

use crate::BUSY_LIMIT;

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum LedgerError {
    /// SQLite's answer.
    #[error("{doing} the ledger {path}")]
    Database { doing: &'static str, path: PathBuf, source: rusqlite::Error },
    /// The file can't be made or kept from others.
    #[error("making the ledger {path}, for its owner only")]
    File { path: PathBuf, source: io::Error },
    /// Another program holds the ledger and does not let go.
    #[error("{path}: another program has kept the ledger locked for {} s; let it end, then try again", BUSY_LIMIT.as_secs())]
    Busy { path: PathBuf },
    /// The ledger was tampered with, or the disk lost something.
    #[error("{path}: row {number}: {found}")]
    Broken { path: PathBuf, number: u64, found: String },
    /// The database is not the one Platen makes: something in it could swallow or invent rows.
    #[error(
        "{path}: expected Platen's table and triggers and nothing else, found {found}; somebody changed this ledger"
    )]
    Altered { path: PathBuf, found: String },
    /// What is open is no longer what the path leads to.
    #[error(
        "{path}: the ledger's file was removed, renamed or replaced while it was open; put it back, then start again"
    )]
    Replaced { path: PathBuf },
    /// A row was accepted and is not there.
    #[error("{path}: row {number} was recorded, but reading it back gave {found}")]
    NotRecorded { path: PathBuf, number: u64, found: &'static str },
    /// Its rows have other columns, so they can't be continued.
    #[error(
        "{path}: expected a ledger of this version of Platen, found one of another; move it away, it stays readable with SQLite"
    )]
    OtherVersion { path: PathBuf },
    /// It is a ledger, but one of a newer version of Platen.
    #[error("the ledger {path}")]
    Newer { path: PathBuf, source: NewerSchema },
    /// The station's key can't be made, read or used.
    #[error("station key {path}: {found}")]
    Key { path: PathBuf, found: String },
    /// An exported head that can't be read.
    #[error("ledger head {path}: expected a signed head of `platen ledger head`, found {found}")]
    Head { path: PathBuf, found: String },
    /// An exported head this station did not sign.
    #[error("ledger head {path}")]
    HeadSignature { path: PathBuf, source: SignError },
    /// An export could not be written.
    #[error("exporting the ledger")]
    Export(#[source] io::Error),
}

impl LedgerError {
    /// For `map_err`: name the action and the ledger.
    pub(crate) fn database(doing: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Busy { path: path.clone() }
            }
            _ => Self::Database { doing, path: path.clone(), source },
        }
    }

    /// What the operator is told when a drive can't be recorded.
    pub fn code(&self) -> Code {
        match self {
            Self::Busy { .. } => Code::LedgerBusy,
            Self::Newer { .. } => Code::LedgerNewer,
            _ => Code::LedgerFailed,
        }
    }

    /// The ledger itself is at fault, not the machine it is on.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Altered { .. } | Self::HeadSignature { .. })
    }
}
