// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The end of a batch: how many drives are good, and what became of the others.

use embedded_graphics::primitives::Rectangle;

use crate::canvas::{Align, Canvas, Edges, area, middle};
use crate::font::{Type, Weight};
use crate::icon::Icon;
use crate::metrics::Class;
use crate::page::{Page, Summary};
use crate::palette::Colour;

pub(super) fn draw(page: &Page, summary: &Summary, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let rest = super::header(page, canvas);
    let is_stacked = m.is_tall() || m.class == Class::Square;
    let (good, rest) = match (m.class, is_stacked) {
        (_, true) => {
            let height = rest.height() / 3;
            (
                area(rest.left(), rest.top(), rest.width(), height),
                area(rest.left(), rest.top() + height + m.gap, rest.width(), rest.height() - height - m.gap),
            )
        }
        (_, false) => {
            let width = rest.width() / 3;
            let left = rest.left() + width + m.margin * 3 / 2;
            (
                area(rest.left(), rest.top(), width, rest.height()),
                area(left, rest.top(), rest.right() - left, rest.height()),
            )
        }
    };
    good_drives(summary, good, is_stacked, canvas);
    let rest = super::buttons(page, rest, canvas);
    others(summary, rest, canvas);
}

fn good_drives(summary: &Summary, at: Rectangle, is_stacked: bool, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    canvas.round(at, m.radius, Colour::Ready);
    let inner = at.inset(if m.class == Class::Square { 8 } else { m.margin });
    let px = match m.class {
        Class::Wide => 280,
        Class::Full => 170,
        Class::Tall => 120,
        Class::Half => 84,
        Class::Small => 56,
        _ => 44,
    };
    let number =
        super::message::fitting_number(&summary.good, Type::Smooth(Weight::Figures, px), inner.width(), canvas);
    if is_stacked {
        let baseline = middle(inner.top(), inner.height(), number);
        let width =
            canvas.line(&summary.good, number, Colour::Ink, (inner.left(), baseline), inner.width() / 2, Align::Left);
        let left = inner.left() + width + m.gap * 2;
        canvas.line(
            &summary.label,
            m.name,
            Colour::Ink,
            (left, baseline - m.name.line() / 2),
            inner.right() - left,
            Align::Left,
        );
        if m.class != Class::Square {
            canvas.paragraph(
                &summary.proof,
                m.second,
                Colour::Ink,
                area(left, baseline, inner.right() - left, m.second.line() * 2),
                Align::Left,
            );
        }
        return;
    }
    let sign = number.cap() / 2;
    canvas.icon(Icon::Ready, inner.left(), inner.top() + m.gap / 2, sign, Colour::Ink);
    let proof_lines = canvas.broken(&summary.proof, m.second, inner.width()).len() as i32;
    let proof_height = (proof_lines - 1) * m.second.line() + m.second.cap();
    let has_proof = m.class != Class::Small;
    let mut bottom = inner.bottom() - m.gap / 2;
    if has_proof {
        canvas.paragraph(
            &summary.proof,
            m.second,
            Colour::Ink,
            area(inner.left(), bottom - proof_height, inner.width(), proof_height),
            Align::Left,
        );
        bottom -= proof_height + m.gap * 2;
    }
    let label = if canvas.width(&summary.label, m.name) <= inner.width() { m.name } else { m.least };
    canvas.line(&summary.label, label, Colour::Ink, (inner.left(), bottom), inner.width(), Align::Left);
    let above = inner.top() + sign + m.gap;
    let baseline = middle(above, bottom - m.name.cap() - above, number);
    canvas.line(&summary.good, number, Colour::Ink, (inner.left() - 2, baseline), inner.width() + 2, Align::Left);
}

fn others(summary: &Summary, rest: Rectangle, canvas: &mut Canvas<'_>) {
    let m = canvas.metrics;
    let mut top = rest.top();
    if !matches!(m.class, Class::Small | Class::Square) {
        let quiet = Type::Smooth(Weight::Medium, super::px(m.name));
        let baseline = top + m.name.cap() + m.gap / 2;
        let (title, version) = &summary.medium;
        let width = canvas.line(title, m.name, Colour::Text, (rest.left(), baseline), rest.width(), Align::Left);
        let left = rest.left() + width + m.gap;
        if canvas.width(version, quiet) <= rest.right() - left {
            canvas.line(version, quiet, Colour::Quiet, (left, baseline), rest.right() - left, Align::Left);
        }
        top = baseline + m.gap * 2;
    }
    let strong = Type::Smooth(Weight::Strong, super::px(m.second));
    let height = canvas.paragraph(
        &summary.rest,
        strong,
        Colour::Text,
        area(rest.left(), top + m.gap / 2, rest.width(), strong.line() * 2),
        Align::Left,
    );
    top += height + m.gap * 3 / 2;
    let row = (m.row * 2 / 3).max(m.second.line() + 6);
    let fit = |room: i32| ((room + 4) / (row + 4)).max(0) as usize;
    let turner = row;
    let per_page = match fit(rest.bottom() - top) {
        all if all >= summary.rows.len() => all,
        _ => fit(rest.bottom() - top - turner - 4).max(1),
    };
    let pages = summary.rows.len().div_ceil(per_page.max(1)).max(1);
    let shown = summary.page.min(pages - 1);
    for (icon, colour, port, why, serial) in summary.rows.iter().skip(shown * per_page).take(per_page) {
        let at = area(rest.left(), top, rest.width(), row);
        canvas.round(at, m.radius, Colour::Surface);
        let baseline = middle(at.top(), row, strong);
        let side = (strong.cap() * 5 / 4) & !1;
        let mut x = at.left() + m.gap;
        canvas.icon(*icon, x, at.top() + (row - side) / 2, side, *colour);
        x += side + m.gap;
        let ports = canvas.width("00", strong).max(canvas.width(port, strong));
        canvas.line(port, strong, Colour::Text, (x, baseline), ports, Align::Right);
        x += ports + m.gap;
        let mut right = at.right() - m.gap;
        if at.width() > 200 {
            right -= canvas.line(serial, m.second, Colour::Quiet, (x, baseline), right - x, Align::Right) + m.gap;
        }
        canvas.line(why, strong, Colour::Text, (x, baseline), right - x, Align::Left);
        top += row + 4;
    }
    if pages > 1 {
        super::rows::turner_line(shown, pages, area(rest.left(), rest.bottom() - turner, rest.width(), turner), canvas);
    }
}
