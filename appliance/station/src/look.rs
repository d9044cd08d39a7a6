// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking at what is on a drive that somebody inserted: by this program started anew, without any rights.

use std::fs::File;
use std::io;

use platen_device::sandbox::{self, SandboxError};
use platen_engine::Watch;
use platen_media::examination::{Depth, Examination};

use crate::exit::Exit;
use crate::failure::Failure;

/// What is on a drive of `size_bytes`. The inner error is the drive's doing: whoever looked at it died of it, or was no
/// longer waited for.
pub(crate) fn look(
    handle: File,
    size_bytes: u64,
    depth: Depth,
    watch: &dyn Watch,
) -> Result<Result<Examination, SandboxError>, Failure> {
    let machine = |error: io::Error| Failure::new(Exit::Machine, error);
    // The station has the tool beside it.
    let own = std::env::current_exe().map_err(machine)?;
    let program = match own.file_name().is_some_and(|name| name == "platend") {
        true => own.with_file_name("platen"),
        false => own,
    };
    let arguments = ["examine-drive", &size_bytes.to_string(), "--depth", depth.word()];
    match sandbox::examine(&program, &arguments, handle, watch) {
        Ok(answer) => serde_json::from_slice(&answer).map(Ok).map_err(|error| Failure::new(Exit::Machine, error)),
        Err(error @ (SandboxError::Died { .. } | SandboxError::Ended)) => Ok(Err(error)),
        Err(error) => Err(Failure::new(Exit::Machine, error)),
    }
}

/// TEMPORARY
pub(crate) fn used_parts(
    _handle: File,
    _size_bytes: u64,
    _sector_bytes: u32,
    _watch: &dyn Watch,
) -> Result<Result<platen_media::allocation::Allocation, SandboxError>, Failure> {
    Err(Failure::new(Exit::Machine, "not yet"))
}
