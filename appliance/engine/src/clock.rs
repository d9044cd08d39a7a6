// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Time as something that is handed in, so that tests own it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use platen_media::Timestamp;

/// Where the time comes from.
pub trait Clock: Sync {
    /// The time of day. May be wrong; see `Validity::at` for what follows from that.
    fn now(&self) -> Timestamp;
    /// Time that only moves forward, from any origin.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// `elapsed` counts from this call.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Timestamp::from_unix_s(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
}
