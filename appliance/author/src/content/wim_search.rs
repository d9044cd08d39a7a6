// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Finding WIMs among files: by name and first bytes, and the parts of a split one by what they say of themselves.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use platen_media::MediaPath;
use platen_wim::{WimError, WimInfo};

use super::item::Item;
use super::notes::Notes;
use super::walk::{self, SourceFile};
use super::wim::{SourceWim, part_name};

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
/// of themselves. A file that has a WIM's name and is not one is a finding.
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
