// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! WIMs among the contents: each is verified, and split once, here, when it is too large for FAT32.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use platen_media::{MediaPath, fold_name};
use platen_wim::{MAX_PART_BYTES, WimError, WimInfo};

use crate::AuthorError;
use crate::content::gather::{Item, Notes};
use crate::content::walk::{self, SourceFile};
use crate::definition::sources::Stamp;

/// A WIM, whole or in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceWim {
    /// Where its first file would stand as it is.
    pub(crate) place: MediaPath,
    /// The same without its extension: what parts are named after.
    stem: String,
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

/// A WIM's name less its extension.
pub(crate) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && is_wim_extension(extension) => stem,
        _ => name,
    }
}

fn is_wim_extension(extension: &str) -> bool {
    ["wim", "esd", "swm"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn part_name(stem: &str, part: usize) -> String {
    if part == 1 { format!("{stem}.swm") } else { format!("{stem}{part}.swm") }
}

/// The WIM at `path` (or the split one it is a part of), to stand at `stem` with an extension.
pub(crate) fn source(path: &Path, stem: &str, problems: &mut Vec<String>) -> Option<SourceWim> {
    const WHAT: &str = "operating system image";
    let place = |text: &str| MediaPath::new(text).expect("the definition checked the image's name");
    let file = walk::file(path, place(&format!("{stem}.wim")), WHAT, problems)?;
    let info = platen_wim::info(&file.path).ok().filter(|info| info.parts > 1);
    let Some(info) = info else {
        // Whatever is wrong with it is said when it is verified.
        return Some(SourceWim { place: file.place.clone(), stem: stem.to_owned(), parts: vec![file] });
    };
    let folder = file.path.parent().unwrap_or(Path::new("/")).to_owned();
    let entries = std::fs::read_dir(&folder).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    let mut parts = Vec::new();
    for entry in entries {
        let path = entry.path();
        let is_part = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("swm"));
        let of_it = |found: &WimInfo| found.guid == info.guid;
        if let Some(found) = platen_wim::info(&path).ok().filter(|found| is_part && of_it(found)) {
            let place = place(&part_name(stem, found.part.into()));
            parts.push((found, walk::file(&path, place, WHAT, problems)?));
        }
    }
    match in_order(parts) {
        Ok(parts) => Some(SourceWim { place: parts[0].place.clone(), stem: stem.to_owned(), parts }),
        Err(found) => {
            problems.extend(found.into_iter().map(|found| format!("{WHAT}: {}: {found}", folder.display())));
            None
        }
    }
}

/// A file of a split WIM, and what it says of itself.
type Part = (WimInfo, SourceFile);

/// Files that say they are parts of one split WIM, in order; or each part that is missing or there twice.
fn in_order(mut parts: Vec<Part>) -> Result<Vec<SourceFile>, Vec<String>> {
    parts.sort_by(|(a, file), (b, other)| (a.part, &file.path).cmp(&(b.part, &other.path)));
    let count = parts.iter().map(|(info, _)| info.parts).max().unwrap_or(1);
    let name = |file: &SourceFile| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut problems = Vec::new();
    for number in 1..=count {
        let found: Vec<String> = parts.iter().filter(|(it, _)| it.part == number).map(|(_, file)| name(file)).collect();
        let others: Vec<String> = parts.iter().map(|(_, file)| name(file)).collect();
        let what = format!("split WIM of {}: part {number} of {count}", others.join(", "));
        match found.len() {
            0 => problems.push(format!("{what} is missing")),
            1 => {}
            _ => problems.push(format!("{what} is there more than once, {}; leave one", found.join(" and "))),
        }
    }
    if problems.is_empty() { Ok(parts.into_iter().map(|(_, file)| file).collect()) } else { Err(problems) }
}

/// Turns files that are WIMs by name and first bytes into such; parts of a split one become one item, by what they say
/// of themselves. What has a WIM's name and is none is found.
pub(crate) fn among(files: Vec<SourceFile>, what: &str, notes: &mut Notes) -> Vec<Item> {
    let mut items = Vec::new();
    // By folder and GUID.
    let mut split: BTreeMap<(String, [u8; 16]), Vec<Part>> = BTreeMap::new();
    for file in files {
        let place = file.place.as_str();
        let (own_stem, shown) = (stem(place).to_owned(), format!("{what}: {}", file.path.display()));
        if own_stem == place {
            items.push(Item::File(file));
            continue;
        }
        if !begins_like_a_wim(&file.path) {
            notes.error("WIM-FORMAT", &shown, "it has a WIM's name and does not begin like one; replace it".into());
            items.push(Item::File(file));
            continue;
        }
        match platen_wim::info(&file.path) {
            Ok(info) if info.parts > 1 => {
                let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
                split.entry((folder, info.guid)).or_default().push((info, file));
            }
            Err(WimError::Encrypted { .. }) => {
                notes.warning(
                    "WIM-ENCRYPTED",
                    &shown,
                    "it is encrypted, so whether it is whole can't be checked".into(),
                );
                items.push(Item::File(file));
            }
            // Whatever else is wrong with it is said when it is verified.
            _ => items.push(Item::Wim(SourceWim { place: file.place.clone(), stem: own_stem, parts: vec![file] })),
        }
    }
    for ((folder, _), parts) in split {
        match in_order(parts) {
            Ok(parts) => {
                let place = parts[0].place.clone();
                items.push(Item::Wim(SourceWim { stem: stem(place.as_str()).to_owned(), place, parts }));
            }
            Err(found) => notes.problems.extend(found.into_iter().map(|found| format!("{what}: {folder}/: {found}"))),
        }
    }
    items
}

fn begins_like_a_wim(path: &Path) -> bool {
    let mut magic = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    // The second is a WIM that can be read from a pipe; libwim reads both.
    read.is_ok() && [b"MSWIM\0\0\0", b"WLPWM\0\0\0"].contains(&&magic)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_wims_and_parts() {
        assert_eq!(
            [stem("install.wim"), stem("a.ESD"), stem("Windows 11"), stem("v1.2"), stem(".wim")],
            ["install", "a", "Windows 11", "v1.2", ".wim"]
        );
        assert_eq!([part_name("x", 1), part_name("x", 2), part_name("x", 11)], ["x.swm", "x2.swm", "x11.swm"]);
    }
}
