// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One thing, fact by fact: a port, a medium, the station itself.

use embedded_graphics::primitives::Rectangle;

use super::tile;
use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::{Type, Weight};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Facts, Form, Page, Tile};
use crate::palette::Colour;

pub(super) fn draw(page: &Page, of: &Facts, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let mut rest = rest;
    let mut port = None;
    if let Some((tile, word, (plan, index))) = &of.port {
        if matches!(m.class, Class::Wide | Class::Full | Class::Half) {
            let width = match m.class {
                Class::Wide => 300,
                Class::Full => 184,
                _ => 110,
            };
            side(tile, (plan, *index), area(rest.left(), rest.top(), width, rest.height()), canvas);
            let left = rest.left() + width + m.margin * 3 / 2;
            rest = area(left, rest.top(), rest.right() - left, rest.height());
        }
        port = Some((tile, word));
    }
    rest = super::buttons(page, rest, canvas);
    if let Some((tile, word)) = port {
        rest = progress(tile, word, rest, canvas);
    }
    if let Some((before, after)) = &of.turn {
        rest = turns(before, after, rest, canvas);
    }
    if !of.heading.is_empty() {
        let lines = canvas.broken(&of.heading, m.name, rest.width()).len().min(2) as i32;
        let height = lines * m.name.line();
        canvas.paragraph(
            &of.heading,
            m.name,
            Colour::Text,
            area(rest.left(), rest.top() + m.gap, rest.width(), height - m.name.line() + m.name.cap()),
            Align::Left,
        );
        let used = height + m.gap * 2;
        rest = area(rest.left(), rest.top() + used, rest.width(), rest.height() - used);
    }
    rest = notes(of, rest, canvas);
    rows(of, rest, canvas);
}

/// The port's number and where it stands.
fn side(tile: &Tile, (plan, index): (&crate::board::Plan, usize), at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (ground, ink) = match tile.form {
        Form::Ready | Form::Bad => (tile.form.own(), Colour::Ink),
        _ => (Colour::Surface, Colour::Text),
    };
    canvas.round(at, m.radius, ground);
    if matches!(tile.form, Form::Framed | Form::Quiet) {
        canvas.outline(at, m.radius, m.frame, tile.form.own());
    }
    let inner = at.inset(m.margin);
    let map_height = inner.height() / 3;
    let number = super::message::fitting_number(&tile.label, m.number, inner.width(), canvas);
    let px = super::px(number).min((inner.height() - map_height) as u16);
    let number = Type::Smooth(Weight::Figures, px);
    let baseline = middle(inner.top(), inner.height() - map_height, number);
    canvas.line(&tile.label, number, ink, (inner.left(), baseline), inner.width(), Align::Centre);
    let sign = if ground == Colour::Surface { Colour::Accent } else { ink };
    super::map(
        plan,
        index,
        area(inner.left(), inner.bottom() - map_height + m.gap, inner.width(), map_height - m.gap),
        sign,
        canvas,
    );
}

/// The state in words, the percent, both halves and the times.
fn progress(tile: &Tile, word: &str, rest: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let face = match m.class {
        Class::Wide => Type::Smooth(Weight::Strong, 48),
        Class::Full | Class::Tall => Type::Smooth(Weight::Strong, 34),
        Class::Half => Type::Smooth(Weight::Strong, 24),
        _ => Type::Smooth(Weight::Strong, 20),
    };
    let side = (face.cap() * 5 / 4) & !1;
    let baseline = rest.top() + face.cap() + m.gap / 2;
    let colour = if tile.form.is_filled() { tile.form.own() } else { tile.form.sign() };
    canvas.icon(tile.icon, rest.left(), baseline - face.cap() / 2 - side / 2, side, colour);
    let mut room = rest.width();
    if let Some(percent) = tile.percent {
        let width = canvas.fonts.width("100%", face, true);
        canvas.counter(&format!("{percent}%"), face, Colour::Text, (rest.left(), baseline), room, Align::Right);
        room -= width + m.gap;
    }
    let left = rest.left() + side + m.gap * 3 / 2;
    canvas.line(word, face, Colour::Text, (left, baseline), room - side - m.gap * 3 / 2, Align::Left);
    let mut top = baseline + m.gap * 2;
    if let Some(halves) = tile.halves {
        let height = match m.class {
            Class::Wide => 28,
            Class::Full | Class::Tall => 18,
            _ => 10,
        };
        tile::bar(
            halves,
            tile.is_cut,
            area(rest.left(), top, rest.width(), height),
            Colour::Accent,
            canvas,
            height / 2,
        );
        top += height + m.gap;
        if !tile.left[0].is_empty() {
            canvas.counter(
                &tile.left[0],
                m.second,
                Colour::Text,
                (rest.left(), top + m.second.cap()),
                rest.width(),
                Align::Right,
            );
            top += m.second.line();
        }
    }
    area(rest.left(), top, rest.width(), rest.bottom() - top)
}

/// The ways to the thing before and the one after, at both sides.
fn turns(before: &Action, after: &Action, rest: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let key = m.button.min(rest.width() / 6);
    let side = m.head.cap() * 3 / 2;
    for (icon, action, x) in [(Icon::Back, before, rest.left()), (Icon::Next, after, rest.right() - key)] {
        let at = area(x, rest.top(), key, rest.height());
        canvas.round(at, m.radius, Colour::Surface);
        canvas.icon(icon, x + (key - side) / 2, at.top() + (at.height() - side) / 2, side, Colour::Text);
        canvas.target(at, action.clone());
    }
    area(rest.left() + key + m.gap * 2, rest.top(), rest.width() - 2 * key - 4 * m.gap, rest.height())
}

/// What is to be known besides, at the lower edge.
fn notes(of: &Facts, rest: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let line = m.second.line() + m.gap / 2;
    let height = line * of.notes.len() as i32;
    let mut baseline = rest.bottom() - height + m.second.cap() + m.gap / 2;
    for (icon, colour, text) in &of.notes {
        let side = (m.second.cap() * 5 / 4) & !1;
        canvas.icon(*icon, rest.left(), baseline - m.second.cap() / 2 - side / 2, side, *colour);
        let left = side + m.gap;
        canvas.line(text, m.second, Colour::Text, (rest.left() + left, baseline), rest.width() - left, Align::Left);
        baseline += line;
    }
    area(rest.left(), rest.top(), rest.width(), rest.height() - height)
}

/// A name for each fact, and the fact; those for which there is no room are left out, the last first.
fn rows(of: &Facts, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    // There is room for more where the panel is wide.
    let plain = if m.class == Class::Wide { Type::Smooth(Weight::Medium, 28) } else { m.second };
    let strong = Type::Smooth(Weight::Strong, super::px(plain));
    let least = plain.line() + 2;
    // What is too long to stand beside its name stands below it.
    let is_long = |name: &str, fact: &str, canvas: &Canvas<'_>| {
        canvas.width(name, plain) + m.gap * 2 + canvas.width(fact, strong) > rest.width()
    };
    let all: i32 = of.facts.iter().map(|(name, fact)| 1 + i32::from(is_long(name, fact, canvas))).sum();
    let lines = (rest.height() / least).min(all).max(1);
    let step = (rest.height() / lines).min(plain.line() * 8 / 5);
    let mut top = rest.top();
    for (name, fact) in &of.facts {
        let height = if is_long(name, fact, canvas) { step * 2 } else { step };
        if top + height > rest.bottom() {
            break;
        }
        let label =
            canvas.line(name, plain, Colour::Quiet, (rest.left(), middle(top, step, plain)), rest.width(), Align::Left);
        let room = if height > step { rest.width() } else { rest.width() - label - m.gap * 2 };
        let fact = canvas.both_ends(fact, strong, room);
        let baseline = middle(top + height - step, step, plain);
        canvas.line(&fact, strong, Colour::Text, (rest.right() - room, baseline), room, Align::Right);
        canvas.fill(area(rest.left(), top + height - 1, rest.width(), 1), Colour::Track);
        top += height;
    }
}
