// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The table `[panel]`.

use std::ops::RangeInclusive;

use embedded_graphics::prelude::Size;
use platen_media::fields::Fields;

use super::read::{Used, line, name, needed_line, needed_path, pair, path, word};
use super::{Controller, DrmPanel, I2cPanel, Panel, SpiPanel};
use crate::rotation::Rotation;

/// The least that the station's pictures are made for, and the most that a mode can have.
const PIXELS: RangeInclusive<u32> = 64..=8192;
/// SPI buses are slower or faster nowhere.
const SPEEDS_HZ: RangeInclusive<u32> = 100_000..=150_000_000;
const USUAL_SPEED_HZ: u32 = 32_000_000;
/// Reserved by the bus below and above (UM10204, 3.1.12).
const ADDRESSES: RangeInclusive<u32> = 0x08..=0x77;
const USUAL_ADDRESS: u32 = 0x3c;
/// Pixels are about as wide as they are high: whoever differs by more has exchanged width and height.
const MOST_UNEVEN_PERCENT: u64 = 20;

#[derive(Clone, Copy)]
enum Kind {
    Drm,
    Spi,
    I2c,
}

/// The panel, and how large its lit part is.
pub(super) fn read(mut fields: Fields<'_, '_, '_>, used: &mut Used) -> Option<(Panel, Option<(u32, u32)>)> {
    // Without it nothing else can be judged.
    let kind = word(&mut fields, "kind", &[("drm", Kind::Drm), ("spi", Kind::Spi), ("i2c", Kind::I2c)])?;
    let rotation = rotation(&mut fields);
    let millimetres = pair(&mut fields, "millimetres", 5..=5000);
    let panel = match kind {
        Kind::Drm => drm(&mut fields, rotation).map(Panel::Drm),
        Kind::Spi => spi(&mut fields, rotation, used).map(Panel::Spi),
        Kind::I2c => i2c(&mut fields, rotation).map(Panel::I2c),
    };
    if let (Some(panel), Some((wide, high))) = (&panel, millimetres) {
        // Back to how it is before it is turned.
        let Size { width, height } = rotation.picture(panel.size());
        let (across, down) = (u64::from(wide) * u64::from(height), u64::from(high) * u64::from(width));
        if across.abs_diff(down) * 100 > across.min(down) * MOST_UNEVEN_PERCENT {
            let expected = format!("width and height like those of {width} x {height} square pixels");
            fields.note(fields.line, "millimetres", expected, format!("{wide} x {high}"));
        }
    }
    fields.finish();
    Some((panel?, millimetres))
}

fn rotation(fields: &mut Fields<'_, '_, '_>) -> Rotation {
    let Some(degrees) = fields.number_within("rotation", 0..=270, " of degrees") else { return Rotation::None };
    Rotation::from_degrees(degrees.value).unwrap_or_else(|| {
        fields.note(degrees.line, "rotation", "0, 90, 180 or 270", degrees.value.to_string());
        Rotation::None
    })
}

fn size(fields: &mut Fields<'_, '_, '_>) -> Option<Size> {
    let found = pair(fields, "size", PIXELS);
    if found.is_none() {
        fields.missing("size", "width and height in pixels, such as [800, 480]");
    }
    found.map(|(width, height)| Size::new(width, height))
}

fn drm(fields: &mut Fields<'_, '_, '_>, rotation: Rotation) -> Option<DrmPanel> {
    let (card, connector) = (path(fields, "card", "/dev/dri/card0"), name(fields, "connector"));
    let backlight = name(fields, "backlight");
    Some(DrmPanel { card, connector, size: size(fields)?, rotation, backlight })
}

fn spi(fields: &mut Fields<'_, '_, '_>, rotation: Rotation, used: &mut Used) -> Option<SpiPanel> {
    let known = [("st7789", Controller::St7789), ("ili9341", Controller::Ili9341), ("ili9486", Controller::Ili9486)];
    let controller = word(fields, "controller", &known);
    let bus = needed_path(fields, "bus", "/dev/spidev0.0");
    let speed_hz = fields.number_within("speed-hz", SPEEDS_HZ, " of bits in a second");
    let size = size(fields);
    let offset = pair(fields, "offset", 0..=480).unwrap_or_default();
    let is_bgr = fields.has("colours").then(|| word(fields, "colours", &[("rgb", false), ("bgr", true)])).flatten();
    let is_mirrored = fields.flag("mirrored").is_some_and(|flag| flag.value);
    let is_inverted = fields.flag("inverted").is_some_and(|flag| flag.value);
    let data_command = needed_line(fields, "data-command", used);
    let (reset, backlight) = (line(fields, "reset", used), line(fields, "backlight", used));
    if let (Some(controller), Some(size)) = (controller, size) {
        let (memory, end) = (controller.memory(), size + Size::new(offset.0, offset.1));
        if end.width > memory.width || end.height > memory.height {
            let expected = format!("with offset at most {} x {}, before it is turned", memory.width, memory.height);
            fields.note(fields.line, "size", expected, format!("{} x {}", end.width, end.height));
        }
    }
    Some(SpiPanel {
        bus: bus?,
        speed_hz: speed_hz.map_or(USUAL_SPEED_HZ, |speed| speed.value),
        controller: controller?,
        size: size?,
        // At most 480.
        offset: (offset.0 as u16, offset.1 as u16),
        rotation,
        is_mirrored,
        is_bgr: is_bgr.unwrap_or(false),
        is_inverted,
        data_command: data_command?,
        reset,
        backlight,
    })
}

fn i2c(fields: &mut Fields<'_, '_, '_>, rotation: Rotation) -> Option<I2cPanel> {
    word(fields, "controller", &[("ssd1306", ())]);
    let bus = needed_path(fields, "bus", "/dev/i2c-1");
    let address = fields.number_within("address", ADDRESSES, "").map_or(USUAL_ADDRESS, |address| address.value);
    // At most 0x77.
    Some(I2cPanel { bus: bus?, address: address as u8, rotation })
}
