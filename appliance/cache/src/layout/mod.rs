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

mod blob;
mod image;
mod index;
mod oci;
mod small_files;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use platen_media::Sha256;
use platen_media::manifest::Manifest;
use serde::Deserialize;

pub use self::blob::{BlobStream, BlobWriter};
pub use self::image::ImageParts;
pub use self::index::{IndexEntry, read_index};
pub(crate) use self::oci::Release;
pub use self::small_files::MediaEntry;
pub(crate) use self::small_files::{SmallFiles, small_files};

use self::oci::{Descriptor, Index};
use self::small_files::oci_manifest_of;
use crate::files::{self, is_temporary, make_dir, open_regular, read_bounded, replace_file};
use crate::{BlobSource, CacheError};

/// index.json and OCI manifests beyond this size are not ours.
const MAX_JSON_BYTES: u64 = 64 << 20;

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
        let path = dir.join("oci-layout");
        let not_a_layout = |found: String| CacheError::NotALayout { path: dir.to_owned(), found };
        let bytes = match read_bounded(&path, 4096) {
            Err(CacheError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(not_a_layout("there is no file oci-layout".into()));
            }
            other => other?,
        };
        check_marker(&bytes, dir)?;
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
        BlobWriter::new(self.blobs_dir())
    }

    /// Write a large blob, whose digest is computed on a thread of its own.
    pub fn blob_stream(&self) -> Result<BlobStream, CacheError> {
        BlobStream::new(self.blobs_dir())
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

    /// The small files of a medium and the list of its content blobs (which may or may not be there).
    pub fn media(&self, entry: &IndexEntry) -> Result<MediaEntry, CacheError> {
        small_files(self, entry).map(MediaEntry::from)
    }

    /// Open a blob for reading.
    pub(crate) fn open_blob(&self, digest: Sha256) -> Result<File, CacheError> {
        let path = self.blob_path(digest);
        open_regular(&path).map_err(CacheError::io("opening", &path))
    }

    /// Every blob one medium leads to: OCI manifest, its small files, its content.
    pub(crate) fn reachable(&self, entry: &IndexEntry) -> Result<Vec<Sha256>, CacheError> {
        self.reachable_from(entry.oci_manifest, &entry.name)
    }

    /// The same of an OCI manifest that need not be in the index; `name` is for messages.
    pub(crate) fn reachable_from(&self, oci_manifest: Sha256, name: &str) -> Result<Vec<Sha256>, CacheError> {
        let oci = oci_manifest_of(self, oci_manifest, name)?;
        let inner = oci.layers.iter().chain([&oci.config]).filter_map(Descriptor::sha256);
        Ok(inner.chain([oci_manifest]).collect())
    }
}

impl BlobSource for Layout {
    fn name(&self) -> &Path {
        &self.dir
    }

    fn blob_name(&self, digest: Sha256) -> PathBuf {
        self.blob_path(digest)
    }

    fn entries(&self) -> Result<Vec<IndexEntry>, CacheError> {
        Layout::entries(self)
    }

    fn blob_size_bytes(&self, digest: Sha256) -> Result<Option<u64>, CacheError> {
        Ok(Layout::blob_size_bytes(self, digest))
    }

    fn read_blob(&self, digest: Sha256, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError> {
        let mut file = self.open_blob(digest)?;
        file.seek(SeekFrom::Start(from_bytes)).map_err(CacheError::io("reading", &self.blob_path(digest)))?;
        Ok(Box::new(file))
    }
}

/// A file `oci-layout` says that this is a layout, and of which version; `dir` is what messages call it.
pub fn check_marker(bytes: &[u8], dir: &Path) -> Result<(), CacheError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marker {
        image_layout_version: String,
    }
    let path = || dir.join("oci-layout");
    let marker: Marker = serde_json::from_slice(bytes).map_err(|source| CacheError::Json { path: path(), source })?;
    match &*marker.image_layout_version {
        "1.0.0" => Ok(()),
        found => {
            let found = format!("expected version 1.0.0, found {found:?}");
            Err(CacheError::NotALayout { path: dir.to_owned(), found })
        }
    }
}

/// The name of a medium in an index: its id and revision.
pub fn entry_name(manifest: &Manifest) -> String {
    format!("{}-r{}", manifest.id, manifest.revision)
}
