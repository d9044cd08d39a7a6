// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The plan of a raw image.

use std::sync::Arc;

use platen_cache::{CachedMedia, ContentId};
use platen_disk::{DriveIds, GrowError, GrownTable, grow_gpt};
use platen_media::manifest::{BlobSlice, ImageGpt, RawImage};

use super::boot_code::read_slice;
use super::{Contents, DriveShape, PlanError, PlannedExtent, Purpose, Source, WritePlan, table_places};

/// Nothing boots from a hole: sector 0 and what a direct write of it takes.
const HOLE_SEAL_BYTES: u64 = 4096;

pub(crate) fn plan_image(
    media: &CachedMedia,
    image: &RawImage,
    shape: DriveShape,
    ids: DriveIds,
) -> Result<WritePlan, PlanError> {
    let named = || media.name().to_owned();
    if shape.sector_bytes != image.sector_bytes() {
        let (image_bytes, drive_bytes) = (image.sector_bytes(), shape.sector_bytes);
        return Err(PlanError::ImageSectors { name: named(), image_bytes, drive_bytes });
    }
    if image.needed_bytes() > shape.size_bytes {
        let (needed_bytes, image_bytes, size_bytes) = (image.needed_bytes(), image.size_bytes, shape.size_bytes);
        return Err(PlanError::ImageTooBig { name: named(), needed_bytes, image_bytes, size_bytes });
    }
    let grown = grown(media, image, shape)?;
    let mut extents = Vec::with_capacity(image.parts.len() * 2 + 2);
    let zero = |extents: &mut Vec<PlannedExtent>, from: u64, to: u64| {
        if from < to {
            extents.push(PlannedExtent { offset_bytes: from, len_bytes: to - from, source: Source::Zero });
        }
    };
    let mut end_bytes = 0;
    for (index, part) in image.parts.iter().enumerate() {
        zero(&mut extents, end_bytes, part.offset_bytes);
        let source = Source::Content(ContentId::image_part(media.manifest(), index as u32));
        extents.push(PlannedExtent { offset_bytes: part.offset_bytes, len_bytes: part.size_bytes, source });
        end_bytes = part.offset_bytes + part.size_bytes;
    }
    // Zeros at the image's end need not fit: behind `needed_bytes` nothing is.
    let room_bytes = grown.as_ref().map_or(shape.size_bytes, |grown| grown.copy_offset_bytes);
    let image_end = image.size_bytes.min(room_bytes);
    zero(&mut extents, end_bytes, image_end);
    // An old GPT backup at the end of a bigger drive would contradict the image's own table.
    zero(&mut extents, shape.size_bytes.saturating_sub(1 << 20).max(image_end), room_bytes);

    // An image that begins with a long hole is sealed by the beginning of that.
    let is_long_hole = |first: &&mut PlannedExtent| first.source == Source::Zero && first.len_bytes > HOLE_SEAL_BYTES;
    if let Some(first) = extents.first_mut().filter(is_long_hole) {
        let end_bytes = std::mem::replace(&mut first.len_bytes, HOLE_SEAL_BYTES);
        let (offset_bytes, len_bytes) = (HOLE_SEAL_BYTES, end_bytes - HOLE_SEAL_BYTES);
        extents.insert(1, PlannedExtent { offset_bytes, len_bytes, source: Source::Zero });
    }
    // Without the part that begins at byte 0 an image has no partition table and no boot code: that is its seal.
    let (mut seal, payload): (Vec<_>, Vec<_>) = extents.into_iter().partition(|extent| extent.offset_bytes == 0);
    if let (Some(GrownTable { head, copy_offset_bytes, copy }), Some(first)) = (grown, seal.first_mut()) {
        first.source = Source::Bytes(Arc::from(head));
        let (offset_bytes, len_bytes) = (copy_offset_bytes, copy.len() as u64);
        seal.push(PlannedExtent { offset_bytes, len_bytes, source: Source::Bytes(Arc::from(copy)) });
    }
    Ok(WritePlan {
        purpose: Purpose::Medium(Box::new(media.clone())),
        contents: Some(Contents::of(media)),
        shape,
        scheme: None,
        ids,
        payload: payload.into(),
        seal,
        invalidate: table_places(shape.size_bytes),
        present: None,
        notices: Vec::new(),
        free_bytes: shape.size_bytes.saturating_sub(image.size_bytes),
    })
}

/// The partition table of an image that grows, fitted to the drive. The part at byte 0 holds it: it is read from the
/// store, and compared with the manifest's digest.
fn grown(media: &CachedMedia, image: &RawImage, shape: DriveShape) -> Result<Option<GrownTable>, PlanError> {
    if image.gpt != Some(ImageGpt::Grow) {
        return Ok(None);
    }
    let failed = |source| PlanError::ImageTable { name: media.name().to_owned(), source };
    let first = image
        .parts
        .first()
        .filter(|part| part.offset_bytes == 0)
        .ok_or_else(|| failed(Box::from(GrowError::NoTable)))?;
    let slice = BlobSlice { at: first.at, size_bytes: first.size_bytes, blake3: first.blake3 };
    let head = read_slice(media, slice).map_err(failed)?;
    match grow_gpt(&head, shape.sector_bytes, shape.size_bytes) {
        Ok(grown) => Ok(Some(grown)),
        Err(GrowError::NoRoom { size_bytes, needed_bytes }) => {
            let (name, image_bytes) = (media.name().to_owned(), image.size_bytes);
            Err(PlanError::ImageTooBig { name, needed_bytes, image_bytes, size_bytes })
        }
        Err(error) => Err(failed(Box::from(error))),
    }
}
