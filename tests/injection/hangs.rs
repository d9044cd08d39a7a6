// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Calls that don't return: the drive must be given up after the stall limit, without harm to the one beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::bench::{After, Attempt, Bench, LIMIT, Said};
use crate::device::{self, Lie, Model};
use crate::errors::lanes;
use crate::lanes::{Blow, Tried, lane};
use crate::process::{self, Running};
use crate::shim;
use crate::table::{Kind, Lane, Seen};

/// Longer than a healthy call takes on a busy machine.
const STALL_SECONDS: &str = "5";

/// A hung drive fails by its own code, and everything else that is asked of a drive nobody can write.
fn hung(what: String, attempt: Attempt, bad: PathBuf) -> Tried {
    Tried::Struck(Blow { what, attempt, bad, after: After::Unwritable, code: Some("P-W-005") })
}

fn by_call(medium: usize, before: Option<usize>, kind: &'static str, step: u64) -> Lane {
    lane(medium, before, None, move |bench, place| {
        let at = (place.n - 1) * step + 1;
        let calls = match kind {
            "hang-write" => place.medium.calls.writes.len(),
            "hang-read" => place.medium.calls.reads.len(),
            _ => place.medium.calls.flushes.len(),
        };
        if at > calls as u64 {
            return Tried::End;
        }
        let bad = place.file(bench);
        let mut command = bench.command(place.medium, &bad);
        command.args(["--stall-limit", STALL_SECONDS]);
        let mark = shim::between(bench, &mut command, kind, at, 0);
        let attempt = bench.run(command, &bad, |_, _| {});
        if std::fs::remove_file(mark).is_err() {
            assert_eq!(attempt.bad, Said::Ready, "{kind} {at} did not strike: {}", attempt.ended.told());
            return Tried::Missed;
        }
        hung(format!("{kind} at {at}"), attempt, bad)
    })
}

/// A request the device never answers. A thread that waits for one can't be ended by anybody, so the program is only
/// asked to have said everything; then the device answers, and it must end.
fn by_device(medium: usize, times: u64) -> Lane {
    lane(medium, None, Some(times), |bench, at| {
        let kind = at.n % 3;
        let nth = if kind == 2 { 1 + at.n / 3 % 3 } else { bench.random.within(1..24) };
        bench.device().prepare(at.medium, at.before);
        bench.device().lie(Lie { nth, argument: kind, ..Lie::new(Model::Hang) });
        let bad = bench.device().path();
        let mut command = bench.command(at.medium, &bad);
        command.args(["--stall-limit", STALL_SECONDS]);
        let running = Running::start(&mut command);
        let device = bench.device();
        let mut struck = false;
        let ended = running.finish(LIMIT, |running, _| {
            struck |= device.struck() > 0;
            if struck && running.stdout().contains("\"event\":\"batch-ended\"") {
                device.lie(Lie::HONEST);
            }
        });
        bench.device().lie(Lie::HONEST);
        let attempt = bench.attempt(&bad, ended);
        if !struck {
            assert_eq!(attempt.bad, Said::Ready, "{}", attempt.ended.stderr);
            return Tried::Missed;
        }
        hung(format!("request {nth} of kind {kind} is never answered"), attempt, bad)
    })
}

/// A blind writer waits for ever, and is seen to.
fn waits(bench: &mut Bench) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, bad) = (setting.medium(0), bench.bad());
    bench.prepare(&bad, medium, 1);
    let mut blind = bench.blind("blind-write", medium, &bad);
    shim::between(bench, &mut blind, "hang-write", 2, 0);
    let ended = process::run(&mut blind, Duration::from_secs(3));
    Seen { tried: 1, wrong: u64::from(ended.stuck && bench.sees_wrong(medium, &bad)) }
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let step = if full { 3 } else { 24 };
    let hangs = |kind: &'static str| lanes(full, move |medium, before| by_call(medium, before, kind, step));
    let calls = ["hang-write", "hang-read", "hang-flush"].into_iter().flat_map(hangs).collect();
    let device = match device::can_be_had() {
        true => Kind::new("device hangs", vec![by_device(0, if full { 60 } else { 4 })], waits),
        false => Kind::skipped("device hangs"),
    };
    vec![Kind::new("call hangs", calls, waits), device]
}
