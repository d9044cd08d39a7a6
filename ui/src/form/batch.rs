// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How far the batch is, and the ways on: at the side, below the ports, or in the first line of small panels.

use embedded_graphics::primitives::Rectangle;

use super::grid::{figures, medium, strong};
use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::Type;
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Button, Count, Grid, Page};
use crate::palette::Colour;

/// The medium, whether drives are begun at once, and the time.
pub(super) fn first_line(page: &Page, grid: &Grid, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let (width, _) = m.extent();
    let height = if m.class == Class::Half { 36 } else { m.header };
    let baseline = middle(0, height, m.head);
    let quiet = medium(super::px(m.head));
    let mut right = width - m.margin;
    if !page.corner.is_empty() && m.class != Class::Half {
        let room = right - m.margin;
        right -=
            canvas.counter(&page.corner, quiet, Colour::Quiet, (m.margin, baseline), room, Align::Right) + m.gap * 3;
    }
    let (icon, mode) = &grid.mode;
    if m.class != Class::Tall {
        let room = right - m.margin;
        right -= canvas.line(mode, m.head, Colour::Text, (m.margin, baseline), room, Align::Right) + m.gap;
        if let Some(icon) = icon {
            let side = m.head.cap();
            right -= side;
            canvas.icon(*icon, right, baseline - side, side, Colour::Accent);
            right -= m.gap;
        }
    }
    let room = right - m.margin - m.gap;
    let title = canvas.line(&page.title, m.head, Colour::Text, (m.margin, baseline), room, Align::Left);
    let left = m.margin + title + m.gap * 3 / 2;
    if canvas.width(&grid.version, quiet) <= right - left && m.class != Class::Tall {
        canvas.line(&grid.version, quiet, Colour::Quiet, (left, baseline), right - left, Align::Left);
    }
}

/// A sign and a number, or words.
fn tally(
    count: &(u32, String),
    icon: Icon,
    colour: Colour,
    face: Type,
    at: (i32, i32),
    room: i32,
    canvas: &mut Canvas<'_>,
) -> i32 {
    let side = (face.cap() * 5 / 4) & !1;
    canvas.icon(icon, at.0, at.1 - face.cap() / 2 - side / 2, side, colour);
    let text = side + side / 2;
    text + canvas.line(&count.1, face, Colour::Text, (at.0 + text, at.1), room - text, Align::Left)
}

pub(super) fn rail(page: &Page, grid: &Grid, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    if let Some(count) = &grid.count {
        let (left, width) = (at.left(), at.width());
        canvas.line(&count.label, m.second, Colour::Quiet, (left, 80), width, Align::Left);
        let large = figures(104);
        let large = if canvas.width(&count.good, large) > width - 60 { figures(76) } else { large };
        let good = canvas.line(&count.good, large, Colour::Text, (left - 3, 168), width, Align::Left);
        let of = medium(24);
        canvas.line(&count.of, of, Colour::Quiet, (left + good + 10, 168), width - good - 10, Align::Left);
        if let Some(part) = count.part {
            progress(part, area(left, 186, width, 10), canvas);
        }
        let about = strong(19);
        let said =
            if canvas.fonts.width(&count.about_left, about, true) <= width { &count.about_left } else { &count.left };
        canvas.counter(said, about, Colour::Text, (left, 222), width, Align::Left);
        let mut y = 262;
        for (count, icon, colour) in
            [(&count.set_aside, Icon::Failed, Colour::Bad), (&count.refused, Icon::Refused, Colour::Try)]
        {
            if count.0 > 0 {
                tally(count, icon, colour, medium(19), (left, y), width, canvas);
                y += 29;
            }
        }
    }
    let height = 88;
    let label = at.bottom() - height - 10;
    let width = (at.width() - m.gap) / 2;
    for (button, index) in page.buttons.iter().zip(0..) {
        let x = at.left() + index * (width + m.gap);
        canvas.line(&button.text, medium(18), Colour::Quiet, (x, label), width, Align::Centre);
        signed(button, area(x, at.bottom() - height, width, height), canvas);
    }
}

/// A button that shows its sign alone.
fn signed(button: &Button, at: Rectangle, canvas: &mut Canvas<'_>) {
    let bare = Button { text: String::new(), ..button.clone() };
    super::one_button(&bare, at, canvas);
}

fn progress(part: u16, at: Rectangle, canvas: &mut Canvas<'_>) {
    let done = at.width() * i32::from(part) / 1000;
    canvas.fill(area(at.left() + done, at.top(), at.width() - done, at.height()), Colour::Track);
    canvas.fill(area(at.left(), at.top(), done, at.height()), Colour::Ready);
}

/// Buttons at the end of the footer, or at its beginning. Gives back what is left beside them.
fn footer_buttons(page: &Page, at: Rectangle, width: i32, height: i32, canvas: &mut Canvas<'_>) -> Rectangle {
    let m = canvas.metrics;
    let count = page.buttons.len() as i32;
    let all = count * width + (count - 1) * m.gap;
    let left = if canvas.is_mirrored { at.left() } else { at.right() - all };
    for (button, index) in page.buttons.iter().zip(0..) {
        let place = area(left + index * (width + m.gap), at.top() + (at.height() - height) / 2, width, height);
        signed(button, place, canvas);
    }
    let room = at.width() - all - m.gap * 2;
    let left = if canvas.is_mirrored { at.left() + all + m.gap * 2 } else { at.left() };
    area(left, at.top(), room, at.height())
}

pub(super) fn footer(page: &Page, grid: &Grid, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let is_half = m.class == Class::Half;
    let (width, height) = match m.class {
        Class::Wide => (132, 96),
        Class::Full => (92, 84),
        _ => (74, 68),
    };
    if !is_half {
        canvas.fill(area(at.left(), at.top(), at.width(), 2), Colour::Track);
    }
    let rest = footer_buttons(page, area(at.left(), at.top() + 2, at.width(), at.height() - 4), width, height, canvas);
    let Some(count) = &grid.count else { return };
    let (large, name, quiet) = match m.class {
        Class::Wide => (figures(116), strong(28), medium(26)),
        Class::Full => (figures(84), strong(20), medium(20)),
        _ => (figures(62), strong(18), medium(18)),
    };
    let good = canvas.line(
        &count.good,
        large,
        Colour::Text,
        (rest.left() - 3, middle(rest.top(), rest.height(), large)),
        rest.width(),
        Align::Left,
    );
    let x = rest.left() + good + m.gap * 2;
    let (upper, lower) = two_lines(rest, name);
    let room = rest.right() - x;
    let first = canvas.line(&count.of_good, name, Colour::Text, (x, upper), room, Align::Left);
    let said = if is_half { &count.left } else { &count.about_left };
    let reserved = canvas.fonts.width(said, quiet, true).max(first);
    canvas.counter(said, quiet, Colour::Quiet, (x, lower), room, Align::Left);
    let left = x + reserved + m.gap * 3;
    let room = rest.right() - left;
    if is_half {
        let brief = |count: &(u32, String)| (count.0, count.0.to_string());
        for (count, icon, colour, y) in
            [(&count.set_aside, Icon::Failed, Colour::Bad, upper), (&count.refused, Icon::Refused, Colour::Try, lower)]
        {
            if count.0 > 0 {
                tally(&brief(count), icon, colour, strong(18), (left, y), room, canvas);
            }
        }
        return;
    }
    if let Some(part) = count.part {
        let height = if m.class == Class::Wide { 14 } else { 10 };
        progress(part, area(left, upper - name.cap() / 2 - height / 2, room.min(420), height), canvas);
    }
    let mut x = left;
    for (count, icon, colour) in
        [(&count.set_aside, Icon::Failed, Colour::Bad), (&count.refused, Icon::Refused, Colour::Try)]
    {
        if count.0 > 0 {
            x += tally(count, icon, colour, quiet, (x, lower), rest.right() - x, canvas) + m.gap * 2;
        }
    }
}

/// Base lines of two lines in the middle of an area.
fn two_lines(at: Rectangle, face: Type) -> (i32, i32) {
    let between = face.line() * 11 / 10;
    let upper = at.top() + (at.height() - between - face.cap()) / 2 + face.cap();
    (upper, upper + between)
}

pub(super) fn tall_footer(page: &Page, grid: &Grid, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let rest = area(at.left(), at.top(), at.width(), at.height() - m.margin);
    let rest = super::buttons(page, rest, canvas);
    let Some(count) = &grid.count else { return };
    let large = figures(104);
    let good = canvas.line(
        &count.good,
        large,
        Colour::Text,
        (rest.left() - 3, middle(rest.top(), rest.height(), large)),
        rest.width() / 2,
        Align::Left,
    );
    let x = rest.left() + good + m.gap * 2;
    let name = strong(22);
    let (upper, lower) = two_lines(rest, name);
    let tallies = 64;
    let room = rest.right() - x - tallies;
    canvas.line(&count.of_good, name, Colour::Text, (x, upper), room, Align::Left);
    canvas.counter(&count.about_left, medium(19), Colour::Quiet, (x, lower), room, Align::Left);
    for (count, icon, colour, y) in
        [(&count.set_aside, Icon::Failed, Colour::Bad, upper), (&count.refused, Icon::Refused, Colour::Try, lower)]
    {
        if count.0 > 0 {
            tally(
                &(count.0, count.0.to_string()),
                icon,
                colour,
                name,
                (rest.right() - tallies + 4, y),
                tallies,
                canvas,
            );
        }
    }
}

/// Small panels: the counts stand in the first line, with the menu.
pub(super) fn small_line(page: &Page, grid: &Grid, at: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let key = 56;
    let left = if canvas.is_mirrored { at.left() + key } else { at.left() };
    let rest = area(left, at.top(), at.width() - key, at.height());
    if let Some(menu) = page.buttons.last() {
        let x = if canvas.is_mirrored { at.left() } else { at.right() - key };
        let is_pressed = canvas.pressed.as_ref() == Some(&menu.action);
        canvas.icon(Icon::Menu, x + 18, at.top() + 13, 22, if is_pressed { Colour::Accent } else { Colour::Text });
        canvas.target(area(x, 0, key + m.margin, at.height()), menu.action.clone());
    }
    let Some(Count { good, of, of_good, left: time, brief_left, set_aside, refused, .. }) = &grid.count else {
        canvas.line(
            &page.title,
            m.head,
            Colour::Text,
            (rest.left(), middle(at.top(), at.height(), m.head)),
            rest.width(),
            Align::Left,
        );
        return;
    };
    let large = figures(44);
    let digits = canvas.line(
        good,
        large,
        Colour::Text,
        (rest.left(), middle(rest.top(), rest.height(), large)),
        rest.width(),
        Align::Left,
    );
    let x = rest.left() + digits + m.gap * 2;
    let (name, quiet) = (strong(16), medium(16));
    let (upper, lower) = two_lines(rest, name);
    let tallies = if set_aside.0 + refused.0 > 0 { 52 } else { 0 };
    let room = rest.right() - x - tallies;
    let counted = if canvas.width(of_good, name) <= room { of_good } else { of };
    canvas.line(counted, name, Colour::Text, (x, upper), room, Align::Left);
    let said = if canvas.fonts.width(time, quiet, true) <= room { time } else { brief_left };
    canvas.counter(said, quiet, Colour::Quiet, (x, lower), room, Align::Left);
    for (count, icon, colour, y) in
        [(set_aside, Icon::Failed, Colour::Bad, upper), (refused, Icon::Refused, Colour::Try, lower)]
    {
        if count.0 > 0 {
            tally(&(count.0, count.0.to_string()), icon, colour, name, (rest.right() - tallies, y), tallies, canvas);
        }
    }
}
