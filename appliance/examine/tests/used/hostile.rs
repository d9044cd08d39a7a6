// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Changed bytes anywhere in what file systems and tables keep of themselves: an answer comes, it is about this drive, and
//! it costs no more than reading the drive some times over.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use crate::tables::{MIB, drive, put_volume};
use crate::tools::{blank, folder, shell};

/// Counts what is read.
struct Counting<'a> {
    inner: Cursor<&'a [u8]>,
    bytes: u64,
    reads: u64,
}

impl Read for Counting<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(bytes)?;
        (self.bytes, self.reads) = (self.bytes + len as u64, self.reads + 1);
        Ok(len)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// xorshift64
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Volumes of each kind, small and with a file, by one line each.
const VOLUMES: [(&str, &str); 7] = [
    ("fat12", "mkfs.fat -F 12 -s 8 v && mcopy -i v file ::/"),
    ("fat16", "mkfs.fat -F 16 v && mcopy -i v file ::/"),
    ("fat32", "truncate -s 40M v && mkfs.fat -F 32 -s 1 v && mcopy -i v file ::/"),
    ("exfat", "mkfs.exfat v"),
    ("ntfs", "mkntfs -q -F v && ntfscp -f v file file"),
    ("ext2", "mke2fs -q -t ext2 -b 1024 -g 1024 v && debugfs -w -R 'write file file' v"),
    ("ext4", "mke2fs -q -t ext4 -b 1024 -g 1024 -O uninit_bg,^metadata_csum v && debugfs -w -R 'write file file' v"),
];

fn volume(folder: &Path, line: &str) -> Vec<u8> {
    let path = folder.join("v");
    blank(&path, 12 * MIB);
    shell(folder, &format!("head -c 70000 /dev/urandom > file && {line}")).expect(0);
    std::fs::read(path).unwrap()
}

/// How many answers said that something is free, and how many that all must be copied.
fn ask_about_changes(good: &[u8], sector_bytes: u32, rounds: usize, seed: u64) -> [usize; 2] {
    let blocks: Vec<usize> =
        (0..good.len()).step_by(512).filter(|at| good[*at..*at + 512].iter().any(|&byte| byte != 0)).collect();
    let (mut bytes, mut random, mut said) = (good.to_vec(), Random(seed), [0; 2]);
    let edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, u32::MAX, u32::MAX - 1];
    for round in 0..rounds {
        let mut changed = Vec::new();
        for _ in 0..=random.below(3) {
            // Half of the changes hit the first blocks, where most is that is followed.
            let limit = if random.below(2) == 0 { blocks.len().min(8) } else { blocks.len() };
            let at = blocks[random.below(limit)] + random.below(509);
            changed.push(at);
            match random.below(3) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.below(256) as u8,
                _ => bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(edges[random.below(edges.len())])),
            }
        }
        let mut reader = Counting { inner: Cursor::new(&bytes), bytes: 0, reads: 0 };
        let used = platen_examine::allocation(&mut reader, bytes.len() as u64, sector_bytes);
        let used = used.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(used.is_sound(bytes.len() as u64), "round {round}");
        assert!(used.regions.iter().all(|region| region.used_bytes <= region.len_bytes), "round {round}");
        assert!(reader.bytes < 4 * bytes.len() as u64, "round {round}: {} bytes were read", reader.bytes);
        assert!(reader.reads < 20_000, "round {round}: {} reads", reader.reads);
        said[usize::from(used.used_bytes() == bytes.len() as u64)] += 1;
        changed.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(&good[at..at + 4]));
    }
    said
}

#[test]
fn changed_bytes_of_a_file_system_lead_nowhere() {
    for (seed, (name, line)) in VOLUMES.iter().enumerate() {
        let folder = folder();
        let said = ask_about_changes(&volume(folder.path(), line), 512, 2000, 11 + seed as u64);
        println!("{name}: {said:?}");
        assert!(said.iter().all(|count| *count > 50), "{name}: one answer is hardly given: {said:?}");
    }
}

#[test]
fn changed_bytes_of_a_partition_table_lead_nowhere() {
    let folder = folder();
    let volume = volume(folder.path(), VOLUMES[1].1);
    std::fs::write(folder.path().join("volume"), volume).unwrap();
    for (seed, line, starts) in [
        (1, "sgdisk -n 1:1M:+12M -n 2:0:+12M drive.img", [MIB, 13 * MIB]),
        (2, "printf '2048,24576\\n32768,,5\\n34816,24576\\n' | sfdisk -q drive.img", [MIB, 17 * MIB]),
    ] {
        let drive = drive(folder.path(), "drive.img", 40 * MIB, line);
        starts.into_iter().for_each(|start| put_volume(&drive, start, &folder.path().join("volume")));
        let said = ask_about_changes(&std::fs::read(&drive).unwrap(), 512, 1500, seed);
        println!("{line}: {said:?}");
        assert!(said.iter().all(|count| *count > 2), "{line}: one answer is hardly given: {said:?}");
    }
}
