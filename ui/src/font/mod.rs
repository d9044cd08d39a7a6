// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The faces: smooth ones for panels with colours, pixel by pixel ones for those that are lit or not.

mod outline;
mod pixel;

use crate::mask::Mask;
use outline::Outline;
use pixel::Bitmap;

/// How heavy smooth text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// Text.
    Medium,
    /// What is read first.
    Strong,
    /// Large numbers. It has ASCII alone; anything else is strong.
    Figures,
}

/// A face of panels that are lit or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pixels {
    /// Seven pixels high.
    Seven,
    /// Nine pixels high.
    Nine,
    /// Eleven pixels high.
    Eleven,
    /// The same, bold.
    Bold,
    /// Digits of three by five blocks; anything else is bold.
    Blocks,
}

/// A face in a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Smooth, in pixels.
    Smooth(Weight, u16),
    /// Of pixels, each drawn as a square of so many.
    Pixel(Pixels, u8),
}

impl Type {
    /// Height of a capital letter, in pixels.
    pub fn cap(self) -> i32 {
        match self {
            Self::Smooth(_, px) => (f32::from(px) * 0.71).round() as i32,
            Self::Pixel(Pixels::Seven, scale) => 7 * i32::from(scale),
            Self::Pixel(Pixels::Nine, scale) => 9 * i32::from(scale),
            Self::Pixel(Pixels::Eleven | Pixels::Bold, scale) => 11 * i32::from(scale),
            Self::Pixel(Pixels::Blocks, scale) => 5 * i32::from(scale),
        }
    }

    /// From one line of a sentence to the next, in pixels.
    pub(crate) fn line(self) -> i32 {
        match self {
            Self::Smooth(_, px) => (f32::from(px) * 1.27).round() as i32,
            Self::Pixel(Pixels::Seven, scale) => 9 * i32::from(scale),
            Self::Pixel(Pixels::Nine, scale) => 12 * i32::from(scale),
            Self::Pixel(_, scale) => 14 * i32::from(scale),
        }
    }

    /// How far letters may reach above and below the base line.
    pub(crate) fn reach(self) -> (i32, i32) {
        match self {
            Self::Smooth(_, px) => ((f32::from(px) * 0.98) as i32 + 1, (f32::from(px) * 0.26) as i32 + 1),
            Self::Pixel(Pixels::Blocks, scale) => (12 * i32::from(scale), 3 * i32::from(scale)),
            Self::Pixel(_, scale) => (12 * i32::from(scale), 3 * i32::from(scale)),
        }
    }
}

/// All faces.
pub(crate) struct Fonts {
    medium: Outline,
    strong: Outline,
    figures: Outline,
    seven: Bitmap,
    nine: Bitmap,
    eleven: Bitmap,
    bold: Bitmap,
}

impl Default for Fonts {
    fn default() -> Self {
        Self {
            medium: Outline::new(include_bytes!("../../fonts/platen-sans-medium.otf")),
            strong: Outline::new(include_bytes!("../../fonts/platen-sans-strong.otf")),
            figures: Outline::new(include_bytes!("../../fonts/platen-sans-figures.otf")),
            seven: Bitmap::new(include_bytes!("../../fonts/platen-pixel-7.bits")),
            nine: Bitmap::new(include_bytes!("../../fonts/platen-pixel-9.bits")),
            eleven: Bitmap::new(include_bytes!("../../fonts/platen-pixel-11.bits")),
            bold: Bitmap::new(include_bytes!("../../fonts/platen-pixel-11-bold.bits")),
        }
    }
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fonts")
    }
}

impl Fonts {
    /// How wide a text is, in pixels. Digits of a number that counts are all as wide as the widest.
    pub(crate) fn width(&self, text: &str, face: Type, counts: bool) -> i32 {
        match face {
            Type::Smooth(weight, px) => self.outline(weight, text).width(text, px, counts).ceil() as i32,
            Type::Pixel(Pixels::Blocks, scale) if pixel::are_blocks(text) => pixel::blocks_width(text, scale),
            Type::Pixel(face, scale) => self.bitmap(face).width(text) * i32::from(scale),
        }
    }

    #[cfg(test)]
    /// Whether the face has this character.
    pub(crate) fn has(&self, c: char, face: Type) -> bool {
        match face {
            Type::Smooth(weight, _) => self.outline(weight, c.encode_utf8(&mut [0; 4])).has(c),
            Type::Pixel(face, _) => self.bitmap(face).has(c),
        }
    }

    /// What a text covers; the mask's origin is where its base line begins.
    pub(crate) fn draw(&self, text: &str, face: Type, counts: bool, mask: &mut Mask) {
        match face {
            Type::Smooth(weight, px) => self.outline(weight, text).draw(text, px, counts, mask),
            Type::Pixel(Pixels::Blocks, scale) if pixel::are_blocks(text) => pixel::draw_blocks(text, scale, mask),
            Type::Pixel(face, scale) => self.bitmap(face).draw(text, scale, mask),
        }
    }

    fn outline(&self, weight: Weight, text: &str) -> &Outline {
        match weight {
            Weight::Medium => &self.medium,
            Weight::Figures if text.is_ascii() => &self.figures,
            Weight::Strong | Weight::Figures => &self.strong,
        }
    }

    fn bitmap(&self, face: Pixels) -> &Bitmap {
        match face {
            Pixels::Seven => &self.seven,
            Pixels::Nine => &self.nine,
            Pixels::Eleven => &self.eleven,
            Pixels::Bold | Pixels::Blocks => &self.bold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hangul_syllable_is_there_on_panels_with_colours() {
        let fonts = Fonts::default();
        for weight in [Weight::Medium, Weight::Strong, Weight::Figures] {
            let missing = ('가'..='힣').filter(|c| !fonts.has(*c, Type::Smooth(weight, 20))).count();
            assert_eq!(missing, 0, "{weight:?}");
        }
        assert_eq!(('가'..='힣').count(), 11_172);
        assert!(!fonts.has('語', Type::Smooth(Weight::Medium, 20)), "the control");
    }

    #[test]
    fn a_number_that_counts_keeps_its_width() {
        let fonts = Fonts::default();
        let face = Type::Smooth(Weight::Figures, 50);
        let widths: Vec<i32> = (0..10).map(|digit| fonts.width(&format!("{digit}{digit}"), face, true)).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?}");
        assert!(fonts.width("11", face, false) < fonts.width("00", face, false), "the control");
    }
}
