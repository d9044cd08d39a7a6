// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A page of cells, and the way it gets onto a Linux console.

use std::fmt::Write;

use super::{COLUMNS, ROWS};
use crate::lines::{cut, latin, plain, wrapped};

/// A colour of the panel's palette (`ui/src/palette.rs`) as a number of the console's, whose table is changed to it while a
/// page is shown. Numbers from 8 are only for what stands on a ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Ground = 0,
    Bad = 1,
    Try = 3,
    Accent = 4,
    Quiet = 7,
    Track = 8,
    Text = 15,
}

/// Of each number: red, green, blue.
const TABLE: [(Colour, &str); 7] = [
    (Colour::Ground, "0e1113"),
    (Colour::Bad, "ff7165"),
    (Colour::Try, "ffc642"),
    (Colour::Accent, "66baff"),
    (Colour::Quiet, "aeb9c2"),
    (Colour::Track, "3c4750"),
    (Colour::Text, "f5f7f8"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    sign: char,
    on: Colour,
    ground: Colour,
}

/// A page. What does not fit is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    cells: Vec<Cell>,
}

impl Grid {
    pub(super) fn new() -> Self {
        Self { cells: vec![Cell { sign: ' ', on: Colour::Text, ground: Colour::Ground }; COLUMNS * ROWS] }
    }

    fn cell(&mut self, column: usize, row: usize) -> Option<&mut Cell> {
        let is_inside = column < COLUMNS && row < ROWS;
        if is_inside { self.cells.get_mut(row * COLUMNS + column) } else { None }
    }

    /// One sign; the ground stays.
    pub(super) fn sign(&mut self, column: usize, row: usize, sign: char, on: Colour) {
        if let Some(cell) = self.cell(column, row) {
            (cell.sign, cell.on) = (sign, on);
        }
    }

    /// A rectangle of a ground.
    pub(super) fn fill(&mut self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>, ground: Colour) {
        for row in rows {
            for column in columns.clone() {
                if let Some(cell) = self.cell(column, row) {
                    *cell = Cell { sign: ' ', on: Colour::Text, ground };
                }
            }
        }
    }

    /// Foreign text in one line, cut to `width` columns. Returns the column behind it.
    pub(super) fn text(&mut self, column: usize, row: usize, width: usize, text: &str, on: Colour) -> usize {
        let text = cut(&latin(&plain(text)), width);
        let mut at = column;
        for sign in text.chars() {
            self.sign(at, row, sign, on);
            at += 1;
        }
        at
    }

    /// The same in at most `rows` lines, broken between words. Returns the row behind it.
    pub(super) fn lines(
        &mut self,
        column: usize,
        row: usize,
        width: usize,
        rows: usize,
        text: &str,
        on: Colour,
    ) -> usize {
        let lines = wrapped(&latin(&plain(text)), width, 0, 0);
        for (at, line) in lines.iter().take(rows).enumerate() {
            self.text(column, row + at, width, line, on);
        }
        row + lines.len().min(rows)
    }

    /// A frame of single lines.
    pub(super) fn frame(&mut self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>, on: Colour) {
        let (left, right, top, bottom) = (columns.start, columns.end - 1, rows.start, rows.end - 1);
        for column in left + 1..right {
            self.sign(column, top, '─', on);
            self.sign(column, bottom, '─', on);
        }
        for row in top + 1..bottom {
            self.sign(left, row, '│', on);
            self.sign(right, row, '│', on);
        }
        for (column, row, sign) in [(left, top, '┌'), (right, top, '┐'), (left, bottom, '└'), (right, bottom, '┘')]
        {
            self.sign(column, row, sign, on);
        }
    }

    /// What a Linux console of this size is sent. Its table of colours and its cursor stay changed until [`AWAY`].
    pub(crate) fn to_console(&self, columns: usize, rows: usize) -> String {
        let mut text = String::from("\x1b[r\x1b[?25l");
        for (colour, rgb) in TABLE {
            let _ = write!(text, "\x1b]P{:x}{rgb}", colour as u8);
        }
        let (left, top) = (columns.saturating_sub(COLUMNS) / 2, rows.saturating_sub(ROWS) / 2);
        let mut last = None;
        for (row, cells) in self.cells.chunks(COLUMNS).enumerate() {
            let _ = write!(text, "\x1b[{};{}H", top + row + 1, left + 1);
            for cell in cells {
                if last != Some((cell.on, cell.ground)) {
                    let (on, bright) = (cell.on as u8 % 8, if cell.on as u8 >= 8 { ";1" } else { "" });
                    let _ = write!(text, "\x1b[0{bright};3{on};4{}m", cell.ground as u8);
                    last = Some((cell.on, cell.ground));
                }
                text.push(cell.sign);
            }
        }
        text.push_str("\x1b[0m");
        text
    }

    /// Line by line, for tests.
    #[cfg(test)]
    pub(super) fn rows(&self) -> Vec<String> {
        let text = |cells: &[Cell]| cells.iter().map(|cell| cell.sign).collect::<String>().trim_end().to_owned();
        self.cells.chunks(COLUMNS).map(text).collect()
    }
}

/// Everything else on an empty screen again, with the console's own colours.
pub(crate) const AWAY: &str = "\x1b]R\x1b[0m\x1b[?25h\x1b[2J\x1b[H";
/// Before the first page: nothing of what stood there is seen around it.
pub(crate) const EMPTY: &str = "\x1b[r\x1b]P00e1113\x1b[0m\x1b[2J";
