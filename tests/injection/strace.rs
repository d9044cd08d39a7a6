// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Faults in single system calls on one drive, by `strace -e inject`.
//!
//! `when=N` counts for each thread and each call by itself; a drive's calls all come from the one thread it has. `-P`
//! keeps the other drives, the ledger and the cache out of it. The calls must be traced: what is not is not injected.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::Station;
use crate::process;

/// The calls on a drive that are faulted.
pub const WRITE: &str = "pwrite64";
pub const READ: &str = "pread64";
pub const FLUSH: &str = "fdatasync";
pub const ZERO: &str = "fallocate";

/// How many bytes each call moves that a write without faults makes on one drive.
#[derive(Debug, Default, Clone)]
pub struct Calls {
    pub writes: Vec<u64>,
    pub reads: Vec<u64>,
    /// How many writes came before each flush.
    pub flushes: Vec<usize>,
}

/// `program` with these faults in the calls on these paths; what happened goes to `log`.
pub fn wrap(program: &Command, paths: &[impl AsRef<Path>], faults: &[String], log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "0", "-o"]).arg(log);
    for path in paths {
        command.arg("-P").arg(path.as_ref());
    }
    command.args(["-e", "trace=pwrite64,pread64,fallocate,fdatasync,fsync,ftruncate"]);
    for fault in faults {
        command.args(["-e", &format!("inject={fault}")]);
    }
    command.arg("--").arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// Whether the fault struck.
pub fn struck(log: &Path) -> bool {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    log.contains("(INJECTED)") || log.contains("(DELAYED)")
}

/// What a healthy write of one drive asks of the system, and that all of it comes from one thread.
pub fn calls(station: &Station, reference: &str, scheme: Option<&str>, drive: &str) -> Calls {
    let mut arguments = vec!["write", reference, drive];
    arguments.extend(scheme.iter().flat_map(|scheme| ["--scheme", scheme]));
    let log = station.path("calls.log");
    let mut command = wrap(&station.command(&arguments), &[drive], &[], &log);
    let ended = process::run(&mut command, Duration::from_secs(60));
    assert_eq!(ended.status, Some(0), "{}{}", ended.stdout, ended.stderr);
    let log = std::fs::read_to_string(log).expect("the log");
    let mut calls = Calls::default();
    let mut threads = std::collections::BTreeSet::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(arguments) = rest.strip_prefix("pwrite64(") {
            // pwrite64(3, ""..., 1048576, 4096) = ...
            let bytes = arguments.split(", ").nth(2).and_then(|text| text.parse().ok());
            calls.writes.push(bytes.expect("a length"));
        } else if rest.contains(READ) && !rest.contains("unfinished") {
            // What a read moves is known at its end, which may be on a line of its own.
            let bytes = rest.rsplit("= ").next().and_then(|text| text.trim().parse().ok());
            calls.reads.push(bytes.expect("a length"));
        } else if rest.starts_with("fdatasync(") {
            calls.flushes.push(calls.writes.len());
        } else {
            continue;
        }
        threads.insert(thread.to_owned());
    }
    assert_eq!(threads.len(), 1, "a drive's calls come from one thread:\n{log}");
    assert!(calls.writes.len() > 4 && calls.reads.len() > 4 && calls.flushes.len() > 1, "{calls:?}\n{log}");
    calls
}
