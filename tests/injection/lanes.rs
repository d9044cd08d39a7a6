// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What all lanes have in common: a drive with something on it, one fault, the judges, and the next write.

use std::path::PathBuf;
use std::sync::Arc;

use crate::bench::{After, Attempt, Bench};
use crate::judge::Medium;
use crate::table::{Injection, Lane, Step, Verdict};

/// Where a lane is.
pub struct Place<'a> {
    pub medium: &'a Medium,
    /// The fault's number in this lane, from 1.
    pub n: u64,
    /// Which of the two things was on the drive before.
    pub before: usize,
}

impl Place<'_> {
    /// The bad drive as a file, with what was on it before.
    pub fn file(&self, bench: &Bench) -> PathBuf {
        let bad = bench.bad();
        bench.prepare(&bad, self.medium, self.before);
        bad
    }

    /// A fault here, with enough to do it again.
    pub fn named(&self, fault: &str) -> String {
        format!("{} over {}, {fault}", self.medium.name, self.before)
    }
}

/// What came of trying one fault.
pub enum Tried {
    /// There is no such place any more.
    End,
    /// It did not strike this time.
    Missed,
    /// It struck, and the lane has judged it already: more than one drive was at stake, or the fault was still there.
    Judged(PathBuf, Injection),
    Struck(Blow),
}

/// A fault that struck one drive.
pub struct Blow {
    /// As for [`Place::named`].
    pub what: String,
    pub attempt: Attempt,
    /// Where the drive is now.
    pub bad: PathBuf,
    pub after: After,
    /// The one code it may be refused with, where there is but one.
    pub code: Option<&'static str>,
}

/// Fault after fault on one medium, `times` at most. Without a `before`, faults take turns with what was on the drive.
pub fn lane(
    index: usize,
    before: Option<usize>,
    times: Option<u64>,
    mut strike: impl FnMut(&mut Bench, &Place<'_>) -> Tried + Send + 'static,
) -> Lane {
    Box::new(move |bench, n| {
        if times.is_some_and(|times| n > times) {
            return Step::End;
        }
        let setting = Arc::clone(&bench.setting);
        let place = Place { medium: setting.medium(index), n, before: before.unwrap_or(n as usize % 2) };
        let (bad, injection) = match strike(bench, &place) {
            Tried::End => return Step::End,
            Tried::Missed => return Step::Missed,
            Tried::Judged(bad, injection) => (bad, injection),
            Tried::Struck(blow) => judge(bench, &place, blow),
        };
        Step::Injected(bench.again(injection, place.medium, &bad))
    })
}

fn judge(bench: &mut Bench, place: &Place<'_>, blow: Blow) -> (PathBuf, Injection) {
    let Blow { what, attempt, bad, after, code } = blow;
    let mut injection = bench.judge(place.named(&what), place.medium, &attempt, &bad, after, place.before);
    if let (Verdict::Refused(found), Some(expected)) = (&injection.verdict, code)
        && found != expected
    {
        injection.verdict = Verdict::LeftWrong(format!("expected the code {expected}, found {found}"));
    }
    (bad, injection)
}
