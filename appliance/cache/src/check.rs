// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Checks the bytes of one blob, as they stream by, against everything a manifest says about them.

use std::io;
use std::sync::Arc;

use platen_media::manifest::{Blob, Location, Manifest};
use platen_media::{Blake3, Sha256, Sha256Hasher};

use crate::pieces::{Beside, Piece};

/// Everything that is computed over one blob while it streams by, on threads of its own.
pub(crate) struct BlobDigests {
    checker: Beside<BlobChecker>,
    sha256: Option<Beside<Sha256Hasher>>,
}

impl BlobDigests {
    /// Start with `checker`, and with the SHA-256 of the whole blob where that is wanted.
    pub(crate) fn start(checker: BlobChecker, sha256: bool) -> io::Result<Self> {
        let checker = Beside::start(checker, |checker: &mut BlobChecker, piece: Arc<Piece>| checker.update(&piece))?;
        let update = |hasher: &mut Sha256Hasher, piece: Arc<Piece>| hasher.update(&piece);
        let sha256 = sha256.then(|| Beside::start(Sha256Hasher::new(), update)).transpose()?;
        Ok(Self { checker, sha256 })
    }

    /// The next bytes of the blob.
    pub(crate) fn give(&self, piece: &Arc<Piece>) {
        self.checker.give(Arc::clone(piece));
        if let Some(sha256) = &self.sha256 {
            sha256.give(Arc::clone(piece));
        }
    }

    /// The names of all that did not match, and the SHA-256 of the whole blob.
    pub(crate) fn finish(self) -> (Vec<String>, Option<Sha256>) {
        let sha256 = self.sha256.map(|hasher| hasher.finish().finish());
        (self.checker.finish().finish(), sha256)
    }
}

/// A run of bytes in the blob with the digests they must have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slice {
    offset_bytes: u64,
    size_bytes: u64,
    blake3: Blake3,
    /// None where the manifest gives none.
    sha256: Option<Sha256>,
    name: String,
}

struct Open {
    slice: Slice,
    left_bytes: u64,
    blake3: blake3::Hasher,
    sha256: Option<Sha256Hasher>,
}

/// Fed with a blob's bytes from the first to the last.
pub(crate) struct BlobChecker {
    /// Not started yet, the next one last.
    waiting: Vec<Slice>,
    open: Vec<Open>,
    at_bytes: u64,
    found: Vec<String>,
}

impl BlobChecker {
    /// For the blob with index `blob`. With `sha256`, the SHA-256 of each file inside a shared blob is checked as
    /// well as its BLAKE3 (a file that is a blob of its own has the blob's).
    pub(crate) fn new(manifest: &Manifest, blob: usize, sha256: bool) -> Self {
        let whole: &Blob = &manifest.blobs[blob];
        let here = |at: &Location| at.blob as usize == blob;
        let mut found = Vec::new();
        let mut waiting = Vec::new();
        for file in &manifest.files {
            let Some(at) = file.at.filter(here) else { continue };
            let is_whole = at.offset_bytes == 0 && file.size_bytes == whole.size_bytes;
            if is_whole && file.sha256 != whole.sha256 {
                found.push(format!("{}: the manifest contradicts itself about its SHA-256", file.path));
            }
            waiting.push(Slice {
                offset_bytes: at.offset_bytes,
                size_bytes: file.size_bytes,
                blake3: file.blake3,
                sha256: (sha256 && !is_whole).then_some(file.sha256),
                name: file.path.to_string(),
            });
        }
        let mut other = |at: Location, size_bytes: u64, blake3: Blake3, name: String| {
            if here(&at) {
                waiting.push(Slice { offset_bytes: at.offset_bytes, size_bytes, blake3, sha256: None, name });
            }
        };
        for part in manifest.image.iter().flat_map(|image| &image.parts) {
            other(part.at, part.size_bytes, part.blake3, format!("disk image at {:#x}", part.offset_bytes));
        }
        if let Some(bios) = &manifest.bios {
            for (slice, name) in [(bios.boot_img, "boot.img"), (bios.core_mbr, "core-mbr"), (bios.core_gpt, "core-gpt")]
            {
                other(slice.at, slice.size_bytes, slice.blake3, format!("BIOS boot code {name}"));
            }
        }
        waiting.sort_by_key(|slice| std::cmp::Reverse(slice.offset_bytes));
        // Identical files of a content share their bytes; hashing them once is enough.
        waiting
            .dedup_by(|a, b| Slice { name: String::new(), ..a.clone() } == Slice { name: String::new(), ..b.clone() });
        Self { waiting, open: Vec::new(), at_bytes: 0, found }
    }

    /// The next bytes of the blob.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let end = self.at_bytes + bytes.len() as u64;
        while let Some(slice) = self.waiting.pop_if(|slice| slice.offset_bytes < end) {
            self.open.push(Open {
                left_bytes: slice.size_bytes,
                blake3: blake3::Hasher::new(),
                sha256: slice.sha256.map(|_| Sha256Hasher::new()),
                slice,
            });
        }
        let start = self.at_bytes;
        for open in &mut self.open {
            let skip = open.slice.offset_bytes.saturating_sub(start) as usize;
            let rest = &bytes[skip..];
            let part = &rest[..rest.len().min(usize::try_from(open.left_bytes).unwrap_or(usize::MAX))];
            open.blake3.update(part);
            if let Some(sha256) = &mut open.sha256 {
                sha256.update(part);
            }
            open.left_bytes -= part.len() as u64;
        }
        let found = &mut self.found;
        self.open.retain_mut(|open| {
            if open.left_bytes > 0 {
                return true;
            }
            let sha256 = open.sha256.take().map(Sha256Hasher::finish);
            if Blake3(*open.blake3.finalize().as_bytes()) != open.slice.blake3 || sha256 != open.slice.sha256 {
                found.push(open.slice.name.clone());
            }
            false
        });
        self.at_bytes = end;
    }

    /// The names of all that did not match, none when everything did.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let unfinished = self.open.into_iter().map(|open| open.slice).chain(self.waiting);
        self.found.extend(unfinished.map(|slice| slice.name));
        self.found
    }
}
