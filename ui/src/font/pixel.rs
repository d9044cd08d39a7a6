// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Faces of whole pixels, as `ui/fonts/make-fonts` writes them: height, baseline, then records of one size, sorted by
//! character; each has the character, its advance and its rows of 16 pixels.

use crate::mask::Mask;

/// A face of pixels.
pub(super) struct Bitmap {
    height: usize,
    baseline: i32,
    records: &'static [u8],
}

impl Bitmap {
    pub(super) fn new(bytes: &'static [u8]) -> Self {
        Self { height: bytes[0].into(), baseline: bytes[1].into(), records: &bytes[2..] }
    }

    /// Advance and rows.
    fn glyph(&self, c: char) -> Option<(i32, &'static [u8])> {
        let len = 4 + 2 * self.height;
        let wanted = u16::try_from(u32::from(c)).ok()?;
        let (mut low, mut high) = (0, self.records.len() / len);
        while low < high {
            let middle = usize::midpoint(low, high);
            let record = &self.records[middle * len..][..len];
            match u16::from_be_bytes([record[0], record[1]]).cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some((record[3].into(), &record[4..])),
            }
        }
        None
    }

    #[cfg(test)]
    pub(super) fn has(&self, c: char) -> bool {
        self.glyph(c).is_some()
    }

    fn shown(&self, c: char) -> (i32, &'static [u8]) {
        self.glyph(c).or_else(|| self.glyph('\u{fffd}')).or_else(|| self.glyph('?')).unwrap_or((0, &[]))
    }

    pub(super) fn width(&self, text: &str) -> i32 {
        text.chars().map(|c| self.shown(c).0).sum()
    }

    pub(super) fn draw(&self, text: &str, scale: u8, mask: &mut Mask) {
        let (scale, mut x) = (i32::from(scale), 0);
        for c in text.chars() {
            let (advance, rows) = self.shown(c);
            for (row, y) in rows.chunks_exact(2).zip(0..) {
                let row = u16::from_be_bytes([row[0], row[1]]);
                for bit in (0..16).filter(|bit| row >> (15 - bit) & 1 == 1) {
                    mask.square((x + bit) * scale, (y - self.baseline) * scale, scale);
                }
            }
            x += advance;
        }
    }
}

/// Digits of three by five blocks: large numbers from rectangles, which no face has.
const BLOCKS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b110, 0b010, 0b010, 0b010, 0b010],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b001, 0b001, 0b001],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

pub(super) fn are_blocks(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Three blocks and a gap of half a block.
fn block_advance(scale: u8) -> i32 {
    3 * i32::from(scale) + i32::from(scale).div_euclid(2).max(1)
}

pub(super) fn blocks_width(text: &str, scale: u8) -> i32 {
    let advance = block_advance(scale);
    (text.len() as i32 * advance - (advance - 3 * i32::from(scale))).max(0)
}

pub(super) fn draw_blocks(text: &str, scale: u8, mask: &mut Mask) {
    let size = i32::from(scale);
    for (byte, position) in text.bytes().zip(0..) {
        for (row, y) in BLOCKS[usize::from(byte - b'0')].iter().zip(0..) {
            for column in (0..3).filter(|column| row >> (2 - column) & 1 == 1) {
                mask.square(position * block_advance(scale) + column * size, (y - 5) * size, size);
            }
        }
    }
}
