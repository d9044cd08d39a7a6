// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From what is to be shown to where it stands. Each form is laid out by the panel's class, its width and its height.

mod attention;
mod batch;
mod corners;
mod facts;
mod grid;
mod keypad;
mod message;
mod mono;
mod mono_grid;
mod rows;
mod sizes;
mod statement;
mod summary;
mod tile;

use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Action, Body, Button, Page};
use crate::palette::Colour;

/// Lay a page out.
pub(crate) fn draw(page: &Page, canvas: &mut Canvas<'_>) {
    match &page.body {
        Body::Field(colour) => {
            canvas.scene.ground = *colour;
            return canvas.target(canvas.panel(), Action::Judge(true));
        }
        Body::Cross(corner) => return statement::cross(&page.title, *corner, canvas),
        _ => {}
    }
    if canvas.metrics.is_mono() {
        return mono::draw(page, canvas);
    }
    match &page.body {
        Body::Grid(grid) => grid::draw(page, grid, canvas),
        Body::Message(message) => message::draw(page, message, canvas),
        Body::Attention(attention) => attention::draw(attention, canvas),
        Body::Keypad(keypad) => keypad::draw(page, keypad, canvas),
        Body::Summary(summary) => summary::draw(page, summary, canvas),
        Body::Field(_) | Body::Cross(_) => {}
        Body::Rows(list) => {
            let rest = header(page, canvas);
            rows::draw(page, list, rest, canvas);
        }
        Body::Facts(of) => {
            let rest = header(page, canvas);
            facts::draw(page, of, rest, canvas);
        }
        Body::Statement(statement) => {
            let rest = header(page, canvas);
            let rest = buttons(page, rest, canvas);
            statement::draw(statement, rest, canvas);
        }
        Body::Languages(languages, invitations) => {
            let rest = header(page, canvas);
            statement::languages(languages, invitations, rest, canvas);
        }
    }
}

/// The first line. Gives back what is left below it.
fn header(page: &Page, canvas: &mut Canvas<'_>) -> Rectangle {
    let (width, _) = canvas.metrics.extent();
    header_in(page, width, canvas)
}

/// The same where something stands beside it.
fn header_in(page: &Page, width: i32, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let (_, height) = m.extent();
    let baseline = middle(0, m.header, m.head);
    let mut x = m.margin;
    if page.has_back {
        let side = m.head.cap() * 5 / 4;
        canvas.icon(Icon::Back, x - side / 4, baseline - m.head.cap() / 2 - side / 2, side, Colour::Text);
        x += side + m.gap;
        canvas.target(area(0, 0, (x + m.header).max(m.header * 2), m.header), Action::Back);
    } else if matches!(page.body, Body::Languages(..)) {
        x += mark(canvas, x, baseline) + m.gap * 2;
    }
    let mut room = width - m.margin - x;
    let quiet = crate::font::Type::Smooth(crate::font::Weight::Medium, px(m.head));
    // A title from outside may be long; the corner leaves before it is cut.
    let both = canvas.width(&page.title, m.head) + m.gap + canvas.fonts.width(&page.corner, quiet, true);
    if !page.corner.is_empty() && both <= room {
        let corner = canvas.counter(&page.corner, quiet, Colour::Quiet, (x, baseline), room, Align::Right);
        room -= corner + m.gap;
    }
    canvas.line(&page.title, m.head, Colour::Text, (x, baseline), room, Align::Left);
    area(m.margin, m.header, width - 2 * m.margin, height - m.header - m.margin)
}

fn px(face: crate::font::Type) -> u16 {
    match face {
        crate::font::Type::Smooth(_, px) => px,
        crate::font::Type::Pixel(..) => 0,
    }
}

/// The product's mark: the two halves of a bar.
fn mark(canvas: &mut Canvas<'_>, x: i32, baseline: i32) -> i32 {
    let height = canvas.metrics.head.cap() * 3 / 4;
    let half = height * 3;
    let top = baseline - (canvas.metrics.head.cap() + height) / 2;
    canvas.fill(area(x, top, half, height), Colour::Text);
    canvas.fill(area(x + half + height / 3, top, half, height), Colour::Text);
    2 * half + height / 3
}

/// Buttons at the lower edge, the one that goes on at the end. Gives back what is left above them.
fn buttons(page: &Page, rest: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    if page.buttons.is_empty() {
        return rest;
    }
    let count = page.buttons.len() as i32;
    // A message on a small panel is a button as a whole, and needs the lines.
    let is_low = matches!((m.class, &page.body), (Class::Small, Body::Message(_)));
    let height = if is_low { 40 } else { m.button.min(rest.height() / 3) };
    let top = rest.bottom() - height;
    // A button alone on a wide panel keeps to one half.
    let is_wide = rest.width() * 2 > m.extent().0 && matches!(m.class, Class::Wide | Class::Full | Class::Half);
    let parts = if count == 1 && is_wide { 2 } else { count };
    let width = (rest.width() - m.gap * (parts - 1)) / parts;
    for (button, index) in page.buttons.iter().zip(0..) {
        let place = if canvas.is_mirrored { count - 1 - index } else { index + parts - count };
        let x = rest.left() + place * (width + m.gap);
        one_button(button, area(x, top, width, height), canvas);
    }
    area(rest.left(), rest.top(), rest.width(), rest.height() - height - m.gap)
}

/// A button with its sign and its text.
fn one_button(button: &Button, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let is_pressed = canvas.pressed.as_ref() == Some(&button.action);
    let ground = match (is_pressed, button.is_primary) {
        (true, _) => Colour::Text,
        (false, true) => Colour::Accent,
        (false, false) => Colour::Raised,
    };
    canvas.round(at, m.radius, ground);
    let ink = ground.on();
    let side = m.button_type.cap() * 5 / 4;
    let mut face = m.button_type;
    let extra = |icon: Option<Icon>| icon.map_or(0, |_| side + m.gap);
    // Not shrunk to fit: the name's size is the other one that buttons have.
    if canvas.width(&button.text, face) + extra(button.icon) > at.width() - 2 * m.gap {
        face = m.name;
    }
    let mut icon = button.icon;
    if canvas.width(&button.text, face) + extra(icon) > at.width() - 2 * m.gap && !button.text.is_empty() {
        icon = None;
    }
    let gap = if icon.is_some() && !button.text.is_empty() { m.gap } else { 0 };
    let sign = if icon.is_some() { side + gap } else { 0 };
    let text = canvas.width(&button.text, face).min(at.width() - 2 * m.gap - sign);
    let x = at.left() + (at.width() - sign - text) / 2;
    if let Some(icon) = icon {
        canvas.icon(icon, x, at.top() + (at.height() - side) / 2, side, ink);
    }
    let baseline = middle(at.top(), at.height(), face);
    canvas.line(&button.text, face, ink, (x + sign, baseline), at.right() - m.gap - x - sign + 1, Align::Left);
    canvas.target(at, button.action.clone());
    if button.is_primary
        && let Some(target) = canvas.targets.last_mut()
    {
        target.is_first = true;
    }
}

/// Where the ports stand, one of them filled.
fn map(plan: &crate::board::Plan, index: usize, at: Rectangle, colour: Colour, canvas: &mut Canvas<'_>) {
    let (rows, columns) = (i32::from(plan.rows), i32::from(plan.columns));
    let gaps = plan.gaps_after.len() as i32;
    let gap = if at.width() / columns >= 14 { 4 } else { 2 };
    let cell =
        ((at.width() - gap * (columns - 1 + gaps)) / columns).min((at.height() - gap * (rows - 1)) / rows * 3 / 4);
    let (cell, tall) = (cell.clamp(3, 40), (cell * 4 / 3).clamp(4, 56));
    let width = cell * columns + gap * (columns - 1 + gaps);
    let left = at.left() + (at.width() - width) / 2;
    for (number, (row, column)) in plan.cells.iter().enumerate() {
        let passed = plan.gaps_after.iter().filter(|gap| **gap < *column).count() as i32;
        let x = left + i32::from(*column) * (cell + gap) + passed * gap;
        let place = area(x, at.top() + i32::from(*row) * (tall + gap), cell, tall);
        match number == index {
            true => canvas.fill(place, colour),
            false => canvas.outline(place, 0, if cell >= 12 { 2 } else { 1 }, colour),
        }
    }
}
