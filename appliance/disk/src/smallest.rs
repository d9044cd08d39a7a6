// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How big a drive must be for a tree of files.

use std::collections::BTreeMap;

use crate::allocation::needed_clusters;
use crate::geometry::{Geometry, USUAL_CLUSTERS, checked_sector, maximum_bytes};
use crate::{ALIGN_BYTES, FileSpec, LayoutError, tree};

/// The size in bytes from which on every drive with such sectors holds the files, whatever its partitioning scheme.
///
/// [`crate::lay_out`] accepts the files, in this order, on a drive of this size and on every bigger one (with an MBR: up
/// to the biggest it describes), and refuses them on the next smaller one. It may accept them again on a still smaller
/// one: where a drive is so big that its clusters have twice the size, many small files take more room. A file's wish
/// for a place ([`FileSpec::keep_at_bytes`]) plays no part.
///
/// Errors: those of [`crate::lay_out`]; [`LayoutError::NoRoom`] if not even the biggest volume holds them.
pub fn smallest_drive(files: &[FileSpec<'_>], folders: &[String], sector_bytes: u32) -> Result<u64, LayoutError> {
    let sector = checked_sector(sector_bytes)?;
    let tree = tree::build(files, folders)?;
    // What a tree takes depends on the size of the clusters only, and there are few of those.
    let mut needed = BTreeMap::new();
    let mut missing = |size_bytes: u64| {
        let Some(geometry) = Geometry::of_size(size_bytes, sector) else { return Some((0, 0)) };
        let of_size = || needed_clusters(&geometry, &tree, files);
        let needed = *needed.entry(geometry.cluster_bytes).or_insert_with(of_size);
        let in_bytes = |clusters| clusters * geometry.cluster_bytes;
        (needed > geometry.clusters).then(|| (in_bytes(needed), geometry.capacity_bytes()))
    };

    let maximum = maximum_bytes(sector);
    if let Some((needed_bytes, available_bytes)) = missing(maximum) {
        return Err(LayoutError::NoRoom { needed_bytes, available_bytes });
    }
    // From the biggest drives down. Between two steps of the clusters' size a bigger drive has more clusters, or as many;
    // partitions end at whole MiB, so only these sizes matter.
    let mut smallest = maximum / ALIGN_BYTES;
    for (from_bytes, _) in USUAL_CLUSTERS {
        let from = from_bytes / ALIGN_BYTES;
        let mut too_small = from;
        while too_small < smallest {
            let middle = too_small + (smallest - too_small) / 2;
            match missing(middle * ALIGN_BYTES) {
                None => smallest = middle,
                Some(_) => too_small = middle + 1,
            }
        }
        if smallest > from {
            break;
        }
    }
    Ok(smallest * ALIGN_BYTES)
}
