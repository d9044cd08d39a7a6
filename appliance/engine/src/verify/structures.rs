// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a drive holds besides files: partition tables, boot sectors, boot code, what must be empty; and the names under
//! which firmware finds files. All of it is a function of the manifest and the drive.

use std::ops::Range;

use platen_disk::{
    ALIGN_BYTES, ATTRIBUTE_ARCHIVE, ATTRIBUTE_DIRECTORY, Data, DiskSpec, FileSpec, InfoSectors, LayoutError,
    ShortNames, Structure, boot_structures, empty_ranges, info_sectors, short_names,
};
use platen_events::Code;
use platen_media::examination::Examination;
use platen_media::manifest::{Manifest, Scheme};
use platen_media::{Blake3, envelope};

use super::{NOT_UNMOUNTED, Report};
use crate::drive::{AlignedBuffer, DriveError, ReadDrive};
use crate::plan::signed_claim::SignedClaim;
use crate::plan::{DriveShape, disk_spec};

/// MBR boot code ends here; disk signature and partition table follow.
const BOOT_CODE_BYTES: usize = 440;
/// `BS_Reserved1` of a FAT32 boot sector: bit 0 is set by an operating system while it has the volume mounted.
const DIRTY_FLAG: usize = 0x41;
/// What must be empty is read in pieces of this size.
const EMPTY_PIECE_BYTES: u64 = 64 << 10;

/// Compute partition tables, FAT boot sectors, boot code and the gaps between them anew, and compare byte for byte; then
/// short names and attributes.
pub(super) fn check(
    drive: &mut dyn ReadDrive,
    claim: &SignedClaim<'_>,
    found: &Examination,
    report: &mut Report,
) -> Result<(), DriveError> {
    let facts = drive.facts();
    let shape = DriveShape { size_bytes: facts.size_bytes, sector_bytes: facts.sector_bytes };
    let (manifest, scheme, sector_bytes) = (claim.signed.manifest(), claim.scheme(), claim.ids.sector_bytes);
    if sector_bytes != shape.sector_bytes {
        let text = format!("written for {sector_bytes}-byte sectors, this drive has {}", shape.sector_bytes);
        report.problem(Code::FileChanged, text);
        return Ok(());
    }
    let folders: Vec<String> = manifest.folders.iter().map(ToString::to_string).collect();
    let spec: Result<DiskSpec, _> = disk_spec(manifest, shape, scheme, claim.drive_ids(), None);
    let expected = spec.and_then(|spec| {
        Ok((boot_structures(&spec)?, info_sectors(&spec)?, empty_ranges(&spec)?, shorts(manifest, &folders)?))
    });
    let (structures, info, empty, shorts) = match expected {
        Ok(expected) => expected,
        Err(error) => {
            report.problem(Code::FileChanged, format!("this drive can't hold the medium: {error}"));
            return Ok(());
        }
    };
    check_names(manifest, &shorts, claim, found, report);
    check_info_sectors(drive, &info, report)?;
    for range in empty {
        check_empty(drive, range, report)?;
    }
    check_boot_sectors(drive, claim, shape, structures, report)
}

fn check_boot_sectors(
    drive: &mut dyn ReadDrive,
    claim: &SignedClaim<'_>,
    shape: DriveShape,
    structures: Vec<Structure>,
    report: &mut Report,
) -> Result<(), DriveError> {
    let (manifest, scheme) = (claim.signed.manifest(), claim.scheme());
    let mut gap = read(drive, 0, ALIGN_BYTES as usize)?;
    check_boot_code(manifest, scheme, shape, &mut gap, report);
    for structure in structures {
        let extent = &structure.extent;
        let Data::Bytes(expected) = &extent.data else { continue };
        let mut seen = if extent.end_bytes() <= ALIGN_BYTES {
            let range = extent.offset_bytes as usize..extent.end_bytes() as usize;
            let seen = gap[range.clone()].to_vec();
            gap[range].fill(0);
            seen
        } else {
            read(drive, extent.offset_bytes, expected.len())?.to_vec()
        };
        let mut expected = expected.to_vec();
        if extent.offset_bytes == 0 {
            // Boot code was hashed and blanked above.
            expected[..BOOT_CODE_BYTES].fill(0);
        }
        // Some systems keep the backup in step.
        let is_fat_boot_sector = structure.name.starts_with("fat boot sector");
        if is_fat_boot_sector && seen.get(DIRTY_FLAG) == Some(&1) {
            seen[DIRTY_FLAG] = 0;
            report.note_once(NOT_UNMOUNTED);
        }
        report.checked_bytes += seen.len() as u64;
        if let Some(at) = seen.iter().zip(&expected).position(|(a, b)| a != b) {
            let at_bytes = extent.offset_bytes + at as u64;
            report.problem(Code::FileChanged, format!("{}: changed at {at_bytes:#x}", structure.name));
        }
    }
    if let Some(at) = gap.iter().position(|&byte| byte != 0) {
        report.problem(Code::FileChanged, format!("the gap before the partition: changed at {at:#x}"));
    }
    Ok(())
}

/// The hints in them are changed by every operating system that writes.
fn check_info_sectors(drive: &mut dyn ReadDrive, info: &InfoSectors, report: &mut Report) -> Result<(), DriveError> {
    for offset_bytes in info.offsets {
        let seen = read(drive, offset_bytes, info.len_bytes)?;
        report.checked_bytes += seen.len() as u64;
        if !info.accept(&seen) {
            report.problem(Code::FileChanged, format!("fat fsinfo at {offset_bytes:#x}: changed"));
        }
    }
    Ok(())
}

fn check_empty(drive: &mut dyn ReadDrive, range: Range<u64>, report: &mut Report) -> Result<(), DriveError> {
    let mut at_bytes = range.start;
    while at_bytes < range.end {
        let len = (range.end - at_bytes).min(EMPTY_PIECE_BYTES) as usize;
        let seen = read(drive, at_bytes, len)?;
        if let Some(within) = seen.iter().position(|&byte| byte != 0) {
            let place = if range.start < 2 * ALIGN_BYTES { "reserved sectors" } else { "the end of the drive" };
            report.problem(Code::FileChanged, format!("{place}: changed at {:#x}", at_bytes + within as u64));
            return Ok(());
        }
        report.checked_bytes += len as u64;
        at_bytes += len as u64;
    }
    Ok(())
}

/// The files a medium has besides those of its manifest come first, as when it was laid out.
fn shorts<'a>(manifest: &'a Manifest, folders: &'a [String]) -> Result<ShortNames<'a>, LayoutError> {
    let listed = manifest.files.iter().map(|file| file.path.as_str());
    let files: Vec<FileSpec<'_>> = envelope::ALL
        .into_iter()
        .chain(listed)
        .map(|path| FileSpec { path, size_bytes: 0, sealed: false, keep_at_bytes: None, modified: None })
        .collect();
    short_names(&files, folders)
}

/// Files are known to firmware by their short names too.
fn check_names(
    manifest: &Manifest,
    expected: &ShortNames<'_>,
    claim: &SignedClaim<'_>,
    found: &Examination,
    report: &mut Report,
) {
    let paths = envelope::ALL.into_iter().chain(manifest.files.iter().map(|file| file.path.as_str()));
    for (path, short) in paths.zip(&expected.files) {
        if let Some(seen) = claim.files.get(path) {
            check_name(path, (&seen.short, seen.attributes), (short, 0), report);
        }
    }
    for folder in &found.folders {
        if let Some(short) = expected.directories.get(&*folder.path) {
            let seen = (&*folder.short, folder.attributes);
            check_name(&folder.path, seen, (short, ATTRIBUTE_DIRECTORY), report);
        }
    }
}

fn check_name(path: &str, seen: (&str, u8), expected: (&[u8; 11], u8), report: &mut Report) {
    let short: String = expected.0.iter().map(|&byte| char::from(byte)).collect();
    if seen.0 != short {
        report.problem(Code::FileChanged, format!("{path}: expected the short name {short:?}, found {:?}", seen.0));
    }
    if seen.1 & !ATTRIBUTE_ARCHIVE != expected.1 {
        report.problem(Code::FileChanged, format!("{path}: its attributes were changed, to {:#04x}", seen.1));
    }
}

/// Hash boot code and core image, because their bytes are in the boot kit, not in the manifest; then blank them, so that what is left of the gap must be zeros.
fn check_boot_code(manifest: &Manifest, scheme: Scheme, shape: DriveShape, gap: &mut [u8], report: &mut Report) {
    let record = manifest.bios.iter().flat_map(|bios| &bios.records).find(|record| record.scheme == scheme);
    // No BIOS starts from a drive with other sectors, so no boot code is laid down there.
    let Some(record) = record.filter(|_| shape.sector_bytes == 512) else { return };
    if Blake3::of(&gap[..BOOT_CODE_BYTES]) != record.boot_code_blake3 {
        report.problem(Code::FileChanged, "BIOS boot code in the master boot record: changed");
    }
    gap[..BOOT_CODE_BYTES].fill(0);
    let start = platen_disk::grub::core_lba(scheme) as usize * 512;
    let end = usize::try_from(record.core_size_bytes).ok().and_then(|size| start.checked_add(size));
    match end.and_then(|end| gap.get_mut(start..end)) {
        Some(core) => {
            if Blake3::of(core) != record.core_blake3 {
                report.problem(Code::FileChanged, "GRUB core image: changed");
            }
            core.fill(0);
        }
        None => report.problem(Code::FileChanged, "GRUB core image: the manifest gives an impossible size"),
    }
}

fn read(drive: &mut dyn ReadDrive, offset_bytes: u64, len: usize) -> Result<AlignedBuffer, DriveError> {
    let mut buffer = AlignedBuffer::new(len);
    drive.read_at(offset_bytes, &mut buffer)?;
    Ok(buffer)
}
