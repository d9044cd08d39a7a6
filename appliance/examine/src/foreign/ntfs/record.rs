// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A record of the file table, its attributes, and where their values lie.

use super::super::source::{Stop, u16_at, u32_at, u64_at, whole};
use super::{Range, Volume};

/// Records are protected in strides of this size, whatever the sectors are ("Fixup").
const STRIDE_BYTES: usize = 512;
/// "Attributes".
const ATTRIBUTE_LIST: u32 = 0x20;
const END: u32 = 0xffff_ffff;
/// "Attributes - Header": compressed, encrypted, sparse.
const SPECIAL: u16 = 0x00ff | 0x4000 | 0x8000;

/// Clusters, in the order of the value that they hold.
pub(super) type Runs = Vec<Range<u64>>;

pub(super) struct Record(Vec<u8>);

/// Where the value of an attribute is.
pub(super) enum Attribute<'a> {
    Resident(&'a [u8]),
    /// The attribute, from its header on.
    Elsewhere(&'a [u8]),
}

impl Record {
    /// "FILE Record": a base record in use, whose fixups hold.
    pub(super) fn read(mut bytes: Vec<u8>) -> Result<Self, Stop> {
        if !mend(&mut bytes, b"FILE") {
            return whole("a record of its file table was not written to its end");
        }
        let (is_in_use, base) = (u16_at(&bytes, 0x16) & 1 != 0, u64_at(&bytes, 0x20));
        match is_in_use && base == 0 && u32_at(&bytes, 0x18) as usize <= bytes.len() {
            true => Ok(Self(bytes)),
            false => whole("a record of its file table is not what it must be"),
        }
    }

    /// The only attribute of this kind without a name.
    pub(super) fn attribute(&self, kind: u32) -> Result<Attribute<'_>, Stop> {
        let end = u32_at(&self.0, 0x18) as usize;
        let mut at = usize::from(u16_at(&self.0, 0x14));
        let mut found = None;
        loop {
            let this = u32_at(&self.0[..end], at);
            if this == END || at + 4 > end {
                break;
            }
            let len = u32_at(&self.0, at + 4) as usize;
            let Some(bytes) = self.0[..end].get(at..at.saturating_add(len)).filter(|_| len >= 24) else {
                return whole("a record of its file table is not what it must be");
            };
            match this {
                // The rest of the attributes is in other records; nothing small and in order has that.
                ATTRIBUTE_LIST => return whole("its own files are too scattered to be followed"),
                _ if this == kind && bytes[9] == 0 && found.replace(bytes).is_some() => {
                    return whole("a record of its file table is not what it must be");
                }
                _ => {}
            }
            at += len;
        }
        let Some(bytes) = found else { return whole("a record of its file table lacks what it must have") };
        if bytes[8] != 0 {
            return Ok(Attribute::Elsewhere(bytes));
        }
        let (len, start) = (u32_at(bytes, 0x10) as usize, usize::from(u16_at(bytes, 0x14)));
        match bytes.get(start..start.saturating_add(len)) {
            Some(value) => Ok(Attribute::Resident(value)),
            None => whole("a record of its file table is not what it must be"),
        }
    }
}

impl Attribute<'_> {
    fn header(&self) -> Result<&[u8], Stop> {
        match self {
            Self::Elsewhere(bytes) if bytes.len() >= 0x40 => Ok(bytes),
            _ => whole("one of its own files is not where it must be"),
        }
    }

    /// How many bytes of the value were ever written.
    pub(super) fn initialised_bytes(&self) -> Result<u64, Stop> {
        Ok(u64_at(self.header()?, 0x38))
    }

    /// "Data Runs": lengths, and signed distances from the run before. All of the value is in this attribute.
    pub(super) fn runs(&self, volume: &Volume) -> Result<Runs, Stop> {
        let bytes = self.header()?;
        let (first, last) = (u64_at(bytes, 0x10), u64_at(bytes, 0x18));
        if first != 0 || u16_at(bytes, 0x0c) & SPECIAL != 0 {
            return whole("one of its own files is not stored as it must be");
        }
        let mut pairs = bytes.get(usize::from(u16_at(bytes, 0x20))..).unwrap_or_default();
        let (mut runs, mut cluster, mut total) = (Runs::new(), 0_i64, 0_u64);
        while let [head, rest @ ..] = pairs
            && *head != 0
        {
            let (len_bytes, distance_bytes) = (usize::from(head & 0xf), usize::from(head >> 4));
            let (Some(len), Some(distance)) = (signed(rest, 0, len_bytes), signed(rest, len_bytes, distance_bytes))
            else {
                return whole("the clusters of one of its own files can't be read");
            };
            pairs = &rest[len_bytes + distance_bytes..];
            // A hole has no distance; none of these files has holes.
            let start = cluster.checked_add(distance).filter(|_| distance_bytes > 0);
            let run = start.and_then(|start| {
                let (start, len) = (u64::try_from(start).ok()?, u64::try_from(len).ok()?);
                Some(start..start.checked_add(len)?).filter(|run| !run.is_empty() && run.end <= volume.clusters)
            });
            let Some(run) = run else {
                return whole("one of its own files is outside of it");
            };
            cluster += distance;
            total += run.end - run.start;
            runs.push(run);
        }
        match last.checked_add(1) == Some(total) {
            true => Ok(runs),
            false => whole("one of its own files has not as many clusters as it says"),
        }
    }
}

/// A little-endian number of up to eight bytes.
fn signed(bytes: &[u8], at: usize, len: usize) -> Option<i64> {
    if len > 8 {
        return None;
    }
    let bytes = bytes.get(at..at + len)?;
    let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut all = [fill; 8];
    all[..len].copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

/// "Fixup": the last two bytes of each stride were swapped for a number, which shows that all of them were written.
/// Puts them back; false if some were not.
pub(super) fn mend(bytes: &mut [u8], magic: &[u8; 4]) -> bool {
    let (start, count) = (usize::from(u16_at(bytes, 4)), usize::from(u16_at(bytes, 6)));
    let is_right = bytes.starts_with(magic)
        && bytes.len().is_multiple_of(STRIDE_BYTES)
        && count == bytes.len() / STRIDE_BYTES + 1
        && start + 2 * count <= bytes.len();
    if !is_right {
        return false;
    }
    let number = u16_at(bytes, start);
    (1..count).all(|index| {
        let (end, kept) = (index * STRIDE_BYTES - 2, start + 2 * index);
        let is_written = u16_at(bytes, end) == number;
        bytes.copy_within(kept..kept + 2, end);
        is_written
    })
}
