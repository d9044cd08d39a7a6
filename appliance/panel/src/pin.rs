// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A line of a GPIO chip as an output.

use std::io;

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};
use gpiocdev::Request;
use gpiocdev::line::Value;

use crate::board::Line;
use crate::error::PanelError;

/// An output that is held as long as this is.
#[derive(Debug)]
pub(crate) struct Pin(Request);

impl Pin {
    /// Take the line, and make it active or not. What active is, is the board's.
    pub(crate) fn output(line: &Line, is_active: bool) -> Result<Self, PanelError> {
        let mut wanted = Request::builder();
        wanted.on_chip(&line.chip).with_consumer("platen").with_line(line.line);
        if line.is_active_low {
            wanted.as_active_low();
        }
        let taken = wanted.as_output(value(is_active)).request();
        let failed = |error| device_error(line, "the GPIO line can't be had as an output", error);
        Ok(Self(taken.map_err(failed)?))
    }

    pub(crate) fn set(&self, is_active: bool) -> io::Result<()> {
        self.0.set_lone_value(value(is_active)).map_err(io::Error::other)
    }
}

fn value(is_active: bool) -> Value {
    if is_active { Value::Active } else { Value::Inactive }
}

pub(crate) fn device_error(line: &Line, what: &'static str, error: gpiocdev::Error) -> PanelError {
    PanelError::Device { path: line.chip.clone(), what, source: io::Error::other(error) }
}

/// What a line that could not be set says.
#[derive(Debug)]
pub(crate) struct NotSet;

impl Error for NotSet {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Pin {
    type Error = NotSet;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), NotSet> {
        self.set(false).map_err(|_| NotSet)
    }

    fn set_high(&mut self) -> Result<(), NotSet> {
        self.set(true).map_err(|_| NotSet)
    }
}
