// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Every reader of foreign bytes as a target: a function that takes any bytes and asserts what must hold of the answer.
//!
//! A target does more than not crash. What a reader accepts must come back the same when it is written and read again,
//! and where there is another reader of the format, both must agree. Targets start from samples that are good, and those
//! with checksums mend them after a mutation, so that mutated bytes get past the first comparison.
//!
//! The same functions are run by the ordinary tests for some seconds ([`run`], with a seed that stays), and by cargo-fuzz
//! for as long as one likes (`fuzz/fuzz_targets`).

#![allow(clippy::unwrap_used, reason = "a broken promise ends the run")]

mod mutate;
mod targets;

pub use mutate::Mutator;
pub use targets::TARGETS;

/// What a reader said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It took the bytes for what they claim to be; everything that must hold then was looked at.
    Accepted,
    /// It did not.
    Refused,
}

/// One reader of foreign bytes.
pub struct Target {
    /// As cargo-fuzz knows it, and the file in `fuzz/fuzz_targets` is called.
    pub name: &'static str,
    /// Good inputs to start from. All of them are accepted.
    pub samples: fn() -> Vec<Vec<u8>>,
    /// Ask the reader; panics if a promise is broken.
    pub ask: fn(&[u8]) -> Answer,
    /// How many mutated inputs an ordinary test asks about.
    pub rounds: u32,
    /// How many of them must be accepted, and how many refused, at the least: a reader that always says the same is none.
    pub least: u32,
}

/// Ask the target of this name, for programs that bring their own bytes.
pub fn fuzz(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.ask)(bytes);
}

/// How often each answer was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Mutated inputs that were accepted.
    pub accepted: u32,
    /// And refused.
    pub refused: u32,
}

/// Ask about all samples, then about mutated ones. Panics if a promise is broken or the answers are too much alike.
pub fn run(target: &Target, seed: u64) -> Counts {
    let samples = (target.samples)();
    for (number, sample) in samples.iter().enumerate() {
        assert_eq!((target.ask)(sample), Answer::Accepted, "{}: sample {number} is good", target.name);
    }
    let mut mutator = Mutator::new(seed, samples);
    let mut counts = Counts::default();
    for _ in 0..target.rounds {
        match (target.ask)(&mutator.next_input()) {
            Answer::Accepted => counts.accepted += 1,
            Answer::Refused => counts.refused += 1,
        }
    }
    assert!(
        counts.accepted >= target.least && counts.refused >= target.least,
        "{}: expected at least {} of each answer, found {counts:?}",
        target.name,
        target.least
    );
    counts
}
