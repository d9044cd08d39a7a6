// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The store against damage, kills, full disks and other people's tools.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

mod hostile;
mod import;
mod kill;
mod maintain;
mod oci;
mod room;
mod several;
mod source_damage;
mod stream;
mod written;

use platen_testkit::media as support;
