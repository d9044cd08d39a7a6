// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A list: rows below each other, or where there is room tiles beside each other.

use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::{Type, Weight};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Page, Row, Rows};
use crate::palette::Colour;

pub(super) fn draw(page: &Page, list: &Rows, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    if list.rows.is_empty() {
        let rest = super::buttons(page, rest, canvas);
        let [face, _] = m.sentences;
        let height = canvas.paragraph(
            &list.empty.0,
            face,
            Colour::Text,
            area(rest.left(), rest.top() + m.gap * 2, rest.width(), face.line() * 2),
            Align::Left,
        );
        let top = rest.top() + m.gap * 4 + height;
        canvas.paragraph(
            &list.empty.1,
            m.second,
            Colour::Text,
            area(rest.left(), top, rest.width(), rest.bottom() - top),
            Align::Left,
        );
        return;
    }
    let is_wide = matches!(m.class, Class::Wide | Class::Full);
    let mut rest = rest;
    if let (Some(side), true) = (&list.side, is_wide) {
        let width = rest.width() * 2 / 5;
        let at = area(rest.right() - width, rest.top(), width, rest.height());
        super::facts::draw(page, side, at, canvas);
        rest = area(rest.left(), rest.top(), rest.width() - width - m.margin * 3 / 2, rest.height());
    }
    let mut foot = None;
    if !is_wide || list.side.is_none() {
        let all = rest;
        rest = super::buttons(page, rest, canvas);
        if page.buttons.len() == 1 && (is_wide || m.class == Class::Half) {
            // The button keeps to one half, so the ways to other parts have the other.
            let (top, half) = (rest.bottom() + m.gap, (all.width() - m.gap) / 2);
            let left = if canvas.is_mirrored { all.right() - half } else { all.left() };
            foot = Some(area(left, top, half, all.bottom() - top));
        }
    }
    match list.as_tiles && is_wide {
        true => tiles(list, rest, canvas),
        false => rows(list, rest, foot, canvas),
    }
}

fn rows(list: &Rows, rest: Rectangle, foot: Option<Rectangle>, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let height = m.row;
    let fit = |room: i32| ((room + m.gap) / (height + m.gap)).max(1) as usize;
    let turner = m.button.min(m.row);
    let per_page = match fit(rest.height()) {
        all if all >= list.rows.len() || foot.is_some() => all,
        _ => fit(rest.height() - turner - m.gap),
    };
    let pages = list.rows.len().div_ceil(per_page);
    let shown = list.page.min(pages - 1);
    let mut top = rest.top();
    for row in list.rows.iter().skip(shown * per_page).take(per_page) {
        one(row, area(rest.left(), top, rest.width(), height), canvas);
        top += height + m.gap;
    }
    if pages > 1 {
        let below = area(rest.left(), rest.bottom() - turner, rest.width(), turner);
        turner_line(shown, pages, foot.unwrap_or(below), canvas);
    }
}

/// The ways to the other parts of a list.
pub(super) fn turner_line(shown: usize, pages: usize, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let key = at.width() / 4;
    let side = m.name.cap() * 5 / 4;
    let y = at.top() + (at.height() - side) / 2;
    let turn = Action::Page;
    for (icon, x, to) in [(Icon::Back, at.left(), shown + pages - 1), (Icon::Next, at.right() - key, shown + 1)] {
        let place = area(x, at.top(), key, at.height());
        canvas.round(place, m.radius, Colour::Raised);
        canvas.icon(icon, x + (key - side) / 2, y, side, Colour::Text);
        canvas.target(place, turn(to % pages));
    }
    let text = format!("{} / {pages}", shown + 1);
    canvas.counter(
        &text,
        m.second,
        Colour::Quiet,
        (at.left() + key, middle(at.top(), at.height(), m.second)),
        at.width() - 2 * key,
        Align::Centre,
    );
}

fn one(row: &Row, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let is_pressed = row.action.is_some() && canvas.pressed == row.action;
    let ground = match (is_pressed, row.is_chosen) {
        (true, _) => Colour::Text,
        (_, true) => Colour::Raised,
        _ => Colour::Surface,
    };
    canvas.round(at, m.radius, ground);
    if row.is_chosen {
        canvas.fill(area(at.left(), at.top(), m.gap / 2 + 2, at.height()), Colour::Accent);
    }
    let ink = |colour: Colour| if is_pressed { Colour::Ink } else { colour };
    let mut left = at.left() + m.gap * 2;
    if let Some((icon, colour)) = row.icon {
        let side = (m.name.cap() * 3 / 2) & !1;
        canvas.icon(icon, left, at.top() + (at.height() - side) / 2, side, ink(colour));
        left += side + m.gap * 3 / 2;
    }
    let room = at.right() - m.gap * 2 - left;
    let beside = room - canvas.width(&row.name, m.name) - m.gap * 2;
    let second = last_parts(&row.second, |text| canvas.width(text, m.second) <= beside);
    let is_tall = at.height() >= m.name.line() + m.second.line() + m.gap;
    if row.second.is_empty() || (!is_tall && second.is_empty()) {
        canvas.line(
            &row.name,
            m.name,
            ink(Colour::Text),
            (left, middle(at.top(), at.height(), m.name)),
            room,
            Align::Left,
        );
    } else if is_tall && row.action.is_some() {
        let block = m.name.cap() + m.second.line();
        let top = at.top() + (at.height() - block) / 2;
        canvas.line(&row.name, m.name, ink(Colour::Text), (left, top + m.name.cap()), room, Align::Left);
        canvas.line(&row.second, m.second, ink(Colour::Quiet), (left, top + block), room, Align::Left);
    } else {
        let baseline = middle(at.top(), at.height(), m.name);
        let second = canvas.line(second, m.second, ink(Colour::Quiet), (left, baseline), room, Align::Right);
        canvas.line(&row.name, m.name, ink(Colour::Text), (left, baseline), room - second - m.gap, Align::Left);
    }
    if let Some(action) = &row.action {
        canvas.target(at, action.clone());
    }
}

/// As much of what is told as there is room for: the last parts of it are what the row is known by.
fn last_parts(text: &str, fits: impl Fn(&str) -> bool) -> &str {
    let mut rest = text;
    while !fits(rest) {
        match rest.split_once(" · ") {
            Some((_, less)) => rest = less,
            None => return "",
        }
    }
    rest
}

/// Three beside each other.
fn tiles(list: &Rows, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (name, second) = match m.class {
        Class::Wide => (Type::Smooth(Weight::Strong, 34), Type::Smooth(Weight::Medium, 26)),
        _ => (m.name, m.second),
    };
    let columns = 3;
    let lines = (list.rows.len() as i32 + columns - 1) / columns;
    let width = (rest.width() - m.gap * (columns - 1)) / columns;
    let height = ((rest.height() - m.gap * (lines - 1)) / lines).min(rest.height() * 2 / 5);
    for (row, index) in list.rows.iter().zip(0..) {
        let (line, column) = (index / columns, index % columns);
        let at = area(rest.left() + column * (width + m.gap), rest.top() + line * (height + m.gap), width, height);
        let is_pressed = row.action.is_some() && canvas.pressed == row.action;
        canvas.round(at, m.radius, if is_pressed { Colour::Text } else { Colour::Surface });
        let ink = |colour: Colour| if is_pressed { Colour::Ink } else { colour };
        let pad = m.gap * 2;
        let side = name.cap() * 2;
        let has_second = !row.second.is_empty();
        let block = side + m.gap * 3 / 2 + name.cap() + if has_second { second.line() } else { 0 };
        let top = at.top() + (at.height() - block) / 2;
        if let Some((icon, colour)) = row.icon {
            canvas.icon(icon, at.left() + pad, top, side, ink(colour));
        }
        let baseline = top + side + m.gap * 3 / 2 + name.cap();
        canvas.line(&row.name, name, ink(Colour::Text), (at.left() + pad, baseline), width - 2 * pad, Align::Left);
        if has_second {
            canvas.line(
                &row.second,
                second,
                ink(Colour::Quiet),
                (at.left() + pad, baseline + second.line()),
                width - 2 * pad,
                Align::Left,
            );
        }
        if let Some(action) = &row.action {
            canvas.target(at, action.clone());
        }
    }
}
