// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How large what is in a tile is, by the panel's class and the room a tile has.

use crate::metrics::{Class, Metrics};

/// Sizes of what is in a tile, the same for all tiles on a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) pad: i32,
    pub(super) radius: u16,
    pub(super) frame: u16,
    pub(super) number: u16,
    pub(super) percent: u16,
    pub(super) hand: u16,
    pub(super) action: u16,
    pub(super) word: u16,
    pub(super) second: u16,
    pub(super) bar: i32,
    pub(super) bar_gap: i32,
    /// Which of the words is said: 0 the longest.
    pub(super) length: usize,
    /// The action below the word of a state that asks for a hand.
    pub(super) has_action: bool,
    /// The code below that.
    pub(super) has_code: bool,
    /// How far it is stands in large figures.
    pub(super) has_large_percent: bool,
    /// Percent and time in one line above the bar.
    pub(super) has_small_percent: bool,
    /// Those stand at the right, beside word and time, instead of above them.
    pub(super) is_percent_beside: bool,
    /// The sign of a state that asks for a hand stands below the number, so large; 0: at its right.
    pub(super) sign_below: i32,
}

impl Sizes {
    /// What stands in tiles of this size.
    pub(super) fn of(m: &Metrics, width: i32, height: i32) -> Self {
        let base = Self {
            pad: 12,
            radius: 6,
            frame: 5,
            number: 38,
            percent: 50,
            hand: 28,
            action: 19,
            word: 20,
            second: 18,
            bar: 10,
            bar_gap: 6,
            length: 1,
            has_action: true,
            has_code: true,
            has_large_percent: true,
            has_small_percent: false,
            is_percent_beside: false,
            sign_below: 0,
        };
        match m.class {
            Class::Wide if width >= 400 && height >= 180 => Self {
                pad: 20,
                radius: 10,
                frame: 6,
                number: 72,
                percent: 96,
                hand: 56,
                action: 34,
                word: 34,
                second: 26,
                bar: 18,
                bar_gap: 10,
                length: 0,
                is_percent_beside: true,
                ..base
            },
            Class::Wide if height >= 180 => Self {
                pad: 14,
                radius: 8,
                frame: 6,
                number: 48,
                percent: 58,
                hand: 30,
                action: 24,
                word: 24,
                second: 22,
                bar: 14,
                bar_gap: 8,
                sign_below: if height >= 210 { 52 } else { 0 },
                ..base
            },
            Class::Wide => Self {
                pad: 11,
                radius: 8,
                frame: 5,
                hand: 26,
                action: 20,
                has_code: false,
                has_large_percent: false,
                has_small_percent: true,
                ..base
            },
            Class::Full if width >= 240 && height >= 150 => Self {
                pad: 14,
                number: 52,
                percent: 64,
                hand: 38,
                action: 24,
                word: 25,
                second: 20,
                bar: 12,
                bar_gap: 8,
                length: 0,
                is_percent_beside: true,
                ..base
            },
            Class::Full if width >= 120 && height >= 190 => Self { sign_below: 42, ..base },
            Class::Full if width >= 120 => Self { hand: 26, ..base },
            Class::Full if height >= 130 => Self {
                pad: 7,
                radius: 5,
                frame: 4,
                number: 30,
                percent: 36,
                hand: 19,
                action: 17,
                word: 17,
                second: 17,
                bar_gap: 5,
                length: 1,
                ..base
            },
            Class::Full => Self {
                pad: 7,
                radius: 5,
                frame: 4,
                number: 30,
                percent: 0,
                hand: 19,
                action: 17,
                word: 17,
                second: 17,
                bar: 8,
                bar_gap: 5,
                length: 1,
                has_code: false,
                has_large_percent: false,
                ..base
            },
            Class::Tall => Self {
                pad: 13,
                length: 0,
                has_code: height >= 150,
                has_large_percent: false,
                has_small_percent: true,
                ..base
            },
            Class::Half => Self {
                pad: 8,
                radius: 5,
                frame: 4,
                number: 30,
                percent: 0,
                hand: 21,
                action: 17,
                word: 17,
                second: 16,
                bar: 8,
                bar_gap: 5,
                has_code: height >= 150,
                has_large_percent: false,
                has_small_percent: true,
                ..base
            },
            Class::Small | Class::Square | Class::Mono if width >= 104 => Self {
                pad: 9,
                radius: 5,
                frame: 4,
                number: 30,
                percent: if width >= 140 { 16 } else { 0 },
                hand: 24,
                action: 17,
                word: 17,
                second: 17,
                bar: 8,
                bar_gap: 5,
                length: 1,
                has_code: false,
                has_large_percent: false,
                ..base
            },
            Class::Small | Class::Square | Class::Mono => Self {
                pad: 6,
                radius: 4,
                frame: 3,
                number: 22,
                percent: 0,
                hand: 16,
                action: 16,
                word: 15,
                second: 15,
                bar: 6,
                bar_gap: 4,
                length: 1,
                has_action: false,
                has_code: false,
                has_large_percent: false,
                ..base
            },
        }
    }
}
