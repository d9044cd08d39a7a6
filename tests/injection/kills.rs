// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The program killed: at every call on a drive, and at any moment.

use std::sync::Arc;
use std::time::Duration;

use crate::bench::{After, Bench, LIMIT, SWEPT};
use crate::errors::{lanes, sweep};
use crate::judge::{self, Medium};
use crate::lanes::{Blow, Tried, lane};
use crate::process;
use crate::strace::{self, FLUSH, READ, WRITE};
use crate::table::{Kind, Lane, Seen};

fn at_any_moment(medium: usize, times: u64) -> Lane {
    lane(medium, None, Some(times), |bench, at| {
        let bad = at.file(bench);
        let moment = Duration::from_micros(bench.random.within(0..at.medium.whole.as_micros() as u64));
        let command = bench.command(at.medium, &bad);
        let attempt = bench.run(command, &bad, |running, elapsed| {
            if elapsed >= moment {
                running.kill();
            }
        });
        if !attempt.ended.killed() {
            return Tried::Missed;
        }
        let what = format!("killed after {moment:?}");
        Tried::Struck(Blow { what, attempt, bad, after: After::Unwritable, code: None })
    })
}

/// A naive writer begins with sector 0: killed half-way it leaves a partition table over half a medium.
fn naive(bench: &mut Bench) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, bad) = (setting.medium(0), bench.bad());
    let mut seen = Seen { tried: 0, wrong: 0 };
    for n in [2, 4, 6] {
        bench.prepare(&bad, medium, 1);
        let blind = bench.blind("blind-write", medium, &bad);
        let kill = [format!("{WRITE}:signal=SIGKILL:when={n}")];
        let ended = process::run(&mut strace::wrap(&blind, &[&bad], &kill, &bench.log()), LIMIT);
        let wrong = bench.sees_wrong(medium, &bad);
        let drive = bench.read(&bad, medium);
        seen.tried += 1;
        let half = wrong && judge::armed(drive) && !medium.untouched(drive, &medium.before[1]);
        seen.wrong += u64::from(ended.killed() && half);
    }
    seen
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let at_calls = |call: &'static str| {
        lanes(full, move |medium, before| {
            let faults = move |_: &Medium, n| Some(vec![format!("{call}:signal=SIGKILL:when={n}")]);
            sweep(medium, before, After::Unwritable, Box::new(faults))
        })
    };
    let calls = [WRITE, READ, FLUSH].into_iter().flat_map(at_calls).collect();
    let times = if full { 300 } else { 12 };
    let moments = (0..SWEPT).map(|medium| at_any_moment(medium, times)).collect();
    vec![Kind::new("killed at a call", calls, naive), Kind::new("killed at any moment", moments, naive)]
}
