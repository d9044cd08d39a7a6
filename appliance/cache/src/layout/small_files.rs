// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The small files of a medium, read from any source. Whatever the source, their size is
//! bounded and their digests are checked here.

use std::io;

use platen_media::manifest::{Blob, MAX_MANIFEST_BYTES};
use platen_media::{Digested, Sha256, read_at_most};

use super::oci::{
    ARTIFACT_TYPE, Descriptor, FIRST_CONTENT_LAYER, MANIFEST_TYPE, OciManifest, SIGNATURE_TYPE, SUMS_TYPE,
};
use super::{IndexEntry, MAX_JSON_BYTES};
use crate::{BlobSource, CacheError};

const MAX_SIGNATURE_BYTES: u64 = 4096;

/// A medium as it lies in a layout: nothing about it was checked yet but sizes and digests of the small files.
#[derive(Debug, Clone)]
pub struct MediaEntry {
    /// The manifest, byte for byte as it was signed.
    pub manifest_bytes: Vec<u8>,
    /// The text of its minisign file.
    pub manifest_signature: String,
    /// The text of SHA256SUMS.
    pub sums: Vec<u8>,
    /// The text of the minisign file over that.
    pub sums_signature: String,
    /// Content blobs, in the order of `Manifest::blobs`.
    pub blobs: Vec<Blob>,
}

/// The same as it was read: with the digests that were computed while reading.
pub(crate) struct SmallFiles {
    pub(crate) manifest: Digested<Vec<u8>>,
    pub(crate) manifest_signature: String,
    pub(crate) sums: Digested<Vec<u8>>,
    pub(crate) sums_signature: String,
    pub(crate) blobs: Vec<Blob>,
}

impl From<SmallFiles> for MediaEntry {
    fn from(files: SmallFiles) -> Self {
        Self {
            manifest_bytes: files.manifest.into_bytes(),
            manifest_signature: files.manifest_signature,
            sums: files.sums.into_bytes(),
            sums_signature: files.sums_signature,
            blobs: files.blobs,
        }
    }
}

/// Read a medium's small files and the list of its content blobs (which may or may not be there).
pub(crate) fn small_files(source: &dyn BlobSource, entry: &IndexEntry) -> Result<SmallFiles, CacheError> {
    let wrong = |found: &str| wrong_entry(source, &entry.name, found.to_owned());
    let oci = oci_manifest_of(source, entry.oci_manifest, &entry.name)?;
    if oci.artifact_type.as_deref() != Some(ARTIFACT_TYPE) {
        return Err(wrong("it is no Platen medium"));
    }
    let read = |descriptor: &Descriptor, max_bytes| small_blob(source, descriptor, &entry.name, max_bytes);
    // Nothing in it is used, but a layout with a damaged one can't be copied by other tools.
    read(&oci.config, MAX_JSON_BYTES)?;
    let layer = |at: usize, media_type: &str| {
        let found = oci.layers.get(at).filter(|layer| layer.media_type == media_type);
        found.ok_or_else(|| wrong("expected the layers manifest, signature, SHA256SUMS, signature, content"))
    };
    let text =
        |bytes: Digested<Vec<u8>>| String::from_utf8(bytes.into_bytes()).map_err(|_| wrong("a signature is not text"));
    let mut blobs = Vec::new();
    for layer in oci.layers.iter().skip(FIRST_CONTENT_LAYER) {
        let sha256 = layer.sha256().ok_or_else(|| wrong("expected SHA-256 digests"))?;
        blobs.push(Blob { sha256, size_bytes: layer.size });
    }
    Ok(SmallFiles {
        manifest: read(layer(0, MANIFEST_TYPE)?, MAX_MANIFEST_BYTES)?,
        manifest_signature: text(read(layer(1, SIGNATURE_TYPE)?, MAX_SIGNATURE_BYTES)?)?,
        sums: read(layer(2, SUMS_TYPE)?, MAX_MANIFEST_BYTES)?,
        sums_signature: text(read(layer(3, SIGNATURE_TYPE)?, MAX_SIGNATURE_BYTES)?)?,
        blobs,
    })
}

/// Read an OCI manifest; `entry` is the medium's name for messages.
pub(super) fn oci_manifest_of(source: &dyn BlobSource, digest: Sha256, entry: &str) -> Result<OciManifest, CacheError> {
    let bytes = blob_of_digest(source, digest, entry, MAX_JSON_BYTES)?;
    serde_json::from_slice(bytes.bytes())
        .map_err(|error| CacheError::Json { path: source.blob_name(digest), source: error })
}

/// Read a whole small blob and check its digest.
pub(super) fn small_blob(
    source: &dyn BlobSource,
    descriptor: &Descriptor,
    entry: &str,
    max_bytes: u64,
) -> Result<Digested<Vec<u8>>, CacheError> {
    let digest = descriptor.sha256().ok_or_else(|| {
        wrong_entry(source, entry, format!("expected a SHA-256 digest, found {:?}", descriptor.digest))
    })?;
    blob_of_digest(source, digest, entry, max_bytes)
}

fn blob_of_digest(
    source: &dyn BlobSource,
    digest: Sha256,
    entry: &str,
    max_bytes: u64,
) -> Result<Digested<Vec<u8>>, CacheError> {
    let name = source.blob_name(digest);
    let failed = || CacheError::io("reading", &name);
    let bytes = read_at_most(source.read_blob(digest, 0)?, max_bytes).map_err(failed())?;
    let too_large = || io::Error::new(io::ErrorKind::InvalidData, format!("expected at most {max_bytes} bytes"));
    let bytes = Digested::new(bytes.ok_or_else(too_large).map_err(failed())?);
    if bytes.sha256() != digest {
        let found = format!("blob {digest} is damaged: its bytes have the digest {}", bytes.sha256());
        return Err(wrong_entry(source, entry, found));
    }
    Ok(bytes)
}

fn wrong_entry(source: &dyn BlobSource, entry: &str, found: String) -> CacheError {
    CacheError::Entry { path: source.name().to_owned(), entry: entry.to_owned(), found }
}
