// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What stands between the station's pictures and a board's hardware: panels, touch, keys and knobs, lights beside ports,
//! a buzzer. `board.toml` says what there is. Nothing here knows what the pictures show or what the keys mean.
//!
//! Everything may be missing, come late, go and come back: the station goes on without it.

mod backlight;
pub mod board;
mod error;
mod input;
mod pin;
mod rotation;
mod screen;
mod sign;

pub use backlight::Backlight;
pub use board::Board;
pub use error::PanelError;
pub use input::{Button, Deed, listen};
pub use rotation::Rotation;
pub use screen::{Display, Picture};
pub use sign::{Buzzer, Lights, Signal, Tune};
