// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station does with drives, whoever asks for it: the command line, or people at the machine on the bench.
//!
//! [`core`] decides: inputs go in, effects come out, and nothing in it has a thread, a clock or a file. [`run()`] carries out
//! one order; [`serve()`] is the station that runs for months, with its [`ports`], its socket and its memory. Both have the
//! same hands: they look at drives, open them, start the engine's jobs, and come back with what became of them. An [`Order`]
//! says what is made of each drive.
//!
//! Beside them, each for itself: what a staging centre states ([`config`]), who is at the station ([`pins`]), and how the
//! program that runs here tells systemd how it gets on ([`notify`]).

mod attend;
mod check;
pub mod config;
pub mod core;
mod daemon;
mod exit;
mod failure;
mod hands;
mod images;
mod incoming;
pub mod line;
mod look;
mod master;
mod media;
pub mod notify;
mod order;
mod paths;
pub mod pins;
pub mod ports;
mod replace;
mod run;
mod seat;
mod used;

pub use attend::answer_of;
pub use check::inspect;
pub use daemon::{Ended, Replayed, replay, serve};
pub use exit::Exit;
pub use failure::{Failure, open_failure, stopped};
pub use media::{load, new_plan, shape_of, stop_flag};
pub use order::{Order, Targets};
pub use paths::{Paths, open_ledger};
pub use replace::replace;
pub use run::{Finished, Front, run};
pub use seat::Seat;
pub use used::in_use;
