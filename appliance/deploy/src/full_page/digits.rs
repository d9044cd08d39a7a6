// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Numbers that are read from across a room: four squares wide and five high, each square two columns of one line.

use super::grid::{Colour, Grid};

/// From the top, one bit for each square of a line; the highest of four is the left one.
const DIGITS: [[u8; 5]; 10] = [
    [0b1111, 0b1001, 0b1001, 0b1001, 0b1111],
    [0b0010, 0b0110, 0b0010, 0b0010, 0b0111],
    [0b1111, 0b0001, 0b1111, 0b1000, 0b1111],
    [0b1111, 0b0001, 0b0111, 0b0001, 0b1111],
    [0b1001, 0b1001, 0b1111, 0b0001, 0b0001],
    [0b1111, 0b1000, 0b1111, 0b0001, 0b1111],
    [0b1111, 0b1000, 0b1111, 0b1001, 0b1111],
    [0b1111, 0b0001, 0b0001, 0b0001, 0b0001],
    [0b1111, 0b1001, 0b1111, 0b1001, 0b1111],
    [0b1111, 0b1001, 0b1111, 0b0001, 0b1111],
];
/// Columns from one digit to the next.
const ADVANCE: usize = 10;

/// A large number; returns the column behind it, with its gap.
pub(super) fn number(grid: &mut Grid, column: usize, row: usize, number: u64) -> usize {
    let text = number.to_string();
    for (at, digit) in text.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).enumerate() {
        squares(grid, column + at * ADVANCE, row, &digit, 4, Colour::Text);
    }
    column + text.len() * ADVANCE
}

/// A drawing of squares.
pub(super) fn squares(grid: &mut Grid, column: usize, row: usize, lines: &[u8], width: usize, on: Colour) {
    for (down, line) in lines.iter().enumerate() {
        for across in (0..width).filter(|across| line & (1 << (width - 1 - across)) != 0) {
            grid.sign(column + 2 * across, row + down, '█', on);
            grid.sign(column + 2 * across + 1, row + down, '█', on);
        }
    }
}
