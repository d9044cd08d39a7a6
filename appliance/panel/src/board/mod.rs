// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `board.toml`: what a board has in front of it. `docs/formats/board.md` describes every field.

mod panel;
mod read;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use embedded_graphics::prelude::*;

use crate::error::PanelError;
use crate::rotation::Rotation;

/// A longer file is none of ours.
const MOST_BYTES: u64 = 1 << 20;

/// A board, as its file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// What people call it.
    pub name: String,
    /// Where the picture goes.
    pub panel: Panel,
    /// Width and height of the lit part, before it is turned, where the file says them.
    pub millimetres: Option<(u32, u32)>,
    /// Fingers on the panel, and pointers that know a place.
    pub touch: Option<Touch>,
    /// Keyboards, keys and knobs that the kernel has as input devices.
    pub keys: Option<Keys>,
    /// Three buttons at lines of GPIO chips.
    pub buttons: Option<Buttons>,
    /// A knob at lines of a GPIO chip.
    pub encoder: Option<Encoder>,
    /// Lights beside ports.
    pub lights: Vec<Light>,
    /// What is heard.
    pub buzzer: Option<Buzzer>,
}

/// A kind of panel, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Panel {
    /// A display at a graphics card.
    Drm(DrmPanel),
    /// A colour panel at an SPI bus.
    Spi(SpiPanel),
    /// A panel of one colour at an I2C bus.
    I2c(I2cPanel),
}

/// A display at a graphics card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrmPanel {
    /// None: the first one with a display.
    pub card: Option<PathBuf>,
    /// As the kernel calls it, such as `HDMI-A-1`. None: the first one with a display.
    pub connector: Option<String>,
    /// Of the picture, before it is turned.
    pub size: Size,
    /// How the panel is mounted.
    pub rotation: Rotation,
    /// The light behind it, by its name below `/sys/class/backlight`.
    pub backlight: Option<String>,
}

/// What drives the panel at an SPI bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// Sitronix, up to 240 x 320.
    St7789,
    /// Ilitek, up to 240 x 320.
    Ili9341,
    /// Ilitek, up to 320 x 480.
    Ili9486,
}

/// A colour panel at an SPI bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiPanel {
    /// Such as `/dev/spidev0.0`.
    pub bus: PathBuf,
    /// Bits in a second, at most.
    pub speed_hz: u32,
    /// What drives it.
    pub controller: Controller,
    /// Of the lit part, before it is turned.
    pub size: Size,
    /// Where the lit part begins in the controller's memory.
    pub offset: (u16, u16),
    /// How the panel is mounted.
    pub rotation: Rotation,
    /// Its columns run from the right.
    pub is_mirrored: bool,
    /// Blue comes first.
    pub is_bgr: bool,
    /// What is sent as white is black without this.
    pub is_inverted: bool,
    /// Low while a command is sent.
    pub data_command: Line,
    /// Low while the panel is reset.
    pub reset: Option<Line>,
    /// The light behind it.
    pub backlight: Option<Line>,
}

/// An SSD1306 with 128 x 64 points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I2cPanel {
    /// Such as `/dev/i2c-1`.
    pub bus: PathBuf,
    /// With seven bits.
    pub address: u8,
    /// How the panel is mounted.
    pub rotation: Rotation,
}

/// A line of a GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Such as `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// Its number at the chip.
    pub line: u32,
    /// It is on when its voltage is low. An input that is so is pulled up, any other down.
    pub is_active_low: bool,
}

/// Which input devices are touched.
#[derive(Debug, Clone, PartialEq)]
pub struct Touch {
    /// Part of the kernel's name for the device. None: every one that can be touched.
    pub name: Option<String>,
    /// From where the device says a touch is to where it is on the panel: `x = a x + b y + c`, `y = d x + e y + f`, with
    /// width and height as 1.
    pub calibration: [f64; 6],
}

/// Which input devices are keys and knobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Part of the kernel's name for the device. None: every one.
    pub name: Option<String>,
}

/// Three buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buttons {
    /// The left one.
    pub previous: Line,
    /// The one in the middle.
    pub choose: Line,
    /// The right one.
    pub next: Line,
}

/// A knob that is turned and pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoder {
    /// Changes first when it is turned to the right.
    pub a: Line,
    /// Changes first when it is turned to the left.
    pub b: Line,
    /// Whether it is pressed.
    pub press: Option<Line>,
    /// How often one of both lines changes from one place where it rests to the next: 2 or 4.
    pub changes: u8,
}

/// The light beside a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Light {
    /// The port's label.
    pub port: String,
    /// What is lit.
    pub lamps: Lamps,
}

/// What a light is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lamps {
    /// It is lit or not; how it flashes says what is the matter.
    One(Lamp),
    /// Red, green and blue, as far as they are there.
    Colours([Option<Lamp>; 3]),
}

/// One lamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lamp {
    /// Its name below `/sys/class/leds`.
    Led(String),
    /// A line of a GPIO chip.
    Line(Line),
}

/// What is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Buzzer {
    /// An input device that can make tones, by a part of the kernel's name for it. None: the first one.
    Evdev(Option<String>),
    /// A channel of a PWM chip, such as `/sys/class/pwm/pwmchip0`.
    Pwm(PathBuf, u32),
    /// It has a pitch of its own, and sounds as long as the line is on.
    Line(Line),
}

impl Board {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, PanelError> {
        use std::io::Read;

        let failed = |source| PanelError::Read { path: path.to_owned(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(failed(std::io::Error::other(format!("it has more than {MOST_BYTES} bytes"))));
        }
        Self::parse(&text, path)
    }

    /// Reads the text of the file `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PanelError> {
        read::board(text).map_err(|problems| PanelError::Problems { path: path.to_owned(), problems })
    }
}

impl Panel {
    /// Width and height in pixels, as people see it.
    pub fn size(&self) -> Size {
        match self {
            Self::Drm(panel) => panel.rotation.picture(panel.size),
            Self::Spi(panel) => panel.rotation.picture(panel.size),
            Self::I2c(panel) => panel.rotation.picture(I2cPanel::SIZE),
        }
    }

    /// It is lit or not, and has no colours.
    pub fn is_mono(&self) -> bool {
        matches!(self, Self::I2c(_))
    }

    /// The name of a light behind it that can be more or less.
    pub fn backlight(&self) -> Option<&str> {
        match self {
            Self::Drm(panel) => panel.backlight.as_deref(),
            Self::Spi(_) | Self::I2c(_) => None,
        }
    }

    /// How it is mounted.
    pub fn rotation(&self) -> Rotation {
        match self {
            Self::Drm(DrmPanel { rotation, .. })
            | Self::Spi(SpiPanel { rotation, .. })
            | Self::I2c(I2cPanel { rotation, .. }) => *rotation,
        }
    }
}

impl I2cPanel {
    /// There is one size of them.
    pub(crate) const SIZE: Size = Size::new(128, 64);
}

impl Controller {
    /// Columns and rows of its memory.
    pub(crate) fn memory(self) -> Size {
        match self {
            Self::St7789 | Self::Ili9341 => Size::new(240, 320),
            Self::Ili9486 => Size::new(320, 480),
        }
    }
}
