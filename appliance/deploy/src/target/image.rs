// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Images are applied by `wimlib-imagex`: to a mounted folder, or to an NTFS volume itself, whose streams, access lists and
//! short names only its own library can write.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::places::Places;
use super::programs::{end_of, failed, program};
use super::view;
use crate::engine::checked::CheckedImage;
use crate::engine::machine::{FileSystem, MachineError, Progress};

const PROGRAM: &str = "wimlib-imagex";
/// As much of its last words is kept.
const WORDS_BYTES: usize = 16 << 10;

/// What stays on a volume whatever is applied: the sequence's own folder, and what the file system itself has there.
const OWN: [&str; 2] = ["_smstasksequence", "lost+found"];

/// Applies an image. `destination` is a folder, or the device of an NTFS volume.
pub fn apply(
    places: &Places,
    image: &CheckedImage,
    index: u32,
    destination: &Path,
    file_system: FileSystem,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), MachineError> {
    view::offer(places, image, |files| apply_files(places, files, index, destination, file_system, progress))?
}

fn apply_files(
    places: &Places,
    files: &[PathBuf],
    index: u32,
    destination: &Path,
    file_system: FileSystem,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), MachineError> {
    let mut command = program(places, PROGRAM)?;
    let (first, more) = files.split_first().ok_or_else(|| failed(PROGRAM, "there is no image".to_owned()))?;
    command.arg("apply").arg(first).arg(index.to_string()).arg(destination);
    for part in more {
        command.arg(reference(part));
    }
    if file_system == FileSystem::Ext4 {
        // Owners, modes, devices, where the image has them.
        command.arg("--unix-data");
    }
    let not_started = |error: io::Error| failed(PROGRAM, format!("can't be started: {error}"));
    let (mut reader, writer) = io::pipe().map_err(not_started)?;
    command.stdout(writer.try_clone().map_err(not_started)?).stderr(writer).stdin(Stdio::null());
    let mut child = command.spawn().map_err(not_started)?;
    drop(command);
    let mut words = Vec::new();
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        for byte in &piece[..count] {
            match byte {
                b'\r' | b'\n' => {
                    if let Some(found) = read_progress(&String::from_utf8_lossy(&line)) {
                        progress(found);
                    } else {
                        words.extend(line.iter().chain(b"\n"));
                    }
                    line.clear();
                }
                // No line of it is longer.
                byte if line.len() < WORDS_BYTES => line.push(*byte),
                _ => {}
            }
        }
        let over = words.len().saturating_sub(WORDS_BYTES);
        words.drain(..over);
    }
    words.extend(&line);
    let status = child.wait().map_err(|error| failed(PROGRAM, format!("can't be waited for: {error}")))?;
    if status.success() { Ok(()) } else { Err(failed(PROGRAM, format!("{status}: {}", end_of(&words)))) }
}

/// What the files of an image take on a volume, without what their file system needs for itself. None: the image does not say.
pub(super) fn needed_bytes(places: &Places, image: &CheckedImage, index: u32) -> Result<Option<u64>, MachineError> {
    view::offer(places, image, |files| {
        let first = files.first().ok_or_else(|| failed(PROGRAM, "there is no image".to_owned()))?;
        let output = program(places, PROGRAM)?.arg("info").arg(first).arg(index.to_string()).output();
        let output = output.map_err(|error| failed(PROGRAM, format!("can't be started: {error}")))?;
        match output.status.success() {
            true => Ok(read_needed(&String::from_utf8_lossy(&output.stdout))),
            false => Err(failed(PROGRAM, format!("{}: {}", output.status, end_of(&output.stderr)))),
        }
    })?
}

/// `Total Bytes: 6000000` counts a file once for each of its names, `Hard Link Bytes: 3000000` what that is too much.
pub(super) fn read_needed(said: &str) -> Option<u64> {
    let number = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    Some(number("Total Bytes:")?.saturating_sub(number("Hard Link Bytes:").unwrap_or(0)))
}

/// The option takes a pattern; a part is a name.
fn reference(part: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut option = b"--ref=".to_vec();
    for byte in part.as_os_str().as_bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            option.push(b'\\');
        }
        option.push(*byte);
    }
    OsString::from_vec(option)
}

/// `Extracting file data: 12 MiB of 340 MiB (3%) done`. Anything else is no progress.
pub(super) fn read_progress(line: &str) -> Option<Progress> {
    let (done, rest) = line.trim().strip_prefix("Extracting file data: ")?.split_once(" of ")?;
    let (total, percent) = rest.split_once(" (")?;
    percent.strip_suffix("%) done")?.parse::<u8>().ok()?;
    let (done_bytes, total_bytes) = (size(done)?, size(total)?);
    (done_bytes <= total_bytes).then_some(Progress { done_bytes, total_bytes })
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ')?;
    let shift = ["bytes", "KiB", "MiB", "GiB", "TiB"].iter().position(|known| *known == unit)? * 10;
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Empties a volume before a system is applied to it, as Configuration Manager does: all but the sequence's own folder and the
/// protected paths. Links are removed and not followed.
pub(super) fn clear(root: &Path, protected: &[String]) -> Result<(), MachineError> {
    let parts = |path: &str| {
        let parts = path.split(['/', '\\']).filter(|part| !part.is_empty() && !part.ends_with(':'));
        parts.map(str::to_lowercase).collect::<Vec<_>>()
    };
    let mut kept: Vec<Vec<String>> = protected.iter().map(|path| parts(path)).filter(|path| !path.is_empty()).collect();
    kept.extend(OWN.map(|name| vec![name.to_owned()]));
    clear_folder(root, &kept.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn clear_folder(folder: &Path, kept: &[&[String]]) -> Result<(), MachineError> {
    let failed = |doing, path: &Path, source| MachineError::Io { doing, path: path.to_owned(), source };
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(|source| failed("reading", folder, source))? {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().to_lowercase());
        let is_folder = entry.file_type().map_err(|source| failed("reading", &path, source))?.is_dir();
        let below: Vec<&[String]> = kept
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| **first == name)
            .map(|(_, rest)| rest)
            .collect();
        match (is_folder, below.iter().any(|rest| rest.is_empty())) {
            (_, true) => {}
            (true, _) if !below.is_empty() => clear_folder(&path, &below)?,
            (true, _) => std::fs::remove_dir_all(&path).map_err(|source| failed("removing", &path, source))?,
            (false, _) => std::fs::remove_file(&path).map_err(|source| failed("removing", &path, source))?,
        }
    }
    Ok(())
}
