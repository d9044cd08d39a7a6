// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs of others that the boot image brings: how they are found, started and judged.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::places::Places;
use crate::engine::machine::MachineError;

/// As much of what a program says goes into an error.
const END_CHARS: usize = 600;

/// A program, found in the places' folders. It gets a plain environment and nothing to read.
pub(super) fn program(places: &Places, name: &str) -> Result<Command, MachineError> {
    let mut command = Command::new(path(places, name)?);
    let path = std::env::join_paths(&places.programs).unwrap_or_default();
    command.env_clear().env("PATH", path).env("LC_ALL", "C").stdin(Stdio::null());
    Ok(command)
}

/// Where a program is.
pub(super) fn path(places: &Places, name: &str) -> Result<PathBuf, MachineError> {
    let found = places.programs.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let folders: Vec<_> = places.programs.iter().map(|folder| folder.display().to_string()).collect();
        failed(
            name,
            format!(
                "not in the boot image (looked for in {}); build it anew from a newer boot kit",
                folders.join(", ")
            ),
        )
    })
}

/// Runs a program to its end; anything but success is an error with the end of its words.
pub(super) fn run<S: AsRef<OsStr>>(
    places: &Places,
    name: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<(), MachineError> {
    let output = program(places, name)?.args(arguments).output();
    let output = output.map_err(|error| failed(name, format!("can't be started: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(failed(name, format!("{}: {}", output.status, end_of(&said))))
}

/// The end of what was said, on one line.
pub(super) fn end_of(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    let line: Vec<char> = lines.join("; ").chars().filter(|c| !c.is_control()).collect();
    line[line.len().saturating_sub(END_CHARS)..].iter().collect()
}

pub(super) fn failed(name: &str, reason: String) -> MachineError {
    MachineError::Program { program: name.to_owned(), reason }
}
