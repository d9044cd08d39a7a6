// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The one place that links libwim: what a WIM says of itself, verify, export, split, capture, apply.
//!
//! A thin binding of our own. Its rules, each from a fault that was seen:
//! - one operation for each opened handle (a write after a split left a WIM without its data and said all was well);
//! - every WIM written is verified before it counts, and removed when it does not hold;
//! - success with a warning is failure;
//! - libwim does not keep to the size of a part, so every part is measured;
//! - no panic crosses into C.
//!
//! One operation runs at a time in a process; others wait.

// The binding itself; each block says why it is sound.
#![allow(unsafe_code)]

mod apply;
mod error;
mod ffi;
mod info;
mod session;
mod verify;
mod write;

pub use apply::apply;
pub use error::WimError;
pub use info::{ImageInfo, WimInfo, info};
pub use session::Progress;
pub use verify::verify;
pub use write::{MAX_PART_BYTES, capture, export_non_solid, split};
