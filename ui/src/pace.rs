// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How fast a job is, and how long it will take: numbers that stay calm while they are looked at.

use std::collections::VecDeque;

use platen_events::Step;

/// Speed is the mean of so long.
const WINDOW_MS: u64 = 5_000;
/// Nothing is said before so much is known.
const FIRST_MS: u64 = 1_000;

/// How a job gets on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    step: Option<Step>,
    total_bytes: u64,
    begun_ms: u64,
    samples: VecDeque<(u64, u64)>,
    /// How long writing took, once it is over.
    pub(crate) written_ms: Option<u64>,
    /// The moment at which it will be done, as it is said.
    ends_ms: Option<u64>,
}

impl Pace {
    /// A step begins.
    pub(crate) fn begin(&mut self, step: Step, total_bytes: Option<u64>, now_ms: u64) {
        if self.step == Some(Step::Write) {
            self.written_ms = Some(now_ms.saturating_sub(self.begun_ms));
        }
        (self.step, self.begun_ms) = (Some(step), now_ms);
        self.total_bytes = total_bytes.unwrap_or_default();
        self.samples.clear();
        self.samples.push_back((now_ms, 0));
    }

    /// The step is so far.
    pub(crate) fn progress(&mut self, done_bytes: u64, now_ms: u64) {
        self.samples.push_back((now_ms, done_bytes));
        while self.samples.len() > 2 && self.samples[1].0 + WINDOW_MS <= now_ms {
            self.samples.pop_front();
        }
        let (Some(speed), Some(step)) = (self.speed(), self.step) else { return };
        let left_bytes = self.total_bytes.saturating_sub(done_bytes);
        // What was written is read back, and nobody knows better than that it takes as long.
        let then_bytes = if step == Step::Write { self.total_bytes } else { 0 };
        let ends_ms = now_ms + (left_bytes + then_bytes) * 1000 / speed.max(1);
        self.ends_ms = match self.ends_ms {
            // It rises only when it was wrong by a quarter.
            Some(said) if ends_ms > said && ends_ms - now_ms < said.saturating_sub(now_ms) * 5 / 4 => Some(said),
            _ => Some(ends_ms),
        };
    }

    /// Bytes in a second.
    pub(crate) fn speed(&self) -> Option<u64> {
        let ((from_ms, from), (to_ms, to)) = (self.samples.front()?, self.samples.back()?);
        let took_ms = to_ms - from_ms;
        (took_ms >= FIRST_MS && to > from).then(|| (to - from) * 1000 / took_ms)
    }

    /// Seconds until the job is done.
    pub(crate) fn left_s(&self, now_ms: u64) -> Option<u64> {
        self.ends_ms.map(|ends_ms| ends_ms.saturating_sub(now_ms) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_falls_and_rises_only_when_it_is_wrong() {
        let mut pace = Pace::default();
        pace.begin(Step::Write, Some(1_000_000), 0);
        for second in 1..=10 {
            pace.progress(second * 10_000, second * 1000);
        }
        assert_eq!((pace.speed(), pace.left_s(10_000)), (Some(10_000), Some(190)));
        // A little slower is not worth a word, half as fast is.
        pace.progress(109_000, 11_000);
        assert_eq!(pace.left_s(11_000), Some(189));
        for second in 12..=30 {
            pace.progress(109_000 + (second - 11) * 5_000, second * 1000);
        }
        assert!(pace.left_s(30_000).expect("known") > 300);
        pace.begin(Step::Verify, Some(1_000_000), 40_000);
        assert_eq!((pace.written_ms, pace.speed()), (Some(40_000), None));
    }
}
