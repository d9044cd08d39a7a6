// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which parts of a foreign drive are in use, so that a copy of those behaves as the drive does.
//!
//! Everything is in use that was not proven to be free. Free is what a file system says so that is known here, whole and
//! in order, in a partition that shares no byte with another; and what lies behind the last partition, if anything that is
//! known begins where the table says. Boot loaders and embedded boards keep something at fixed places before the first
//! partition, and what lies between two may be a third whose entry is lost: both are copied. Behind the last there is
//! nothing that a system would find, but for what is kept at the very end of a drive (the copy of the table, marks of RAID
//! sets, the database of dynamic disks). Whatever contradicts itself is copied whole.

#[cfg(test)]
mod tests;

use std::io::{self, Read, Seek};
use std::ops::Range;

use platen_media::allocation::{Allocation, UsedExtent, UsedRegion};

use super::free::{FreeList, MAX_RANGES, joined};
use super::signature::{Content, names, recognise};
use super::source::{Part, Stop, u16_at, u32_at, whole};
use super::table::{Partition, Tables};
use super::{Found, exfat, ext, fat, ntfs, table};

/// Behind the last partition, and at the end of the drive, so much is copied.
const MARGIN_BYTES: u64 = 1 << 20;

/// Which parts of a drive must be copied. An error only if the drive can't be read: what is not understood is in use.
pub fn allocation(mut drive: impl Read + Seek, size_bytes: u64, sector_bytes: u32) -> io::Result<Allocation> {
    let mut part = Part { drive: &mut drive, range: 0..size_bytes };
    let mut survey = Survey::default();
    match survey.drive(&mut part, u64::from(sector_bytes)) {
        Ok(()) => {}
        Err(Stop::Read(error)) => return Err(error),
        Err(Stop::Whole(why)) => {
            survey = Survey::default();
            survey.region("the whole drive", "not understood", 0..size_bytes, Some(why));
        }
    }
    Ok(survey.finish(size_bytes, u64::from(sector_bytes)))
}

/// What was found so far.
struct Survey {
    free: FreeList,
    kept: Vec<Range<u64>>,
    regions: Vec<UsedRegion>,
    /// The end of the last partition. None: there is no table.
    end_bytes: Option<u64>,
}

impl Default for Survey {
    fn default() -> Self {
        Self { free: FreeList::new(MAX_RANGES), kept: Vec::new(), regions: Vec::new(), end_bytes: None }
    }
}

impl Survey {
    fn drive<D: Read + Seek>(&mut self, drive: &mut Part<'_, D>, sector_bytes: u64) -> Result<(), Stop> {
        let tables = table::read(drive, sector_bytes)?;
        let contents = recognise(drive)?;
        let Some(first) = tables.partitions.first() else {
            return self.part(drive, "the whole drive", &contents);
        };
        let image = image_range(drive, &contents)?;
        // A boot sector that has a table too (`mkfs.fat --mbr`): the partition is the drive.
        if contents.iter().any(|content| !is_image(*content)) && first.range.start != 0 {
            return whole(format!("it has a partition table and is {} as a whole", names(&contents)));
        }
        self.kept.extend(tables.kept.iter().cloned());
        self.kept.extend(image.clone());
        let mut is_confirmed = image.is_some();
        for (index, partition) in tables.partitions.iter().enumerate() {
            match why_untouched(index, &tables, image.as_ref()) {
                Some(why) => self.region(&partition.name, "not looked into", partition.range.clone(), Some(why)),
                None => {
                    let mut part = Part { drive: &mut *drive.drive, range: partition.range.clone() };
                    let contents = recognise(&mut part)?;
                    is_confirmed |= !contents.is_empty();
                    self.part(&mut part, &partition.name, &contents)?;
                }
            }
        }
        self.between(&tables, drive.len_bytes());
        // A table in sectors of another size than these, as bridges make it, leads to no beginning of anything.
        if is_confirmed {
            let end = image.map_or(tables.end_bytes, |image| image.end.max(tables.end_bytes));
            self.end_bytes = Some(end.min(drive.len_bytes()));
            self.free.add(end.saturating_add(MARGIN_BYTES)..drive.len_bytes().saturating_sub(MARGIN_BYTES));
        }
        Ok(())
    }

    /// A partition, or a drive without any.
    fn part<D: Read + Seek>(&mut self, part: &mut Part<'_, D>, name: &str, contents: &[Content]) -> Result<(), Stop> {
        let found = match contents {
            [Content::Fat] => fat::look(part),
            [Content::ExFat] => exfat::look(part),
            [Content::Ntfs] => ntfs::look(part),
            [Content::Ext] => ext::look(part),
            [] => whole("its format is not known here"),
            [_] => whole("what is free in it is not known here"),
            _ => whole("two formats left their marks in it"),
        };
        match found {
            Ok(Found { content, free, bad_bytes }) => {
                self.region(name, content, part.range.clone(), None);
                if let Some(region) = self.regions.last_mut() {
                    region.bad_bytes = bad_bytes;
                }
                self.free.append(free.moved(part.range.start));
            }
            Err(Stop::Whole(why)) => self.region(name, &names(contents), part.range.clone(), Some(why)),
            Err(Stop::Read(error)) => return Err(Stop::Read(error)),
        }
        Ok(())
    }

    /// What belongs to no partition.
    fn between(&mut self, tables: &Tables, size_bytes: u64) {
        let mut from = 0;
        let partitions = joined(tables.partitions.iter().map(|partition| partition.range.clone()).collect());
        for range in partitions {
            let name = if from == 0 { "before the first partition" } else { "between partitions" };
            self.region(name, "boot code or not known", from..range.start, None);
            from = range.end;
        }
        self.region("behind the last partition", "in no partition", from..size_bytes, None);
    }

    fn region(&mut self, name: &str, content: &str, range: Range<u64>, whole_because: Option<String>) {
        if range.is_empty() {
            return;
        }
        self.regions.push(UsedRegion {
            name: name.to_owned(),
            content: content.to_owned(),
            offset_bytes: range.start,
            len_bytes: range.end - range.start,
            used_bytes: 0,
            whole_because,
            bad_bytes: 0,
        });
    }

    fn finish(self, size_bytes: u64, sector_bytes: u64) -> Allocation {
        let needed_bytes = self.end_bytes.unwrap_or(size_bytes);
        let free = self.free.finish(self.kept, sector_bytes);
        let mut regions = self.regions;
        regions.sort_by_key(|region| (region.offset_bytes, region.len_bytes));
        for region in &mut regions {
            let (start, end) = (region.offset_bytes, region.offset_bytes + region.len_bytes);
            let from = free.partition_point(|range| range.end <= start);
            let within = free[from..].iter().take_while(|range| range.start < end);
            let free_bytes: u64 = within.map(|range| range.end.min(end) - range.start.max(start)).sum();
            region.used_bytes = region.len_bytes - free_bytes;
        }
        let ends = free.iter().map(|range| range.start).chain([size_bytes]);
        let starts = std::iter::once(0).chain(free.iter().map(|range| range.end));
        let used = starts.zip(ends).filter(|(start, end)| start < end);
        let extents =
            used.map(|(offset_bytes, end)| UsedExtent { offset_bytes, len_bytes: end - offset_bytes }).collect();
        Allocation { extents, needed_bytes, regions }
    }
}

/// Why a partition is copied whole without being looked into.
fn why_untouched(index: usize, tables: &Tables, image: Option<&Range<u64>>) -> Option<String> {
    let this = &tables.partitions[index];
    let overlaps = |range: &Range<u64>| range.start < this.range.end && this.range.start < range.end;
    let others = tables.partitions.iter().enumerate().filter(|(other, _)| *other != index);
    if let Some((_, Partition { name, .. })) = others.into_iter().find(|(_, other)| overlaps(&other.range)) {
        return Some(format!("it overlaps {name}"));
    }
    if image.is_some_and(overlaps) {
        return Some("it is in an ISO 9660 image".to_owned());
    }
    this.opaque.map(str::to_owned)
}

fn is_image(content: Content) -> bool {
    content == Content::Other("ISO 9660")
}

/// A drive that begins with an ISO 9660 image has a table that describes parts of it in odd ways, for firmware of all
/// kinds. The image is copied as a whole (ECMA-119, 8.4: volume space size, logical block size).
fn image_range<D: Read + Seek>(drive: &mut Part<'_, D>, contents: &[Content]) -> Result<Option<Range<u64>>, Stop> {
    if !contents.iter().any(|content| is_image(*content)) {
        return Ok(None);
    }
    let descriptor = drive.read(0x8000, 2048)?;
    let bytes = u64::from(u32_at(&descriptor, 80)) * u64::from(u16_at(&descriptor, 128));
    if descriptor[0] != 1 || bytes == 0 || bytes > drive.len_bytes() {
        return whole("it has an ISO 9660 image that can't be as large as it says");
    }
    Ok(Some(0..bytes))
}
