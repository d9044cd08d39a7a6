// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Media that somebody brings on a drive, copied into the station's cache: a layout on a FAT or exFAT volume, or a medium that
//! was written to the drive.
//!
//! An update of the appliance's own system may lie beside them, or alone. It is only brought to the station: whether it is
//! signed, and for this board, is seen by the program that installs it.
//!
//! A process without rights says where the files lie. They are read from there through the engine's job, and the cache
//! checks signatures and digests as with any other source: nothing that the drive says is believed.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use platen_cache::layout::{IndexEntry, check_marker, read_index};
use platen_cache::{BlobSource, Cache, CacheError, ImportProgress, WrittenFiles, WrittenMedium};
use platen_engine::verify::{Check, Report};
use platen_engine::{AlignedBuffer, Clock, PIECE_BYTES, ReadDrive, SystemClock, Watch, chain};
use platen_events::{Code, JobKind, MAX_UPDATE_BYTES};
use platen_media::allocation::UsedExtent;
use platen_media::placement::{PlacedFile, Placement};
use platen_media::sign::TrustedKeys;
use platen_media::{Sha256, envelope};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::look::look_for_layout;
use crate::media::PATIENCE;
use crate::paths::Paths;

/// As for a layout in a folder.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Copies what lies on the drive into the cache.
pub(crate) struct ImportCheck {
    pub(crate) keys: TrustedKeys,
    pub(crate) paths: Paths,
    /// The drive, for the process that looks at it.
    pub(crate) handle: File,
}

impl Check for ImportCheck {
    fn kind(&self) -> JobKind {
        JobKind::Import
    }

    fn medium(&self) -> Option<&str> {
        None
    }

    fn check(&mut self, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Report {
        let handle = self.handle.try_clone().map_err(|error| Failure::new(Exit::Machine, error));
        let imported = handle.and_then(|handle| import(drive, handle, &self.paths, &self.keys, watch));
        imported.unwrap_or_else(|failure| failure.to_report())
    }
}

/// Copy all media of a drive into the cache, and updates to where they are looked at.
pub(crate) fn import(
    drive: &mut dyn ReadDrive,
    handle: File,
    paths: &Paths,
    keys: &TrustedKeys,
    watch: &dyn Watch,
) -> Result<Report, Failure> {
    let found = look_for_layout(handle, drive.facts(), watch)?;
    let found = found.map_err(|why| Failure::new(Exit::Request, why).coded(Code::NothingToImport))?;
    let (has_media, updates) = (!found.files.is_empty(), found.updates.clone());
    let files = FilesOnDrive::new(drive, found, watch);
    let mut report = Report::default();
    match &paths.updates {
        Some(folder) => bring(&files, &updates, folder, &mut report)?,
        None if !has_media => {
            let text =
                "it brings an update of an appliance's system only, and this station runs on none that is kept for it";
            return Err(Failure::new(Exit::Request, text).coded(Code::NothingToImport));
        }
        None => {}
    }
    if !has_media {
        return Ok(report);
    }
    let cache = Cache::open(&paths.cache, None)?.patient(PATIENCE);
    let mut tell = |at: ImportProgress| watch.progress(at.done_bytes, at.total_bytes);
    let answers = match files.are_a_medium() {
        true => WrittenMedium::open(&files)
            .and_then(|medium| cache.import(&medium, None, keys, SystemClock::new().now(), &mut tell)),
        false => {
            files.check_marker().and_then(|()| cache.import(&files, None, keys, SystemClock::new().now(), &mut tell))
        }
    };
    let answers = answers.map_err(|error| files.failure(error))?;
    if let Some(trouble) = files.trouble.take() {
        return Err(trouble);
    }
    let mut refused = Vec::new();
    for answer in answers {
        match answer.result {
            Ok(imported) => {
                report.checked_bytes += imported.copied_bytes + imported.shared_bytes;
                report.imported.push(imported.name);
            }
            Err(error) => refused.push(of_the_drive(error)),
        }
    }
    match (&*report.imported, &*refused) {
        ([], [_, ..]) => Err(Failure::of_all(None, &refused)),
        _ => {
            let notes = refused.iter().map(|failure| format!("not imported: {}", failure.reason()));
            Ok(notes.fold(report, |report, note| report.with_note(&note)))
        }
    }
}

/// Copy updates into the folder where they are looked at: there is all of one, or nothing.
fn bring(files: &FilesOnDrive<'_>, updates: &[PlacedFile], folder: &Path, report: &mut Report) -> Result<(), Failure> {
    for update in updates {
        let name = update.path.to_ascii_lowercase();
        let size_bytes = update.size_bytes();
        if size_bytes > MAX_UPDATE_BYTES {
            let text = format!("{name}: expected at most {MAX_UPDATE_BYTES} bytes, found {size_bytes}");
            return Err(Failure::new(Exit::Request, text).coded(Code::UpdateDamaged));
        }
        let mut bytes = files.extents(&name, 0).map_err(|error| files.failure(error))?;
        let part = folder.join(format!("{name}.part"));
        let copied = File::create(&part)
            .and_then(|mut file| copy(&mut bytes, &mut file, |done| files.watch.progress(done, size_bytes)))
            .and_then(|()| fs::rename(&part, folder.join(&name)))
            .and_then(|()| File::open(folder)?.sync_all());
        if let Err(error) = copied {
            // Half of it takes room, and is nothing.
            let _ = fs::remove_file(&part);
            let trouble = files.trouble.take();
            return Err(trouble.unwrap_or_else(|| not_copied(&part, &error)));
        }
        report.checked_bytes += size_bytes;
        report.imported.push(name);
    }
    Ok(())
}

fn copy(from: &mut dyn Read, to: &mut File, mut tell: impl FnMut(u64)) -> io::Result<()> {
    let (mut buffer, mut done_bytes) = (vec![0; PIECE_BYTES], 0);
    loop {
        let len = from.read(&mut buffer)?;
        if len == 0 {
            return to.sync_all();
        }
        to.write_all(&buffer[..len])?;
        done_bytes += len as u64;
        tell(done_bytes);
    }
}

fn not_copied(part: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(Exit::Machine, format!("writing {}: {error}", part.display()));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => failure.coded(Code::UpdateNoRoom),
        _ => failure,
    }
}

/// The files of a layout, or of a medium, on a drive.
struct FilesOnDrive<'a> {
    name: PathBuf,
    /// By path, in small letters: these volumes tell no names apart by case.
    files: HashMap<String, PlacedFile>,
    sector_bytes: u64,
    drive: RefCell<&'a mut dyn ReadDrive>,
    watch: &'a dyn Watch,
    /// What the drive did, or somebody wanted: the cache says only that it could not read.
    trouble: Cell<Option<Failure>>,
}

impl<'a> FilesOnDrive<'a> {
    fn new(drive: &'a mut dyn ReadDrive, found: Placement, watch: &'a dyn Watch) -> Self {
        let facts = drive.facts();
        let name = format!("the drive in port {}: {}", facts.drive.port, found.name).into();
        let sector_bytes = facts.sector_bytes.into();
        let files =
            found.files.into_iter().chain(found.updates).map(|file| (file.path.to_ascii_lowercase(), file)).collect();
        Self { name, files, sector_bytes, drive: RefCell::new(drive), watch, trouble: Cell::default() }
    }

    /// What to say when the cache could not go on.
    fn failure(&self, error: CacheError) -> Failure {
        self.trouble.take().unwrap_or_else(|| of_the_drive(error))
    }

    fn are_a_medium(&self) -> bool {
        self.files.contains_key(envelope::MANIFEST)
    }

    fn check_marker(&self) -> Result<(), CacheError> {
        check_marker(&self.small("oci-layout", 4096)?, &self.name)
    }

    fn small(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, CacheError> {
        let mut bytes = Vec::new();
        let read = self.extents(path, 0)?.take(max_bytes + 1).read_to_end(&mut bytes);
        match read {
            Ok(len) if len as u64 > max_bytes => {
                let found = format!("{path} has more than {max_bytes} bytes");
                Err(CacheError::NotALayout { path: self.name.clone(), found })
            }
            Ok(_) => Ok(bytes),
            Err(source) => Err(CacheError::Io { doing: "reading", path: self.name.join(path), source }),
        }
    }

    fn extents(&self, path: &str, from_bytes: u64) -> Result<Extents<'_, 'a>, CacheError> {
        let file = self.files.get(&path.to_ascii_lowercase()).ok_or_else(|| CacheError::Io {
            doing: "opening",
            path: self.name.join(path),
            source: io::ErrorKind::NotFound.into(),
        })?;
        let mut left: VecDeque<UsedExtent> = file.extents.iter().copied().collect();
        let mut skip_bytes = from_bytes;
        while let Some(first) = left.front().filter(|first| first.len_bytes <= skip_bytes) {
            skip_bytes -= first.len_bytes;
            left.pop_front();
        }
        // Media have many small files.
        let most_bytes = left.iter().map(|extent| extent.len_bytes).max().unwrap_or_default();
        let buffer =
            AlignedBuffer::new(most_bytes.next_multiple_of(self.sector_bytes).min(PIECE_BYTES as u64) as usize);
        Ok(Extents { layout: self, left, skip_bytes, buffer, filled: 0..0 })
    }
}

impl WrittenFiles for FilesOnDrive<'_> {
    fn name(&self) -> &Path {
        &self.name
    }

    fn holds(&self, path: &str, size_bytes: u64) -> bool {
        self.files.get(&path.to_ascii_lowercase()).is_some_and(|file| file.size_bytes() == size_bytes)
    }

    fn open(&self, path: &str, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError> {
        Ok(Box::new(self.extents(path, from_bytes)?))
    }
}

impl BlobSource for FilesOnDrive<'_> {
    fn name(&self) -> &Path {
        &self.name
    }

    fn entries(&self) -> Result<Vec<IndexEntry>, CacheError> {
        read_index(&self.small("index.json", MAX_INDEX_BYTES)?, self)
    }

    fn blob_size_bytes(&self, digest: Sha256) -> Result<Option<u64>, CacheError> {
        Ok(self.files.get(&blob(digest)).map(PlacedFile::size_bytes))
    }

    fn read_blob(&self, digest: Sha256, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError> {
        Ok(Box::new(self.extents(&blob(digest), from_bytes)?))
    }
}

/// Damage is the drive's here, not the cache's.
fn of_the_drive(error: CacheError) -> Failure {
    let failure = Failure::from(error);
    match failure.code {
        None | Some(Code::CacheDamaged | Code::CacheMissing) if failure.exit == Exit::Request => {
            failure.coded(Code::NothingToImport)
        }
        _ => failure,
    }
}

fn blob(digest: Sha256) -> String {
    format!("blobs/sha256/{digest}")
}

/// The bytes of a file, read piece by piece.
struct Extents<'s, 'a> {
    layout: &'s FilesOnDrive<'a>,
    left: VecDeque<UsedExtent>,
    /// Of the first one, before what is wanted.
    skip_bytes: u64,
    buffer: AlignedBuffer,
    /// Read and not handed out yet.
    filled: Range<usize>,
}

impl Read for Extents<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.filled.is_empty() {
            self.fill()?;
        }
        let len = to.len().min(self.filled.len());
        to[..len].copy_from_slice(&self.buffer[self.filled.start..][..len]);
        self.filled.start += len;
        Ok(len)
    }
}

impl Extents<'_, '_> {
    /// The next piece; nothing at the end.
    fn fill(&mut self) -> io::Result<()> {
        let Some(extent) = self.left.front_mut() else { return Ok(()) };
        let sector_bytes = self.layout.sector_bytes;
        let skip_bytes = std::mem::take(&mut self.skip_bytes);
        // Drives are read in whole sectors; an extent begins with one.
        let skipped = skip_bytes / sector_bytes * sector_bytes;
        let len = (extent.len_bytes - skipped).min(PIECE_BYTES as u64);
        let whole = len.next_multiple_of(sector_bytes) as usize;
        let layout = self.layout;
        if !layout.watch.is_wanted() {
            layout.trouble.set(Some(Failure::new(Exit::Request, "stopped").coded(Code::Cancelled)));
            return Err(io::Error::other("stopped"));
        }
        let mut drive = layout.drive.borrow_mut();
        drive.read_at(extent.offset_bytes + skipped, &mut self.buffer[..whole]).map_err(|error| {
            layout.trouble.set(Some(Failure::new(Exit::Drive, chain(&error)).coded(error.code())));
            io::Error::other(error)
        })?;
        self.filled = (skip_bytes - skipped) as usize..len as usize;
        extent.offset_bytes += skipped + len;
        extent.len_bytes -= skipped + len;
        if extent.len_bytes == 0 {
            self.left.pop_front();
        }
        Ok(())
    }
}
