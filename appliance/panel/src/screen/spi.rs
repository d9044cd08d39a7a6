// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Colour panels at an SPI bus, by the commands of MIPI DCS. Only what changed travels; the panel itself turns it.

use std::fmt::Debug;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{Delay, SpidevDevice};
use mipidsi::interface::{Interface, InterfaceKind, InterfacePixelFormat};
use mipidsi::models::{ILI9341Rgb565, ILI9486Rgb666, Model, ST7789};
use mipidsi::options::{ColorInversion, ColorOrder, Orientation};
use mipidsi::{Builder, Display};

use super::{Picture, Screen};
use crate::board::{Controller, SpiPanel};
use crate::error::PanelError;
use crate::pin::Pin;
use crate::rotation::Rotation;

/// What `spidev` takes in one go unless the kernel was told otherwise (its parameter `bufsiz`).
const MOST_BYTES: usize = 4096;

/// Opens the bus and the lines beside it, and brings the panel to life.
pub(super) fn open(panel: &SpiPanel) -> Result<Box<dyn Screen>, PanelError> {
    let failed = |what: &'static str| move |source| PanelError::Device { path: panel.bus.clone(), what, source };
    let opened = SpidevDevice::open(&panel.bus);
    let mut bus = opened.map_err(|error| failed("the SPI bus can't be opened")(std::io::Error::other(error)))?;
    let mut options = SpidevOptions::new();
    options.bits_per_word(8).max_speed_hz(panel.speed_hz).mode(SpiModeFlags::SPI_MODE_0);
    bus.configure(&options).map_err(failed("the SPI bus can't be set up"))?;
    let data_command = Pin::output(&panel.data_command, true)?;
    let reset = panel.reset.as_ref().map(|line| Pin::output(line, true)).transpose()?;
    let light = panel.backlight.as_ref().map(|line| Pin::output(line, true)).transpose()?;
    begin(panel, Wire::new(bus, data_command), reset, &mut Delay, light)
}

/// Brings a panel to life. `held` is kept as long as it is shown.
pub(super) fn begin<S, C, R, L>(
    panel: &SpiPanel,
    wire: Wire<S, C>,
    reset: Option<R>,
    delay: &mut impl DelayNs,
    held: L,
) -> Result<Box<dyn Screen>, PanelError>
where
    S: SpiDevice + Send + 'static,
    C: OutputPin + Send + 'static,
    R: OutputPin + Send + 'static,
    L: Send + 'static,
{
    match panel.controller {
        Controller::St7789 => begin_model(panel, ST7789, wire, reset, delay, held),
        Controller::Ili9341 => begin_model(panel, ILI9341Rgb565, wire, reset, delay, held),
        // By SPI it takes three bytes for a pixel only (data sheet, 7.6.3).
        Controller::Ili9486 => begin_model(panel, ILI9486Rgb666, wire, reset, delay, held),
    }
}

fn begin_model<M, S, C, R, L>(
    panel: &SpiPanel,
    model: M,
    wire: Wire<S, C>,
    reset: Option<R>,
    delay: &mut impl DelayNs,
    held: L,
) -> Result<Box<dyn Screen>, PanelError>
where
    M: Model + Send + 'static,
    M::ColorFormat: InterfacePixelFormat<u8> + From<Rgb888>,
    S: SpiDevice + Send + 'static,
    C: OutputPin + Send + 'static,
    R: OutputPin + Send + 'static,
    L: Send + 'static,
{
    let order = if panel.is_bgr { ColorOrder::Bgr } else { ColorOrder::Rgb };
    let inversion = if panel.is_inverted { ColorInversion::Inverted } else { ColorInversion::Normal };
    let mounted = Orientation { mirrored: panel.is_mirrored, ..Orientation::new() };
    let turned = mounted.rotate(match panel.rotation {
        Rotation::None => mipidsi::options::Rotation::Deg0,
        Rotation::Quarter => mipidsi::options::Rotation::Deg90,
        Rotation::Half => mipidsi::options::Rotation::Deg180,
        Rotation::ThreeQuarters => mipidsi::options::Rotation::Deg270,
    });
    // The board's reader holds both within what the controller has.
    let ([width, height], (left, top)) = ([panel.size.width, panel.size.height].map(|n| n as u16), panel.offset);
    let builder = Builder::new(model, wire).color_order(order).invert_colors(inversion).orientation(turned);
    let builder = builder.display_size(width, height).display_offset(left, top);
    let bus = panel.bus.clone();
    match reset {
        Some(reset) => {
            let begun = builder.reset_pin(reset).init(delay);
            let display = begun.map_err(|error| refused(panel, &error))?;
            Ok(Box::new(SpiScreen { display, bus, _held: held }))
        }
        None => {
            let display = builder.init(delay).map_err(|error| refused(panel, &error))?;
            Ok(Box::new(SpiScreen { display, bus, _held: held }))
        }
    }
}

fn refused(panel: &SpiPanel, error: &impl Debug) -> PanelError {
    PanelError::Bus { bus: panel.bus.clone(), found: format!("{error:?}") }
}

struct SpiScreen<D, L> {
    display: D,
    bus: std::path::PathBuf,
    _held: L,
}

impl<S, C, M, R, L> Screen for SpiScreen<Display<Wire<S, C>, M, R>, L>
where
    S: SpiDevice + Send,
    C: OutputPin + Send,
    M: Model + Send,
    M::ColorFormat: InterfacePixelFormat<u8> + From<Rgb888>,
    R: OutputPin + Send,
    L: Send,
{
    fn show(&mut self, picture: &Picture<'_>, areas: &[Rectangle]) -> Result<(), PanelError> {
        for area in areas {
            let colours = area.points().map(|at| {
                let [r, g, b] = picture.at(at);
                Rgb888::new(r, g, b).into()
            });
            let shown = self.display.fill_contiguous(area, colours);
            shown.map_err(|error| PanelError::Bus { bus: self.bus.clone(), found: format!("{error:?}") })?;
        }
        Ok(())
    }
}

/// The way to the panel: a bus, and the line that says whether a byte is a command.
pub(super) struct Wire<S, C> {
    bus: S,
    data_command: C,
    pixels: Vec<u8>,
}

impl<S, C> Wire<S, C> {
    pub(super) fn new(bus: S, data_command: C) -> Self {
        Self { bus, data_command, pixels: Vec::with_capacity(MOST_BYTES) }
    }
}

impl<S: SpiDevice, C: OutputPin> Wire<S, C> {
    /// Some drivers of the kernel take a transfer of nothing for a fault.
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError<S::Error, C::Error>> {
        if bytes.is_empty() { Ok(()) } else { self.bus.write(bytes).map_err(WireError::Bus) }
    }
}

/// What failed of it.
#[derive(Debug)]
pub(super) enum WireError<S, C> {
    Bus(#[allow(dead_code, reason = "printed")] S),
    Line(#[allow(dead_code, reason = "printed")] C),
}

impl<S: SpiDevice, C: OutputPin> Interface for Wire<S, C> {
    type Word = u8;
    type Error = WireError<S::Error, C::Error>;

    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, args: &[u8]) -> Result<(), Self::Error> {
        self.data_command.set_low().map_err(WireError::Line)?;
        self.send(&[command])?;
        self.data_command.set_high().map_err(WireError::Line)?;
        self.send(args)
    }

    fn send_pixels<const N: usize>(&mut self, pixels: impl IntoIterator<Item = [u8; N]>) -> Result<(), Self::Error> {
        let mut buffer = std::mem::take(&mut self.pixels);
        buffer.clear();
        let mut sent = Ok(());
        for pixel in pixels {
            if buffer.len() + N > MOST_BYTES {
                sent = sent.and_then(|()| self.send(&buffer));
                buffer.clear();
            }
            buffer.extend(pixel);
        }
        sent = sent.and_then(|()| self.send(&buffer));
        self.pixels = buffer;
        sent
    }

    fn send_repeated_pixel<const N: usize>(&mut self, pixel: [u8; N], count: u32) -> Result<(), Self::Error> {
        self.send_pixels(std::iter::repeat_n(pixel, count as usize))
    }
}
