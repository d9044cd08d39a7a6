// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What firmware and kernels read besides the files' bytes: each kind is changed on a right drive, and named.

use platen_engine::verify::Report;
use platen_examine::Depth;
use platen_media::manifest::Scheme;

use crate::bench::{Bench, only_planned};
use crate::judge::verdict;

const SECTOR: usize = 512;
const BOOT: usize = 1 << 20;

/// A drive that can be changed by what is in its volume.
struct Volume {
    bench: Bench,
    memory: Vec<u8>,
}

impl Volume {
    fn new(scheme: Scheme) -> Self {
        let bench = Bench::files();
        let plan = bench.plan(scheme);
        let memory = only_planned(&plan, &bench.golden(&plan));
        Self { bench, memory }
    }

    fn number(&self, at: usize, len: usize) -> usize {
        self.memory[at..at + len].iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte))
    }

    fn reserved_sectors(&self) -> usize {
        self.number(BOOT + 14, 2)
    }

    fn table(&self, which: usize) -> usize {
        BOOT + self.reserved_sectors() * SECTOR + which * self.number(BOOT + 36, 4) * SECTOR
    }

    fn cluster(&self, number: usize) -> usize {
        self.table(2) + (number - 2) * self.cluster_bytes()
    }

    fn cluster_bytes(&self) -> usize {
        self.number(BOOT + 13, 1) * SECTOR
    }

    fn link(&mut self, cluster: usize, to: u32) {
        for which in 0..2 {
            let at = self.table(which) + cluster * 4;
            self.memory[at..at + 4].copy_from_slice(&to.to_le_bytes());
        }
    }

    /// Where the short entry of this name is.
    fn entry(&self, short: &[u8; 11]) -> usize {
        let from = self.table(2);
        (from..self.memory.len()).step_by(32).find(|at| self.memory[*at..at + 11] == *short).unwrap()
    }

    fn first_cluster(&self, entry: usize) -> usize {
        self.number(entry + 20, 2) << 16 | self.number(entry + 26, 2)
    }

    /// The cluster an entry stands in.
    fn folder_of(&self, short: &[u8; 11]) -> usize {
        (self.entry(short) - self.cluster(2)) / self.cluster_bytes() + 2
    }

    /// Where the entries of a folder end.
    fn end_mark(&self, cluster: usize) -> usize {
        let from = self.cluster(cluster);
        (from..from + self.cluster_bytes()).step_by(32).find(|at| self.memory[*at] == 0).unwrap()
    }

    fn put_entry(&mut self, at: usize, short: &[u8; 11], attributes: u8, cluster: usize, size: u32) {
        self.memory[at..at + 32].fill(0);
        self.memory[at..at + 11].copy_from_slice(short);
        self.memory[at + 11] = attributes;
        self.memory[at + 20..at + 22].copy_from_slice(&((cluster >> 16) as u16).to_le_bytes());
        self.memory[at + 26..at + 28].copy_from_slice(&(cluster as u16).to_le_bytes());
        self.memory[at + 28..at + 32].copy_from_slice(&size.to_le_bytes());
    }

    /// A name of at most thirteen units before its short entry.
    fn put_long(&mut self, at: usize, name: &str, short: &[u8; 11]) {
        let sum = short.iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        let mut raw = [0xff; 32];
        (raw[0], raw[11], raw[12], raw[13], raw[26], raw[27]) = (0x41, 0x0f, 0, sum, 0, 0);
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
        for (place, unit) in places.zip(name.encode_utf16().chain([0])) {
            raw[place..place + 2].copy_from_slice(&unit.to_le_bytes());
        }
        self.memory[at..at + 32].copy_from_slice(&raw);
    }

    fn report(&self) -> Report {
        verdict(&self.bench, &self.memory, 512, Depth::Content)
    }
}

const LOADER: &[u8; 11] = b"BOOTX64 EFI";
const SMALL: &[u8; 11] = b"FILE1   BIN";

type Change = fn(&mut Volume);

/// Each change, and what must be in one of the problems.
const CHANGES: &[(&str, &str, Change)] = &[
    ("a short name that is another file's", "EFI/BOOT/BOOTX64.EFI", |v| {
        // A long name for a short one: mmx64.efi, called BOOTX64.EFI.
        let at = v.entry(LOADER);
        assert_eq!(v.end_mark(v.folder_of(LOADER)), at + 32);
        let loader = v.memory[at..at + 32].to_vec();
        v.put_long(at, "mmx64.efi", LOADER);
        v.memory[at + 32..at + 64].copy_from_slice(&loader);
    }),
    ("an alias that is not its own", "expected the short name", |v| {
        let at = v.entry(b"MANIFE~1JSO");
        let sum = b"MANIFE~7JSO".iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        v.memory[at + 7] = b'7';
        v.memory[at - 32 + 13] = sum;
    }),
    ("a file behind the end mark", "behind the end mark", |v| {
        let at = v.end_mark(2);
        v.put_entry(at + 32, b"AUTORUN INF", 0x20, 0, 0);
    }),
    ("a file behind the end mark in a folder", "EFI/BOOT/: there is something behind the end mark", |v| {
        let at = v.end_mark(v.folder_of(LOADER));
        v.put_entry(at + 32, b"MMX64   EFI", 0x20, 0, 0);
    }),
    ("letters in an end mark", "behind the end mark", |v| {
        let at = v.end_mark(2);
        v.memory[at + 5] = 1;
    }),
    ("rubbish in the second table", "differ between the two", |v| {
        let (from, to) = (v.table(1) + 8, v.table(2));
        v.memory[from..to].fill(0x5a);
    }),
    ("one bit in the second table", "differ between the two", |v| {
        let at = v.table(1) + 4 * v.first_cluster(v.entry(LOADER));
        v.memory[at] ^= 4;
    }),
    ("an entry for no file in both tables", "belong to no file", |v| v.link(70_000, 0x0fff_ffff)),
    ("a bad cluster in both tables", "belong to no file", |v| v.link(70_000, 0x0fff_fff7)),
    ("an entry behind the last cluster", "where there must be none", |v| {
        for which in 0..2 {
            let at = v.table(which + 1) - 4;
            v.memory[at] = 9;
        }
    }),
    ("reserved bits of a number", "where there must be none", |v| {
        let cluster = v.first_cluster(v.entry(LOADER));
        v.link(cluster, 0x1000_0000 | (cluster as u32 + 1));
    }),
    ("the first entry", "first two entries", |v| v.link(0, 0x0fff_fff0)),
    ("an error flag in the second entry", "first two entries", |v| v.link(1, 0x0bff_ffff)),
    ("a chain that is too long", "more clusters than it may", |v| {
        let last = v.first_cluster(v.entry(SMALL));
        v.link(last, 70_000);
        v.link(70_000, 0x0fff_ffff);
    }),
    ("a chain that is too short", "clusters, expected", |v| {
        let first = v.first_cluster(v.entry(LOADER));
        v.link(first + 3, 0x0fff_ffff);
    }),
    ("a chain that leads nowhere", "which is none of it", |v| {
        let first = v.first_cluster(v.entry(LOADER));
        v.link(first + 3, 0);
    }),
    ("a chain in circles", "belongs to something else too", |v| {
        let first = v.first_cluster(v.entry(LOADER));
        v.link(first + 3, first as u32);
    }),
    ("chains that cross", "belongs to something else too", |v| {
        let (at, other) = (v.entry(SMALL), v.first_cluster(v.entry(LOADER)));
        v.memory[at + 20..at + 22].copy_from_slice(&((other >> 16) as u16).to_le_bytes());
        v.memory[at + 26..at + 28].copy_from_slice(&(other as u16).to_le_bytes());
    }),
    ("slack behind a file", "file1.bin: there is something behind its end", |v| {
        let at = v.entry(SMALL);
        let end = v.cluster(v.first_cluster(at)) + v.number(at + 28, 4);
        v.memory[end] = 1;
    }),
    ("an empty file with clusters", "empty.txt", |v| {
        let at = v.entry(b"EMPTY   TXT");
        v.memory[at + 26..at + 28].copy_from_slice(&60_000_u16.to_le_bytes());
    }),
    ("the label in the root", "label", |v| {
        let at = v.cluster(2);
        v.memory[at] ^= 1;
    }),
    ("a second label", "label", |v| {
        let at = v.end_mark(2);
        v.put_entry(at, b"OTHER      ", 0x08, 0, 0);
    }),
    ("a folder's parent", "`.` and `..`", |v| {
        let at = v.cluster(v.folder_of(LOADER)) + 32;
        v.memory[at + 26] ^= 1;
    }),
    ("a hidden loader", "its attributes were changed", |v| {
        let at = v.entry(LOADER);
        v.memory[at + 11] |= 0x02;
    }),
    ("small letters by a flag", "BOOTX64.EFI: missing", |v| {
        let at = v.entry(LOADER);
        v.memory[at + 12] = 0x18;
    }),
    ("a long name without a short one", "long name without a short one", |v| {
        let at = v.end_mark(2);
        v.put_long(at, "autorun.inf", b"AUTORUN INF");
    }),
    ("a name of a system's on another file", "System Vol: its short name is that of another file, AUTORUN.INF", |v| {
        let at = v.end_mark(2);
        v.put_long(at, "System Vol", b"AUTORUN INF");
        v.put_entry(at + 32, b"AUTORUN INF", 0x20, 0, 0);
    }),
    ("._x is called AUTORUN.INF", "._x: its short name is that of another file", |v| {
        let at = v.end_mark(2);
        v.put_long(at, "._x", b"AUTORUN INF");
        v.put_entry(at + 32, b"AUTORUN INF", 0x20, 0, 0);
    }),
    ("FSInfo", "fat fsinfo", |v| v.memory[BOOT + SECTOR + 100] = 1),
    ("an impossible hint", "fat fsinfo", |v| v.memory[BOOT + SECTOR + 491] = 0x7f),
    ("the backup of FSInfo", "fat fsinfo", |v| v.memory[BOOT + 7 * SECTOR + 484] ^= 1),
    ("the backup boot sector", "fat boot sector backup", |v| v.memory[BOOT + 6 * SECTOR + 44] ^= 1),
    ("a reserved sector", "reserved sectors", |v| v.memory[BOOT + 4 * SECTOR] = 1),
    ("the last reserved sector", "reserved sectors", |v| {
        let at = v.table(0) - 1;
        v.memory[at] = 1;
    }),
    ("behind the volume", "the end of the drive", |v| {
        let at = v.memory.len() - (1 << 20) + 5;
        v.memory[at] = 1;
    }),
];

#[test]
fn everything_that_systems_read_is_judged() {
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let mut volume = Volume::new(scheme);
        let golden = volume.memory.clone();
        assert!(volume.report().is_good(), "control: {:?}", volume.report());
        for (what, expected, change) in CHANGES {
            change(&mut volume);
            let report = volume.report();
            let named = report.problems.iter().any(|problem| problem.text.contains(expected));
            assert!(!report.is_good() && named, "{scheme}: {what}: expected {expected:?}: {report:?}");
            volume.memory.copy_from_slice(&golden);
        }
    }
}

/// What operating systems are known to change.
const HARMLESS: &[(&str, Change)] = &[
    ("the archive bit", |v| {
        let at = v.entry(LOADER);
        v.memory[at + 11] &= !0x20;
    }),
    ("times", |v| {
        let at = v.entry(LOADER);
        v.memory[at + 18..at + 20].fill(0x33);
        v.memory[at + 22..at + 26].fill(0x33);
    }),
    ("hints", |v| {
        v.memory[BOOT + SECTOR + 488..BOOT + SECTOR + 496].fill(0xff);
        v.memory[BOOT + SECTOR + 488] = 0xff;
    }),
    ("dirty in the tables", |v| v.link(1, 0xf7ff_ffff)),
    ("dirty in the first table only", |v| {
        let at = v.table(0) + 4;
        v.memory[at..at + 4].copy_from_slice(&0x07ff_ffff_u32.to_le_bytes());
    }),
    ("dirty in both boot sectors", |v| {
        v.memory[BOOT + 0x41] = 1;
        v.memory[BOOT + 6 * SECTOR + 0x41] = 1;
    }),
    ("a deleted file of its own", |v| {
        let at = v.end_mark(2);
        v.put_entry(at, b"\xe5ST     TMP", 0x20, 0, 0);
    }),
    ("a system's file in a folder", |v| {
        let at = v.end_mark(v.folder_of(LOADER));
        v.put_long(at, ".DS_Store", b"DS_STO~1   ");
        v.put_entry(at + 32, b"DS_STO~1   ", 0x22, 70_000, 6148);
        for cluster in 70_000..70_013 {
            v.link(cluster, if cluster == 70_012 { 0x0fff_fff8 } else { cluster as u32 + 1 });
        }
    }),
];

#[test]
fn what_systems_are_known_to_change_passes() {
    let mut volume = Volume::new(Scheme::Mbr);
    let golden = volume.memory.clone();
    for (what, change) in HARMLESS {
        change(&mut volume);
        assert!(volume.memory != golden, "{what}");
        let report = volume.report();
        assert!(report.is_good(), "{what}: {report:?}");
        volume.memory.copy_from_slice(&golden);
    }
}
