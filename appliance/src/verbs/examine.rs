// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking at what is on a drive that somebody inserted: by this program started anew, without any rights.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::ValueEnum;
use platen_device::sandbox::{self, SandboxError};
use platen_device::{OpenedDrive, WindowReader};
use platen_engine::ReadDrive;
use platen_examine::{self as examine, Depth};
use platen_media::examination::Examination;

use crate::args::DepthArg;
use crate::attend::Signs;
use crate::exit::{Exit, Failure};

/// What is on a drive. The inner error is the drive's doing: whoever looked at it died of it, or was no longer waited for.
pub fn look(drive: &OpenedDrive, depth: DepthArg, signs: &Signs) -> Result<Result<Examination, SandboxError>, Failure> {
    let machine = |error: io::Error| Failure::new(Exit::Machine, error);
    let program = std::env::current_exe().map_err(machine)?;
    let size = drive.facts().size_bytes.to_string();
    let depth = depth.to_possible_value().expect("no depth is hidden");
    let arguments = ["examine-drive", &size, "--depth", depth.get_name()];
    let handle = drive.read_only_handle().map_err(machine)?;
    match sandbox::examine(&program, &arguments, handle, &|alive| signs.wait_on(alive)) {
        Ok(answer) => serde_json::from_slice(&answer).map(Ok).map_err(|error| Failure::new(Exit::Machine, error)),
        Err(error @ (SandboxError::Died { .. } | SandboxError::Ended)) => Ok(Err(error)),
        Err(error) => Err(Failure::new(Exit::Machine, error)),
    }
}

/// The child of [`look`]: standard input is the drive, standard output the answer.
pub fn child(size_bytes: u64, depth: DepthArg) -> Result<ExitCode, Failure> {
    let machine = |error: io::Error| Failure::new(Exit::Machine, error);
    let drive = io::stdin().as_fd().try_clone_to_owned().map_err(machine)?;
    // Before this thread gives up its rights, because afterwards it can't start another.
    let reader = WindowReader::new(drive.into(), size_bytes, sandbox::confine).map_err(machine)?;
    sandbox::confine().map_err(machine)?;
    let depth = match depth {
        DepthArg::Names => Depth::Names,
        DepthArg::Places => Depth::Places,
        DepthArg::Content => Depth::Content,
    };
    examine::run(reader, size_bytes, depth, &mut io::stdout().lock()).map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}
