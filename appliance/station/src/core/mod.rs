// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station decides. Inputs go in, a new state and effects come out; nothing in here has a thread, a clock or a
//! file, and everything can be stored as text. Whoever carries the effects out comes back with what became of them, as
//! the next inputs.
//!
//! [`Dispatch`] carries orders from the request to their end; the command line is one order. [`Station`] is the whole
//! machine on the bench: it knows its ports, what each is used for, batches and people, and makes an order for each
//! drive.

mod dispatch;
mod request;
mod settings;
mod station;

pub use self::dispatch::Dispatch;
pub use self::request::{Admission, Found, OrderEffect, OrderId, OrderInput, Outcome, Request, Slot, Wanted};
pub use self::settings::Settings;
pub use self::station::{
    Ask, BatchMemory, ClientId, Counts, Effect, Errand, Input, Inserted, Memory, Past, Reply, Station, UnderWay,
};
