// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's face. What happens at the station goes in, and what somebody does at the panel; pixels come out, and
//! what is to be asked of the station. Nothing here has a file, a clock or a thread.
//!
//! ```text
//! events  -> Station -> Page (words) -> form -> Scene (shapes) -> damage -> Frame -> any DrawTarget
//! touches, keys --------^                  \-> targets: what a touch or a key meets
//! ```
//!
//! `DESIGN.md` says how it looks and why.

mod act;
mod board;
mod canvas;
mod font;
mod form;
mod frame;
mod icon;
mod mask;
mod metrics;
mod pace;
mod page;
mod pages;
mod paint;
mod palette;
mod request;
mod scene;
mod screen;
mod station;
mod tested;
mod ui;
pub mod wire;
mod words;

pub use board::{About, Board, Place};
pub use canvas::Target;
pub use font::{Pixels, Type, Weight};
pub use frame::Frame;
pub use icon::Icon;
pub use metrics::{Class, Panel};
pub use page::Action;
pub use palette::{Colour, contrast};
pub use request::{Answer, Dates, Errand, Medium, Pin, Request, Role, Row, Settings, Sound, Wish};
pub use scene::{Scene, Shape, Text};
pub use screen::{Confirm, Input, Key, Keys, Screen, Test};
pub use station::{Finished, Outcome, Port, State, Station};
pub use ui::{Source, Ui};
pub use words::{Catalogue, Language, Sentences, Word};
