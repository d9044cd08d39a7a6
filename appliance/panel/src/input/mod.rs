// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What people do at a board: touches, keys, buttons, knobs. What a key means is not known here.

mod bounce;
mod devices;
mod keyboard;
mod lines;
mod pointer;

use std::sync::Arc;

use embedded_graphics::prelude::*;

use crate::board::Board;

/// A button, whatever it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// The left one of three.
    Previous,
    /// The one in the middle.
    Choose,
    /// The right one.
    Next,
    /// The knob itself.
    Knob,
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A finger comes down at this point of the picture.
    Touched(Point),
    /// It is lifted there. Outside the picture: nothing was meant by it.
    Lifted(Point),
    /// A button is pressed.
    Pressed(Button),
    /// It is let go.
    Released(Button),
    /// A knob is turned to the right, or a key says so.
    Next,
    /// To the left.
    Previous,
    /// A key says: this one.
    Choose,
    /// A key says: back.
    Back,
    /// A key says: what else is there.
    Menu,
}

/// Where deeds go. It says whether anybody still wants them.
pub(crate) type Sink = Arc<dyn Fn(Deed) -> bool + Send + Sync>;

/// Begin to listen to all that the board has; threads do so until nobody wants deeds any more. What is not there yet is
/// heard when it comes, and what can't be had is named in the log.
pub fn listen(board: &Board, sink: impl Fn(Deed) -> bool + Send + Sync + 'static) {
    let sink: Sink = Arc::new(sink);
    lines::listen(board, &sink);
    devices::listen(board, &sink);
}

/// A thread of its own for something that waits.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        tracing::error!("{name}: no thread: {error}");
    }
}
