// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One end of a medium's window: a moment that is the same everywhere, or what a computer's own clock says.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

/// No zone's clock is further ahead of UTC than this (Kiribati).
const MOST_AHEAD_S: i64 = 14 * 3600;
/// No zone's clock is further behind UTC than this (Baker Island).
pub(crate) const MOST_BEHIND_S: i64 = 12 * 3600;

/// A moment, as the author of a medium meant it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The same moment everywhere.
    Utc(Timestamp),
    /// When the clock of the computer that uses the medium shows this, wherever it stands. The value is what the clock
    /// shows, as if it were UTC.
    Local(Timestamp),
}

impl Moment {
    /// When it comes, or in the first place where it comes.
    pub fn earliest(self) -> Timestamp {
        match self {
            Self::Utc(time) => time,
            Self::Local(shown) => Timestamp::from_unix_s(shown.unix_s() - MOST_AHEAD_S),
        }
    }

    /// When it comes, or in the last place where it comes.
    pub fn latest(self) -> Timestamp {
        match self {
            Self::Utc(time) => time,
            Self::Local(shown) => Timestamp::from_unix_s(shown.unix_s() + MOST_BEHIND_S),
        }
    }

    /// Whether it comes after the other one everywhere.
    pub fn is_after(self, other: Self) -> bool {
        match (self, other) {
            (Self::Local(own), Self::Local(other)) => own > other,
            _ => self.earliest() > other.latest(),
        }
    }

    /// What a clock shows when it comes, as if that were UTC.
    pub(crate) fn shown(self) -> Timestamp {
        match self {
            Self::Utc(shown) | Self::Local(shown) => shown,
        }
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self::Utc(time)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc(time) => time.fmt(f),
            Self::Local(shown) => write!(f, "{} local time", shown.to_string().trim_end_matches('Z')),
        }
    }
}

/// RFC 3339, of which local time leaves the offset out.
impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Utc(time) => time.serialize(serializer),
            Self::Local(shown) => serializer.serialize_str(shown.to_string().trim_end_matches('Z')),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        // Whatever has an offset is refused with one more.
        match format!("{text}Z").parse() {
            Ok(shown) => Ok(Self::Local(shown)),
            Err(_) => text.parse().map(Self::Utc).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let read = |text: &str| serde_json::from_value::<Moment>(text.into());
        for (stored, shown) in [
            ("2026-11-21T09:30:00Z", "2026-11-21T09:30:00Z"),
            ("2026-11-21T09:30:00", "2026-11-21T09:30:00 local time"),
        ] {
            let moment = read(stored).expect("a moment");
            assert_eq!(
                (serde_json::to_value(moment).expect("a text"), moment.to_string()),
                (stored.into(), shown.into())
            );
        }
        assert_eq!(read("2026-11-21T09:30:00+09:00").expect("a moment").to_string(), "2026-11-21T00:30:00Z");
        for bad in
            ["", "2026-11-21", "2026-11-21T09:30:00 local time", "2026-11-21T09:30:00ZZ", "2026-11-21T09:30:00+01:00Z"]
        {
            let error = read(bad).expect_err(bad).to_string();
            assert!(error.contains("expected a time such as 2026-11-21T09:30:00Z"), "{bad}: {error}");
        }
    }

    #[test]
    fn local_time_comes_at_its_own_moment_in_every_place() {
        let at = |hours: i64| Timestamp::from_unix_s(1_795_000_000 + hours * 3600);
        let local = Moment::Local(at(0));
        assert_eq!((local.earliest(), local.latest()), (at(-14), at(12)));
        assert!(Moment::Local(at(1)).is_after(local) && !local.is_after(local));
        // Somewhere it is before, somewhere after.
        assert!(!Moment::Utc(at(12)).is_after(local) && Moment::Utc(at(13)).is_after(local));
        assert!(!local.is_after(Moment::Utc(at(-14))) && local.is_after(Moment::Utc(at(-15))));
    }
}
