// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What may go wrong while the system is kept.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// A file or folder could not be used.
    #[error("{}: can't {doing}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// A program could not be started, did not end, or said that something is wrong.
    #[error("{program}: {said}")]
    Program {
        /// Which.
        program: String,
        /// What it said, or what became of it.
        said: String,
    },
    /// The disk that the system runs from has no such partition.
    #[error("{}: expected a partition called {name}, found none", disk.display())]
    Partition {
        /// The disk, as sysfs has it.
        disk: PathBuf,
        /// The partition's name.
        name: &'static str,
    },
    /// Something that was given to this program.
    #[error("{what}: expected {expected}, found {found:?}")]
    Word {
        /// What was given.
        what: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

impl KeeperError {
    pub(crate) fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, doing, source }
    }

    pub(crate) fn program(program: &str, said: impl ToString) -> Self {
        Self::Program { program: program.to_owned(), said: said.to_string() }
    }
}

/// An error with everything that led to it, on one line.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
