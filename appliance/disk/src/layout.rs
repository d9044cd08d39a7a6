// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The whole drive.

use std::collections::BTreeMap;

use crate::allocation::{Allocation, Run, allocate};
use crate::extents::Painter;
use crate::geometry::Geometry;
use crate::tree::{self, Node, Tree};
use crate::{ALIGN_BYTES, Data, DiskLayout, DiskSpec, FileSpec, LayoutError, Stats, directory, fat, structures};

/// Computes everything that has to be written to a drive so that it holds `files` on a FAT32 volume.
///
/// Directories come first, then the files in the order given, each in one contiguous run. Files of 1 MiB and more start
/// at a multiple of 1 MiB of the drive; clusters skipped for that stay free and are not written. Clusters in use are
/// covered to their last byte, as are the space before the partition, its reserved sectors, both FATs and the space
/// after the partition: nothing that was on the drive before remains where it could be read by accident.
///
/// Files with a wish ([`FileSpec::keep_at_bytes`]) that can be granted stay there, and the others go to the first free
/// runs that are long enough, those of 1 MiB and more before the rest. If one of them finds no run although there is
/// room, no wish is granted at all. A wish changes where a file is, never whether there is a layout.
///
/// Errors: see [`LayoutError`]; nothing is laid out unless everything is right.
pub fn lay_out(spec: &DiskSpec, files: &[FileSpec<'_>]) -> Result<DiskLayout, LayoutError> {
    let geometry = Geometry::new(spec)?;
    let fixed = structures::structures(spec, &geometry)?;
    let tree = tree::build(files, &spec.folders)?;
    let allocation = allocate(&geometry, &tree, files)?;

    let mut painter = Painter::default();
    painter.payload.reserve_exact(2 * (files.len() + tree.directories.len()) + 64);
    let (free, next) = (geometry.clusters - allocation.used, allocation.end);
    let next = if next < geometry.end_cluster() { next as u32 } else { u32::MAX };
    let (mut head, tail): (Vec<_>, Vec<_>) =
        fixed.into_iter().partition(|s| s.extent.offset_bytes < geometry.partition_end);
    head.extend(structures::fs_info(&geometry, free as u32, next));
    head.sort_by_key(|s| s.extent.offset_bytes);
    painter.put_region(0, geometry.fat_start(0), head.into_iter());
    put_fats(&mut painter, &geometry, &allocation);
    put_clusters(&mut painter, &geometry, &tree, &allocation, spec, files);
    painter.put_region(geometry.tail_start(), geometry.size_bytes, tail.into_iter());

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
        capacity_bytes: geometry.capacity_bytes(),
        directories: tree.directories.len() as u32,
    };
    let invalidate =
        vec![0..ALIGN_BYTES, ALIGN_BYTES..geometry.fat_start(0), geometry.tail_start()..geometry.size_bytes];
    Ok(DiskLayout { payload, seal, invalidate, stats })
}

/// Bytes in a cluster of the volume that [`lay_out`] makes of such a drive: what files take is a multiple of it.
pub fn cluster_bytes(spec: &DiskSpec) -> Result<u32, LayoutError> {
    Ok(Geometry::new(spec)?.cluster_bytes as u32)
}

/// Short names as stored, of everything a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortNames<'a> {
    /// Of the files, in the order given.
    pub files: Vec<[u8; 11]>,
    /// Of the directories, by path; without the root.
    pub directories: BTreeMap<&'a str, [u8; 11]>,
}

/// The short names that [`lay_out`] gives to `files`, to the directories they are in, and to `folders`, as in
/// [`DiskSpec::folders`].
pub fn short_names<'a>(files: &[FileSpec<'a>], folders: &'a [String]) -> Result<ShortNames<'a>, LayoutError> {
    let tree = tree::build(files, folders)?;
    let mut names = ShortNames { files: vec![[b' '; 11]; files.len()], directories: BTreeMap::new() };
    for directory in &tree.directories {
        for (child, short) in directory.children.iter().zip(directory::short_names(directory)) {
            match child.node {
                Node::File(index) => names.files[index as usize] = short,
                Node::Directory(number) => {
                    names.directories.insert(tree.directories[number as usize].path, short);
                }
            }
        }
    }
    Ok(names)
}

/// Both FATs: the used part as bytes, shared between them, and zeros to the end.
fn put_fats(painter: &mut Painter, geometry: &Geometry, allocation: &Allocation) {
    let mut table = fat::Table::new();
    for run in allocation.directories.iter().chain(allocation.files.iter().map(|(_, run)| run)) {
        table.chain(run.first, run.clusters);
    }
    let pieces = table.finish(geometry.sector_bytes);
    for which in 0..2 {
        let mut at = geometry.fat_start(which);
        for (len_bytes, data) in &pieces {
            painter.put(false, at, *len_bytes, data.clone());
            at += len_bytes;
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
    let span = |run: &Run| {
        let start = geometry.cluster_start(run.first);
        (start, start + run.clusters * geometry.cluster_bytes)
    };
    for (number, run) in allocation.directories.iter().enumerate() {
        let (start, end) = span(run);
        painter.put_bytes(start, &directory::render(number, tree, &allocation.places, files, spec), end);
    }
    for (index, run) in &allocation.files {
        let FileSpec { size_bytes, sealed, .. } = files[*index as usize];
        let (start, end) = span(run);
        painter.put(sealed, start, size_bytes, Data::File { index: *index, offset_bytes: 0 });
        painter.put(sealed, start + size_bytes, end - start - size_bytes, Data::Zero);
    }
}
