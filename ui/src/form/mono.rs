// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Panels of one bit: few pixels, so few words. Filled asks for a hand, here too.

use embedded_graphics::primitives::Rectangle;

use super::mono_grid;
use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::{Pixels, Type};
use crate::icon::Icon;
use crate::page::{Action, Attention, Body, Facts, Form, Keypad, Message, Page, Row, Statement, Summary};
use crate::palette::Colour;

pub(super) const SEVEN: Type = Type::Pixel(Pixels::Seven, 1);
pub(super) const NINE: Type = Type::Pixel(Pixels::Nine, 1);
pub(super) const ELEVEN: Type = Type::Pixel(Pixels::Eleven, 1);
pub(super) const BOLD: Type = Type::Pixel(Pixels::Bold, 1);

pub(super) fn draw(page: &Page, canvas: &mut Canvas<'_>) {
    match &page.body {
        Body::Grid(grid) => mono_grid::draw(page, grid, canvas),
        Body::Message(message) => say(page, message, canvas),
        Body::Attention(attention) => call(attention, canvas),
        Body::Field(_) | Body::Cross(_) => {}
        Body::Rows(list) if list.rows.is_empty() => {
            let rest = first_line(page, canvas);
            let rest = buttons(page, rest, canvas);
            canvas.paragraph(&list.empty.0, NINE, Colour::Text, rest, Align::Left);
        }
        Body::Rows(list) => {
            let rest = first_line(page, canvas);
            let rest = buttons(page, rest, canvas);
            rows(&list.rows, list.page, rest, canvas);
        }
        Body::Languages(languages, invitations) => {
            let titled = Page { title: invitations.first().cloned().unwrap_or_default(), ..page.clone() };
            let rest = first_line(&titled, canvas);
            let rows_of: Vec<Row> = languages
                .iter()
                .map(|(language, name, _)| Row {
                    icon: None,
                    name: name.clone(),
                    second: String::new(),
                    action: Some(Action::Speak(*language)),
                    is_chosen: false,
                })
                .collect();
            rows(&rows_of, 0, rest, canvas);
        }
        Body::Facts(of) => {
            let rest = first_line(page, canvas);
            let rest = buttons(page, rest, canvas);
            facts(of, rest, canvas);
        }
        Body::Keypad(keypad) => type_in(page, keypad, canvas),
        Body::Statement(statement) => {
            let rest = buttons(page, canvas.panel(), canvas);
            state(page, statement, rest, canvas);
        }
        Body::Summary(summary) => sum_up(page, summary, canvas),
    }
}

/// The first line, with the way back before it. Gives back what is below.
fn first_line(page: &Page, canvas: &mut Canvas<'_>) -> Rectangle {
    let (width, height) = canvas.metrics.extent();
    let mut left = 1;
    if page.has_back {
        canvas.icon(Icon::Back, 0, 0, 11, Colour::Text);
        canvas.target(area(0, 0, 12, 12), Action::Back);
        left = 14;
    }
    let mut room = width - left;
    if !page.corner.is_empty() && canvas.width(&page.title, BOLD) + canvas.width(&page.corner, NINE) + 4 <= room {
        room -= canvas.line(&page.corner, NINE, Colour::Text, (left, 11), room - 1, Align::Right) + 3;
    }
    let face = if canvas.width(&page.title, BOLD) <= room { BOLD } else { NINE };
    canvas.line(&page.title, face, Colour::Text, (left, 11), room, Align::Left);
    area(0, 13, width, height - 13)
}

/// Buttons at the lower edge: the one that goes on is lit.
fn buttons(page: &Page, rest: Rectangle, canvas: &mut Canvas<'_>) -> Rectangle {
    let count = page.buttons.len() as i32;
    if count == 0 {
        return rest;
    }
    let width = (rest.width() - (count - 1) * 2) / count;
    for (button, index) in page.buttons.iter().zip(0..) {
        let at = area(rest.left() + index * (width + 2), rest.bottom() - 13, width, 13);
        let ink = match button.is_primary {
            true => {
                canvas.fill(at, Colour::Text);
                Colour::Ink
            }
            false => {
                canvas.outline(at, 0, 1, Colour::Text);
                Colour::Text
            }
        };
        match button.icon {
            // A sign says it as well where the words are too long.
            Some(icon) if canvas.width(&button.text, NINE) > width - 4 => {
                canvas.icon(icon, at.left() + (width - 11) / 2, at.top() + 1, 11, ink);
            }
            _ => {
                canvas.line(&button.text, NINE, ink, (at.left() + 2, at.top() + 10), width - 4, Align::Centre);
            }
        }
        canvas.target(at, button.action.clone());
        if button.is_primary
            && let Some(target) = canvas.targets.last_mut()
        {
            target.is_first = true;
        }
    }
    area(rest.left(), rest.top(), rest.width(), rest.height() - 15)
}

fn rows(rows: &[Row], page: usize, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let height = 12;
    let fit = (rest.height() / height).max(2) as usize;
    let per_page = if rows.len() <= fit { fit } else { fit - 1 };
    let pages = rows.len().div_ceil(per_page).max(1);
    let shown = page.min(pages - 1);
    let mut top = rest.top();
    for row in rows.iter().skip(shown * per_page).take(per_page) {
        let at = area(rest.left(), top, rest.width(), height);
        let mut left = 3;
        if row.is_chosen {
            canvas.fill(area(0, top + 2, 2, 9), Colour::Text);
        }
        if let Some((icon @ (Icon::Ready | Icon::Failed | Icon::Refused | Icon::Retry), _)) = row.icon {
            canvas.icon(icon, 1, top, 11, Colour::Text);
            left = 15;
        }
        let room = rest.width() - left - 3;
        let name = canvas.width(&row.name, NINE);
        let second = canvas.width(&row.second, NINE);
        let baseline = top + 10;
        if !row.second.is_empty() && name + second + 4 <= room {
            canvas.line(&row.second, NINE, Colour::Text, (left, baseline), room, Align::Right);
        }
        canvas.line(&row.name, NINE, Colour::Text, (left, baseline), room, Align::Left);
        if let Some(action) = &row.action {
            canvas.target(at, action.clone());
        }
        top += height;
    }
    if pages > 1 {
        let y = rest.bottom() - height;
        let turn = |to: usize| Action::Page(to % pages);
        canvas.icon(Icon::Back, 10, y, 11, Colour::Text);
        canvas.target(area(0, y, 32, height), turn(shown + pages - 1));
        canvas.icon(Icon::Next, rest.width() - 21, y, 11, Colour::Text);
        canvas.target(area(rest.width() - 32, y, 32, height), turn(shown + 1));
        let text = format!("{} / {pages}", shown + 1);
        canvas.line(&text, NINE, Colour::Text, (32, y + 10), rest.width() - 64, Align::Centre);
    }
}

fn facts(of: &Facts, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let mut top = rest.top();
    if let Some((tile, word, _)) = &of.port {
        let percent = tile.percent.map(|percent| format!("{percent}%")).unwrap_or_default();
        let room = rest.width() - 15 - canvas.width(&percent, ELEVEN) - 3;
        canvas.icon(tile.icon, 0, top, 11, Colour::Text);
        let said = if canvas.width(word, ELEVEN) <= room { word } else { &tile.words[2] };
        canvas.line(said, ELEVEN, Colour::Text, (15, top + 10), room, Align::Left);
        canvas.counter(&percent, ELEVEN, Colour::Text, (0, top + 10), rest.width() - 1, Align::Right);
        top += 13;
        if let Some(halves) = tile.halves {
            mono_grid::bar(halves, tile.is_cut, area(0, top, rest.width(), 7), canvas);
            top += 9;
        }
    }
    // What is in the way comes before the facts, for which there may be no room.
    let (urgent, others): (Vec<_>, Vec<_>) = of.notes.iter().partition(|(_, colour, _)| *colour == Colour::Try);
    let plain = |text: &String| (text.clone(), String::new());
    let heading = Some(&of.heading).filter(|heading| !heading.is_empty());
    let above = heading.into_iter().chain(urgent.iter().map(|(_, _, note)| note)).map(plain);
    let below = others.iter().map(|(_, _, note)| plain(note));
    let texts = above.chain(of.facts.iter().cloned()).chain(below);
    for (name, fact) in texts {
        if top + 11 > rest.bottom() {
            break;
        }
        let baseline = top + 9;
        let room = rest.width() - 2;
        let name_width = canvas.width(&name, NINE);
        match name_width + canvas.width(&fact, NINE) + 4 <= room || fact.is_empty() {
            true => {
                canvas.line(&name, NINE, Colour::Text, (1, baseline), room, Align::Left);
                canvas.line(&fact, NINE, Colour::Text, (1, baseline), room, Align::Right);
            }
            false => {
                let fact = canvas.both_ends(&fact, NINE, room);
                canvas.line(&fact, NINE, Colour::Text, (1, baseline), room, Align::Left);
            }
        }
        top += 11;
    }
}

fn type_in(page: &Page, keypad: &Keypad, canvas: &mut Canvas<'_>) {
    let (width, height) = canvas.metrics.extent();
    let titled = Page { title: keypad.title.clone(), corner: String::new(), ..page.clone() };
    let rest = first_line(&titled, canvas);
    let baseline = rest.top() + 11;
    let typed = canvas.width(&keypad.typed, ELEVEN).min(width - 8);
    canvas.line(&keypad.typed, ELEVEN, Colour::Text, (3, baseline), width - 8, Align::Left);
    canvas.fill(area(5 + typed, baseline - 9, 1, 10), Colour::Text);
    // All keys in rows: whoever has buttons or a knob goes through them one by one.
    let count = keypad.keys.len() as i32 + 2 + 2 * i32::from(keypad.more.is_some());
    let columns = (width / if count > 24 { 9 } else { 10 }).min(count);
    let lines = (count + columns - 1) / columns;
    let (wide, high) = (width / columns, 12);
    let top = height - lines * high;
    let place = |index: i32| area(index % columns * wide, top + index / columns * high, wide, high);
    for (key, index) in keypad.keys.iter().zip(0..) {
        let at = place(index);
        canvas.line(&key.to_string(), NINE, Colour::Text, (at.left(), at.top() + 10), wide, Align::Centre);
        canvas.target(at, Action::Type(*key));
    }
    if let Some((others, part)) = &keypad.more {
        // Twice as wide as a key.
        let at = place(keypad.keys.len() as i32);
        let at = area(at.left(), at.top(), 2 * wide, high);
        canvas.line(others, NINE, Colour::Text, (at.left() + 2, at.top() + 10), 2 * wide, Align::Left);
        canvas.target(at, Action::Page(*part));
    }
    for (icon, action, index) in [(Icon::Back, Action::Delete, count - 2), (Icon::Ready, Action::Enter, count - 1)] {
        let at = place(index);
        canvas.icon(icon, at.left() + (wide - 11) / 2, at.top(), 11, Colour::Text);
        canvas.target(at, action);
    }
}

fn state(page: &Page, statement: &Statement, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let width = rest.width();
    let mut left = 1;
    if page.has_back {
        canvas.icon(Icon::Back, 0, 0, 11, Colour::Text);
        canvas.target(area(0, 0, 12, 12), Action::Back);
        left = 14;
    }
    let lines = |face: Type, canvas: &Canvas<'_>| canvas.broken(&statement.title, face, width - left).len() as i32;
    let face = if lines(BOLD, canvas) <= 2 { BOLD } else { NINE };
    let title = area(left, rest.top() + 1, width - left, lines(face, canvas) * face.line());
    let mut top = rest.top() + 1 + canvas.paragraph(&statement.title, face, Colour::Text, title, Align::Left) + 5;
    if let Some(part) = statement.part {
        canvas.outline(area(0, top, width, 7), 0, 1, Colour::Text);
        canvas.fill(area(0, top, width * i32::from(part) / 1000, 7), Colour::Text);
        top += 10;
    }
    // What does not fit whole leaves.
    let lines = canvas.broken(&statement.note, NINE, width - 1).len() as i32;
    if top + (lines - 1) * NINE.line() + NINE.cap() <= rest.bottom() {
        canvas.paragraph(
            &statement.note,
            NINE,
            Colour::Text,
            area(1, top, width - 1, rest.bottom() - top),
            Align::Left,
        );
    }
}

/// A message: the port at the left in the verdict's form, then what happened, what to do, usable or not.
fn say(page: &Page, message: &Message, canvas: &mut Canvas<'_>) {
    let (width, height) = canvas.metrics.extent();
    let column = 36;
    let left = area(0, 0, column, height);
    let is_filled = message.form.is_filled();
    let ink = if is_filled { Colour::Ink } else { Colour::Text };
    match is_filled {
        true => canvas.fill(left, Colour::Text),
        false => canvas.outline(left, 0, 2, Colour::Text),
    }
    match &message.port {
        Some((word, label)) => {
            let face = if canvas.width(word, ELEVEN) <= column - 4 { ELEVEN } else { NINE };
            canvas.line(word, face, ink, (2, 12), column - 4, Align::Centre);
            let number = number(label, 6, column - 6, canvas);
            canvas.line(label, number, ink, (3, middle(14, 36, number)), column - 6, Align::Centre);
        }
        None => canvas.icon(message.verdict.0, 7, 16, 22, ink),
    }
    canvas.line(&message.code, SEVEN, ink, (0, height - 4), column, Align::Centre);
    let rest = area(column + 4, 0, width - column - 4, height);
    let verdict_at = area(rest.left(), height - 18, rest.width(), 18);
    let [what, todo] = [&message.what[1], &message.todo[1]];
    let fits =
        |face: Type| canvas.broken(what, face, rest.width()).len() + canvas.broken(todo, face, rest.width()).len() <= 3;
    let face = if fits(ELEVEN) { ELEVEN } else { NINE };
    let room = verdict_at.top() - 2;
    let first = canvas.broken(what, face, rest.width()).len() as i32;
    canvas.paragraph(what, face, Colour::Text, area(rest.left(), 2, rest.width(), first * face.line()), Align::Left);
    let top = 2 + first * face.line() + 2;
    canvas.paragraph(todo, face, Colour::Text, area(rest.left(), top, rest.width(), room - top), Align::Left);
    match message.form {
        Form::Bad => canvas.octagon(verdict_at, 5, Colour::Text),
        Form::Ready => canvas.fill(verdict_at, Colour::Text),
        _ => canvas.outline(verdict_at, 0, 2, Colour::Text),
    }
    canvas.icon(message.verdict.0, verdict_at.left() + 5, verdict_at.top() + 3, 11, ink);
    let word = if canvas.width(&message.verdict.1, ELEVEN) <= rest.width() - 22 { ELEVEN } else { NINE };
    canvas.line(
        &message.verdict.1,
        word,
        ink,
        (verdict_at.left() + 19, middle(verdict_at.top(), 18, word)),
        rest.width() - 22,
        Align::Left,
    );
    if let Some(button) = page.buttons.last() {
        canvas.target(canvas.panel(), button.action.clone());
    }
}

/// A label in large figures, as large as it can be.
pub(super) fn number(label: &str, largest: u8, room: i32, canvas: &Canvas<'_>) -> Type {
    let sized = (2..=largest).rev().map(|scale| Type::Pixel(Pixels::Blocks, scale));
    sized.into_iter().find(|face| canvas.width(label, *face) <= room).unwrap_or(SEVEN)
}

fn call(attention: &Attention, canvas: &mut Canvas<'_>) {
    let (width, height) = canvas.metrics.extent();
    let tile = &attention.tile;
    let is_filled = tile.form.is_filled();
    let ink = if is_filled { Colour::Ink } else { Colour::Text };
    match (is_filled, tile.form) {
        (true, _) => canvas.scene.ground = Colour::Text,
        (false, _) => canvas.outline(canvas.panel(), 0, 4, Colour::Text),
    }
    if tile.form == Form::Bad {
        canvas.scene.ground = Colour::Ground;
        canvas.octagon(canvas.panel(), 10, Colour::Text);
    }
    let is_tall = height > width;
    let face = number(&tile.label, 9, if is_tall { width - 16 } else { 40 }, canvas);
    let number_height = if is_tall { height / 2 } else { height };
    let used = canvas.line(&tile.label, face, ink, (9, middle(0, number_height, face)), width, Align::Left);
    let (left, top) = if is_tall { (9, number_height) } else { (9 + used + 11, 7) };
    canvas.icon(tile.icon, left, top, 22, ink);
    let large = Type::Pixel(Pixels::Bold, 2);
    let room = width - left - 4;
    let word = &tile.words[2];
    let word_face = if canvas.width(word, large) <= room { large } else { BOLD };
    canvas.line(word, word_face, ink, (left, top + 22 + 6 + word_face.cap()), room, Align::Left);
    canvas.target(canvas.panel(), Action::Back);
}

fn sum_up(page: &Page, summary: &Summary, canvas: &mut Canvas<'_>) {
    let (width, _) = canvas.metrics.extent();
    let rest = buttons(page, canvas.panel(), canvas);
    let top = area(0, 0, width, 22);
    canvas.fill(top, Colour::Text);
    let number = number(&summary.good, 3, 50, canvas);
    let used = canvas.line(&summary.good, number, Colour::Ink, (4, 18), width, Align::Left);
    let left = 4 + used + 6;
    canvas.icon(Icon::Ready, width - 15, 5, 11, Colour::Ink);
    canvas.line(&summary.label, ELEVEN, Colour::Ink, (left, 16), width - left - 17, Align::Left);
    canvas.paragraph(&summary.rest, NINE, Colour::Text, area(1, 26, width - 2, rest.bottom() - 26), Align::Left);
}
