// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station does with drives, whoever asks for it: the command line today.
//!
//! [`core`] decides: inputs go in, effects come out, and nothing in it has a thread, a clock or a file. [`run()`] carries the
//! effects out: it looks at drives, opens them, starts the engine's jobs, and comes back with what became of them. An
//! [`Order`] says what is made of each drive.
//!
//! Beside them, each for itself: what a staging centre states ([`config`]), who is at the station ([`pins`]), and how the
//! program that runs here tells systemd how it gets on ([`notify`]).

mod attend;
mod check;
pub mod config;
pub mod core;
mod exit;
mod failure;
mod images;
mod look;
mod media;
pub mod notify;
mod order;
mod paths;
pub mod pins;
mod replace;
mod run;

pub use attend::answer_of;
pub use check::inspect;
pub use exit::Exit;
pub use failure::{Failure, open_failure, stopped};
pub use media::{load, new_plan, shape_of, stop_flag};
pub use order::{Order, Targets};
pub use paths::{Paths, open_ledger};
pub use run::{Finished, Front, run};
