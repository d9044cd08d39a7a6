// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where the kernel describes this machine: `/sys`, `/proc`, `/dev`; and where udev keeps its notes: `/run/udev`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The roots that everything about drives is read from.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    sys: PathBuf,
    proc: PathBuf,
    dev: PathBuf,
    udev: PathBuf,
}

impl Machine {
    /// The machine this program runs on.
    pub(crate) fn real() -> Self {
        Self::at(Path::new("/"))
    }

    /// A recorded machine: `sys`, `proc`, `dev` and `run/udev` below `folder`.
    pub(crate) fn at(folder: &Path) -> Self {
        let [sys, proc, dev, udev] = ["sys", "proc", "dev", "run/udev"].map(|name| folder.join(name));
        Self { sys, proc, dev, udev }
    }

    pub(crate) fn sys(&self, below: &str) -> PathBuf {
        self.sys.join(below)
    }

    pub(crate) fn proc(&self, below: &str) -> PathBuf {
        self.proc.join(below)
    }

    pub(crate) fn dev(&self, below: &str) -> PathBuf {
        self.dev.join(below)
    }

    /// Whether udev runs here.
    pub(crate) fn has_udev(&self) -> bool {
        // There as long as its daemon runs; libudev decides by it too.
        self.udev.join("control").exists()
    }

    /// Whether udev is done with the block device in this folder of sysfs: it writes down what it knows of a device after it
    /// has given it to its owner. Where no udev runs, nobody is waited for.
    pub(crate) fn is_set_up(&self, folder: &Path) -> bool {
        let noted = |number: String| self.udev.join("data").join(format!("b{number}")).exists();
        !self.has_udev() || attribute(&folder.join("dev")).is_ok_and(noted)
    }

    /// The btrfs file systems that are in use and have this device as one of theirs. The table of mounts names one device
    /// of each only.
    pub(crate) fn btrfs_on(&self, name: &str) -> io::Result<Vec<String>> {
        let file_systems = match fs::read_dir(self.sys("fs/btrfs")) {
            Ok(entries) => entries,
            // A kernel without btrfs, or one that has not needed it yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let having = file_systems.flatten().filter(|entry| entry.path().join("devices").join(name).is_symlink());
        Ok(having.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    /// Where a path is that the kernel names, such as a mount's source: of a recorded machine it is one of its own.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/dev") {
            Ok(below) => self.dev.join(below),
            Err(_) => path.to_owned(),
        }
    }
}

/// An attribute file without its line end.
pub(crate) fn attribute(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

/// `8:16` as sysfs and mountinfo write device numbers.
pub(crate) fn number_of(text: &str) -> Option<u64> {
    let (major, minor) = text.split_once(':')?;
    Some(nix::sys::stat::makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// A path as `/proc` writes it: blanks, tabs, line ends and backslashes are three octal digits (proc(5)).
pub(crate) fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\');
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 4;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_paths_are_read_as_they_are() {
        assert_eq!(unescape(r"/mnt/a\040b\134c\011"), Path::new("/mnt/a b\\c\t"));
        assert_eq!(unescape(r"/mnt/a\04"), Path::new(r"/mnt/a\04"));
        assert_eq!(number_of("259:3"), Some(nix::sys::stat::makedev(259, 3)));
        assert_eq!(number_of("259"), None);
    }
}
