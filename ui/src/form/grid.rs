// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! All ports as they stand on the case, and how far the batch is.

use embedded_graphics::primitives::Rectangle;

use super::sizes::Sizes;
use super::tile;
use super::{batch, corners};
use crate::canvas::{Align, Canvas, Edges, area};
use crate::font::{Type, Weight};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Form, Grid, Page, Tile};
use crate::palette::Colour;

pub(super) fn medium(px: u16) -> Type {
    Type::Smooth(Weight::Medium, px)
}

pub(super) fn strong(px: u16) -> Type {
    Type::Smooth(Weight::Strong, px)
}

pub(super) fn figures(px: u16) -> Type {
    Type::Smooth(Weight::Figures, px)
}

/// The panel in parts: the tiles' and what is told of the batch.
struct Parts {
    tiles: Rectangle,
    batch: Rectangle,
    /// The batch stands at the side.
    is_rail: bool,
    /// Between tiles, and besides that between rows of sockets.
    gaps: (i32, i32),
}

pub(super) fn draw(page: &Page, grid: &Grid, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    if m.class == Class::Square && grid.tiles.len() <= 4 {
        return corners::draw(page, grid, canvas);
    }
    let parts = parts(grid, canvas);
    if !matches!(m.class, Class::Small | Class::Square) {
        batch::first_line(page, grid, canvas);
    }
    let mut tiles = parts.tiles;
    if let Some((title, line)) = &grid.invitation {
        tiles = invitation(title, line, tiles, canvas);
    }
    all_tiles(grid, tiles, parts.gaps, canvas);
    match (m.class, parts.is_rail) {
        (Class::Small | Class::Square, _) => batch::small_line(page, grid, parts.batch, canvas),
        (Class::Tall, _) => batch::tall_footer(page, grid, parts.batch, canvas),
        (_, true) => batch::rail(page, grid, parts.batch, canvas),
        (_, false) => batch::footer(page, grid, parts.batch, canvas),
    }
}

fn parts(grid: &Grid, canvas: &Canvas<'_>) -> Parts {
    let m = canvas.metrics;
    let (width, height) = m.extent();
    let inner = width - 2 * m.margin;
    let below = |footer: i32, gaps: (i32, i32), top: i32| Parts {
        tiles: area(m.margin, top, inner, height - top - footer - m.margin / 2),
        batch: area(m.margin, height - footer, inner, footer),
        is_rail: false,
        gaps,
    };
    match m.class {
        Class::Wide => below(128, (8, 16), m.header + 4),
        Class::Full if grid.plan.columns <= 6 && grid.tiles.len() <= 8 => {
            let rail = 192;
            let tiles = area(m.margin, 60, inner - rail - 16, height - 60 - 16);
            let batch = area(width - m.margin - rail, 60, rail, height - 60 - 16);
            match canvas.is_mirrored {
                false => Parts { tiles, batch, is_rail: true, gaps: (8, 8) },
                true => Parts {
                    tiles: area(m.margin + rail + 16, 60, tiles.width(), tiles.height()),
                    batch: area(m.margin, 60, rail, batch.height()),
                    is_rail: true,
                    gaps: (8, 8),
                },
            }
        }
        Class::Full => below(98, (6, 14), 52),
        Class::Tall => below(212, (8, 8), m.header),
        Class::Half => below(80, (6, 0), 36),
        Class::Small | Class::Square | Class::Mono => Parts {
            tiles: area(m.margin, 50, inner, height - 50 - m.margin),
            batch: area(m.margin, 0, inner, 50),
            is_rail: false,
            gaps: (if grid.tiles.len() <= 4 { 6 } else { 4 }, 0),
        },
    }
}

/// The least a tile may measure.
fn least(class: Class) -> (i32, i32) {
    match class {
        Class::Wide => (140, 112),
        Class::Full => (88, 96),
        Class::Tall => (140, 112),
        Class::Half => (104, 92),
        _ => (72, 76),
    }
}

fn all_tiles(grid: &Grid, at: Rectangle, (gap, bank): (i32, i32), canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (rows, columns) = (i32::from(grid.plan.rows), i32::from(grid.plan.columns));
    let (least_width, least_height) = if grid.invitation.is_some() { (44, 38) } else { least(m.class) };
    let fit = |room: i32, least: i32| ((room + gap) / (least + gap)).max(1);
    // Ways to other banks are met by a glove where there is room for it.
    let strip = match m.class {
        Class::Wide => 80,
        Class::Full => 56,
        Class::Tall => 52,
        Class::Half => 50,
        Class::Small | Class::Square | Class::Mono => 34,
    };
    let is_whole = fit(at.width(), least_width) >= columns && fit(at.height(), least_height) >= rows;
    let (across, down, tiles) = match is_whole {
        true => (columns, rows, at),
        false => {
            let across = fit(at.width(), least_width).min(columns);
            let across = if across > 4 && columns % 4 == 0 { across / 4 * 4 } else { across };
            let down = fit(at.height() - strip, least_height).min(rows);
            (across, down, area(at.left(), at.top() + strip, at.width(), at.height() - strip))
        }
    };
    let (wide, high) = ((columns + across - 1) / across, (rows + down - 1) / down);
    let pages = (wide * high) as usize;
    let shown = grid.page.min(pages - 1) as i32;
    let (from_column, from_row) = (shown % wide * across, shown / wide * down);
    if !is_whole {
        banks(
            grid,
            area(at.left(), at.top(), at.width(), strip - gap),
            (across, down, wide, shown, pages as i32),
            canvas,
        );
    }
    let gaps_before = |column: i32| {
        let after = grid.plan.gaps_after.iter().map(|after| i32::from(*after));
        after.filter(|after| (from_column..column).contains(after)).count() as i32
    };
    let free = tiles.width() - gap * (across - 1) - bank * gaps_before(from_column + across - 1);
    let (width, height) = (free / across, (tiles.height() - gap * (down - 1)) / down);
    let sizes = Sizes::of(&m, width, height);
    let left = tiles.left() + (free - width * across) / 2;
    for (tile, (row, column)) in grid.tiles.iter().zip(&grid.plan.cells) {
        let (row, column) = (i32::from(*row), i32::from(*column));
        if !(from_column..from_column + across).contains(&column) || !(from_row..from_row + down).contains(&row) {
            continue;
        }
        let x = left + (column - from_column) * (width + gap) + bank * gaps_before(column);
        let place = area(x, tiles.top() + (row - from_row) * (height + gap), width, height);
        match grid.invitation.is_some() {
            false => tile::draw(tile, place, &sizes, canvas),
            true => invited(tile, place, &sizes, canvas),
        }
    }
}

/// Ports of the other banks as small squares, with the ways to them.
fn banks(
    grid: &Grid,
    at: Rectangle,
    (across, down, wide, shown, pages): (i32, i32, i32, i32, i32),
    canvas: &mut Canvas<'_>,
) {
    let side = at.height() * 2 / 3;
    let y = at.top() + (at.height() - side) / 2;
    let turn = |to: i32| Action::Page(to.rem_euclid(pages) as usize);
    let key = at.width() / 6;
    canvas.icon(Icon::Back, at.left(), y, side, Colour::Text);
    canvas.target(area(at.left(), at.top(), key, at.height()), turn(shown - 1));
    canvas.icon(Icon::Next, at.right() - side, y, side, Colour::Text);
    canvas.target(area(at.right() - key, at.top(), key, at.height()), turn(shown + 1));
    let room = at.width() - 2 * key;
    let count = grid.tiles.len() as i32;
    let step = (room / (count + pages)).clamp(4, side);
    let mut x = at.left() + key + (room - step * (count + pages - 1)) / 2;
    for page in 0..pages {
        let start = x;
        for (tile, (row, column)) in grid.tiles.iter().zip(&grid.plan.cells) {
            let of = i32::from(*row) / down * wide + i32::from(*column) / across;
            if of == page {
                let place = area(x, at.top() + (at.height() - step) / 2, step - 2, step);
                match tile.form {
                    form if form.is_filled() => canvas.fill(place, form.own()),
                    Form::Framed => canvas.outline(place, 0, 2, Colour::Try),
                    Form::Plain => canvas.fill(place, Colour::Track),
                    _ => canvas.outline(place, 0, 1, Colour::Line),
                }
                x += step;
            }
        }
        if page == shown {
            canvas.fill(area(start, at.bottom() - 3, x - start - 2, 2), Colour::Text);
        }
        x += step;
    }
}

/// The largest type says what to do while nothing is inserted.
fn invitation(title: &str, line: &str, at: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let face = match m.class {
        Class::Wide => strong(88),
        Class::Full => strong(64),
        Class::Tall => strong(48),
        Class::Half => strong(38),
        _ => strong(26),
    };
    let face = if canvas.width(title, face) > at.width() { m.title } else { face };
    let top = at.top() + m.gap;
    let mut height =
        canvas.paragraph(title, face, Colour::Text, area(at.left(), top, at.width(), face.cap() + 2), Align::Left);
    height += face.line() / 3;
    let face =
        if matches!(m.class, Class::Wide | Class::Full | Class::Tall) { medium(super::px(m.name)) } else { m.second };
    let note = area(at.left(), top + height, at.width(), face.line() * 2 - face.cap() / 2);
    height += canvas.paragraph(line, face, Colour::Text, note, Align::Left) + m.gap * 2;
    area(at.left(), top + height, at.width(), at.bottom() - top - height)
}

/// An empty port below the invitation: its number, and the socket.
fn invited(tile: &Tile, at: Rectangle, sizes: &Sizes, canvas: &mut Canvas<'_>) {
    let colour = if tile.form == Form::Outline { Colour::Accent } else { tile.form.sign() };
    canvas.outline(at, sizes.radius, 2, Colour::Line);
    let number = figures(sizes.number);
    let inner = at.inset(sizes.pad);
    let side = number.cap() & !1;
    canvas.line(
        &tile.label,
        number,
        Colour::Text,
        (inner.left(), inner.top() + number.cap()),
        inner.width(),
        Align::Left,
    );
    canvas.icon(tile.icon, inner.right() - side, inner.bottom() - side, side, colour);
    canvas.target(at, tile.action.clone());
}
