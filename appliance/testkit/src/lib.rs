// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What tests share, for tests only: no program links this.
//!
//! Only hardware is played here: a drive that fails on request ([`drive`]), a machine as its kernel described it
//! ([`machine`]). Everything else is real: signed media in a store ([`media`]), the program on a station of its own
//! ([`station`]), other people's tools as judges, file systems that are full or can't be written ([`mount`]). Windows is an image
//! of its shape ([`windows_image`]), or Wine ([`wine`]). Planted [`secrets`] are looked for in every form. What a
//! test needs of the machine it runs on, it asks for by [`need`]; nothing is skipped in silence.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]
#![allow(clippy::new_without_default, reason = "making one writes files")]

pub mod daemon;
pub mod drive;
pub mod files;
pub mod machine;
pub mod media;
pub mod mount;
pub mod need;
pub mod record;
pub mod secrets;
pub mod station;
pub mod windows_image;
pub mod wine;
