// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Generated drives and trees.

use std::collections::{BTreeMap, HashSet};

use platen_disk::{BootRecords, DiskSpec, DriveIds, FatTime, FileSpec, Scheme, VolumeLabel, grub};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// Path, and for files the hash of the content; directories have none.
pub(crate) type Listing = BTreeMap<String, Option<blake3::Hash>>;

#[derive(Debug, Clone)]
pub(crate) struct TreeFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sealed: bool,
    pub(crate) keep_at: Option<u64>,
}

impl TreeFile {
    /// Not sealed, and anywhere.
    pub(crate) fn new(path: impl Into<String>, size: u64) -> Self {
        Self { path: path.into(), size, sealed: false, keep_at: None }
    }

    fn spec(&self) -> FileSpec<'_> {
        let Self { path, size, sealed, keep_at } = self;
        FileSpec { path, size_bytes: *size, sealed: *sealed, keep_at_bytes: *keep_at, modified: None }
    }
}

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) spec: DiskSpec,
    pub(crate) entries: Vec<TreeFile>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DiskSpec { size_bytes, sector_bytes, scheme, .. } = self.spec;
        writeln!(
            f,
            "{scheme:?} drive of {size_bytes} bytes, {sector_bytes}-byte sectors, {} files:",
            self.entries.len()
        )?;
        self.entries.iter().try_for_each(|e| {
            let sealed = if e.sealed { "sealed" } else { "" };
            writeln!(f, "  {:?} {} {sealed} {:?}", e.path, e.size, e.keep_at)
        })
    }
}

impl Case {
    pub(crate) fn files(&self) -> Vec<FileSpec<'_>> {
        self.entries.iter().map(TreeFile::spec).collect()
    }

    pub(crate) fn expected(&self) -> Listing {
        let mut listing = Listing::new();
        for (index, file) in self.entries.iter().enumerate() {
            for (at, _) in file.path.match_indices('/') {
                listing.insert(file.path[..at].to_owned(), None);
            }
            listing.insert(file.path.clone(), Some(blake3::hash(&content(index, file.size))));
        }
        listing
    }
}

/// The content of the file with this index.
pub(crate) fn content(index: usize, size: u64) -> Vec<u8> {
    let mut state = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while (bytes.len() as u64) < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}

/// Sector sizes and drive sizes in bytes, from the smallest of each cluster size on.
const DRIVES: [(u32, u64); 13] = [
    (512, 64 * MIB),
    (512, 64 * MIB + 3 * 512),
    (512, 100 * MIB + 77 * 512),
    (512, 260 * MIB - 512),
    (512, 260 * MIB),
    (512, 1_000_000_000 / 512 * 512),
    (512, 8 * GIB),
    (512, 17 * GIB - 512),
    (512, 33 * GIB),
    (4096, 264 * MIB),
    (4096, 300 * MIB + 4096),
    (4096, 2 * GIB),
    (4096, 36 * GIB - 4096),
];

pub(crate) fn spec(scheme: Scheme, sector_bytes: u32, size_bytes: u64) -> DiskSpec {
    let guid = |n: u8| [n; 16].map(|b| b ^ 0x5a);
    DiskSpec {
        size_bytes,
        sector_bytes,
        scheme,
        label: VolumeLabel::new("PLATEN TEST").unwrap(),
        ids: DriveIds {
            disk_signature: 0x1234_5678,
            volume_serial: 0x50a7_e201,
            disk_guid: guid(1),
            esp_guid: guid(2),
            bios_boot_guid: guid(3),
        },
        modified: FatTime::from_unix_seconds(1_770_000_001),
        boot: Some(boot_records(scheme)),
        folders: Vec::new(),
    }
}

/// Images with GRUB's fields and nothing to run.
pub(crate) fn boot_records(scheme: Scheme) -> BootRecords {
    let mut boot = vec![0xc0; 512];
    boot[0x5c..0x64].copy_from_slice(&1u64.to_le_bytes());
    boot[0x66..0x68].copy_from_slice(&[0xeb, 0x05]);
    boot[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
    let mut core = content(0, 158_458);
    core[0x1f4..0x1fc].copy_from_slice(&2u64.to_le_bytes());
    core[0x1fc..0x200].copy_from_slice(&[0x35, 0x01, 0x20, 0x08]);
    grub::patch(&boot, &core, scheme).unwrap()
}

/// Names of many kinds; equal numbers of one kind make names that are alike.
pub(crate) fn name(kind: u8, n: u32) -> String {
    match kind {
        0 => format!("F{n:X}.BIN"),
        1 => format!("f{n}.txt"),
        2 => format!("Mixed{}.Cab", n % 97),
        3 => format!("driver package file {}.inf", n % 500),
        4 => format!("DRIVER~{}.INF", n % 9 + 1),
        5 => format!("drive{}~1.inf", n % 3),
        6 => format!("many.dots.in.{}.name..x", n % 1000),
        7 => format!(".hidden{}", n % 50),
        8 => format!("한국어 드라이버 {}.패키지", n % 1000),
        9 => format!("Ünïcödé-ÆØ{}.ß", n % 1000),
        10 => format!("{}{}", "x".repeat(12 + n as usize % 4), n % 10), // around one long entry
        11 => format!("{:a<width$}", n % 100, width = 26 + n as usize % 230), // up to 255
        12 => format!("日本{}.日本語", n % 1000),
        13 => format!(" leading, [odd] +;={} 'chars' & more!", n % 100),
        14 => format!("кириллица{}", n % 100),
        // As long as a file name on Linux can be, in bytes, so that mcopy can copy it; `big` has longer ones.
        15 => format!("한{:b<width$}", n % 100, width = 240 + n as usize % 13),
        16 => format!("😀{}🚀", n % 100),
        _ => format!("ABCDEF{:02}.{}", n % 100, n % 10),
    }
}

/// Files to be: which directory, kind and number of the name, size, sealed.
type Drawn = (usize, (u8, u32), u64, bool);

pub(crate) fn size() -> impl Strategy<Value = u64> + Clone {
    let around = |of: u64| (of - 1)..=(of + 1);
    prop_oneof![
        3 => Just(0),
        8 => 1u64..3000,
        4 => around(512),
        4 => around(4096),
        3 => around(16 << 10),
        3 => around(32 << 10),
        4 => 3000u64..100_000,
        1 => around(MIB),
        1 => MIB..3 * MIB,
    ]
}

pub(crate) fn case(scheme: Scheme) -> impl Strategy<Value = Case> {
    let drive = prop::sample::select(&DRIVES[..]);
    let directories = prop::collection::vec((any::<prop::sample::Index>(), 0u8..18, any::<u32>()), 0..10);
    let file = (0usize..11, (0u8..18, any::<u32>()), size(), prop::bool::weighted(0.2));
    let files =
        prop_oneof![9 => prop::collection::vec(file.clone(), 0..60), 1 => prop::collection::vec(file, 100..300)];
    (drive, directories, files, any::<bool>(), any::<u32>()).prop_map(
        move |((sector, size), directories, files, boot, serial)| {
            let mut spec = spec(scheme, sector, size);
            spec.ids.volume_serial = serial;
            if !boot {
                spec.boot = None;
            }
            let mut taken = HashSet::new();
            let mut paths = vec![String::new()];
            for (parent, kind, n) in directories {
                let parent = parent.index(paths.len());
                let name = name(kind, n);
                if taken.insert((parent, folded(&name))) {
                    paths.push(format!("{}{name}/", paths[parent]));
                }
            }
            Case { spec, entries: entries(&paths, &mut taken, &files) }
        },
    )
}

fn entries(paths: &[String], taken: &mut HashSet<(usize, String)>, files: &[Drawn]) -> Vec<TreeFile> {
    // What a 64 MiB drive takes with alignment.
    let mut room = 24 * MIB;
    let mut entries = Vec::new();
    for &(directory, (kind, n), size, sealed) in files {
        let directory = directory % paths.len();
        let name = name(kind, n);
        let cost = size + if size >= MIB { MIB } else { 0 };
        if cost < room && taken.insert((directory, folded(&name))) {
            room -= cost;
            entries.push(TreeFile { path: format!("{}{name}", paths[directory]), size, sealed, keep_at: None });
        }
    }
    entries
}

pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase().to_uppercase()
}

/// What two listings differ in, at most ten entries of it.
pub(crate) fn difference(found: &Listing, expected: &Listing) -> Option<String> {
    let only = |one: &Listing, other: &Listing| -> Vec<String> {
        let differing = one.iter().filter(|(path, hash)| other.get(*path) != Some(hash));
        differing.map(|(path, hash)| format!("{path:?} {hash:?}")).take(10).collect()
    };
    (found != expected).then(|| format!("found {:#?}, expected {:#?}", only(found, expected), only(expected, found)))
}

/// Half of the trees asked for, with this scheme. The other test has the other half, so that two processors share them.
pub(crate) fn for_each(scheme: Scheme, judge: impl Fn(&Case)) {
    run(scheme, 2, &case(scheme), judge);
}

/// One of so many of the trees asked for, with what else is drawn for each.
pub(crate) fn run<S: Strategy>(scheme: Scheme, one_in: u64, strategy: &S, judge: impl Fn(&S::Value)) {
    let number = |name: &str, otherwise: u64| std::env::var(name).map_or(otherwise, |v| v.parse().unwrap());
    let config = Config {
        cases: number("PLATEN_TREES", 64).div_ceil(one_in) as u32,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let mut seed = [scheme as u8; 32];
    seed[..8].copy_from_slice(&number("PLATEN_SEED", 20_260_822).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let result = runner.run(strategy, |case| {
        judge(&case);
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
}
