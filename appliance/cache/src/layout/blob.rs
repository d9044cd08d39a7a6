// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Blobs on their way into a layout. Each has a temporary name until all its bytes are on disk.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use nix::libc;
use platen_media::{Sha256, Sha256Hasher};
use tempfile::NamedTempFile;

use crate::CacheError;
use crate::files::TEMPORARY;
use crate::pieces::{ALIGN_BYTES, Beside, Piece};
use crate::write_behind::WriteBehind;

/// The file of a blob that has no name yet. It is removed when this is dropped.
struct BlobFile {
    file: NamedTempFile,
    behind: WriteBehind,
    dir: PathBuf,
    size_bytes: u64,
}

impl BlobFile {
    fn new(dir: PathBuf) -> Result<Self, CacheError> {
        let made = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&dir);
        let file = made.map_err(CacheError::io("making a temporary file in", &dir))?;
        Ok(Self { file, behind: WriteBehind::default(), dir, size_bytes: 0 })
    }

    /// Put it in its place, after all its bytes are on disk.
    fn keep(self, digest: Sha256) -> Result<(Sha256, u64), CacheError> {
        let path = self.dir.join(digest.to_string());
        self.behind.save(self.file.as_file()).map_err(CacheError::io("saving", &path))?;
        // Blobs are shared by everything that reads the layout; temporary files are private by default.
        let readable = PermissionsExt::from_mode(0o644);
        self.file.as_file().set_permissions(readable).map_err(CacheError::io("setting the mode of", &path))?;
        self.file.persist(&path).map_err(|error| CacheError::io("renaming to", &path)(error.error))?;
        Ok((digest, self.size_bytes))
    }
}

impl BlobFile {
    /// So much more was written to the file by another handle.
    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.size_bytes += count;
        self.file.seek(SeekFrom::Start(self.size_bytes)).map(drop)
    }
}

impl Write for BlobFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.behind.wrote(self.file.as_file(), written)?;
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A blob on its way in. Nothing is kept unless [`BlobWriter::finish`] is called.
pub struct BlobWriter {
    file: BlobFile,
    sha256: Sha256Hasher,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter {
    pub(super) fn new(dir: PathBuf) -> Result<Self, CacheError> {
        Ok(Self { file: BlobFile::new(dir)?, sha256: Sha256Hasher::new() })
    }

    /// Put the blob in its place under its digest. All its bytes are on disk when this returns; the folder entry is
    /// once [`Layout::publish`](super::Layout::publish) returns. Gives its digest and size in bytes.
    pub fn finish(self) -> Result<(Sha256, u64), CacheError> {
        self.file.keep(self.sha256.finish())
    }
}

/// A large blob on its way in: its digest is computed on a thread of its own. Nothing is kept unless
/// [`BlobStream::finish`] is called.
///
/// Where the file system can, the bytes go past the page cache: nobody reads them soon, and copying them into fresh pages
/// takes more of the processor than both digests.
pub struct BlobStream {
    file: BlobFile,
    /// The same file, opened with O_DIRECT. None where that is not possible.
    direct: Option<File>,
    sha256: Beside<Sha256Hasher>,
}

impl BlobStream {
    pub(super) fn new(dir: PathBuf) -> Result<Self, CacheError> {
        let update = |hasher: &mut Sha256Hasher, piece: Arc<Piece>| hasher.update(&piece);
        let sha256 = Beside::start(Sha256Hasher::new(), update);
        let sha256 = sha256.map_err(CacheError::io("starting a thread that digests what goes into", &dir))?;
        let file = BlobFile::new(dir)?;
        let path = format!("/proc/self/fd/{}", file.file.as_file().as_raw_fd());
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path).ok();
        Ok(Self { file, direct, sha256 })
    }

    /// Append a piece.
    pub fn write(&mut self, piece: &Arc<Piece>) -> io::Result<()> {
        self.sha256.give(Arc::clone(piece));
        let past_cache = self.write_direct(piece)?;
        self.file.write_all(&piece[past_cache..])
    }

    /// As much of the beginning as can go past the page cache: whole blocks, from memory and to a place that are aligned.
    /// Returns how much that is.
    fn write_direct(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_aligned = |number: u64| number.is_multiple_of(ALIGN_BYTES as u64);
        let Some(direct) = &self.direct else { return Ok(0) };
        let len = bytes.len() / ALIGN_BYTES * ALIGN_BYTES;
        if len == 0 || !is_aligned(self.file.size_bytes) || !is_aligned(bytes.as_ptr().addr() as u64) {
            return Ok(0);
        }
        match direct.write_all_at(&bytes[..len], self.file.size_bytes) {
            Ok(()) => {
                self.file.skip(len as u64)?;
                Ok(len)
            }
            // The file system wants something else than is usual. What was written is written again.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                self.direct = None;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// As [`BlobWriter::finish`].
    pub fn finish(self) -> Result<(Sha256, u64), CacheError> {
        self.file.keep(self.sha256.finish().finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::Pieces;

    /// On a disk and in memory, whatever the lengths: what is not aligned goes through the page cache.
    #[test]
    fn a_stream_is_stored_whole_past_the_page_cache_and_through_it() {
        for parent in ["/var/tmp", "/dev/shm"] {
            let dir = tempfile::tempdir_in(parent).expect("a folder");
            let mut is_direct = Vec::new();
            for lens in [&[4096, 8192, 4096][..], &[10_000, 4096, 5], &[1], &[4096, 4095, 4096], &[]] {
                let (pieces, mut all) = (Pieces::new(1 << 16), Vec::new());
                let mut stream = BlobStream::new(dir.path().to_owned()).expect("starts");
                for (number, &len) in lens.iter().enumerate() {
                    let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + number) as u8).collect();
                    stream.write(&pieces.read(&mut &bytes[..]).expect("reads")).expect("writes");
                    all.extend(bytes);
                }
                is_direct.push(stream.direct.is_some());
                let (digest, size_bytes) = stream.finish().expect("saves");
                assert_eq!((digest, size_bytes), (Sha256::of(&all), all.len() as u64), "{parent} {lens:?}");
                assert!(std::fs::read(dir.path().join(digest.to_string())).expect("reads") == all, "{parent} {lens:?}");
            }
            assert!(parent == "/dev/shm" || is_direct.iter().all(|direct| *direct), "no O_DIRECT in {parent}");
        }
    }
}
