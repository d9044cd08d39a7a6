// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive that becomes content for others: what is in use of it is read once, and becomes a raw medium that this station
//! signs with its own key. No other station takes it, and it says of itself that its author did not sign it.

use std::fs::File;
use std::sync::Arc;

use platen_cache::Cache;
use platen_cache::layout::{ImageParts, Layout, MediaEntry};
use platen_disk::grow_gpt;
use platen_engine::verify::{Check, Report};
use platen_engine::{AlignedBuffer, Clock, Journal, ReadDrive, SystemClock, Unrecorded, Watch, chain};
use platen_events::{Code, JobKind, clean};
use platen_media::allocation::Allocation;
use platen_media::examination::Depth;
use platen_media::manifest::{
    Blob, Content, ContentKind, ImageGpt, ImagePart, Manifest, MediaKind, RawImage, SCHEMA, Validity,
};
use platen_media::sign::TrustedKeys;
use platen_media::spec::MAX_NAME;
use platen_media::{Sha256, VolumeLabel};
use tempfile::TempDir;

use crate::check::examined;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::incoming;
use crate::look::look_for_use;
use crate::media::PATIENCE;
use crate::paths::Paths;

/// Ids of media that a station made of foreign drives begin with this.
pub(crate) const PREFIX: &str = "DUPLICATE-";
/// What every screen and row says of such a medium.
const VERSION: &str = "not signed by its author";

/// Makes a medium of the drive, or takes the one that it carries.
pub(crate) struct MasterCheck {
    pub(crate) keys: TrustedKeys,
    pub(crate) paths: Paths,
    /// Signs in the station's name.
    pub(crate) journal: Arc<dyn Journal>,
    /// The drive, for the process that looks at it.
    pub(crate) handle: File,
    /// What was read of it, signed and not in the cache yet.
    pub(crate) staged: Option<TempDir>,
}

impl Check for MasterCheck {
    fn kind(&self) -> JobKind {
        JobKind::ReadMaster
    }

    fn medium(&self) -> Option<&str> {
        None
    }

    fn check(&mut self, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Report {
        let made = self.medium_of(drive, watch);
        made.unwrap_or_else(|failure| failure.to_report())
    }

    fn keep(&mut self, report: Report, watch: &dyn Watch) -> Report {
        let Some(staged) = self.staged.take() else { return report };
        self.import(&staged, watch).map_or_else(|failure| failure.to_report(), |()| report)
    }
}

impl MasterCheck {
    fn medium_of(&mut self, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Result<Report, Failure> {
        let handle = || self.handle.try_clone().map_err(|error| Failure::new(Exit::Machine, error));
        let named = examined(drive, handle()?, Depth::Names, &self.paths, &self.keys, watch)?;
        if let Some(medium) = &named.medium {
            // Of a trusted author: its own signature is kept, and so is the content that is here already.
            if self.is_here(&format!("{}-r{}", medium.id, medium.revision)) {
                return examined(drive, handle()?, Depth::Content, &self.paths, &self.keys, watch);
            }
            let imported = incoming::import(drive, handle()?, &self.paths, &self.keys, watch)?;
            return Ok(Report { medium: named.medium, ..imported });
        }
        let used = look_for_use(handle()?, drive.facts(), watch)?;
        let used = used.map_err(|why| Failure::new(Exit::Request, why).coded(Code::ReadFailed))?;
        self.copy(drive, &used, watch)
    }

    fn is_here(&self, name: &str) -> bool {
        let listed = Cache::open_existing(&self.paths.cache).and_then(|cache| cache.list()).unwrap_or_default();
        listed.iter().any(|listed| *listed.name == *name)
    }

    /// Into the cache as any other medium, but for who is trusted.
    fn import(&self, staged: &TempDir, watch: &dyn Watch) -> Result<(), Failure> {
        let cache = Cache::open(&self.paths.cache, None)?.patient(PATIENCE);
        let (layout, keys) = (Layout::open(staged.path())?, station_keys(&self.paths)?);
        for answer in cache.import(&layout, None, &keys, SystemClock::new().now(), &mut |_| watch.heard())? {
            answer.result?;
        }
        Ok(())
    }

    fn copy(&mut self, drive: &mut dyn ReadDrive, used: &Allocation, watch: &dyn Watch) -> Result<Report, Failure> {
        let cache = Cache::open(&self.paths.cache, None)?.patient(PATIENCE);
        let folder = self.paths.cache.parent().filter(|folder| !folder.as_os_str().is_empty());
        // On the cache's own disk; gone whatever happens.
        let staging = tempfile::Builder::new()
            .prefix(".duplicate-")
            .tempdir_in(folder.unwrap_or(std::path::Path::new(".")))
            .map_err(|error| Failure::new(Exit::Machine, format!("making a folder beside the cache: {error}")))?;
        let layout = Layout::create(staging.path())?;
        let table = Table::of(drive)?;
        let (parts, blob) = store(drive, used, &table, &layout, watch)?;
        let manifest = self.manifest(drive, used, &table, parts, blob, &cache)?;
        let entry = self.signed(&manifest)?;
        let name = layout.publish(&manifest, &entry)?.name;
        self.staged = Some(staging);
        Ok(Report { image: Some(name), checked_bytes: used.used_bytes(), notes: notes(used), ..Report::default() })
    }

    fn manifest(
        &self,
        drive: &dyn ReadDrive,
        used: &Allocation,
        table: &Table,
        parts: Vec<ImagePart>,
        blob: Option<Blob>,
        cache: &Cache,
    ) -> Result<Manifest, Failure> {
        let facts = drive.facts();
        let says =
            [facts.model.as_deref(), facts.serial.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let of = if says.is_empty() { format!("a drive in port {}", facts.drive.port) } else { says };
        let name: String = clean(&format!("Duplicate of {of}"), MAX_NAME - 1);
        let end_bytes = parts.last().map_or(0, |part| part.offset_bytes + part.size_bytes);
        let needed_bytes = end_bytes.max(used.needed_bytes).min(facts.size_bytes);
        let image = RawImage {
            size_bytes: facts.size_bytes,
            needed_bytes: (needed_bytes < facts.size_bytes).then_some(needed_bytes),
            sector_bytes: Some(facts.sector_bytes).filter(|bytes| *bytes != 512),
            parts,
            gpt: table.copy.as_ref().map(|_| ImageGpt::Grow),
        };
        let content = Content {
            id: "image".into(),
            kind: ContentKind::Tree,
            name: "Disk image".into(),
            version: String::new(),
            size_bytes: facts.size_bytes,
        };
        Ok(Manifest {
            schema: SCHEMA,
            id: next_id(cache)?,
            kind: MediaKind::Raw,
            name,
            version: VERSION.to_owned(),
            revision: 1,
            comment: format!("made by station {}", clean(&self.paths.station, 64)),
            label: VolumeLabel::new("DUPLICATE").map_err(|error| Failure::new(Exit::Machine, error))?,
            created: SystemClock::new().now(),
            validity: Validity::default(),
            unattended: false,
            password_required: false,
            size_limit_bytes: None,
            needs_drive_bytes: Some(needed_bytes.next_multiple_of(u64::from(facts.sector_bytes))),
            needs_drive_4096_bytes: None,
            bios: None,
            contents: vec![content],
            blobs: blob.into_iter().collect(),
            files: Vec::new(),
            folders: Vec::new(),
            image: Some(image),
        })
    }

    fn signed(&self, manifest: &Manifest) -> Result<MediaEntry, Failure> {
        let manifest_bytes = manifest.to_json();
        let sums = manifest.sha256_sums(Sha256::of(&manifest_bytes));
        let comment = format!("platen duplicate {}", manifest.id);
        let sign = |bytes: &[u8]| {
            let signed = self.journal.sign(bytes, &comment);
            signed.map_err(|Unrecorded { code, detail }| Failure::new(Exit::Machine, detail).coded(code))
        };
        let (manifest_signature, sums_signature) = (sign(&manifest_bytes)?, sign(&sums)?);
        Ok(MediaEntry { manifest_bytes, manifest_signature, sums, sums_signature, blobs: manifest.blobs.clone() })
    }
}

/// The keys by which this station takes its own duplicates, and nothing else.
pub(crate) fn station_keys(paths: &Paths) -> Result<TrustedKeys, Failure> {
    Ok(TrustedKeys::load(&paths.station_key())?)
}

/// The first number that no duplicate here ever had: rows of the ledger name it for good.
fn next_id(cache: &Cache) -> Result<String, Failure> {
    let number = |id: &str| id.strip_prefix(PREFIX)?.parse::<u64>().ok();
    let minimums = cache.minimums()?;
    let last = minimums.iter().filter_map(|minimum| number(&minimum.id)).max().unwrap_or(0);
    Ok(format!("{PREFIX}{:05}", last + 1))
}

/// What was copied whole, and why.
fn notes(used: &Allocation) -> Vec<String> {
    let note = |region: &platen_media::allocation::UsedRegion| {
        let why = region.whole_because.as_ref()?;
        Some(clean(&format!("{}: {}: copied whole: {why}", region.name, region.content), 200))
    };
    used.regions.iter().filter_map(note).take(20).collect()
}

/// The copy of a GUID partition table at the drive's end: other drives get one that fits them.
struct Table {
    copy: Option<std::ops::Range<u64>>,
}

impl Table {
    /// Looks at the first block of the drive, which is as much as is fitted to each drive.
    fn of(drive: &mut dyn ReadDrive) -> Result<Self, Failure> {
        let (size_bytes, sector_bytes) = (drive.facts().size_bytes, drive.facts().sector_bytes);
        let mut head = AlignedBuffer::new((ImageParts::BLOCK_BYTES as u64).min(size_bytes) as usize);
        read(drive, 0, &mut head)?;
        let grown = grow_gpt(&head, sector_bytes, size_bytes).ok();
        Ok(Self { copy: grown.map(|grown| grown.copy_offset_bytes..size_bytes) })
    }
}

fn read(drive: &mut dyn ReadDrive, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), Failure> {
    drive.read_at(offset_bytes, bytes).map_err(|error| {
        let code = error.code();
        Failure::new(Exit::Drive, chain(&error)).coded(code)
    })
}

/// Block by block, on the grid; what is not in use is zeros in a block that is partly in use.
fn store(
    drive: &mut dyn ReadDrive,
    used: &Allocation,
    table: &Table,
    layout: &Layout,
    watch: &dyn Watch,
) -> Result<(Vec<ImagePart>, Option<Blob>), Failure> {
    let (grid, total_bytes) = (ImageParts::BLOCK_BYTES as u64, used.used_bytes());
    let size_bytes = drive.facts().size_bytes;
    let mut parts = ImageParts::new(layout);
    let mut buffer = AlignedBuffer::new(ImageParts::BLOCK_BYTES);
    let (mut at, mut done_bytes) = (0, 0);
    watch.progress(0, total_bytes);
    // The first extent that is not done.
    let not_before = |at| used.extents.partition_point(|extent| extent.offset_bytes + extent.len_bytes <= at);
    while let Some(next) = used.extents.get(not_before(at)) {
        if !watch.is_wanted() {
            return Err(Failure::new(Exit::Request, "stopped before all of it was read").coded(Code::Cancelled));
        }
        let begin = at.max(next.offset_bytes / grid * grid);
        let end = (begin + grid).min(size_bytes);
        let block = &mut buffer[..(end - begin) as usize];
        block.fill(0);
        let here = used.extents[not_before(begin)..].iter().take_while(|extent| extent.offset_bytes < end);
        for extent in here {
            let (from, to) = (extent.offset_bytes.max(begin), (extent.offset_bytes + extent.len_bytes).min(end));
            read(drive, from, &mut block[(from - begin) as usize..(to - begin) as usize])?;
            done_bytes += to - from;
        }
        at = end;
        if let Some(copy) = &table.copy {
            let within = |at: u64| at.clamp(begin, end) - begin;
            block[within(copy.start) as usize..within(copy.end) as usize].fill(0);
        }
        let failed = |error: std::io::Error, _| match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Failure::new(Exit::Machine, "the cache's disk is full").coded(Code::CacheMissing)
            }
            _ => Failure::new(Exit::Machine, format!("writing into the cache: {error}")),
        };
        let take = |piece: &mut [u8]| {
            piece[..block.len()].copy_from_slice(block);
            Ok::<_, Failure>(block.len())
        };
        parts.block(begin, take, failed)?;
        watch.progress(done_bytes, total_bytes);
    }
    Ok(parts.finish()?)
}
