// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Commands of the sequence. Each is a process group of its own, so that its limit ends everything it has started.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::places::Places;
use super::programs::{failed, program};
use crate::child;
use crate::engine::machine::{Ended, MachineError, Order, TIMED_OUT};

/// Runs a command to its end, or to its limit.
pub(super) fn run(places: &Places, order: &Order) -> Result<Ended, MachineError> {
    let mut command = program(places, "sh")?;
    command.arg("-c").arg(&order.line).envs(&order.variables).process_group(0);
    command.current_dir(order.folder.as_deref().unwrap_or("/".as_ref()));
    let finished = child::finish(command, order.limit, end_group)
        .map_err(|error| failed("sh", format!("the command can't be run: {error}")))?;
    let output = String::from_utf8_lossy(&finished.output).into_owned();
    Ok(Ended { code: finished.status.map_or(TIMED_OUT, exit_code), output })
}

fn end_group(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

/// As shells count: behind 128 the signal that ended it.
fn exit_code(status: ExitStatus) -> i64 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1).into()
}
