// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GRUB's i386-pc boot image and core image, patched as its installer would.
//!
//! Offsets are those of GRUB 2.06's `boot.S` and `diskboot.S`; everything is little-endian and sectors have 512 bytes.
//! This module knows nothing of GRUB's configuration: that is inside the core image and on the volume.

use crate::error::BootProblem;
use crate::{BootRecords, Scheme};

/// Bytes of sector 0 that are code: up to the disk signature.
pub const BOOT_CODE_BYTES: usize = 440;

const SECTOR: usize = 512;
const KERNEL_SECTOR: usize = 0x5c;
const DRIVE_CHECK: usize = 0x66;
const SIGNATURE: usize = 0x1fe;
const BLOCK_LIST_START: usize = 0x1f4;
const BLOCK_LIST_SECTORS: usize = 0x1fc;
const BLOCK_LIST_SEGMENT: usize = 0x1fe;
const LOAD_SEGMENT: u16 = 0x820;

/// The first sector (of 512 bytes) of the core image: after the MBR, or after the GPT's entries.
pub fn core_lba(scheme: Scheme) -> u64 {
    match scheme {
        Scheme::Mbr => 1,
        Scheme::Gpt => 34,
    }
}

/// The most bytes a core image can have: up to sector 2047, the last before the partition.
pub fn core_limit_bytes(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Mbr => 2047 * SECTOR,
        Scheme::Gpt => 2014 * SECTOR,
    }
}

/// Patches `boot.img` and `core.img` (from `grub-mkimage -O i386-pc`) for a scheme.
///
/// In the boot image: the sector of the core image, and the drive check that its installer takes out for hard disks.
/// In the core image: the sector where the rest of it is. The result's core image is as long as the one given.
pub fn patch(boot_img: &[u8], core_img: &[u8], scheme: Scheme) -> Result<BootRecords, BootProblem> {
    if boot_img.len() != SECTOR {
        return Err(BootProblem::BootImageSize { found_bytes: boot_img.len() });
    }
    let signature = u16_at(boot_img, SIGNATURE);
    if signature != 0xaa55 {
        return Err(BootProblem::BootSignature { found: signature });
    }
    let check = [boot_img[DRIVE_CHECK], boot_img[DRIVE_CHECK + 1]];
    if check[0] != 0xeb && check != [0x90, 0x90] {
        return Err(BootProblem::DriveCheck { found: check });
    }
    check_core_size(core_img, scheme)?;
    // At most 2047 sectors, as just checked.
    let following = (core_img.len().div_ceil(SECTOR) - 1) as u16;
    let said = u16_at(core_img, BLOCK_LIST_SECTORS);
    if said != following {
        return Err(BootProblem::BlockList { expected_sectors: following, found_sectors: said });
    }
    let segment = u16_at(core_img, BLOCK_LIST_SEGMENT);
    if segment != LOAD_SEGMENT {
        return Err(BootProblem::LoadSegment { found: segment });
    }

    let lba = core_lba(scheme);
    let mut boot_code = boot_img[..BOOT_CODE_BYTES].to_vec();
    boot_code[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&lba.to_le_bytes());
    boot_code[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    let mut core = core_img.to_vec();
    core[BLOCK_LIST_START..BLOCK_LIST_START + 8].copy_from_slice(&(lba + 1).to_le_bytes());
    Ok(BootRecords { boot_code, core })
}

/// Checks that records fit a drive of this scheme: sizes, and that the code looks for its core image where it will be.
pub(crate) fn check(records: &BootRecords, scheme: Scheme) -> Result<(), BootProblem> {
    if records.boot_code.len() != BOOT_CODE_BYTES {
        return Err(BootProblem::BootCodeSize { found_bytes: records.boot_code.len() });
    }
    check_core_size(&records.core, scheme)?;
    let expected_lba = core_lba(scheme);
    let found_lba = u64_at(&records.boot_code, KERNEL_SECTOR);
    if found_lba != expected_lba {
        return Err(BootProblem::PatchedForOtherScheme { expected_lba, found_lba });
    }
    Ok(())
}

fn check_core_size(core: &[u8], scheme: Scheme) -> Result<(), BootProblem> {
    let (least_bytes, most_bytes) = (SECTOR + 1, core_limit_bytes(scheme));
    if core.len() < least_bytes || core.len() > most_bytes {
        return Err(BootProblem::CoreSize { least_bytes, most_bytes, found_bytes: core.len() });
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images with GRUB's fields and no code.
    pub(crate) fn images(core_bytes: usize) -> (Vec<u8>, Vec<u8>) {
        let mut boot = vec![0xC0; SECTOR];
        boot[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&1u64.to_le_bytes());
        boot[0x64] = 0xff;
        boot[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0xeb, 0x05]);
        boot[SIGNATURE..].copy_from_slice(&[0x55, 0xaa]);
        let mut core: Vec<u8> = (0..core_bytes).map(|n| (n % 251) as u8).collect();
        core[BLOCK_LIST_START..BLOCK_LIST_START + 8].copy_from_slice(&2u64.to_le_bytes());
        let following = (core_bytes.div_ceil(SECTOR) - 1) as u16;
        core[BLOCK_LIST_SECTORS..BLOCK_LIST_SECTORS + 2].copy_from_slice(&following.to_le_bytes());
        core[BLOCK_LIST_SEGMENT..SECTOR].copy_from_slice(&LOAD_SEGMENT.to_le_bytes());
        (boot, core)
    }

    #[test]
    fn mbr_changes_only_the_drive_check() {
        let (boot, core) = images(158_458);
        let records = patch(&boot, &core, Scheme::Mbr).unwrap();
        let changed: Vec<usize> = (0..440).filter(|&n| records.boot_code[n] != boot[n]).collect();
        assert_eq!((records.boot_code.len(), changed), (440, vec![0x66, 0x67]));
        assert_eq!(records.core, core);
        assert_eq!(check(&records, Scheme::Mbr), Ok(()));
    }

    #[test]
    fn gpt_changes_both_sector_numbers() {
        let (boot, core) = images(158_458);
        let records = patch(&boot, &core, Scheme::Gpt).unwrap();
        assert_eq!(u64_at(&records.boot_code, 0x5c), 34);
        assert_eq!(u64_at(&records.core, 0x1f4), 35);
        assert_eq!(records.boot_code[0x64], 0xff);
        assert_eq!(records.core[512..], core[512..]);
        let refused = check(&records, Scheme::Mbr);
        assert_eq!(refused, Err(BootProblem::PatchedForOtherScheme { expected_lba: 1, found_lba: 34 }));
    }

    #[test]
    fn wrong_images_are_refused() {
        let (boot, core) = images(4096);
        let wrong = |at: usize, value: u8, of: &[u8]| {
            let mut copy = of.to_vec();
            copy[at] = value;
            copy
        };
        let boot_is = |image: &[u8]| patch(image, &core, Scheme::Mbr).unwrap_err();
        let core_is = |image: &[u8]| patch(&boot, image, Scheme::Gpt).unwrap_err();
        assert_eq!(boot_is(&boot[..511]), BootProblem::BootImageSize { found_bytes: 511 });
        assert_eq!(boot_is(&wrong(0x1ff, 0, &boot)), BootProblem::BootSignature { found: 0x55 });
        assert_eq!(boot_is(&wrong(0x66, 0x74, &boot)), BootProblem::DriveCheck { found: [0x74, 5] });
        assert!(matches!(core_is(&core[..512]), BootProblem::CoreSize { found_bytes: 512, .. }));
        let (_, large) = images(2015 * 512);
        assert!(matches!(core_is(&large), BootProblem::CoreSize { most_bytes: 1_031_168, .. }));
        assert!(patch(&boot, &large, Scheme::Mbr).is_ok());
        let short = BootProblem::BlockList { expected_sectors: 7, found_sectors: 6 };
        assert_eq!(core_is(&wrong(0x1fc, 6, &core)), short);
        assert_eq!(core_is(&wrong(0x1ff, 9, &core)), BootProblem::LoadSegment { found: 0x920 });
    }

    #[test]
    fn code_of_another_length_is_refused() {
        let records = BootRecords { boot_code: vec![0; 446], core: vec![0; 1024] };
        assert_eq!(check(&records, Scheme::Mbr), Err(BootProblem::BootCodeSize { found_bytes: 446 }));
    }
}
