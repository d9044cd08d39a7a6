// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Folders and files.

use std::io::{Read, Seek};

use platen_disk::{
    ATTRIBUTE_ARCHIVE, ATTRIBUTE_DIRECTORY, ATTRIBUTE_LABEL, DirectoryContent, DirectoryEntry, EntryProblem,
    read_directory,
};
use platen_media::manifest::MAX_MANIFEST_BYTES;
use platen_media::{MAX_LEVELS, envelope, is_made_by_system};

use super::Depth;
use super::volume::{ChainFault, Length, Volume};
use platen_media::examination::{Examination, SeenFile, SeenFolder};

/// What is listed: more files than the largest manifest that is passed on could name. Whoever judges the drive has to
/// hold all of it in memory.
const MAX_ENTRIES: usize = 200_000;
/// All paths together.
const MAX_PATH_BYTES: usize = 24 << 20;
/// fatgen103: a directory has at most 65,536 entries of 32 bytes.
const MAX_DIRECTORY_BYTES: u32 = 2 << 20;

/// How often it is told how far the reading of contents is, in bytes.
const TELL_EVERY_BYTES: u64 = 16 << 20;

/// All folders first, then the contents of files: by then it is known how much there is to read.
pub(super) struct Walk<'a, D> {
    pub(super) volume: Volume<D>,
    pub(super) depth: Depth,
    pub(super) found: &'a mut Examination,
    entries: usize,
    path_bytes: usize,
    /// Folders that were found and not yet read.
    waiting: Vec<Folder>,
    /// Files that were found and are to be read.
    unread: Vec<Unread>,
}

/// A file whose content is still to be read.
struct Unread {
    /// Among the files found.
    index: usize,
    first_cluster: u32,
    size_bytes: u32,
    /// The content is wanted, not only its digest.
    keep: bool,
}

struct Folder {
    path: String,
    cluster: u32,
    /// As its `..` has to say: 0 for the root.
    parent: u32,
    level: usize,
    is_systems: bool,
}

impl<'a, D: Read + Seek> Walk<'a, D> {
    pub(super) fn new(volume: Volume<D>, depth: Depth, found: &'a mut Examination) -> Self {
        Self { volume, depth, found, entries: 0, path_bytes: 0, waiting: Vec::new(), unread: Vec::new() }
    }

    /// `tell` hears how many bytes of contents were read, and of how many.
    pub(super) fn run(mut self, tell: &mut dyn FnMut(u64, u64)) {
        let cluster = self.volume.shape.root_cluster;
        self.waiting.push(Folder { path: String::new(), cluster, parent: 0, level: 0, is_systems: false });
        while let Some(folder) = self.waiting.pop() {
            self.folder(&folder);
        }
        self.read_files(tell);
        if self.depth == Depth::Content {
            match self.volume.check_tables() {
                Ok(findings) => {
                    self.found.is_dirty = findings.is_dirty;
                    findings.problems().into_iter().for_each(|problem| self.found.problem(problem));
                }
                Err(error) => self.found.problem(format!("reading the file allocation tables: {error}")),
            }
        }
    }

    fn folder(&mut self, folder: &Folder) {
        let mut bytes = Vec::new();
        let most = (MAX_DIRECTORY_BYTES / self.volume.shape.cluster_bytes).max(1);
        let read = self.volume.read_chain(folder.cluster, Length { least: 1, most }, &mut |piece| {
            bytes.extend_from_slice(piece);
        });
        if let Err(fault) = read {
            self.found.problem(format!("{}/: {fault}", folder.path));
            return;
        }
        let DirectoryContent { entries, deleted, problems } = read_directory(&bytes);
        if !folder.is_systems {
            self.found.deleted_entries += deleted;
            let inside = if folder.path.is_empty() { String::new() } else { format!("{}/", folder.path) };
            for EntryProblem { name, text } in problems {
                let name = if name.is_empty() && inside.is_empty() { "/" } else { &*name };
                self.found.problem(format!("{inside}{name}: {text}"));
            }
        }
        let entries = self.after_head(folder, entries);
        if entries.is_empty() && !folder.path.is_empty() && !folder.is_systems {
            self.found.empty_folders.push(folder.path.clone());
        }
        for entry in entries {
            self.entry(folder, &entry);
        }
    }

    /// Take the entries that every folder has, and the root's label.
    fn after_head(&mut self, folder: &Folder, entries: Vec<DirectoryEntry>) -> Vec<DirectoryEntry> {
        let (head, rest): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|entry| entry.attributes & ATTRIBUTE_LABEL != 0 || matches!(&*entry.name, "." | ".."));
        let is = |entry: &DirectoryEntry, short: &[u8; 11], kind: u8, cluster: u32| {
            let attributes = entry.attributes & !ATTRIBUTE_ARCHIVE;
            let place = (entry.first_cluster, entry.size_bytes);
            (&entry.short, attributes, place) == (short, kind, (cluster, 0))
        };
        let is_right = match &head[..] {
            [label] if folder.path.is_empty() => is(label, &self.volume.shape.label, ATTRIBUTE_LABEL, 0),
            [own, above] if !folder.path.is_empty() => {
                is(own, b".          ", ATTRIBUTE_DIRECTORY, folder.cluster)
                    && is(above, b"..         ", ATTRIBUTE_DIRECTORY, folder.parent)
            }
            _ => false,
        };
        if !is_right && !folder.is_systems {
            let what = if folder.path.is_empty() { "the volume's label" } else { "the entries `.` and `..`" };
            self.found.problem(format!("{}/: {what}: not as they were written", folder.path));
        }
        rest
    }

    fn entry(&mut self, folder: &Folder, entry: &DirectoryEntry) {
        let (name, is_folder) = (&entry.name, entry.attributes & ATTRIBUTE_DIRECTORY != 0);
        let path = if folder.path.is_empty() { name.clone() } else { format!("{}/{name}", folder.path) };
        let is_systems = folder.is_systems || is_made_by_system(&path);
        if is_systems && !folder.is_systems {
            self.found.made_by_systems.push(path.clone());
        }
        self.entries += 1;
        self.path_bytes += path.len();
        if self.entries >= MAX_ENTRIES || self.path_bytes >= MAX_PATH_BYTES || folder.level > MAX_LEVELS {
            self.waiting.clear();
            if self.found.is_whole {
                self.found.is_whole = false;
                let what = "more files or deeper folders than any medium has, the rest is not looked at";
                self.found.problem(format!("{}/: {what}", folder.path));
            }
            return;
        }
        if !is_systems && name.chars().any(|c| c.is_control() || "\"*/:<>?|\\".contains(c)) {
            self.found.problem(format!("{}/: a name that no file can have: {name}", folder.path));
            return;
        }
        if is_folder {
            if !is_systems {
                let (short, attributes) = (latin(&entry.short), entry.attributes);
                self.found.folders.push(SeenFolder { path: path.clone(), short, attributes });
            }
            let parent = if folder.path.is_empty() { 0 } else { folder.cluster };
            let (cluster, level) = (entry.first_cluster, folder.level + 1);
            self.waiting.push(Folder { path, cluster, parent, level, is_systems });
        } else if is_systems {
            self.systems_file(&path, entry);
        } else {
            self.file(path, entry);
        }
    }

    /// Nothing is known of it but that it must not take what belongs to others.
    fn systems_file(&mut self, path: &str, entry: &DirectoryEntry) {
        if self.depth == Depth::Content && entry.first_cluster != 0 {
            let length = Length { least: 0, most: self.volume.shape.end_cluster };
            if let Err(fault) = self.volume.pass_chain(entry.first_cluster, length) {
                self.found.problem(format!("{path}: {fault}"));
            }
        }
    }

    fn file(&mut self, path: String, entry: &DirectoryEntry) {
        let keep = envelope::ALL.contains(&&*path);
        let size_bytes = u64::from(entry.size_bytes);
        let start = self.volume.shape.cluster_start(entry.first_cluster).filter(|_| size_bytes > 0);
        let seen = SeenFile {
            path,
            size_bytes,
            short: latin(&entry.short),
            attributes: entry.attributes,
            blake3: None,
            text: None,
            offset_bytes: start.filter(|_| self.depth == Depth::Places),
        };
        let most_bytes = MAX_MANIFEST_BYTES;
        if keep && size_bytes > most_bytes {
            self.found.problem(format!("{}: expected at most {most_bytes} bytes, found {size_bytes}", seen.path));
        }
        if self.depth == Depth::Content || keep {
            let (index, keep) = (self.found.files.len(), keep && size_bytes <= most_bytes);
            let DirectoryEntry { first_cluster, size_bytes, .. } = *entry;
            self.unread.push(Unread { index, first_cluster, size_bytes, keep });
        }
        self.found.files.push(seen);
    }

    fn read_files(&mut self, tell: &mut dyn FnMut(u64, u64)) {
        let unread = std::mem::take(&mut self.unread);
        let total_bytes = unread.iter().map(|file| u64::from(file.size_bytes)).sum();
        let (mut done_bytes, mut told_bytes) = (0, 0);
        tell(0, total_bytes);
        for file in unread {
            let before_bytes = done_bytes;
            let read = self.read_file(&file, &mut |piece_bytes| {
                // A file's last cluster may be longer than the file.
                done_bytes = (done_bytes + piece_bytes).min(before_bytes + u64::from(file.size_bytes));
                if done_bytes - told_bytes >= TELL_EVERY_BYTES {
                    told_bytes = done_bytes;
                    tell(done_bytes, total_bytes);
                }
            });
            done_bytes = before_bytes + u64::from(file.size_bytes);
            let seen = &mut self.found.files[file.index];
            let problem = match read {
                Ok(FileContent { blake3, text, slack_is_empty }) => {
                    (seen.blake3, seen.text) = (Some(blake3), text);
                    (!slack_is_empty).then(|| format!("{}: there is something behind its end", seen.path))
                }
                Err(fault) => Some(format!("{}: {fault}", seen.path)),
            };
            problem.into_iter().for_each(|problem| self.found.problem(problem));
        }
        tell(total_bytes, total_bytes);
    }

    /// `tell` hears the size of every piece that was read.
    fn read_file(&mut self, file: &Unread, tell: &mut dyn FnMut(u64)) -> Result<FileContent, ChainFault> {
        let (mut hasher, mut kept) = (blake3::Hasher::new(), Vec::new());
        let (mut left, mut slack_is_empty) = (file.size_bytes as usize, true);
        let clusters = self.volume.shape.clusters_of(file.size_bytes);
        let mut take = |piece: &[u8]| {
            let (content, slack) = piece.split_at(left.min(piece.len()));
            left -= content.len();
            hasher.update(content);
            if file.keep {
                kept.extend_from_slice(content);
            }
            slack_is_empty &= slack.iter().all(|&byte| byte == 0);
            tell(piece.len() as u64);
        };
        if clusters > 0 {
            self.volume.read_chain(file.first_cluster, Length { least: clusters, most: clusters }, &mut take)?;
        } else if file.first_cluster != 0 {
            return Err(ChainFault::TooLong(0));
        }
        let text = if file.keep { String::from_utf8(kept).ok() } else { None };
        Ok(FileContent { blake3: hasher.finalize().to_hex().to_string(), text, slack_is_empty })
    }
}

struct FileContent {
    blake3: String,
    text: Option<String>,
    slack_is_empty: bool,
}

/// Each byte as the Unicode character of the same number.
fn latin(short: &[u8; 11]) -> String {
    short.iter().map(|&byte| char::from(byte)).collect()
}
