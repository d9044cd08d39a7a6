//! The whole drive.

use std::sync::Arc;

use crate::directory::{self, Places};
use crate::extents::Painter;
use crate::fat::{self, ENTRY_BYTES};
use crate::geometry::Geometry;
use crate::tree::{self, Tree};
use crate::{ALIGN_BYTES, Data, DiskLayout, DiskSpec, FileSpec, LayoutError, Stats, structures};

/// Computes everything that has to be written to a drive so that it holds `files` on a FAT32 volume.
///
/// Directories come first, then the files in the order given, each in one contiguous run. Files of 1 MiB and more start
/// at a multiple of 1 MiB of the drive; clusters skipped for that stay free and are not written. Clusters in use are
/// covered to their last byte, as are the space before the partition, its reserved sectors, both FATs and the space
/// after the partition: nothing that was on the drive before remains where it could be read by accident.
///
/// Errors: see [`LayoutError`]; nothing is laid out unless everything is right.
pub fn lay_out(spec: &DiskSpec, files: &[FileSpec<'_>]) -> Result<DiskLayout, LayoutError> {
    let geometry = Geometry::new(spec)?;
    let fixed = structures::structures(spec, &geometry)?;
    let tree = tree::build(files)?;
    let allocation = allocate(&geometry, &tree, files)?;

    let mut painter = Painter::default();
    painter.payload.reserve_exact(2 * (files.len() + tree.directories.len()) + 64);
    let (free, next) = (geometry.clusters - allocation.used, allocation.end);
    let next = if next < geometry.clusters + 2 { next as u32 } else { u32::MAX };
    let (mut head, tail): (Vec<_>, Vec<_>) =
        fixed.into_iter().partition(|s| s.extent.offset_bytes < geometry.partition_end);
    head.extend(structures::fs_info(&geometry, free as u32, next));
    head.sort_by_key(|s| s.extent.offset_bytes);
    painter.put_region(0, geometry.fat_start(0), head.into_iter());
    put_fats(&mut painter, &geometry, &allocation);
    put_clusters(&mut painter, &geometry, &tree, &allocation, spec, files);
    painter.put_region(geometry.partition_end, geometry.size_bytes, tail.into_iter());

    let Painter { payload, seal } = painter;
    let metadata = payload.iter().chain(&seal).filter(|e| matches!(e.data, Data::Bytes(_)));
    let stats = Stats {
        cluster_bytes: geometry.cluster_bytes as u32,
        clusters: geometry.clusters as u32,
        clusters_used: allocation.used as u32,
        clusters_free: free as u32,
        metadata_bytes: metadata.map(|e| e.len_bytes).sum(),
        partition_start_bytes: ALIGN_BYTES,
        partition_len_bytes: geometry.partition_bytes(),
        data_start_bytes: geometry.data_start(),
        capacity_bytes: geometry.clusters * geometry.cluster_bytes,
        directories: tree.directories.len() as u32,
    };
    let invalidate =
        vec![0..ALIGN_BYTES, ALIGN_BYTES..geometry.fat_start(0), geometry.partition_end..geometry.size_bytes];
    Ok(DiskLayout { payload, seal, invalidate, stats })
}

struct Allocation {
    places: Places,
    /// First cluster and number of clusters of all directories and then all files, ascending.
    runs: Vec<(u32, u32)>,
    /// Clusters in use.
    used: u64,
    /// The first cluster after all of them.
    end: u64,
}

fn allocate(geometry: &Geometry, tree: &Tree<'_>, files: &[FileSpec<'_>]) -> Result<Allocation, LayoutError> {
    let cluster_bytes = geometry.cluster_bytes;
    let mut next = u64::from(fat::ROOT_CLUSTER);
    let mut used = 0;
    let mut runs = Vec::with_capacity(tree.directories.len() + files.len());
    // Numbers that don't fit 32 bits don't fit the volume either, which is looked at before they are used.
    let mut take = |clusters: u64, aligned: bool| {
        if aligned {
            next = geometry.aligned_cluster(next);
        }
        let first = if clusters == 0 { 0 } else { next as u32 };
        runs.push((first, clusters as u32));
        next += clusters;
        used += clusters;
        first
    };
    let directories = tree
        .directories
        .iter()
        .map(|d| take((d.entries * ENTRY_BYTES as u64).div_ceil(cluster_bytes), false))
        .collect();
    let places = files
        .iter()
        .map(|file| take(file.size_bytes.div_ceil(cluster_bytes), file.size_bytes >= ALIGN_BYTES))
        .collect();
    let needed = next - u64::from(fat::ROOT_CLUSTER);
    if needed > geometry.clusters {
        let (needed_bytes, available_bytes) = (needed * cluster_bytes, geometry.clusters * cluster_bytes);
        return Err(LayoutError::NoRoom { needed_bytes, available_bytes });
    }
    Ok(Allocation { places: Places { directories, files: places }, runs, used, end: next })
}

/// Both FATs: the used part as bytes, shared between them, and zeros to the end.
fn put_fats(painter: &mut Painter, geometry: &Geometry, allocation: &Allocation) {
    let mut table = fat::Table::new();
    for &(first, clusters) in &allocation.runs {
        table.chain(u64::from(first), u64::from(clusters));
    }
    let pieces = table.finish(geometry.sector_bytes);
    for which in 0..2 {
        let mut at = geometry.fat_start(which);
        for piece in &pieces {
            painter.put(false, at, piece.len() as u64, Data::Bytes(Arc::clone(piece)));
            at += piece.len() as u64;
        }
        painter.put(false, at, geometry.fat_start(which + 1) - at, Data::Zero);
    }
}

/// Directories and files, each to the end of its last cluster.
fn put_clusters(
    painter: &mut Painter,
    geometry: &Geometry,
    tree: &Tree<'_>,
    allocation: &Allocation,
    spec: &DiskSpec,
    files: &[FileSpec<'_>],
) {
    let (of_directories, of_files) = allocation.runs.split_at(tree.directories.len());
    let span = |&(first, clusters): &(u32, u32)| {
        let start = geometry.cluster_start(u64::from(first));
        (start, start + u64::from(clusters) * geometry.cluster_bytes)
    };
    for (number, run) in of_directories.iter().enumerate() {
        let (start, end) = span(run);
        painter.put_bytes(start, &directory::render(number, tree, &allocation.places, files, spec), end);
    }
    for (index, (file, run)) in files.iter().zip(of_files).enumerate() {
        if file.size_bytes > 0 {
            let (start, end) = span(run);
            painter.put(file.sealed, start, file.size_bytes, Data::File { index: index as u32, offset_bytes: 0 });
            let content_end = start + file.size_bytes;
            painter.put(file.sealed, content_end, end - content_end, Data::Zero);
        }
    }
}
