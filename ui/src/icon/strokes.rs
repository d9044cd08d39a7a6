// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Signs from lines, arcs and filled shapes, on a grid of 24 units. Ends are cut straight, corners are mitred.

use std::f32::consts::{FRAC_PI_2, PI, TAU};

use super::Icon;
use crate::mask::Mask;

type At = (f32, f32);

pub(super) fn draw(icon: Icon, scale: f32, mask: &mut Mask) {
    let mut pen = Pen { mask, scale };
    match icon {
        Icon::Port => {
            pen.frame((2.5, 6.5), (21.5, 17.5), 2.2);
            pen.bar(6.0, 10.6, 12.0, 2.6);
        }
        Icon::Checking => {
            pen.ring((10.5, 10.5), 6.8, 2.6);
            pen.line(&[(15.2, 15.2), (21.5, 21.5)], 3.2);
        }
        Icon::Writing => {
            pen.line(&[(12.0, 2.0), (12.0, 14.5)], 2.8);
            pen.line(&[(6.3, 9.0), (12.0, 14.7), (17.7, 9.0)], 2.8);
            pen.bar(3.0, 19.1, 18.0, 2.8);
        }
        Icon::ReadingBack => {
            pen.line(&[(12.0, 16.5), (12.0, 4.0)], 2.8);
            pen.line(&[(6.3, 9.7), (12.0, 4.0), (17.7, 9.7)], 2.8);
            pen.bar(3.0, 19.1, 18.0, 2.8);
        }
        Icon::Power => {
            let open = 73.0_f32.to_radians() / 2.0;
            pen.arc((12.0, 13.0), 8.4, -FRAC_PI_2 + open, 1.5 * PI - open, 2.8);
            pen.line(&[(12.0, 2.0), (12.0, 12.0)], 2.8);
        }
        Icon::Ready => pen.line(&[(3.0, 13.0), (9.4, 19.2), (21.4, 5.6)], 4.0),
        Icon::Failed => {
            pen.line(&[(4.0, 4.0), (20.0, 20.0)], 4.2);
            pen.line(&[(20.0, 4.0), (4.0, 20.0)], 4.2);
        }
        Icon::Refused => {
            pen.ring((12.0, 12.0), 9.4, 2.6);
            pen.bar(6.5, 10.2, 11.0, 3.6);
        }
        Icon::Retry => {
            pen.arc((12.0, 12.0), 8.0, 0.32, TAU - 0.79, 2.8);
            pen.fill(&[(21.8, 2.2), (21.8, 10.2), (13.8, 10.2)]);
        }
        Icon::Paused => {
            pen.bar(5.0, 4.0, 5.0, 16.0);
            pen.bar(14.0, 4.0, 5.0, 16.0);
        }
        Icon::Armed => pen.fill(&[(5.0, 3.5), (20.0, 12.0), (5.0, 20.5)]),
        Icon::Stop => pen.bar(5.0, 5.0, 14.0, 14.0),
        Icon::Pull => {
            pen.fill(&[(12.0, 3.5), (21.0, 14.0), (3.0, 14.0)]);
            pen.bar(3.0, 17.0, 18.0, 3.6);
        }
        Icon::Insert => {
            pen.line(&[(2.0, 12.0), (17.0, 12.0)], 2.8);
            pen.line(&[(11.0, 5.5), (17.5, 12.0), (11.0, 18.5)], 2.8);
            pen.bar(20.1, 3.0, 2.8, 18.0);
        }
        Icon::Lock => {
            pen.arc((12.0, 9.5), 5.6, PI, TAU, 2.8);
            pen.bar(5.0, 9.5, 2.8, 2.0);
            pen.bar(16.2, 9.5, 2.8, 2.0);
            pen.bar(4.0, 11.2, 16.0, 10.6);
        }
        Icon::Back => pen.line(&[(15.5, 3.5), (7.0, 12.0), (15.5, 20.5)], 3.2),
        Icon::Next => pen.line(&[(8.5, 3.5), (17.0, 12.0), (8.5, 20.5)], 3.2),
        Icon::Menu => [4.4, 10.6, 16.8].into_iter().for_each(|y| pen.bar(3.0, y, 18.0, 2.8)),
        Icon::Delete => {
            pen.fill(&[(0.8, 12.0), (6.8, 3.2), (23.0, 3.2), (23.0, 20.8), (6.8, 20.8)]);
            pen.cut(&[(3.8, 12.0), (8.1, 5.6), (20.6, 5.6), (20.6, 18.4), (8.1, 18.4)]);
            pen.line(&[(10.6, 8.2), (18.2, 15.8)], 2.4);
            pen.line(&[(18.2, 8.2), (10.6, 15.8)], 2.4);
        }
        Icon::Brightness => {
            pen.disc((12.0, 12.0), 4.6);
            for turn in 0..8 {
                let (sin, cos) = (turn as f32 * PI / 4.0).sin_cos();
                pen.line(&[(12.0 + 7.2 * cos, 12.0 + 7.2 * sin), (12.0 + 10.6 * cos, 12.0 + 10.6 * sin)], 2.4);
            }
        }
        Icon::Sound => {
            pen.fill(&[(1.8, 8.8), (6.2, 8.8), (11.6, 3.6), (11.6, 20.4), (6.2, 15.2), (1.8, 15.2)]);
            pen.arc((11.6, 12.0), 5.0, -0.9, 0.9, 2.4);
            pen.arc((11.6, 12.0), 9.4, -0.9, 0.9, 2.4);
        }
        Icon::Language => {
            pen.ring((12.0, 12.0), 9.6, 2.2);
            pen.bar(2.4, 10.9, 19.2, 2.2);
            let tall = |grow: f32| -> Vec<At> {
                circle((0.0, 0.0), 1.0)
                    .into_iter()
                    .map(|(x, y)| (12.0 + x * (4.4 + grow), 12.0 + y * (9.6 + grow)))
                    .collect()
            };
            pen.fill(&tall(1.0));
            pen.cut(&tall(-1.0));
            pen.bar(6.6, 10.9, 10.8, 2.2);
        }
        Icon::Clock => {
            pen.ring((12.0, 12.0), 9.4, 2.6);
            pen.line(&[(12.0, 6.0), (12.0, 12.6), (16.4, 15.0)], 2.4);
        }
        Icon::Ports => {
            pen.bar(3.0, 3.0, 8.0, 8.0);
            pen.bar(13.0, 3.0, 8.0, 8.0);
            pen.bar(3.0, 13.0, 8.0, 8.0);
            pen.frame((14.0, 14.0), (20.0, 20.0), 2.0);
        }
        Icon::Light => {
            pen.ring((12.0, 12.0), 9.4, 2.4);
            pen.disc((12.0, 12.0), 5.2);
        }
        Icon::Import => {
            pen.line(&[(12.0, 2.0), (12.0, 13.0)], 2.8);
            pen.line(&[(6.6, 8.0), (12.0, 13.4), (17.4, 8.0)], 2.8);
            pen.line(&[(3.4, 13.5), (3.4, 20.6), (20.6, 20.6), (20.6, 13.5)], 2.8);
        }
        Icon::About => {
            pen.ring((12.0, 12.0), 9.4, 2.6);
            pen.bar(10.6, 6.2, 2.8, 2.8);
            pen.bar(10.6, 10.4, 2.8, 7.4);
        }
    }
}

/// Draws in units of the grid.
struct Pen<'a> {
    mask: &'a mut Mask,
    scale: f32,
}

impl Pen<'_> {
    fn scaled(&self, points: &[At]) -> Vec<At> {
        points.iter().map(|(x, y)| (x * self.scale, y * self.scale)).collect()
    }

    fn fill(&mut self, points: &[At]) {
        self.mask.polygon(&self.scaled(points));
    }

    fn cut(&mut self, points: &[At]) {
        self.mask.hole(&self.scaled(points));
    }

    /// Sides that are straight lie on whole pixels.
    fn bar(&mut self, x: f32, y: f32, width: f32, height: f32) {
        let snap = |value: f32| (value * self.scale).round();
        let (left, top) = (snap(x), snap(y));
        let (width, height) = (snap(width).max(1.0), snap(height).max(1.0));
        self.mask.polygon(&[(left, top), (left + width, top), (left + width, top + height), (left, top + height)]);
    }

    fn frame(&mut self, from: At, to: At, stroke: f32) {
        let out = stroke / 2.0;
        self.fill(&corners((from.0 - out, from.1 - out), (to.0 + out, to.1 + out)));
        self.cut(&corners((from.0 + out, from.1 + out), (to.0 - out, to.1 - out)));
    }

    fn disc(&mut self, centre: At, radius: f32) {
        self.fill(&circle(centre, radius));
    }

    fn ring(&mut self, centre: At, radius: f32, stroke: f32) {
        self.fill(&circle(centre, radius + stroke / 2.0));
        self.cut(&circle(centre, radius - stroke / 2.0));
    }

    fn arc(&mut self, centre: At, radius: f32, from: f32, to: f32, stroke: f32) {
        let steps = 48;
        let on = |radius: f32, step: i32| {
            let (sin, cos) = (from + (to - from) * step as f32 / steps as f32).sin_cos();
            (centre.0 + radius * cos, centre.1 + radius * sin)
        };
        let outside = (0..=steps).map(|step| on(radius + stroke / 2.0, step));
        let inside = (0..=steps).rev().map(|step| on(radius - stroke / 2.0, step));
        let points: Vec<At> = outside.chain(inside).collect();
        self.fill(&points);
    }

    /// A line through these points, its corners mitred.
    fn line(&mut self, points: &[At], stroke: f32) {
        let half = stroke / 2.0;
        let normal = |from: At, to: At| {
            let (x, y) = (to.0 - from.0, to.1 - from.1);
            let length = x.hypot(y);
            (-y / length, x / length)
        };
        let normals: Vec<At> = points.windows(2).map(|pair| normal(pair[0], pair[1])).collect();
        let Some(&last) = normals.last() else { return };
        let shift = |index: usize| {
            let (before, after) = (normals[index.saturating_sub(1)], *normals.get(index).unwrap_or(&last));
            let (x, y) = (before.0 + after.0, before.1 + after.1);
            let length = 2.0 / (x * x + y * y).max(0.2);
            (x * length * half, y * length * half)
        };
        let side = |sign: f32| {
            points.iter().enumerate().map(move |(index, at)| {
                let (x, y) = shift(index);
                (at.0 + sign * x, at.1 + sign * y)
            })
        };
        let mut outline: Vec<At> = side(1.0).collect();
        outline.extend(side(-1.0).collect::<Vec<_>>().into_iter().rev());
        self.fill(&outline);
    }
}

fn corners(from: At, to: At) -> [At; 4] {
    [from, (to.0, from.1), to, (from.0, to.1)]
}

fn circle(centre: At, radius: f32) -> Vec<At> {
    let on = |step: i32| (step as f32 * TAU / 64.0).sin_cos();
    (0..64).map(on).map(|(sin, cos)| (centre.0 + radius * cos, centre.1 + radius * sin)).collect()
}
