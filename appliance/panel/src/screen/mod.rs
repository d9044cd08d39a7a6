// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where the picture goes. Each kind of panel is a [`Screen`]; [`Display`] opens it, and opens it again when it was gone.

mod damage;
mod display;
mod drm;
mod i2c;
mod memory;
mod modes;
mod spi;
#[cfg(test)]
mod tests;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

pub use self::display::Display;
use crate::board::Panel;
use crate::error::PanelError;

/// A whole picture in memory, as people see it.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Width and height in pixels.
    pub size: Size,
    /// Red, green and blue of each pixel, row by row from the top left.
    pub pixels: &'a [[u8; 3]],
}

impl Picture<'_> {
    /// Black outside.
    fn at(&self, at: Point) -> [u8; 3] {
        let inside = Rectangle::new(Point::zero(), self.size).contains(at);
        let index = at.y as usize * self.size.width as usize + at.x as usize;
        inside.then(|| self.pixels.get(index).copied()).flatten().unwrap_or_default()
    }
}

/// A panel that shows pictures.
pub(crate) trait Screen: Send {
    /// These areas of the picture have changed; they lie inside it.
    fn show(&mut self, picture: &Picture<'_>, areas: &[Rectangle]) -> Result<(), PanelError>;

    /// Whether it still shows what it was sent.
    fn check(&mut self) -> Result<(), PanelError> {
        Ok(())
    }
}

fn open(panel: &Panel) -> Result<Box<dyn Screen>, PanelError> {
    match panel {
        Panel::Drm(drm) => Ok(Box::new(drm::DrmScreen::open(drm)?)),
        Panel::Spi(spi) => spi::open(spi),
        Panel::I2c(i2c) => i2c::open(i2c),
    }
}
