// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The system that was installed is a Linux: a unit or a line in its inittab starts this program at each start.

use std::path::Path;

use platen_deploy::engine::linux;
use platen_deploy::target::{Places, RealMachine};
use platen_sequence::run::{Computer, KeptVariable};

use super::Start;

pub(super) fn prepare(_: &Path) -> Start {
    Start::Here
}

pub(super) fn machine() -> RealMachine {
    RealMachine::look(Places::default(), None)
}

/// The kernel says all of them.
pub(super) fn with_kept_facts(computer: Computer, _: &[KeptVariable]) -> Computer {
    computer
}

/// The system's own way, so that what else runs ends in order.
pub(super) fn restart() -> Result<(), String> {
    rustix::fs::sync();
    let status = std::process::Command::new("/bin/sh").args(["-c", "reboot"]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("reboot: {status}")),
        Err(error) => Err(format!("reboot: {error}")),
    }
}

pub(super) fn leave(_: &Path) -> Result<(), String> {
    linux::remove_first_start(Path::new("/"))
}
