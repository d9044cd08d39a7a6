// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The engine against drives that fail in every way a drive can, and drives that were changed afterwards.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

mod bench;
mod checks;
mod cycled;
mod faults;
mod fuzz;
mod judge;
mod leased;
mod ledger;
mod liar;
mod many;
mod overwriting;
mod plan;
mod power;
mod probing;
mod retrying;
mod rigged;
mod scheduler;
mod sparing;
mod sparse;
mod stalls;
mod swapped;
mod update;
mod updating;
mod volumes;

use platen_testkit::{drive as fake, media};
