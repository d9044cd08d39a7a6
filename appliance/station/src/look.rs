// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking at what is on a drive that somebody inserted: by this program started anew, without any rights.

use std::fs::File;
use std::io;

use platen_device::sandbox::{self, SandboxError};
use platen_engine::{DriveFacts, Watch, chain};
use platen_media::allocation::Allocation;
use platen_media::examination::{Depth, Examination};
use platen_media::placement::Placement;
use serde::de::DeserializeOwned;

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
    ask(&["examine-drive", &size_bytes.to_string(), "--depth", depth.word()], handle, watch)
}

/// Which parts of a drive are in use, or why that can't be said. The answer is about this drive; whether it is true is
/// the drive's word.
pub(crate) fn look_for_use(
    handle: File,
    facts: &DriveFacts,
    watch: &dyn Watch,
) -> Result<Result<Allocation, String>, Failure> {
    let numbers = [facts.size_bytes.to_string(), facts.sector_bytes.to_string()];
    let asked: Result<Result<Allocation, String>, SandboxError> =
        ask(&["examine-use", &numbers[0], &numbers[1]], handle, watch)?;
    Ok(match asked {
        Ok(Ok(used)) if !used.is_sound(facts.size_bytes) => Err("extents that this drive can't have".to_owned()),
        Ok(answer) => answer,
        Err(died) => Err(chain(&died)),
    })
}

/// Where media for the cache lie on a drive, or why there are none. The answer is about this drive; what is read by it is
/// checked by digests and signatures.
pub(crate) fn look_for_layout(
    handle: File,
    facts: &DriveFacts,
    watch: &dyn Watch,
) -> Result<Result<Placement, String>, Failure> {
    let numbers = [facts.size_bytes.to_string(), facts.sector_bytes.to_string()];
    let asked: Result<Result<Placement, String>, SandboxError> =
        ask(&["examine-layout", &numbers[0], &numbers[1]], handle, watch)?;
    Ok(match asked {
        Ok(Ok(found)) if !found.is_sound(facts.size_bytes, facts.sector_bytes.into()) => {
            Err("files where this drive can't have them".to_owned())
        }
        Ok(answer) => answer,
        Err(died) => Err(chain(&died)),
    })
}

fn ask<T: DeserializeOwned>(
    arguments: &[&str],
    handle: File,
    watch: &dyn Watch,
) -> Result<Result<T, SandboxError>, Failure> {
    let machine = |error: io::Error| Failure::new(Exit::Machine, error);
    // The station has the tool beside it.
    let own = std::env::current_exe().map_err(machine)?;
    let program = match own.file_name().is_some_and(|name| name == "platend") {
        true => own.with_file_name("platen"),
        false => own,
    };
    match sandbox::examine(&program, arguments, handle, watch) {
        Ok(answer) => serde_json::from_slice(&answer).map(Ok).map_err(|error| Failure::new(Exit::Machine, error)),
        Err(error @ (SandboxError::Died { .. } | SandboxError::Ended)) => Ok(Err(error)),
        Err(error) => Err(Failure::new(Exit::Machine, error)),
    }
}
