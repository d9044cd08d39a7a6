// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One sentence in large letters, and the first screen of all.

use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Statement};
use crate::palette::Colour;
use crate::words::Language;

pub(super) fn draw(statement: &Statement, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let mut top = rest.top() + m.gap * 2;
    if let Some((icon, colour)) = statement.icon {
        let side = m.title.cap() * 3 / 2;
        canvas.icon(icon, rest.left(), top, side, colour);
        top += side + m.gap * 2;
    }
    let face = m.title;
    let lines = canvas.broken(&statement.title, face, rest.width()).len() as i32;
    let room = area(rest.left(), top, rest.width(), (lines - 1) * face.line() + face.cap());
    top += canvas.paragraph(&statement.title, face, Colour::Text, room, Align::Left) + face.line() / 2;
    if let Some(part) = statement.part {
        let height = if matches!(m.class, Class::Wide | Class::Full) { 14 } else { 8 };
        let done = rest.width() * i32::from(part) / 1000;
        canvas.fill(area(rest.left() + done, top, rest.width() - done, height), Colour::Track);
        canvas.fill(area(rest.left(), top, done, height), Colour::Accent);
        top += height + m.gap * 2;
    }
    let note = if matches!(m.class, Class::Wide | Class::Full | Class::Tall) { m.name } else { m.second };
    canvas.paragraph(
        &statement.note,
        note,
        Colour::Quiet,
        area(rest.left(), top, rest.width(), rest.bottom() - top),
        Align::Left,
    );
}

/// A cross to be touched: in one of the corners or, the fifth, in the middle.
pub(super) fn cross(title: &str, corner: u8, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (width, height) = m.extent();
    let side = (height / 5).max(12);
    let (x, y) = match corner {
        0 => (0, 0),
        1 => (width - side, 0),
        2 => (width - side, height - side),
        3 => (0, height - side),
        _ => ((width - side) / 2, (height - side) / 2),
    };
    let stroke = (side / 16).max(1);
    canvas.fill(area(x, y + (side - stroke) / 2, side, stroke), Colour::Accent);
    canvas.fill(area(x + (side - stroke) / 2, y, stroke, side), Colour::Accent);
    if corner < 4 {
        let room = width - 2 * m.margin;
        canvas.line(title, m.name, Colour::Text, (m.margin, middle(0, height, m.name)), room, Align::Centre);
    }
    canvas.target(area(x, y, side, side), Action::Judge(true));
}

/// Each language named in itself.
pub(super) fn languages(
    all: &[(Language, String, String)],
    invitations: &[String],
    rest: Rectangle,
    canvas: &mut Canvas<'_>,
) {
    let m = canvas.metrics;
    let face = m.sentences[0];
    let mut top = rest.top() + m.gap * 2;
    for (invitation, colour) in invitations.iter().zip([Colour::Text, Colour::Quiet].into_iter().cycle()) {
        top +=
            canvas.paragraph(invitation, face, colour, area(rest.left(), top, rest.width(), face.line()), Align::Left);
        top += face.line() - face.cap() + m.gap / 2;
    }
    top += m.gap * 2;
    let is_stacked = m.is_tall() || m.class == Class::Square;
    let count = all.len() as i32;
    let (across, down) = if is_stacked { (1, count) } else { (count, 1) };
    let width = (rest.width() - m.gap * (across - 1)) / across;
    let most = m.button * 2;
    let height = ((rest.bottom() - top - m.gap * (down - 1)) / down).min(most);
    for ((language, name, start), index) in all.iter().zip(0..) {
        let (x, y) = (rest.left() + index % across * (width + m.gap), top + index / across * (height + m.gap));
        let at = area(x, y, width, height);
        let action = Action::Speak(*language);
        let is_pressed = canvas.pressed.as_ref() == Some(&action);
        let ground = if is_pressed { Colour::Text } else { Colour::Raised };
        canvas.round(at, m.radius, ground);
        let pad = m.gap * 2;
        let side = m.name.cap() * 5 / 4;
        canvas.icon(
            Icon::Next,
            at.right() - pad - side,
            at.top() + (height - side) / 2,
            side,
            if is_pressed { Colour::Ink } else { Colour::Accent },
        );
        let room = width - 2 * pad - side - m.gap;
        let block = face.cap() + m.second.line();
        let has_both = height >= block + m.gap * 2;
        let baseline =
            if has_both { at.top() + (height - block) / 2 + face.cap() } else { middle(at.top(), height, face) };
        canvas.line(name, face, ground.on(), (at.left() + pad, baseline), room, Align::Left);
        if has_both {
            let quiet = if is_pressed { Colour::Ink } else { Colour::Quiet };
            canvas.line(start, m.second, quiet, (at.left() + pad, baseline + m.second.line()), room, Align::Left);
        }
        canvas.target(at, action);
    }
}
