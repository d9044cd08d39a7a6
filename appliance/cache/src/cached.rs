// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium whose signature, minimum version and content were checked, ready to be planned.

use std::sync::Arc;

use platen_media::Sha256;
use platen_media::manifest::Manifest;
use platen_media::sign::SignedMedia;

use crate::contents::contents;
use crate::layout::Layout;
use crate::lease::Lease;
use crate::store::{Sums, missing_content};
use crate::{BlobReader, BlobStore, CacheError, StoredContent};

/// A medium that may be written. [`crate::Cache::load`] is the only way to get one.
///
/// That all bytes are *right* is not promised here: whoever streams them hashes what it streams. For as long as this, a
/// clone of it or its store lives, its content stays where it is (`lease.rs`).
#[derive(Debug, Clone)]
pub struct CachedMedia {
    name: String,
    signed: SignedMedia,
    sums: Sums,
    newest_revision: Option<u32>,
    contents: Arc<[StoredContent]>,
    store: Arc<LeasedStore>,
}

/// The store's blobs, and what keeps those of one medium from being collected.
#[derive(Debug)]
struct LeasedStore {
    layout: Layout,
    _lease: Lease,
}

impl BlobStore for LeasedStore {
    fn open(&self, digest: Sha256) -> Result<Box<dyn BlobReader>, CacheError> {
        Ok(Box::new(self.layout.open_blob(digest)?))
    }
}

impl CachedMedia {
    pub(crate) fn new(
        layout: Layout,
        name: String,
        signed: SignedMedia,
        sums: Sums,
        newest_revision: Option<u32>,
        lease: Lease,
    ) -> Result<Self, CacheError> {
        let missing = missing_content(&[&layout], signed.manifest())?;
        if !missing.is_empty() {
            return Err(CacheError::Missing { name, missing });
        }
        let contents = contents(&signed, &sums).into();
        Ok(Self {
            name,
            signed,
            sums,
            newest_revision,
            contents,
            store: Arc::new(LeasedStore { layout, _lease: lease }),
        })
    }

    /// `<id>-r<revision>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signed manifest.
    pub fn signed(&self) -> &SignedMedia {
        &self.signed
    }

    /// What was signed.
    pub fn manifest(&self) -> &Manifest {
        self.signed.manifest()
    }

    /// The newest revision that was here, when this older one may be written because it is pinned.
    pub fn pinned_below(&self) -> Option<u32> {
        self.newest_revision
    }

    /// SHA256SUMS and its signature.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Where its bytes are: the manifest, SHA256SUMS, the files of the manifest, the parts of its disk image, each where
    /// [`ContentId`](crate::ContentId) says.
    pub fn contents(&self) -> &Arc<[StoredContent]> {
        &self.contents
    }

    /// The store that holds them, for as long as somebody has it.
    pub fn store(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.store) as Arc<dyn BlobStore>
    }
}
