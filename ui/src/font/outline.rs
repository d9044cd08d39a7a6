// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Smooth faces, drawn from their outlines.

use ttf_parser::{Face, GlyphId, OutlineBuilder};

use crate::mask::Mask;

/// Large text looks loose; above this size letters stand closer.
const LARGE_PX: u16 = 36;
/// So much closer, in parts of the size.
const LARGE_TRACKING: f32 = -0.022;

/// A face with outlines.
pub(super) struct Outline {
    face: Face<'static>,
    widest_digit: f32,
}

impl Outline {
    pub(super) fn new(bytes: &'static [u8]) -> Self {
        let face = Face::parse(bytes, 0).expect("the panel's own font");
        let widest = ('0'..='9').filter_map(|digit| face.glyph_hor_advance(face.glyph_index(digit)?)).max();
        let widest_digit = f32::from(widest.unwrap_or_default());
        Self { face, widest_digit }
    }

    #[cfg(test)]
    pub(super) fn has(&self, c: char) -> bool {
        self.face.glyph_index(c).is_some()
    }

    fn scale(&self, px: u16) -> f32 {
        f32::from(px) / f32::from(self.face.units_per_em())
    }

    /// Each glyph and where it begins, and in the end where the next would: in pixels from the start of the text.
    fn place(&self, text: &str, px: u16, counts: bool, mut each: impl FnMut(GlyphId, f32)) -> f32 {
        let scale = self.scale(px);
        let tracking = if px > LARGE_PX { f32::from(px) * LARGE_TRACKING } else { 0.0 };
        let mut x = 0.0;
        for c in text.chars() {
            // Glyph 0 is the box that stands for what a face does not have.
            let glyph = self.face.glyph_index(c).unwrap_or_default();
            let own = f32::from(self.face.glyph_hor_advance(glyph).unwrap_or_default());
            let advance = if counts && c.is_ascii_digit() { self.widest_digit } else { own };
            each(glyph, x + (advance - own) / 2.0 * scale);
            x += advance * scale + tracking;
        }
        x - if text.is_empty() { 0.0 } else { tracking }
    }

    pub(super) fn width(&self, text: &str, px: u16, counts: bool) -> f32 {
        self.place(text, px, counts, |_, _| {})
    }

    pub(super) fn draw(&self, text: &str, px: u16, counts: bool, mask: &mut Mask) {
        let scale = self.scale(px);
        self.place(text, px, counts, |glyph, x| {
            self.face.outline_glyph(glyph, &mut Pen { mask, scale, x, start: (0.0, 0.0), last: (0.0, 0.0) });
        });
    }
}

/// Turns a glyph's outline into lines and curves of the mask. Fonts count upwards, panels downwards.
struct Pen<'a> {
    mask: &'a mut Mask,
    scale: f32,
    x: f32,
    start: (f32, f32),
    last: (f32, f32),
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.at(x, y);
        self.last = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.mask.line(self.last, to);
        self.last = to;
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (control, to) = (self.at(x1, y1), self.at(x, y));
        self.mask.quad(self.last, control, to);
        self.last = to;
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (first, second, to) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.mask.cubic(self.last, first, second, to);
        self.last = to;
    }

    fn close(&mut self) {
        self.mask.line(self.last, self.start);
        self.last = self.start;
    }
}
