// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From when until when a medium may be used, and what a clock that may be wrong says about that.

use serde::{Deserialize, Serialize};

use super::{SCHEMA, SCHEMA_LOCAL_DATES};
use crate::Timestamp;
use crate::moment::{MOST_BEHIND_S, Moment};

/// When a medium may be used. Both ends are part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validity {
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// Not after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// The most by which a clock on local time differs from UTC: it is taken for UTC by everything that starts from it.
pub const LOCAL_TIME_S: i64 = 14 * 3600;

/// The answer of [`Validity::at`] when the answer is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum NotValid {
    /// The window has not begun.
    #[error("not valid before {from}; the clock here says {now}{}", hint(*from, *now, *from))]
    NotYet { from: Moment, now: Moment },
    /// The window is over.
    #[error("expired: valid until {until}; the clock here says {now}{}", hint(*now, *until, *until))]
    Expired { until: Moment, now: Moment },
    /// The clock is so far behind something that was already signed that it can't be right.
    #[error(
        "the clock here says {now}, which is before this medium was made ({made}) by more than local time instead of \
         UTC explains; set the clock"
    )]
    ClockBehind { made: Timestamp, now: Timestamp },
}

/// What the operator should look at first, where so little is missing that the time zone explains it.
fn hint(later: Moment, earlier: Moment, end: Moment) -> &'static str {
    let near = later.shown().unix_s() - earlier.shown().unix_s() <= LOCAL_TIME_S;
    match (near, end) {
        (false, _) => "",
        (true, Moment::Utc(_)) => "; a clock on local time instead of UTC would explain it",
        (true, Moment::Local(_)) => "; a clock on UTC instead of local time would explain it",
    }
}

impl Validity {
    /// The lowest schema of a manifest that can say it: a release that takes local time for UTC would use the medium too
    /// early or too late.
    pub fn schema(&self) -> u32 {
        if self.is_local() { SCHEMA_LOCAL_DATES } else { SCHEMA }
    }

    /// Whether an end of it is in local time.
    pub fn is_local(&self) -> bool {
        [self.from, self.until].iter().flatten().any(|end| matches!(end, Moment::Local(_)))
    }

    /// Whether a medium made at `made` may be used at `now`; where an end is in local time, whether it may be anywhere:
    /// whoever writes a medium does not know where it will be used.
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
            (Some(from), _) if known < from.earliest() => Err(NotValid::NotYet { from, now: now.into() }),
            (_, Some(until)) if known > until.latest() => Err(NotValid::Expired { until, now: now.into() }),
            _ => Ok(()),
        }
    }

    /// Whether a medium made at `made` may be used on the computer whose clock shows `shown`: the same, and that clock is
    /// what an end in local time is about. Windows keeps local time in it, and so the answer is the one Windows would give.
    pub fn on_target(&self, shown: Timestamp, made: Timestamp) -> Result<(), NotValid> {
        self.at(shown, made)?;
        // No clock on local time is right that shows less than this.
        let known = shown.max(Timestamp::from_unix_s(made.unix_s() - MOST_BEHIND_S));
        let now = Moment::Local(shown);
        match (self.from, self.until) {
            (Some(from @ Moment::Local(start)), _) if known < start => Err(NotValid::NotYet { from, now }),
            (_, Some(until @ Moment::Local(end))) if known > end => Err(NotValid::Expired { until, now }),
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
        let window = Validity { from: Some(day(20).into()), until: Some(day(30).into()) };
        assert_eq!(window.at(day(20), day(10)), Ok(()));
        assert_eq!(window.at(day(30), day(10)), Ok(()));
        let before = at(day(20).unix_s() - 1);
        assert!(matches!(window.at(before, day(10)), Err(NotValid::NotYet { .. })));
        let after = at(day(30).unix_s() + 1);
        assert!(matches!(window.at(after, day(10)), Err(NotValid::Expired { .. })));
        assert!(matches!(window.at(day(5), day(10)), Err(NotValid::ClockBehind { .. })));
        let until_only = Validity { from: None, until: Some(day(30).into()) };
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
        let until = Validity { from: None, until: Some(hours(100).into()) };
        let since_then = Validity { from: Some(made.into()), until: Some(hours(100).into()) };
        for window in [until, since_then] {
            assert_eq!(window.at(hours(-14), made), Ok(()));
            assert_eq!(window.at(hours(-9), made), Ok(()));
            let behind = at(hours(-14).unix_s() - 1);
            assert_eq!(window.at(behind, made), Err(NotValid::ClockBehind { made, now: behind }));
        }
        let said = |window: Validity, now| window.at(now, made).expect_err("refused").to_string();
        assert!(said(until, hours(-15)).contains("local time"), "{}", said(until, hours(-15)));
        let tomorrow = Validity { from: Some(hours(24).into()), until: None };
        assert!(said(tomorrow, hours(15)).contains("local time"), "9 hours missing");
        assert!(!said(tomorrow, hours(1)).contains("local time"), "the control: 23 hours missing");
        assert!(said(until, hours(109)).contains("local time"), "9 hours over");
        assert!(!said(until, hours(200)).contains("local time"), "the control: 100 hours over");
        // What ended before it was made can't be used by turning the clock back.
        let never = Validity { from: None, until: Some(hours(-1).into()) };
        assert!(matches!(never.at(hours(-2), made), Err(NotValid::Expired { .. })));
    }

    #[test]
    fn local_dates_are_decided_by_the_target_and_refused_by_nobody_else() {
        let at = Timestamp::from_unix_s;
        let hours = |hours: i64| at(1_795_000_000 + hours * 3600);
        let made = hours(-1000);
        let window = Validity { from: Some(Moment::Local(hours(0))), until: Some(Moment::Local(hours(48))) };
        let words = |answer: Result<(), NotValid>| match answer {
            Ok(()) => "valid",
            Err(NotValid::NotYet { .. }) => "not yet",
            Err(NotValid::Expired { .. }) => "expired",
            Err(NotValid::ClockBehind { .. }) => "behind",
        };
        // Where it is written, the clock is UTC: only what no place on earth allows is refused.
        for (now, expected) in
            [(-15, "not yet"), (-14, "valid"), (0, "valid"), (48, "valid"), (60, "valid"), (61, "expired")]
        {
            assert_eq!(words(window.at(hours(now), made)), expected, "{now}");
        }
        // Where it is used, the clock shows local time.
        for (shown, expected) in [(-1, "not yet"), (0, "valid"), (48, "valid"), (49, "expired")] {
            assert_eq!(words(window.on_target(hours(shown), made)), expected, "{shown}");
        }
        let said = window.on_target(hours(-9), made).expect_err("refused").to_string();
        assert!(said.contains(":06:40 local time; the clock here says") && said.contains("on UTC instead"), "{said}");
        // The control: other windows are the same in both places.
        let utc = Validity { from: Some(hours(0).into()), until: Some(hours(48).into()) };
        for now in [-1, 0, 48, 49] {
            assert_eq!(utc.on_target(hours(now), made), utc.at(hours(now), made), "{now}");
        }
        // An empty clock battery is no way round, nor is a clock put back to before it was made.
        assert_eq!(words(window.on_target(at(0), made)), "behind");
        let over = Validity { from: None, until: Some(Moment::Local(hours(-1013))) };
        assert_eq!(words(over.on_target(hours(-1014), made)), "expired");
    }
}
