// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Other people's programs, and what they say in numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platen_testkit::files::noise;
use platen_testkit::station::{Ran, tool};
use tempfile::TempDir;

/// A folder of its own for images and files.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("platen-used-").tempdir_in("/var/tmp").unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file of zeros.
pub(crate) fn blank(path: &Path, size_bytes: u64) {
    std::fs::File::create(path).unwrap().set_len(size_bytes).unwrap();
}

/// Run a shell line in a folder; it must succeed.
#[track_caller]
pub(crate) fn shell(folder: &Path, line: &str) -> Ran {
    let line = format!(
        "cd '{}' && export PATH=$PATH:/usr/sbin:/sbin MTOOLS_SKIP_CHECK=1 LC_ALL=C.UTF-8 && {line}",
        text(folder)
    );
    tool("bash", &["-c", &line])
}

/// The first number behind these words in what a program said.
#[track_caller]
pub(crate) fn number_after(said: &str, words: &str) -> u64 {
    let (_, rest) = said.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in {said}"));
    let rest = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Names and contents.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Files that fill some of a volume: first small ones with others between that go away, then larger ones, which find no
/// place in one piece.
pub(crate) struct Sources {
    pub(crate) kept: Files,
    pub(crate) removed: Files,
    pub(crate) late: Files,
}

impl Sources {
    /// All of them take about so many bytes; the smallest take one.
    pub(crate) fn new(seed: u64, total_bytes: usize) -> Self {
        let file =
            |kind: char, index: u64, size: usize| (format!("{kind}{index:02}.bin"), noise(seed * 1000 + index, size));
        let small = (total_bytes / 80).max(1);
        Self {
            kept: (0..20).map(|n| file('K', n, small * n as usize / 10 + 1)).collect(),
            removed: (20..40).map(|n| file('R', n, small * (n as usize % 7) / 4 + 1)).collect(),
            late: (40..44).map(|n| file('L', n, small * 6 + n as usize)).collect(),
        }
    }

    /// Writes each into a folder of its own kind, and says where.
    pub(crate) fn write(&self, folder: &Path) -> [PathBuf; 3] {
        [("kept", &self.kept), ("removed", &self.removed), ("late", &self.late)].map(|(name, files)| {
            let folder = folder.join(name);
            std::fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
            folder
        })
    }

    /// What is there in the end.
    pub(crate) fn there(&self) -> Files {
        self.kept.iter().chain(&self.late).map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
    }

    /// First one that stays, then one that goes, and so on.
    pub(crate) fn in_turn(&self) -> Vec<String> {
        let pairs = self.kept.keys().zip(self.removed.keys());
        pairs.flat_map(|(kept, removed)| [format!("kept/{kept}"), format!("removed/{removed}")]).collect()
    }
}

/// Every file right below a folder.
pub(crate) fn read_files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (text(Path::new(path.file_name().unwrap())).to_owned(), std::fs::read(&path).unwrap())).collect()
}

/// What is different between the files there should be and those that are there.
pub(crate) fn difference(expected: &Files, found: &Files) -> Result<(), String> {
    for (name, bytes) in expected {
        match found.get(name) {
            None => return Err(format!("{name} is missing")),
            Some(other) if other != bytes => return Err(format!("{name} is not as it was")),
            Some(_) => {}
        }
    }
    Ok(())
}

/// A judge that must find nothing.
pub(crate) fn finds_nothing(ran: &Ran) -> Result<(), String> {
    if ran.status == 0 { Ok(()) } else { Err(format!("{ran:?}")) }
}
