// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From shapes to pixels.

use std::f32::consts::FRAC_PI_2;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::font::Fonts;
use crate::frame::Frame;
use crate::mask::Mask;
use crate::palette::Colour;
use crate::scene::{Scene, Shape};

/// Draws scenes into frames.
#[derive(Debug)]
pub(crate) struct Painter<'a> {
    pub(crate) fonts: &'a Fonts,
    /// Everything is lit or not.
    pub(crate) is_mono: bool,
}

impl Painter<'_> {
    /// Draw what of the scene lies in this area, and nothing outside it.
    pub(crate) fn paint(&self, scene: &Scene, area: Rectangle, frame: &mut Frame) {
        frame.fill(area, self.rgb(scene.ground));
        for shape in &scene.shapes {
            if !shape.bounds().intersection(&area).is_zero_sized() {
                self.shape(shape, area, frame);
            }
        }
    }

    fn rgb(&self, colour: Colour) -> [u8; 3] {
        match (self.is_mono, colour.is_lit()) {
            (false, _) => colour.rgb(),
            (true, true) => [255; 3],
            (true, false) => [0; 3],
        }
    }

    fn shape(&self, shape: &Shape, clip: Rectangle, frame: &mut Frame) {
        match shape {
            Shape::Fill(area, colour) => frame.fill(area.intersection(&clip), self.rgb(*colour)),
            Shape::Round(area, 0, colour) => frame.fill(area.intersection(&clip), self.rgb(*colour)),
            Shape::Round(area, radius, colour) => {
                let mut mask = Mask::new(*area, area.top_left);
                mask.polygon(&rounded(area.size, f32::from(*radius), 0.0));
                self.cover(&mask, *colour, clip, frame);
            }
            Shape::Outline { area, radius, stroke, colour, is_dotted: false } => {
                let mut mask = Mask::new(*area, area.top_left);
                mask.polygon(&rounded(area.size, f32::from(*radius), 0.0));
                mask.hole(&rounded(area.size, f32::from(radius.saturating_sub(*stroke)), f32::from(*stroke)));
                self.cover(&mask, *colour, clip, frame);
            }
            Shape::Outline { area, colour, is_dotted: true, .. } => {
                let inner = area.offset(-1);
                let edge = area.points().filter(|at| !inner.contains(*at) && (at.x + at.y) % 2 == 0);
                for at in edge.filter(|at| clip.contains(*at)) {
                    frame.cover(at, self.rgb(*colour), 1.0);
                }
            }
            Shape::Octagon(area, corner, colour) => {
                let (w, h, c) = (area.size.width as f32, area.size.height as f32, f32::from(*corner));
                let points = [(c, 0.0), (w - c, 0.0), (w, c), (w, h - c), (w - c, h), (c, h), (0.0, h - c), (0.0, c)];
                let mut mask = Mask::new(*area, area.top_left);
                mask.polygon(&points);
                self.cover(&mask, *colour, clip, frame);
            }
            Shape::Icon(icon, area, colour) => {
                let mut mask = Mask::new(*area, area.top_left);
                icon.draw(*area, self.is_mono, &mut mask);
                self.cover(&mask, *colour, clip, frame);
            }
            Shape::Text(text) => {
                let mut mask = Mask::new(text.bounds(), text.at);
                self.fonts.draw(&text.text, text.face, text.counts, &mut mask);
                self.cover(&mask, text.colour, clip, frame);
            }
        }
    }

    fn cover(&self, mask: &Mask, colour: Colour, clip: Rectangle, frame: &mut Frame) {
        let rgb = self.rgb(colour);
        mask.each(|at, coverage| {
            if clip.contains(at) {
                // A panel of one bit has no steps.
                let coverage = if self.is_mono { coverage.round() } else { coverage };
                frame.cover(at, rgb, coverage);
            }
        });
    }
}

/// The outline of an area with round corners, so far inside its edge.
fn rounded(size: Size, radius: f32, inset: f32) -> Vec<(f32, f32)> {
    let (right, bottom) = (size.width as f32 - inset, size.height as f32 - inset);
    if radius < 0.5 {
        return vec![(inset, inset), (right, inset), (right, bottom), (inset, bottom)];
    }
    let near = inset + radius;
    let centres = [(right - radius, near), (right - radius, bottom - radius), (near, bottom - radius), (near, near)];
    let mut points = Vec::new();
    for (quarter, (x, y)) in centres.into_iter().enumerate() {
        for step in 0..=8 {
            let angle = FRAC_PI_2 * (quarter as f32 - 1.0 + step as f32 / 8.0);
            points.push((x + radius * angle.cos(), y + radius * angle.sin()));
        }
    }
    points
}
