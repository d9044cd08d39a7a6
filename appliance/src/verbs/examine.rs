// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The child that looks at a drive somebody inserted: standard input is the drive, standard output the answer.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use platen_device::{WindowReader, sandbox};
use platen_station::{Exit, Failure};

use crate::args::DepthArg;

pub fn child(size_bytes: u64, depth: DepthArg) -> Result<ExitCode, Failure> {
    let machine = |error: io::Error| Failure::new(Exit::Machine, error);
    let drive = io::stdin().as_fd().try_clone_to_owned().map_err(machine)?;
    // Before this thread gives up its rights, because afterwards it can't start another.
    let reader = WindowReader::new(drive.into(), size_bytes, sandbox::confine).map_err(machine)?;
    sandbox::confine().map_err(machine)?;
    platen_examine::run(reader, size_bytes, depth.into(), &mut io::stdout().lock()).map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}
