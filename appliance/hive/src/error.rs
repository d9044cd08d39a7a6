// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can go wrong with a hive.

use std::io;
use std::path::{Path, PathBuf};

/// Every failure. The hive is as it was.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum HiveError {
    /// hivex does not take it for one.
    #[error("{path} is no registry hive, or a damaged one")]
    NotAHive { path: PathBuf, source: io::Error },
    /// Over [`crate::MAX_HIVE_BYTES`].
    #[error("{path} has {size_bytes} bytes, the limit for a hive is {}", crate::MAX_HIVE_BYTES)]
    TooLarge { path: PathBuf, size_bytes: u64 },
    /// hivex could not make a change.
    #[error("{doing} {key:?}")]
    Change { doing: &'static str, key: String, source: io::Error },
    /// `Select\Current` is what Windows starts from.
    #[error("expected the number of a control set in Select\\Current, found {found}; is this the hive SYSTEM?")]
    NoControlSet { found: String },
    /// A name that no hive can have.
    #[error("expected a name without zeros in it, found {name:?}")]
    Zero { name: String },
    /// An operating system call failed.
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The program ended without an answer: hivex crashed, or needed more memory or time than any sound hive does.
    #[error("changing {path}: the program ended {how} and said {said:?}; the hive is damaged or hostile")]
    Ended { path: PathBuf, how: String, said: String },
    /// What the program said of a failure.
    #[error("changing {path}: {said}")]
    Refused { path: PathBuf, said: String },
}

impl HiveError {
    /// For `map_err`: names the action and the path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
