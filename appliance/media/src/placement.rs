// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where the files of a layout lie on a drive: the answer of the process that looks at it (`platen-examine`). It is foreign
//! data; whoever reads by it asks [`Placement::is_sound`] first, and checks what was read by its digest.

use serde::{Deserialize, Serialize};

use crate::allocation::UsedExtent;

/// Pieces of all files together that are followed.
pub const MAX_EXTENTS: usize = 200_000;

/// The files of a layout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Which volume and folder it is in, for people.
    pub name: String,
    /// Each once.
    pub files: Vec<PlacedFile>,
    /// Updates of an appliance's own system ([`is_update`]), which may lie beside a layout or alone.
    #[serde(default)]
    pub updates: Vec<PlacedFile>,
}

/// Whether a file of this name in the root of a volume is an update of an appliance's own system: `platen-BOARD-VERSION.raucb`.
/// Such a name is fit to be a file's on the station, too.
pub fn is_update(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+~".contains(&byte);
    let name = name.to_ascii_lowercase();
    name.len() <= 120 && name.starts_with("platen-") && name.ends_with(".raucb") && name.bytes().all(is_plain)
}

/// A file and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedFile {
    /// From the folder of the layout, with `/`.
    pub path: String,
    /// In the order of its bytes; they begin with a sector, and only the last ends within one.
    pub extents: Vec<UsedExtent>,
}

impl PlacedFile {
    /// Its size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.extents.iter().fold(0, |sum, extent| sum.saturating_add(extent.len_bytes))
    }

    fn is_sound(&self, size_bytes: u64, sector_bytes: u64) -> bool {
        let last = self.extents.len().saturating_sub(1);
        self.extents.iter().enumerate().all(|(at, extent)| {
            let end = extent.offset_bytes.checked_add(extent.len_bytes);
            extent.offset_bytes.is_multiple_of(sector_bytes)
                && (at == last || extent.len_bytes.is_multiple_of(sector_bytes))
                && extent.len_bytes > 0
                && end.is_some_and(|end| end <= size_bytes)
        })
    }
}

impl Placement {
    /// All of it is on a drive of this size, sector by sector.
    pub fn is_sound(&self, size_bytes: u64, sector_bytes: u64) -> bool {
        let all = || self.files.iter().chain(&self.updates);
        let extents: usize = all().map(|file| file.extents.len()).sum();
        extents <= MAX_EXTENTS
            && all().all(|file| file.is_sound(size_bytes, sector_bytes))
            && self.updates.iter().all(|file| is_update(&file.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_a_drive_can_not_have_are_found() {
        let of = |extents: &[(u64, u64)]| {
            let extent = |&(offset_bytes, len_bytes)| UsedExtent { offset_bytes, len_bytes };
            let file = PlacedFile { path: "index.json".to_owned(), extents: extents.iter().map(extent).collect() };
            Placement { name: String::new(), files: vec![file], updates: Vec::new() }
        };
        let good = of(&[(2048, 512), (512, 10)]);
        assert!(good.is_sound(4096, 512));
        assert_eq!(good.files[0].size_bytes(), 522);
        for (why, extents) in [
            ("beyond the end", &[(4096, 1)][..]),
            ("within a sector", &[(100, 10)]),
            ("a gap", &[(512, 10), (2048, 512)]),
            ("empty", &[(0, 0)]),
            ("past all numbers", &[(u64::MAX - 511, 512)]),
        ] {
            assert!(!of(extents).is_sound(4096, 512), "{why}");
        }
    }
}
