// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium whose signature, floor and content were checked, ready to be planned.

use std::fs::File;
use std::sync::Arc;

use platen_media::Sha256;
use platen_media::manifest::Manifest;
use platen_media::sign::SignedMedia;

use crate::CacheError;
use crate::files::open_regular;
use crate::layout::Layout;
use crate::lease::Lease;
use crate::store::{Sums, missing_content};

/// See [`crate::Cache::load`], the only way to get one.
///
/// That all bytes are *right* is not promised here: whoever streams them hashes what it streams. For as long as this or
/// a clone of it lives, its content stays where it is (`lease.rs`).
#[derive(Debug, Clone)]
pub struct CachedMedia {
    layout: Layout,
    name: String,
    signed: SignedMedia,
    sums: Sums,
    newest_revision: Option<u32>,
    _lease: Arc<Lease>,
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
        let missing = missing_content(&[&layout], signed.manifest());
        if missing.is_empty() {
            Ok(Self { layout, name, signed, sums, newest_revision, _lease: Arc::new(lease) })
        } else {
            Err(CacheError::Missing { name, missing })
        }
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

    /// Open a blob of this medium for reading: content, the manifest or SHA256SUMS.
    pub fn open_blob(&self, digest: Sha256) -> Result<File, CacheError> {
        let path = self.layout.blob_path(digest);
        open_regular(&path).map_err(CacheError::io("opening", &path))
    }
}
