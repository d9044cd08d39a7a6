// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A port's tile on a panel with colours. What it says depends on how much room it has; nothing is made smaller to fit.

use embedded_graphics::primitives::Rectangle;

use super::sizes::Sizes;
use crate::canvas::{Align, Canvas, Edges, area};
use crate::font::{Type, Weight};
use crate::page::{Form, Tile};
use crate::palette::Colour;

/// Draw a tile.
pub(super) fn draw(tile: &Tile, at: Rectangle, sizes: &Sizes, canvas: &mut Canvas<'_>) {
    let is_pressed = canvas.pressed.as_ref() == Some(&tile.action);
    let ground = ground(tile.form, at, sizes, is_pressed, canvas);
    let ink = |colour: Colour| if is_pressed { Colour::Ink } else { colour };
    let text = match tile.form {
        Form::Outline => Colour::Quiet,
        Form::Ready | Form::Bad => Colour::Ink,
        _ => Colour::Text,
    };
    let sign = ink(tile.form.sign());
    let inner = at.inset(sizes.pad);
    let number = Type::Smooth(Weight::Figures, sizes.number);
    let baseline = inner.top() + number.cap();
    let icon = (number.cap() + 3) & !1;
    let is_below = tile.form.asks() && sizes.sign_below > 0;
    let number_room = inner.width() - if is_below { 0 } else { icon + 4 };
    canvas.line(&tile.label, number, ink(text), (inner.left(), baseline), number_room, Align::Left);
    if is_below {
        let y = baseline + sizes.pad * 3 / 2;
        canvas.icon(tile.icon, inner.left(), y, sizes.sign_below, sign);
    } else {
        canvas.icon(tile.icon, inner.right() - icon, inner.top() + (number.cap() - icon) / 2, icon, sign);
    }
    let bottom = inner.bottom();
    if tile.form.asks() {
        hand(
            tile,
            inner,
            bottom,
            sizes,
            (sign, ink(if tile.form.is_filled() { Colour::Ink } else { Colour::Text })),
            canvas,
        );
    } else {
        work(tile, inner, baseline, sizes, (ink(text), ink(Colour::Quiet), ground), canvas);
    }
    canvas.target(at, tile.action.clone());
}

/// The form itself. Gives back what is behind the text.
fn ground(form: Form, at: Rectangle, sizes: &Sizes, is_pressed: bool, canvas: &mut Canvas<'_>) -> Colour {
    if is_pressed {
        canvas.round(at, sizes.radius, Colour::Text);
        return Colour::Text;
    }
    match form {
        Form::Outline => {
            canvas.outline(at, sizes.radius, 2, Colour::Line);
            Colour::Ground
        }
        Form::Plain => {
            canvas.round(at, sizes.radius, Colour::Surface);
            Colour::Surface
        }
        Form::Quiet | Form::Framed => {
            canvas.round(at, sizes.radius, Colour::Surface);
            canvas.outline(at, sizes.radius, sizes.frame, form.own());
            Colour::Surface
        }
        Form::Ready => {
            canvas.round(at, sizes.radius, Colour::Ready);
            Colour::Ready
        }
        Form::Bad => {
            canvas.octagon(at, (sizes.pad * 8 / 5) as u16, Colour::Bad);
            Colour::Bad
        }
    }
}

/// From the bottom: the code, what to do, the word.
fn hand(
    tile: &Tile,
    inner: Rectangle,
    bottom: i32,
    sizes: &Sizes,
    (sign, text): (Colour, Colour),
    canvas: &mut Canvas<'_>,
) {
    let mut y = bottom - 1;
    let second = Type::Smooth(Weight::Medium, sizes.second);
    if sizes.has_code && tile.form == Form::Bad && !tile.code.is_empty() {
        // The octagon's corner takes a little of the lowest line.
        canvas.line(&tile.code, second, text, (inner.left(), y), inner.width(), Align::Left);
        y -= second.cap() + sizes.second as i32 / 2;
    }
    let action = Type::Smooth(Weight::Strong, sizes.action);
    if sizes.has_action && !tile.todo[0].is_empty() {
        canvas.line(&tile.todo[0], action, text, (inner.left(), y), inner.width() + 3, Align::Left);
        y -= action.cap() + sizes.action as i32 / 2;
    }
    let word = Type::Smooth(Weight::Strong, sizes.hand);
    let said = fitting(tile, word, inner.width(), sizes, canvas);
    canvas.line(&said, word, sign, (inner.left(), y), inner.width(), Align::Left);
}

/// The longest of the words that there is room for.
fn fitting(tile: &Tile, face: Type, room: i32, sizes: &Sizes, canvas: &Canvas<'_>) -> String {
    let words = &tile.words[sizes.length.min(2)..];
    let fitting = words.iter().find(|word| canvas.width(word, face) <= room);
    fitting.or(words.last()).cloned().unwrap_or_default()
}

/// From the bottom: the bar, the time left, the word; between number and word the percent.
fn work(
    tile: &Tile,
    inner: Rectangle,
    number_baseline: i32,
    sizes: &Sizes,
    (text, quiet, ground): (Colour, Colour, Colour),
    canvas: &mut Canvas<'_>,
) {
    let mut y = inner.bottom();
    if let Some(halves) = tile.halves {
        let full = if tile.form == Form::Quiet { Colour::Quiet } else { Colour::Accent };
        let full = if ground == Colour::Text { Colour::Ink } else { full };
        bar(
            halves,
            tile.is_cut,
            area(inner.left(), y - sizes.bar, inner.width(), sizes.bar),
            full,
            canvas,
            sizes.bar_gap,
        );
        y -= sizes.bar + sizes.second as i32 * 3 / 5;
    }
    let foot = y;
    let second = Type::Smooth(Weight::Medium, sizes.second);
    let word = Type::Smooth(if tile.form == Form::Outline { Weight::Medium } else { Weight::Strong }, sizes.word);
    let percent = tile.percent.map(|percent| format!("{percent}%"));
    match (&percent, sizes.has_small_percent, sizes.has_large_percent) {
        (Some(percent), true, _) => {
            let [_, brief] = &tile.left;
            let time = canvas.counter(brief, second, quiet, (inner.left(), y), inner.width(), Align::Right);
            let room = inner.width() - time - 4;
            canvas.counter(percent, second, quiet, (inner.left(), y), room, Align::Left);
            y -= second.cap() + sizes.second as i32 / 2;
        }
        (_, _, true) if !tile.left[1].is_empty() => {
            let [long, brief] = &tile.left;
            let said = if canvas.fonts.width(long, second, true) <= inner.width() { long } else { brief };
            canvas.counter(said, second, quiet, (inner.left(), y), inner.width(), Align::Left);
            y -= second.cap() + sizes.second as i32 / 2;
        }
        _ => {}
    }
    let mut room = inner.width() / if sizes.is_percent_beside && tile.percent.is_some() { 2 } else { 1 };
    // Two to a row: the percent stands at the word's right.
    if let (Some(percent), false, false) = (&percent, sizes.has_small_percent, sizes.has_large_percent)
        && sizes.percent > 0
    {
        room -= canvas.counter(percent, second, quiet, (inner.left(), y), inner.width(), Align::Right) + 4;
    }
    let said = fitting(tile, word, room, sizes, canvas);
    canvas.line(&said, word, text, (inner.left(), y), room, Align::Left);
    if let (Some(percent), true, false) = (tile.percent, sizes.has_large_percent, tile.is_cut) {
        let figures = Type::Smooth(Weight::Strong, sizes.percent);
        let middle = (number_baseline + y - word.cap() + figures.cap()) / 2;
        let baseline = if sizes.is_percent_beside { foot } else { middle };
        let colour = if tile.form == Form::Quiet { Colour::Quiet } else { text };
        large_percent(percent, inner, baseline, sizes, colour, canvas);
    }
}

/// The percent in large figures, with a smaller sign.
fn large_percent(percent: u8, inner: Rectangle, baseline: i32, sizes: &Sizes, colour: Colour, canvas: &mut Canvas<'_>) {
    let figures = Type::Smooth(Weight::Strong, sizes.percent);
    let sign = Type::Smooth(Weight::Medium, sizes.percent * 3 / 5);
    let digits = percent.to_string();
    let sign_width = canvas.width("%", sign);
    let room = inner.width() - sign_width - 2;
    let align = if sizes.is_percent_beside { Align::Right } else { Align::Left };
    let width = canvas.counter(&digits, figures, colour, (inner.left(), baseline), room, align);
    let left = if sizes.is_percent_beside { inner.left() + room } else { inner.left() + width };
    canvas.line("%", sign, colour, (left + 2, baseline), sign_width, Align::Left);
}

/// Two halves, and a bridge over the gap while the power is cut.
pub(super) fn bar(
    [first, second]: [u16; 2],
    is_cut: bool,
    at: Rectangle,
    full: Colour,
    canvas: &mut Canvas<'_>,
    gap: i32,
) {
    let half = (at.width() - gap) / 2;
    for (part, x) in [(first, at.left()), (second, at.right() - half)] {
        let done = half * i32::from(part) / 1000;
        canvas.fill(area(x + done, at.top(), half - done, at.height()), Colour::Track);
        canvas.fill(area(x, at.top(), done, at.height()), full);
    }
    if is_cut {
        let over = (at.height() / 2).max(3);
        let x = at.left() + half;
        canvas.fill(area(x, at.top() - over + 1, at.width() - 2 * half, at.height() + 2 * over - 2), Colour::Text);
    }
}
