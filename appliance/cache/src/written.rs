// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium that was written to a drive, as a source to import from: its blobs are put together again from the files they
//! became.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use platen_media::manifest::{Blob, FileRecord, MAX_MANIFEST_BYTES, Manifest};
use platen_media::{Sha256, envelope, read_at_most};

use crate::layout::{IndexEntry, MediaEntry, Release};
use crate::{BlobSource, CacheError};

const MAX_SIGNATURE_BYTES: u64 = 4096;

/// The files of a written medium, by their paths in the manifest.
pub trait WrittenFiles {
    /// What messages call the medium.
    fn name(&self) -> &Path;

    /// Whether there is such a file, with this size in bytes.
    fn holds(&self, path: &str, size_bytes: u64) -> bool;

    /// A file's bytes in order, beginning with the one at `from_bytes`.
    fn open(&self, path: &str, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError>;
}

/// A medium on a drive. Nothing of it is trusted: who imports it checks its signature and each of its blobs.
pub struct WrittenMedium<'f> {
    files: &'f dyn WrittenFiles,
    manifest: Manifest,
    release: Release,
    entry: IndexEntry,
    /// For each blob the numbers of the files that it consists of, in the order of its bytes. None: some of its bytes are in no
    /// file that is there.
    parts: Vec<Option<Vec<usize>>>,
}

impl<'f> WrittenMedium<'f> {
    /// Read what the medium says of itself.
    pub fn open(files: &'f dyn WrittenFiles) -> Result<Self, CacheError> {
        let failed = |name: &str, source| CacheError::Io { doing: "reading", path: files.name().join(name), source };
        let small = |name: &str, max_bytes: u64| {
            let bytes = read_at_most(files.open(name, 0)?, max_bytes).map_err(|error| failed(name, error))?;
            let too_large = || io::Error::other(format!("expected at most {max_bytes} bytes"));
            bytes.ok_or_else(|| failed(name, too_large()))
        };
        let signature = |name: &str| {
            let text = String::from_utf8(small(name, MAX_SIGNATURE_BYTES)?);
            text.map_err(|error| failed(name, io::Error::other(error)))
        };
        let manifest_bytes = small(envelope::MANIFEST, MAX_MANIFEST_BYTES)?;
        let manifest = Manifest::from_json(&manifest_bytes)
            .map_err(|error| failed(envelope::MANIFEST, io::Error::other(error)))?;
        let media = MediaEntry {
            manifest_bytes,
            manifest_signature: signature(envelope::MANIFEST_SIGNATURE)?,
            sums: small(envelope::SHA256SUMS, MAX_MANIFEST_BYTES)?,
            sums_signature: signature(envelope::SHA256SUMS_SIGNATURE)?,
            blobs: manifest.blobs.clone(),
        };
        let release = Release::new(&manifest, &media);
        let (entry, parts) = (release.entry(&manifest), parts(&manifest, files));
        Ok(Self { files, manifest, release, entry, parts })
    }

    /// A blob that is there, and the files that it consists of.
    fn blob(&self, digest: Sha256) -> Option<(&Blob, impl Iterator<Item = &FileRecord>)> {
        let number = self.manifest.blobs.iter().position(|blob| blob.sha256 == digest)?;
        let parts = self.parts[number].as_ref()?;
        Some((&self.manifest.blobs[number], parts.iter().map(|&file| &self.manifest.files[file])))
    }
}

/// Equal small files share their bytes: the first of them stands for all.
fn parts(manifest: &Manifest, files: &dyn WrittenFiles) -> Vec<Option<Vec<usize>>> {
    let mut by_offset = vec![BTreeMap::new(); manifest.blobs.len()];
    for (number, file) in manifest.files.iter().enumerate() {
        if let Some(at) = file.at
            && let Some(blob) = by_offset.get_mut(at.blob as usize)
        {
            blob.entry(at.offset_bytes).or_insert(number);
        }
    }
    let whole = |(blob, parts): (&Blob, BTreeMap<u64, usize>)| {
        let mut end_bytes = 0;
        for (&offset_bytes, &number) in &parts {
            let file = &manifest.files[number];
            if offset_bytes != end_bytes || !files.holds(file.path.as_str(), file.size_bytes) {
                return None;
            }
            end_bytes = offset_bytes.checked_add(file.size_bytes)?;
        }
        (end_bytes == blob.size_bytes).then(|| parts.into_values().collect())
    };
    manifest.blobs.iter().zip(by_offset).map(whole).collect()
}

impl BlobSource for WrittenMedium<'_> {
    fn name(&self) -> &Path {
        self.files.name()
    }

    fn blob_name(&self, digest: Sha256) -> PathBuf {
        let first = self.blob(digest).and_then(|(_, mut files)| files.next());
        self.name().join(first.map_or_else(|| digest.to_string(), |file| file.path.as_str().to_owned()))
    }

    fn entries(&self) -> Result<Vec<IndexEntry>, CacheError> {
        Ok(vec![self.entry.clone()])
    }

    fn blob_size_bytes(&self, digest: Sha256) -> Result<Option<u64>, CacheError> {
        if let Some((_, size_bytes)) = self.release.blobs().find(|(known, _)| *known == digest) {
            return Ok(Some(size_bytes));
        }
        Ok(self.blob(digest).map(|(blob, _)| blob.size_bytes))
    }

    fn read_blob(&self, digest: Sha256, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError> {
        if let Some(bytes) = self.release.document(digest) {
            let mut bytes = Cursor::new(bytes);
            bytes.set_position(from_bytes);
            return Ok(Box::new(bytes));
        }
        let missing = || CacheError::Io {
            doing: "opening",
            path: self.blob_name(digest),
            source: io::ErrorKind::NotFound.into(),
        };
        let (_, mut files) = self.blob(digest).ok_or_else(missing)?;
        let mut skip_bytes = from_bytes;
        let first = files.find(|file| {
            let is_first = file.size_bytes > skip_bytes;
            skip_bytes -= if is_first { 0 } else { file.size_bytes };
            is_first
        });
        let current = first.map(|file| self.files.open(file.path.as_str(), skip_bytes)).transpose()?;
        Ok(Box::new(Joined { files: self.files, current, left: files }))
    }
}

/// Files one after the other.
struct Joined<'m, I> {
    files: &'m dyn WrittenFiles,
    current: Option<Box<dyn Read + 'm>>,
    left: I,
}

impl<'m, I: Iterator<Item = &'m FileRecord>> Read for Joined<'m, I> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while let Some(current) = &mut self.current {
            let count = current.read(to)?;
            if count > 0 || to.is_empty() {
                return Ok(count);
            }
            let next = self.left.next().map(|file| self.files.open(file.path.as_str(), 0));
            self.current = next.transpose().map_err(io::Error::other)?;
        }
        Ok(0)
    }
}
