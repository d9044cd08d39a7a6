// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Free clusters of NTFS. Facts are from the documentation of the Linux-NTFS project ("NTFS Documentation", Russon and
//! Fledel), named here by its pages.

mod log;
mod record;

use std::io::{Read, Seek};
use std::ops::Range;

use self::record::{Attribute, Record};
use super::Found;
use super::free::{ClearBits, FreeList, MAX_RANGES, Owned};
use super::source::{PIECE_BYTES, Part, Stop, u16_at, u64_at, whole};

/// "Files": the numbers of those that are in the first records of every volume.
const MFT: u64 = 0;
const MIRROR: u64 = 1;
const LOG: u64 = 2;
const VOLUME: u64 = 3;
const BITMAP: u64 = 6;
/// Records that the mirror repeats at least.
const MIRRORED: u64 = 4;
/// "Attributes".
const DATA: u32 = 0x80;
const VOLUME_INFORMATION: u32 = 0x70;
/// "$VOLUME_INFORMATION", flags: dirty, resize the log, upgrade on mount, delete the change journal, repair object ids,
/// being checked. Only "mounted on NT4" and "was checked" leave the bitmap to be believed.
const NOT_IN_ORDER: u16 = 0x0001 | 0x0002 | 0x0004 | 0x0010 | 0x0020 | 0x4000;

/// What the boot sector says ("$Boot").
struct Volume {
    clusters: u64,
    cluster_bytes: u64,
    record_bytes: usize,
    table_cluster: u64,
    mirror_cluster: u64,
}

pub(super) fn look<D: Read + Seek>(part: &mut Part<'_, D>) -> Result<Found, Stop> {
    let boot = part.read(0, 512)?;
    let volume = read_boot(&boot, part.len_bytes())?;
    let table = volume.record(part, MFT)?.attribute(DATA)?.runs(&volume)?;
    // All records used here must be where the boot sector says the table begins.
    let head_clusters = ((BITMAP + 1) * volume.record_bytes as u64).div_ceil(volume.cluster_bytes);
    if table.first().is_none_or(|run| run.start != volume.table_cluster || run.end - run.start < head_clusters) {
        return whole("its file table is not where its boot sector says");
    }
    check_mirror(part, &volume)?;
    check_state(part, &volume)?;
    let record = volume.record(part, BITMAP)?;
    let bitmap = record.attribute(DATA)?;
    let (runs, bitmap_bytes) = (bitmap.runs(&volume)?, volume.clusters.div_ceil(8));
    if bitmap.initialised_bytes()? < bitmap_bytes {
        return whole("its allocation bitmap is shorter than the volume");
    }
    let firsts = [0, volume.mirror_cluster, volume.table_cluster];
    let owned = Owned::new(firsts.into_iter().chain(runs.iter().flat_map(|run| [run.start, run.end - 1])));
    read_bitmap(part, &volume, &runs, &owned)
}

/// A bit for each cluster ("$Bitmap"). What lies behind the last cluster, the copy of the boot sector, is in none.
fn read_bitmap<D: Read + Seek>(
    part: &mut Part<'_, D>,
    volume: &Volume,
    runs: &[Range<u64>],
    owned: &Owned,
) -> Result<Found, Stop> {
    let (mut clear, mut free) = (ClearBits::default(), FreeList::new(MAX_RANGES));
    let mut is_owned_free = false;
    let mut add = |run: Range<u64>| {
        is_owned_free |= owned.is_any_in(&run);
        free.add(run.start * volume.cluster_bytes..run.end * volume.cluster_bytes);
    };
    let mut left = volume.clusters;
    for run in runs {
        let (mut at_bytes, end_bytes) = (run.start * volume.cluster_bytes, run.end * volume.cluster_bytes);
        while at_bytes < end_bytes && left > 0 {
            let len = (end_bytes - at_bytes).min(PIECE_BYTES as u64);
            let piece = part.read(at_bytes, len as usize)?;
            clear.take(&piece, left, &mut add);
            left = left.saturating_sub(len * 8);
            at_bytes += len;
        }
    }
    if left > 0 {
        return whole("its allocation bitmap is shorter than the volume");
    }
    clear.finish().into_iter().for_each(&mut add);
    if is_owned_free {
        return whole("a cluster that is said to be free belongs to something");
    }
    Ok(Found { content: "NTFS", free, bad_bytes: 0 })
}

fn read_boot(boot: &[u8], part_bytes: u64) -> Result<Volume, Stop> {
    let (sector_bytes, sectors) = (u64::from(u16_at(boot, 11)), u64_at(boot, 40));
    // Large values are powers of two, negated.
    let per_cluster = match boot[13] {
        count @ 0..=0x80 => u64::from(count),
        shift => 1_u64.checked_shl(256 - u32::from(shift)).unwrap_or(0),
    };
    let cluster_bytes = sector_bytes.saturating_mul(per_cluster);
    let is_right = matches!(sector_bytes, 512 | 1024 | 2048 | 4096)
        && cluster_bytes.is_power_of_two()
        && cluster_bytes <= 2 << 20
        && sectors.checked_mul(sector_bytes).is_some_and(|bytes| bytes > 0 && bytes <= part_bytes);
    if !is_right {
        return whole("it is larger than its partition, or contradicts itself");
    }
    let record_bytes = match boot[64].cast_signed() {
        clusters @ 1.. => u64::from(clusters.unsigned_abs()) * cluster_bytes,
        shift => 1_u64.checked_shl(u32::from(shift.unsigned_abs())).unwrap_or(0),
    };
    if !record_bytes.is_power_of_two() || !(512..=PIECE_BYTES as u64).contains(&record_bytes) {
        return whole("the records of its file table have no size that is known");
    }
    let clusters = sectors / per_cluster;
    let (table_cluster, mirror_cluster) = (u64_at(boot, 48), u64_at(boot, 56));
    if table_cluster >= clusters || mirror_cluster >= clusters {
        return whole("its file table is outside of it");
    }
    Ok(Volume { clusters, cluster_bytes, record_bytes: record_bytes as usize, table_cluster, mirror_cluster })
}

impl Volume {
    /// One of the first records of the file table.
    fn record<D: Read + Seek>(&self, part: &mut Part<'_, D>, number: u64) -> Result<Record, Stop> {
        let at_bytes = self.table_cluster * self.cluster_bytes + number * self.record_bytes as u64;
        Record::read(part.read(at_bytes, self.record_bytes)?)
    }
}

/// The mirror repeats the first records ("$MFTMirr"). Where it does not, something went wrong when they were written.
fn check_mirror<D: Read + Seek>(part: &mut Part<'_, D>, volume: &Volume) -> Result<(), Stop> {
    let mirror = volume.record(part, MIRROR)?.attribute(DATA)?.runs(volume)?;
    if mirror.first().is_none_or(|run| run.start != volume.mirror_cluster) {
        return whole("the mirror of its file table is not where its boot sector says");
    }
    for number in 0..MIRRORED {
        let at = number * volume.record_bytes as u64;
        let [table, mirror] = [volume.table_cluster, volume.mirror_cluster].map(|start| start * volume.cluster_bytes);
        if part.read(table + at, volume.record_bytes)? != part.read(mirror + at, volume.record_bytes)? {
            return whole("its file table and the mirror of it differ");
        }
    }
    Ok(())
}

/// The bitmap is to be believed on a volume that was left in order. Windows that hibernates, or shuts down to start
/// faster, leaves its log open: what it did last may be in the log alone, so the log is asked, not only the dirty flag.
fn check_state<D: Read + Seek>(part: &mut Part<'_, D>, volume: &Volume) -> Result<(), Stop> {
    let record = volume.record(part, VOLUME)?;
    let information = record.attribute(VOLUME_INFORMATION)?;
    let Attribute::Resident(value) = information else { return whole("its state is not where it must be") };
    if value.len() < 12 || u16_at(value, 10) & NOT_IN_ORDER != 0 {
        return whole("it was not unmounted, or had errors");
    }
    let runs = volume.record(part, LOG)?.attribute(DATA)?.runs(volume)?;
    log::check(part, volume.cluster_bytes, &runs)
}
