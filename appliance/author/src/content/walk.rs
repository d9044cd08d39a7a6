// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is in a folder, as it would stand on a medium. Nothing is read but names, sizes and times.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use platen_media::spec::Links;
use platen_media::{MAX_LEVELS, MediaPath};

use crate::definition::sources::Stamp;
use crate::definition::sources::reason;

/// A file to be put on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// On the medium.
    pub(crate) place: MediaPath,
    pub(crate) stamp: Stamp,
    /// What the medium says of it: seconds since 1970.
    pub(crate) modified_s: i64,
}

impl SourceFile {
    pub(crate) fn size_bytes(&self) -> u64 {
        self.stamp.size_bytes
    }
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Sorted by the bytes of their places.
    pub(crate) files: Vec<SourceFile>,
    /// Where folders with nothing in them would stand, sorted.
    pub(crate) empty: Vec<MediaPath>,
    /// Symbolic links that were left out.
    pub(crate) skipped_links: usize,
}

/// All that is below `folder`; `prefix` is where the folder stands on the medium (empty for its root). Everything that
/// can't be on a medium is named in `problems`.
pub(crate) fn folder(folder: &Path, prefix: &str, links: Links, what: &str, problems: &mut Vec<String>) -> Folder {
    let mut walk = Walk { what, links, problems, found: Folder::default(), above: Vec::new() };
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => walk.descend(folder, prefix, &metadata),
        Ok(_) => walk.note(folder, "a folder", "something else"),
        Err(error) => walk.note(folder, "a folder", &reason(&error)),
    }
    let mut found = walk.found;
    found.files.sort_by(|a, b| a.place.as_str().as_bytes().cmp(b.place.as_str().as_bytes()));
    found.empty.sort();
    found
}

/// One file of a known place. Links are always followed: the definition names it.
pub(crate) fn file(path: &Path, place: MediaPath, what: &str, problems: &mut Vec<String>) -> Option<SourceFile> {
    let found = Folder::default();
    let mut walk = Walk { what, links: Links::Follow, problems, found, above: Vec::new() };
    match resolve(path) {
        Ok((path, metadata)) if metadata.is_file() => walk.add(&path, place, &metadata),
        Ok(_) => walk.note(path, "a file", "something else"),
        Err(error) => walk.note(path, "a file", &reason(&error)),
    }
    walk.found.files.pop()
}

/// Where a path leads in the end, so that no link is followed when it is read.
fn resolve(path: &Path) -> std::io::Result<(PathBuf, fs::Metadata)> {
    let path = fs::canonicalize(path)?;
    let metadata = fs::metadata(&path)?;
    Ok((path, metadata))
}

struct Walk<'a> {
    what: &'a str,
    links: Links,
    problems: &'a mut Vec<String>,
    found: Folder,
    /// Device and inode of the folder that is looked at and all it is in.
    above: Vec<(u64, u64)>,
}

impl Walk<'_> {
    fn note(&mut self, path: &Path, expected: &str, found: &str) {
        // Debug form where a name is not UTF-8 or has control characters, so that one line stays one.
        let shown = match path.to_str() {
            Some(text) if !text.contains(char::is_control) => text.to_owned(),
            _ => format!("{path:?}"),
        };
        self.problems.push(format!("{}: {shown}: expected {expected}, found {found}", self.what));
    }

    fn add(&mut self, path: &Path, place: MediaPath, metadata: &fs::Metadata) {
        // Said now, with all other problems, and not after hours of reading.
        if let Err(error) = nix::unistd::access(path, nix::unistd::AccessFlags::R_OK) {
            return self.note(path, "a file", &reason(&error.into()));
        }
        let (stamp, modified_s) = (Stamp::of(metadata), metadata.mtime());
        self.found.files.push(SourceFile { path: path.to_owned(), place, stamp, modified_s });
    }

    fn descend(&mut self, folder: &Path, place: &str, metadata: &fs::Metadata) {
        let levels = place.split('/').filter(|name| !name.is_empty()).count();
        if levels > MAX_LEVELS {
            return self.note(folder, &format!("at most {MAX_LEVELS} folders one inside the other"), "more");
        }
        let identity = (metadata.dev(), metadata.ino());
        if self.above.contains(&identity) {
            return self.note(folder, "links that lead somewhere else", "one into a folder that it is in");
        }
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.note(folder, "a folder", &reason(&error)),
        };
        // So that problems come in the same order everywhere.
        entries.sort_by(|a, b| a.file_name().as_bytes().cmp(b.file_name().as_bytes()));
        self.above.push(identity);
        let mut is_empty = true;
        for entry in entries {
            is_empty &= self.entry(&entry, place);
        }
        self.above.pop();
        if is_empty {
            // The top of a content has no place of its own to be empty in where that is the medium's root.
            self.found.empty.extend(MediaPath::new(place));
        }
    }

    /// False: something stands on the medium because of it, or a problem was noted.
    fn entry(&mut self, entry: &fs::DirEntry, folder: &str) -> bool {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            self.note(&path, "a name in UTF-8", "other bytes");
            return false;
        };
        let place = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let (path, metadata) = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => match self.links {
                Links::Skip => {
                    self.found.skipped_links += 1;
                    return true;
                }
                Links::Refuse => {
                    let expected = "a file or folder (or links = \"follow\" or \"skip\" in the definition)";
                    self.note(&path, expected, "a symbolic link");
                    return false;
                }
                Links::Follow => match resolve(&path) {
                    Ok(found) => found,
                    Err(error) => {
                        // A link to itself, or around a circle of links.
                        let is_loop = error.raw_os_error() == Some(nix::libc::ELOOP);
                        let found = if is_loop { "links in a circle".to_owned() } else { reason(&error) };
                        self.note(&path, "a link that leads to a file or folder", &found);
                        return false;
                    }
                },
            },
            Ok(metadata) => (path, metadata),
            Err(error) => {
                self.note(&path, "a file or folder", &reason(&error));
                return false;
            }
        };
        let kind = metadata.file_type();
        if !kind.is_dir() && !kind.is_file() {
            let found = match () {
                () if kind.is_fifo() => "a pipe",
                () if kind.is_socket() => "a socket",
                () => "a device",
            };
            self.note(&path, "a file or folder", found);
            return false;
        }
        match MediaPath::new(&place) {
            Err(error) => self.note(&path, "a name for FAT", &error.to_string()),
            Ok(place) if kind.is_file() => self.add(&path, place, &metadata),
            Ok(place) => self.descend(&path, place.as_str(), &metadata),
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn files_are_sorted_by_the_bytes_of_their_paths() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["b/x", "b.txt", "a", "B", "b-1", "한국어.inf", "empty/deep/f"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            fs::write(path, name).expect("writes");
        }
        let mut problems = Vec::new();
        fs::create_dir_all(dir.path().join("hollow/twice")).expect("makes");
        let found = folder(dir.path(), "platen/content/X", Links::Refuse, "package X", &mut problems);
        let empty: Vec<_> = found.empty.iter().map(MediaPath::as_str).collect();
        assert_eq!(empty, ["platen/content/X/hollow/twice"]);
        let places: Vec<_> = found.files.iter().map(|file| &file.place.as_str()["platen/content/X/".len()..]).collect();
        assert_eq!(places, ["B", "a", "b-1", "b.txt", "b/x", "empty/deep/f", "한국어.inf"]);
        assert!(problems.is_empty());
    }

    #[test]
    fn everything_that_cannot_be_on_a_medium_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        for name in ["CON", "dot.", "aux.txt", "q?", "back\\slash"] {
            fs::write(path(name), b"x").expect("writes");
        }
        fs::write(dir.path().join(OsStr::from_bytes(b"bad\xff")), b"x").expect("writes");
        std::os::unix::fs::symlink("/etc/passwd", path("link")).expect("links");
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("makes");
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("binds");
        // 255 bytes are all Linux allows; as UTF-16 that is fewer units, so too long a name can't come from here.
        fs::write(path("good"), b"x").expect("writes");
        let mut problems = Vec::new();
        let found = folder(dir.path(), "p", Links::Refuse, "package P", &mut problems);
        assert_eq!(found.files.len(), 1);
        let expected = [
            ("CON", "reserves for a device"),
            ("aux.txt", "reserves for a device"),
            ("back\\slash", "FAT forbids"),
            ("bad\\xFF", "a name in UTF-8"),
            ("dot.", "ends in a dot"),
            ("link", "found a symbolic link"),
            ("pipe", "found a pipe"),
            ("q?", "FAT forbids"),
            ("socket", "found a socket"),
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, (name, why)) in problems.iter().zip(expected) {
            assert!(problem.starts_with("package P: ") && problem.contains(name) && problem.contains(why), "{problem}");
        }
    }

    #[test]
    fn missing_folders_are_problems() {
        let mut problems = Vec::new();
        assert!(folder(Path::new("/no/such"), "p", Links::Refuse, "driver package D", &mut problems).files.is_empty());
        assert!(file(Path::new("/proc"), MediaPath::new("x").expect("good"), "image", &mut problems).is_none());
        let expected = [
            "driver package D: /no/such: expected a folder, found none",
            "image: /proc: expected a file, found something else",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn links_are_refused_followed_or_left_out() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("a folder");
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        for (path, bytes) in [(tree.join("a/file"), "1"), (outside.join("deep/other"), "22")] {
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            fs::write(path, bytes).expect("writes");
        }
        symlink("a/file", tree.join("to file")).expect("links");
        symlink(&outside, tree.join("to folder")).expect("links");
        let look = |links| {
            let mut problems = Vec::new();
            let found = folder(&tree, "p", links, "tree", &mut problems);
            let places: Vec<_> = found.files.iter().map(|file| file.place.to_string()).collect();
            (places, found.skipped_links, problems)
        };
        assert_eq!(look(Links::Skip), (vec!["p/a/file".to_owned()], 2, vec![]));
        let all = ["p/a/file", "p/to file", "p/to folder/deep/other"].map(str::to_owned);
        assert_eq!(look(Links::Follow), (all.to_vec(), 0, vec![]));
        assert_eq!(look(Links::Refuse).2.len(), 2);

        symlink("..", outside.join("up")).expect("links");
        symlink("here", tree.join("here")).expect("links");
        symlink("nowhere", tree.join("dangling")).expect("links");
        let (places, _, problems) = look(Links::Follow);
        assert_eq!(places[..3], all);
        let said = problems.join("\n");
        for part in ["into a folder that it is in", "here: expected a link that leads", "in a circle", "dangling"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn a_loop_of_links_ends_whatever_it_goes_through() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("a/b")).expect("makes");
        for (to, at) in [("../..", "a/b/top"), ("..", "a/up"), (".", "same")] {
            std::os::unix::fs::symlink(to, dir.path().join(at)).expect("links");
        }
        let mut problems = Vec::new();
        folder(dir.path(), "", Links::Follow, "tree", &mut problems);
        assert_eq!(problems.len(), 3, "{problems:#?}");
    }
}
