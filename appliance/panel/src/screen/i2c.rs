// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An SSD1306 with 128 x 64 points at an I2C bus. What changed travels in whole pages: eight rows of points.

use display_interface_i2c::I2CInterface;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::i2c::I2c;
use linux_embedded_hal::I2cdev;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig};
use ssd1306::prelude::{DisplayRotation, DisplaySize128x64};
use ssd1306::{I2CDisplayInterface, Ssd1306};

use super::{Picture, Screen};
use crate::board::I2cPanel;
use crate::error::PanelError;
use crate::rotation::Rotation;

/// Opens the bus, and brings the panel to life.
pub(super) fn open(panel: &I2cPanel) -> Result<Box<dyn Screen>, PanelError> {
    let failed = |error: linux_embedded_hal::i2cdev::linux::LinuxI2CError| PanelError::Device {
        path: panel.bus.clone(),
        what: "the I2C bus can't be opened",
        source: error.into(),
    };
    begin(panel, I2cdev::new(&panel.bus).map_err(failed)?)
}

/// Brings a panel to life.
pub(super) fn begin<B: I2c + Send + 'static>(panel: &I2cPanel, bus: B) -> Result<Box<dyn Screen>, PanelError> {
    let rotation = match panel.rotation {
        Rotation::None => DisplayRotation::Rotate0,
        Rotation::Quarter => DisplayRotation::Rotate90,
        Rotation::Half => DisplayRotation::Rotate180,
        Rotation::ThreeQuarters => DisplayRotation::Rotate270,
    };
    let interface = I2CDisplayInterface::new_custom_address(bus, panel.address);
    let mut display = Ssd1306::new(interface, DisplaySize128x64, rotation).into_buffered_graphics_mode();
    let bus = panel.bus.clone();
    let refused = |error| PanelError::Bus { bus: bus.clone(), found: format!("{error:?}") };
    display.init().map_err(refused)?;
    Ok(Box::new(I2cScreen { display, bus }))
}

struct I2cScreen<B> {
    display: Ssd1306<I2CInterface<B>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>,
    bus: std::path::PathBuf,
}

impl<B: I2c + Send> Screen for I2cScreen<B> {
    fn show(&mut self, picture: &Picture<'_>, areas: &[Rectangle]) -> Result<(), PanelError> {
        // Area by area: the driver sends the one rectangle that holds all that was drawn since it sent last.
        for area in areas {
            let points = area.points().map(|at| Pixel(at, BinaryColor::from(picture.at(at)[1] >= 0x80)));
            let sent = self.display.draw_iter(points).and_then(|()| self.display.flush());
            sent.map_err(|error| PanelError::Bus { bus: self.bus.clone(), found: format!("{error:?}") })?;
        }
        Ok(())
    }
}
