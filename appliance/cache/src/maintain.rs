// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Upkeep of the store: scrub, garbage collection, pins.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use platen_media::Sha256;
use platen_media::manifest::Manifest;

use crate::check::BlobChecker;
use crate::files::{is_temporary, open_regular};
use crate::import::{for_each_piece, start_digests};
use crate::lease::Lease;
use crate::lock::Lock;
use crate::pieces::{PIECE_BYTES, Pieces};
use crate::store::{Cache, MediaRef, holds, missing_content};
use crate::{CacheError, ImportProgress};

/// A blob that is not what its digest says.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Damage {
    /// The medium that needs it.
    pub medium: String,
    /// What the blob's content should have.
    pub digest: Sha256,
    /// The damaged files, or what else is wrong.
    pub files: Vec<String>,
}

/// The answer of a scrub.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Scrubbed {
    /// All that was read, in bytes.
    pub checked_bytes: u64,
    /// Every blob that is not what its digest says, or not there.
    pub damage: Vec<Damage>,
}

/// The answer of a garbage collection.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Collected {
    /// Media taken out because a newer revision is here and they are not pinned.
    pub media: Vec<String>,
    /// Media that are no longer listed, but are being used at this moment: their content is still there.
    pub in_use: u64,
    /// How many files were removed.
    pub removed_blobs: u64,
    /// Their sizes together, in bytes.
    pub removed_bytes: u64,
}

impl Cache {
    /// Read every blob of every medium and check all digests. Nothing is changed.
    pub fn scrub(&self, progress: &mut dyn FnMut(ImportProgress)) -> Result<Scrubbed, CacheError> {
        let _lock = self.lock_if_writable()?;
        let mut scrubbed = Scrubbed::default();
        let mut seen: HashSet<Sha256> = HashSet::new();
        let total_bytes = self.used_bytes()?;
        let pieces = Pieces::new(PIECE_BYTES);
        for entry in self.layout().entries()? {
            let damage = |digest, files| Damage { medium: entry.name.clone(), digest, files };
            let read = self.layout().media(&entry).and_then(|media| {
                let name = entry.name.clone();
                Manifest::from_json(&media.manifest_bytes).map_err(|source| CacheError::Manifest { name, source })
            });
            let manifest = match read {
                Ok(manifest) => manifest,
                Err(error) => {
                    scrubbed.damage.push(damage(entry.oci_manifest, vec![error.to_string()]));
                    continue;
                }
            };
            let missing = missing_content(&[self.layout()], &manifest)?;
            if !missing.is_empty() {
                scrubbed.damage.push(damage(entry.oci_manifest, missing));
            }
            for (index, blob) in manifest.blobs.iter().enumerate() {
                // A blob two media share is read for each: they may name its bytes differently.
                let path = self.layout().blob_path(blob.sha256);
                let Ok(mut file) = open_regular(&path) else { continue };
                let first = seen.insert(blob.sha256);
                let digests = start_digests(BlobChecker::new(&manifest, index, false), first, &path)?;
                for_each_piece(&pieces, &mut file, &path, |piece| {
                    digests.give(piece);
                    if first {
                        scrubbed.checked_bytes += piece.len() as u64;
                        progress(ImportProgress { done_bytes: scrubbed.checked_bytes, total_bytes });
                    }
                    Ok(())
                })?;
                let (mut files, sha256) = digests.finish();
                if files.is_empty() && sha256.is_some_and(|found| found != blob.sha256) {
                    files.push(holds(&manifest, index));
                }
                if !files.is_empty() {
                    scrubbed.damage.push(damage(blob.sha256, files));
                }
            }
        }
        Ok(scrubbed)
    }

    /// Remove superseded media that are not pinned, then every blob nothing leads to, then half-copied ones. What is
    /// being used at this moment stays for the next collection.
    pub fn collect_garbage(&self) -> Result<Collected, CacheError> {
        let _lock = self.lock()?;
        let state = self.state()?;
        let mut collected = Collected::default();
        let entries = self.layout().entries()?;
        let revision = |name: &str| name.parse::<MediaRef>().ok().and_then(|name| name.revision);
        let newest = |id: &str| entries.iter().filter(|e| e.media_id == id).filter_map(|e| revision(&e.name)).max();
        let superseded =
            entries.iter().filter(|e| revision(&e.name) < newest(&e.media_id) && !state.pinned.contains(&e.name));
        collected.media = superseded.map(|entry| entry.name.clone()).collect();
        self.layout().unpublish(&collected.media)?;

        let mut reachable = HashSet::new();
        for entry in self.layout().entries()? {
            // An entry that can't be read keeps everything: better a full disk than a lost medium.
            reachable.extend(self.layout().reachable(&entry)?);
        }
        collected.in_use = self.keep_leased(&mut reachable)?;
        for dir in [self.layout().blobs_dir(), self.ingest_dir(), self.layout().dir().to_owned()] {
            let top = dir == self.layout().dir();
            if dir == self.ingest_dir() && !dir.exists() {
                continue;
            }
            for file in fs::read_dir(&dir).map_err(CacheError::io("listing", &dir))? {
                let file = file.map_err(CacheError::io("listing", &dir))?;
                let name = file.file_name();
                let named: Option<Sha256> = name.to_str().and_then(|name| name.parse().ok());
                let is_reachable = dir != self.ingest_dir() && named.is_some_and(|digest| reachable.contains(&digest));
                // At the top only what a kill left of a file being replaced.
                if is_reachable || (top && !is_temporary(&name)) {
                    continue;
                }
                let path = file.path();
                collected.removed_bytes += file.metadata().map_or(0, |metadata| metadata.len());
                collected.removed_blobs += 1;
                fs::remove_file(&path).map_err(CacheError::io("removing", &path))?;
            }
        }
        Ok(collected)
    }

    /// Add what somebody has leased to what is reachable, and count it. Looked for after the index was replaced: a lease
    /// taken later is given back, since its medium is not in the index any more.
    fn keep_leased(&self, reachable: &mut HashSet<Sha256>) -> Result<u64, CacheError> {
        let dir = self.layout().blobs_dir();
        let mut leased = 0;
        for file in fs::read_dir(&dir).map_err(CacheError::io("listing", &dir))? {
            let name = file.map_err(CacheError::io("listing", &dir))?.file_name();
            let Some(digest) = name.to_str().and_then(|name| name.parse::<Sha256>().ok()) else { continue };
            // What can't be asked is not a file that anybody leased.
            if !reachable.contains(&digest) && Lease::is_held(&dir.join(&name)).unwrap_or(false) {
                leased += 1;
                reachable.extend(self.layout().reachable_from(digest, "in use").unwrap_or_default());
                reachable.insert(digest);
            }
        }
        Ok(leased)
    }

    /// Keep a medium when newer revisions arrive, or no longer. Returns its full name.
    pub fn pin(&self, wanted: &MediaRef, pinned: bool) -> Result<String, CacheError> {
        let _lock = self.lock()?;
        let name = self.find(wanted)?.name;
        let mut state = self.state()?;
        state.pinned.retain(|other| *other != name);
        if pinned {
            state.pinned.push(name.clone());
        }
        self.write_state(&state)?;
        Ok(name)
    }

    /// None where nobody who may only read, as this process, could do harm to the others.
    fn lock_if_writable(&self) -> Result<Option<Lock>, CacheError> {
        match self.lock() {
            Ok(lock) => Ok(Some(lock)),
            Err(CacheError::Io { source, .. }) if is_read_only(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes all of it takes: blobs, half-copied ones, what is known about them.
    pub fn used_bytes(&self) -> Result<u64, CacheError> {
        used_below(self.layout().dir())
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

fn used_below(dir: &Path) -> Result<u64, CacheError> {
    let mut used_bytes = 0;
    for file in fs::read_dir(dir).map_err(CacheError::io("listing", dir))? {
        let path = file.map_err(CacheError::io("listing", dir))?.path();
        // What is gone by now takes nothing.
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => used_bytes += used_below(&path)?,
            Ok(metadata) => used_bytes += metadata.len(),
            Err(_) => {}
        }
    }
    Ok(used_bytes)
}
