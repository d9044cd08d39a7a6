// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! BIOS boot code on its way from the store to a plan.

use platen_cache::CachedMedia;
use platen_disk::{BootRecords, grub};
use platen_media::Blake3;
use platen_media::manifest::{BiosRecords, BlobSlice, Scheme};

/// Why no boot code could be loaded.
pub(crate) type Unreadable = Box<dyn std::error::Error + Send + Sync>;

/// GRUB's boot code from the store, checked against the manifest, fitted to a scheme and checked again.
pub(crate) fn boot_records(media: &CachedMedia, scheme: Scheme) -> Result<Option<BootRecords>, Unreadable> {
    let Some(bios) = &media.manifest().bios else { return Ok(None) };
    let core = match scheme {
        Scheme::Mbr => bios.core_mbr,
        Scheme::Gpt => bios.core_gpt,
    };
    let boot_img = read_slice(media, bios.boot_img)?;
    let core_img = read_slice(media, core)?;
    let records = grub::patch(&boot_img, &core_img, scheme)?;
    let expected = bios.records.iter().find(|record| record.scheme == scheme);
    if expected.is_none_or(|expected| !matches_records(expected, &records)) {
        return Err("the boot code is not what the manifest says".into());
    }
    Ok(Some(records))
}

fn matches_records(expected: &BiosRecords, found: &BootRecords) -> bool {
    // Hashed as it is laid down: filled up with zeros to whole sectors.
    let mut core = found.core.clone();
    core.resize(core.len().next_multiple_of(512), 0);
    expected.boot_code_blake3 == Blake3::of(&found.boot_code)
        && (expected.core_size_bytes, expected.core_blake3) == (core.len() as u64, Blake3::of(&core))
}

/// Bytes of the store that are not a file of the medium, checked against the manifest.
pub(crate) fn read_slice(media: &CachedMedia, slice: BlobSlice) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = vec![0; usize::try_from(slice.size_bytes)?];
    let blob = media.manifest().blobs.get(slice.at.blob as usize).ok_or("the manifest names no such blob")?;
    media.store().open(blob.sha256)?.read_exact_at(&mut bytes, slice.at.offset_bytes)?;
    if Blake3::of(&bytes) == slice.blake3 { Ok(bytes) } else { Err("its digest differs; scrub the cache".into()) }
}
