// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The archive with the programs of the boot image, unpacked.
//!
//! It is a newc cpio (the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`) under zstd. A trusted key
//! signed its digest; it is read as strictly as if none had. Folders and plain files below `usr` are all there may be, each
//! in a folder the archive itself has made, so that nothing is ever written through a link.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use platen_media::boot_image::{MAX_UNPACKED_PROGRAMS_BYTES, PROGRAMS};
use platen_media::read_piece;

/// Longest path in the archive.
const MAX_PATH_BYTES: usize = 1024;
/// Twice the 8 MiB that boot images are packed with: what unpacking may hold in memory.
const MAX_WINDOW_LOG: u32 = 24;

/// Why an archive can't be unpacked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum ArchiveError {
    #[error("{PROGRAMS}, byte {at_bytes} unpacked: expected {expected}, found {found}")]
    Malformed { at_bytes: u64, expected: &'static str, found: String },
    #[error("unpacking {PROGRAMS}")]
    Unpack(#[source] io::Error),
    /// The memory that holds it is full, or something is there already.
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// What was unpacked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// Not counting folders.
    pub files: usize,
    /// Of the files.
    pub size_bytes: u64,
}

/// Unpacks an archive into `root`. What was unpacked before an error stays: the caller must not go on.
pub fn unpack(packed: &[u8], root: &Path) -> Result<Unpacked, ArchiveError> {
    let mut decoder = zstd::Decoder::with_buffer(packed).map_err(ArchiveError::Unpack)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(ArchiveError::Unpack)?;
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
    fn entry(&mut self) -> Result<bool, ArchiveError> {
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

    fn header(&mut self) -> Result<Header, ArchiveError> {
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

    fn path(&mut self, path_bytes: u32) -> Result<String, ArchiveError> {
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
    fn check_path(&self, path: &str) -> Result<(), ArchiveError> {
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

    fn folder(&mut self, path: String) -> Result<(), ArchiveError> {
        let place = self.root.join(&path);
        match std::fs::DirBuilder::new().mode(0o755).create(&place) {
            // The initramfs has some of them.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(&place) => {}
            Err(source) => return Err(ArchiveError::Write { path: place, source }),
            Ok(()) => {}
        }
        self.folders.insert(path);
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, size_bytes: u32) -> Result<(), ArchiveError> {
        let place = self.root.join(path);
        let failed = |source| ArchiveError::Write { path: place.clone(), source };
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
    fn end(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 512];
        loop {
            let piece = read_piece(&mut self.input, &mut buffer).map_err(ArchiveError::Unpack)?;
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
    fn pad(&mut self, behind_bytes: u64) -> Result<(), ArchiveError> {
        let mut zeros = [0; 3];
        let length = (behind_bytes.next_multiple_of(4) - behind_bytes) as usize;
        self.fill(&mut zeros[..length])
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let expected = buffer.len();
        let found = read_piece(&mut self.input, buffer).map_err(ArchiveError::Unpack)?.len();
        if found < expected {
            return Err(self.malformed("more bytes", "its end".to_owned()));
        }
        self.count(expected)
    }

    fn count(&mut self, more_bytes: usize) -> Result<(), ArchiveError> {
        self.at_bytes += more_bytes as u64;
        if self.at_bytes > MAX_UNPACKED_PROGRAMS_BYTES {
            return Err(self.malformed("its end", "more than any boot image has".to_owned()));
        }
        Ok(())
    }

    fn malformed(&self, expected: &'static str, found: String) -> ArchiveError {
        ArchiveError::Malformed { at_bytes: self.at_bytes, expected, found }
    }
}

fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests;
