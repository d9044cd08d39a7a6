// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the boot menu said: kernel arguments that name the medium, the very drive it stands on, and the keyboard.

use std::fmt;

use platen_media::keyboard::Keyboard;
use platen_media::manifest::is_id;

use crate::lines::plain;
use crate::refusal::Refusal;

/// A FAT volume's serial number, which differs from drive to drive. Shown as everywhere: `1A2B-3C4D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VolumeSerial(u32);

impl VolumeSerial {
    fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('-')?;
        let half = |text: &str| u16::from_str_radix(text, 16).ok().filter(|_| text.len() == 4);
        Some(Self(u32::from(half(high)?) << 16 | u32::from(half(low)?)))
    }

    /// From a volume's first sector; none when that is no FAT volume's.
    pub(crate) fn of_sector(sector: &[u8; 512]) -> Option<Self> {
        let starts = matches!(sector[0], 0xeb | 0xe9) && sector[510..] == [0x55, 0xaa];
        let at = match () {
            () if starts && sector[82..87] == *b"FAT32" => 67,
            () if starts && sector[54..57] == *b"FAT" => 39,
            () => return None,
        };
        Some(Self(u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]])))
    }
}

impl fmt::Display for VolumeSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}-{:04X}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// The medium this computer started from, as far as its boot menu says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) id: String,
    /// None from the boot menu of an older version of Platen.
    pub(crate) revision: Option<u32>,
    /// The same; and where something else than our boot menu started the kernel.
    pub(crate) volume: Option<VolumeSerial>,
}

impl Wanted {
    /// From the kernel's arguments; of two with the same name the last counts, as with the kernel's own.
    pub(crate) fn from_arguments(arguments: &str) -> Result<Self, Refusal> {
        let id = match argument(arguments, "platen.media=") {
            Some(id) if is_id(id) => id.to_owned(),
            Some(other) => return Err(Refusal::NoMediaId { found: format!("{:?}", plain(other)) }),
            None => return Err(Refusal::NoMediaId { found: "none".to_owned() }),
        };
        let revision = argument(arguments, "platen.revision=").and_then(|text| text.parse().ok());
        let volume = argument(arguments, "platen.volume=").and_then(VolumeSerial::parse);
        Ok(Self { id, revision, volume })
    }

    /// Whether a volume of this serial number can be the one.
    pub(crate) fn may_be(&self, serial: VolumeSerial) -> bool {
        self.volume.is_none_or(|wanted| wanted == serial)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if let Some(revision) = self.revision {
            write!(f, " revision {revision}")?;
        }
        Ok(())
    }
}

/// The keyboard with which the password is asked for.
pub(crate) fn keyboard(arguments: &str) -> Keyboard {
    argument(arguments, "platen.keyboard=").and_then(|name| name.parse().ok()).unwrap_or_default()
}

fn argument<'a>(arguments: &'a str, name: &str) -> Option<&'a str> {
    arguments.split_whitespace().filter_map(|word| word.strip_prefix(name)).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drive_is_named_by_the_kernels_arguments() {
        let wanted = |arguments: &str| Wanted::from_arguments(arguments).expect("an id");
        let full = wanted("quiet platen.media=PLT00001 platen.revision=7 platen.volume=00AB-12CD platen.keyboard=de\n");
        assert_eq!((full.to_string(), full.volume), ("PLT00001 revision 7".into(), Some(VolumeSerial(0x00ab_12cd))));
        assert!(full.may_be(VolumeSerial(0x00ab_12cd)) && !full.may_be(VolumeSerial(0x00ab_12ce)));
        assert_eq!(wanted("platen.media=A platen.media=B").id, "B");
        // An older boot menu, and GRUB without an answer.
        for unknown in
            ["platen.media=A", "platen.media=A platen.volume= platen.revision=", "platen.media=A platen.volume=1-2"]
        {
            let found = wanted(unknown);
            assert_eq!((found.revision, found.volume), (None, None), "{unknown}");
            assert!(found.may_be(VolumeSerial(7)));
        }
        assert!(matches!(Wanted::from_arguments("quiet"), Err(Refusal::NoMediaId { found }) if found == "none"));
        assert!(matches!(Wanted::from_arguments("platen.media=../x"), Err(Refusal::NoMediaId { .. })));
        assert_eq!(keyboard("platen.keyboard=de quiet"), Keyboard::De);
        assert_eq!(keyboard("platen.keyboard=klingon"), Keyboard::Us);
    }

    #[test]
    fn serial_numbers_are_read_from_fat_volumes_only() {
        let mut sector = [0; 512];
        assert_eq!(VolumeSerial::of_sector(&sector), None);
        sector[0] = 0xeb;
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        sector[39..43].copy_from_slice(&[1, 0, 0, 0]);
        sector[67..71].copy_from_slice(&[0x4d, 0x3c, 0x2b, 0x1a]);
        assert_eq!(VolumeSerial::of_sector(&sector), None, "a partition table");
        sector[54..59].copy_from_slice(b"FAT16");
        assert_eq!(VolumeSerial::of_sector(&sector).map(|it| it.to_string()).as_deref(), Some("0000-0001"));
        sector[82..90].copy_from_slice(b"FAT32   ");
        assert_eq!(VolumeSerial::of_sector(&sector).map(|it| it.to_string()).as_deref(), Some("1A2B-3C4D"));
    }
}
