// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is written: read once for all drives, checked, and known again when it comes back.

pub(crate) mod byte_ranges;
pub(crate) mod check;
pub(crate) mod fingerprint;
pub(crate) mod markers;
pub(crate) mod read_ahead;
pub(crate) mod shared;
pub(crate) mod source;

/// The locks of [`read_ahead`], which tests replace by ones whose every interleaving they can try.
mod sync {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
}

pub use self::shared::Sources;
pub use self::source::SourceError;
