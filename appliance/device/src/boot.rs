// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which start of the computer this is, and how long ago it was.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since the computer was started, suspended time included. Never goes back, and is the same for every program.
pub fn since_boot() -> Duration {
    // Only a clock that does not exist is refused, and Linux has this one.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Into::into)
}

/// The kernel's random number of this start, if it tells.
pub fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_on_and_the_start_stays_the_same() {
        let (first, start) = (since_boot(), boot_id());
        assert!(first > Duration::ZERO && since_boot() >= first);
        assert_eq!(boot_id(), start);
    }
}
