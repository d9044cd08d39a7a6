// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An error and everything that led to it.

use std::error::Error;

/// The error's text and those of its sources, from the outside in.
pub fn causes(error: &dyn Error) -> Vec<String> {
    std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect()
}

/// The same on one line, parted by colons.
pub fn chain(error: &dyn Error) -> String {
    causes(error).join(": ")
}
