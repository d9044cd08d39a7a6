// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which clusters everything gets.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::directory::Places;
use crate::fat::{ENTRY_BYTES, ROOT_CLUSTER};
use crate::free::FreeRuns;
use crate::geometry::Geometry;
use crate::tree::Tree;
use crate::{ALIGN_BYTES, FileSpec, LayoutError};

pub(crate) struct Allocation {
    pub(crate) places: Places,
    /// Of every directory, ascending.
    pub(crate) directories: Vec<Run>,
    /// Index and run of every file that is not empty, ascending; all after the directories.
    pub(crate) files: Vec<(u32, Run)>,
    /// Clusters in use.
    pub(crate) used: u64,
    /// The first cluster after all of them.
    pub(crate) end: u64,
}

/// Consecutive clusters.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) first: u64,
    pub(crate) clusters: u64,
}

impl Run {
    fn end(self) -> u64 {
        self.first + self.clusters
    }
}

pub(crate) fn allocate(
    geometry: &Geometry,
    tree: &Tree<'_>,
    files: &[FileSpec<'_>],
) -> Result<Allocation, LayoutError> {
    let (directories, front) = directories_first(geometry, tree);
    let placed = match keeping(geometry, files, front) {
        Some(placed) => placed,
        None => in_order(geometry, files, front)?,
    };

    // All of them are in the volume now, so their numbers fit 32 bits.
    let places = Places {
        directories: directories.iter().map(|run| run.first as u32).collect(),
        files: placed.iter().map(|run| if run.clusters == 0 { 0 } else { run.first as u32 }).collect(),
    };
    let mut files: Vec<(u32, Run)> = (0..).zip(placed).filter(|(_, run)| run.clusters > 0).collect();
    files.sort_unstable_by_key(|(_, run)| run.first);
    let used = directories.iter().chain(files.iter().map(|(_, run)| run)).map(|run| run.clusters).sum();
    let end = files.last().map_or(front, |(_, run)| run.end());
    Ok(Allocation { places, directories, files, used, end })
}

/// Clusters that a tree takes on a volume with clusters of this size, directories and alignment included.
pub(crate) fn needed_clusters(geometry: &Geometry, tree: &Tree<'_>, files: &[FileSpec<'_>]) -> u64 {
    let (_, mut next) = directories_first(geometry, tree);
    for file in files {
        next = next_run(geometry, file, next).end();
    }
    next - u64::from(ROOT_CLUSTER)
}

/// The directories, one after the other from the root on, and the first cluster behind them.
fn directories_first(geometry: &Geometry, tree: &Tree<'_>) -> (Vec<Run>, u64) {
    let mut front = u64::from(ROOT_CLUSTER);
    let runs = tree
        .directories
        .iter()
        .map(|directory| {
            let clusters = (directory.entries * ENTRY_BYTES as u64).div_ceil(geometry.cluster_bytes);
            let run = Run { first: front, clusters };
            front = run.end();
            run
        })
        .collect();
    (runs, front)
}

/// Where a file goes when everything before `next` is taken.
fn next_run(geometry: &Geometry, file: &FileSpec<'_>, next: u64) -> Run {
    let first = if is_large(file) { geometry.aligned_cluster(next) } else { next };
    Run { first, clusters: clusters_of(geometry, file) }
}

fn clusters_of(geometry: &Geometry, file: &FileSpec<'_>) -> u64 {
    file.size_bytes.div_ceil(geometry.cluster_bytes)
}

fn is_large(file: &FileSpec<'_>) -> bool {
    file.size_bytes >= ALIGN_BYTES
}

/// One after the other, in the order given.
fn in_order(geometry: &Geometry, files: &[FileSpec<'_>], front: u64) -> Result<Vec<Run>, LayoutError> {
    let mut next = front;
    let placed = files
        .iter()
        .map(|file| {
            let run = next_run(geometry, file, next);
            next = run.end();
            run
        })
        .collect();
    let needed = next - u64::from(ROOT_CLUSTER);
    if needed > geometry.clusters {
        let (needed_bytes, available_bytes) = (needed * geometry.cluster_bytes, geometry.capacity_bytes());
        return Err(LayoutError::NoRoom { needed_bytes, available_bytes });
    }
    Ok(placed)
}

/// Files that can stay where they are do, the others go to the first places that fit. `None` if nothing can stay, or
/// if what must move then finds no place in one piece.
fn keeping(geometry: &Geometry, files: &[FileSpec<'_>], front: u64) -> Option<Vec<Run>> {
    let end = geometry.end_cluster();
    let mut kept: BTreeMap<u64, u64> = BTreeMap::new();
    let mut placed: Vec<Option<Run>> = Vec::with_capacity(files.len());
    for file in files {
        let clusters = clusters_of(geometry, file);
        let run = file.keep_at_bytes.and_then(|at| geometry.cluster_at(at)).map(|first| Run { first, clusters });
        let stays = run.filter(|&run| {
            let aligned = !is_large(file) || geometry.aligned_cluster(run.first) == run.first;
            // Runs that are kept don't overlap, so the last that begins before this one's end is the one that ends last.
            let free = || kept.range(..run.end()).next_back().is_none_or(|(_, &before)| before <= run.first);
            clusters > 0 && run.first >= front && run.end() <= end && aligned && free()
        });
        if let Some(run) = stays {
            kept.insert(run.first, run.end());
        }
        placed.push(stays);
    }
    if kept.is_empty() {
        return None;
    }

    let mut free: Vec<Range<u64>> = Vec::with_capacity(kept.len() + 1);
    let mut at = front;
    for (first, after) in kept {
        free.push(at..first);
        at = after;
    }
    free.push(at..end);
    // Large files first: small ones fill what is left between them.
    let mut large = FreeRuns::new(free, |cluster| geometry.aligned_cluster(cluster));
    for (file, place) in files.iter().zip(&mut placed).filter(|(file, place)| place.is_none() && is_large(file)) {
        let clusters = clusters_of(geometry, file);
        *place = Some(Run { first: large.take(clusters)?, clusters });
    }
    let mut small = FreeRuns::new(large.left(), |cluster| cluster);
    for (file, place) in files.iter().zip(&mut placed).filter(|(_, place)| place.is_none()) {
        let clusters = clusters_of(geometry, file);
        let first = if clusters == 0 { front } else { small.take(clusters)? };
        *place = Some(Run { first, clusters });
    }
    placed.into_iter().collect()
}
