// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Blobs on their way into a layout. Each has a temporary name until all its bytes are on disk.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use platen_media::{Sha256, Sha256Hasher};
use tempfile::NamedTempFile;

use crate::CacheError;
use crate::files::TEMPORARY;
use crate::pieces::{Beside, Piece};
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
pub struct BlobStream {
    file: BlobFile,
    sha256: Beside<Sha256Hasher>,
}

impl BlobStream {
    pub(super) fn new(dir: PathBuf) -> Result<Self, CacheError> {
        let update = |hasher: &mut Sha256Hasher, piece: Arc<Piece>| hasher.update(&piece);
        let sha256 = Beside::start(Sha256Hasher::new(), update);
        let sha256 = sha256.map_err(CacheError::io("starting a thread that digests what goes into", &dir))?;
        Ok(Self { file: BlobFile::new(dir)?, sha256 })
    }

    /// Append a piece.
    pub fn write(&mut self, piece: &Arc<Piece>) -> io::Result<()> {
        self.sha256.give(Arc::clone(piece));
        self.file.write_all(piece)
    }

    /// As [`BlobWriter::finish`].
    pub fn finish(self) -> Result<(Sha256, u64), CacheError> {
        self.file.keep(self.sha256.finish().finish())
    }
}
