//! Import: from a layout on a USB drive, a folder or a network mount into the station's store.
//!
//! Signature first, then room, then content; the medium becomes visible last. A kill at any moment leaves either
//! the store as it was or one with the medium complete, plus half-copied blobs in `ingest/` that the next import
//! goes on from.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use platen_media::manifest::Manifest;
use platen_media::sign::TrustedKeys;
use platen_media::{Sha256, Sha256Hasher, Timestamp};
use tracing::{info, warn};

use crate::CacheError;
use crate::check::BlobChecker;
use crate::layout::{IndexEntry, Layout};
use crate::store::{Cache, MediaRef, check_entry, free_bytes, holds, missing_content};

/// Copying and hashing go in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub struct ImportProgress {
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// What an import did.
#[derive(Debug, Clone)]
pub struct Imported {
    /// `<id>-r<revision>`.
    pub name: String,
    /// Bytes read from the source. What an interrupted import left here is not among them.
    pub copied_bytes: u64,
    /// Bytes that were here already, in whole blobs; they were checked, not copied.
    pub shared_bytes: u64,
}

impl Cache {
    /// Import one medium, or all of `source` when none is named.
    pub fn import(
        &self,
        source: &Layout,
        wanted: Option<&MediaRef>,
        keys: &TrustedKeys,
        now: Timestamp,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Vec<Imported>, CacheError> {
        let _lock = self.lock()?;
        let entries = match wanted {
            Some(wanted) => vec![source.find(wanted)?],
            None => source.entries()?,
        };
        if entries.is_empty() {
            let found = "it holds no Platen medium".to_owned();
            return Err(CacheError::NotALayout { path: source.dir().to_owned(), found });
        }
        entries.iter().map(|entry| self.import_one(source, entry, keys, now, progress)).collect()
    }

    fn import_one(
        &self,
        source: &Layout,
        entry: &IndexEntry,
        keys: &TrustedKeys,
        now: Timestamp,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Imported, CacheError> {
        let (signed, _) = check_entry(source, entry, keys)?;
        let manifest = signed.manifest();
        let mut state = self.state()?;
        state.check_floor(manifest)?;
        if let Err(error) = manifest.validity.at(now, manifest.created) {
            // Not refused here: a medium for next month is imported today, and the clock may be wrong. It is
            // refused where it matters, when it is planned.
            warn!(medium = %entry.name, %error, "importing a medium that could not be written now");
        }
        let missing = missing_content(&[self.layout(), source], manifest);
        if !missing.is_empty() {
            return Err(CacheError::Missing { name: entry.name.clone(), missing });
        }
        self.check_room(manifest)?;

        let total_bytes = manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
        let mut imported = Imported { name: entry.name.clone(), copied_bytes: 0, shared_bytes: 0 };
        let mut done_bytes = 0;
        for index in 0..manifest.blobs.len() {
            let blob = manifest.blobs[index];
            let before_bytes = done_bytes;
            let mut step = |at: u64| {
                done_bytes = before_bytes + at;
                progress(ImportProgress { done_bytes, total_bytes });
            };
            if self.layout().blob_size_bytes(blob.sha256) == Some(blob.size_bytes) {
                match self.check_present(manifest, index, &mut step) {
                    Ok(()) => {
                        imported.shared_bytes += blob.size_bytes;
                        continue;
                    }
                    // Damaged since it came; the source may still be good.
                    Err(error) if source.blob_size_bytes(blob.sha256).is_some() => {
                        warn!(medium = %entry.name, %error, "copying it again");
                    }
                    Err(error) => return Err(error),
                }
            }
            imported.copied_bytes += self.copy_blob(source, manifest, index, &mut step)?;
        }
        // The floor rises before the medium is visible: killed in between, the same release can be imported again.
        state.raise(manifest);
        self.write_state(&state)?;
        self.layout().publish(manifest, &source.media(entry)?)?;
        info!(medium = %entry.name, copied = imported.copied_bytes, shared = imported.shared_bytes, "imported");
        Ok(imported)
    }

    fn check_room(&self, manifest: &Manifest) -> Result<(), CacheError> {
        let new =
            |blob: &&platen_media::manifest::Blob| self.layout().blob_size_bytes(blob.sha256) != Some(blob.size_bytes);
        let mut digests: Vec<_> = manifest.blobs.iter().filter(new).collect();
        digests.sort_by_key(|blob| blob.sha256);
        digests.dedup();
        let partial = |digest: Sha256| fs::metadata(self.ingest_dir().join(digest.to_string())).map_or(0, |m| m.len());
        let needed_bytes: u64 = digests.iter().map(|blob| blob.size_bytes.saturating_sub(partial(blob.sha256))).sum();
        if let Some(quota_bytes) = self.quota_bytes {
            let used_bytes = self.used_bytes()?;
            if used_bytes + needed_bytes > quota_bytes {
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
        let mut checker = BlobChecker::new(manifest, index, false);
        let mut file = File::open(&path).map_err(CacheError::io("opening", &path))?;
        let mut at = 0;
        for_each_piece(&mut file, &path, |bytes| {
            checker.update(bytes);
            at += bytes.len() as u64;
            step(at);
            Ok(())
        })?;
        damaged_if(manifest, index, checker.finish(), "in the cache")
    }

    /// Copy through `ingest/`, going on from what an interrupted import left. Gives the bytes copied.
    fn copy_blob(
        &self,
        source: &Layout,
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
        source: &Layout,
        manifest: &Manifest,
        index: usize,
        to_path: &Path,
        step: &mut dyn FnMut(u64),
    ) -> Result<(u64, Option<CacheError>), CacheError> {
        let blob = manifest.blobs[index];
        let from_path = source.blob_path(blob.sha256);
        let mut from = File::open(&from_path).map_err(CacheError::io("opening", &from_path))?;
        let mut to = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(to_path)
            .map_err(CacheError::io("opening", to_path))?;

        let mut checker = BlobChecker::new(manifest, index, true);
        let mut sha256 = Sha256Hasher::new();
        let mut at = 0;
        let mut take = |bytes: &[u8]| {
            checker.update(bytes);
            sha256.update(bytes);
            at += bytes.len() as u64;
            step(at.min(blob.size_bytes));
        };
        let kept = to.metadata().map_err(CacheError::io("reading", to_path))?.len().min(blob.size_bytes);
        to.set_len(kept).map_err(CacheError::io("shortening", to_path))?;
        for_each_piece(&mut to, to_path, |bytes| {
            take(bytes);
            Ok(())
        })?;
        from.seek(SeekFrom::Start(kept)).map_err(CacheError::io("reading", &from_path))?;
        // One byte more than expected is read, so that a blob that grew is noticed, and endless data is not.
        let mut rest = (&mut from).take(blob.size_bytes - kept + 1);
        for_each_piece(&mut rest, &from_path, |bytes| {
            take(bytes);
            to.write_all(bytes).map_err(CacheError::io("writing", to_path))
        })?;

        let copied = at - kept;
        let mut bad = checker.finish();
        if sha256.finish() != blob.sha256 {
            bad.push("its SHA-256 differs".to_owned());
        }
        if let Err(damaged) = damaged_if(manifest, index, bad, "in the source") {
            fs::remove_file(to_path).map_err(CacheError::io("removing", to_path))?;
            return Ok((copied, Some(damaged)));
        }
        to.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .and_then(|()| to.sync_all())
            .map_err(CacheError::io("saving", to_path))?;
        let path = self.layout().blob_path(blob.sha256);
        fs::rename(to_path, &path).map_err(CacheError::io("renaming to", &path))?;
        Ok((copied, None))
    }
}

/// Read to the end in pieces.
pub(crate) fn for_each_piece(
    from: &mut dyn Read,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), CacheError>,
) -> Result<(), CacheError> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&piece[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CacheError::io("reading", path)(error)),
        }
    }
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
