// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's own disks hang: those of the cache and of the ledger. Every job must end with the code for it, and no
//! drive may stay a medium that is not recorded.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::bench::{Bench, LIMIT, Said};
use crate::lanes::{Tried, lane};
use crate::ledger::{Rows, judge_both, ledger};
use crate::process;
use crate::shim;
use crate::table::{Injection, Kind, Lane, Seen, Verdict};

const STALL_SECONDS: &str = "5";

/// Which of the station's disks.
#[derive(Clone, Copy)]
struct Disk {
    /// The calls that hang.
    calls: &'static str,
    code: &'static str,
    /// The file they are made on, or the folder of such files.
    file: fn(&Bench, &std::path::Path) -> PathBuf,
}

const CACHE: Disk = Disk { calls: "hang-read", code: "P-C-003", file: |bench, _| bench.station.path("cache/blobs") };
const LEDGER: Disk = Disk { calls: "hang-flush", code: "P-L-003", file: |_, ledger| ledger.with_extension("db-wal") };

fn hanging(bench: &mut Bench, disk: Disk, command: &mut Command, ledger: &std::path::Path, n: u64) -> PathBuf {
    command.arg("--ledger").arg(ledger);
    let mark = shim::between(bench, command, disk.calls, n, 0);
    command.env("FAULT_PATH", (disk.file)(bench, ledger));
    mark
}

fn hangs(disk: Disk, medium: usize, times: u64) -> Lane {
    lane(medium, None, Some(times), move |bench, at| {
        let (bad, ledger) = (at.file(bench), ledger(bench, true));
        let mut command = bench.command(at.medium, &bad);
        command.args(["--stall-limit", STALL_SECONDS]);
        let mark = hanging(bench, disk, &mut command, &ledger, at.n);
        let attempt = bench.attempt(&bad, process::run(&mut command, LIMIT));
        if std::fs::remove_file(mark).is_err() {
            assert_eq!(attempt.bad, Said::Ready, "{} {} did not strike: {}", disk.calls, at.n, attempt.ended.told());
            return Tried::End;
        }
        let mut verdict = judge_both(bench, at.medium, &attempt, &ledger, at.before, Rows::MayBeAhead);
        if let Verdict::Refused(code) = &verdict
            && code != disk.code
            && code != "exit 4"
        {
            verdict = Verdict::LeftWrong(format!("a hanging disk of the station is called {code}"));
        }
        let what = at.named(&format!("{} at {}", disk.calls, at.n));
        Tried::Judged(bad, Injection { what, verdict, hurt: None })
    })
}

/// The same program without a limit waits for ever, and is seen to.
fn waits(disk: Disk) -> impl FnOnce(&mut Bench) -> Seen + Send + 'static {
    move |bench| {
        let setting = Arc::clone(&bench.setting);
        let (medium, bad, ledger) = (setting.medium(0), bench.bad(), ledger(bench, true));
        bench.prepare(&bad, medium, 1);
        let mut command = bench.command(medium, &bad);
        command.args(["--stall-limit", "3600"]);
        hanging(bench, disk, &mut command, &ledger, 1);
        let ended = process::run(&mut command, Duration::from_secs(4));
        Seen { tried: 1, wrong: u64::from(ended.stuck) }
    }
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let kind = |name: &'static str, disk: Disk, times: u64| {
        let media = if full { 0..crate::bench::SWEPT } else { 0..1 };
        Kind::new(name, media.map(|medium| hangs(disk, medium, times)).collect(), waits(disk))
    };
    let times = if full { 40 } else { 3 };
    vec![kind("cache hangs", CACHE, times), kind("ledger hangs", LEDGER, times)]
}
