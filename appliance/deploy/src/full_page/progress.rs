// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How far a task sequence is.

use std::time::Duration;

use super::digits;
use super::grid::{Colour, Grid};

const LEFT: usize = 3;
const RIGHT: usize = 77;
/// Of the number's first line.
const NUMBER_ROW: usize = 4;

/// What is going on, for whoever stands before the computer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Doing {
    /// Of the medium, as its author named it.
    pub(crate) name: String,
    pub(crate) version: String,
    /// Whose computers these are (`OSDRegisteredOrgName`); empty where the medium does not say.
    pub(crate) organisation: String,
    /// Which medium, and until when it is valid.
    pub(crate) medium: String,
    /// The step's number from 1, and of how many.
    pub(crate) step: (usize, usize),
    /// Its name.
    pub(crate) step_name: String,
    /// What it is doing, and how much of that is done, from 0 to 1: known of what is copied or applied.
    pub(crate) share: Option<(String, f64)>,
    pub(crate) left: Option<Duration>,
}

impl Doing {
    pub(crate) fn page(&self) -> Grid {
        let mut grid = Grid::new();
        mark(&mut grid, LEFT, 1, Colour::Text);
        let at = grid.text(15, 1, 40, &self.name, Colour::Text);
        let at = grid.text(at + 1, 1, 12, &self.version, Colour::Quiet);
        let room = RIGHT.saturating_sub(at + 2);
        let width = crate::lines::cut(&crate::lines::latin(&self.organisation), room).chars().count();
        grid.text(RIGHT - width, 1, room, &self.organisation, Colour::Quiet);

        let (number, of) = self.step;
        let share = match &self.share {
            Some((_, share)) => {
                let end = digits::number(&mut grid, LEFT, NUMBER_ROW, (share * 100.0) as u64);
                grid.text(end, NUMBER_ROW + 4, 1, "%", Colour::Quiet);
                *share
            }
            // How long a command takes nobody knows: what is known is how many steps there are.
            None => {
                let end = digits::number(&mut grid, LEFT, NUMBER_ROW, number as u64);
                grid.text(end, NUMBER_ROW + 4, 12, &format!("of {of}"), Colour::Quiet);
                number.saturating_sub(1) as f64 / of.max(1) as f64
            }
        };
        grid.text(LEFT, 11, RIGHT - LEFT, &self.step_name, Colour::Text);
        let full = (share.clamp(0.0, 1.0) * (RIGHT - LEFT) as f64) as usize;
        for column in LEFT..RIGHT {
            let colour = if column < LEFT + full { Colour::Accent } else { Colour::Track };
            grid.sign(column, 13, '█', colour);
        }
        let (what, left) = match (&self.share, self.left) {
            (Some((what, _)), Some(left)) => (what.clone(), format!(", {} left", about(left))),
            (Some((what, _)), None) => (what.clone(), String::new()),
            (None, _) => (String::new(), String::new()),
        };
        let mut text = format!("{what}{left}");
        if let Some(first) = text.get(..1).map(str::to_uppercase) {
            text.replace_range(..1, &first);
        }
        grid.text(LEFT, 15, 50, &text, Colour::Text);
        let steps = format!("Step {number} of {of}");
        grid.text(RIGHT - steps.len(), 15, steps.len(), &steps, Colour::Quiet);

        grid.text(LEFT, 18, RIGHT - LEFT, "The computer restarts by itself.", Colour::Quiet);
        grid.text(LEFT, 19, RIGHT - LEFT, "Do not switch it off. Leave the drive in.", Colour::Text);
        grid.text(LEFT, 23, RIGHT - LEFT, &self.medium, Colour::Quiet);
        grid
    }
}

/// The product's mark: one drive, two halves.
pub(super) fn mark(grid: &mut Grid, column: usize, row: usize, on: Colour) {
    for at in [0, 1, 2, 3, 5, 6, 7, 8] {
        grid.sign(column + at, row, '▀', on);
    }
}

/// A time that may be wrong by a quarter.
pub(crate) fn about(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..60 => format!("about {} s", seconds.next_multiple_of(5).max(5)),
        seconds => format!("about {} min", seconds.div_ceil(60)),
    }
}
