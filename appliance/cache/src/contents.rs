// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where bytes are that are to be written somewhere, and what they must be.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use platen_media::manifest::{Location, Manifest};
use platen_media::sign::SignedMedia;
use platen_media::{Blake3, Sha256, envelope};

use crate::CacheError;
use crate::store::Sums;

/// Blobs by their digests, for readers on any number of threads. As long as somebody holds it, its blobs can be read.
///
/// That the bytes are right is not promised: whoever reads them checks what was read.
pub trait BlobStore: fmt::Debug + Send + Sync {
    /// Open a blob for reading.
    fn open(&self, digest: Sha256) -> Result<Box<dyn BlobReader>, CacheError>;
}

/// An open blob.
pub trait BlobReader: Send {
    /// Fill `buffer` with the blob's bytes from `offset_bytes` on; an error if it has fewer.
    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<()>;
}

impl BlobReader for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset_bytes)
    }
}

/// One content in a [`BlobStore`]: a run of bytes in a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContent {
    /// The blob it is in.
    pub blob: Sha256,
    /// Where it begins in the blob, in bytes.
    pub offset_bytes: u64,
    /// What it is checked by while it is written.
    pub blake3: Blake3,
    /// What messages call it: its path on the medium.
    pub name: String,
}

/// Which of several contents, by its position in their list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentId(u32);

impl ContentId {
    /// A medium's manifest.
    pub const MANIFEST: Self = Self(0);
    /// A medium's SHA256SUMS.
    pub const SUMS: Self = Self(1);
    const FIRST_FILE: u32 = 2;

    /// The content at this position of a list.
    pub fn new(position: u32) -> Self {
        Self(position)
    }

    /// A file of a medium, by its position in the manifest.
    pub fn file(index: u32) -> Self {
        Self(Self::FIRST_FILE + index)
    }

    /// A part of a medium's disk image, by its position in the manifest.
    pub fn image_part(manifest: &Manifest, index: u32) -> Self {
        Self::file(manifest.files.len() as u32 + index)
    }

    /// Its position in the list.
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// Every content of a medium, where [`ContentId`] says. A file without bytes has its place too.
pub(crate) fn contents(signed: &SignedMedia, sums: &Sums) -> Vec<StoredContent> {
    let manifest: &Manifest = signed.manifest();
    let at = |at: Location, blake3, name: String| {
        let blob = manifest.blobs[at.blob as usize].sha256;
        StoredContent { blob, offset_bytes: at.offset_bytes, blake3, name }
    };
    let whole = |blob, blake3, name: String| StoredContent { blob, offset_bytes: 0, blake3, name };
    let own = [
        whole(signed.manifest_digest(), signed.manifest_blake3(), envelope::MANIFEST.to_owned()),
        whole(sums.sha256, sums.blake3, envelope::SHA256SUMS.to_owned()),
    ];
    let files = manifest.files.iter().map(|file| match file.at {
        Some(location) => at(location, file.blake3, file.path.to_string()),
        None => whole(file.sha256, file.blake3, file.path.to_string()),
    });
    let parts = manifest.image.iter().flat_map(|image| &image.parts);
    let parts = parts.map(|part| at(part.at, part.blake3, "disk image".to_owned()));
    own.into_iter().chain(files).chain(parts).collect()
}
