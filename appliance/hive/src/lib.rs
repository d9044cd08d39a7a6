// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The one place that links hivex: changes of registry hives in place, with everything else in them as it was.
//!
//! A thin binding of our own, for what [`platen_windows::registry`] describes. hivex is C and a hive may be hostile:
//! whoever has other things to lose calls [`apply_in_process_of_its_own`], which starts the program `platen-hive`. That
//! bounds its own memory and time, works on a copy, and puts it in the hive's place only when every change was made.

// The binding itself; each block says why it is sound.
#![allow(unsafe_code)]

mod client;
mod empty;
mod error;
mod ffi;
mod file;
mod session;

pub use client::apply_in_process_of_its_own;
pub use empty::empty_hive;
pub use error::HiveError;
pub use file::{Applied, MAX_HIVE_BYTES, apply, limit_this_process};

/// What the program reads on its standard input at the most.
pub const MAX_INPUT_BYTES: u64 = 64 << 20;
