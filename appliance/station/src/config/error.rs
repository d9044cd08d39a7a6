// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Why a configuration can't be used.

use std::io;
use std::path::{Path, PathBuf};

use platen_media::fields::{self, Problem};
use platen_media::text::{self, TextError};

use crate::exit::Exit;
use crate::failure::Failure;

/// Longest file that is read, in bytes. A hundred ports have 10 KB.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Why a configuration can't be used, or not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum ConfigError {
    #[error("reading {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: expected a text file of at most {MAX_BYTES} bytes, found {found}")]
    NoText { path: PathBuf, found: String },
    #[error("{path}: expected text, found")]
    Text { path: PathBuf, source: TextError },
    /// Everything that is wrong in it.
    #[error("{path}: {} problem(s): {}", problems.len(), fields::list(problems))]
    Problems { path: PathBuf, problems: Vec<Problem> },
    #[error("writing {path}")]
    Write { path: PathBuf, source: io::Error },
}

impl ConfigError {
    /// There is no such file, which is what a station without ports begins with.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = if matches!(error, ConfigError::Write { .. }) { Exit::Machine } else { Exit::Request };
        Self::new(exit, error)
    }
}

/// The text of a file that people wrote, in whatever editor.
pub(super) fn text_of(path: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let no_text = |found: &str| ConfigError::NoText { path: path.to_owned(), found: found.to_owned() };
    // Before it is opened: opening a pipe would wait for ever.
    if !std::fs::metadata(path).map_err(read)?.is_file() {
        return Err(no_text("something that is no file"));
    }
    let bytes = std::fs::File::open(path).and_then(|file| platen_media::read_at_most(file, MAX_BYTES)).map_err(read)?;
    let bytes = bytes.ok_or_else(|| no_text("a longer one"))?;
    text::decode(&bytes).map_err(|source| ConfigError::Text { path: path.to_owned(), source })
}
