// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From when until when a medium may be used, and what a clock that may be wrong says about that.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// When a medium may be used. Both ends are part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validity {
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Not after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The most by which a clock on local time differs from UTC: it is taken for UTC by everything that starts from it.
pub const LOCAL_TIME_S: i64 = 14 * 3600;

/// The answer of [`Validity::at`] when the answer is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum NotValid {
    /// The window has not begun.
    #[error("not valid before {from}; the clock here says {now}{}", hint(*from, *now))]
    NotYet { from: Timestamp, now: Timestamp },
    /// The window is over.
    #[error("expired: valid until {until}; the clock here says {now}{}", hint(*now, *until))]
    Expired { until: Timestamp, now: Timestamp },
    /// The clock is so far behind something that was already signed that it can't be right.
    #[error(
        "the clock here says {now}, which is before this medium was made ({made}) by more than local time instead of \
         UTC explains; set the clock"
    )]
    ClockBehind { made: Timestamp, now: Timestamp },
}

/// What the operator should look at first, where so little is missing that the time zone explains it.
fn hint(later: Timestamp, earlier: Timestamp) -> &'static str {
    let near = later.unix_s() - earlier.unix_s() <= LOCAL_TIME_S;
    if near { "; a clock on local time instead of UTC would explain it" } else { "" }
}

impl Validity {
    /// Whether a medium made at `made` may be used at `now`.
    ///
    /// A clock that is behind `made` is wrong. By up to [`LOCAL_TIME_S`] it may be right but for its time zone, and
    /// stands for the moment of making, which is certainly over. Further behind it is refused, but only where the
    /// answer depends on it (a window is given), so that media without dates work on machines with an empty clock
    /// battery, and a wrong clock never widens a window.
    pub fn at(&self, now: Timestamp, made: Timestamp) -> Result<(), NotValid> {
        if (self.from.is_some() || self.until.is_some()) && is_far_behind(now, made) {
            return Err(NotValid::ClockBehind { made, now });
        }
        let known = now.max(made);
        match (self.from, self.until) {
            (Some(from), _) if known < from => Err(NotValid::NotYet { from, now }),
            (_, Some(until)) if known > until => Err(NotValid::Expired { until, now }),
            _ => Ok(()),
        }
    }
}

/// Whether a clock is behind `made` by more than its time zone explains.
fn is_far_behind(now: Timestamp, made: Timestamp) -> bool {
    made.unix_s() - now.unix_s() > LOCAL_TIME_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_never_widens_a_window() {
        let at = Timestamp::from_unix_s;
        let day = |days: i64| at(days * 86_400);
        let window = Validity { from: Some(day(20)), until: Some(day(30)) };
        assert_eq!(window.at(day(20), day(10)), Ok(()));
        assert_eq!(window.at(day(30), day(10)), Ok(()));
        let before = at(day(20).unix_s() - 1);
        assert!(matches!(window.at(before, day(10)), Err(NotValid::NotYet { .. })));
        let after = at(day(30).unix_s() + 1);
        assert!(matches!(window.at(after, day(10)), Err(NotValid::Expired { .. })));
        assert!(matches!(window.at(day(5), day(10)), Err(NotValid::ClockBehind { .. })));
        let until_only = Validity { from: None, until: Some(day(30)) };
        assert!(
            matches!(until_only.at(at(0), day(10)), Err(NotValid::ClockBehind { .. })),
            "an empty clock battery is no way round"
        );
        assert_eq!(Validity::default().at(at(0), day(10)), Ok(()), "no window, no need of a clock");
    }

    #[test]
    fn a_clock_on_local_time_is_not_taken_for_a_wrong_one() {
        let at = Timestamp::from_unix_s;
        let made = at(1_795_000_000);
        let hours = |hours: i64| at(made.unix_s() + hours * 3600);
        let until = Validity { from: None, until: Some(hours(100)) };
        let since_then = Validity { from: Some(made), until: Some(hours(100)) };
        for window in [until, since_then] {
            assert_eq!(window.at(hours(-14), made), Ok(()));
            assert_eq!(window.at(hours(-9), made), Ok(()));
            let behind = at(hours(-14).unix_s() - 1);
            assert_eq!(window.at(behind, made), Err(NotValid::ClockBehind { made, now: behind }));
        }
        let said = |window: Validity, now| window.at(now, made).expect_err("refused").to_string();
        assert!(said(until, hours(-15)).contains("local time"), "{}", said(until, hours(-15)));
        let tomorrow = Validity { from: Some(hours(24)), until: None };
        assert!(said(tomorrow, hours(15)).contains("local time"), "9 hours missing");
        assert!(!said(tomorrow, hours(1)).contains("local time"), "the control: 23 hours missing");
        assert!(said(until, hours(109)).contains("local time"), "9 hours over");
        assert!(!said(until, hours(200)).contains("local time"), "the control: 100 hours over");
        // What ended before it was made can't be used by turning the clock back.
        let never = Validity { from: None, until: Some(hours(-1)) };
        assert!(matches!(never.at(hours(-2), made), Err(NotValid::Expired { .. })));
    }
}
