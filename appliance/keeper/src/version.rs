// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Releases and their order: three numbers and what comes before a release, as <https://semver.org> has it.

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;

use crate::error::KeeperError;
use crate::files::{self, Files};

/// More is no version.
const MAX_BYTES: usize = 64;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(semver::Version);

impl Version {
    /// As people and files write it.
    pub fn parse(text: &str) -> Result<Self, KeeperError> {
        let parsed =
            Some(text).filter(|text| text.len() <= MAX_BYTES).and_then(|text| semver::Version::parse(text).ok());
        let expected = "three numbers such as 1.4.0, of at most 64 characters";
        let wrong = || KeeperError::Word { what: "version", expected, found: text.chars().take(MAX_BYTES).collect() };
        parsed.map(Self).ok_or_else(wrong)
    }

    /// Which one is newer. What follows a `+` says nothing about that.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }

    /// This one came out before that one.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Less
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The newest release that was ever healthy here. None: there was none, or what is kept can't be understood.
pub fn read_floor(files: &dyn Files, path: &Path) -> Option<Version> {
    let bytes = match files.read(path, MAX_BYTES + 1) {
        Ok(bytes) => bytes,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::error!("{}: {error}", path.display());
            }
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let parsed = Version::parse(text.trim_end());
    parsed.map_err(|error| tracing::error!("{}: {error}", path.display())).ok()
}

/// A release was healthy: the floor rises to it, if it is newer.
pub fn raise_floor(files: &dyn Files, path: &Path, healthy: &Version) -> Result<(), KeeperError> {
    if read_floor(files, path).is_some_and(|floor| !floor.is_older_than(healthy)) {
        return Ok(());
    }
    files::replace(files, path, format!("{healthy}\n").as_bytes())
}

#[cfg(test)]
mod tests;
