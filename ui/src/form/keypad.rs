// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Numbers to be typed. Each key is as large as the panel allows.

use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::{Type, Weight};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Keypad, Page};
use crate::palette::Colour;

pub(super) fn draw(page: &Page, keypad: &Keypad, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (width, height) = m.extent();
    let is_stacked = m.is_tall() || m.class == Class::Square;
    let (asked, keys) = match (m.class, is_stacked) {
        (Class::Square, _) => (area(m.margin, 4, width - 2 * m.margin, 60), area(2, 66, width - 4, height - 68)),
        (_, true) => {
            let top = height * 2 / 5;
            let rest = super::header(page, canvas);
            (
                area(rest.left(), rest.top(), rest.width(), top - rest.top()),
                area(m.margin, top, width - 2 * m.margin, height - top - m.margin),
            )
        }
        (_, false) => {
            let left = width * 43 / 100;
            let untimed = Page { corner: String::new(), ..page.clone() };
            let rest = super::header_in(&untimed, left, canvas);
            (rest, area(left, m.margin, width - left - m.margin, height - 2 * m.margin))
        }
    };
    typed(keypad, asked, canvas);
    all_keys(keypad, keys, canvas);
}

fn typed(keypad: &Keypad, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let is_square = m.class == Class::Square;
    let title = if is_square { m.name } else { m.sentences[0] };
    let top = at.top() + if is_square { 4 } else { m.gap };
    let title_room = if is_square { at.width() - 22 } else { at.width() };
    let used = canvas.paragraph(
        &keypad.title,
        title,
        Colour::Text,
        area(at.right() - title_room, top, title_room, title.line() * 2),
        Align::Left,
    );
    if is_square {
        // The first line is left out, so the way back stands beside the title.
        canvas.icon(Icon::Back, at.left() - 4, top - 4, 20, Colour::Text);
        canvas.target(area(0, 0, 54, 40), Action::Back);
    }
    let mut baseline = top + used + title.line();
    let dot = title.cap() * 3 / 4;
    if keypad.typed.chars().all(|c| c == '•') {
        let mut x = at.left();
        for _ in keypad.typed.chars().take(12) {
            if x + dot > at.right() - dot {
                break;
            }
            canvas.round(area(x, baseline - dot, dot, dot), (dot / 2) as u16, Colour::Text);
            x += dot * 3 / 2;
        }
        canvas.fill(area(x, baseline - title.cap(), 2, title.cap() + 2), Colour::Accent);
    } else {
        let width =
            canvas.counter(&keypad.typed, title, Colour::Text, (at.left(), baseline), at.width() - 6, Align::Left);
        canvas.fill(area(at.left() + width + 4, baseline - title.cap(), 2, title.cap() + 2), Colour::Accent);
    }
    baseline += m.gap;
    canvas.fill(area(at.left(), baseline, at.width(), 1), Colour::Line);
    if !is_square {
        let top = baseline + m.gap * 2;
        let room = area(at.left(), top, at.width(), at.bottom() - top);
        canvas.paragraph(&keypad.note, m.second, Colour::Text, room, Align::Left);
    }
}

fn all_keys(keypad: &Keypad, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    // Three to a row, and the last row with delete and enter.
    let columns = if keypad.keys.len() > 12 { 4 } else { 3 };
    let count = keypad.keys.len() as i32 + 2 + i32::from(keypad.more.is_some());
    let lines = (count + columns - 1) / columns;
    let (width, height) = ((at.width() - m.gap * (columns - 1)) / columns, (at.height() - m.gap * (lines - 1)) / lines);
    let face = match m.class {
        Class::Wide => Type::Smooth(Weight::Strong, 48),
        Class::Full | Class::Tall => Type::Smooth(Weight::Strong, 34),
        Class::Half => Type::Smooth(Weight::Strong, 28),
        _ => Type::Smooth(Weight::Strong, 22),
    };
    let place = |index: i32| {
        let (line, column) = (index / columns, index % columns);
        area(at.left() + column * (width + m.gap), at.top() + line * (height + m.gap), width, height)
    };
    let last = keypad.keys.len() as i32 - 1;
    for (key, index) in keypad.keys.iter().zip(0..) {
        // The last key stands between delete and enter, as on every keypad.
        let key_at = place(if index == last { count - 2 } else { index });
        let action = Action::Type(*key);
        let is_pressed = canvas.pressed.as_ref() == Some(&action);
        let ground = if is_pressed { Colour::Text } else { Colour::Raised };
        canvas.round(key_at, m.radius, ground);
        canvas.line(
            &key.to_string(),
            face,
            ground.on(),
            (key_at.left(), middle(key_at.top(), height, face)),
            width,
            Align::Centre,
        );
        canvas.target(key_at, action);
    }
    let side = face.cap() * 5 / 4;
    for (icon, action, index) in [(Icon::Delete, Action::Delete, last), (Icon::Ready, Action::Enter, count - 1)] {
        let key_at = place(index);
        let is_enter = action == Action::Enter;
        let is_pressed = canvas.pressed.as_ref() == Some(&action);
        let ink = match (is_pressed, is_enter) {
            (true, _) => {
                canvas.round(key_at, m.radius, Colour::Text);
                Colour::Ink
            }
            (false, true) => {
                canvas.round(key_at, m.radius, Colour::Accent);
                Colour::Ink
            }
            (false, false) => {
                canvas.outline(key_at, m.radius, 2, Colour::Line);
                Colour::Text
            }
        };
        canvas.icon(icon, key_at.left() + (width - side) / 2, key_at.top() + (height - side) / 2, side, ink);
        canvas.target(key_at, action);
    }
    if let Some((others, part)) = &keypad.more {
        let key_at = place(last + 1);
        canvas.outline(key_at, m.radius, 2, Colour::Line);
        let baseline = middle(key_at.top(), height, m.name);
        canvas.line(others, m.name, Colour::Text, (key_at.left(), baseline), width, Align::Centre);
        canvas.target(key_at, Action::Page(*part));
    }
    // Keys are read line by line, wherever they were drawn.
    let from = canvas.targets.len() - count as usize;
    canvas.targets[from..].sort_by_key(|target| (target.area.top_left.y, target.area.top_left.x));
}
