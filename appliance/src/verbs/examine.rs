// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The child that looks at a drive somebody inserted: standard input is the drive, standard output the answer.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use platen_device::{WindowReader, sandbox};
use platen_station::{Exit, Failure};

use crate::args::DepthArg;

/// What is on it.
pub fn drive(size_bytes: u64, depth: DepthArg) -> Result<ExitCode, Failure> {
    let reader = confined(size_bytes).map_err(machine)?;
    platen_examine::run(reader, size_bytes, depth.into(), &mut io::stdout().lock()).map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}

/// Which parts of it are in use.
pub fn in_use(size_bytes: u64, sector_bytes: u32) -> Result<ExitCode, Failure> {
    let reader = confined(size_bytes).map_err(machine)?;
    platen_examine::run_allocation(reader, size_bytes, sector_bytes, &mut io::stdout().lock()).map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}

/// Where media for a cache lie on it.
pub fn layout(size_bytes: u64, sector_bytes: u32) -> Result<ExitCode, Failure> {
    let reader = confined(size_bytes).map_err(machine)?;
    platen_examine::run_layout(reader, size_bytes, sector_bytes, &mut io::stdout().lock()).map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}

fn machine(error: io::Error) -> Failure {
    Failure::new(Exit::Machine, error)
}

/// Reads the drive; from here on this process has no other right.
fn confined(size_bytes: u64) -> io::Result<WindowReader> {
    let drive = io::stdin().as_fd().try_clone_to_owned()?;
    // Before this thread gives up its rights, because afterwards it can't start another.
    let reader = WindowReader::new(drive.into(), size_bytes, sandbox::confine)?;
    sandbox::confine()?;
    Ok(reader)
}
