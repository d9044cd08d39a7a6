// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An OCI image layout (image-spec v1.1, "image-layout") that holds Platen media.
//!
//! ```text
//! oci-layout                    {"imageLayoutVersion":"1.0.0"}
//! index.json                    one entry for each medium, named <id>-r<revision>
//! blobs/sha256/<digest>         OCI manifests, Platen manifests, signatures, content
//! ```
//! Each medium is an OCI artifact. Its layers are the Platen manifest, the manifest's signature, SHA256SUMS, that
//! file's signature, then the content blobs in the order of `Manifest::blobs`. Its config says nothing, but is an
//! image config, because tools older than OCI 1.1 (skopeo 1.9 of Debian 12) refuse to inspect any other.
//!
//! Writing order is what makes it safe to be killed at any moment: a blob appears under its digest only after all
//! its bytes are on disk, and `index.json` is replaced, never edited, after every blob it leads to.

mod index;
mod oci;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use platen_media::manifest::{Blob, MAX_MANIFEST_BYTES, Manifest};
use platen_media::{Digested, Sha256, Sha256Hasher};
use serde::Deserialize;
use tempfile::NamedTempFile;

pub use self::index::IndexEntry;
pub(crate) use self::oci::Release;

use self::oci::{
    ARTIFACT_TYPE, Descriptor, FIRST_CONTENT_LAYER, Index, MANIFEST_TYPE, OCI_MANIFEST_TYPE, OciManifest,
    SIGNATURE_TYPE, SUMS_TYPE,
};
use crate::CacheError;
use crate::files::{self, TEMPORARY, is_temporary, make_dir, read_bounded, replace_file};

/// index.json and OCI manifests beyond this size are not ours.
const MAX_JSON_BYTES: u64 = 64 << 20;

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

/// An OCI image layout in a folder.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Open `dir` as a layout, making an empty one where there is nothing yet.
    pub fn create(dir: &Path) -> Result<Self, CacheError> {
        let layout = Self { dir: dir.to_owned() };
        let is_made = || dir.join("oci-layout").exists();
        if !is_made() {
            make_dir(dir)?;
            for entry in fs::read_dir(dir).map_err(CacheError::io("listing", dir))? {
                let name = entry.map_err(CacheError::io("listing", dir))?.file_name();
                // A kill between these steps leaves only what this function makes.
                let ours = name == "blobs" || name == "index.json" || name == index::LOCK || is_temporary(&name);
                // Another process may have finished it meanwhile.
                if !ours && !is_made() {
                    let found = format!("the folder is not empty (it holds {name:?}) and has no file oci-layout");
                    return Err(CacheError::NotALayout { path: dir.to_owned(), found });
                }
            }
            let _lock = layout.lock_index()?;
            if !is_made() {
                make_dir(&layout.blobs_dir())?;
                if !dir.join("index.json").exists() {
                    layout.write_index(&Index::empty())?;
                }
                replace_file(&dir.join("oci-layout"), b"{\"imageLayoutVersion\":\"1.0.0\"}\n")?;
            }
        }
        Self::open(dir)
    }

    /// Open an existing layout.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let path = dir.join("oci-layout");
        let not_a_layout = |found: String| CacheError::NotALayout { path: dir.to_owned(), found };
        let bytes = match read_bounded(&path, 4096) {
            Err(CacheError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(not_a_layout("there is no file oci-layout".into()));
            }
            other => other?,
        };
        let marker: Marker = serde_json::from_slice(&bytes).map_err(|source| CacheError::Json { path, source })?;
        if marker.image_layout_version != "1.0.0" {
            let found = format!("expected version 1.0.0, found {:?}", marker.image_layout_version);
            return Err(not_a_layout(found));
        }
        for folder in ["blobs", "blobs/sha256"] {
            // A link would lead out of the layout.
            let found = fs::symlink_metadata(dir.join(folder));
            if found.is_ok_and(|metadata| !metadata.is_dir()) {
                return Err(not_a_layout(format!("{folder} is no folder")));
            }
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// The layout's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.dir.join("blobs/sha256")
    }

    /// Where a blob is, whether it exists or not.
    pub fn blob_path(&self, digest: Sha256) -> PathBuf {
        self.blobs_dir().join(digest.to_string())
    }

    /// Size of a blob in bytes, if it is there.
    pub fn blob_size_bytes(&self, digest: Sha256) -> Option<u64> {
        files::size_bytes(&self.blob_path(digest))
    }

    /// Write a blob whose digest is not known yet.
    pub fn blob_writer(&self) -> Result<BlobWriter, CacheError> {
        let dir = self.blobs_dir();
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&dir)
            .map_err(CacheError::io("making a temporary file in", &dir))?;
        Ok(BlobWriter { file, hasher: Sha256Hasher::new(), size_bytes: 0, dir })
    }

    /// Store `bytes` as a blob, in place of a damaged one.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Sha256, CacheError> {
        let digest = Sha256::of(bytes);
        let whole = self.blob_size_bytes(digest) == Some(bytes.len() as u64)
            && read_bounded(&self.blob_path(digest), bytes.len() as u64).is_ok_and(|found| found == bytes);
        if !whole {
            let mut writer = self.blob_writer()?;
            writer.write_all(bytes).map_err(CacheError::io("writing a blob into", &self.blobs_dir()))?;
            writer.finish()?;
        }
        Ok(digest)
    }

    /// Read a whole small blob and check its digest.
    fn small_blob(
        &self,
        descriptor: &Descriptor,
        entry: &str,
        max_bytes: u64,
    ) -> Result<Digested<Vec<u8>>, CacheError> {
        let wrong = |found: String| CacheError::Entry { path: self.dir.clone(), entry: entry.to_owned(), found };
        let digest = descriptor
            .sha256()
            .ok_or_else(|| wrong(format!("expected a SHA-256 digest, found {:?}", descriptor.digest)))?;
        let bytes = Digested::new(read_bounded(&self.blob_path(digest), max_bytes)?);
        if bytes.sha256() != digest {
            return Err(wrong(format!("blob {digest} is damaged: its bytes have the digest {}", bytes.sha256())));
        }
        Ok(bytes)
    }

    /// The small files of a medium and the list of its content blobs (which may or may not be there).
    pub fn media(&self, entry: &IndexEntry) -> Result<MediaEntry, CacheError> {
        self.small_files(entry).map(MediaEntry::from)
    }

    /// The same, with the digests of the two large ones.
    pub(crate) fn small_files(&self, entry: &IndexEntry) -> Result<SmallFiles, CacheError> {
        let wrong = |found: &str| CacheError::Entry {
            path: self.dir.clone(),
            entry: entry.name.clone(),
            found: found.to_owned(),
        };
        let descriptor = Descriptor::new(OCI_MANIFEST_TYPE, entry.oci_manifest, 0);
        let bytes = self.small_blob(&descriptor, &entry.name, MAX_JSON_BYTES)?;
        let oci: OciManifest = serde_json::from_slice(bytes.bytes())
            .map_err(|source| CacheError::Json { path: self.blob_path(entry.oci_manifest), source })?;
        if oci.artifact_type.as_deref() != Some(ARTIFACT_TYPE) {
            return Err(wrong("it is no Platen medium"));
        }
        // Nothing in it is used, but a layout with a damaged one can't be copied by other tools.
        self.small_blob(&oci.config, &entry.name, MAX_JSON_BYTES)?;
        let layer = |at: usize, media_type: &str| {
            let found = oci.layers.get(at).filter(|layer| layer.media_type == media_type);
            found.ok_or_else(|| wrong("expected the layers manifest, signature, SHA256SUMS, signature, content"))
        };
        let text = |bytes: Digested<Vec<u8>>| {
            String::from_utf8(bytes.into_bytes()).map_err(|_| wrong("a signature is not text"))
        };
        let mut blobs = Vec::new();
        for layer in oci.layers.iter().skip(FIRST_CONTENT_LAYER) {
            let sha256 = layer.sha256().ok_or_else(|| wrong("expected SHA-256 digests"))?;
            blobs.push(Blob { sha256, size_bytes: layer.size });
        }
        Ok(SmallFiles {
            manifest: self.small_blob(layer(0, MANIFEST_TYPE)?, &entry.name, MAX_MANIFEST_BYTES)?,
            manifest_signature: text(self.small_blob(layer(1, SIGNATURE_TYPE)?, &entry.name, 4096)?)?,
            sums: self.small_blob(layer(2, SUMS_TYPE)?, &entry.name, MAX_MANIFEST_BYTES)?,
            sums_signature: text(self.small_blob(layer(3, SIGNATURE_TYPE)?, &entry.name, 4096)?)?,
            blobs,
        })
    }

    /// Every blob one medium leads to: OCI manifest, its small files, its content.
    pub(crate) fn reachable(&self, entry: &IndexEntry) -> Result<Vec<Sha256>, CacheError> {
        self.reachable_from(entry.oci_manifest, &entry.name)
    }

    /// The same of an OCI manifest that need not be in the index; `name` is for messages.
    pub(crate) fn reachable_from(&self, oci_manifest: Sha256, name: &str) -> Result<Vec<Sha256>, CacheError> {
        let descriptor = Descriptor::new(OCI_MANIFEST_TYPE, oci_manifest, 0);
        let bytes = self.small_blob(&descriptor, name, MAX_JSON_BYTES)?;
        let oci: OciManifest = serde_json::from_slice(bytes.bytes())
            .map_err(|source| CacheError::Json { path: self.blob_path(oci_manifest), source })?;
        let inner = oci.layers.iter().chain([&oci.config]).filter_map(Descriptor::sha256);
        Ok(inner.chain([oci_manifest]).collect())
    }
}

/// The name of a medium in an index: its id and revision.
pub fn entry_name(manifest: &Manifest) -> String {
    format!("{}-r{}", manifest.id, manifest.revision)
}

/// A blob on its way in. Nothing is kept unless [`BlobWriter::finish`] is called.
pub struct BlobWriter {
    file: NamedTempFile,
    hasher: Sha256Hasher,
    size_bytes: u64,
    dir: PathBuf,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter {
    /// Put the blob in its place under its digest. All its bytes are on disk when this returns; the folder entry is
    /// once [`Layout::publish`] returns.
    pub fn finish(self) -> Result<(Sha256, u64), CacheError> {
        let digest = self.hasher.finish();
        let path = self.dir.join(digest.to_string());
        self.file.as_file().sync_all().map_err(CacheError::io("saving", &path))?;
        // Blobs are shared by everything that reads the layout; temporary files are private by default.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        self.file.as_file().set_permissions(readable).map_err(CacheError::io("setting the mode of", &path))?;
        self.file.persist(&path).map_err(|error| CacheError::io("renaming to", &path)(error.error))?;
        Ok((digest, self.size_bytes))
    }
}
