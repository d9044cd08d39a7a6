// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where media for a station's cache lie on a drive: an OCI image layout in the root of a FAT or exFAT volume or in a folder
//! there, or a medium that was written to the drive; and updates of an appliance's own system. Only places are found here. Whoever
//! reads the files from the drive checks each of them by its digest or signature.

use std::io::{self, Read, Seek};
use std::ops::Range;

use platen_media::allocation::UsedExtent;
use platen_media::envelope;
use platen_media::placement::{MAX_EXTENTS, PlacedFile, Placement, is_update};

use super::signature::{Content, names, recognise};
use super::source::{PIECE_BYTES, Part, Stop, whole};
use super::{exfat, fat, table};

/// fatgen103: a directory has at most 65,536 entries of 32 bytes. Those of exFAT may be longer, of this program they aren't.
const MAX_FOLDER_BYTES: u64 = 4 << 20;
/// Folders of the root that are looked into.
const MAX_FOLDERS: usize = 1000;
/// Files and folders of a written medium: more than a manifest can list.
const MAX_ENTRIES: usize = 1_000_000;
/// Folders in folders. A path has at most 255 characters.
const MAX_DEPTH: usize = 128;
/// Updates that one drive can bring.
const MAX_UPDATES: usize = 16;

/// A file system as far as it is needed to find files.
pub(super) trait Files: Sized {
    fn open<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Self, Stop>;
    fn root(&self) -> Place;
    fn cluster_bytes(&self) -> u64;
    /// In bytes from the start of the partition.
    fn start_of(&self, cluster: u64) -> Result<u64, Stop>;
    /// The next cluster of a chain. None: it was the last one.
    fn next<D: Read + Seek>(&self, part: &mut Part<'_, D>, cluster: u64) -> Result<Option<u64>, Stop>;
    /// What is in a folder with these bytes.
    fn entries(&self, folder: &[u8]) -> Vec<Entry>;
}

/// A file or a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_folder: bool,
    pub(super) place: Place,
}

/// Where a file or a folder lies.
#[derive(Clone)]
pub(super) enum Place {
    /// In bytes from the start of the partition.
    Range(Range<u64>),
    /// In clusters that follow each other.
    Run { first_cluster: u64, len_bytes: u64 },
    /// In clusters each of which leads to the next. Without a length it goes to the end of the chain.
    Chain { first_cluster: u64, len_bytes: Option<u64> },
}

/// Find a layout or, where there is none, a written medium; and updates beside it. The inner error says why there is none; the outer one, that the drive can't be read.
pub fn find_layout(
    mut drive: impl Read + Seek,
    size_bytes: u64,
    sector_bytes: u32,
) -> io::Result<Result<Placement, String>> {
    let mut drive = Part { drive: &mut drive, range: 0..size_bytes };
    match find(&mut drive, u64::from(sector_bytes)) {
        Ok(found) => Ok(Ok(found)),
        Err(Stop::Whole(why)) => Ok(Err(why)),
        Err(Stop::Read(error)) => Err(error),
    }
}

fn find<D: Read + Seek>(drive: &mut Part<'_, D>, sector_bytes: u64) -> Result<Placement, Stop> {
    let tables = table::read(drive, sector_bytes)?;
    let mut parts: Vec<(String, Range<u64>)> =
        tables.partitions.into_iter().map(|partition| (partition.name, partition.range)).collect();
    if parts.is_empty() {
        parts.push(("the whole drive".to_owned(), drive.range.clone()));
    }
    let (mut found, mut updates, mut others) = (Vec::<Placement>::new(), Vec::new(), Vec::new());
    for wanted in [Wanted::Updates, Wanted::Layout, Wanted::Medium] {
        for (name, range) in &parts {
            let mut part = Part { drive: &mut *drive.drive, range: range.clone() };
            let contents = recognise(&mut part)?;
            let looked = match contents[..] {
                [Content::Fat] => look::<fat::Volume, D>(&mut part, name, wanted),
                [Content::ExFat] => look::<exfat::Volume, D>(&mut part, name, wanted),
                _ => whole(format!("it is {}", names(&contents))),
            };
            match looked {
                Ok(placements) => found.extend(placements),
                Err(Stop::Whole(why)) => {
                    let why = format!("{name}: {why}");
                    if !others.contains(&why) {
                        others.push(why);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if let Wanted::Updates = wanted {
            updates = found.drain(..).flat_map(|volume| volume.files).take(MAX_UPDATES).collect();
        }
        if !found.is_empty() {
            break;
        }
    }
    let wanted = "a folder with oci-layout, index.json and blobs/sha256, or a written medium, on a FAT or exFAT volume";
    match &found[..] {
        [_] => Ok(Placement { updates, ..found.remove(0) }),
        [] if !updates.is_empty() => Ok(Placement { updates, ..Placement::default() }),
        [] if others.is_empty() => whole(format!("expected {wanted}, found none")),
        [] => whole(format!("expected {wanted}, found none ({})", others.join("; "))),
        [one, other, ..] => whole(format!("expected one layout, found {} and {}", one.name, other.name)),
    }
}

/// What is looked for on all volumes before the next.
#[derive(Clone, Copy)]
enum Wanted {
    Updates,
    Layout,
    Medium,
}

/// All layouts of a volume, or the medium that it is, or the updates on it.
fn look<F: Files, D: Read + Seek>(part: &mut Part<'_, D>, name: &str, wanted: Wanted) -> Result<Vec<Placement>, Stop> {
    let volume = F::open(part)?;
    let root = volume.root();
    let inside = list(&volume, part, &root)?;
    match wanted {
        Wanted::Updates => return Ok(updates_in(&volume, part, inside)?.into_iter().collect()),
        Wanted::Medium => return Ok(medium_in(&volume, part, name, inside)?.into_iter().collect()),
        Wanted::Layout => {}
    }
    let folders = inside.iter().filter(|entry| entry.is_folder && entry.name != "blobs").take(MAX_FOLDERS);
    let mut places = vec![(name.to_owned(), root)];
    places.extend(folders.map(|folder| (format!("{name}, folder {}", folder.name), folder.place.clone())));
    let mut found = Vec::new();
    for (name, place) in places {
        found.extend(layout_in(&volume, part, name, &place)?);
    }
    Ok(found)
}

/// The updates in the root of a volume.
fn updates_in<F: Files, D: Read + Seek>(
    volume: &F,
    part: &mut Part<'_, D>,
    root: Vec<Entry>,
) -> Result<Option<Placement>, Stop> {
    let updates = root.into_iter().filter(|entry| !entry.is_folder && is_update(&entry.name)).take(MAX_UPDATES);
    let files: Vec<(String, Place)> = updates.map(|entry| (entry.name, entry.place)).collect();
    if files.is_empty() {
        return Ok(None);
    }
    Ok(Some(Placement { files: placed(volume, part, files)?, ..Placement::default() }))
}

/// The medium that a volume with this in its root is: all its files.
fn medium_in<F: Files, D: Read + Seek>(
    volume: &F,
    part: &mut Part<'_, D>,
    name: &str,
    root: Vec<Entry>,
) -> Result<Option<Placement>, Stop> {
    let mut left: Vec<(String, usize, Entry)> = root.into_iter().map(|entry| (String::new(), 0, entry)).collect();
    let (mut files, mut entries) = (Vec::new(), left.len());
    let is_medium = |entry: &Entry| entry.is_folder && envelope::MANIFEST.starts_with(&format!("{}/", entry.name));
    if !left.iter().any(|(_, _, entry)| is_medium(entry)) {
        return Ok(None);
    }
    while let Some((folder, depth, entry)) = left.pop() {
        let path = format!("{folder}{}", entry.name);
        if !entry.is_folder {
            files.push((path, entry.place));
            continue;
        }
        let inside = list(volume, part, &entry.place)?;
        entries += inside.len();
        if entries > MAX_ENTRIES || depth > MAX_DEPTH {
            return whole(format!("it has more than {MAX_ENTRIES} files and folders, or {MAX_DEPTH} in each other"));
        }
        left.extend(inside.into_iter().map(|entry| (format!("{path}/"), depth + 1, entry)));
    }
    if !files.iter().any(|(path, _)| path == envelope::MANIFEST) {
        return Ok(None);
    }
    Ok(Some(Placement { name: name.to_owned(), files: placed(volume, part, files)?, ..Placement::default() }))
}

/// The layout that a folder is. Names are told apart by case nowhere on these volumes.
fn layout_in<F: Files, D: Read + Seek>(
    volume: &F,
    part: &mut Part<'_, D>,
    name: String,
    place: &Place,
) -> Result<Option<Placement>, Stop> {
    let inside = list(volume, part, place)?;
    let named = |entries: &[Entry], wanted: &str, is_folder: bool| {
        let is_it = |entry: &&Entry| entry.is_folder == is_folder && entry.name.eq_ignore_ascii_case(wanted);
        entries.iter().find(is_it).map(|entry| entry.place.clone())
    };
    let (Some(marker), Some(index), Some(blobs)) =
        (named(&inside, "oci-layout", false), named(&inside, "index.json", false), named(&inside, "blobs", true))
    else {
        return Ok(None);
    };
    let Some(blobs) = named(&list(volume, part, &blobs)?, "sha256", true) else { return Ok(None) };
    let mut files = vec![("oci-layout".to_owned(), marker), ("index.json".to_owned(), index)];
    let is_digest = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let blobs = list(volume, part, &blobs)?.into_iter().filter(|entry| !entry.is_folder && is_digest(&entry.name));
    files.extend(blobs.map(|blob| (format!("blobs/sha256/{}", blob.name.to_ascii_lowercase()), blob.place)));
    Ok(Some(Placement { name, files: placed(volume, part, files)?, ..Placement::default() }))
}

/// Where these files lie.
fn placed<F: Files, D: Read + Seek>(
    volume: &F,
    part: &mut Part<'_, D>,
    files: Vec<(String, Place)>,
) -> Result<Vec<PlacedFile>, Stop> {
    let mut extents_left = MAX_EXTENTS;
    let place = |(path, place)| {
        let ranges = ranges(volume, part, &place, extents_left)?;
        extents_left -= ranges.len();
        let extents = ranges.into_iter().map(|range| UsedExtent {
            offset_bytes: part.range.start + range.start,
            len_bytes: range.end - range.start,
        });
        Ok(PlacedFile { path, extents: extents.collect() })
    };
    files.into_iter().map(place).collect()
}

fn list<F: Files, D: Read + Seek>(volume: &F, part: &mut Part<'_, D>, folder: &Place) -> Result<Vec<Entry>, Stop> {
    let mut bytes = Vec::new();
    for range in ranges(volume, part, folder, MAX_EXTENTS)? {
        if bytes.len() as u64 + (range.end - range.start) > MAX_FOLDER_BYTES {
            return whole(format!("one of its folders has more than {MAX_FOLDER_BYTES} bytes"));
        }
        let mut at = range.start;
        while at < range.end {
            let len = (range.end - at).min(PIECE_BYTES as u64);
            bytes.extend(part.read(at, len as usize)?);
            at += len;
        }
    }
    let mut entries = volume.entries(&bytes);
    entries.retain(|entry| !matches!(&*entry.name, "." | ".."));
    Ok(entries)
}

/// Where something lies, in bytes from the start of the partition: ranges in its order that don't touch.
fn ranges<F: Files, D: Read + Seek>(
    volume: &F,
    part: &mut Part<'_, D>,
    place: &Place,
    max: usize,
) -> Result<Vec<Range<u64>>, Stop> {
    let cluster_bytes = volume.cluster_bytes();
    let (first, len_bytes) = match *place {
        Place::Range(ref range) => return Ok(vec![range.clone()]),
        Place::Run { len_bytes: 0, .. } | Place::Chain { len_bytes: Some(0), .. } => return Ok(Vec::new()),
        Place::Run { first_cluster, len_bytes } => {
            let start = volume.start_of(first_cluster)?;
            volume.start_of(first_cluster.saturating_add((len_bytes - 1) / cluster_bytes))?;
            return Ok(std::iter::once(start..start + len_bytes).collect());
        }
        Place::Chain { first_cluster, len_bytes } => (first_cluster, len_bytes),
    };
    // Without a length it is a folder; a chain in a circle ends there as well.
    let mut left = len_bytes.unwrap_or(MAX_FOLDER_BYTES + cluster_bytes);
    let (mut found, mut next) = (Vec::<Range<u64>>::new(), Some(first));
    while let Some(cluster) = next.filter(|_| left > 0) {
        let start = volume.start_of(cluster)?;
        let end = start + left.min(cluster_bytes);
        let pieces = found.len();
        match found.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if pieces >= max => return whole(format!("its files are in more than {MAX_EXTENTS} pieces")),
            _ => found.push(start..end),
        }
        left -= end - start;
        next = volume.next(part, cluster)?;
    }
    match len_bytes {
        Some(_) if left > 0 => whole("the chain of a file is shorter than the file"),
        _ => Ok(found),
    }
}
