//! A ledger that can't be written: no drive may stay a medium that is not recorded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platen_events::Answer;

use crate::bench::{After, Bench, LIMIT, Said};
use crate::errors::lanes;
use crate::judge::Medium;
use crate::process;
use crate::record::Recorded;
use crate::strace::{self, WRITE};
use crate::table::{Injection, Kind, Lane, Seen, Step, Verdict};

/// A ledger nobody else writes to: one still to be made, or one with rows. Making one takes many writes, all of them
/// before the first drive is touched; in one with rows the fault falls on what is said of the drives.
pub fn ledger(bench: &mut Bench, with_rows: bool) -> PathBuf {
    let name = format!("ledger-{}.db", bench.serial());
    let path = bench.station.path(&name);
    if with_rows {
        std::fs::copy(bench.setting.station.path("ledger.db"), &path).expect("copies");
    }
    path
}

/// Whether the ledger says that this drive left as a medium.
fn recorded(bench: &Bench, ledger: &Path, drive: &Path) -> bool {
    let ledger = ledger.to_str().expect("UTF-8");
    let ended = process::run(&mut bench.station.command(&["ledger", "list", "--json", "--ledger", ledger]), LIMIT);
    let recorded = Recorded::read_until_killed(&ended.stdout);
    let answers = recorded.answers();
    let rows = answers.iter().filter_map(|answer| if let Answer::LedgerRow(row) = answer { Some(row) } else { None });
    let of_drive = rows.rev().find(|row| Path::new(&row.path) == drive);
    of_drive.is_some_and(|row| row.verdict == "READY")
}

/// What the ledger may say of a drive that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Exact,
    /// A row may be there of which nobody was told: its disk hung when all of it was handed over, and stayed so.
    MayBeAhead,
}

/// The ledger is shared: its fault may be felt by either drive, and the same is asked of both.
pub fn judge_both(
    bench: &mut Bench,
    medium: &Medium,
    attempt: &crate::bench::Attempt,
    ledger: &Path,
    before: usize,
    rows: Rows,
) -> Verdict {
    let (bad, good) = (bench.bad(), bench.good());
    let mut verdict = Verdict::Harmless;
    for (drive, said, before) in [(&bad, &attempt.bad, before), (&good, &attempt.good, 1)] {
        let mut one = judge(bench, medium, said, drive, attempt, before);
        let in_ledger = recorded(bench, ledger, drive);
        if matches!(one, Verdict::Harmless) && !in_ledger {
            one = Verdict::FalsePass(format!("{}: called ready and not recorded", drive.display()));
        } else if matches!(one, Verdict::Refused(_)) && in_ledger && rows == Rows::Exact {
            one = Verdict::LeftWrong(format!("{}: {said:?}, and recorded as READY", drive.display()));
        }
        if matches!(verdict, Verdict::Harmless | Verdict::Refused(_)) && !matches!(one, Verdict::Harmless) {
            verdict = one;
        }
    }
    verdict
}

fn judge(
    bench: &mut Bench,
    medium: &Medium,
    said: &Said,
    drive: &Path,
    attempt: &crate::bench::Attempt,
    before: usize,
) -> Verdict {
    let untouched = medium.untouched(bench.read(drive, medium), &medium.before[before]);
    if *said == Said::Nothing && !attempt.ended.stuck && untouched {
        // The ledger is opened before the first byte is erased.
        return Verdict::Refused(format!("exit {}", attempt.ended.status.unwrap_or(-1)));
    }
    bench.judge_bad(medium, said, &attempt.ended, drive, After::Writable, before)
}

fn lane(
    medium: usize,
    before: Option<usize>,
    call: &'static str,
    error: &'static str,
    from: &'static str,
    with_rows: bool,
) -> Lane {
    Box::new(move |bench, n| {
        let setting = Arc::clone(&bench.setting);
        let medium = setting.medium(medium);
        let before = before.unwrap_or(n as usize % 2);
        let (bad, ledger) = (bench.bad(), ledger(bench, with_rows));
        bench.prepare(&bad, medium, before);
        let mut command = bench.command(medium, &bad);
        command.arg("--ledger").arg(&ledger);
        let wal = ledger.with_extension("db-wal");
        let fault = format!("{call}:error={error}:when={n}{from}");
        let log = bench.log();
        let mut command = strace::wrap(&command, &[&ledger, &wal], std::slice::from_ref(&fault), &log);
        let attempt = bench.attempt(&bad, process::run(&mut command, LIMIT));
        if !strace::struck(&log) {
            assert_eq!(attempt.bad, Said::Ready, "{fault}: {}", attempt.ended.stderr);
            return Step::End;
        }
        let what = format!("{} over {before}, the ledger's {fault}", medium.name);
        let verdict = judge_both(bench, medium, &attempt, &ledger, before, Rows::Exact);
        let injection = Injection { what, verdict, hurt: None };
        Step::Injected(bench.again(injection, medium, &bad))
    })
}

/// A drive recorded elsewhere is a medium this ledger knows nothing of.
fn elsewhere(bench: &mut Bench) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, bad) = (setting.medium(0), bench.bad());
    bench.prepare(&bad, medium, 1);
    let (ours, other) = (ledger(bench, true), ledger(bench, false));
    let mut command = bench.command(medium, &bad);
    command.arg("--ledger").arg(&other);
    let ended = process::run(&mut command, LIMIT);
    let attempt = bench.attempt(&bad, ended);
    assert!(attempt.bad == Said::Ready && recorded(bench, &other, &bad), "{}", attempt.ended.stderr);
    Seen { tried: 1, wrong: u64::from(bench.verifies(medium, &bad) && !recorded(bench, &ours, &bad)) }
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let mut all = Vec::new();
    for (call, with_rows) in [WRITE, "fsync", "ftruncate"].into_iter().flat_map(|call| [(call, true), (call, false)]) {
        for (error, from) in [("ENOSPC", ""), ("EIO", "+")] {
            // What the medium is makes no difference to the ledger; on a full run it is tried all the same.
            let mut some = lanes(full, move |medium, before| lane(medium, before, call, error, from, with_rows));
            some.truncate(if full { usize::MAX } else { 1 });
            all.extend(some);
        }
    }
    vec![Kind::new("ledger fails", all, elsewhere)]
}
