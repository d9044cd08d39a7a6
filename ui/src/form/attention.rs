// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The whole panel says which port needs a hand, to be seen from across the room.

use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::{Type, Weight};
use crate::metrics::Class;
use crate::page::{Action, Attention};
use crate::palette::Colour;

pub(super) fn draw(attention: &Attention, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (width, height) = m.extent();
    let tile = &attention.tile;
    let own = tile.form.own();
    let ink = Colour::Ink;
    canvas.scene.ground = own;
    let strip = match m.class {
        Class::Wide => 100,
        Class::Full | Class::Tall => 66,
        _ => 42,
    };
    let inner = area(m.margin * 2, m.margin * 2, width - 4 * m.margin, height - strip - 4 * m.margin);
    let is_stacked = m.is_tall();
    let number_room = if is_stacked { inner.width() * 3 / 5 } else { inner.width() * 45 / 100 };
    let number = super::message::fitting_number(&tile.label, m.far_number, number_room, canvas);
    let number_height = if is_stacked { inner.height() / 2 } else { inner.height() };
    let baseline = middle(inner.top(), number_height, number);
    let number_width = canvas.line(&tile.label, number, ink, (inner.left(), baseline), number_room, Align::Left);
    let icon = (number.cap() * 2 / 5) & !1;
    let (left, mut top) = match is_stacked {
        true => (inner.left(), inner.top() + number_height + m.margin),
        false => (inner.left() + number_width.max(number_room / 2) + m.margin * 2, baseline - number.cap()),
    };
    let room = inner.right() - left;
    match is_stacked {
        true => canvas.icon(tile.icon, inner.left() + number_width + m.margin * 2, baseline - number.cap(), icon, ink),
        false => {
            canvas.icon(tile.icon, left, top, icon, ink);
            let map = area(left + icon + m.margin * 2, top, inner.right() - left - icon - m.margin * 2, icon);
            if map.width() >= 90 && matches!(m.class, Class::Wide | Class::Full) {
                super::map(&attention.map.0, attention.map.1, map, ink, canvas);
            }
            top += icon + m.margin * 2;
        }
    }
    let word = m.far_word;
    let lines = canvas.broken(&attention.word, word, room);
    let fits = lines.iter().all(|line| canvas.width(line, word) <= room);
    let word = if fits { word } else { m.title };
    let said = area(left, top, room, word.line() * 2);
    top += canvas.paragraph(&attention.word, word, ink, said, Align::Left) + word.line() / 3;
    let second = match m.class {
        Class::Wide => Type::Smooth(Weight::Strong, 40),
        Class::Full | Class::Tall => Type::Smooth(Weight::Strong, 26),
        _ => m.name,
    };
    let rest = inner.bottom() + m.margin - top;
    let lines = canvas.broken(&attention.todo, second, room).len() as i32;
    if rest >= lines * second.line() {
        canvas.paragraph(&attention.todo, second, ink, area(left, top, room, rest), Align::Left);
    }
    let black = area(0, height - strip, width, strip);
    canvas.fill(black, Colour::Ink);
    let face = if matches!(m.class, Class::Wide | Class::Full | Class::Tall) { m.button_type } else { m.second };
    let baseline = middle(black.top(), strip, face);
    let room = width - 4 * m.margin;
    let is_narrow = m.class == Class::Square;
    let code = if tile.code.is_empty() { tile.todo[0].as_str() } else { tile.code.as_str() };
    let align = if is_narrow && attention.also.is_empty() { Align::Centre } else { Align::Left };
    let used = canvas.line(code, face, Colour::Text, (m.margin * 2, baseline), room, align);
    if !attention.also.is_empty() && canvas.width(&attention.also, face) + used + m.gap <= room {
        canvas.line(&attention.also, face, Colour::Text, (m.margin * 2, baseline), room, Align::Right);
    }
    canvas.target(canvas.panel(), Action::Back);
}
