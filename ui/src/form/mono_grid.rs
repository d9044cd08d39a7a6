// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Ports on a panel of one bit: filled where a hand is needed, an outline where the station works, dots where nothing is.

use embedded_graphics::primitives::Rectangle;

use super::mono::{BOLD, NINE, SEVEN, number};
use crate::canvas::{Align, Canvas, Edges, area};
use crate::page::{Action, Form, Grid, Page, Tile};
use crate::palette::Colour;

/// As many stand on one panel.
const MOST: usize = 8;

pub(super) fn draw(page: &Page, grid: &Grid, canvas: &mut Canvas<'_>) {
    let (width, height) = canvas.metrics.extent();
    let pages = grid.tiles.len().div_ceil(MOST).max(1);
    let shown = grid.page.min(pages - 1);
    let tiles = &grid.tiles[(shown * MOST).min(grid.tiles.len())..];
    let tiles = &tiles[..tiles.len().min(MOST)];
    let rest = match &grid.invitation {
        Some((title, _)) => invitation(page, title, grid, canvas),
        None => {
            first_line(page, grid, (shown, pages), canvas);
            area(0, 12, width, height - 12)
        }
    };
    let count = tiles.len() as i32;
    let columns = match (count, height > width) {
        _ if rest.height() < 30 => count,
        (_, true) => 2.min(count),
        (0..=4, false) => count,
        _ => (count + 1) / 2,
    }
    .max(1);
    let lines = ((count + columns - 1) / columns).max(1);
    let (wide, high) = ((rest.width() - (columns - 1)) / columns, (rest.height() - (lines - 1)) / lines);
    for (tile, index) in tiles.iter().zip(0..) {
        let at =
            area(rest.left() + index % columns * (wide + 1), rest.top() + index / columns * (high + 1), wide, high);
        one(tile, at, canvas);
    }
}

fn first_line(page: &Page, grid: &Grid, (shown, pages): (usize, usize), canvas: &mut Canvas<'_>) {
    let (width, _) = canvas.metrics.extent();
    let mut right = width - 1;
    if pages > 1 {
        let text = format!("{}/{pages} >", shown + 1);
        let used = canvas.line(&text, NINE, Colour::Text, (0, 9), right, Align::Right);
        let next = Action::Page((shown + 1) % pages);
        canvas.target(area(right - used - 2, 0, used + 3, 11), next);
        right -= used + 6;
    }
    let (said, time) = match &grid.count {
        Some(count) if pages > 1 => (format!("{} {}", count.good, count.of), String::new()),
        Some(count) => (format!("{} {}", count.good, count.of), count.brief_left.clone()),
        None => (page.title.clone(), String::new()),
    };
    let used = canvas.counter(&time, NINE, Colour::Text, (0, 9), right, Align::Right);
    canvas.line(&said, NINE, Colour::Text, (1, 9), right - used - 3, Align::Left);
}

fn invitation(page: &Page, title: &str, grid: &Grid, canvas: &mut Canvas<'_>) -> Rectangle {
    let (width, height) = canvas.metrics.extent();
    let face = if canvas.width(title, BOLD) <= width - 2 { BOLD } else { NINE };
    canvas.line(title, face, Colour::Text, (1, 12), width - 2, Align::Left);
    canvas.line(&page.title, NINE, Colour::Text, (1, 26), width - 2, Align::Left);
    let (icon, mode) = &grid.mode;
    let mut left = 1;
    if let Some(icon) = icon {
        canvas.icon(*icon, 1, height - 12, 11, Colour::Text);
        left = 14;
    }
    let counted = grid.count.as_ref().map(|count| format!("{} {}", count.good, count.of)).unwrap_or_default();
    let used = canvas.line(&counted, NINE, Colour::Text, (left, height - 3), width - left - 1, Align::Right);
    canvas.line(mode, NINE, Colour::Text, (left, height - 3), width - left - used - 4, Align::Left);
    area(0, 31, width, height - 31 - 14)
}

fn one(tile: &Tile, at: Rectangle, canvas: &mut Canvas<'_>) {
    let ink = if tile.form.is_filled() { Colour::Ink } else { Colour::Text };
    match tile.form {
        Form::Outline => canvas.dotted(at, Colour::Text),
        Form::Plain | Form::Quiet => canvas.outline(at, 0, 1, Colour::Text),
        Form::Framed => canvas.outline(at, 0, 2, Colour::Text),
        Form::Ready => canvas.fill(at, Colour::Text),
        Form::Bad => canvas.octagon(at, 4, Colour::Text),
    }
    let is_narrow = at.width() < 28;
    let is_low = at.height() < 40;
    let room = if is_narrow { at.width() - 7 } else { at.width() - 19 };
    let number = number(&tile.label, if is_low { 2 } else { 3 }, room, canvas);
    let baseline = at.top() + 4 + number.cap();
    canvas.line(&tile.label, number, ink, (at.left() + 4, baseline), room, Align::Left);
    if !is_narrow {
        canvas.icon(tile.icon, at.right() - 14, at.top() + 5, 11, ink);
    }
    canvas.target(at, tile.action.clone());
    // Two rows of tiles leave no room for words; their form and sign say it.
    if is_low {
        if let (Some(halves), true) = (tile.halves, at.height() >= 24) {
            bar(halves, tile.is_cut, area(at.left() + 4, at.bottom() - 6, at.width() - 8, 4), canvas);
        }
        return;
    }
    let words = area(at.left() + 3, baseline + 3, at.width() - 4, at.bottom() - baseline - 6);
    let said = &tile.words[2];
    let face = if canvas.width(said, NINE) <= words.width() { NINE } else { SEVEN };
    if let Some(halves) = tile.halves {
        bar(halves, tile.is_cut, area(at.left() + 4, at.bottom() - 11, at.width() - 8, 7), canvas);
        canvas.line(said, face, ink, (words.left(), at.bottom() - 14), words.width(), Align::Left);
    } else if tile.form.asks() {
        canvas.line(said, face, ink, (words.left(), at.bottom() - 17), words.width(), Align::Left);
        canvas.line(&tile.todo[1], face, ink, (words.left(), at.bottom() - 5), words.width(), Align::Left);
    } else {
        canvas.line(said, face, ink, (words.left(), at.bottom() - 5), words.width(), Align::Left);
    }
}

/// Two halves side by side, each filled as far as it is.
pub(super) fn bar([first, second]: [u16; 2], is_cut: bool, at: Rectangle, canvas: &mut Canvas<'_>) {
    let half = (at.width() - 2) / 2;
    for (part, x) in [(first, at.left()), (second, at.right() - half)] {
        let place = area(x, at.top(), half, at.height());
        canvas.outline(place, 0, 1, Colour::Text);
        canvas.fill(area(x, at.top(), half * i32::from(part) / 1000, at.height()), Colour::Text);
    }
    if is_cut {
        canvas.fill(area(at.left() + half, at.top() - 2, 2, at.height() + 4), Colour::Text);
    }
}
