//! The engine against drives that fail in every way a drive can, and drives that were changed afterwards.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

mod bench;
mod fake;
mod faults;
mod fuzz;
mod judge;
mod leased;
mod ledger;
mod liar;
mod many;
/// Small signed media, as the tests of the cache make them.
#[path = "../../../cache/tests/cache/support.rs"]
#[allow(dead_code, reason = "made for the tests of the cache")]
mod media;
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
