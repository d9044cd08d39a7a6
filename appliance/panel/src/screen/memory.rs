// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A panel's memory as the kernel gives it: rows of bytes, some of them padding.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::Picture;
use crate::rotation::Rotation;

/// How a pixel is stored, in the order of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Blue, green, red, and one that nobody looks at (`DRM_FORMAT_XRGB8888`).
    Xrgb8888,
    /// Five bits of red, six of green, five of blue, the low byte first (`DRM_FORMAT_RGB565`).
    Rgb565,
}

impl Format {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Xrgb8888 => 4,
            Self::Rgb565 => 2,
        }
    }

    fn put(self, [r, g, b]: [u8; 3], to: &mut [u8]) {
        match self {
            Self::Xrgb8888 => to.copy_from_slice(&[b, g, r, 0]),
            Self::Rgb565 => {
                let packed = (u16::from(r >> 3) << 11) | (u16::from(g >> 2) << 5) | u16::from(b >> 3);
                to.copy_from_slice(&packed.to_le_bytes());
            }
        }
    }
}

/// How the memory is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    /// From the beginning of a row to that of the next, in bytes.
    pub(crate) pitch_bytes: usize,
    /// Of the whole memory.
    pub(crate) size: Size,
    /// What the picture fills of it, before it is turned.
    pub(crate) part: Rectangle,
    pub(crate) rotation: Rotation,
}

impl Layout {
    /// Bring these areas of the picture into memory. Gives back where they are there.
    pub(crate) fn copy(&self, picture: &Picture<'_>, areas: &[Rectangle], memory: &mut [u8]) -> Vec<Rectangle> {
        let place = |area: &Rectangle| {
            let turned = self.rotation.area_to_panel(*area, self.part.size);
            turned.translate(self.part.top_left).intersection(&Rectangle::new(Point::zero(), self.size))
        };
        let placed: Vec<Rectangle> = areas.iter().map(place).collect();
        let bytes = self.format.bytes();
        for area in &placed {
            for y in area.rows() {
                let start = y as usize * self.pitch_bytes + area.top_left.x as usize * bytes;
                // A mapping that is shorter than the kernel said ends the picture, and nothing else.
                let Some(row) = memory.get_mut(start..start + area.size.width as usize * bytes) else { break };
                for (x, pixel) in area.columns().zip(row.chunks_exact_mut(bytes)) {
                    let at = self.rotation.to_picture(Point::new(x, y) - self.part.top_left, self.part.size);
                    self.format.put(picture.at(at), pixel);
                }
            }
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_stand_as_the_kernel_names_them() {
        let mut memory = [9; 4];
        Format::Xrgb8888.put([0x11, 0x22, 0x33], &mut memory);
        assert_eq!(u32::from_le_bytes(memory), 0x0011_2233);
        let mut memory = [9; 2];
        for (rgb, packed) in
            [([255, 0, 0], 0xf800), ([0, 255, 0], 0x07e0), ([0, 0, 255], 0x001f), ([0x84, 0x82, 0x0c], 0x8401)]
        {
            Format::Rgb565.put(rgb, &mut memory);
            assert_eq!(u16::from_le_bytes(memory), packed);
        }
    }

    /// Reads one pixel back, without anything of the above.
    fn pixel(layout: &Layout, memory: &[u8], at: Point) -> [u8; 3] {
        let bytes = if layout.format == Format::Rgb565 { 2 } else { 4 };
        let at = &memory[at.y as usize * layout.pitch_bytes + at.x as usize * bytes..];
        match layout.format {
            Format::Xrgb8888 => [at[2], at[1], at[0]],
            Format::Rgb565 => {
                let packed = u16::from_le_bytes([at[0], at[1]]);
                [(packed >> 11) as u8, ((packed >> 5) & 63) as u8, (packed & 31) as u8]
            }
        }
    }

    fn stored(format: Format, [r, g, b]: [u8; 3]) -> [u8; 3] {
        if format == Format::Rgb565 { [r >> 3, g >> 2, b >> 3] } else { [r, g, b] }
    }

    proptest! {
        /// Whatever changes, and in whatever areas: the panel shows the picture, and nothing beside it is touched.
        #[test]
        fn memory_is_the_picture_after_any_damage(
            (width, height) in (1u32..24, 1u32..24), (left, top) in (0i32..4, 0i32..4), padding in 0usize..9,
            turn in 0usize..4, narrow: bool,
            changes in prop::collection::vec((any::<[u8; 3]>(), 0u32..24, 0u32..24, 1u32..9, 1u32..9), 1..12),
        ) {
            let format = if narrow { Format::Rgb565 } else { Format::Xrgb8888 };
            let part = Rectangle::new(Point::new(left, top), Size::new(width, height));
            let size = Size::new(width + 5, height + 5);
            let pitch_bytes = size.width as usize * format.bytes() + padding;
            let layout = Layout { format, pitch_bytes, size, part, rotation: Rotation::ALL[turn] };
            let seen = layout.rotation.picture(part.size);
            let mut pixels = vec![[7, 8, 9]; (seen.width * seen.height) as usize];
            let mut memory = vec![0xaa; pitch_bytes * size.height as usize];
            let all = [Rectangle::new(Point::zero(), seen)];
            layout.copy(&Picture { size: seen, pixels: &pixels }, &all, &mut memory);
            for (rgb, x, y, width, height) in changes {
                let area = Rectangle::new(
                    Point::new((x % seen.width) as i32, (y % seen.height) as i32), Size::new(width, height),
                );
                let areas = super::super::damage::within(&[area], seen);
                for at in areas[0].points() {
                    pixels[(at.y as u32 * seen.width + at.x as u32) as usize] = rgb;
                }
                layout.copy(&Picture { size: seen, pixels: &pixels }, &areas, &mut memory);
            }
            let untouched = pixel(&layout, &vec![0xaa; memory.len()], Point::zero());
            for at in Rectangle::new(Point::zero(), size).points() {
                let expected = match part.contains(at) {
                    true => {
                        let from = layout.rotation.to_picture(at - part.top_left, part.size);
                        stored(format, pixels[(from.y as u32 * seen.width + from.x as u32) as usize])
                    }
                    false => untouched,
                };
                prop_assert_eq!(pixel(&layout, &memory, at), expected, "{:?}", at);
            }
        }
    }

    #[test]
    fn a_mapping_that_is_too_short_ends_the_picture() {
        let size = Size::new(2, 2);
        let part = Rectangle::new(Point::zero(), size);
        let layout = Layout { format: Format::Rgb565, pitch_bytes: 4, size, part, rotation: Rotation::None };
        let mut memory = [0; 5];
        layout.copy(&Picture { size, pixels: &[[255; 3]; 4] }, &[part], &mut memory);
        assert_eq!(memory, [255, 255, 255, 255, 0]);
    }
}
