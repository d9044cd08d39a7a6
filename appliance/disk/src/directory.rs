// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The bytes of one directory.

use crate::fat::{self, Attribute, ENTRY_BYTES, ROOT_CLUSTER};
use crate::names::{self, Aliases};
use crate::tree::{Directory, Node, Tree};
use crate::{DiskSpec, FileSpec};

/// First clusters of everything, by number; 0 for empty files.
pub(crate) struct Places {
    pub(crate) directories: Vec<u32>,
    pub(crate) files: Vec<u32>,
}

/// All entries of the directory with this number. What follows them in its last cluster has to be zero.
pub(crate) fn render(
    number: usize,
    tree: &Tree<'_>,
    places: &Places,
    files: &[FileSpec<'_>],
    spec: &DiskSpec,
) -> Vec<u8> {
    let directory: &Directory<'_> = &tree.directories[number];
    let time = spec.modified;
    let mut bytes = Vec::with_capacity(directory.entries as usize * ENTRY_BYTES);
    if number == 0 {
        bytes.extend(fat::entry(spec.label.as_bytes(), Attribute::VolumeLabel, 0, 0, time));
    } else {
        // A parent that is the root is written as cluster 0 (fatgen103, "FAT Directories").
        let above =
            Some(places.directories[directory.parent as usize]).filter(|&cluster| cluster != ROOT_CLUSTER).unwrap_or(0);
        bytes.extend(fat::entry(b".          ", Attribute::Directory, places.directories[number], 0, time));
        bytes.extend(fat::entry(b"..         ", Attribute::Directory, above, 0, time));
    }
    for (child, short) in directory.children.iter().zip(short_names(directory)) {
        if !names::is_short(child.name) {
            names::put_long(&mut bytes, child.name, &short);
        }
        bytes.extend(match child.node {
            Node::Directory(below) => {
                fat::entry(&short, Attribute::Directory, places.directories[below as usize], 0, time)
            }
            Node::File(index) => {
                // At most 32 bits: the tree was checked.
                let file = &files[index as usize];
                let (size, time) = (file.size_bytes as u32, file.modified.unwrap_or(time));
                fat::entry(&short, Attribute::Archive, places.files[index as usize], size, time)
            }
        });
    }
    bytes
}

/// One for each child, in their order.
pub(crate) fn short_names(directory: &Directory<'_>) -> Vec<[u8; 11]> {
    let mut aliases = Aliases::default();
    for short in directory.children.iter().filter_map(|child| names::as_short(child.name)) {
        aliases.take(short);
    }
    let short = |name| names::as_short(name).unwrap_or_else(|| aliases.make(name));
    directory.children.iter().map(|child| child.name).map(short).collect()
}
