// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading contents once: into blobs of the layout, with both digests of every file.

pub(crate) mod raw;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use nix::libc;
use platen_cache::free_bytes;
use platen_cache::layout::{BlobWriter, Layout};
use platen_cache::pieces::{Beside, PIECE_BYTES, Piece, Pieces};
use platen_media::manifest::{Blob, BlobSlice, Content, ContentKind, FileRecord, Location};
use platen_media::piece_tree::{PieceHasher, PieceTree};
use platen_media::{Blake3, MediaPath, Sha256, Timestamp};

use crate::content::item::{Item, Planned};
use crate::content::walk::SourceFile;
use crate::{AuthorError, BuildOptions, BuildProgress};

/// Files of at least this size are blobs of their own; smaller ones of a content share one.
pub(crate) const BLOB_BYTES: u64 = 8 << 20;

/// What was stored so far, in the shape of the manifest.
pub(crate) struct Store<'a> {
    layout: &'a Layout,
    options: &'a BuildOptions,
    progress: BuildProgress,
    pieces: Pieces,
    pub(crate) contents: Vec<Content>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) files: Vec<FileRecord>,
    pub(crate) folders: Vec<MediaPath>,
    by_digest: HashMap<Sha256, u32>,
}

/// The small files of one content, on their way into one blob.
struct Pack {
    writer: BlobWriter,
    size_bytes: u64,
    /// Where bytes with this digest begin.
    known: HashMap<Sha256, u64>,
}

impl Pack {
    fn put(&mut self, bytes: &[u8], sha256: Sha256) -> Result<u64, std::io::Error> {
        if let Some(&offset_bytes) = self.known.get(&sha256) {
            return Ok(offset_bytes);
        }
        let offset_bytes = self.size_bytes;
        self.writer.write_all(bytes)?;
        self.size_bytes += bytes.len() as u64;
        self.known.insert(sha256, offset_bytes);
        Ok(offset_bytes)
    }
}

impl<'a> Store<'a> {
    pub(crate) fn new(layout: &'a Layout, options: &'a BuildOptions, total_bytes: u64) -> Self {
        Self {
            layout,
            options,
            progress: BuildProgress { done_bytes: 0, total_bytes },
            pieces: Pieces::new(PIECE_BYTES),
            contents: Vec::new(),
            blobs: Vec::new(),
            files: Vec::new(),
            folders: Vec::new(),
            by_digest: HashMap::new(),
        }
    }

    pub(crate) fn advance(&mut self, bytes: u64) {
        self.progress.done_bytes += bytes;
        if let Some(progress) = &self.options.progress {
            progress(self.progress);
        }
    }

    /// Index of a blob that is in the layout.
    pub(crate) fn blob(&mut self, sha256: Sha256, size_bytes: u64) -> u32 {
        let next = u32::try_from(self.blobs.len()).expect("fewer blobs than bytes of a manifest");
        *self.by_digest.entry(sha256).or_insert_with(|| {
            self.blobs.push(Blob { sha256, size_bytes });
            next
        })
    }

    /// Reads and stores one content. Returns where its slices are.
    pub(crate) fn content(&mut self, planned: &Planned) -> Result<Vec<BlobSlice>, AuthorError> {
        let content = u32::try_from(self.contents.len()).expect("fewer contents than lines of a definition");
        let mut pack: Option<Pack> = None;
        // Offsets in the pack, of files and slices; its blob has no index before it is whole.
        let (mut packed, mut slices) = (Vec::new(), Vec::new());
        let mut trees = BTreeMap::new();
        let mut size_bytes = 0;
        for item in &planned.items {
            let record = match item {
                Item::File(file) => {
                    let (record, tree) = if file.size_bytes() >= BLOB_BYTES {
                        self.large(file)?
                    } else {
                        let bytes = self.small(file)?;
                        (self.pack(&mut pack, &file.place, &bytes, &mut packed)?, PieceTree::of(&bytes))
                    };
                    // Other contents are read from their first to their last byte when they are used.
                    if planned.kind == ContentKind::OperatingSystemImage
                        && let Some(place) = PieceTree::path(record.size_bytes, record.blake3)
                    {
                        trees.insert(place, tree.to_bytes());
                    }
                    FileRecord { modified: Some(self.time_of(file)), ..record }
                }
                Item::Bytes { place, bytes } => {
                    let record = self.pack(&mut pack, place, bytes, &mut packed)?;
                    self.advance(bytes.len() as u64);
                    record
                }
                Item::Wim(wim) => {
                    let found = "one that was not prepared".to_owned();
                    let path = wim.place.as_str().into();
                    return Err(AuthorError::Wim { path, expected: "a verified WIM".into(), found });
                }
            };
            size_bytes += record.size_bytes;
            self.files.push(FileRecord { content, ..record });
        }
        for (place, bytes) in &trees {
            let record = self.pack(&mut pack, place, bytes, &mut packed)?;
            size_bytes += record.size_bytes;
            self.files.push(FileRecord { content, ..record });
        }
        for bytes in &planned.slices {
            let sha256 = Sha256::of(bytes);
            let offset_bytes = self.put_in_pack(&mut pack, bytes, sha256)?;
            let at = Location { blob: 0, offset_bytes };
            slices.push(BlobSlice { at, size_bytes: bytes.len() as u64, blake3: Blake3::of(bytes) });
        }
        if let Some(pack) = pack {
            let (sha256, size_bytes) = pack.writer.finish()?;
            let blob = self.blob(sha256, size_bytes);
            for (file, offset_bytes) in packed {
                let file: usize = file;
                self.files[file].at = Some(Location { blob, offset_bytes });
            }
            for slice in &mut slices {
                slice.at.blob = blob;
            }
        }
        self.folders.extend(planned.folders.iter().cloned());
        self.contents.push(Content {
            id: planned.id.clone(),
            kind: planned.kind,
            name: planned.name.clone(),
            version: planned.version.clone(),
            size_bytes,
        });
        Ok(slices)
    }

    /// Files in the order in which a medium is streamed; folders by name.
    pub(crate) fn sort(&mut self) {
        let key = |file: &FileRecord| (file.content, file.at.map(|at| (at.blob, at.offset_bytes)));
        self.files.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path)));
        self.folders.sort();
    }

    /// As FAT can hold it. Where a build is to be reproducible, no file is newer than the time it is given.
    fn time_of(&self, file: &SourceFile) -> Timestamp {
        let latest_s = self.options.source_date_epoch.unwrap_or(i64::MAX);
        let modified_s = file.modified_s.min(latest_s);
        Timestamp::from_unix_s(modified_s.clamp(*FAT_TIMES_S.start(), *FAT_TIMES_S.end()))
    }

    fn put_in_pack(&self, pack: &mut Option<Pack>, bytes: &[u8], sha256: Sha256) -> Result<u64, AuthorError> {
        let pack = match pack {
            Some(pack) => pack,
            None => pack.insert(Pack { writer: self.layout.blob_writer()?, size_bytes: 0, known: HashMap::new() }),
        };
        pack.put(bytes, sha256).map_err(|error| write_failed(self.layout, bytes.len() as u64)(error))
    }

    fn pack(
        &self,
        pack: &mut Option<Pack>,
        place: &MediaPath,
        bytes: &[u8],
        packed: &mut Vec<(usize, u64)>,
    ) -> Result<FileRecord, AuthorError> {
        let sha256 = Sha256::of(bytes);
        if !bytes.is_empty() {
            packed.push((self.files.len(), self.put_in_pack(pack, bytes, sha256)?));
        }
        Ok(record(place, bytes.len() as u64, Blake3::of(bytes), sha256))
    }

    fn small(&mut self, file: &SourceFile) -> Result<Vec<u8>, AuthorError> {
        let mut bytes = Vec::with_capacity(usize::try_from(file.size_bytes()).unwrap_or(0));
        let mut reader = Reader::open(file)?;
        // One byte more than expected is enough to know that it grew.
        (&mut reader.file).take(file.size_bytes() + 1).read_to_end(&mut bytes).map_err(|error| reader.failed(error))?;
        reader.ended(bytes.len() as u64)?;
        self.advance(bytes.len() as u64);
        Ok(bytes)
    }

    fn large(&mut self, file: &SourceFile) -> Result<(FileRecord, PieceTree), AuthorError> {
        let mut reader = Reader::open(file)?;
        let mut stream = self.layout.blob_stream()?;
        let blake3 = Beside::start(PieceHasher::new(), |hasher: &mut PieceHasher, piece: Arc<Piece>| {
            hasher.update(&piece);
        });
        let blake3 = blake3.map_err(AuthorError::io("starting a thread that digests", &file.path))?;
        let mut done_bytes = 0;
        loop {
            let piece = self.pieces.read(&mut reader.file).map_err(|error| reader.failed(error))?;
            let count = piece.len() as u64;
            done_bytes += count;
            if count == 0 || done_bytes > file.size_bytes() {
                break;
            }
            blake3.give(Arc::clone(&piece));
            stream.write(&piece).map_err(write_failed(self.layout, file.size_bytes()))?;
            self.advance(count);
        }
        reader.ended(done_bytes)?;
        let (sha256, size_bytes) = stream.finish()?;
        let at = Location { blob: self.blob(sha256, size_bytes), offset_bytes: 0 };
        let tree = blake3.finish().finish();
        Ok((FileRecord { at: Some(at), ..record(&file.place, size_bytes, tree.root(), sha256) }, tree))
    }
}

fn record(place: &MediaPath, size_bytes: u64, blake3: Blake3, sha256: Sha256) -> FileRecord {
    FileRecord { path: place.clone(), size_bytes, blake3, sha256, content: 0, at: None, modified: None }
}

/// FAT's first second and its last, in seconds since 1970.
const FAT_TIMES_S: std::ops::RangeInclusive<i64> = 315_532_800..=4_354_819_199;

/// For `map_err` on writes into a layout: a full disk is named with what would have been needed.
pub(crate) fn write_failed(layout: &Layout, needed_bytes: u64) -> impl FnOnce(std::io::Error) -> AuthorError {
    let path = layout.dir().to_owned();
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            let free_bytes = free_bytes(&path).unwrap_or(0);
            AuthorError::Space { path, needed_bytes: needed_bytes.max(free_bytes + 1), free_bytes }
        }
        _ => AuthorError::io("writing into", &path)(error),
    }
}

/// An input that is read from its first to its last byte and must not change while it is read.
struct Reader<'f> {
    source: &'f SourceFile,
    file: File,
}

impl<'f> Reader<'f> {
    fn open(source: &'f SourceFile) -> Result<Self, AuthorError> {
        let mut options = OpenOptions::new();
        // Whatever took the file's place since it was listed must neither be followed nor waited for.
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let unreadable = |error: std::io::Error| AuthorError::Contents {
            problems: vec![format!(
                "{}: expected a file, found {}",
                source.path.display(),
                crate::definition::sources::reason(&error)
            )],
        };
        let file = options.open(&source.path).map_err(unreadable)?;
        let reader = Self { source, file };
        reader.compare()?;
        Ok(reader)
    }

    /// The file is the one that was listed, and as it was then.
    fn compare(&self) -> Result<(), AuthorError> {
        let metadata = self.file.metadata().map_err(|error| self.failed(error))?;
        self.source.stamp.compare(&self.source.path, &metadata)
    }

    fn failed(&self, error: std::io::Error) -> AuthorError {
        AuthorError::io("reading", &self.source.path)(error)
    }

    fn ended(&self, found_bytes: u64) -> Result<(), AuthorError> {
        self.compare()?;
        let expected_bytes = self.source.size_bytes();
        if found_bytes == expected_bytes {
            return Ok(());
        }
        let (expected, found) = (format!("{expected_bytes} bytes as at the start"), format!("{found_bytes} bytes"));
        Err(AuthorError::Changed { path: self.source.path.clone(), expected, found })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::definition::sources::Stamp;

    fn listed(path: &Path) -> SourceFile {
        let stamp = Stamp::of(&path.metadata().expect("there"));
        SourceFile { path: path.to_owned(), place: MediaPath::new("data").expect("good"), stamp, modified_s: 0 }
    }

    #[test]
    fn a_file_that_changed_since_it_was_listed_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let layout = Layout::create(&dir.path().join("out")).expect("a layout");
        let options = BuildOptions::default();
        let path = dir.path().join("data");
        for (listed_bytes, now_bytes) in [(10, 11), (10, 9), (BLOB_BYTES, BLOB_BYTES + 1), (BLOB_BYTES, 5)] {
            File::create(&path).and_then(|file| file.set_len(listed_bytes)).expect("writes");
            let file = listed(&path);
            File::create(&path).and_then(|file| file.set_len(now_bytes)).expect("writes");
            let mut store = Store::new(&layout, &options, listed_bytes);
            let result =
                if listed_bytes < BLOB_BYTES { store.small(&file).map(drop) } else { store.large(&file).map(drop) };
            let error = result.expect_err("changed").to_string();
            assert!(
                error.contains(&format!("expected {listed_bytes} bytes as at the start, found {now_bytes}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_file_that_grows_or_shrinks_while_it_is_read_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("data");
        let file = File::create(&path).expect("makes");
        for now_bytes in [101, 99] {
            file.set_len(100).expect("sets");
            let source = listed(&path);
            let mut reader = Reader::open(&source).expect("as listed");
            file.set_len(now_bytes).expect("sets");
            let mut bytes = Vec::new();
            (&mut reader.file).take(source.size_bytes() + 1).read_to_end(&mut bytes).expect("reads");
            let error = reader.ended(bytes.len() as u64).expect_err("changed").to_string();
            assert!(error.contains(&format!("found {now_bytes} bytes")), "{error}");
        }
    }
}
