// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where media are imported from.

use std::io::Read;
use std::path::{Path, PathBuf};

use platen_media::Sha256;

use crate::layout::IndexEntry;
use crate::{CacheError, MediaRef};

/// Media that [`crate::Cache::import`] can read: a folder with a layout, or anything else that lists media and gives
/// blobs by their digests.
///
/// A source is not trusted: import checks sizes, digests and signatures of all that it gives. It need only be able to
/// stream. Where reading fails in the middle of a blob, the next import asks for the rest of it.
pub trait BlobSource {
    /// What messages call it: the path of a folder, or another kind of address.
    fn name(&self) -> &Path;

    /// What messages call one of its blobs.
    fn blob_name(&self, digest: Sha256) -> PathBuf {
        self.name().join(digest.to_string())
    }

    /// All its media, each once, in the order in which they are to be imported.
    fn entries(&self) -> Result<Vec<IndexEntry>, CacheError>;

    /// Size of a blob in bytes, `None` if the source does not have it.
    fn blob_size_bytes(&self, digest: Sha256) -> Result<Option<u64>, CacheError>;

    /// A blob's bytes in order, beginning with the one at `from_bytes`.
    fn read_blob(&self, digest: Sha256, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError>;

    /// Find a medium by name; without a revision, the newest one.
    fn find(&self, wanted: &MediaRef) -> Result<IndexEntry, CacheError> {
        let entries = self.entries()?;
        let revision = |entry: &IndexEntry| entry.name.parse::<MediaRef>().ok().and_then(|name| name.revision);
        let matching = |entry: &&IndexEntry| {
            entry.media_id == wanted.id && (wanted.revision.is_none() || revision(entry) == wanted.revision)
        };
        let found = entries.iter().filter(matching).max_by_key(|entry| revision(entry)).cloned();
        found.ok_or_else(|| {
            let known: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            CacheError::UnknownMedia { wanted: wanted.to_string(), path: self.name().to_owned(), known }
        })
    }
}
