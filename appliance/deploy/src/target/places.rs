// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where a machine's parts are found: its own, or a recorded one's below some folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The folders that everything here goes out from.
#[derive(Debug, Clone)]
pub struct Places {
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
    /// `/dev`.
    pub dev: PathBuf,
    /// Volumes are mounted below it.
    pub mounts: PathBuf,
    /// Programs are looked for in these, in order.
    pub programs: Vec<PathBuf>,
}

impl Default for Places {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Places {
    /// Those of a machine that is below a folder.
    pub fn below(root: &Path) -> Self {
        Self {
            sys: root.join("sys"),
            proc: root.join("proc"),
            dev: root.join("dev"),
            mounts: root.join("run/target"),
            // The first of the last two has Platen's own, the other busybox's commands: where there is another program of such
            // a name, it counts.
            programs: ["usr/sbin", "usr/bin", "sbin", "bin", "usr/lib/platen", "usr/lib/busybox"]
                .map(|folder| root.join(folder))
                .into(),
        }
    }
}

/// The kernel's short texts are never longer.
const MAX_TEXT_BYTES: u64 = 4096;

/// A line that the kernel or the firmware gives, without what surrounds it; empty where there is none.
pub(super) fn text(path: &Path) -> String {
    let bytes = bytes(path, MAX_TEXT_BYTES).unwrap_or_default();
    String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

/// A number that the kernel gives in decimal.
pub(super) fn number(path: &Path) -> Option<u64> {
    text(path).parse().ok()
}

/// At most so many of a file's bytes.
pub(super) fn bytes(path: &Path, limit_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The names in a folder, sorted; none where there is no folder.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
