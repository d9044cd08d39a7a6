// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The kernel's archive format for an initramfs ("newc" cpio), which GRUB reads too, written so that the same content gives the same bytes:
//! sorted by path, owned by root, no times, inodes counted from one.
//!
//! The format is in the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeMap;

/// What stands under a path.
enum Entry {
    Folder,
    File { mode: u32, bytes: Vec<u8> },
    CharacterDevice { major: u32, minor: u32 },
    Link { target: String },
}

/// An archive being put together.
#[derive(Default)]
pub(crate) struct Archive {
    // Sorted, and a folder's path is a prefix of what is in it: so folders come before their content, as they must.
    entries: BTreeMap<String, Entry>,
}

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_600;
const LINK: u32 = 0o120_777;

impl Archive {
    /// An empty folder and those above it; `path` without a slash at its start.
    pub(crate) fn folder(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            self.entries.entry(path[..end].to_owned()).or_insert(Entry::Folder);
        }
        self.entries.entry(path.to_owned()).or_insert(Entry::Folder);
    }

    /// A file with permissions `mode`, and the folders above it.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.above(path);
        self.entries.insert(path.to_owned(), Entry::File { mode: FILE | mode, bytes });
    }

    /// A device node, for what must be there before devtmpfs is.
    pub(crate) fn character_device(&mut self, path: &str, major: u32, minor: u32) {
        self.above(path);
        self.entries.insert(path.to_owned(), Entry::CharacterDevice { major, minor });
    }

    /// A symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.above(path);
        self.entries.insert(path.to_owned(), Entry::Link { target: target.to_owned() });
    }

    fn above(&mut self, path: &str) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
    }

    /// The archive's bytes, a multiple of 512.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            match entry {
                Entry::Folder => {
                    header(&mut out, Header { inode, mode: FOLDER, links: 2, size: 0, device: (0, 0) }, path)
                }
                Entry::File { mode, bytes } => {
                    with_content(&mut out, inode, *mode, bytes, path);
                }
                Entry::Link { target } => with_content(&mut out, inode, LINK, target.as_bytes(), path),
                &Entry::CharacterDevice { major, minor } => {
                    let device = (major, minor);
                    header(&mut out, Header { inode, mode: CHARACTER_DEVICE, links: 1, size: 0, device }, path);
                }
            }
        }
        header(&mut out, Header { inode: 0, mode: 0, links: 1, size: 0, device: (0, 0) }, "TRAILER!!!");
        pad(&mut out, 512);
        out
    }
}

fn with_content(out: &mut Vec<u8>, inode: u32, mode: u32, bytes: &[u8], path: &str) {
    // An initramfs is held in memory whole; a file of 4 GiB in it is out of the question.
    let size = u32::try_from(bytes.len()).expect("boot images are smaller than 4 GiB");
    header(out, Header { inode, mode, links: 1, size, device: (0, 0) }, path);
    out.extend(bytes);
    pad(out, 4);
}

struct Header {
    inode: u32,
    mode: u32,
    links: u32,
    size: u32,
    device: (u32, u32),
}

fn header(out: &mut Vec<u8>, of: Header, path: &str) {
    let name_bytes = u32::try_from(path.len() + 1).expect("paths are short");
    out.extend(b"070701");
    // inode, mode, uid, gid, links, mtime, size, device of the file (2), device it is (2), length of the name, check
    let (major, minor) = of.device;
    for field in [of.inode, of.mode, 0, 0, of.links, 0, of.size, 0, 0, major, minor, name_bytes, 0] {
        out.extend(format!("{field:08X}").bytes());
    }
    out.extend(path.bytes());
    out.push(0);
    pad(out, 4);
}

fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn archive() -> Archive {
        let mut archive = Archive::default();
        archive.file("lib/modules/b.ko", 0o644, b"twelve bytes".to_vec());
        archive.file("init", 0o755, b"x".to_vec());
        archive.character_device("dev/console", 5, 1);
        archive.folder("proc");
        archive.link("bin", "usr/bin");
        archive
    }

    #[test]
    fn same_content_same_bytes_whatever_the_order() {
        let mut other = Archive::default();
        other.link("bin", "usr/bin");
        other.folder("proc");
        other.character_device("dev/console", 5, 1);
        other.file("init", 0o755, b"x".to_vec());
        other.file("lib/modules/b.ko", 0o644, b"twelve bytes".to_vec());
        assert_eq!(archive().bytes(), other.bytes());
        assert_eq!(archive().bytes().len() % 512, 0);
    }

    #[test]
    fn cpio_lists_it_as_meant() {
        if !platen_testkit::need::program("cpio") {
            return;
        }
        let mut command = Command::new("cpio");
        command.args(["-itv", "--quiet", "--numeric-uid-gid"]).env("TZ", "UTC").env("LC_ALL", "C");
        let mut cpio = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        cpio.stdin.take().expect("piped").write_all(&archive().bytes()).expect("taken");
        let listed = cpio.wait_with_output().expect("ended");
        assert!(listed.status.success());
        let listed = String::from_utf8(listed.stdout).expect("text");
        let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
        let names: Vec<&str> = lines.iter().map(|line| line[if line[0].starts_with('c') { 9 } else { 8 }]).collect();
        assert_eq!(names, ["bin", "dev", "dev/console", "init", "lib", "lib/modules", "lib/modules/b.ko", "proc"]);
        assert_eq!((lines[2][0], lines[2][4], lines[2][5]), ("crw-------", "5,", "1"));
        assert_eq!((lines[3][0], lines[3][2], lines[3][3], lines[3][4]), ("-rwxr-xr-x", "0", "0", "1"));
        assert!(lines[0][0] == "lrwxrwxrwx" && listed.contains("bin -> usr/bin\n"), "{listed}");
        assert!(listed.contains("1970"), "no times: {listed}");
    }
}
