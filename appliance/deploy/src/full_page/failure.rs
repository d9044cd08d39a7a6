// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Why nothing goes on: what happened, what to do, and whether the drive is of use.

use platen_events::{Advice, Code};

use super::digits::squares;
use super::grid::{Colour, Grid};
use super::progress::mark;
use super::{COLUMNS, ROWS, qr};

/// Two strokes that cross, five squares each way.
const CROSS: [u8; 5] = [0b10001, 0b01010, 0b00100, 0b01010, 0b10001];
/// An exclamation mark.
const NOTICE: [u8; 5] = [0b00100, 0b00100, 0b00100, 0b00000, 0b00100];
/// Columns of the side with the sign, as long as there is no code to be read by a phone.
const SIDE: usize = 20;

/// Why nothing goes on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// Name and version of the medium; empty when it is not known.
    pub(crate) medium: (String, String),
    /// The step, or what was being looked at; the reason.
    pub(crate) reason: String,
    /// The log's last entries.
    pub(crate) log: Vec<String>,
    /// What it means for this computer.
    pub(crate) computer: &'static str,
    /// For whoever is called: it says the same in few signs.
    pub(crate) reference: Option<String>,
}

impl Failure {
    pub(crate) fn page(&self) -> Grid {
        let mut grid = Grid::new();
        let entry = self.code.entry();
        let is_bad = entry.advice == Advice::PullAndSetAside;
        let code = self.reference.as_deref().and_then(qr::code);
        let side = code.as_ref().map_or(SIDE, |(_, columns, _)| columns + 2);
        // What has to be set aside is filled; what a hand can mend is a frame.
        let ink = if is_bad { Colour::Ground } else { Colour::Try };
        match is_bad {
            true => grid.fill(0..side, 0..ROWS, Colour::Bad),
            false => (0..ROWS).for_each(|row| grid.sign(side - 1, row, '▐', Colour::Try)),
        }
        let id_column = (side - entry.id.len()) / 2;
        match &code {
            Some((code, columns, rows)) => {
                grid.text(id_column, 1, side, entry.id, ink);
                // Of an odd number of squares the last line has the upper half only; below it is the side again.
                grid.fill(1..side - 1, 3..3 + rows - columns % 2, Colour::Ground);
                qr::draw(&mut grid, 1, 3, code);
            }
            None => {
                let sign = if is_bad { CROSS } else { NOTICE };
                squares(&mut grid, (side - 10) / 2, 3, &sign, 5, ink);
                grid.text(id_column, 10, side, entry.id, ink);
            }
        }
        mark(&mut grid, (side - 9) / 2, ROWS - 2, ink);

        let (left, width) = (side + 3, COLUMNS - side - 6);
        let (name, version) = &self.medium;
        let at = grid.text(left, 1, width, name, Colour::Text);
        grid.text(at + 1, 1, (left + width).saturating_sub(at + 1), version, Colour::Quiet);
        let row = grid.lines(left, 3, width, 3, entry.what, Colour::Text);
        let row = grid.lines(left, row, width, 4, &self.reason, Colour::Quiet);
        let row = grid.lines(left, row + 1, width, 3, entry.todo, Colour::Text);

        let (top, word) = (row + 1, entry.advice.word());
        let sign = if is_bad { "X" } else { "!" };
        if is_bad {
            grid.fill(left..left + width, top..top + 3, Colour::Bad);
        } else {
            grid.frame(left..left + width, top..top + 3, Colour::Try);
        }
        grid.text(left + 3, top + 1, width, &format!("{sign}  {word}"), ink);
        let row = grid.lines(left, top + 4, width, 2, self.computer, Colour::Quiet);
        let room = (ROWS - 4).saturating_sub(row + 1);
        let skipped = self.log.len().saturating_sub(room);
        for (at, line) in self.log.iter().skip(skipped).enumerate() {
            grid.text(left, row + 1 + at, width, line, Colour::Quiet);
        }
        let button = " Switch the computer off ";
        grid.fill(left..left + button.len(), ROWS - 3..ROWS - 2, Colour::Accent);
        grid.text(left, ROWS - 3, button.len(), button, Colour::Ground);
        grid.text(left + button.len() + 2, ROWS - 3, 8, "Enter", Colour::Quiet);
        grid
    }
}
