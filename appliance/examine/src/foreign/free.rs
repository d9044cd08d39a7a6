// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Ranges of bytes that nobody uses. Everything is in use that was not proven to be free, so whatever is lost of this list
//! costs time and no data.

use std::cmp::Reverse;
use std::ops::Range;

/// Free ranges that are kept, the largest ones. The gaps between the extents of an answer are these, so this is also how
/// many extents there are. A drive of 2 TB in clusters of 4 KiB could have 250 million.
pub(super) const MAX_RANGES: usize = 1 << 18;

/// Free ranges, in any order.
#[derive(Debug)]
pub(super) struct FreeList {
    ranges: Vec<Range<u64>>,
    max: usize,
}

impl FreeList {
    pub(super) fn new(max: usize) -> Self {
        Self { ranges: Vec::new(), max }
    }

    /// Add a range; it is joined with the last one if it continues it.
    pub(super) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
        if self.ranges.len() >= 2 * self.max {
            self.drop_smallest();
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        other.ranges.into_iter().for_each(|range| self.add(range));
    }

    /// The same ranges, so many bytes further on.
    pub(super) fn moved(mut self, by_bytes: u64) -> Self {
        for range in &mut self.ranges {
            *range = range.start + by_bytes..range.end + by_bytes;
        }
        self
    }

    fn drop_smallest(&mut self) {
        if self.ranges.len() > self.max {
            self.ranges.select_nth_unstable_by_key(self.max, |range| Reverse(range.end - range.start));
            self.ranges.truncate(self.max);
        }
    }

    /// What is free apart from `kept`, in whole units of `unit_bytes`: sorted, and none overlapping another.
    pub(super) fn finish(mut self, kept: Vec<Range<u64>>, unit_bytes: u64) -> Vec<Range<u64>> {
        self.ranges.sort_unstable_by_key(|range| range.start);
        let kept = joined(kept);
        let mut free = Self::new(self.max);
        let (mut next_kept, mut from) = (0, 0);
        for range in self.ranges {
            let mut start = range.start.max(from);
            // Those that end before this range can't reach into a later one.
            while kept.get(next_kept).is_some_and(|keep| keep.end <= start) {
                next_kept += 1;
            }
            for keep in kept[next_kept..].iter().take_while(|keep| keep.start < range.end) {
                free.add(inside(start..keep.start, unit_bytes));
                start = start.max(keep.end);
            }
            free.add(inside(start..range.end, unit_bytes));
            from = from.max(range.end);
        }
        free.drop_smallest();
        free.ranges.sort_unstable_by_key(|range| range.start);
        free.ranges
    }
}

/// Sorted, and what overlaps or touches is one.
pub(super) fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The whole units in a range.
fn inside(range: Range<u64>, unit_bytes: u64) -> Range<u64> {
    range.start.div_ceil(unit_bytes) * unit_bytes..range.end / unit_bytes * unit_bytes
}

/// Clusters that are known to be in use, to be held against a bitmap.
pub(super) struct Owned {
    sorted: Vec<u64>,
    /// One of them was named more than once.
    pub(super) has_twins: bool,
}

impl Owned {
    pub(super) fn new(clusters: impl Iterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = clusters.collect();
        sorted.sort_unstable();
        let has_twins = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        Self { sorted, has_twins }
    }

    pub(super) fn is_any_in(&self, run: &Range<u64>) -> bool {
        let at = self.sorted.partition_point(|cluster| *cluster < run.start);
        self.sorted.get(at).is_some_and(|cluster| *cluster < run.end)
    }
}

/// Finds runs of clear bits in a bitmap that is read piece by piece. The lowest bit of a byte comes first.
#[derive(Debug, Default)]
pub(super) struct ClearBits {
    /// Where the run began that is not ended yet.
    start: Option<u64>,
    next: u64,
}

impl ClearBits {
    /// From this bit on.
    pub(super) fn from(first: u64) -> Self {
        Self { start: None, next: first }
    }

    /// The next bits, at most `limit` of them; `emit` gets each run that ends in them.
    pub(super) fn take(&mut self, bytes: &[u8], limit: u64, mut emit: impl FnMut(Range<u64>)) {
        let mut left = limit;
        for &byte in bytes {
            if left == 0 {
                return;
            }
            let count = left.min(8);
            // Most bytes of most bitmaps are all one or the other.
            match byte {
                0 if count == 8 => {
                    self.start.get_or_insert(self.next);
                    self.next += 8;
                }
                _ => (0..count).for_each(|bit| self.bit(byte & 1 << bit != 0, &mut emit)),
            }
            left -= count;
        }
    }

    /// The next bit.
    pub(super) fn bit(&mut self, is_set: bool, emit: &mut impl FnMut(Range<u64>)) {
        if is_set {
            if let Some(start) = self.start.take() {
                emit(start..self.next);
            }
        } else {
            self.start.get_or_insert(self.next);
        }
        self.next += 1;
    }

    /// The run at the very end.
    pub(super) fn finish(self) -> Option<Range<u64>> {
        self.start.map(|start| start..self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(ranges: &[Range<u64>], max: usize) -> FreeList {
        let mut free = FreeList::new(max);
        ranges.iter().for_each(|range| free.add(range.clone()));
        free
    }

    #[test]
    fn what_is_kept_is_cut_out_and_only_whole_sectors_are_free() {
        let free = listed(&[8192..16384, 100..1100, 1100..5000], 10);
        // One reaches over two ranges, one lies in another, some touch nothing.
        let kept = vec![0..512, 4096..9000, 4200..4300, 10_000..10_001, 20_000..30_000];
        assert_eq!(free.finish(kept, 512), [512..4096, 9216..9728, 10_240..16_384]);
    }

    #[test]
    fn overlapping_ranges_are_free_once_and_empty_ones_never() {
        let free = listed(&[0..4096, 1024..2048, 2048..2048, 3072..8192], 10);
        let kept = std::iter::once(1536..1537).collect();
        assert_eq!(free.finish(kept, 512), [0..1536, 2048..8192]);
    }

    #[test]
    fn too_many_ranges_lose_the_smallest() {
        let ranges: Vec<Range<u64>> = (0..1000_u64).map(|n| n * 4096..n * 4096 + 512 * (1 + n % 7)).collect();
        let left = listed(&ranges, 100).finish(Vec::new(), 512);
        assert_eq!(left.len(), 100);
        assert!(left.iter().all(|range| range.end - range.start >= 512 * 6), "{left:?}");
        assert!(left.is_sorted_by_key(|range| range.start));
    }

    #[test]
    fn runs_of_clear_bits_are_found_across_pieces() {
        let bitmap = [0b0000_0001, 0, 0b1000_0000, 0xff, 0b0011_1111];
        for cut in 0..=bitmap.len() {
            let mut bits = ClearBits::from(100);
            let mut found = Vec::new();
            bits.take(&bitmap[..cut], 39.min(cut as u64 * 8), |run| found.push(run));
            bits.take(&bitmap[cut..], 39_u64.saturating_sub(cut as u64 * 8), |run| found.push(run));
            found.extend(bits.finish());
            assert_eq!(found, [101..123, 138..139], "cut at {cut}");
        }
    }
}
