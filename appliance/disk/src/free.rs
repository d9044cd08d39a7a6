// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Runs of free clusters, taken from the front.

use std::ops::Range;

/// First fit over thousands of runs: a tree over their lengths finds the first that is long enough.
pub(crate) struct FreeRuns<A> {
    /// Where in a run something may begin.
    align: A,
    /// Ascending; each begins where something may begin.
    runs: Vec<Range<u64>>,
    /// Lengths of the runs from `leaves` on, filled up with zeros; above them each node has the longer of its two.
    longest: Vec<u64>,
    leaves: usize,
    /// Clusters skipped for alignment.
    skipped: Vec<Range<u64>>,
}

impl<A: Fn(u64) -> u64> FreeRuns<A> {
    /// `runs` are ascending and disjoint. `align` gives the first cluster, this one included, where something may begin.
    pub(crate) fn new(runs: Vec<Range<u64>>, align: A) -> Self {
        let leaves = runs.len().next_power_of_two();
        let longest = vec![0; 2 * leaves];
        let mut free = Self { align, runs, longest, leaves, skipped: Vec::new() };
        for index in 0..free.runs.len() {
            let start = free.runs[index].start;
            free.begin_at(index, start);
        }
        for node in (1..leaves).rev() {
            free.longest[node] = free.longest[2 * node].max(free.longest[2 * node + 1]);
        }
        free
    }

    /// The first place for `clusters` clusters, which is not free any more.
    pub(crate) fn take(&mut self, clusters: u64) -> Option<u64> {
        if self.longest[1] < clusters {
            return None;
        }
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            node += usize::from(self.longest[node] < clusters);
        }
        let index = node - self.leaves;
        let first = self.runs[index].start;
        self.begin_at(index, first + clusters);
        while node > 1 {
            node /= 2;
            self.longest[node] = self.longest[2 * node].max(self.longest[2 * node + 1]);
        }
        Some(first)
    }

    /// What was not taken, ascending.
    pub(crate) fn left(self) -> Vec<Range<u64>> {
        let mut left: Vec<_> = self.runs.into_iter().filter(|run| !run.is_empty()).chain(self.skipped).collect();
        left.sort_unstable_by_key(|run| run.start);
        left
    }

    /// What is left of a run begins at `start`, or where it may begin after that.
    fn begin_at(&mut self, index: usize, start: u64) {
        let run = &mut self.runs[index];
        run.start = (self.align)(start).min(run.end);
        if start < run.start {
            self.skipped.push(start..run.start);
        }
        self.longest[self.leaves + index] = run.end - run.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn takes_the_first_that_fits_and_loses_nothing(
            runs in prop::collection::vec((0u64..20, 0u64..60), 0..40), wanted in prop::collection::vec(1u64..50, 0..60),
            step in 1u64..9,
        ) {
            let mut at = 0;
            let runs: Vec<Range<u64>> = runs.into_iter().map(|(gap, len)| {
                let start = at + gap;
                at = start + len;
                start..at
            }).collect();
            let align = |cluster: u64| cluster.next_multiple_of(step);
            let mut free: Vec<bool> = vec![false; at as usize];
            runs.iter().for_each(|run| free[run.start as usize..run.end as usize].fill(true));
            // A run ends where it ends, even if the next one begins there.
            let fits = |free: &[bool], first: u64, clusters: u64| {
                let end = first + clusters;
                runs.iter().any(|run| run.start <= first && end <= run.end) && free[first as usize..end as usize].iter().all(|&f| f)
            };
            let mut taken = FreeRuns::new(runs.clone(), align);
            for clusters in wanted {
                // Between two that were taken nothing else begins, however short the first was: as it was skipped.
                let expected = (0..at).filter(|first| first % step == 0).find(|&first| fits(&free, first, clusters));
                let found = taken.take(clusters);
                prop_assert_eq!(found, expected);
                if let Some(first) = found {
                    free[first as usize..(first + clusters) as usize].fill(false);
                }
            }
            let left = taken.left();
            prop_assert!(left.windows(2).all(|two| two[0].end <= two[1].start));
            let mut again = vec![false; at as usize];
            left.iter().for_each(|run| again[run.start as usize..run.end as usize].fill(true));
            prop_assert_eq!(free, again);
        }
    }
}
