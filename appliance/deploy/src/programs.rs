// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs of the boot image: read from the medium once, checked, and unpacked over the initramfs.
//!
//! The archive is a newc cpio (the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`) under zstd. A
//! trusted key signed its digest; it is read as strictly as if none had. Folders and plain files below `usr` are all there
//! may be, each in a folder the archive itself has made, so that nothing is ever written through a link.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_media::boot_image::{MAX_PROGRAMS_BYTES, MAX_UNPACKED_PROGRAMS_BYTES, PROGRAMS};
use platen_media::manifest::{ContentKind, FileRecord, Manifest};
use platen_media::read_piece;

use crate::medium::{FileProblem, Medium};

/// Longest path in the archive.
const MAX_PATH_BYTES: usize = 1024;
/// Twice the 8 MiB that boot images are packed with: what unpacking may hold in memory.
const MAX_WINDOW_LOG: u32 = 24;
const BUSYBOX: &str = "/usr/bin/busybox";
/// Where busybox's commands are offered under their own names. A folder of its own, last in the search path: programs of
/// the same name that do more come before them.
pub(crate) const APPLETS: &str = "/usr/lib/busybox";

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramsError {
    /// The file on the medium is not the one that was signed.
    #[error("{0}")]
    Changed(FileProblem),
    /// Longer than any that is built.
    #[error("{PROGRAMS}: expected at most {MAX_PROGRAMS_BYTES} bytes, found {found_bytes}")]
    TooLong { found_bytes: u64 },
    /// It can't be unpacked.
    #[error("{PROGRAMS}, byte {at_bytes} unpacked: expected {expected}, found {found}")]
    Malformed { at_bytes: u64, expected: &'static str, found: String },
    /// zstd's own words.
    #[error("unpacking {PROGRAMS}")]
    Unpack(#[source] io::Error),
    /// The memory that holds it is full, or something is there already.
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// busybox does not start.
    #[error("{BUSYBOX}: expected it to offer its commands in {APPLETS}, found {found}")]
    Applets { found: String },
}

/// What was unpacked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) files: usize,
    pub(crate) size_bytes: u64,
}

/// The archive among a medium's files; none with boot images of earlier versions.
pub(crate) fn find(manifest: &Manifest) -> Option<&FileRecord> {
    manifest.files.iter().find(|file| {
        let content = manifest.contents.get(file.content as usize);
        let is_boot_image = content.is_some_and(|content| content.kind == ContentKind::BootImage);
        is_boot_image && file.path.as_str().rsplit('/').next() == Some(PROGRAMS)
    })
}

/// Reads the archive from the medium, checks it, and unpacks those very bytes into `root`.
pub(crate) fn load(medium: &Medium, archive: &FileRecord, root: &Path) -> Result<Unpacked, ProgramsError> {
    if archive.size_bytes > MAX_PROGRAMS_BYTES {
        return Err(ProgramsError::TooLong { found_bytes: archive.size_bytes });
    }
    let packed = medium.read_checked(archive).map_err(ProgramsError::Changed)?;
    unpack(&packed, root)
}

/// Offers the commands of busybox, and with them a shell as scripts ask for it.
pub(crate) fn offer_applets() -> Result<(), ProgramsError> {
    let failed = |path: &str| {
        let path = PathBuf::from(path);
        move |source| ProgramsError::Write { path, source }
    };
    std::fs::create_dir(APPLETS).map_err(failed(APPLETS))?;
    let shell = "/usr/bin/sh";
    std::os::unix::fs::symlink("busybox", shell).map_err(failed(shell))?;
    let output = Command::new(BUSYBOX).args(["--install", "-s", APPLETS]).output();
    let found = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    Err(ProgramsError::Applets { found })
}

/// Unpacks an archive into `root`. What was unpacked before an error stays: the caller must not go on.
fn unpack(packed: &[u8], root: &Path) -> Result<Unpacked, ProgramsError> {
    let mut decoder = zstd::Decoder::with_buffer(packed).map_err(ProgramsError::Unpack)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(ProgramsError::Unpack)?;
    let mut unpacking =
        Unpacking { input: decoder, at_bytes: 0, root, folders: BTreeSet::new(), done: Unpacked::default() };
    while unpacking.entry()? {}
    unpacking.end()?;
    Ok(unpacking.done)
}

struct Unpacking<'a, R> {
    input: R,
    at_bytes: u64,
    root: &'a Path,
    /// Made by this archive.
    folders: BTreeSet<String>,
    done: Unpacked,
}

/// What is used of an entry's header.
struct Header {
    mode: u32,
    links: u32,
    size_bytes: u32,
    path_bytes: u32,
}

const HEADER_BYTES: usize = 110;
const FOLDER: u32 = 0o040_755;
const PLAIN_FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const LAST: &str = "TRAILER!!!";

impl<R: Read> Unpacking<'_, R> {
    /// The next entry; false behind the last.
    fn entry(&mut self) -> Result<bool, ProgramsError> {
        let header = self.header()?;
        let path = self.path(header.path_bytes)?;
        if path == LAST {
            return Ok(false);
        }
        self.check_path(&path)?;
        match header.mode {
            FOLDER if header.size_bytes == 0 => self.folder(path)?,
            mode @ (PLAIN_FILE | PROGRAM) if header.links == 1 => self.file(&path, mode, header.size_bytes)?,
            mode => {
                let found = format!("{path}, mode {mode:o}, {} links, {} bytes", header.links, header.size_bytes);
                return Err(self.malformed("a folder or a plain file", found));
            }
        }
        Ok(true)
    }

    fn header(&mut self) -> Result<Header, ProgramsError> {
        let mut bytes = [0; HEADER_BYTES];
        self.fill(&mut bytes)?;
        if &bytes[..6] != b"070701" {
            return Err(self.malformed("a newc header", String::from_utf8_lossy(&bytes[..6]).into_owned()));
        }
        let field = |index: usize| {
            let digits = &bytes[6 + 8 * index..14 + 8 * index];
            let is_number = digits.iter().all(u8::is_ascii_hexdigit);
            let text = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
            u32::from_str_radix(text, 16).ok()
        };
        let header =
            || Some(Header { mode: field(1)?, links: field(4)?, size_bytes: field(6)?, path_bytes: field(11)? });
        header().ok_or_else(|| self.malformed("numbers in a header", String::from_utf8_lossy(&bytes[6..]).into_owned()))
    }

    fn path(&mut self, path_bytes: u32) -> Result<String, ProgramsError> {
        let length = path_bytes as usize;
        if !(2..=MAX_PATH_BYTES).contains(&length) {
            return Err(self.malformed("a path of 1 to 1023 bytes", format!("{length} with its end")));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        self.pad(HEADER_BYTES as u64 + u64::from(path_bytes))?;
        match bytes.split_last() {
            Some((0, path)) if !path.contains(&0) => match std::str::from_utf8(path) {
                Ok(path) => Ok(path.to_owned()),
                Err(_) => Err(self.malformed("a path in UTF-8", String::from_utf8_lossy(path).into_owned())),
            },
            _ => {
                Err(self.malformed("a path with a zero at its end alone", String::from_utf8_lossy(&bytes).into_owned()))
            }
        }
    }

    /// Below `usr`, with nothing in it that leads elsewhere, in a folder that came before.
    fn check_path(&self, path: &str) -> Result<(), ProgramsError> {
        let is_plain = path.split('/').all(|name| !matches!(name, "" | "." | ".."));
        let has_folder = match path.rsplit_once('/') {
            Some((folder, _)) => self.folders.contains(folder),
            None => path == "usr",
        };
        if is_plain && has_folder {
            Ok(())
        } else {
            Err(self.malformed("a path in a folder of the archive, below usr", path.to_owned()))
        }
    }

    fn folder(&mut self, path: String) -> Result<(), ProgramsError> {
        let place = self.root.join(&path);
        match std::fs::DirBuilder::new().mode(0o755).create(&place) {
            // The initramfs has some of them.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(&place) => {}
            Err(source) => return Err(ProgramsError::Write { path: place, source }),
            Ok(()) => {}
        }
        self.folders.insert(path);
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, size_bytes: u32) -> Result<(), ProgramsError> {
        let place = self.root.join(path);
        let failed = |source| ProgramsError::Write { path: place.clone(), source };
        // Only a new one: nothing of the initramfs is replaced, and no link is followed.
        let mut options = OpenOptions::new();
        let mut file: File = options.write(true).create_new(true).mode(mode & 0o777).open(&place).map_err(failed)?;
        let mut left_bytes = u64::from(size_bytes);
        let mut buffer = vec![0; 64 << 10];
        while left_bytes > 0 {
            let length = left_bytes.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..length])?;
            file.write_all(&buffer[..length]).map_err(failed)?;
            left_bytes -= length as u64;
        }
        self.pad(u64::from(size_bytes))?;
        self.done.files += 1;
        self.done.size_bytes += u64::from(size_bytes);
        Ok(())
    }

    /// Nothing but zeros may follow the last entry.
    fn end(&mut self) -> Result<(), ProgramsError> {
        let mut buffer = [0; 512];
        loop {
            let piece = read_piece(&mut self.input, &mut buffer).map_err(ProgramsError::Unpack)?;
            if piece.is_empty() {
                return Ok(());
            }
            if piece.iter().any(|&byte| byte != 0) {
                return Err(self.malformed("the archive's end", "more".to_owned()));
            }
            self.count(piece.len())?;
        }
    }

    /// Zeros up to a multiple of four.
    fn pad(&mut self, behind_bytes: u64) -> Result<(), ProgramsError> {
        let mut zeros = [0; 3];
        let length = (behind_bytes.next_multiple_of(4) - behind_bytes) as usize;
        self.fill(&mut zeros[..length])
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ProgramsError> {
        let expected = buffer.len();
        let found = read_piece(&mut self.input, buffer).map_err(ProgramsError::Unpack)?.len();
        if found < expected {
            return Err(self.malformed("more bytes", "its end".to_owned()));
        }
        self.count(expected)
    }

    fn count(&mut self, more_bytes: usize) -> Result<(), ProgramsError> {
        self.at_bytes += more_bytes as u64;
        if self.at_bytes > MAX_UNPACKED_PROGRAMS_BYTES {
            return Err(self.malformed("its end", "more than any boot image has".to_owned()));
        }
        Ok(())
    }

    fn malformed(&self, expected: &'static str, found: String) -> ProgramsError {
        ProgramsError::Malformed { at_bytes: self.at_bytes, expected, found }
    }
}

fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests;
