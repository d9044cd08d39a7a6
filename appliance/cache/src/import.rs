// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Import: from a source, as a rule a layout in a folder, into the station's store.
//!
//! Signature first, then room, then content; the medium becomes visible last. A kill at any moment leaves either
//! the store as it was or one with the medium complete, plus half-copied blobs in `ingest/` that the next import
//! goes on from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::libc;
use platen_media::manifest::Manifest;
use platen_media::sign::{SignedMedia, TrustedKeys};
use platen_media::{Sha256, Timestamp};
use tracing::{info, warn};

use crate::check::{BlobChecker, BlobDigests};
use crate::files::free_bytes;
use crate::files::{self, open_regular};
use crate::layout::{IndexEntry, Release};
use crate::pieces::{PIECE_BYTES, Piece, Pieces};
use crate::state::State;
use crate::store::{Cache, CheckedEntry, MediaRef, check_entry, holds, missing_content};
use crate::write_behind::WriteBehind;
use crate::{BlobSource, CacheError};

/// What a medium adds at most to the index and to what is remembered of it.
const BOOKKEEPING_BYTES: u64 = 2048;

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub struct ImportProgress {
    /// Checked and copied so far, in bytes.
    pub done_bytes: u64,
    /// All that has to be, in bytes.
    pub total_bytes: u64,
}

/// What an import did.
#[derive(Debug, Clone)]
pub struct Imported {
    /// `<id>-r<revision>`.
    pub name: String,
    /// This very release was here already, and whole.
    pub was_here: bool,
    /// Bytes read from the source. What an interrupted import left here is not among them.
    pub copied_bytes: u64,
    /// Bytes that were here already, in whole blobs; they were checked, not copied.
    pub shared_bytes: u64,
}

/// What became of one medium of a source.
#[derive(Debug)]
pub struct Answer {
    /// Its name in the source's index.
    pub name: String,
    /// What came of this medium; the others are not concerned.
    pub result: Result<Imported, CacheError>,
}

impl Cache {
    /// Import one medium, or all of `source` when none is named. One that is refused does not stop the others.
    pub fn import(
        &self,
        source: &dyn BlobSource,
        wanted: Option<&MediaRef>,
        keys: &TrustedKeys,
        now: Timestamp,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Vec<Answer>, CacheError> {
        let _lock = self.lock()?;
        let entries = match wanted {
            Some(wanted) => vec![source.find(wanted)?],
            None => source.entries()?,
        };
        if entries.is_empty() {
            let found = "it holds no Platen medium".to_owned();
            return Err(CacheError::NotALayout { path: source.name().to_owned(), found });
        }
        let one = |entry: IndexEntry| {
            let result = self.import_one(source, &entry, keys, now, progress);
            Answer { name: entry.name, result }
        };
        Ok(entries.into_iter().map(one).collect())
    }

    fn import_one(
        &self,
        source: &dyn BlobSource,
        entry: &IndexEntry,
        keys: &TrustedKeys,
        now: Timestamp,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Imported, CacheError> {
        let CheckedEntry { signed, media, .. } = check_entry(source, entry, keys)?;
        let manifest = signed.manifest();
        let mut state = self.state()?;
        self.bind_signer(&mut state, &signed, keys)?;
        if !state.pinned.contains(&entry.name) {
            state.check_minimum(manifest)?;
        }
        if let Err(error) = manifest.validity.at(now, manifest.created) {
            // Not refused here: a medium for next month is imported today, and the clock may be wrong. An expired one
            // is refused where it matters, when it is planned.
            warn!(medium = %entry.name, %error, "importing a medium that could not be used now");
        }
        let missing = missing_content(&[self.layout(), source], manifest)?;
        if !missing.is_empty() {
            return Err(CacheError::Missing { name: entry.name.clone(), missing });
        }
        let release = Release::new(manifest, &media.into());
        self.check_room(manifest, &release)?;

        let total_bytes = manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
        let was_here = release.blobs().all(|(digest, size_bytes)| self.has(digest, size_bytes))
            && self.layout().entries()?.contains(&release.entry(manifest));
        let mut imported = Imported { name: entry.name.clone(), was_here, copied_bytes: 0, shared_bytes: 0 };
        let mut done_bytes = 0;
        for index in 0..manifest.blobs.len() {
            let blob = manifest.blobs[index];
            let before_bytes = done_bytes;
            let mut step = |at: u64| {
                done_bytes = before_bytes + at;
                progress(ImportProgress { done_bytes, total_bytes });
            };
            if self.has(blob.sha256, blob.size_bytes) {
                match self.check_present(manifest, index, &mut step) {
                    Ok(()) => {
                        imported.shared_bytes += blob.size_bytes;
                        continue;
                    }
                    // Damaged since it came; the source may still be good.
                    Err(error) if source.blob_size_bytes(blob.sha256)?.is_some() => {
                        warn!(medium = %entry.name, %error, "copying it again");
                    }
                    Err(error) => return Err(error),
                }
            }
            imported.was_here = false;
            imported.copied_bytes += self.copy_blob(source, manifest, index, &mut step)?;
        }
        // The minimum version rises before the medium is visible: killed in between, the same release can be imported again.
        state.raise(manifest, now);
        self.write_state(&state)?;
        self.layout().publish_release(manifest, release)?;
        info!(medium = %entry.name, copied = imported.copied_bytes, shared = imported.shared_bytes, "imported");
        Ok(imported)
    }

    /// The first key that signs a medium's release is the one that signs its later ones.
    fn bind_signer(&self, state: &mut State, signed: &SignedMedia, keys: &TrustedKeys) -> Result<(), CacheError> {
        let id = &signed.manifest().id;
        if !state.has_signer(id) {
            // Media that came before ids were bound.
            let here = self.layout().entries()?;
            let mut here = here.iter().filter(|entry| entry.media_id == *id);
            if let Some(first) = here.find_map(|entry| check_entry(self.layout(), entry, keys).ok()) {
                state.set_signer(id, first.signed.key_id());
            }
        }
        state.check_signer(signed, keys)?;
        state.set_signer(id, signed.key_id());
        Ok(())
    }

    fn has(&self, digest: Sha256, size_bytes: u64) -> bool {
        self.layout().blob_size_bytes(digest) == Some(size_bytes)
    }

    fn check_room(&self, manifest: &Manifest, release: &Release) -> Result<(), CacheError> {
        let content = manifest.blobs.iter().map(|blob| (blob.sha256, blob.size_bytes));
        let new: BTreeMap<Sha256, u64> =
            content.chain(release.blobs()).filter(|(digest, size_bytes)| !self.has(*digest, *size_bytes)).collect();
        let partial = |digest: &Sha256| files::size_bytes(&self.ingest_dir().join(digest.to_string())).unwrap_or(0);
        let mut needed_bytes: u64 =
            new.iter().map(|(digest, size_bytes)| size_bytes.saturating_sub(partial(digest))).sum();
        if !new.is_empty() {
            needed_bytes += BOOKKEEPING_BYTES;
        }
        if let Some(quota_bytes) = self.quota_bytes {
            let used_bytes = self.used_bytes()?;
            if used_bytes.saturating_add(needed_bytes) > quota_bytes {
                return Err(CacheError::Quota { quota_bytes, used_bytes, needed_bytes });
            }
        }
        match free_bytes(self.layout().dir()) {
            Some(free_bytes) if free_bytes < needed_bytes => {
                Err(CacheError::DiskFull { path: self.layout().dir().to_owned(), needed_bytes, free_bytes })
            }
            _ => Ok(()),
        }
    }

    /// Content that another medium brought is read once more: it must be what *this* manifest says, and whole.
    fn check_present(&self, manifest: &Manifest, index: usize, step: &mut dyn FnMut(u64)) -> Result<(), CacheError> {
        let path = self.layout().blob_path(manifest.blobs[index].sha256);
        let digests = start_digests(BlobChecker::new(manifest, index, false), false, &path)?;
        let mut file = open_regular(&path).map_err(CacheError::io("opening", &path))?;
        let mut at = 0;
        for_each_piece(&Pieces::new(PIECE_BYTES), &mut file, &path, |piece| {
            digests.give(piece);
            at += piece.len() as u64;
            step(at);
            Ok(())
        })?;
        damaged_if(manifest, index, digests.finish().0, "in the cache")
    }

    /// Copy through `ingest/`, going on from what an interrupted import left. Gives the bytes copied.
    fn copy_blob(
        &self,
        source: &dyn BlobSource,
        manifest: &Manifest,
        index: usize,
        step: &mut dyn FnMut(u64),
    ) -> Result<u64, CacheError> {
        let blob = manifest.blobs[index];
        let path = self.ingest_dir().join(blob.sha256.to_string());
        match self.copy_rest(source, manifest, index, &path, step)? {
            (copied, None) => Ok(copied),
            // What was left from before may be bad and the source good.
            (copied, Some(_)) if copied < blob.size_bytes => {
                let (copied, bad) = self.copy_rest(source, manifest, index, &path, step)?;
                bad.map_or(Ok(copied), Err)
            }
            (_, Some(bad)) => Err(bad),
        }
    }

    /// Copy what is not in `to_path` yet, and put the blob in its place if it is right. Gives the bytes copied, and
    /// what is wrong; then nothing is left.
    fn copy_rest(
        &self,
        source: &dyn BlobSource,
        manifest: &Manifest,
        index: usize,
        to_path: &Path,
        step: &mut dyn FnMut(u64),
    ) -> Result<(u64, Option<CacheError>), CacheError> {
        let blob = manifest.blobs[index];
        let mut to = open_partial(to_path).map_err(CacheError::io("opening", to_path))?;

        let digests = start_digests(BlobChecker::new(manifest, index, true), true, to_path)?;
        let pieces = Pieces::new(PIECE_BYTES);
        let mut at = 0;
        let mut take = |piece: &Arc<Piece>| {
            digests.give(piece);
            at += piece.len() as u64;
            step(at.min(blob.size_bytes));
        };
        let kept = to.metadata().map_err(CacheError::io("reading", to_path))?.len().min(blob.size_bytes);
        to.set_len(kept).map_err(CacheError::io("shortening", to_path))?;
        for_each_piece(&pieces, &mut to, to_path, |piece| {
            take(piece);
            Ok(())
        })?;
        // One byte more than expected is read, so that a blob that grew is noticed, and endless data is not.
        let mut rest = source.read_blob(blob.sha256, kept)?.take(blob.size_bytes - kept + 1);
        let mut behind = WriteBehind::default();
        for_each_piece(&pieces, &mut rest, &source.blob_name(blob.sha256), |piece| {
            take(piece);
            let write = to.write_all(piece).and_then(|()| behind.wrote(&to, piece.len()));
            write.map_err(CacheError::io("writing", to_path))
        })?;

        let copied = at - kept;
        let (mut bad, sha256) = digests.finish();
        if sha256 != Some(blob.sha256) {
            bad.push("its SHA-256 differs".to_owned());
        }
        if let Err(damaged) = damaged_if(manifest, index, bad, "in the source") {
            fs::remove_file(to_path).map_err(CacheError::io("removing", to_path))?;
            return Ok((copied, Some(damaged)));
        }
        to.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .and_then(|()| behind.save(&to))
            .map_err(CacheError::io("saving", to_path))?;
        let path = self.layout().blob_path(blob.sha256);
        fs::rename(to_path, &path).map_err(CacheError::io("renaming to", &path))?;
        Ok((copied, None))
    }
}

/// What is there of a blob, to be gone on with. Only a file of our own is: through a link something else would be cut.
fn open_partial(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file() || metadata.nlink() > 1) {
        fs::remove_file(path)?;
    }
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true).mode(0o644);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// Read to the end in pieces.
pub(crate) fn for_each_piece(
    pieces: &Pieces,
    from: &mut impl Read,
    path: &Path,
    mut take: impl FnMut(&Arc<Piece>) -> Result<(), CacheError>,
) -> Result<(), CacheError> {
    loop {
        let piece = pieces.read(from).map_err(CacheError::io("reading", path))?;
        if piece.is_empty() {
            return Ok(());
        }
        take(&piece)?;
    }
}

pub(crate) fn start_digests(checker: BlobChecker, sha256: bool, path: &Path) -> Result<BlobDigests, CacheError> {
    BlobDigests::start(checker, sha256).map_err(CacheError::io("starting a thread that checks", path))
}

fn damaged_if(manifest: &Manifest, index: usize, bad: Vec<String>, place: &str) -> Result<(), CacheError> {
    if bad.is_empty() {
        return Ok(());
    }
    Err(CacheError::Damaged {
        digest: manifest.blobs[index].sha256,
        found: format!("{place}: {}", bad.join(", ")),
        holds: holds(manifest, index),
    })
}
