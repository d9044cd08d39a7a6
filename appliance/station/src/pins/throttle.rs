// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How fast PINs can be tried. Pure: whoever asks says what time it is, by a clock that only moves forward.
//!
//! The time of day decides nothing here. Whoever can restart the machine can reach its firmware's setup and set the
//! clock, so a wait that was counted by it could be ended from a keyboard; and a clock that was set back would make it
//! last for days. What counts is the time the station was running: a wait is stored as what is left of it, and goes on
//! from there after a restart, never from less.

use std::time::Duration;

/// Seconds until the next try after so many wrong ones. Three are free, since fingers slip; from the ninth on an hour
/// passes, so that all PINs of four digits take more than a year.
const DELAYS_S: [u64; 10] = [0, 0, 0, 0, 5, 15, 60, 300, 900, 3600];

/// Why a PIN can't be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Until it can.
    pub left: Duration,
    /// Wrong tries since the last right one.
    pub failed: u32,
}

/// The tries at one PIN. `now` is always the time since the same moment, by a clock that only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Throttle {
    failed: u32,
    until: Duration,
}

impl Throttle {
    /// What another run of the program left.
    pub fn resumed(failed: u32, left: Duration, now: Duration) -> Self {
        Self { failed, until: now.saturating_add(left.min(delay(failed))) }
    }

    /// Whether the next try may be made.
    pub fn may_try(&self, now: Duration) -> Result<(), Wait> {
        match self.left(now) {
            Duration::ZERO => Ok(()),
            left => Err(Wait { left, failed: self.failed }),
        }
    }

    /// A try was wrong, or is about to be made: it is counted first, so that cutting the power in time gains nothing.
    pub fn failed(&mut self, now: Duration) {
        self.failed = self.failed.saturating_add(1);
        self.until = now.saturating_add(delay(self.failed));
    }

    /// The try was right.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Wrong tries since the last right one.
    pub fn failures(&self) -> u32 {
        self.failed
    }

    /// What is left of the wait. Never more than the whole of it, whatever the clock says.
    pub fn left(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now).min(delay(self.failed))
    }
}

fn delay(failed: u32) -> Duration {
    let at = usize::try_from(failed).unwrap_or(usize::MAX).min(DELAYS_S.len() - 1);
    Duration::from_secs(DELAYS_S[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_wrong_try_waits_longer_and_none_longer_than_an_hour() {
        let (mut throttle, mut now, mut waits) = (Throttle::default(), seconds(7), Vec::new());
        for _ in 0..11 {
            throttle.failed(now);
            let left = throttle.left(now);
            waits.push(left.as_secs());
            if let Some(before) = left.checked_sub(Duration::from_nanos(1)) {
                let wait = Wait { left: Duration::from_nanos(1), failed: throttle.failures() };
                assert_eq!(throttle.may_try(now + before), Err(wait), "to the last moment");
            }
            now += left;
            assert_eq!(throttle.may_try(now), Ok(()));
        }
        assert_eq!(waits, [0, 0, 0, 5, 15, 60, 300, 900, 3600, 3600, 3600]);
        throttle.succeeded();
        throttle.failed(now);
        assert_eq!((throttle.failures(), throttle.may_try(now)), (1, Ok(())), "a right one forgives the wrong ones");
    }

    /// The control: a wait that was counted by the time of day.
    #[test]
    fn setting_the_clock_would_end_a_wait_that_is_counted_by_it() {
        let mut by_time_of_day = Throttle::default();
        let today = seconds(1_790_000_000);
        (0..9).for_each(|_| by_time_of_day.failed(today));
        assert_eq!(by_time_of_day.may_try(today).map_err(|wait| wait.failed), Err(9));
        assert_eq!(by_time_of_day.may_try(today + seconds(3601)), Ok(()), "set forward in the firmware's setup");
    }

    #[derive(Debug, Clone)]
    enum Happening {
        Fail,
        Run(u64),
        /// With a clock that begins anew from there.
        Restart(u64),
    }

    fn happenings() -> impl Strategy<Value = Vec<Happening>> {
        let one = prop_oneof![
            3 => Just(Happening::Fail),
            3 => (0u64..4000).prop_map(Happening::Run),
            2 => (0u64..100_000_000).prop_map(Happening::Restart),
        ];
        proptest::collection::vec(one, 1..60)
    }

    proptest! {
        #[test]
        fn a_wait_lasts_for_its_time_of_running_whatever_restarts_and_clocks_do(happenings in happenings()) {
            let (mut throttle, mut now) = (Throttle::default(), Duration::ZERO);
            // What must be waited for, counted apart.
            let (mut failed, mut owed) = (0, 0u64);
            for happening in happenings {
                match happening {
                    Happening::Fail if throttle.may_try(now).is_ok() => {
                        prop_assert_eq!(owed, 0, "a try before its time");
                        throttle.failed(now);
                        failed += 1;
                        owed = delay(failed).as_secs();
                    }
                    Happening::Fail => prop_assert!(owed > 0, "a try refused without a reason"),
                    Happening::Run(time) => {
                        now += seconds(time);
                        owed = owed.saturating_sub(time);
                    }
                    Happening::Restart(origin) => {
                        let left = throttle.left(now);
                        now = seconds(origin);
                        throttle = Throttle::resumed(throttle.failures(), left, now);
                    }
                }
                prop_assert_eq!(throttle.left(now), seconds(owed));
                prop_assert!(throttle.left(now) <= seconds(3600));
            }
        }

        #[test]
        fn no_clock_and_no_stored_value_makes_a_wait_longer_than_it_was(
            failed in any::<u32>(), left in any::<u64>(), now in any::<u64>(), later in any::<u64>(),
        ) {
            let throttle = Throttle::resumed(failed, seconds(left), seconds(now));
            prop_assert!(throttle.left(seconds(later)) <= delay(failed));
            prop_assert!(delay(failed) <= seconds(3600));
        }
    }
}
