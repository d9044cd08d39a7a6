// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How a run ends: the exit statuses of the manual.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The exit statuses of all programs; see `platen --help`. The worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
