// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's store: a layout plus what the station remembers about it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use platen_media::manifest::{Manifest, Validity};
use platen_media::sign::{SignedMedia, TrustedKeys, signer};
use platen_media::{Blake3, Sha256, Timestamp, envelope};
use serde::Serialize;

use crate::files::make_dir;
use crate::layout::{IndexEntry, Layout, SmallFiles, small_files};
use crate::lease::Lease;
use crate::lock::{ASK_AGAIN, Lock};
use crate::{BlobSource, CacheError, CachedMedia};

/// A collection holds a medium's lock for the moment in which it asks whether it is leased.
const LEASE_LIMIT: Duration = Duration::from_secs(120);

/// How a person names a medium: `ID` for the newest revision here, or `ID-rREVISION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRef {
    /// The medium's id.
    pub id: String,
    /// One of its revisions; `None`: the newest that is here.
    pub revision: Option<u32>,
}

impl FromStr for MediaRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, revision) = match text.rsplit_once("-r") {
            Some((id, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let revision = digits.parse().map_err(|_| format!("revision in {text:?}: expected a 32-bit number"))?;
                (id, Some(revision))
            }
            _ => (text, None),
        };
        if platen_media::manifest::is_id(id) {
            Ok(Self { id: id.to_owned(), revision })
        } else {
            Err(format!("expected ID or ID-rREVISION, found {text:?}"))
        }
    }
}

impl fmt::Display for MediaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "{}-r{revision}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// One line of `platen cache list`.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// `<id>-r<revision>`.
    pub name: String,
    /// The medium's name, for people.
    pub title: String,
    /// The medium's version, for people.
    pub version: String,
    /// What kind of medium it is.
    pub kind: String,
    /// All its files together, in bytes.
    pub content_bytes: u64,
    /// None when the medium's own files are damaged; then the texts above are empty.
    pub created: Option<Timestamp>,
    /// The number of the key that its signature names. Whether it is trusted was seen at the import, and is seen again
    /// whenever the medium is written.
    pub signed_by: Option<String>,
    /// When it may be used.
    pub validity: Validity,
    /// It is kept, and may be written, although a newer revision is here.
    pub pinned: bool,
    /// None when every blob is there; else what is missing or wrong.
    pub problem: Option<String>,
}

/// The content store of a station: a layout, and what the station remembers of the media that were in it.
#[derive(Debug)]
pub struct Cache {
    layout: Layout,
    pub(crate) quota_bytes: Option<u64>,
    patience: Duration,
}

impl Cache {
    /// Open the store in `dir`, making an empty one where there is nothing yet. `quota_bytes` limits what imports
    /// may fill.
    pub fn open(dir: &Path, quota_bytes: Option<u64>) -> Result<Self, CacheError> {
        let cache = Self { layout: Layout::create(dir)?, quota_bytes, patience: Duration::ZERO };
        make_dir(&cache.ingest_dir())?;
        Ok(cache)
    }

    /// Open a store that is there already; it may be read-only.
    pub fn open_existing(dir: &Path) -> Result<Self, CacheError> {
        Ok(Self { layout: Layout::open(dir)?, quota_bytes: None, patience: Duration::ZERO })
    }

    /// Wait so long for another process that changes the store, instead of giving up at once.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The OCI layout below.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn ingest_dir(&self) -> PathBuf {
        self.layout.dir().join("ingest")
    }

    /// Keep other importing, scrubbing or collecting processes out until the result is dropped.
    pub(crate) fn lock(&self) -> Result<Lock, CacheError> {
        Lock::take(&self.layout.dir().join("lock"), self.patience)
    }

    /// The newest signed time seen: a clock that is behind it is wrong.
    pub fn time_floor(&self) -> Result<Option<Timestamp>, CacheError> {
        Ok(self.state()?.newest_signed)
    }

    /// Find a medium by name.
    pub fn find(&self, wanted: &MediaRef) -> Result<IndexEntry, CacheError> {
        self.layout.find(wanted)
    }

    /// A medium that may be written: signature, minimum version (unless it is pinned) and the presence of all content
    /// hold at this moment.
    pub fn load(&self, wanted: &MediaRef, keys: &TrustedKeys) -> Result<CachedMedia, CacheError> {
        let (entry, lease) = self.lease(wanted)?;
        let CheckedEntry { signed, sums, .. } = check_entry(&self.layout, &entry, keys)?;
        let state = self.state()?;
        state.check_signer(&signed, keys)?;
        let mut newest_revision = None;
        if let Err(older) = state.check_minimum(signed.manifest()) {
            if !state.pinned.contains(&entry.name) {
                return Err(older);
            }
            newest_revision = state.newest_revision(&signed.manifest().id);
        }
        CachedMedia::new(self.layout.clone(), entry.name, signed, sums, newest_revision, lease)
    }

    /// Find a medium and keep it from being collected.
    fn lease(&self, wanted: &MediaRef) -> Result<(IndexEntry, Lease), CacheError> {
        let begun = Instant::now();
        loop {
            let entry = self.find(wanted)?;
            let path = self.layout.blob_path(entry.oci_manifest);
            let lease = Lease::take(&path).map_err(CacheError::io("opening", &path))?;
            // A collection that began before the lease was there has taken the medium out of the index by now.
            match lease {
                Some(lease) if self.find(wanted)? == entry => return Ok((entry, lease)),
                None if begun.elapsed() >= LEASE_LIMIT => {
                    return Err(CacheError::Locked { path, waited_s: begun.elapsed().as_secs() });
                }
                _ => std::thread::sleep(ASK_AGAIN),
            }
        }
    }

    /// Everything in the store, newest last.
    pub fn list(&self) -> Result<Vec<Listed>, CacheError> {
        let state = self.state()?;
        let entries = self.layout.entries()?;
        let line = |entry: &IndexEntry| {
            let read = self.layout.media(entry).and_then(|media| {
                let name = entry.name.clone();
                let manifest = Manifest::from_json(&media.manifest_bytes);
                let manifest = manifest.map_err(|source| CacheError::Manifest { name, source })?;
                Ok((manifest, signer(&media.manifest_signature)))
            });
            let (manifest, signed_by, problem) = match read {
                Ok((manifest, signed_by)) => {
                    let problem = match missing_content(&[&self.layout], &manifest) {
                        Ok(missing) if missing.is_empty() => None,
                        Ok(missing) => Some(format!("missing content: {}", missing.join("; "))),
                        Err(error) => Some(platen_media::chain(&error)),
                    };
                    (Some(manifest), signed_by, problem)
                }
                // One damaged medium must not hide the others.
                Err(error) => (None, None, Some(platen_media::chain(&error))),
            };
            let text = |of: fn(&Manifest) -> String| manifest.as_ref().map(of).unwrap_or_default();
            Listed {
                name: entry.name.clone(),
                title: text(|manifest| manifest.name.clone()),
                version: text(|manifest| manifest.version.clone()),
                kind: text(|manifest| manifest.kind.to_string()),
                content_bytes: manifest.as_ref().map_or(0, Manifest::content_bytes),
                created: manifest.as_ref().map(|manifest| manifest.created),
                signed_by,
                validity: manifest.as_ref().map(|manifest| manifest.validity).unwrap_or_default(),
                pinned: state.pinned.contains(&entry.name),
                problem,
            }
        };
        Ok(entries.iter().map(line).collect())
    }
}

/// One entry whose signatures hold.
pub(crate) struct CheckedEntry {
    pub(crate) signed: SignedMedia,
    pub(crate) sums: Sums,
    pub(crate) media: SmallFiles,
}

/// Check signatures of one entry, and that it is what its place in the index says.
pub(crate) fn check_entry(
    source: &dyn BlobSource,
    entry: &IndexEntry,
    keys: &TrustedKeys,
) -> Result<CheckedEntry, CacheError> {
    let media = small_files(source, entry)?;
    let signature = |source| CacheError::Signature { name: entry.name.clone(), source };
    let signed = SignedMedia::check_digested(media.manifest.as_ref(), media.manifest_signature.clone(), keys)
        .map_err(signature)?;
    keys.check(envelope::SHA256SUMS, media.sums.bytes(), &media.sums_signature).map_err(signature)?;
    let wrong = |found: String| CacheError::Entry { path: source.name().to_owned(), entry: entry.name.clone(), found };
    let name = crate::layout::entry_name(signed.manifest());
    if name != entry.name {
        return Err(wrong(format!("it holds medium {name}")));
    }
    if media.blobs != signed.manifest().blobs {
        return Err(wrong("its layers are not the blobs of its manifest".to_owned()));
    }
    // Both files are signed on their own: without this, one could say of a file what the other does not.
    if !signed.manifest().has_sha256_sums(signed.manifest_digest(), media.sums.bytes()) {
        return Err(wrong(disagreement(media.sums.bytes(), &signed)));
    }
    let sums = Sums {
        size_bytes: media.sums.bytes().len() as u64,
        sha256: media.sums.sha256(),
        blake3: Blake3::of(media.sums.bytes()),
        signature: media.sums_signature.clone(),
    };
    Ok(CheckedEntry { signed, sums, media })
}

/// What is wrong with SHA256SUMS that are not those of the manifest.
fn disagreement(sums: &[u8], signed: &SignedMedia) -> String {
    let line = format!("{}  {}", signed.manifest_digest(), envelope::MANIFEST);
    if !sums.split(|&b| b == b'\n').any(|found| found == line.as_bytes()) {
        return format!("{} is of another release: it lacks the line {line:?}", envelope::SHA256SUMS);
    }
    let expected = signed.manifest().sha256_sums(signed.manifest_digest());
    let mut lines = expected.split(|&b| b == b'\n').zip(sums.split(|&b| b == b'\n'));
    let (expected, found) = lines.find(|(expected, found)| expected != found).unwrap_or_default();
    let text = |line| String::from_utf8_lossy(line).chars().take(400).collect::<String>();
    let (expected, found) = (text(expected), text(found));
    format!("{} disagrees with the manifest: expected the line {expected:?}, found {found:?}", envelope::SHA256SUMS)
}

/// SHA256SUMS and its signature, checked. The text stays in the store.
#[derive(Debug, Clone)]
pub struct Sums {
    /// Length of SHA256SUMS in bytes.
    pub size_bytes: u64,
    /// Its blob in the store.
    pub sha256: Sha256,
    /// Of SHA256SUMS.
    pub blake3: Blake3,
    /// The text of the minisign file over SHA256SUMS.
    pub signature: String,
}

/// What a manifest needs and none of the sources has: one entry for each missing blob, naming what is in it.
pub(crate) fn missing_content(sources: &[&dyn BlobSource], manifest: &Manifest) -> Result<Vec<String>, CacheError> {
    let mut missing = Vec::new();
    for (index, blob) in manifest.blobs.iter().enumerate() {
        let mut found_bytes = None;
        for source in sources {
            found_bytes = source.blob_size_bytes(blob.sha256)?.or(found_bytes);
            if found_bytes == Some(blob.size_bytes) {
                break;
            }
        }
        match found_bytes {
            Some(found) if found == blob.size_bytes => {}
            Some(found) => {
                let what = holds(manifest, index);
                missing.push(format!("{what} (expected {} bytes, found {found})", blob.size_bytes));
            }
            None => missing.push(holds(manifest, index)),
        }
    }
    Ok(missing)
}

/// What is in a blob, for messages: contents by kind, id and name, and the file when it is only one.
pub(crate) fn holds(manifest: &Manifest, blob: usize) -> String {
    let files: Vec<_> =
        manifest.files.iter().filter(|file| file.at.is_some_and(|at| at.blob as usize == blob)).collect();
    let mut contents: Vec<String> = files
        .iter()
        .filter_map(|file| manifest.content_of(file))
        .map(|content| format!("{} {} ({})", content.kind, content.id, content.name))
        .collect();
    contents.dedup();
    match &*files {
        [] if manifest.image.is_some() => "the disk image".to_owned(),
        [] => "BIOS boot code".to_owned(),
        [file] => format!("{}: {}", contents.join(", "), file.path),
        _ => format!("{}: {} files", contents.join(", "), files.len()),
    }
}
