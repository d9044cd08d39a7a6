// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Pages that fill a text screen: how far a task sequence is, and why it stopped.
//!
//! They are drawn on 80 columns and 25 lines, which every PC has, with the signs that its font has (blocks and frames of code
//! page 437), and stand in the middle of larger screens. Colours and places are those of the station's panel; words come
//! first, so that nothing is lost where a screen has no colours.

mod digits;
mod failure;
mod grid;
mod progress;
mod qr;

pub(crate) use self::failure::Failure;
pub(crate) use self::grid::{AWAY, EMPTY, Grid};
pub(crate) use self::progress::{Doing, about};

/// Columns of a page.
pub(crate) const COLUMNS: usize = 80;
/// Lines of a page.
pub(crate) const ROWS: usize = 25;

#[cfg(test)]
mod tests;
