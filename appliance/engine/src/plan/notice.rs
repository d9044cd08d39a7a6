// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is written although there is something to be said about it. It stands in the plan, is shown while the drive is
//! written, and in the ledger.

use std::fmt;

use platen_media::manifest::{NotValid, Validity};
use platen_media::{Moment, Timestamp};

/// What is said beside a plan that is carried out all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Dates are the target's business: it is written ahead of them, and the computer it starts refuses it until then.
    NotYetValid {
        /// From when on it may be used.
        from: Moment,
        /// What the time was taken for.
        now: Timestamp,
    },
    /// A newer revision was here; an administrator pinned this one.
    PinnedOlder {
        /// The newest revision that is here.
        newest: u32,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYetValid { from, now } => {
                write!(f, "not valid before {from} (the clock here says {now}); computers refuse it until then")
            }
            Self::PinnedOlder { newest } => write!(f, "pinned older revision; the newest here was revision {newest}"),
        }
    }
}

/// Whether a medium made at `made` may be written at `now`, and what is said about it. An expired medium is refused; so
/// is any that may be expired because the clock can't be right.
pub fn check_dates(validity: Validity, made: Timestamp, now: Timestamp) -> Result<Option<Notice>, NotValid> {
    match (validity.at(now, made), validity.from) {
        (Ok(()), _) => Ok(None),
        (Err(NotValid::NotYet { from, .. }), _) => Ok(Some(Notice::NotYetValid { from, now })),
        // Without an end it can't have expired, whatever the time is.
        (Err(NotValid::ClockBehind { .. }), Some(from)) if validity.until.is_none() => {
            Ok(Some(Notice::NotYetValid { from, now }))
        }
        (Err(error), _) => Err(error),
    }
}
