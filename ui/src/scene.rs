// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is on the panel, as a list of shapes from back to front. Two lists are compared to know what must be redrawn.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::font::Type;
use crate::icon::Icon;
use crate::palette::Colour;

/// Something drawn in one colour.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Shape {
    /// All of an area.
    Fill(Rectangle, Colour),
    /// An area with round corners.
    Round(Rectangle, u16, Colour),
    /// The inner edge of an area with round corners.
    Outline {
        /// Up to its outer edge.
        area: Rectangle,
        /// Of the outer corners.
        radius: u16,
        /// How thick.
        stroke: u16,
        /// Of the stroke.
        colour: Colour,
        /// Every other pixel only: what is empty on a panel of one bit.
        is_dotted: bool,
    },
    /// An area whose corners are cut: the form of a drive that is set aside.
    Octagon(Rectangle, u16, Colour),
    /// A sign in a square.
    Icon(Icon, Rectangle, Colour),
    /// One line of text.
    Text(Text),
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// What is written.
    pub text: String,
    /// In which face and size.
    pub face: Type,
    /// Digits have one width.
    pub counts: bool,
    /// Of the letters.
    pub colour: Colour,
    /// Where its base line begins.
    pub at: Point,
    /// How wide it is.
    pub width: i32,
    /// How wide it may be.
    pub room: i32,
}

impl Text {
    /// What its letters cover at most.
    pub fn bounds(&self) -> Rectangle {
        let (above, below) = self.face.reach();
        // Letters may hang over their own width a little.
        let over = above / 8 + 2;
        let size = Size::new((self.width + 2 * over) as u32, (above + below) as u32);
        Rectangle::new(self.at - Point::new(over, above), size)
    }
}

impl Shape {
    /// Nothing of it lies outside.
    pub fn bounds(&self) -> Rectangle {
        match self {
            Self::Fill(area, _) | Self::Round(area, ..) | Self::Octagon(area, ..) | Self::Icon(_, area, _) => *area,
            Self::Outline { area, .. } => *area,
            Self::Text(text) => text.bounds(),
        }
    }
}

/// All that is on the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// Behind everything.
    pub ground: Colour,
    /// From back to front.
    pub shapes: Vec<Shape>,
}

/// More areas than this are not worth keeping apart.
const MOST_AREAS: usize = 24;

impl Scene {
    /// The areas in which the panel changes when this scene takes the place of another, without any that overlap.
    pub fn damage(&self, before: &Self, panel: Size) -> Vec<Rectangle> {
        let all = Rectangle::new(Point::zero(), panel);
        if self.ground != before.ground {
            return vec![all];
        }
        // Shapes that stay keep their order, so only where one comes or goes does a pixel change.
        let mut areas = Vec::new();
        let mut old = before.shapes.iter();
        for shape in &self.shapes {
            let rest = old.as_slice();
            match rest.iter().position(|other| other == shape) {
                Some(skipped) => {
                    areas.extend(rest[..skipped].iter().map(Shape::bounds));
                    old = rest[skipped + 1..].iter();
                }
                None => areas.push(shape.bounds()),
            }
        }
        areas.extend(old.map(Shape::bounds));
        merged(areas.iter().map(|area| area.intersection(&all)).filter(|area| !area.is_zero_sized()).collect())
    }
}

/// Areas that overlap become one.
fn merged(mut areas: Vec<Rectangle>) -> Vec<Rectangle> {
    let mut done: Vec<Rectangle> = Vec::new();
    while let Some(area) = areas.pop() {
        match done.iter().position(|other| !other.intersection(&area).is_zero_sized()) {
            // The larger one may overlap others.
            Some(index) => areas.push(envelope(done.swap_remove(index), area)),
            None => done.push(area),
        }
    }
    if done.len() > MOST_AREAS {
        done = done.into_iter().reduce(envelope).into_iter().collect();
    }
    done
}

fn envelope(one: Rectangle, other: Rectangle) -> Rectangle {
    let end = |area: Rectangle| area.top_left + Point::new(area.size.width as i32, area.size.height as i32);
    let top_left = one.top_left.component_min(other.top_left);
    let size = end(one).component_max(end(other)) - top_left;
    Rectangle::new(top_left, Size::new(size.x as u32, size.y as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: i32, colour: Colour) -> Shape {
        Shape::Fill(Rectangle::new(Point::new(x, 0), Size::new_equal(10)), colour)
    }

    fn scene(shapes: &[Shape]) -> Scene {
        Scene { ground: Colour::Ground, shapes: shapes.to_vec() }
    }

    #[test]
    fn only_what_changes_is_damaged() {
        let panel = Size::new(100, 10);
        let (a, b, c) = (square(0, Colour::Text), square(20, Colour::Text), square(40, Colour::Text));
        let before = scene(&[a.clone(), b.clone(), c.clone()]);
        assert_eq!(before.damage(&before, panel), []);
        let changed = scene(&[a.clone(), square(20, Colour::Bad), c.clone()]);
        assert_eq!(changed.damage(&before, panel), [b.bounds()]);
        let gone = scene(&[a.clone(), c.clone()]);
        assert_eq!(gone.damage(&before, panel), [b.bounds()]);
        assert_eq!(before.damage(&gone, panel), [b.bounds()]);
        // Where two shapes change places, one of them counts as new.
        let swapped = scene(&[b.clone(), a, c]);
        assert!(!swapped.damage(&before, panel).is_empty());
        let other = Scene { ground: Colour::Bad, ..before.clone() };
        assert_eq!(other.damage(&before, panel), [Rectangle::new(Point::zero(), panel)]);
    }

    #[test]
    fn areas_that_overlap_become_one() {
        let area = |x, width| Rectangle::new(Point::new(x, 0), Size::new(width, 5));
        assert_eq!(merged(vec![area(0, 10), area(20, 5), area(5, 18)]), [area(0, 25)]);
    }
}
