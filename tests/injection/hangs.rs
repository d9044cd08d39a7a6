//! Calls that don't return: the drive must be given up after the stall limit, without harm to the one beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::bench::{After, Attempt, Bench, LIMIT, Said};
use crate::device::{self, Lie, Model};
use crate::errors::lanes;
use crate::process::{self, Running};
use crate::shim;
use crate::table::{Injection, Kind, Lane, Seen, Step, Verdict};

/// Longer than a healthy call takes on a busy machine.
const STALL_SECONDS: &str = "5";

/// A hung drive fails by its own code, and everything else that is asked of a drive nobody can write.
fn judge(bench: &mut Bench, what: String, medium: usize, attempt: &Attempt, bad: &Path, before: usize) -> Injection {
    let setting = Arc::clone(&bench.setting);
    let medium = setting.medium(medium);
    let mut injection = bench.judge(what, medium, attempt, bad, After::Unwritable, before);
    if let Verdict::Refused(code) = &injection.verdict
        && code != "P-W-005"
    {
        injection.verdict = Verdict::LeftWrong(format!("a hung drive is called {code}"));
    }
    bench.again(injection, medium, bad)
}

fn by_call(medium: usize, before: Option<usize>, kind: &'static str, step: u64) -> Lane {
    Box::new(move |bench, n| {
        let setting = Arc::clone(&bench.setting);
        let held = setting.medium(medium);
        let at = (n - 1) * step + 1;
        let calls = match kind {
            "hang-write" => held.calls.writes.len(),
            "hang-read" => held.calls.reads.len(),
            _ => held.calls.flushes.len(),
        };
        if at > calls as u64 {
            return Step::End;
        }
        let before = before.unwrap_or(n as usize % 2);
        let bad = bench.bad();
        bench.prepare(&bad, held, before);
        let mut command = bench.command(held, &bad);
        command.args(["--stall-limit", STALL_SECONDS]);
        let mark = shim::between(bench, &mut command, kind, at, 0);
        let attempt = bench.run(command, &bad, |_, _| {});
        if std::fs::remove_file(mark).is_err() {
            assert_eq!(attempt.bad, Said::Ready, "{kind} {at} did not strike: {}", attempt.ended.told());
            return Step::Missed;
        }
        let what = format!("{} over {before}, {kind} at {at}", held.name);
        Step::Injected(judge(bench, what, medium, &attempt, &bad, before))
    })
}

/// A request the device never answers. A thread that waits for one can't be ended by anybody, so the program is only
/// asked to have said everything; then the device answers, and it must end.
fn by_device(medium: usize, times: u64) -> Lane {
    Box::new(move |bench, n| {
        if n > times {
            return Step::End;
        }
        let setting = Arc::clone(&bench.setting);
        let hung = setting.medium(medium);
        let (before, kind) = (n as usize % 2, n % 3);
        let nth = if kind == 2 { 1 + n / 3 % 3 } else { bench.random.within(1..24) };
        bench.device().prepare(hung, before);
        bench.device().lie(Lie { nth, argument: kind, ..Lie::new(Model::Hang) });
        let bad = bench.device().path();
        let mut command = bench.command(hung, &bad);
        command.args(["--stall-limit", STALL_SECONDS]);
        let running = Running::start(&mut command);
        let device = bench.device();
        let mut struck = false;
        let ended = running.finish(LIMIT, |running, _| {
            struck |= device.struck() > 0;
            if struck && running.stdout().contains("\"event\":\"done\"") {
                device.lie(Lie::HONEST);
            }
        });
        bench.device().lie(Lie::HONEST);
        let attempt = bench.attempt(&bad, ended);
        if !struck {
            assert_eq!(attempt.bad, Said::Ready, "{}", attempt.ended.stderr);
            return Step::Missed;
        }
        let what = format!("{} over {before}, request {nth} of kind {kind} is never answered", hung.name);
        Step::Injected(judge(bench, what, medium, &attempt, &bad, before))
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
    let device = match device::missing() {
        Some(why) => Kind::skipped("device hangs", &why),
        None => Kind::new("device hangs", vec![by_device(0, if full { 60 } else { 4 })], waits),
    };
    vec![Kind::new("call hangs", calls, waits), device]
}
