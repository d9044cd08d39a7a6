// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How far each pixel of an area is covered, from outlines. Letters, icons and round corners all come from here.

use ab_glyph_rasterizer::{Point as At, Rasterizer};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// Coverage of an area. What is drawn is measured from an origin of its own.
pub(crate) struct Mask {
    area: Rectangle,
    origin: (f32, f32),
    raster: Rasterizer,
    squares: Vec<Rectangle>,
}

impl Mask {
    /// Nothing is covered yet. The origin is a point of the panel.
    pub(crate) fn new(area: Rectangle, origin: Point) -> Self {
        let (width, height) = (area.size.width as usize, area.size.height as usize);
        let origin = ((origin.x - area.top_left.x) as f32, (origin.y - area.top_left.y) as f32);
        Self { area, origin, raster: Rasterizer::new(width, height), squares: Vec::new() }
    }

    fn at(&self, (x, y): (f32, f32)) -> At {
        ab_glyph_rasterizer::point(x + self.origin.0, y + self.origin.1)
    }

    pub(crate) fn line(&mut self, from: (f32, f32), to: (f32, f32)) {
        let (from, to) = (self.at(from), self.at(to));
        self.raster.draw_line(from, to);
    }

    pub(crate) fn quad(&mut self, from: (f32, f32), control: (f32, f32), to: (f32, f32)) {
        let (from, control, to) = (self.at(from), self.at(control), self.at(to));
        self.raster.draw_quad(from, control, to);
    }

    pub(crate) fn cubic(&mut self, from: (f32, f32), first: (f32, f32), second: (f32, f32), to: (f32, f32)) {
        let (from, first, second, to) = (self.at(from), self.at(first), self.at(second), self.at(to));
        self.raster.draw_cubic(from, first, second, to);
    }

    /// A filled polygon. Whichever way round it is given, polygons that overlap add to each other.
    pub(crate) fn polygon(&mut self, points: &[(f32, f32)]) {
        self.ring(points, signed_area(points) < 0.0);
    }

    /// A polygon that is cut out of what is below it.
    pub(crate) fn hole(&mut self, points: &[(f32, f32)]) {
        self.ring(points, signed_area(points) >= 0.0);
    }

    fn ring(&mut self, points: &[(f32, f32)], is_reversed: bool) {
        for (from, to) in points.iter().zip(points.iter().cycle().skip(1)) {
            match is_reversed {
                false => self.line(*from, *to),
                true => self.line(*to, *from),
            }
        }
    }

    /// Whole pixels, which have no edges to smooth.
    pub(crate) fn square(&mut self, x: i32, y: i32, side: i32) {
        let at = Point::new(x + self.origin.0 as i32, y + self.origin.1 as i32);
        self.squares.push(Rectangle::new(at + self.area.top_left, Size::new_equal(side as u32)));
    }

    /// Every pixel that is covered, and how far.
    pub(crate) fn each(&self, mut pixel: impl FnMut(Point, f32)) {
        let width = self.area.size.width as usize;
        self.raster.for_each_pixel(|index, coverage| {
            if coverage > 0.02 {
                let at = Point::new((index % width) as i32, (index / width) as i32);
                pixel(self.area.top_left + at, coverage);
            }
        });
        for at in self.squares.iter().flat_map(|square| square.points()) {
            pixel(at, 1.0);
        }
    }
}

fn signed_area(points: &[(f32, f32)]) -> f32 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|((x, y), (next_x, next_y))| x * next_y - next_x * y).sum()
}
