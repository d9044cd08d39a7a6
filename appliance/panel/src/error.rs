// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::io;
use std::path::PathBuf;

use platen_media::fields::{Problem, list};

/// Why a board's hardware can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PanelError {
    /// The board's file can't be read.
    #[error("{}: expected a board's file that can be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It says something that can't be.
    #[error("{}: {}", path.display(), list(problems))]
    Problems {
        /// Which file.
        path: PathBuf,
        /// All of them, in the order of the lines.
        problems: Vec<Problem>,
    },
    /// A device can't be opened, or does not do what it is asked.
    #[error("{}: {what}", path.display())]
    Device {
        /// Which one.
        path: PathBuf,
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing is attached where the picture is to go.
    #[error("{}: expected a display at {connector}, found none; attach one, or name another connector in board.toml",
        card.display())]
    NoDisplay {
        /// The graphics card, or where all of them are.
        card: PathBuf,
        /// Its connector.
        connector: String,
    },
    /// What is attached has too few pixels.
    #[error(
        "{connector}: expected a mode of at least {width}x{height}, found {found}; state a smaller size in board.toml"
    )]
    NoMode {
        /// Where it is attached.
        connector: String,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// All modes that it has.
        found: String,
    },
    /// A panel at a bus does not take what it is sent.
    #[error("{}: expected a panel that takes what it is sent, found {found}", bus.display())]
    Bus {
        /// Which bus.
        bus: PathBuf,
        /// What the bus said.
        found: String,
    },
}

impl PanelError {
    /// With everything that led to it, as people read it.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
