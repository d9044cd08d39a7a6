// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that somebody inserted: partition table and FAT32. What our reader finds nothing wrong with, the `fatfs` crate
//! reads as the same files with the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{LazyLock, Mutex};

use platen_disk::{ALIGN_BYTES, Data, DiskSpec, DriveIds, FatTime, FileSpec, Scheme, VolumeLabel, lay_out};
use platen_examine::{Depth, examine};
use platen_media::examination::Examination;
use platen_testkit::files::noise;

use crate::Answer;

const MIB: usize = 1 << 20;
const DRIVE_BYTES: usize = 40 * MIB;
/// The boot sector.
const BOOT: Range<usize> = MIB..MIB + 512;
const FILES: [(&str, usize); 5] = [
    ("EFI/BOOT/BOOTX64.EFI", 9_000),
    ("platen/manifest.json", 700),
    ("A rather long name/drivers/Net Driver 2.inf", 40_000),
    ("empty.txt", 0),
    ("sources/big.bin", 300_000),
];

struct Drive {
    memory: Vec<u8>,
    /// Where the parts are that are parsed.
    regions: Vec<Range<usize>>,
    volume_bytes: usize,
}

static DRIVES: LazyLock<[Mutex<Drive>; 2]> =
    LazyLock::new(|| [Scheme::Mbr, Scheme::Gpt].map(|scheme| Mutex::new(drive(scheme))));

fn drive(scheme: Scheme) -> Drive {
    let spec = DiskSpec {
        size_bytes: DRIVE_BYTES as u64,
        sector_bytes: 512,
        scheme,
        label: VolumeLabel::new("FUZZ").unwrap(),
        ids: DriveIds {
            disk_signature: 7,
            volume_serial: 9,
            disk_guid: [1; 16],
            esp_guid: [2; 16],
            bios_boot_guid: [3; 16],
        },
        modified: FatTime::from_unix_seconds(1_795_000_000),
        boot: None,
        folders: vec!["logs".to_owned()],
    };
    let files = FILES.map(|(path, size)| FileSpec {
        path,
        size_bytes: size as u64,
        sealed: false,
        keep_at_bytes: None,
        modified: None,
    });
    let layout = lay_out(&spec, &files).unwrap();
    let mut memory = vec![0; DRIVE_BYTES];
    for extent in layout.payload.iter().chain(&layout.seal) {
        let range = extent.offset_bytes as usize..extent.end_bytes() as usize;
        match &extent.data {
            Data::Bytes(bytes) => memory[range].copy_from_slice(bytes),
            Data::File { index, offset_bytes } => {
                let bytes = noise(u64::from(*index) + 1, FILES[*index as usize].1);
                let from = *offset_bytes as usize;
                memory[range.clone()].copy_from_slice(&bytes[from..from + range.len()]);
            }
            Data::Zero => {}
        }
    }
    let boot = ALIGN_BYTES as usize;
    let word =
        |at: usize, len: usize| memory[at..at + len].iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte));
    let (reserved, table) = (word(boot + 14, 2) * 512, word(boot + 36, 4) * 512);
    let tables = boot + reserved;
    let data = layout.stats.data_start_bytes as usize;
    // FSInfo and the copies of boot sectors are not parsed: whoever judges a medium computes them anew and compares.
    let regions = vec![
        0..512,
        BOOT,
        tables..tables + 1024,
        tables + table..tables + table + 1024,
        // The root and the first folders.
        data..data + 8192,
    ];
    Drive { memory, regions, volume_bytes: layout.stats.partition_len_bytes as usize }
}

/// Places that are changed: a byte for the region, two for the place in it, one for how many bytes, and those.
pub(super) struct Patches<'a>(Vec<(usize, usize, &'a [u8])>);

impl<'a> Patches<'a> {
    pub(super) fn of(mut bytes: &'a [u8]) -> Self {
        let mut patches = Vec::new();
        while let [region, low, high, len, rest @ ..] = bytes {
            let len = usize::from(*len % 33).min(rest.len());
            patches.push((usize::from(*region), usize::from(u16::from_le_bytes([*low, *high])), &rest[..len]));
            bytes = &rest[len..];
        }
        Self(patches)
    }

    pub(super) fn encode(patches: &[(u8, usize, &[u8])]) -> Vec<u8> {
        let each = |(region, at, bytes): &(u8, usize, &[u8])| {
            [&[*region], &(*at as u16).to_le_bytes()[..], &[bytes.len() as u8], bytes].concat()
        };
        patches.iter().flat_map(each).collect()
    }

    /// Whether any of them is in this region.
    fn touch(&self, regions: &[Range<usize>], wanted: &Range<usize>) -> bool {
        self.0.iter().any(|(region, _, bytes)| !bytes.is_empty() && regions[region % regions.len()] == *wanted)
    }

    /// Change the memory; what was there before, in the order of the changes.
    pub(super) fn apply(&self, memory: &mut [u8], regions: &[Range<usize>]) -> Vec<(usize, Vec<u8>)> {
        let mut before = Vec::new();
        for (region, at, bytes) in &self.0 {
            let region = &regions[region % regions.len()];
            let at = region.start + at % region.len();
            let len = bytes.len().min(region.end - at);
            before.push((at, memory[at..at + len].to_vec()));
            memory[at..at + len].copy_from_slice(&bytes[..len]);
        }
        before
    }
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    vec![
        vec![0],
        vec![1],
        // Another volume serial; other times of the first folder.
        [vec![0], Patches::encode(&[(1, 67, &[1, 2, 3, 4])])].concat(),
        [vec![1], Patches::encode(&[(4, 32 + 14, &[0, 0]), (4, 32 + 22, &[1, 0])])].concat(),
    ]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let (which, patches) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let mut drive = DRIVES[usize::from(which % 2)].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let drive = &mut *drive;
    let patches = Patches::of(patches);
    let before = patches.apply(&mut drive.memory, &drive.regions);
    // So is the boot sector, field by field; one that was changed is read by each reader in its own way.
    let answer = judge(drive, !patches.touch(&drive.regions, &BOOT));
    for (at, bytes) in before.into_iter().rev() {
        drive.memory[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    answer
}

fn judge(drive: &Drive, compares: bool) -> Answer {
    let size_bytes = drive.memory.len() as u64;
    let found = examine(Cursor::new(&drive.memory), size_bytes, Depth::Content, &mut |_, _| {});
    let names = examine(Cursor::new(&drive.memory), size_bytes, Depth::Names, &mut |_, _| {});
    assert_eq!(paths(&names), paths(&found), "the same files at every depth");
    let is_good = found.ids.is_some() && found.problems.is_empty() && found.is_whole;
    if !is_good {
        return Answer::Refused;
    }
    if !compares {
        return Answer::Accepted;
    }
    let volume = &drive.memory[ALIGN_BYTES as usize..][..drive.volume_bytes];
    let theirs = read_by_fatfs(volume);
    let ours: BTreeMap<String, String> =
        found.files.iter().map(|file| (file.path.clone(), file.blake3.clone().unwrap_or_default())).collect();
    let is_system = |path: &str| found.made_by_systems.iter().any(|made| path.starts_with(&**made));
    let theirs: BTreeMap<String, String> = theirs.into_iter().filter(|(path, _)| !is_system(path)).collect();
    assert_eq!(theirs, ours, "two readers find the same");
    Answer::Accepted
}

fn paths(found: &Examination) -> Vec<&str> {
    found.files.iter().map(|file| &*file.path).collect()
}

fn read_by_fatfs(volume: &[u8]) -> BTreeMap<String, String> {
    let volume = fatfs::FileSystem::new(ReadOnly(Cursor::new(volume)), fatfs::FsOptions::new()).unwrap();
    let mut found = BTreeMap::new();
    let mut folders = vec![(String::new(), volume.root_dir())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in folder.iter() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name());
            if entry.is_file() {
                let mut content = Vec::new();
                entry.to_file().read_to_end(&mut content).unwrap();
                found.insert(path, blake3::hash(&content).to_string());
            } else if !matches!(entry.short_file_name().as_str(), "." | "..") {
                folders.push((format!("{path}/"), entry.to_dir()));
            }
        }
    }
    found
}

/// The crate wants something it could write to.
struct ReadOnly<'a>(Cursor<&'a [u8]>);

impl Read for ReadOnly<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for ReadOnly<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("a reader writes")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for ReadOnly<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
