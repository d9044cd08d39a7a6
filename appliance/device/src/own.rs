// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files that are never drives: what a station keeps (cache, keys, ledger), by whatever name they are given.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What SQLite keeps beside a database.
const BESIDE_DATABASE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// The station's own files and folders. None of the files in them is accepted as a drive, under any name or link.
#[derive(Debug, Clone, Default)]
pub struct OwnFiles {
    places: Vec<PathBuf>,
}

impl OwnFiles {
    /// `places` need not exist.
    pub fn new(places: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut all = Vec::new();
        for place in places {
            for suffix in BESIDE_DATABASE {
                let mut name = place.clone().into_os_string();
                name.push(suffix);
                all.push(name.into());
            }
            all.push(place);
        }
        Self { places: all }
    }

    /// What of the station this file is, if anything. Compared by inode, so that hard links are seen.
    pub(crate) fn find(&self, mut file: &File, metadata: &fs::Metadata) -> io::Result<Option<String>> {
        let wanted = (metadata.dev(), metadata.ino());
        for place in &self.places {
            if let Some(path) = same_file(place, wanted)? {
                return Ok(Some(format!("the station's own {}", path.display())));
            }
        }
        // Those of other stations are known by what they begin with, or by where they are.
        let mut head = [0; 32];
        let len = file.read(&mut head)?;
        let head = &head[..len];
        if head.starts_with(b"SQLite format 3\0") {
            return Ok(Some("a database (a ledger?)".to_owned()));
        }
        if head.starts_with(b"untrusted comment:") {
            return Ok(Some("a key or signature".to_owned()));
        }
        Ok(None)
    }
}

/// `path` itself or a file below it that is this inode. What is missing is not it.
fn same_file(path: &Path, wanted: (u64, u64)) -> io::Result<Option<PathBuf>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if (metadata.dev(), metadata.ino()) == wanted {
        return Ok(Some(path.to_owned()));
    }
    if !metadata.is_dir() {
        return Ok(None);
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Links inside the folders lead to files that are named themselves, or to nowhere of the station's.
        let inside = if entry.file_type()?.is_symlink() { None } else { same_file(&entry.path(), wanted)? };
        if inside.is_some() {
            return Ok(inside);
        }
    }
    Ok(None)
}

/// A blob of an OCI image layout: `blobs/<algorithm>/<digest>` beside a file `oci-layout`.
pub(crate) fn is_layout_blob(path: &Path) -> bool {
    let folders: Vec<&Path> = path.ancestors().skip(1).take(3).collect();
    matches!(folders[..], [_, blobs, layout] if blobs.file_name().is_some_and(|name| name == "blobs")
        && layout.join("oci-layout").exists())
}
