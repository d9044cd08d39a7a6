//! What is in a folder, as it would stand on a medium. Nothing is read but names and sizes.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use platen_media::MediaPath;

use crate::definition::reason;

/// A file to be put on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// On the medium.
    pub(crate) place: MediaPath,
    pub(crate) size_bytes: u64,
    pub(crate) modified_s: i64,
}

/// Deeper folders are a loop or a mistake; FAT and Windows could not name what is in them.
const MAX_DEPTH: usize = 120;

/// All files below `folder`, sorted by the bytes of their paths; `prefix` is where the folder stands on the medium
/// (empty for its root). Everything that can't be on a medium is named in `problems`.
pub(crate) fn folder(folder: &Path, prefix: &str, what: &str, problems: &mut Vec<String>) -> Vec<SourceFile> {
    let mut walk = Walk { what, problems, found: Vec::new() };
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => walk.descend(folder, prefix, 0),
        Ok(_) => walk.note(folder, "a folder", "something else"),
        Err(error) => walk.note(folder, "a folder", &reason(&error)),
    }
    let mut found = walk.found;
    found.sort_by(|a, b| a.place.as_str().as_bytes().cmp(b.place.as_str().as_bytes()));
    found
}

/// One file of a known place. Unlike in folders, links are followed: the definition names it.
pub(crate) fn file(path: &Path, place: MediaPath, what: &str, problems: &mut Vec<String>) -> Option<SourceFile> {
    let mut walk = Walk { what, problems, found: Vec::new() };
    match fs::canonicalize(path).and_then(|path| Ok((fs::metadata(&path)?, path))) {
        Ok((metadata, path)) if metadata.is_file() => walk.add(&path, place, &metadata),
        Ok(_) => walk.note(path, "a file", "something else"),
        Err(error) => walk.note(path, "a file", &reason(&error)),
    }
    walk.found.pop()
}

struct Walk<'a> {
    what: &'a str,
    problems: &'a mut Vec<String>,
    found: Vec<SourceFile>,
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
        let (size_bytes, modified_s) = (metadata.len(), metadata.mtime());
        self.found.push(SourceFile { path: path.to_owned(), place, size_bytes, modified_s });
    }

    fn descend(&mut self, folder: &Path, prefix: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.note(folder, &format!("at most {MAX_DEPTH} levels of folders"), "more");
        }
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.note(folder, "a folder", &reason(&error)),
        };
        // So that problems come in the same order everywhere.
        entries.sort_by(|a, b| a.file_name().as_bytes().cmp(b.file_name().as_bytes()));
        for entry in entries {
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                self.note(&path, "a name in UTF-8", "other bytes");
                continue;
            };
            let place = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let metadata = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.note(&path, "a file or folder", &reason(&error));
                    continue;
                }
            };
            let kind = metadata.file_type();
            if !kind.is_dir() && !kind.is_file() {
                let found = match () {
                    () if kind.is_symlink() => "a symbolic link",
                    () if kind.is_fifo() => "a pipe",
                    () if kind.is_socket() => "a socket",
                    () => "a device",
                };
                self.note(&path, "a file or folder", found);
                continue;
            }
            match MediaPath::new(&place) {
                Err(error) => self.note(&path, "a name for FAT", &error.to_string()),
                Ok(place) if kind.is_file() => self.add(&path, place, &metadata),
                Ok(place) => self.descend(&path, place.as_str(), depth + 1),
            }
        }
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
        let found = folder(dir.path(), "platen/content/X", "package X", &mut problems);
        let places: Vec<_> = found.iter().map(|file| &file.place.as_str()["platen/content/X/".len()..]).collect();
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
        let found = folder(dir.path(), "p", "package P", &mut problems);
        assert_eq!(found.len(), 1);
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
        assert!(folder(Path::new("/no/such"), "p", "driver package D", &mut problems).is_empty());
        assert!(file(Path::new("/proc"), MediaPath::new("x").expect("good"), "image", &mut problems).is_none());
        let expected = [
            "driver package D: /no/such: expected a folder, found none",
            "image: /proc: expected a file, found something else",
        ];
        assert_eq!(problems, expected);
    }
}
