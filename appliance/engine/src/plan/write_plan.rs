// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The plan of one drive as data: what is written where, and where the bytes come from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use platen_cache::{BlobStore, CachedMedia, ContentId, StoredContent};
use platen_disk::DriveIds;
use platen_events::JobKind;
use platen_media::manifest::{ImageGpt, Scheme};
use platen_media::{Blake3, envelope};

use super::notice::Notice;

/// What of a drive a plan depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriveShape {
    /// Its capacity in bytes.
    pub size_bytes: u64,
    /// 512 or 4096.
    pub sector_bytes: u32,
}

impl DriveShape {
    /// Bytes in whole sectors.
    pub(crate) fn whole_sectors_bytes(self) -> u64 {
        let left_bytes = self.size_bytes.checked_rem(u64::from(self.sector_bytes)).unwrap_or(0);
        self.size_bytes - left_bytes
    }
}

/// Where the bytes of an extent come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// These bytes: structures of the disk, and small files of the medium's own.
    Bytes(Arc<[u8]>),
    /// The whole of one of the plan's contents.
    Content(ContentId),
    /// Zeros.
    Zero,
    /// The drive's own record, known only when everything else was read back.
    Record,
    /// Sectors that say where they belong; of the job with this number.
    Markers(u64),
}

/// The contents that a plan's extents name, and the store that has their bytes.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    pub(crate) list: Arc<[StoredContent]>,
    pub(crate) store: Arc<dyn BlobStore>,
}

impl Contents {
    pub(crate) fn of(media: &CachedMedia) -> Self {
        Self { list: Arc::clone(media.contents()), store: media.store() }
    }
}

/// A run of bytes on the drive and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedExtent {
    /// From the start of the drive, in bytes.
    pub offset_bytes: u64,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// What belongs there.
    pub source: Source,
}

/// How much of a drive is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    /// Partition tables and the first sectors of file systems: it looks empty, its files are still there.
    Quick,
    /// Every byte that has an address. At most "Clear" in the sense of NIST SP 800-88: flash keeps spare blocks that no
    /// address reaches.
    Full,
}

/// What a plan makes of a drive.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// A medium.
    Medium(Box<CachedMedia>),
    /// An empty drive.
    Erase(Erase),
    /// A drive that is known to store what it claims. `nonce` is fresh for every run.
    Test {
        /// What makes this test's markers different from all others.
        nonce: u64,
    },
}

/// Everything that will be written to one drive, in order.
#[derive(Debug, Clone)]
pub struct WritePlan {
    pub(crate) purpose: Purpose,
    /// None: every byte is known without a store.
    pub(crate) contents: Option<Contents>,
    pub(crate) shape: DriveShape,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) ids: DriveIds,
    pub(crate) payload: Arc<[PlannedExtent]>,
    pub(crate) seal: Vec<PlannedExtent>,
    pub(crate) invalidate: Vec<Range<u64>>,
    pub(crate) present: Option<Arc<[Range<u64>]>>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) free_bytes: u64,
}

impl WritePlan {
    /// What it makes of the drive.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The medium that will be written, if it is one.
    pub fn media(&self) -> Option<&CachedMedia> {
        match &self.purpose {
            Purpose::Medium(media) => Some(media),
            Purpose::Erase(_) | Purpose::Test { .. } => None,
        }
    }

    /// What kind of job carries it out.
    pub fn kind(&self) -> JobKind {
        match &self.purpose {
            Purpose::Medium(_) if self.present.is_some() => JobKind::Update,
            Purpose::Medium(_) => JobKind::Write,
            Purpose::Erase(Erase::Quick) => JobKind::EraseQuick,
            Purpose::Erase(Erase::Full) => JobKind::EraseFull,
            Purpose::Test { .. } => JobKind::Test,
        }
    }

    /// For screens and messages: the medium, or what else it makes of the drive.
    pub fn title(&self) -> String {
        match &self.purpose {
            Purpose::Medium(media) => media.name().to_owned(),
            Purpose::Erase(Erase::Quick) => "quick erase".to_owned(),
            Purpose::Erase(Erase::Full) => "full erase".to_owned(),
            Purpose::Test { .. } => "test".to_owned(),
        }
    }

    /// The drive it was made for.
    pub fn shape(&self) -> DriveShape {
        self.shape
    }

    /// None for raw images.
    pub fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// What makes this drive different from others.
    pub fn ids(&self) -> &DriveIds {
        &self.ids
    }

    /// Written first, ascending.
    pub fn payload(&self) -> &[PlannedExtent] {
        &self.payload
    }

    /// Written last, after the payload was read back.
    pub fn seal(&self) -> &[PlannedExtent] {
        &self.seal
    }

    /// Zeroed before anything else, and again when the drive fails. Covers the seal of a medium with files.
    pub fn invalidate(&self) -> &[Range<u64>] {
        &self.invalidate
    }

    /// Where the drive should hold the right bytes already, ascending: each range is the whole content of a file in the
    /// payload, in bytes from the start of the drive, and need not end with a sector. Nobody has read them; the
    /// read-back looks there as everywhere. None: not an update.
    pub fn present(&self) -> Option<&[Range<u64>]> {
        self.present.as_deref()
    }

    /// What is worth knowing of what will be written.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The same plan for a drive that should hold some of it already.
    pub(crate) fn with_present(self, present: Vec<Range<u64>>) -> Self {
        Self { present: Some(present.into()), ..self }
    }

    /// The payload is the same bytes in the same places.
    pub(crate) fn has_same_payload(&self, other: &Self) -> bool {
        self.has_same_contents(other) && (Arc::ptr_eq(&self.payload, &other.payload) || self.payload == other.payload)
    }

    fn has_same_contents(&self, other: &Self) -> bool {
        let (one, other) = (self.contents(), other.contents());
        std::ptr::eq(one, other) || one == other
    }

    /// Bytes of all extents, the seal included.
    pub fn write_bytes(&self) -> u64 {
        self.payload.iter().chain(&self.seal).map(|extent| extent.len_bytes).sum()
    }

    /// Room left in the file system, or behind the image.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// What stands at a place of the payload, for messages.
    pub(crate) fn name_at(&self, offset_bytes: u64) -> String {
        let after = self.payload.partition_point(|extent| extent.offset_bytes <= offset_bytes);
        self.payload[..after].last().map_or_else(String::new, |extent| self.name_of(&extent.source))
    }

    /// What its extents name: where the bytes are, and what they must hash to by the signed manifest.
    pub fn contents(&self) -> &[StoredContent] {
        self.contents.as_ref().map_or(&[], |contents| &contents.list)
    }

    /// One of them; None if the plan does not have it.
    pub fn content(&self, id: ContentId) -> Option<&StoredContent> {
        self.contents().get(id.position())
    }

    /// A content's bytes have the digest that they must have.
    pub(crate) fn is_content(&self, id: ContentId, digest: Blake3) -> bool {
        self.content(id).is_some_and(|content| content.blake3 == digest)
    }

    /// What an extent is, for messages and maps.
    pub fn name_of(&self, source: &Source) -> String {
        match source {
            Source::Bytes(_) => "structures".to_owned(),
            Source::Zero => "zeros".to_owned(),
            Source::Record => envelope::DRIVE_RECORD.to_owned(),
            Source::Markers(_) => "test pattern".to_owned(),
            Source::Content(id) => self.content(*id).map_or_else(String::new, |content| content.name.clone()),
        }
    }
}

impl PartialEq for WritePlan {
    /// Equal plans put equal bytes in equal places, and expect equal bytes to be there already.
    fn eq(&self, other: &Self) -> bool {
        (self.shape, self.scheme, self.ids) == (other.shape, other.scheme, other.ids)
            && self.kind() == other.kind()
            && self.has_same_contents(other)
            && (&self.payload, &self.seal, &self.invalidate) == (&other.payload, &other.seal, &other.invalidate)
            && self.present == other.present
    }
}

/// For people: rounded, and exact.
fn sized(bytes: u64) -> String {
    let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit_bytes)| bytes >= *unit_bytes) {
        Some((unit, unit_bytes)) => format!("{:.2} {unit} ({bytes} bytes)", bytes as f64 / unit_bytes as f64),
        None => format!("{bytes} bytes"),
    }
}

impl fmt::Display for WritePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme =
            self.scheme.map_or_else(|| "no file system of ours".to_owned(), |scheme| format!("{scheme}, FAT32"));
        match self.media() {
            Some(media) => {
                let manifest = media.manifest();
                writeln!(f, "medium    {} {:?} version {}", media.name(), manifest.name, manifest.version)?;
            }
            None => writeln!(f, "job       {}", self.title())?,
        }
        if let Some(image) = self.media().and_then(|media| media.manifest().image.as_ref()) {
            writeln!(f, "image     {}, needed {}", sized(image.size_bytes), sized(image.needed_bytes()))?;
            if image.gpt == Some(ImageGpt::Fixed) && image.size_bytes < self.shape.size_bytes {
                let end_bytes = image.size_bytes;
                writeln!(f, "note      the copy of its partition table ends at byte {end_bytes}, not with the drive")?;
            }
        }
        let (size, sector_bytes) = (sized(self.shape.size_bytes), self.shape.sector_bytes);
        writeln!(f, "drive     {size}, {sector_bytes}-byte sectors, {scheme}")?;
        let (write, extents) = (sized(self.write_bytes()), self.payload.len());
        writeln!(f, "to write  {write} in {extents} extents, read back in full")?;
        if let Some(present) = &self.present {
            let bytes: u64 = present.iter().map(|range| range.end - range.start).sum();
            writeln!(f, "update    {} of it should be on the drive already", sized(bytes))?;
        }
        writeln!(f, "sealed by {} extents, written last", self.seal.len())?;
        for notice in &self.notices {
            writeln!(f, "notice    {notice}")?;
        }
        write!(f, "free      {}", sized(self.free_bytes))
    }
}
