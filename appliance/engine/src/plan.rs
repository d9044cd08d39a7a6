//! The plan of one drive: a pure function of a medium and a drive's shape. Whatever can be refused is refused here,
//! before the first byte is erased.

use std::collections::BTreeMap;
use std::ops::Range;

use platen_cache::CachedMedia;
use platen_disk::{BootRecords, Data, DiskSpec, DriveIds, Extent, FatTime, FileSpec, LayoutError};
use platen_events::Code;
use platen_media::manifest::{Manifest, NotValid, RawImage, Scheme};
use platen_media::{Timestamp, envelope};

use crate::boot_code::{Unreadable, boot_records, disk_scheme};
use crate::notice;
pub use crate::notice::Notice;
use crate::record::DRIVE_RECORD_BYTES;
pub use crate::write_plan::{DriveShape, Erase, Name, PlannedExtent, Purpose, Source, StoredContent, WritePlan};

/// Why a medium can't be written to a drive. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Expired, or the clock can't be right.
    #[error("medium {name}")]
    NotValid { name: String, source: NotValid },
    /// File system or partition table can't be computed; all problems are in the source.
    #[error("laying out {name} on a drive of {size_bytes} bytes")]
    Layout { name: String, size_bytes: u64, source: LayoutError },
    /// A raw image is bigger than the drive.
    #[error("{name}: the image needs {needed_bytes} bytes, the drive has {size_bytes}; use a bigger drive")]
    ImageTooBig { name: String, needed_bytes: u64, size_bytes: u64 },
    /// An image made for 512-byte sectors shows no partitions on a drive with others.
    #[error("{name}: a disk image needs a drive with 512-byte sectors, found {sector_bytes}-byte ones")]
    ImageSectors { name: String, sector_bytes: u32 },
    /// The author's ceiling.
    #[error("{name}: files and file system take {needed_bytes} bytes, more than its media size of {limit_bytes}")]
    OverMediaSize { name: String, needed_bytes: u64, limit_bytes: u64 },
    /// BIOS boot code from the store can't be read.
    #[error("{name}: reading the BIOS boot code")]
    BootCode { name: String, source: Unreadable },
}

impl PlanError {
    /// What the operator is told.
    pub fn code(&self) -> Code {
        match self {
            Self::NotValid { source: NotValid::Expired { .. }, .. } => Code::Expired,
            Self::NotValid { .. } => Code::NotYetValid,
            Self::Layout { source: LayoutError::NoRoom { .. } | LayoutError::BelowMinimum { .. }, .. } => {
                Code::TooSmall
            }
            Self::ImageTooBig { .. } => Code::TooSmall,
            Self::Layout { .. } | Self::ImageSectors { .. } | Self::OverMediaSize { .. } => Code::DoesNotFit,
            Self::BootCode { .. } => Code::CacheDamaged,
        }
    }

    /// Refused by policy (dates), not because the request is wrong.
    pub fn is_policy(&self) -> bool {
        matches!(self, Self::NotValid { .. })
    }
}

/// Fresh numbers for one drive: two drives with the same disk signature or volume serial confuse operating systems.
pub fn fresh_ids() -> Result<DriveIds, getrandom::Error> {
    let guid = || -> Result<[u8; 16], getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        // RFC 9562: version 4, variant 10. GPT stores the first fields little-endian, so the version is in byte 7.
        bytes[7] = (bytes[7] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Ok(bytes)
    };
    Ok(DriveIds {
        // Zero means "none" to Windows.
        disk_signature: getrandom::u32()?.max(1),
        volume_serial: getrandom::u32()?.max(1),
        disk_guid: guid()?,
        esp_guid: guid()?,
        bios_boot_guid: guid()?,
    })
}

/// Compute the plan. `ids` must be fresh for every drive; `scheme` is ignored for raw images.
pub fn plan(
    media: &CachedMedia,
    shape: DriveShape,
    scheme: Scheme,
    ids: DriveIds,
    now: Timestamp,
) -> Result<WritePlan, PlanError> {
    let notices = notices(media, now)?;
    let plan = match &media.manifest().image {
        Some(image) => plan_image(media, image, shape, ids)?,
        None => plan_files(media, shape, scheme, ids, &BTreeMap::new())?,
    };
    Ok(WritePlan { notices, ..plan })
}

pub(crate) fn layout_error(media: &CachedMedia, shape: DriveShape, source: LayoutError) -> PlanError {
    PlanError::Layout { name: media.name().to_owned(), size_bytes: shape.size_bytes, source }
}

/// What is worth knowing of a medium that may be written now.
pub(crate) fn notices(media: &CachedMedia, now: Timestamp) -> Result<Vec<Notice>, PlanError> {
    let not_valid = |source| PlanError::NotValid { name: media.name().to_owned(), source };
    let date = notice::check_dates(media.manifest(), now).map_err(not_valid)?;
    let pinned = media.pinned_below().map(|newest| Notice::PinnedOlder { newest });
    Ok(date.into_iter().chain(pinned).collect())
}

/// The files a medium has besides those in its manifest, with size and source.
pub(crate) fn own_files(media: &CachedMedia) -> [(&'static str, u64, Source); 5] {
    let (signed, sums) = (media.signed(), media.sums());
    let text = |text: &str| Source::Bytes(text.as_bytes().into());
    // The envelope first: a drive that is read at all is read there first, and old BIOSes reach only the front.
    [
        (envelope::MANIFEST, signed.manifest_size_bytes(), Source::Content(Name::Manifest)),
        (envelope::MANIFEST_SIGNATURE, signed.signature().len() as u64, text(signed.signature())),
        (envelope::SHA256SUMS, sums.size_bytes, Source::Content(Name::Sums)),
        (envelope::SHA256SUMS_SIGNATURE, sums.signature.len() as u64, text(&sums.signature)),
        (envelope::DRIVE_RECORD, DRIVE_RECORD_BYTES, Source::Record),
    ]
}

/// `places`: where files would best be, by path, in bytes from the start of the drive.
pub(crate) fn plan_files(
    media: &CachedMedia,
    shape: DriveShape,
    scheme: Scheme,
    ids: DriveIds,
    places: &BTreeMap<&str, u64>,
) -> Result<WritePlan, PlanError> {
    let manifest = media.manifest();
    let layout_error = |source| layout_error(media, shape, source);
    let unreadable = |source| PlanError::BootCode { name: media.name().to_owned(), source };
    let boot = boot_records(media, scheme).map_err(unreadable)?;
    let spec = disk_spec(manifest, shape, scheme, ids, boot).map_err(layout_error)?;

    let own_files = own_files(media);
    let spec_of = |path, size_bytes, sealed| {
        let keep_at_bytes = places.get(path).copied();
        FileSpec { path, size_bytes, sealed, keep_at_bytes }
    };
    let mut files: Vec<FileSpec<'_>> = own_files
        .iter()
        .map(|(path, size_bytes, source)| spec_of(path, *size_bytes, *source == Source::Record))
        .collect();
    files.extend(manifest.files.iter().map(|file| spec_of(file.path.as_str(), file.size_bytes, false)));
    let layout = platen_disk::lay_out(&spec, &files).map_err(layout_error)?;

    let convert = |extent: Extent| {
        let source = match extent.data {
            Data::Bytes(bytes) => Source::Bytes(bytes),
            Data::Zero => Source::Zero,
            Data::File { index, offset_bytes } => {
                assert!(offset_bytes == 0, "the layout keeps every file in one extent");
                match own_files.get(index as usize) {
                    Some((_, _, source)) => source.clone(),
                    None => Source::Content(Name::File(index - own_files.len() as u32)),
                }
            }
        };
        PlannedExtent { offset_bytes: extent.offset_bytes, len_bytes: extent.len_bytes, source }
    };
    // Every place of the seal is wiped first, the drive's record too: what is there before sealing is a fault.
    let mut invalidate = layout.invalidate;
    for extent in &layout.seal {
        let (start, end) = (extent.offset_bytes, extent.end_bytes());
        if invalidate.iter().any(|range| range.start <= start && end <= range.end) {
            continue;
        }
        match invalidate.last_mut() {
            Some(range) if range.end == start => range.end = end,
            _ => invalidate.push(start..end),
        }
    }
    invalidate.sort_by_key(|range| range.start);
    let plan = WritePlan {
        purpose: Purpose::Medium(Box::new(media.clone())),
        shape,
        scheme: Some(scheme),
        ids,
        payload: layout.payload.into_iter().map(convert).collect(),
        seal: layout.seal.into_iter().map(convert).collect(),
        invalidate,
        present: None,
        notices: Vec::new(),
        free_bytes: u64::from(layout.stats.clusters_free) * u64::from(layout.stats.cluster_bytes),
    };
    let needed_bytes = shape.size_bytes.saturating_sub(plan.free_bytes);
    match manifest.size_limit_bytes {
        // What the file system takes grows with the drive; the ceiling is about what a drive of that size can hold.
        Some(limit_bytes) if needed_bytes > limit_bytes && manifest.content_bytes() > limit_bytes => {
            Err(PlanError::OverMediaSize { name: media.name().to_owned(), needed_bytes, limit_bytes })
        }
        _ => Ok(plan),
    }
}

fn plan_image(media: &CachedMedia, image: &RawImage, shape: DriveShape, ids: DriveIds) -> Result<WritePlan, PlanError> {
    let named = || media.name().to_owned();
    if shape.sector_bytes != 512 {
        return Err(PlanError::ImageSectors { name: named(), sector_bytes: shape.sector_bytes });
    }
    if image.size_bytes > shape.size_bytes {
        let (needed_bytes, size_bytes) = (image.size_bytes, shape.size_bytes);
        return Err(PlanError::ImageTooBig { name: named(), needed_bytes, size_bytes });
    }
    let mut extents = Vec::with_capacity(image.parts.len() * 2 + 1);
    let mut end_bytes = 0;
    let zero = |extents: &mut Vec<PlannedExtent>, from: u64, to: u64| {
        if from < to {
            extents.push(PlannedExtent { offset_bytes: from, len_bytes: to - from, source: Source::Zero });
        }
    };
    for (index, part) in image.parts.iter().enumerate() {
        zero(&mut extents, end_bytes, part.offset_bytes);
        let source = Source::Content(Name::ImagePart(index as u32));
        extents.push(PlannedExtent { offset_bytes: part.offset_bytes, len_bytes: part.size_bytes, source });
        end_bytes = part.offset_bytes + part.size_bytes;
    }
    zero(&mut extents, end_bytes, image.size_bytes);
    // An old GPT backup at the end of a bigger drive would contradict the image's own table.
    let tail_start = shape.size_bytes.saturating_sub(1 << 20).max(image.size_bytes);
    zero(&mut extents, tail_start, shape.size_bytes);

    // An image that begins with a long hole is sealed by the beginning of that.
    let is_long_hole = |first: &&mut PlannedExtent| first.source == Source::Zero && first.len_bytes > HOLE_SEAL_BYTES;
    if let Some(first) = extents.first_mut().filter(is_long_hole) {
        let end_bytes = std::mem::replace(&mut first.len_bytes, HOLE_SEAL_BYTES);
        let (offset_bytes, len_bytes) = (HOLE_SEAL_BYTES, end_bytes - HOLE_SEAL_BYTES);
        extents.insert(1, PlannedExtent { offset_bytes, len_bytes, source: Source::Zero });
    }
    // Without the part that begins at byte 0 an image has no partition table and no boot code: that is its seal.
    let (seal, payload): (Vec<_>, Vec<_>) = extents.into_iter().partition(|extent| extent.offset_bytes == 0);
    Ok(WritePlan {
        purpose: Purpose::Medium(Box::new(media.clone())),
        shape,
        scheme: None,
        ids,
        payload: payload.into(),
        seal,
        invalidate: table_places(shape.size_bytes),
        present: None,
        notices: Vec::new(),
        free_bytes: shape.size_bytes - image.size_bytes,
    })
}

/// Nothing boots from a hole: sector 0 and what a direct write of it takes.
const HOLE_SEAL_BYTES: u64 = 4096;

/// Where a drive written before has its partition tables, and its file system's first sectors.
pub(crate) fn table_places(size_bytes: u64) -> Vec<Range<u64>> {
    let (align, tail) = (platen_disk::ALIGN_BYTES, size_bytes.saturating_sub(1 << 20)..size_bytes);
    if tail.start <= 2 * align {
        return std::iter::once(0..size_bytes).collect();
    }
    // Two at the beginning, because a file system begins in the middle.
    vec![0..align, align..2 * align, tail]
}

/// The disk a medium makes of a drive; the checker of a written drive computes the same.
pub(crate) fn disk_spec(
    manifest: &Manifest,
    shape: DriveShape,
    scheme: Scheme,
    ids: DriveIds,
    boot: Option<BootRecords>,
) -> Result<DiskSpec, LayoutError> {
    Ok(DiskSpec {
        size_bytes: shape.whole_sectors_bytes(),
        sector_bytes: shape.sector_bytes,
        scheme: disk_scheme(scheme),
        label: platen_disk::VolumeLabel::new(manifest.label.as_str())?,
        ids,
        modified: FatTime::from_unix_seconds(manifest.created.unix_s()),
        boot,
    })
}
