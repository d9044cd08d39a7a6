//! WIMs among the contents: each is verified, and split once, here, when it is too large for FAT32.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use platen_media::MediaPath;
use platen_wim::{MAX_PART_BYTES, WimError, WimInfo};

use crate::AuthorError;
use crate::gather::Item;
use crate::walk::{self, SourceFile};

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
        self.parts.iter().map(|part| part.size_bytes).sum()
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

/// The WIM at `path` (or the split one it is the first part of), to stand at `stem` with an extension.
pub(crate) fn source(path: &Path, stem: &str, problems: &mut Vec<String>) -> Option<SourceWim> {
    let split = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("swm"));
    let place = |text: &str| MediaPath::new(text).expect("the definition checked the image's name");
    if !split {
        let place = place(&format!("{stem}.wim"));
        let file = walk::file(path, place.clone(), "operating system image", problems)?;
        return Some(SourceWim { place, stem: stem.to_owned(), parts: vec![file] });
    }
    let own_stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = Vec::new();
    for number in 1.. {
        let part = if number == 1 { path.to_owned() } else { path.with_file_name(part_name(&own_stem, number)) };
        if number > 1 && part.symlink_metadata().is_err() {
            break;
        }
        parts.push(walk::file(&part, place(&part_name(stem, number)), "operating system image", problems)?);
    }
    Some(SourceWim { place: parts[0].place.clone(), stem: stem.to_owned(), parts })
}

/// Turns files that are WIMs by name and first bytes into such; parts of a split one become one item.
pub(crate) fn among(files: Vec<SourceFile>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut wims: Vec<SourceWim> = Vec::new();
    let mut later_parts = Vec::new();
    for file in files {
        let place = file.place.as_str();
        let extension = place.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        // Encrypted ESDs of Windows' own download are content like any other: libwim can't look into them.
        let wanted =
            extension == "wim" || extension == "swm" || (extension == "esd" && file.size_bytes > MAX_PART_BYTES);
        if !(wanted && begins_like_a_wim(&file.path)) {
            items.push(Item::File(file));
        } else if extension == "swm" && platen_wim::info(&file.path).is_ok_and(|info| info.part > 1) {
            later_parts.push(file);
        } else {
            let stem = place[..place.len() - 4].to_owned();
            wims.push(SourceWim { place: file.place.clone(), stem, parts: vec![file] });
        }
    }
    for part in later_parts {
        let first = wims.iter_mut().find(|wim| {
            let place = part.place.as_str();
            place.strip_prefix(&wim.stem).is_some_and(|rest| {
                rest.len() > 4 && rest[..rest.len() - 4].bytes().all(|b| b.is_ascii_digit()) && wim.place != part.place
            })
        });
        match first {
            Some(wim) => wim.parts.push(part),
            // Verifying it alone will name it and say what is missing.
            None => {
                let stem = part.place.as_str()[..part.place.as_str().len() - 4].to_owned();
                wims.push(SourceWim { place: part.place.clone(), stem, parts: vec![part] });
            }
        }
    }
    items.extend(wims.into_iter().map(Item::Wim));
    items
}

fn begins_like_a_wim(path: &Path) -> bool {
    let mut magic = [0; 8];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok_and(|()| &magic == b"MSWIM\0\0\0")
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
        if let Some(large) = wim.parts.iter().find(|part| part.size_bytes > max_file_bytes) {
            return Err(AuthorError::Wim {
                path: large.path.clone(),
                expected: format!("parts of at most {max_file_bytes} bytes"),
                found: format!("{} bytes; split the WIM anew", large.size_bytes),
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
        let size_bytes = path.metadata().map_err(AuthorError::io("looking at", &path))?.len();
        files.push(SourceFile { path, place, size_bytes, modified_s: wim.parts[0].modified_s });
    }
    let parts = files.iter().map(|file| (file.place.to_string(), file.size_bytes)).collect();
    let split = Split { place: wim.place.to_string(), size_bytes: wim.size_bytes(), was_solid, parts };
    Ok(Prepared { files, split: Some(split) })
}

fn failed(doing: &'static str, wim: &SourceWim) -> impl FnOnce(WimError) -> AuthorError {
    let (path, needed_bytes) = (wim.first().to_owned(), wim.size_bytes());
    move |source| match source {
        WimError::NoSpace { path, .. } => {
            let free_bytes = path.parent().and_then(crate::store::free_bytes).unwrap_or(0);
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
