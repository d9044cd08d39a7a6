// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Times as FAT stores them.

/// A time in a directory entry (fatgen103, "Date and Time Formats"): 1980-01-01 to 2107-12-31, in steps of two seconds,
/// with tenths of a second for creation only. Platen's are UTC; FAT knows no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FatTime {
    date: u16,
    time: u16,
    centiseconds: u8,
}

const DAY_SECONDS: i64 = 86_400;
/// 1980-01-01T00:00:00Z and 2107-12-31T23:59:59Z.
const FIRST: i64 = 315_532_800;
const LAST: i64 = 4_354_819_199;

impl FatTime {
    /// From seconds since 1970-01-01 UTC. What is before 1980 becomes the first second of 1980, what is after 2107 the
    /// last of 2107.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let seconds = seconds.clamp(FIRST, LAST);
        let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
        let of_day = seconds.rem_euclid(DAY_SECONDS);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        // All of these are in range because the seconds are.
        Self {
            date: (((year - 1980) << 9) | (month << 5) | day) as u16,
            time: ((hour << 11) | (minute << 5) | (second / 2)) as u16,
            centiseconds: (second % 2 * 100) as u8,
        }
    }

    /// The date as stored: `DIR_WrtDate`, `DIR_CrtDate`, `DIR_LstAccDate`.
    pub fn date_bits(self) -> u16 {
        self.date
    }

    /// The time of day as stored: `DIR_WrtTime`, `DIR_CrtTime`.
    pub fn time_bits(self) -> u16 {
        self.time
    }

    /// What `time_bits` leaves out, in hundredths of a second: `DIR_CrtTimeTenth`, 0 or 100.
    pub fn centiseconds(self) -> u8 {
        self.centiseconds
    }
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian calendar).
fn civil(days: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is the last of a year; eras have 400 years.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seconds: i64) -> (u16, u16, u16, u16, u16, u16, u8) {
        let t = FatTime::from_unix_seconds(seconds);
        (
            (t.date >> 9) + 1980,
            t.date >> 5 & 15,
            t.date & 31,
            t.time >> 11,
            t.time >> 5 & 63,
            (t.time & 31) * 2,
            t.centiseconds,
        )
    }

    #[test]
    fn known_times() {
        assert_eq!(parts(315_532_800), (1980, 1, 1, 0, 0, 0, 0));
        assert_eq!(parts(951_827_696), (2000, 2, 29, 12, 34, 56, 0));
        assert_eq!(parts(951_827_697), (2000, 2, 29, 12, 34, 56, 100));
        assert_eq!(parts(1_798_761_599), (2026, 12, 31, 23, 59, 58, 100));
        assert_eq!(parts(4_107_542_400), (2100, 3, 1, 0, 0, 0, 0)); // 2100 is no leap year
    }

    #[test]
    fn out_of_range_is_clamped() {
        for early in [i64::MIN, -1, 0, 315_532_799] {
            assert_eq!(parts(early), (1980, 1, 1, 0, 0, 0, 0));
        }
        for late in [4_354_819_200, i64::MAX] {
            assert_eq!(parts(late), (2107, 12, 31, 23, 59, 58, 100));
        }
    }
}
