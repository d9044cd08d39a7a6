// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A message in four parts, always in this order: which port, what happened, what to do, usable or not.

use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Align, Canvas, Edges, Target, area, middle};
use crate::font::{Type, Weight};
use crate::metrics::Class;
use crate::page::{Form, Message, Page};
use crate::palette::Colour;

pub(super) fn draw(page: &Page, message: &Message, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (width, height) = m.extent();
    let is_stacked = m.is_tall() || m.class == Class::Square;
    let column = match m.class {
        Class::Wide => 370,
        Class::Full => 232,
        Class::Half => 134,
        _ => 84,
    };
    let band = match m.class {
        Class::Square => 50,
        Class::Small => 64,
        _ => 190,
    };
    let (port, rest) = match is_stacked {
        true => (area(0, 0, width, band), area(0, band, width, height - band)),
        false => (area(0, 0, column, height), area(column, 0, width - column, height)),
    };
    which_port(message, port, is_stacked, canvas);
    let pad = if m.class == Class::Wide { 48 } else { m.margin * 2 - m.margin / 2 };
    let rest = area(
        rest.left() + pad,
        rest.top() + pad * 3 / 4,
        rest.width() - pad - m.margin * 3 / 2,
        rest.height() - pad * 3 / 4 - m.margin,
    );
    // On small panels the whole message is the button. Where there is room for it, it is drawn.
    let rest = match (m.class, page.buttons.last()) {
        (Class::Small | Class::Square, Some(button)) => {
            let shown = Page { buttons: vec![button.clone()], ..page.clone() };
            let rest = if m.class == Class::Small || m.is_tall() { super::buttons(&shown, rest, canvas) } else { rest };
            let panel = canvas.panel();
            canvas.targets.clear();
            canvas.targets.push(Target { area: panel, action: button.action.clone(), is_first: true });
            rest
        }
        _ => super::buttons(page, rest, canvas),
    };
    let rest = verdict(message, rest, canvas);
    sentences(message, rest, canvas);
}

/// The port in the verdict's form.
fn which_port(message: &Message, at: Rectangle, is_stacked: bool, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let ink = if message.form.is_filled() { Colour::Ink } else { message.form.own() };
    let (number_ink, label_ink) = if message.form.is_filled() { (ink, ink) } else { (Colour::Text, ink) };
    match message.form.is_filled() {
        true => canvas.fill(at, message.form.own()),
        false => {
            canvas.fill(at, Colour::Surface);
            canvas.outline(at, 0, m.frame + 1, message.form.own());
        }
    }
    let inner = at.inset(m.margin);
    let Some((word, label)) = &message.port else {
        let side = inner.width().min(inner.height()) * 2 / 3;
        canvas.icon(
            message.verdict.0,
            at.left() + (at.width() - side) / 2,
            at.top() + (at.height() - side) / 2,
            side,
            ink,
        );
        return;
    };
    let number = fitting_number(label, m.number, inner.width(), canvas);
    let number = Type::Smooth(Weight::Figures, super::px(number).min((inner.height() * 4 / 3) as u16));
    if is_stacked {
        let baseline = middle(at.top(), at.height(), number);
        let said = canvas.line(
            word,
            m.name,
            label_ink,
            (inner.left(), middle(at.top(), at.height(), m.name)),
            inner.width() / 3,
            Align::Left,
        );
        let left = inner.left() + said + m.gap * 2;
        let width = canvas.line(label, number, number_ink, (left, baseline), inner.right() - left, Align::Left);
        let left = left + width + m.gap * 2;
        let code = if matches!(m.class, Class::Small | Class::Square) {
            canvas.width(&message.code, m.second) + m.gap
        } else {
            0
        };
        let room = area(left, inner.top() + m.gap, inner.right() - left - code, inner.height() - 2 * m.gap);
        if let (Some((plan, index)), true) = (&message.map, room.width() > 60 && room.height() > 30) {
            super::map(plan, *index, room, ink, canvas);
        }
        if !message.code.is_empty() && matches!(m.class, Class::Small | Class::Square) {
            canvas.line(
                &message.code,
                m.second,
                number_ink,
                (left, middle(at.top(), at.height(), m.second)),
                inner.right() - left,
                Align::Right,
            );
        }
        return;
    }
    let head = m.name;
    let align = if m.class == Class::Small { Align::Centre } else { Align::Left };
    canvas.line(word, head, label_ink, (inner.left(), inner.top() + head.cap() + m.gap), inner.width(), align);
    let map_height = if message.map.is_some() { at.height() / 4 } else { 0 };
    let below = if m.class == Class::Small { m.second.line() } else { 0 };
    let top = inner.top() + head.cap() + m.gap * 2;
    let baseline = middle(top, inner.bottom() - map_height - below - top, number);
    canvas.line(label, number, number_ink, (inner.left(), baseline), inner.width(), Align::Centre);
    if let Some((plan, index)) = &message.map {
        let map = area(inner.left(), inner.bottom() - map_height - below + m.gap, inner.width(), map_height - m.gap);
        super::map(plan, *index, map, ink, canvas);
    }
    if m.class == Class::Small {
        canvas.line(
            &message.code,
            m.least,
            number_ink,
            (at.left() + 4, inner.bottom() - 2),
            at.width() - 8,
            Align::Centre,
        );
    }
}

/// A label of several characters in large figures may be wider than a digit is.
pub(super) fn fitting_number(label: &str, face: Type, room: i32, canvas: &Canvas<'_>) -> Type {
    let Type::Smooth(weight, px) = face else { return face };
    let width = canvas.width(label, face).max(1);
    match width > room {
        true => Type::Smooth(weight, (i32::from(px) * room / width) as u16),
        false => face,
    }
}

/// Usable or not, in the verdict's form. Gives back what is left above it.
fn verdict(message: &Message, rest: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let height = match m.class {
        Class::Wide => 104,
        Class::Full | Class::Tall => 68,
        Class::Half => 50,
        _ => 32,
    };
    let at = area(rest.left(), rest.bottom() - height, rest.width(), height);
    let ink = if message.form.is_filled() { Colour::Ink } else { message.form.own() };
    match message.form {
        Form::Bad => canvas.octagon(at, (height / 4) as u16, Colour::Bad),
        Form::Ready => canvas.round(at, m.radius, Colour::Ready),
        form => canvas.outline(at, 0, m.frame, form.own()),
    }
    let face = m.button_type;
    let side = face.cap() * 4 / 3;
    let x = at.left() + height / 3;
    canvas.icon(message.verdict.0, x, at.top() + (height - side) / 2, side, ink);
    let mut room = at.width() - height * 2 / 3 - side - m.gap * 2;
    if !message.code.is_empty() && !matches!(m.class, Class::Small | Class::Square) {
        let right = at.right() - height / 3;
        let colour = if message.form.is_filled() { Colour::Ink } else { Colour::Text };
        let face = if m.class == Class::Wide { m.name } else { m.second };
        room -= canvas.line(
            &message.code,
            face,
            colour,
            (at.left(), middle(at.top(), height, face)),
            right - at.left(),
            Align::Right,
        ) + m.gap;
    }
    canvas.line(
        &message.verdict.1,
        face,
        ink,
        (x + side + m.gap * 3 / 2, middle(at.top(), height, face)),
        room,
        Align::Left,
    );
    area(rest.left(), rest.top(), rest.width(), rest.height() - height - m.gap * 3 / 2)
}

/// What happened and what to do, in the normal size or, where they need it, in the other one.
fn sentences(message: &Message, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let [what, todo] = [&message.what[0], &message.todo[0]];
    let needed = |face: Type, canvas: &Canvas<'_>| {
        let sign = if message.icon.is_some() { sign_room(face, &m) } else { 0 };
        let first = canvas.broken(what, face, rest.width()).len() as i32;
        let second = canvas.broken(todo, face, rest.width() - sign).len() as i32;
        // The long form needs every line.
        let between = if face == m.sentences[0] { face.line() * 11 / 10 } else { face.line() * 4 / 5 };
        ((first + second - 1) * face.line() + face.cap() + between, first, between)
    };
    let [normal, long] = m.sentences;
    let face = if needed(normal, canvas).0 <= rest.height() { normal } else { long };
    let (height, first, between) = needed(face, canvas);
    // What is left over goes between the two sentences, as far as that still looks like one message.
    let spare = (rest.height() - height).max(0);
    let between = between + spare.min(face.line()) / 2;
    let top = rest.top() + (spare / 4).min(face.line());
    let what_height = first * face.line();
    canvas.paragraph(what, face, Colour::Text, area(rest.left(), top, rest.width(), what_height), Align::Left);
    let below = top + (first - 1) * face.line() + face.cap() + between;
    if !matches!(m.class, Class::Small | Class::Square) {
        let rule = below - between / 2;
        canvas.fill(area(rest.left(), rule, rest.width(), 1), Colour::Line);
    }
    let mut left = rest.left();
    let start = below;
    if let Some(icon) = message.icon {
        let side = face.cap() * 5 / 4;
        canvas.icon(icon, left, start + (face.cap() - side) / 2, side, Colour::Text);
        left += sign_room(face, &m);
    }
    canvas.paragraph(
        todo,
        face,
        Colour::Text,
        area(left, start, rest.right() - left, rest.bottom() - start + 2),
        Align::Left,
    );
}

fn sign_room(face: Type, m: &crate::metrics::Metrics) -> i32 {
    face.cap() * 5 / 4 + m.gap * 3 / 2
}
