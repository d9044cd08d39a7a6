// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `index.json`: which media a layout holds. It is read, changed and replaced under a lock, so that two programs that
//! add a medium at once both find theirs in it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use platen_media::Sha256;
use platen_media::manifest::Manifest;

use super::oci::{ARTIFACT_TYPE, Descriptor, Index, MEDIA_ID, OciManifest, REF_NAME, Release};
use super::small_files::small_blob;
use super::{Layout, MAX_JSON_BYTES, MediaEntry};
use crate::files::{read_bounded, replace_file, sync_dir};
use crate::lock::Lock;
use crate::{BlobSource, CacheError, MediaRef};

pub(super) const LOCK: &str = "index.lock";
/// The lock is held for the moment of a change only.
const LOCK_LIMIT: Duration = Duration::from_secs(120);
/// More than any station holds; each of them is read.
const MAX_MEDIA: usize = 10_000;

/// What stands in an index for one medium.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IndexEntry {
    /// `<id>-r<revision>`.
    pub name: String,
    /// The medium's id, without its revision.
    pub media_id: String,
    /// Digest of the OCI manifest.
    pub oci_manifest: Sha256,
}

impl Layout {
    /// All media, in the order they were added, each once. Entries of other kinds are left alone and not listed.
    pub fn entries(&self) -> Result<Vec<IndexEntry>, CacheError> {
        listed(self.read_index()?, self)
    }

    /// Make a medium visible, after every blob it needs is stored. An entry of the same name is replaced.
    pub fn publish(&self, manifest: &Manifest, entry: &MediaEntry) -> Result<IndexEntry, CacheError> {
        self.publish_release(manifest, Release::new(manifest, entry))
    }

    pub(crate) fn publish_release(&self, manifest: &Manifest, release: Release) -> Result<IndexEntry, CacheError> {
        for (_, bytes) in &release.documents {
            self.put_blob(bytes)?;
        }
        sync_dir(&self.blobs_dir())?;
        let entry = release.entry(manifest);
        let _lock = self.lock_index()?;
        let mut index = self.read_index()?;
        index.manifests.retain(|other| other.annotations.get(REF_NAME) != Some(&entry.name));
        index.manifests.push(release.descriptor);
        self.write_index(&index)?;
        Ok(entry)
    }

    /// Take media out of the index; their blobs stay until garbage is collected.
    pub(crate) fn unpublish(&self, names: &[String]) -> Result<(), CacheError> {
        let _lock = self.lock_index()?;
        let mut index = self.read_index()?;
        index.manifests.retain(|entry| !entry.annotations.get(REF_NAME).is_some_and(|name| names.contains(name)));
        self.write_index(&index)
    }

    pub(super) fn lock_index(&self) -> Result<Lock, CacheError> {
        Lock::take(&self.dir.join(LOCK), LOCK_LIMIT)
    }

    fn read_index(&self) -> Result<Index, CacheError> {
        let path = self.dir.join("index.json");
        let bytes = read_bounded(&path, MAX_JSON_BYTES)?;
        serde_json::from_slice(&bytes).map_err(|source| CacheError::Json { path, source })
    }

    pub(super) fn write_index(&self, index: &Index) -> Result<(), CacheError> {
        let mut bytes = serde_json::to_vec_pretty(index).expect("an index has only strings, numbers and lists");
        bytes.push(b'\n');
        replace_file(&self.dir.join("index.json"), &bytes)
    }
}

/// The media that an `index.json` lists, wherever it was read from; `source` has its blobs.
pub fn read_index(bytes: &[u8], source: &dyn BlobSource) -> Result<Vec<IndexEntry>, CacheError> {
    let path = || source.name().join("index.json");
    listed(serde_json::from_slice(bytes).map_err(|error| CacheError::Json { path: path(), source: error })?, source)
}

fn listed(index: Index, source: &dyn BlobSource) -> Result<Vec<IndexEntry>, CacheError> {
    let (mut listed, mut seen) = (Vec::new(), HashSet::new());
    let mut is_ours = HashMap::new();
    for descriptor in index.manifests {
        let (Some(name), Some(oci_manifest)) = (descriptor.annotations.get(REF_NAME), descriptor.sha256()) else {
            continue;
        };
        if !seen.insert((name.clone(), oci_manifest)) {
            continue;
        }
        let media_id = match descriptor.annotations.get(MEDIA_ID) {
            Some(id) => id.clone(),
            // skopeo and other copying tools keep the name of an entry and drop the rest; then name and OCI
            // manifest tell whether it is a medium.
            None => match name.parse::<MediaRef>() {
                Ok(named) if named.revision.is_some() => {
                    let ours = is_ours.entry(oci_manifest).or_insert_with(|| is_medium(source, &descriptor, name));
                    if !*ours {
                        continue;
                    }
                    named.id
                }
                _ => continue,
            },
        };
        listed.push(IndexEntry { name: name.clone(), media_id, oci_manifest });
        if listed.len() > MAX_MEDIA {
            let found = format!("index.json lists more than {MAX_MEDIA} media");
            return Err(CacheError::NotALayout { path: source.name().to_owned(), found });
        }
    }
    Ok(listed)
}

/// One that can't be read is one, so that its damage is named and not passed over.
fn is_medium(source: &dyn BlobSource, descriptor: &Descriptor, name: &str) -> bool {
    let read = small_blob(source, descriptor, name, MAX_JSON_BYTES).ok();
    let oci = read.and_then(|bytes| serde_json::from_slice::<OciManifest>(bytes.bytes()).ok());
    oci.is_none_or(|oci| oci.artifact_type.as_deref() == Some(ARTIFACT_TYPE))
}
