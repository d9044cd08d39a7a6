// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where the ports stand on the case.

use std::collections::BTreeMap;

/// A port as it stands on the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What is printed beside it.
    pub label: String,
    /// Counted from 1, from the top.
    pub row: u16,
    /// Counted from 1, from the left.
    pub column: u16,
    /// Rows of sockets that stand apart; empty where there is one only.
    pub bank: String,
}

/// The station itself, as whoever built it describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Board {
    /// In the order in which they are shown. Empty: as many as the record has, in rows.
    pub places: Vec<Place>,
    /// What the about screen says: a name for each thing, and the thing.
    pub about: About,
}

/// What the station says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What the station is called.
    pub station: String,
    /// Of the software.
    pub version: String,
    /// Fingerprints of the authors that are trusted.
    pub author_keys: Vec<String>,
    /// Fingerprint of the station's own key.
    pub station_key: String,
}

/// Ports in rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How many rows there are.
    pub(crate) rows: u16,
    /// How many columns there are.
    pub(crate) columns: u16,
    /// Row and column of each port, counted from 0, as the ports read.
    pub(crate) cells: Vec<(u16, u16)>,
    /// Columns that a wider gap follows.
    pub(crate) gaps_after: Vec<u16>,
}

impl Plan {
    /// Where these ports stand. A tall panel has the columns as rows; on a flat one three or more stand in one row.
    pub(crate) fn new(places: &[Place], labels: &[String], is_tall: bool, is_flat: bool) -> Self {
        let known: BTreeMap<&str, &Place> = places.iter().map(|place| (place.label.as_str(), place)).collect();
        let mapped: Option<Vec<&Place>> = labels.iter().map(|label| known.get(label.as_str()).copied()).collect();
        match mapped.filter(|places| !places.is_empty() && places.iter().all(|place| place.row > 0)) {
            Some(places) if !is_tall => Self::of_map(&places),
            _ => Self::by_count(labels.len() as u16, is_tall, is_flat),
        }
    }

    fn of_map(places: &[&Place]) -> Self {
        // Banks stand beside each other, each as wide as its rightmost port.
        let mut starts: Vec<(&str, u16)> = Vec::new();
        for place in places {
            match starts.iter_mut().find(|(bank, _)| *bank == place.bank) {
                Some((_, width)) => *width = (*width).max(place.column),
                None => starts.push((&place.bank, place.column)),
            }
        }
        let (mut columns, mut gaps_after) = (0, Vec::new());
        for (_, width) in &mut starts {
            let start = columns;
            columns += *width;
            *width = start;
            gaps_after.push(columns - 1);
        }
        gaps_after.pop();
        let start = |bank: &str| starts.iter().find(|(name, _)| *name == bank).map_or(0, |(_, start)| *start);
        let cells: Vec<(u16, u16)> =
            places.iter().map(|place| (place.row - 1, start(&place.bank) + place.column.max(1) - 1)).collect();
        let rows = cells.iter().map(|(row, _)| row + 1).max().unwrap_or(1);
        Self { rows, columns: columns.max(1), cells, gaps_after }
    }

    fn by_count(count: u16, is_tall: bool, is_flat: bool) -> Self {
        let (rows, columns) = match count {
            0 | 1 => (1, 1),
            2 => (1, 2),
            3..=4 if is_flat => (1, count),
            3..=16 => (2, count.div_ceil(2)),
            _ => (4, count.div_ceil(4)),
        };
        let (rows, columns) = if is_tall && rows < columns { (columns, rows) } else { (rows, columns) };
        let cells = (0..count).map(|index| (index / columns, index % columns)).collect();
        let gaps_after = if columns >= 8 { (1..columns / 4).map(|bank| bank * 4 - 1).collect() } else { Vec::new() };
        Self { rows, columns, cells, gaps_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (1..=count).map(|number| number.to_string()).collect()
    }

    #[test]
    fn ports_stand_as_they_read() {
        let shape = |count, is_tall, is_flat| {
            let plan = Plan::new(&[], &labels(count), is_tall, is_flat);
            assert_eq!(plan.cells.len(), count);
            assert!(plan.cells.iter().all(|(row, column)| *row < plan.rows && *column < plan.columns), "{count}");
            (plan.rows, plan.columns)
        };
        assert_eq!([4, 8, 16, 32].map(|count| shape(count, false, false)), [(2, 2), (2, 4), (2, 8), (4, 8)]);
        assert_eq!((shape(4, false, true), shape(4, true, true), shape(8, true, false)), ((1, 4), (4, 1), (4, 2)));
        for count in [1, 2, 3, 5, 7, 31] {
            shape(count, false, false);
            shape(count, true, true);
        }
        assert_eq!(Plan::new(&[], &labels(16), false, false).gaps_after, [3]);
    }

    #[test]
    fn a_map_stands_as_the_case_does() {
        let place = |label: &str, row, column, bank: &str| Place {
            label: label.to_owned(),
            row,
            column,
            bank: bank.to_owned(),
        };
        let places = [place("1", 1, 1, "A"), place("2", 1, 2, "A"), place("3", 1, 1, "B"), place("4", 2, 1, "B")];
        let plan = Plan::new(&places, &labels(4), false, false);
        assert_eq!((plan.rows, plan.columns, &*plan.gaps_after), (2, 3, &[1][..]));
        assert_eq!(plan.cells, [(0, 0), (0, 1), (0, 2), (1, 2)]);
    }
}
