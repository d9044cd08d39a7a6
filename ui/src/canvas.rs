// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What forms draw on: shapes are added from back to front, with the places that can be touched.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::font::{Fonts, Type};
use crate::icon::Icon;
use crate::metrics::Metrics;
use crate::page::Action;
use crate::palette::Colour;
use crate::scene::{Scene, Shape, Text};

/// An area by its left upper corner and its size.
pub(crate) fn area(x: i32, y: i32, width: i32, height: i32) -> Rectangle {
    Rectangle::new(Point::new(x, y), Size::new(width.max(0) as u32, height.max(0) as u32))
}

/// The edges of areas, as whole numbers that may be subtracted.
pub(crate) trait Edges {
    fn left(&self) -> i32;
    fn top(&self) -> i32;
    fn right(&self) -> i32;
    fn bottom(&self) -> i32;
    fn width(&self) -> i32;
    fn height(&self) -> i32;
    /// So many pixels smaller on each side.
    fn inset(&self, by: i32) -> Rectangle;
}

impl Edges for Rectangle {
    fn left(&self) -> i32 {
        self.top_left.x
    }

    fn top(&self) -> i32 {
        self.top_left.y
    }

    fn right(&self) -> i32 {
        self.top_left.x + self.size.width as i32
    }

    fn bottom(&self) -> i32 {
        self.top_left.y + self.size.height as i32
    }

    fn width(&self) -> i32 {
        self.size.width as i32
    }

    fn height(&self) -> i32 {
        self.size.height as i32
    }

    fn inset(&self, by: i32) -> Rectangle {
        area(self.left() + by, self.top() + by, self.width() - 2 * by, self.height() - 2 * by)
    }
}

/// Where a line of text stands in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// A place that does something when it is touched or chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What counts as it.
    pub area: Rectangle,
    /// What it does.
    pub action: Action,
    /// The focus begins here, and it is the one blue button.
    pub is_first: bool,
}

/// Shapes and targets in the making.
pub(crate) struct Canvas<'a> {
    pub(crate) fonts: &'a Fonts,
    pub(crate) metrics: Metrics,
    /// Buttons stand on the left.
    pub(crate) is_mirrored: bool,
    /// The place that is touched at this moment.
    pub(crate) pressed: Option<Action>,
    pub(crate) scene: Scene,
    pub(crate) targets: Vec<Target>,
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(fonts: &'a Fonts, metrics: Metrics, is_mirrored: bool, pressed: Option<Action>) -> Self {
        let scene = Scene { ground: Colour::Ground, shapes: Vec::new() };
        Self { fonts, metrics, is_mirrored, pressed, scene, targets: Vec::new() }
    }

    pub(crate) fn panel(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.metrics.size)
    }

    pub(crate) fn fill(&mut self, at: Rectangle, colour: Colour) {
        if !at.is_zero_sized() {
            self.scene.shapes.push(Shape::Fill(at, colour));
        }
    }

    pub(crate) fn round(&mut self, at: Rectangle, radius: u16, colour: Colour) {
        self.scene.shapes.push(Shape::Round(at, radius, colour));
    }

    pub(crate) fn outline(&mut self, at: Rectangle, radius: u16, stroke: u16, colour: Colour) {
        self.scene.shapes.push(Shape::Outline { area: at, radius, stroke, colour, is_dotted: false });
    }

    pub(crate) fn dotted(&mut self, at: Rectangle, colour: Colour) {
        self.scene.shapes.push(Shape::Outline { area: at, radius: 0, stroke: 1, colour, is_dotted: true });
    }

    pub(crate) fn octagon(&mut self, at: Rectangle, corner: u16, colour: Colour) {
        self.scene.shapes.push(Shape::Octagon(at, corner, colour));
    }

    /// A sign in a square of this size; on mono panels of the nearest size that it has.
    pub(crate) fn icon(&mut self, icon: Icon, x: i32, y: i32, side: i32, colour: Colour) {
        let side = if self.metrics.is_mono() { (side / 11).max(1) * 11 } else { side };
        self.scene.shapes.push(Shape::Icon(icon, area(x, y, side, side), colour));
    }

    pub(crate) fn target(&mut self, at: Rectangle, action: Action) {
        self.targets.push(Target { area: at, action, is_first: false });
    }

    pub(crate) fn width(&self, text: &str, face: Type) -> i32 {
        self.fonts.width(text, face, false)
    }

    /// A line of text; one that is too long loses its end. Says how wide it is.
    pub(crate) fn line(
        &mut self,
        text: &str,
        face: Type,
        colour: Colour,
        (x, baseline): (i32, i32),
        room: i32,
        align: Align,
    ) -> i32 {
        self.put(text, face, false, colour, (x, baseline), room, align)
    }

    /// A number that counts, whose digits are all as wide.
    pub(crate) fn counter(
        &mut self,
        text: &str,
        face: Type,
        colour: Colour,
        (x, baseline): (i32, i32),
        room: i32,
        align: Align,
    ) -> i32 {
        self.put(text, face, true, colour, (x, baseline), room, align)
    }

    #[allow(clippy::too_many_arguments, reason = "both callers name them")]
    fn put(
        &mut self,
        text: &str,
        face: Type,
        counts: bool,
        colour: Colour,
        (x, baseline): (i32, i32),
        room: i32,
        align: Align,
    ) -> i32 {
        let text = self.shortened(text, face, counts, room);
        let width = self.fonts.width(&text, face, counts);
        let x = match align {
            Align::Left => x,
            Align::Centre => x + (room - width) / 2,
            Align::Right => x + room - width,
        };
        if !text.is_empty() {
            let at = Point::new(x, baseline);
            self.scene.shapes.push(Shape::Text(Text { text, face, counts, colour, at, width, room }));
        }
        width
    }

    fn shortened(&self, text: &str, face: Type, counts: bool, room: i32) -> String {
        if self.fonts.width(text, face, counts) <= room {
            return text.to_owned();
        }
        let mut kept = text.trim_end().to_owned();
        while kept.pop().is_some() {
            let cut = format!("{}…", kept.trim_end());
            if self.fonts.width(&cut, face, counts) <= room {
                return cut;
            }
        }
        String::new()
    }

    /// A serial number that is too long keeps both ends.
    pub(crate) fn both_ends(&self, text: &str, face: Type, room: i32) -> String {
        let characters: Vec<char> = text.chars().collect();
        if self.width(text, face) <= room {
            return text.to_owned();
        }
        for kept in (1..characters.len() / 2).rev() {
            let ends = characters[..kept].iter().chain(&['…']).chain(&characters[characters.len() - kept..]);
            let text: String = ends.collect();
            if self.width(&text, face) <= room {
                return text;
            }
        }
        String::new()
    }

    /// Sentences broken between words, so that no line is much shorter than the others.
    pub(crate) fn broken(&self, text: &str, face: Type, room: i32) -> Vec<String> {
        let greedy = self.break_at(text, face, room);
        let (mut low, mut high) = (room / 2, room);
        while low < high {
            let middle = (low + high) / 2;
            let lines = self.break_at(text, face, middle);
            match lines.len() <= greedy.len() && lines.iter().all(|line| self.width(line, face) <= middle) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        if greedy.len() > 1 { self.break_at(text, face, high) } else { greedy }
    }

    fn break_at(&self, text: &str, face: Type, room: i32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}"), face) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }

    /// A paragraph from its top; says how high it is. More lines than may be are left out, and the last one says so.
    pub(crate) fn paragraph(&mut self, text: &str, face: Type, colour: Colour, at: Rectangle, align: Align) -> i32 {
        let most = ((at.height() + face.line() - face.cap()) / face.line()).max(1) as usize;
        let mut lines = self.broken(text, face, at.width());
        if lines.len() > most {
            lines = self.break_at(text, face, at.width());
            let rest = lines.split_off(most - 1).join(" ");
            lines.push(rest);
        }
        let mut baseline = at.top() + face.cap();
        for line in &lines {
            self.line(line, face, colour, (at.left(), baseline), at.width(), align);
            baseline += face.line();
        }
        (lines.len() as i32 - 1) * face.line() + face.cap()
    }
}

/// Baseline of a line whose capitals stand in the middle of this height.
pub(crate) fn middle(top: i32, height: i32, face: Type) -> i32 {
    top + (height + face.cap()) / 2
}
