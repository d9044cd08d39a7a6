// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Points in time with a resolution of one second, always UTC, written as in RFC 3339.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

/// Text that is no date or date-time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-11-21T09:30:00Z, found {found:?}")]
pub struct ParseTimestampError {
    found: String,
}

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds, within the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    const MAX: i64 = 253_402_300_799;

    /// Clamped to the years 1970 to 9999, so that every value can be written.
    pub fn from_unix_s(seconds: i64) -> Self {
        Self(seconds.clamp(0, Self::MAX))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix_s(self) -> i64 {
        self.0
    }

    /// `year-month-day`, as people write validity dates.
    pub fn date(self) -> Date {
        self.offset_date_time().date()
    }

    fn offset_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0).expect("clamped to the years 1970 to 9999 on creation")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.offset_date_time().format(&Rfc3339).expect("a UTC time of four-digit year is RFC 3339"))
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let fail = || ParseTimestampError { found: text.chars().take(80).collect() };
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| fail())?;
        let seconds = time.unix_timestamp();
        if (0..=Self::MAX).contains(&seconds) { Ok(Self(seconds)) } else { Err(fail()) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        for text in ["1970-01-01T00:00:00Z", "2026-11-21T09:30:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(text.parse::<Timestamp>().expect("valid").to_string(), text);
        }
        assert_eq!(
            "2026-11-21T10:30:00+01:00".parse::<Timestamp>().expect("valid").to_string(),
            "2026-11-21T09:30:00Z"
        );
        for bad in ["", "2026-11-21", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "yesterday"] {
            assert_eq!(bad.parse::<Timestamp>().expect_err(bad).found, bad);
        }
    }
}
