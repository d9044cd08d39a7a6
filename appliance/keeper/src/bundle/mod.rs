// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Updates that were brought: looked at, kept until they are asked for, installed.
//!
//! The station copies them into a folder of its own. Who can write to a file can change it after it was looked at; so it is
//! copied once more, to where only this program writes, and only that copy is looked at and installed. RAUC checks the
//! signature; what the update is for, and whether it is older, is checked here.

mod look;
mod rauc;

pub use look::{Looked, Running, look};
pub use rauc::{Info, install};

use platen_events::Code;

/// Why an update is not taken, or came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In a word.
    pub code: Code,
    /// What, where, expected, found.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, text: impl ToString) -> Self {
        Self { code, text: text.to_string() }
    }
}

#[cfg(test)]
mod tests;
