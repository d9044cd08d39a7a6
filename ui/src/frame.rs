// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The picture in memory, from which panels are fed.

use embedded_graphics::pixelcolor::{BinaryColor, Rgb888};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// Coverage of an edge pixel has so many steps: enough to look smooth, few enough for a palette.
const EDGE_STEPS: f32 = 15.0;

/// All pixels of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    size: Size,
    pixels: Vec<[u8; 3]>,
}

impl Frame {
    /// Black.
    pub fn new(size: Size) -> Self {
        Self { size, pixels: vec![[0; 3]; (size.width * size.height) as usize] }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Red, green and blue of each pixel, row by row from the top left.
    pub fn pixels(&self) -> &[[u8; 3]] {
        &self.pixels
    }

    /// The pixel's colour; black outside.
    pub fn at(&self, at: Point) -> [u8; 3] {
        self.index(at).map_or([0; 3], |index| self.pixels[index])
    }

    fn index(&self, at: Point) -> Option<usize> {
        let (x, y) = (u32::try_from(at.x).ok()?, u32::try_from(at.y).ok()?);
        (x < self.size.width && y < self.size.height).then_some((y * self.size.width + x) as usize)
    }

    /// All pixels of an area get this colour.
    pub(crate) fn fill(&mut self, area: Rectangle, rgb: [u8; 3]) {
        let area = area.intersection(&Rectangle::new(Point::zero(), self.size));
        for y in area.rows() {
            let start = y as usize * self.size.width as usize;
            self.pixels[start + area.columns().start as usize..start + area.columns().end as usize].fill(rgb);
        }
    }

    /// A pixel that is covered so far, from 0 to 1.
    pub(crate) fn cover(&mut self, at: Point, rgb: [u8; 3], coverage: f32) {
        let Some(index) = self.index(at) else { return };
        let part = (coverage.clamp(0.0, 1.0) * EDGE_STEPS).round() as i32;
        let steps = EDGE_STEPS as i32;
        let pixel = &mut self.pixels[index];
        for (channel, wanted) in pixel.iter_mut().zip(rgb) {
            let (old, new) = (i32::from(*channel), i32::from(wanted));
            *channel = ((old * (steps - part) + new * part + steps / 2) / steps) as u8;
        }
    }

    /// Send these areas to a panel that has colours.
    pub fn show<D>(&self, areas: &[Rectangle], panel: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: From<Rgb888>,
    {
        self.send(areas, panel, |[r, g, b]| Rgb888::new(r, g, b).into())
    }

    /// Send these areas to a panel that is lit or not.
    pub fn show_mono<D>(&self, areas: &[Rectangle], panel: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget<Color = BinaryColor>,
    {
        self.send(areas, panel, |[_, green, _]| BinaryColor::from(green >= 0x80))
    }

    fn send<D: DrawTarget>(
        &self,
        areas: &[Rectangle],
        panel: &mut D,
        colour: impl Fn([u8; 3]) -> D::Color,
    ) -> Result<(), D::Error> {
        let all = Rectangle::new(Point::zero(), self.size);
        for area in areas.iter().map(|area| area.intersection(&all)).filter(|area| !area.is_zero_sized()) {
            panel.fill_contiguous(&area, area.points().map(|at| colour(self.at(at))))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::pixelcolor::Rgb565;

    /// Keeps what it is sent.
    struct Panel<C: PixelColor> {
        pixels: Vec<Pixel<C>>,
    }

    impl<C: PixelColor> DrawTarget for Panel<C> {
        type Color = C;
        type Error = std::convert::Infallible;

        fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
            self.pixels.extend(pixels);
            Ok(())
        }
    }

    impl<C: PixelColor> OriginDimensions for Panel<C> {
        fn size(&self) -> Size {
            Size::new(8, 4)
        }
    }

    #[test]
    fn only_the_named_areas_travel() {
        let mut frame = Frame::new(Size::new(8, 4));
        let area = Rectangle::new(Point::new(1, 1), Size::new(2, 1));
        frame.fill(area, [255; 3]);
        let mut panel = Panel { pixels: Vec::new() };
        frame.show(&[area, Rectangle::new(Point::new(7, 3), Size::new(5, 5))], &mut panel).expect("infallible");
        let expected = [(1, 1, Rgb565::WHITE), (2, 1, Rgb565::WHITE), (7, 3, Rgb565::BLACK)];
        assert_eq!(panel.pixels, expected.map(|(x, y, colour)| Pixel(Point::new(x, y), colour)));
        let mut panel = Panel { pixels: Vec::new() };
        frame.show_mono(&[Rectangle::new(Point::new(0, 1), Size::new(2, 1))], &mut panel).expect("infallible");
        let expected = [Pixel(Point::new(0, 1), BinaryColor::Off), Pixel(Point::new(1, 1), BinaryColor::On)];
        assert_eq!(panel.pixels, expected);
    }
}
