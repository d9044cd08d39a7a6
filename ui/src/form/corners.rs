// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The smallest square panels: four tiles around a disc with the count.

use embedded_graphics::primitives::Rectangle;

use super::tile;
use crate::canvas::{Align, Canvas, Edges, area};
use crate::font::{Type, Weight};
use crate::icon::Icon;
use crate::page::{Form, Grid, Page, Tile};
use crate::palette::Colour;

/// Four tiles around a disc with the count: the smallest square panels, which may be round.
pub(super) fn draw(page: &Page, grid: &Grid, canvas: &mut Canvas<'_>) {
    let (width, height) = canvas.metrics.extent();
    let (margin, gap) = (2, 4);
    let columns = i32::from(grid.plan.columns).clamp(1, 2);
    let rows = ((grid.tiles.len() as i32 + columns - 1) / columns).max(1);
    let (wide, high) =
        ((width - 2 * margin - gap * (columns - 1)) / columns, (height - 2 * margin - gap * (rows - 1)) / rows);
    for (tile, index) in grid.tiles.iter().zip(0..) {
        let (row, column) = (index / columns, index % columns);
        let at = area(margin + column * (wide + gap), margin + row * (high + gap), wide, high);
        corner(tile, at, (row == 0 || rows == 1, column == 0), canvas);
    }
    let radius = 41;
    let disc = area(width / 2 - radius, height / 2 - radius, 2 * radius, 2 * radius);
    canvas.round(disc, radius as u16, Colour::Ground);
    match &grid.count {
        Some(count) => {
            let large = figures(40);
            let y = disc.top() + 44;
            canvas.line(&count.good, large, Colour::Text, (disc.left() + 6, y), disc.width() - 12, Align::Centre);
            canvas.line(
                &count.of,
                Type::Smooth(Weight::Medium, 16),
                Colour::Quiet,
                (disc.left() + 8, y + 20),
                disc.width() - 16,
                Align::Centre,
            );
        }
        None => canvas.icon(Icon::Menu, width / 2 - 16, height / 2 - 16, 32, Colour::Text),
    }
    if let Some(menu) = page.buttons.last() {
        canvas.target(disc, menu.action.clone());
    }
}

/// A quarter of a square panel: what is in it keeps to its outer corner.
fn corner(tile: &Tile, at: Rectangle, (is_upper, is_left): (bool, bool), canvas: &mut Canvas<'_>) {
    let pad = 16;
    match tile.form {
        Form::Outline => canvas.outline(at, 20, 2, Colour::Line),
        Form::Ready => canvas.round(at, 20, Colour::Ready),
        Form::Bad => canvas.octagon(at, 26, Colour::Bad),
        Form::Plain => canvas.round(at, 20, Colour::Surface),
        Form::Quiet | Form::Framed => {
            canvas.round(at, 20, Colour::Surface);
            canvas.outline(at, 20, 4, tile.form.own());
        }
    }
    let text = match tile.form {
        Form::Ready | Form::Bad => Colour::Ink,
        Form::Outline => Colour::Quiet,
        _ => Colour::Text,
    };
    let inner = at.inset(pad);
    let number = figures(34);
    let icon = 26;
    let row = if is_upper { inner.top() + number.cap() } else { inner.bottom() };
    let (number_align, icon_x) = match is_left {
        true => (Align::Left, inner.left() + 58),
        false => (Align::Right, inner.right() - 58 - icon),
    };
    canvas.line(&tile.label, number, text, (inner.left(), row), inner.width(), number_align);
    canvas.icon(tile.icon, icon_x, row - number.cap() / 2 - icon / 2, icon, tile.form.sign());
    let word = Type::Smooth(Weight::Strong, 20);
    let said =
        tile.words[1..].iter().find(|said| canvas.width(said, word) <= inner.width() + 8).unwrap_or(&tile.words[2]);
    let colour = if tile.form == Form::Framed { Colour::Try } else { text };
    let baseline = if is_upper { row + 36 } else { row - number.cap() - 22 };
    let align = if is_left { Align::Left } else { Align::Right };
    canvas.line(said, word, colour, (inner.left() - 4, baseline), inner.width() + 8, align);
    if let Some(halves) = tile.halves {
        let width = 58;
        let x = if is_left { inner.left() } else { inner.right() - width };
        let y = if is_upper { baseline + 13 } else { baseline - word.cap() - 21 };
        tile::bar(halves, tile.is_cut, area(x, y, width, 8), Colour::Accent, canvas, 4);
    }
    canvas.target(at, tile.action.clone());
}

fn figures(px: u16) -> Type {
    Type::Smooth(Weight::Figures, px)
}
