// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! WIMs among the contents: each is verified, and split once, here, when it is too large for FAT32.

use std::path::{Path, PathBuf};

use platen_media::{MediaPath, fold_name};
use platen_wim::{MAX_PART_BYTES, WimError, WimInfo};

use crate::AuthorError;
use crate::content::walk::SourceFile;
use crate::definition::sources::Stamp;

/// A WIM, whole or in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceWim {
    /// Where its first file would stand as it is.
    pub(crate) place: MediaPath,
    /// The same without its extension: what parts are named after.
    pub(super) stem: String,
    /// In order; one when it is whole.
    pub(crate) parts: Vec<SourceFile>,
}

/// What became of a WIM.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Files to be stored, first part first.
    pub(crate) files: Vec<SourceFile>,
    /// None when it was taken as it is.
    pub(crate) split: Option<Split>,
}

/// A WIM that was split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Where it would have stood as a whole.
    pub place: String,
    /// Before, as the user gave it.
    pub size_bytes: u64,
    /// It was solid, and was exported first.
    pub was_solid: bool,
    /// Place and size in bytes of each part.
    pub parts: Vec<(String, u64)>,
}

impl SourceWim {
    pub(crate) fn size_bytes(&self) -> u64 {
        self.parts.iter().map(SourceFile::size_bytes).sum()
    }

    fn first(&self) -> &Path {
        &self.parts[0].path
    }
}

/// The name of a split WIM's part, counted from 1.
pub(super) fn part_name(stem: &str, part: usize) -> String {
    if part == 1 { format!("{stem}.swm") } else { format!("{stem}{part}.swm") }
}

/// Names under which boot images are started when nothing else says that they are.
const BOOT_IMAGE_NAMES: [&str; 3] = ["BOOT.WIM", "WINPE.WIM", "WINRE.WIM"];

/// Whether a computer is started from it: then it has to stay one file, because no boot manager puts parts together.
pub(crate) fn is_boot_image(wim: &SourceWim) -> bool {
    let name = fold_name(wim.place.file_name());
    BOOT_IMAGE_NAMES.contains(&&*name) || info(wim).is_ok_and(|info| info.boot_index > 0)
}

/// What a WIM says of itself. Nothing is verified.
pub(crate) fn info(wim: &SourceWim) -> Result<WimInfo, AuthorError> {
    platen_wim::info(wim.first()).map_err(failed("reading", wim))
}

/// Whether a whole WIM has to be split.
pub(crate) fn is_too_large(wim: &SourceWim, max_file_bytes: u64) -> bool {
    wim.parts.len() == 1 && wim.size_bytes() > max_file_bytes.min(MAX_PART_BYTES)
}

/// Verifies a WIM, and splits it below `staging` when it is larger than a file may be.
pub(crate) fn prepare(wim: &SourceWim, staging: &Path, max_file_bytes: u64) -> Result<Prepared, AuthorError> {
    let paths: Vec<PathBuf> = wim.parts.iter().map(|part| part.path.clone()).collect();
    platen_wim::verify(wim.first(), &paths[1..], &mut |_, _| {}).map_err(failed("verifying", wim))?;
    if !is_too_large(wim, max_file_bytes) {
        if let Some(large) = wim.parts.iter().find(|part| part.size_bytes() > max_file_bytes) {
            return Err(AuthorError::Wim {
                path: large.path.clone(),
                expected: format!("parts of at most {max_file_bytes} bytes"),
                found: format!("{} bytes; split the WIM anew", large.size_bytes()),
            });
        }
        return Ok(Prepared { files: wim.parts.clone(), split: None });
    }
    let made = tempfile::tempdir_in(staging).map_err(AuthorError::io("making a folder in", staging))?;
    // The caller removes all of staging when everything in it was read.
    let folder = made.keep();
    let was_solid = info(wim)?.solid;
    let mut whole = wim.first().to_owned();
    if was_solid {
        whole = folder.join("exported.wim");
        platen_wim::export_non_solid(wim.first(), &whole, &mut |_, _| {}).map_err(failed("exporting", wim))?;
    }
    let own_name = wim.stem.rsplit('/').next().unwrap_or(&wim.stem);
    let split = folder.join(part_name(own_name, 1));
    let limit_bytes = max_file_bytes.min(MAX_PART_BYTES);
    let parts = platen_wim::split(&whole, &split, limit_bytes, &mut |_, _| {}).map_err(failed("splitting", wim))?;
    let mut files = Vec::new();
    for (at, path) in parts.into_iter().enumerate() {
        let text = part_name(&wim.stem, at + 1);
        let place = MediaPath::new(&text).map_err(|error| AuthorError::Wim {
            path: wim.first().to_owned(),
            expected: "a name that leaves room for part numbers".into(),
            found: error.to_string(),
        })?;
        let stamp = Stamp::of(&path.metadata().map_err(AuthorError::io("looking at", &path))?);
        // On the medium a part is as old as what it was made of.
        files.push(SourceFile { path, place, stamp, modified_s: wim.parts[0].modified_s });
    }
    let parts = files.iter().map(|file| (file.place.to_string(), file.size_bytes())).collect();
    let split = Split { place: wim.place.to_string(), size_bytes: wim.size_bytes(), was_solid, parts };
    Ok(Prepared { files, split: Some(split) })
}

fn failed(doing: &'static str, wim: &SourceWim) -> impl FnOnce(WimError) -> AuthorError {
    let (path, needed_bytes) = (wim.first().to_owned(), wim.size_bytes());
    move |source| match source {
        WimError::NoSpace { path, .. } => {
            let free_bytes = path.parent().and_then(platen_cache::free_bytes).unwrap_or(0);
            AuthorError::Space { path, needed_bytes: needed_bytes.max(free_bytes + 1), free_bytes }
        }
        source => AuthorError::WimLibrary { doing, path, source: Box::new(source) },
    }
}
