// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Sources must stand still: what was looked at first is what must have been read, and what is signed.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platen_media::Timestamp;

use crate::AuthorError;

/// Longer than a tick of the clock that file systems take times from: whatever is written after a wait of this length
/// gets a time that differs from all before.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// What of a file changes when somebody writes to it or puts another in its place. The time of change can't be set
/// back, unlike that of modification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size_bytes: u64,
    /// Seconds since 1970, nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
    /// Device and inode.
    file: (u64, u64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            file: (metadata.dev(), metadata.ino()),
        }
    }

    /// Refuses a file at `path` that is no longer what it was.
    pub(crate) fn compare(&self, path: &Path, now: &Metadata) -> Result<(), AuthorError> {
        let now = Self::of(now);
        let changed =
            |expected: String, found: String| Err(AuthorError::Changed { path: path.to_owned(), expected, found });
        let time = |(seconds, nanoseconds): (i64, i64)| {
            format!("last written to at {} and {nanoseconds} ns", Timestamp::from_unix_s(seconds))
        };
        if now.size_bytes != self.size_bytes {
            changed(format!("{} bytes as at the start", self.size_bytes), format!("{} bytes", now.size_bytes))
        } else if now.file != self.file {
            changed("the file of the start".into(), "another in its place".into())
        } else if now.modified != self.modified {
            changed(time(self.modified), time(now.modified))
        } else if now.changed != self.changed {
            changed(time(self.changed), format!("{}, with its time set back", time(now.changed)))
        } else {
            Ok(())
        }
    }
}

/// Every file a medium is made of, as it was when it was first looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<(PathBuf, Stamp)>);

impl Sources {
    pub(crate) fn add(&mut self, path: &Path, stamp: Stamp) {
        self.0.push((path.to_owned(), stamp));
    }

    /// Everything below a folder; what can't be looked at is left to who reads it.
    pub(crate) fn add_all(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.add_all(&path),
                Ok(metadata) if metadata.is_file() => self.add(&path, Stamp::of(&metadata)),
                _ => {}
            }
        }
    }

    /// Lets the clock tick, so that nothing that is written from now on goes unseen.
    pub(crate) fn settle(&self) {
        std::thread::sleep(CLOCK_TICK);
    }

    /// Refuses the first that is not as it was.
    pub(crate) fn check(&self) -> Result<(), AuthorError> {
        for (path, stamp) in &self.0 {
            let gone = |_| AuthorError::Changed {
                path: path.clone(),
                expected: "the file of the start".into(),
                found: "none".into(),
            };
            stamp.compare(path, &fs::metadata(path).map_err(gone)?)?;
        }
        Ok(())
    }
}

/// Why a file can't be read, in the words of the other problems.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "none".into(),
        std::io::ErrorKind::PermissionDenied => "one that may not be read".into(),
        _ => format!("one that can't be read ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("data");
        type Change = fn(&Path);
        let changes: [(&str, Change); 5] = [
            ("4 bytes", |path| fs::write(path, b"more").expect("writes")),
            ("last written to", |path| fs::write(path, b"abd").expect("writes")),
            ("set back", |path| {
                let time = fs::metadata(path).and_then(|it| it.modified()).expect("a time");
                fs::write(path, b"xyz").expect("writes");
                fs::File::options().write(true).open(path).and_then(|it| it.set_modified(time)).expect("sets");
            }),
            ("another in its place", |path| {
                fs::write(path.with_extension("new"), b"abc").expect("writes");
                fs::rename(path.with_extension("new"), path).expect("renames");
            }),
            ("none", |path| fs::remove_file(path).expect("removes")),
        ];
        for (said, change) in changes {
            fs::write(&path, b"abc").expect("writes");
            let mut sources = Sources::default();
            sources.add_all(dir.path());
            sources.settle();
            sources.check().expect("unchanged, the control");
            change(&path);
            let error = sources.check().expect_err(said).to_string();
            assert!(error.contains(said) && error.contains("data: expected "), "{error}");
        }
    }
}
