//! A medium whose signature, floor and content were checked, ready to be planned.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use platen_media::manifest::Manifest;
use platen_media::sign::SignedMedia;

use crate::CacheError;
use crate::layout::Layout;
use crate::store::{Sums, missing_content};

/// See [`crate::Cache::load`], the only way to get one.
///
/// That all bytes are *right* is not promised here: whoever streams them hashes what it streams.
#[derive(Debug, Clone)]
pub struct CachedMedia {
    layout: Layout,
    name: String,
    signed: SignedMedia,
    sums: Sums,
}

impl CachedMedia {
    pub(crate) fn new(layout: Layout, name: String, signed: SignedMedia, sums: Sums) -> Result<Self, CacheError> {
        let missing = missing_content(&[&layout], signed.manifest());
        if missing.is_empty() {
            Ok(Self { layout, name, signed, sums })
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

    /// The bytes of SHA256SUMS.
    pub fn sums(&self) -> &Arc<[u8]> {
        &self.sums.text
    }

    /// The signature of SHA256SUMS.
    pub fn sums_signature(&self) -> &str {
        &self.sums.signature
    }

    /// Path of the blob with this index in `Manifest::blobs`.
    pub fn blob_path(&self, index: u32) -> Option<PathBuf> {
        self.manifest().blobs.get(index as usize).map(|blob| self.layout.blob_path(blob.sha256))
    }

    /// Open a blob for reading.
    pub fn open_blob(&self, index: u32) -> Result<File, CacheError> {
        let unknown = || CacheError::Entry {
            path: self.layout.dir().to_owned(),
            entry: self.name.clone(),
            found: format!("no blob number {index}"),
        };
        let path = self.blob_path(index).ok_or_else(unknown)?;
        File::open(&path).map_err(CacheError::io("opening", &path))
    }
}
