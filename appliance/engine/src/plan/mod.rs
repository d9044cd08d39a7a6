// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The plan of one drive: a pure function of a medium and a drive's shape. Whatever can be refused is refused here,
//! before the first byte is erased.

pub(crate) mod boot_code;
pub(crate) mod drive_record;
mod image;
pub(crate) mod notice;
mod overwrite;
pub(crate) mod signed_claim;
mod update;
mod write_plan;

use std::collections::BTreeMap;
use std::ops::Range;

use platen_cache::{CachedMedia, ContentId};
use platen_disk::{BootRecords, Data, DiskSpec, DriveIds, Extent, FatTime, FileSpec, LayoutError};
use platen_events::Code;
use platen_media::manifest::{Manifest, NotValid, Scheme};
use platen_media::{Timestamp, envelope};

pub use self::drive_record::{DriveRecord, Unproven};
pub use self::notice::{Notice, check_dates};
pub use self::overwrite::{plan_erase, plan_test};
pub use self::update::{UpdateError, plan_update};
pub(crate) use self::write_plan::Contents;
pub use self::write_plan::{DriveShape, Erase, PlannedExtent, Purpose, Source, WritePlan};

use self::boot_code::{Unreadable, boot_records};
use self::image::plan_image;

/// Why a medium can't be written to a drive. Nothing was touched.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum PlanError {
    /// Expired, or the clock can't be right.
    #[error("medium {name}")]
    NotValid { name: String, source: NotValid },
    /// File system or partition table can't be computed; all problems are in the source.
    #[error("laying out {name} on a drive of {size_bytes} bytes")]
    Layout { name: String, size_bytes: u64, source: LayoutError },
    /// What is in a raw image, to the end of its last partition, is bigger than the drive.
    #[error(
        "{name}: of the image's {image_bytes} bytes {needed_bytes} are needed, the drive has {size_bytes}; \
         use a bigger drive"
    )]
    ImageTooBig { name: String, needed_bytes: u64, image_bytes: u64, size_bytes: u64 },
    /// An image shows its partitions only on a drive whose sectors are those it was made for.
    #[error("{name}: the disk image needs a drive with {image_bytes}-byte sectors, found {drive_bytes}-byte ones")]
    ImageSectors { name: String, image_bytes: u32, drive_bytes: u32 },
    /// The image's partition table can't be fitted to the drive.
    #[error("{name}: fitting the image's partition table to the drive")]
    ImageTable { name: String, source: Unreadable },
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
            Self::BootCode { .. } | Self::ImageTable { .. } => Code::CacheDamaged,
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
    let manifest = media.manifest();
    let date = check_dates(manifest.validity, manifest.created, now).map_err(not_valid)?;
    let pinned = media.pinned_below().map(|newest| Notice::PinnedOlder { newest });
    Ok(date.into_iter().chain(pinned).collect())
}

/// The files a medium has besides those in its manifest, with size and source.
pub(crate) fn own_files(media: &CachedMedia) -> [(&'static str, u64, Source); 5] {
    let (signed, sums) = (media.signed(), media.sums());
    let text = |text: &str| Source::Bytes(text.as_bytes().into());
    let sizes = envelope::Sizes {
        manifest: signed.manifest_size_bytes(),
        manifest_signature: signed.signature().len() as u64,
        sums: sums.size_bytes,
        sums_signature: sums.signature.len() as u64,
    };
    sizes.files().map(|(path, size_bytes)| {
        let source = match path {
            envelope::MANIFEST => Source::Content(ContentId::MANIFEST),
            envelope::MANIFEST_SIGNATURE => text(signed.signature()),
            envelope::SHA256SUMS => Source::Content(ContentId::SUMS),
            envelope::SHA256SUMS_SIGNATURE => text(&sums.signature),
            _ => Source::Record,
        };
        (path, size_bytes, source)
    })
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
    let spec_of = |path, size_bytes, sealed, modified: Option<Timestamp>| {
        let keep_at_bytes = places.get(path).copied();
        let modified = modified.map(|modified| FatTime::from_unix_seconds(modified.unix_s()));
        FileSpec { path, size_bytes, sealed, keep_at_bytes, modified }
    };
    let mut files: Vec<FileSpec<'_>> = own_files
        .iter()
        .map(|(path, size_bytes, source)| spec_of(path, *size_bytes, *source == Source::Record, None))
        .collect();
    files.extend(manifest.files.iter().map(|file| spec_of(file.path.as_str(), file.size_bytes, false, file.modified)));
    let layout = platen_disk::lay_out(&spec, &files).map_err(layout_error)?;

    let convert = |extent: Extent| {
        let source = match extent.data {
            Data::Bytes(bytes) => Source::Bytes(bytes),
            Data::Zero => Source::Zero,
            Data::File { index, offset_bytes } => {
                assert!(offset_bytes == 0, "the layout keeps every file in one extent");
                match own_files.get(index as usize) {
                    Some((_, _, source)) => source.clone(),
                    None => Source::Content(ContentId::file(index - own_files.len() as u32)),
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
        contents: Some(Contents::of(media)),
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
        scheme,
        label: manifest.label,
        ids,
        modified: FatTime::from_unix_seconds(manifest.created.unix_s()),
        boot,
        folders: manifest.folders.iter().map(ToString::to_string).collect(),
    })
}
