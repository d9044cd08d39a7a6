// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a drive must hold, found out from several healthy drives and from outside tools, not from the engine's word.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use platen_events::Answer;
use platen_events::answer::PlannedExtent;
use serde_json::Value;

use crate::common::{Station, tool};
use crate::direct::{self, Random};
use crate::strace;

/// Healthy drives whose differences show what is random on each. A random byte is the same on all of them once in
/// 2^40 bytes.
const HEALTHY_DRIVES: usize = 6;
const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// A place that is written, as `platen plan --map` lists it.
struct Extent {
    place: Range<usize>,
    sealed: bool,
    name: String,
}

/// A medium on drives of one size.
pub struct Medium {
    pub name: String,
    pub reference: &'static str,
    /// None for a raw image.
    pub scheme: Option<&'static str>,
    pub size_bytes: u64,
    /// A whole, right drive; judged by outside tools when it was made.
    pub golden: Vec<u8>,
    pub golden_path: PathBuf,
    map: Vec<Extent>,
    /// Whether a byte of the seal differs from drive to drive.
    random: Vec<Range<usize>>,
    /// Every place that is written by it, or was by what was on the drive before.
    pub regions: Vec<Range<u64>>,
    /// What is on a drive before: another medium, whole; and noise that has every mark of one.
    pub before: [Vec<u8>; 2],
    /// What a write without faults asks of the system.
    pub calls: strace::Calls,
    /// How long that takes.
    pub whole: Duration,
}

/// What all media of a run are made of.
pub struct Source<'a> {
    pub station: &'a Station,
    /// A medium that was on the drive before.
    pub old: &'static str,
    pub seed: u64,
}

impl Medium {
    pub fn make(source: &Source<'_>, reference: &'static str, scheme: Option<&'static str>, mib: usize) -> Self {
        let station = source.station;
        let name = format!("{reference} {}", scheme.unwrap_or("raw"));
        let size_bytes = (mib << 20) as u64;
        let mut map = map_of(station, reference, scheme, size_bytes);
        map.sort_by_key(|extent| extent.place.start);

        let drives: Vec<String> = (0..HEALTHY_DRIVES).map(|n| station.drive(&format!("healthy-{n}"), mib)).collect();
        let started = Instant::now();
        write(station, reference, scheme, &drives[..2]);
        let whole = started.elapsed();
        write(station, reference, scheme, &drives[2..]);
        let bytes = |path: &String| std::fs::read(path).expect("reads");
        let golden = bytes(&drives[0]);
        let mut random: Vec<Range<usize>> = Vec::new();
        for other in &drives[1..] {
            let other = bytes(other);
            for extent in &map {
                for at in extent.place.clone().filter(|&at| golden[at] != other[at]) {
                    assert!(
                        extent.sealed,
                        "{name}: {} differs between drives, and is no part of the seal",
                        extent.name
                    );
                    random.push(at..at + 1);
                }
            }
        }
        random.sort_by_key(|range| range.start);
        random.dedup();
        assert!(random.is_empty() == scheme.is_none(), "{name}: what differs between drives: {random:?}");
        judge_from_outside(station, reference, &drives[0], scheme);

        let old_scheme = scheme.unwrap_or("mbr");
        let old_drive = station.drive("old", mib);
        write(station, source.old, Some(old_scheme), std::slice::from_ref(&old_drive));
        let old = bytes(&old_drive);
        let old_map = map_of(station, source.old, Some(old_scheme), size_bytes);
        let places = map.iter().chain(&old_map).map(|extent| extent.place.start as u64..extent.place.end as u64);
        let ends = [0..2 << 20, size_bytes - (1 << 20)..size_bytes];
        let regions = direct::merge(places.chain(ends).collect(), size_bytes);

        let calls = strace::calls(station, reference, scheme, &drives[1]);
        let golden_path = station.path(&format!("golden-{}", name.replace(' ', "-")));
        std::fs::rename(&drives[0], &golden_path).expect("renames");
        let mut medium = Self {
            name,
            reference,
            scheme,
            size_bytes,
            golden: sparse(&golden, &regions),
            golden_path,
            map,
            random,
            before: [sparse(&old, &regions), vec![0; golden.len()]],
            regions,
            calls,
            whole,
        };
        medium.make_noise(source.seed);
        medium
    }

    fn make_noise(&mut self, seed: u64) {
        let mut random = Random(seed);
        let noise = &mut self.before[1];
        for region in &self.regions {
            random.fill(&mut noise[region.start as usize..region.end as usize]);
        }
        let last = noise.len() - 512;
        for sector in [0, 1 << 20] {
            noise[sector + 510..sector + 512].copy_from_slice(&BOOT_SIGNATURE);
        }
        for sector in [512, last] {
            noise[sector..sector + 8].copy_from_slice(b"EFI PART");
        }
    }

    /// The arguments that choose it.
    pub fn arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec![self.reference];
        arguments.extend(self.scheme.iter().flat_map(|scheme| ["--scheme", scheme]));
        arguments
    }

    /// Every byte that is planned stands where it is planned.
    pub fn right(&self, seen: &[u8]) -> Result<(), String> {
        for extent in &self.map {
            let (expected, found) = (&self.golden[extent.place.clone()], &seen[extent.place.clone()]);
            if extent.name == "platen/drive.json" {
                let text = String::from_utf8_lossy(found);
                let record: Value = serde_json::from_str(text.trim_end_matches(['\0', ' ', '\n']))
                    .map_err(|error| format!("platen/drive.json: {error}"))?;
                if record["medium"] != format!("{}-r1", self.reference) {
                    return Err(format!("platen/drive.json is of {}", record["medium"]));
                }
            } else if expected != found
                && let Some(at) = extent.place.clone().find(|&at| self.golden[at] != seen[at] && !self.is_random(at))
            {
                return Err(format!("{at:#x} ({}) is {:#04x}, not {:#04x}", extent.name, seen[at], self.golden[at]));
            }
        }
        // The backup boot sector has the same numbers as the boot sector, random or not.
        let volume = 1 << 20;
        if self.scheme.is_some() && seen[volume..volume + 512] != seen[volume + 3072..volume + 3584] {
            return Err("the boot sector and its backup differ".to_owned());
        }
        Ok(())
    }

    /// Whether a byte here is part of the medium, and the same on every drive.
    pub fn is_planned(&self, at: usize) -> bool {
        let holds = |extent: &Extent| extent.place.contains(&at) && extent.name != "platen/drive.json";
        self.map.iter().any(holds) && !self.is_random(at)
    }

    fn is_random(&self, at: usize) -> bool {
        self.random.binary_search_by_key(&at, |range| range.start).is_ok()
    }

    /// Nothing was changed.
    pub fn untouched(&self, seen: &[u8], before: &[u8]) -> bool {
        self.regions.iter().all(|region| {
            let place = region.start as usize..region.end as usize;
            seen[place.clone()] == before[place]
        })
    }
}

/// What starts or mounts, if there is any: partition table, file system, GPT.
pub fn recognisable(seen: &[u8]) -> Option<&'static str> {
    let (volume, last) = (1 << 20, seen.len() - 512);
    match () {
        () if armed(seen) => Some("a boot signature in LBA 0"),
        () if seen[volume + 510..volume + 512] == BOOT_SIGNATURE => Some("a FAT boot sector"),
        () if &seen[512..520] == b"EFI PART" => Some("a GPT"),
        () if &seen[last..last + 8] == b"EFI PART" => Some("a backup GPT"),
        () => None,
    }
}

/// There is a partition table in sector 0.
pub fn armed(seen: &[u8]) -> bool {
    seen[510..512] == BOOT_SIGNATURE
}

fn write(station: &Station, reference: &str, scheme: Option<&str>, drives: &[String]) {
    let mut arguments = vec!["write", reference];
    arguments.extend(scheme.iter().flat_map(|scheme| ["--scheme", scheme]));
    arguments.extend(drives.iter().map(|drive| &**drive));
    station.platen(&arguments).expect(0);
}

fn map_of(station: &Station, reference: &str, scheme: Option<&str>, size_bytes: u64) -> Vec<Extent> {
    let size = size_bytes.to_string();
    let mut arguments = vec!["plan", reference, "--size", &size, "--json", "--map"];
    arguments.extend(scheme.iter().flat_map(|scheme| ["--scheme", scheme]));
    let recorded = station.platen(&arguments).expect(0).recorded();
    let [Answer::Plan(plan)] = recorded.answers()[..] else { panic!("a plan, not {recorded:?}") };
    let extent = |planned: &PlannedExtent| {
        let start = planned.offset_bytes as usize;
        let place = start..start + planned.len_bytes as usize;
        Extent { place, sealed: planned.set == "seal", name: planned.name.clone() }
    };
    plan.map.iter().flatten().map(extent).collect()
}

/// A copy of these places only; the rest takes no memory.
fn sparse(bytes: &[u8], regions: &[Range<u64>]) -> Vec<u8> {
    let mut copy = vec![0; bytes.len()];
    for region in regions {
        let place = region.start as usize..region.end as usize;
        copy[place.clone()].copy_from_slice(&bytes[place]);
    }
    copy
}

/// The word of tools that know nothing of Platen, on a drive that will be what all others are compared with.
fn judge_from_outside(station: &Station, reference: &str, drive: &str, scheme: Option<&str>) {
    let Some(scheme) = scheme else {
        let image = std::fs::read(station.path(&format!("{reference}.img"))).expect("reads");
        let bytes = std::fs::read(drive).expect("reads");
        assert!(bytes[..image.len()] == image[..], "the drive is not the image");
        return;
    };
    let table = tool("sfdisk", &["--verify", drive]).expect(0);
    assert!(!table.stderr.contains("rror"), "{table:?}");
    if scheme == "gpt" {
        gpt_is_sound(Path::new(drive)).expect("a sound GPT");
    }
    files_are_right(station, Path::new(drive), &station.path("tree")).expect("right files");
}

/// What `sgdisk` says of both tables.
pub fn gpt_is_sound(drive: &Path) -> Result<(), String> {
    let said = tool("sgdisk", &["-v", drive.to_str().expect("UTF-8")]);
    if said.stdout.contains("No problems found") { Ok(()) } else { Err(said.stdout) }
}

/// Every file of `tree`, taken off the drive by mtools.
pub fn files_are_right(station: &Station, drive: &Path, tree: &Path) -> Result<(), String> {
    let off = tempfile::tempdir_in(station.dir.path()).expect("a folder");
    let image = format!("{}@@1048576", drive.display());
    tool("mcopy", &["-s", "-m", "-n", "-i", &image, "::/*", off.path().to_str().expect("UTF-8")]);
    let (expected, found) = (files(tree), files(off.path()));
    for (name, bytes) in &expected {
        if found.get(name) != Some(bytes) {
            return Err(format!("{} came off differently", name.display()));
        }
    }
    Ok(())
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("lists") {
            let path = entry.expect("lists").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found
                    .insert(path.strip_prefix(folder).expect("below").to_owned(), std::fs::read(&path).expect("reads"));
            }
        }
    }
    found
}
