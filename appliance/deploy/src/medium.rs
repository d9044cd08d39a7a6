// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium as a folder: the volume that is mounted, or any folder in tests. Only ever read.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use platen_media::manifest::{FileRecord, MAX_MANIFEST_BYTES, Manifest};
use platen_media::policy::MAX_POLICY_BYTES;
use platen_media::{Blake3, envelope, fold_name, is_made_by_system, read_at_most, read_piece};

use crate::refusal::Refusal;

/// A signature has four short lines.
const MAX_SIGNATURE_BYTES: u64 = 16 << 10;

/// The folder in which a medium is mounted, and what may be asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    root: PathBuf,
}

/// What is wrong with one file.
#[derive(Debug)]
pub(crate) struct FileProblem {
    pub(crate) path: String,
    pub(crate) what: Wrong,
}

/// How a file differs from what the manifest says.
#[derive(Debug)]
pub(crate) enum Wrong {
    Missing,
    NotAFile,
    Size { expected_bytes: u64, found_bytes: u64 },
    Content,
    Unreadable(std::io::Error),
}

impl FileProblem {
    /// Whether the drive, not the file, is to blame.
    pub(crate) fn is_read_error(&self) -> bool {
        matches!(self.what, Wrong::Unreadable(_))
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.what {
            Wrong::Missing => write!(f, "{path}: missing"),
            Wrong::NotAFile => write!(f, "{path}: not a file"),
            Wrong::Size { expected_bytes, found_bytes } => {
                write!(f, "{path}: expected {expected_bytes} bytes, found {found_bytes}")
            }
            Wrong::Content => write!(f, "{path}: content changed"),
            Wrong::Unreadable(error) => write!(f, "{path}: can't be read ({error})"),
        }
    }
}

/// How far reading got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) done_bytes: u64,
    pub(crate) total_bytes: u64,
}

/// What reading every file gave.
#[derive(Debug, Default)]
pub(crate) struct FileReport {
    /// In the manifest's order.
    pub(crate) problems: Vec<FileProblem>,
    /// The policy file, as it was when its digest was checked: it must not be read a second time.
    pub(crate) policy: Option<(&'static str, Vec<u8>)>,
}

impl Medium {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether it has a manifest at all, trusted or not.
    pub(crate) fn has_manifest(&self) -> bool {
        self.root.join(envelope::MANIFEST).exists()
    }

    /// The manifest's bytes and its signature.
    pub(crate) fn signed_manifest(&self) -> Result<(Vec<u8>, String), Refusal> {
        let manifest = self.read(envelope::MANIFEST, MAX_MANIFEST_BYTES)?;
        let signature = self.read(envelope::MANIFEST_SIGNATURE, MAX_SIGNATURE_BYTES).map_err(|error| match error {
            Refusal::Read { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Refusal::NoSignature { path }
            }
            other => other,
        })?;
        Ok((manifest, String::from_utf8_lossy(&signature).into_owned()))
    }

    fn read(&self, path: &str, limit_bytes: u64) -> Result<Vec<u8>, Refusal> {
        let path = self.root.join(path);
        let failed = |source| Refusal::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        let found_bytes = file.metadata().map_err(failed)?.len();
        let bytes = read_at_most(file, limit_bytes).map_err(failed)?;
        bytes.ok_or(Refusal::TooLong { path, limit_bytes, found_bytes })
    }

    /// Looks for every file the manifest lists, with its size, and reads those for which `is_read` says so: their BLAKE3
    /// is compared, too. Does not stop at the first problem.
    pub(crate) fn check_files(
        &self,
        manifest: &Manifest,
        is_read: impl Fn(&FileRecord) -> bool,
        mut progress: impl FnMut(Progress),
    ) -> FileReport {
        let read = manifest.files.iter().filter(|file| is_read(file));
        let total_bytes = read.map(|file| file.size_bytes).sum();
        let mut report = FileReport::default();
        let mut done_bytes = 0;
        let mut buffer = vec![0; 1 << 20];
        for file in &manifest.files {
            if !is_read(file) {
                if let Err(what) = self.open(file) {
                    report.problems.push(FileProblem { path: file.path.as_str().to_owned(), what });
                }
                continue;
            }
            let mut kept = Vec::new();
            let policy = [envelope::POLICY_CLEAR, envelope::POLICY_ENCRYPTED]
                .into_iter()
                .find(|&policy| policy == file.path.as_str() && file.size_bytes <= MAX_POLICY_BYTES);
            let end_bytes = done_bytes + file.size_bytes;
            let result = self.check_file(file, &mut buffer, |piece| {
                done_bytes += piece.len() as u64;
                if policy.is_some() {
                    kept.extend_from_slice(piece);
                }
                progress(Progress { done_bytes: done_bytes.min(total_bytes), total_bytes });
            });
            // A file that is too short or too long must not shift the rest of the count.
            done_bytes = end_bytes;
            match result {
                Ok(()) => report.policy = policy.map(|name| (name, kept)).or(report.policy),
                Err(what) => report.problems.push(FileProblem { path: file.path.as_str().to_owned(), what }),
            }
        }
        for folder in manifest.folders.iter().filter(|folder| !self.root.join(folder.as_str()).is_dir()) {
            report.problems.push(FileProblem { path: format!("{folder}/"), what: Wrong::Missing });
        }
        report
    }

    /// All bytes of one file, if they are those the manifest means: what was checked is what is used.
    pub(crate) fn read_checked(&self, record: &FileRecord) -> Result<Vec<u8>, FileProblem> {
        let mut bytes = Vec::new();
        match self.check_file(record, &mut vec![0; 1 << 20], |piece| bytes.extend_from_slice(piece)) {
            Ok(()) => Ok(bytes),
            Err(what) => Err(FileProblem { path: record.path.as_str().to_owned(), what }),
        }
    }

    /// The file, if it is there and as long as it should be.
    fn open(&self, record: &FileRecord) -> Result<File, Wrong> {
        let path = self.root.join(record.path.as_str());
        let file = File::open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Wrong::Missing,
            _ => Wrong::Unreadable(error),
        })?;
        let metadata = file.metadata().map_err(Wrong::Unreadable)?;
        if !metadata.is_file() {
            return Err(Wrong::NotAFile);
        }
        if metadata.len() != record.size_bytes {
            return Err(Wrong::Size { expected_bytes: record.size_bytes, found_bytes: metadata.len() });
        }
        Ok(file)
    }

    fn check_file(&self, record: &FileRecord, buffer: &mut [u8], mut each: impl FnMut(&[u8])) -> Result<(), Wrong> {
        let mut file = self.open(record)?;
        let mut hasher = blake3::Hasher::new();
        let mut found_bytes = 0;
        loop {
            let piece = read_piece(&mut file, buffer).map_err(Wrong::Unreadable)?;
            if piece.is_empty() {
                break;
            }
            hasher.update(piece);
            found_bytes += piece.len() as u64;
            each(piece);
        }
        if found_bytes != record.size_bytes {
            return Err(Wrong::Size { expected_bytes: record.size_bytes, found_bytes });
        }
        if Blake3(*hasher.finalize().as_bytes()) == record.blake3 { Ok(()) } else { Err(Wrong::Content) }
    }

    /// Files that are on the volume but not in the manifest, at most `limit`, sorted.
    ///
    /// They are harmless to what the manifest covers, but whoever put them there should be asked. A folder that can't
    /// be listed is not an error here: every listed file was read before.
    pub(crate) fn unexpected(&self, manifest: &Manifest, limit: usize) -> Vec<String> {
        let known: HashSet<String> =
            manifest.files.iter().map(|file| file.path.as_str()).chain(envelope::ALL).map(fold_name).collect();
        let mut found = Vec::new();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(self.root.join(&folder)) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let folded = fold_name(&path);
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if !is_made_by_system(&path) {
                        open.push(path);
                    }
                } else if !known.contains(&folded) && !is_made_by_system(&path) && found.len() < limit {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}
