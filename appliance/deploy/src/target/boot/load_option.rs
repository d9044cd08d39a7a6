// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A firmware's boot entry as bytes: `EFI_LOAD_OPTION` (UEFI 3.1.3) with the device path of a file on a partition.

use platen_disk::table::{Listed, PartitionId};

/// `LOAD_OPTION_ACTIVE`: the firmware tries it by itself.
const ACTIVE: u32 = 1;
/// Types and subtypes of device path nodes (UEFI 10.3.1, 10.3.5).
const MEDIA: u8 = 4;
const HARD_DRIVE: u8 = 1;
const FILE_PATH: u8 = 4;
const END: [u8; 4] = [0x7f, 0xff, 4, 0];

/// The entry for a file, whose path has backslashes.
pub(super) fn load_option(name: &str, partition: &Listed, path: &str) -> Vec<u8> {
    let nodes = [hard_drive(partition), node(FILE_PATH, &utf16(path)), END.to_vec()].concat();
    let length = u16::try_from(nodes.len()).unwrap_or(u16::MAX);
    [&ACTIVE.to_le_bytes()[..], &length.to_le_bytes(), &utf16(name), &nodes].concat()
}

/// The name an entry has; None for what is no entry.
pub(super) fn name_of(option: &[u8]) -> Option<String> {
    let units = option.get(6..)?.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16(&units).ok()
}

/// UEFI 10.3.5.1: number, first sector, sectors, signature, format of the table, kind of signature.
fn hard_drive(partition: &Listed) -> Vec<u8> {
    let (signature, format, kind) = match partition.id {
        PartitionId::Guid(guid) => (guid, 2, 2),
        PartitionId::Signature(signature) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&signature.to_le_bytes());
            (bytes, 1, 1)
        }
    };
    let (first, sectors) = (partition.first_lba.to_le_bytes(), partition.sectors.to_le_bytes());
    node(HARD_DRIVE, &[&partition.number.to_le_bytes()[..], &first, &sectors, &signature, &[format, kind]].concat())
}

fn node(subtype: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + body.len()).unwrap_or(u16::MAX);
    [&[MEDIA, subtype][..], &length.to_le_bytes(), body].concat()
}

/// With the zero at its end.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As efibootmgr wrote it on a Debian: number 1, 2048, 1048576 sectors, a GUID of counted bytes.
    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let guid = std::array::from_fn(|at| u8::try_from(at).expect("small"));
        let id = PartitionId::Guid(guid);
        let partition =
            Listed { number: 1, id, first_lba: 0x800, sectors: 0x10_0000, is_boot: true, has_letter: false };
        let option = load_option("Ab", &partition, r"\E");
        #[rustfmt::skip]
        let expected = [
            1, 0, 0, 0, // Attributes
            42 + 10 + 4, 0, // FilePathListLength
            b'A', 0, b'b', 0, 0, 0, // Description
            4, 1, 42, 0, // HD
            1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 2,
            4, 4, 10, 0, b'\\', 0, b'E', 0, 0, 0, // file
            0x7f, 0xff, 4, 0,
        ];
        assert_eq!(option, expected);
        assert_eq!(name_of(&option).as_deref(), Some("Ab"));
        let mbr = Listed { id: PartitionId::Signature(0x1234_5678), ..partition };
        let option = load_option("Ab", &mbr, r"\E");
        assert_eq!(option[36..54], [0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(name_of(&option[..5]), None);
    }
}
