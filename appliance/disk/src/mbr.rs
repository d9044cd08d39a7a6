//! Sector 0: the master boot record, and the protective one in front of a GPT.

use crate::geometry::Geometry;
use crate::{DriveIds, Scheme};

/// Offsets in sector 0, in bytes.
pub(crate) const DISK_SIGNATURE: usize = 0x1b8;
pub(crate) const FIRST_ENTRY: usize = 0x1be;
pub(crate) const BOOT_SIGNATURE: usize = 0x1fe;
/// Partition types: FAT32 addressed by sector number, and "there is a GPT".
pub(crate) const TYPE_FAT32_LBA: u8 = 0x0c;
pub(crate) const TYPE_GPT: u8 = 0xee;
pub(crate) const ACTIVE: u8 = 0x80;

/// One whole sector (512 or 4096 bytes). `code` is empty or 440 bytes.
pub(crate) fn sector_zero(geometry: &Geometry, scheme: Scheme, ids: &DriveIds, code: &[u8]) -> Vec<u8> {
    let mut sector = vec![0; geometry.sector_bytes as usize];
    sector[..code.len()].copy_from_slice(code);
    let entry = match scheme {
        Scheme::Mbr => {
            sector[DISK_SIGNATURE..DISK_SIGNATURE + 4].copy_from_slice(&ids.disk_signature.to_le_bytes());
            let (first, sectors) = (geometry.partition_lba(), geometry.partition_sectors());
            entry(ACTIVE, TYPE_FAT32_LBA, chs(first), chs(first + sectors - 1), first, sectors)
        }
        // UEFI 5.2.3: from LBA 1 to the end of the drive, or as far as 32 bits go; ending CHS as if out of range.
        Scheme::Gpt => {
            let sectors = geometry.size_bytes / geometry.sector_bytes - 1;
            entry(0, TYPE_GPT, [0x00, 0x02, 0x00], [0xff, 0xff, 0xff], 1, sectors)
        }
    };
    sector[FIRST_ENTRY..FIRST_ENTRY + 16].copy_from_slice(&entry);
    sector[BOOT_SIGNATURE..BOOT_SIGNATURE + 2].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn entry(status: u8, kind: u8, first_chs: [u8; 3], last_chs: [u8; 3], first: u64, sectors: u64) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[0] = status;
    entry[1..4].copy_from_slice(&first_chs);
    entry[4] = kind;
    entry[5..8].copy_from_slice(&last_chs);
    entry[8..12].copy_from_slice(&saturated(first).to_le_bytes());
    entry[12..16].copy_from_slice(&saturated(sectors).to_le_bytes());
    entry
}

fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Cylinder, head and sector for 255 heads and 63 sectors, as packed in a partition entry; FE FF FF beyond cylinder 1023.
fn chs(lba: u64) -> [u8; 3] {
    let (cylinder, head, sector) = (lba / (255 * 63), lba / 63 % 255, lba % 63 + 1);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    [head as u8, (sector | (cylinder >> 2 & 0xc0)) as u8, cylinder as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chs_of_known_sectors() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(2048), [0x20, 0x21, 0x00]); // what fdisk writes for a partition at 1 MiB
        assert_eq!(chs(256 * 255 * 63), [0, 0x41, 0]);
        assert_eq!(chs(1024 * 255 * 63 - 1), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(1024 * 255 * 63), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(u64::MAX), [0xfe, 0xff, 0xff]);
    }
}
