// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The one place that links hivex: changes of registry hives in place, with everything else in them as it was.
//!
//! A thin binding of our own, for what [`platen_windows::registry`] describes. hivex is C and a hive may be hostile:
//! whoever has other things to lose calls [`apply_in_process_of_its_own`], which starts the program `platen-hive`. That
//! bounds its own memory and time, works on a copy, and puts it in the hive's place only when every change was made.
//! That call links nothing: without the feature `hivex` it is all there is.

// The binding itself; each block says why it is sound.
#![allow(unsafe_code)]

mod client;
mod empty;
mod error;
#[cfg(feature = "hivex")]
mod ffi;
#[cfg(feature = "hivex")]
mod file;
#[cfg(feature = "hivex")]
mod session;

use serde::{Deserialize, Serialize};

pub use client::apply_in_process_of_its_own;
pub use empty::empty_hive;
pub use error::HiveError;
#[cfg(feature = "hivex")]
pub use file::{apply, limit_this_process};

/// Bigger files are no hives; those of a used Windows have some 200 MiB.
pub const MAX_HIVE_BYTES: u64 = 1 << 30;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Applied {
    /// How many changes were made.
    pub changes: usize,
    /// Windows had not written all of it when it was last used: what is in its log files is lost.
    pub was_dirty: bool,
}

/// What the program reads on its standard input at the most.
pub const MAX_INPUT_BYTES: u64 = 64 << 20;
