// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GUID partition tables of disk images: the `gpt` crate reads what is made of an accepted one.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::LazyLock;

use platen_disk::{Data, DiskSpec, DriveIds, FatTime, Scheme, VolumeLabel, grow_gpt, lay_out};

use super::drive::Patches;
use crate::Answer;

const MIB: u64 = 1 << 20;
/// Of the image, and of the drive it is fitted to.
const SIZES: (u64, u64) = (40 * MIB, 100 * MIB);

/// The first sectors of a drive with a table: up to the end of the entries.
static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let spec = DiskSpec {
        size_bytes: SIZES.0,
        sector_bytes: 512,
        scheme: Scheme::Gpt,
        label: VolumeLabel::new("FUZZ").unwrap(),
        ids: DriveIds { disk_guid: [1; 16], esp_guid: [2; 16], bios_boot_guid: [3; 16], ..DriveIds::default() },
        modified: FatTime::from_unix_seconds(1_795_000_000),
        boot: None,
        folders: Vec::new(),
    };
    let layout = lay_out(&spec, &[]).unwrap();
    let mut head = vec![0; 34 * 512];
    for extent in layout.payload.iter().chain(&layout.seal) {
        let at = extent.offset_bytes as usize;
        if let Data::Bytes(bytes) = &extent.data
            && at + bytes.len() <= head.len()
        {
            head[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
    head
});

/// How an input is made of the head: whether its checksums are mended afterwards, and what is changed.
pub(super) fn samples() -> Vec<Vec<u8>> {
    vec![
        vec![1],
        // The first usable sector, the disk's GUID, an entry's name.
        [vec![1], Patches::encode(&[(1, 40, &[34])])].concat(),
        [vec![1], Patches::encode(&[(1, 56, b"0123456789abcdef")])].concat(),
        [vec![1], Patches::encode(&[(2, 56, b"E\0F\0I\0")])].concat(),
    ]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let (mends, patches) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let mut head = HEAD.clone();
    // The protective record, the header, the entries in use.
    Patches::of(patches).apply(&mut head, &[0..512, 512..512 + 92, 1024..1024 + 256]);
    if mends % 2 == 1 {
        mend(&mut head);
    }
    let Ok(grown) = grow_gpt(&head, 512, SIZES.1) else { return Answer::Refused };
    assert_eq!(grown.copy_offset_bytes + grown.copy.len() as u64, SIZES.1, "the copy ends with the drive");
    assert_eq!(grown.head.len(), head.len());
    assert!(grow_gpt(&grown.head, 512, SIZES.1).unwrap() == grown, "what is fitted stays as it is");
    let device = Sparse { head: grown.head, copy: (grown.copy_offset_bytes, grown.copy), at: 0 };
    let config = gpt::GptConfig::new().writable(false).only_valid_headers(true);
    match config.open_from_device(device) {
        Ok(disk) => {
            let backup = disk.backup_header().unwrap_or_else(|error| panic!("the copy: {error}"));
            let primary = disk.primary_header().unwrap_or_else(|error| panic!("the table: {error}"));
            assert_eq!((backup.backup_lba, primary.backup_lba), (1, SIZES.1 / 512 - 1));
        }
        // Some tables have good checksums and are refused by the crate for what is in them; then not for our part. It
        // takes each header for one of 92 bytes.
        Err(error) => {
            let is_usual = head[512 + 12..512 + 16] == [92, 0, 0, 0];
            assert!(!is_usual || !error.to_string().to_lowercase().contains("checksum"), "{error}");
        }
    }
    Answer::Accepted
}

/// Make the checksums right, as far as the fields lead to bytes that are there (UEFI 2.10, 5.3.2).
fn mend(head: &mut [u8]) {
    let number = |head: &[u8], at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize;
    let (entries, count, size) = (number(head, 512 + 72) * 512, number(head, 512 + 80), number(head, 512 + 84));
    let len = count.saturating_mul(size);
    if let Some(bytes) = head.get(entries..entries.saturating_add(len)) {
        let sum = crc32fast::hash(bytes).to_le_bytes();
        head[512 + 88..512 + 92].copy_from_slice(&sum);
    }
    let header = number(head, 512 + 12).min(512);
    head[512 + 16..512 + 20].fill(0);
    let sum = crc32fast::hash(&head[512..512 + header]).to_le_bytes();
    head[512 + 16..512 + 20].copy_from_slice(&sum);
}

/// A drive of zeros with something at both ends.
#[derive(Debug)]
struct Sparse {
    head: Vec<u8>,
    copy: (u64, Vec<u8>),
    at: u64,
}

impl Read for Sparse {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = bytes.len().min(SIZES.1.saturating_sub(self.at) as usize);
        for (byte, at) in bytes[..len].iter_mut().zip(self.at..) {
            let in_copy = at.checked_sub(self.copy.0).and_then(|at| self.copy.1.get(at as usize));
            *byte = self.head.get(at as usize).or(in_copy).copied().unwrap_or(0);
        }
        self.at += len as u64;
        Ok(len)
    }
}

impl Write for Sparse {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("a reader writes")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => SIZES.1.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
