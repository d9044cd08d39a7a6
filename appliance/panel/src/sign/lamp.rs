// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One lamp, switched by the kernel's class of lights or by a GPIO line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::board::Lamp;
use crate::pin::Pin;

/// A lamp, and whether it is on.
#[derive(Debug)]
pub(super) struct Output {
    lamp: Option<Kind>,
    is_on: bool,
}

#[derive(Debug)]
enum Kind {
    /// The file that takes how bright it is, and how bright it can be.
    Led(PathBuf, String),
    Line(Pin),
}

impl Output {
    /// Take it over, dark. One that can't be had does nothing.
    pub(super) fn open(lamp: &Lamp, leds: &Path) -> Self {
        let opened = match lamp {
            Lamp::Led(name) => led(&leds.join(name)).map_err(|error| format!("the light {name}: {error}")),
            Lamp::Line(line) => Pin::output(line, false).map(Kind::Line).map_err(|error| error.chain()),
        };
        let lamp = opened.inspect_err(|error| tracing::warn!("{error}")).ok();
        Self { lamp, is_on: false }
    }

    /// On or off.
    pub(super) fn set(&mut self, is_on: bool) {
        if is_on == self.is_on {
            return;
        }
        self.is_on = is_on;
        let set = match &self.lamp {
            Some(Kind::Led(brightness, most)) => fs::write(brightness, if is_on { most } else { "0" }),
            Some(Kind::Line(pin)) => pin.set(is_on),
            None => Ok(()),
        };
        if let Err(error) = set {
            tracing::warn!("a light can't be switched: {error}");
            self.lamp = None;
        }
    }
}

/// A light of the kernel's, which nothing else switches from now on.
fn led(folder: &Path) -> io::Result<Kind> {
    let most = fs::read_to_string(folder.join("max_brightness"))?.trim().to_owned();
    fs::write(folder.join("trigger"), "none")?;
    let brightness = folder.join("brightness");
    fs::write(&brightness, "0")?;
    Ok(Kind::Led(brightness, most))
}
