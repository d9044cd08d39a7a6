// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Calls that happen in part, and drives that are gone from one call on: a library between the program and its drive.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::bench::{After, Bench, LIMIT, Said};
use crate::errors;
use crate::lanes::{Blow, Tried, lane};
use crate::process;
use crate::table::{Kind, Lane, Seen};

const ENODEV: i32 = nix::libc::ENODEV;
const ENXIO: i32 = nix::libc::ENXIO;

/// `source` made into a shared library.
pub fn compile(source: &str, library: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/injection").join(source);
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O2", "-Wall", "-o"]).arg(library).arg(&source);
    let ended = process::run(&mut gcc, Duration::from_secs(60));
    assert_eq!(ended.status, Some(0), "{}: {}", source.display(), ended.stderr);
    library.to_owned()
}

/// `command` with the library in between. What is returned is made when the fault strikes.
pub fn between(bench: &mut Bench, command: &mut Command, kind: &str, n: u64, errno: i32) -> PathBuf {
    let name = format!("mark-{}", bench.serial());
    let mark = bench.station.path(&name);
    command
        .env("LD_PRELOAD", &bench.setting.shim)
        .env("FAULT_PATH", bench.bad())
        .env("FAULT_MARK", &mark)
        .env("FAULT_KIND", kind)
        .env("FAULT_N", n.to_string())
        .env("FAULT_ERRNO", errno.to_string());
    mark
}

fn strikes(index: usize, before: Option<usize>, kind: &'static str, errno: i32, after: After) -> Lane {
    lane(index, before, None, move |bench, at| {
        let n = if kind == "short-all" { at.n } else { errors::place(at.n, index, before) };
        // Shortening needs two sectors, so some places don't strike; all of them are behind the last call.
        let calls = &at.medium.calls;
        let last = match kind {
            "short-all" => 1,
            "short-write" | "torn" => calls.writes.len(),
            "short-read" => calls.reads.len(),
            _ => calls.writes.len() + calls.reads.len() + calls.flushes.len(),
        };
        if n > last as u64 {
            return Tried::End;
        }
        let bad = at.file(bench);
        let mut command = bench.command(at.medium, &bad);
        let mark = between(bench, &mut command, kind, n, errno);
        let attempt = bench.run(command, &bad, |_, _| {});
        if std::fs::remove_file(mark).is_err() {
            assert_eq!(attempt.bad, Said::Ready, "{kind} {n} did not strike: {}", attempt.ended.stderr);
            return Tried::Missed;
        }
        let what = format!("{kind} at {n}, error {errno}");
        Tried::Struck(Blow { what, attempt, bad, after, code: None })
    })
}

fn blind_write(bench: &mut Bench, kind: &str, errno: i32) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, bad) = (setting.medium(0), bench.bad());
    let mut seen = Seen { tried: 0, wrong: 0 };
    for n in [1, 2, 4] {
        bench.prepare(&bad, medium, 1);
        let mut blind = bench.blind("blind-write", medium, &bad);
        let mark = between(bench, &mut blind, kind, n, errno);
        let passed = process::run(&mut blind, LIMIT).status == Some(0) && std::fs::remove_file(mark).is_ok();
        seen.tried += 1;
        seen.wrong += u64::from(passed && bench.sees_wrong(medium, &bad));
    }
    seen
}

fn blind_check(bench: &mut Bench, kind: &'static str) -> Seen {
    errors::blind_check(bench, |bench, mut command, bad, n| {
        command.env("LD_PRELOAD", &bench.setting.shim).env("FAULT_PATH", bad);
        command.env("FAULT_KIND", kind).env("FAULT_N", n.to_string());
        process::run(&mut command, LIMIT).status
    })
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let lanes = |kind: &'static str, errno: i32, after: After| {
        errors::lanes(full, move |medium, before| strikes(medium, before, kind, errno, after))
    };
    let mut short = lanes("short-write", 0, After::Writable);
    short.extend(lanes("short-all", 0, After::Writable));
    let mut gone = lanes("gone", ENODEV, After::Unwritable);
    let mut torn = lanes("torn", nix::libc::EIO, After::Writable);
    if full {
        gone.extend(lanes("gone", ENXIO, After::Unwritable));
        torn.extend(lanes("torn", nix::libc::ENOSPC, After::Writable));
    }
    vec![
        Kind::new("write moves half", short, |bench| blind_write(bench, "short-write", 0)),
        Kind::new("read moves half", lanes("short-read", 0, After::Writable), |bench| blind_check(bench, "short-read")),
        Kind::new("write torn", torn, |bench| blind_write(bench, "torn", nix::libc::EIO)),
        Kind::new("pulled at a call", gone, |bench| blind_write(bench, "gone", ENODEV)),
    ]
}
