// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which parts of a drive are in use: the answer of the process that looks at it (`platen-examine`). It is foreign data;
//! whoever copies by it asks [`Allocation::is_sound`] first.

use serde::{Deserialize, Serialize};

/// Which parts of a drive must be copied, so that the copy behaves as the drive does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Whole sectors, sorted, none touching another.
    pub extents: Vec<UsedExtent>,
    /// The end of the last partition, in bytes: a drive that a copy goes on has at least so many. Without a partition table
    /// the size of the drive.
    #[serde(default)]
    pub needed_bytes: u64,
    /// What the drive is made of, and why how much of it is copied; sorted by where they begin.
    pub regions: Vec<UsedRegion>,
}

/// A range of bytes that must be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedExtent {
    /// Where it begins, in bytes from the start of the drive.
    pub offset_bytes: u64,
    /// How long it is, in bytes.
    pub len_bytes: u64,
}

/// A part of the drive as its partition table gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedRegion {
    /// What it is called, such as `partition 2`.
    pub name: String,
    /// What is in it, such as `NTFS`.
    pub content: String,
    /// Where it begins, in bytes from the start of the drive.
    pub offset_bytes: u64,
    /// How long it is, in bytes.
    pub len_bytes: u64,
    /// How much of it is copied, in bytes.
    pub used_bytes: u64,
    /// Why all of it is copied. None: only what is said to be in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_because: Option<String>,
    /// Marked as bad by its file system, in bytes; not copied.
    #[serde(default)]
    pub bad_bytes: u64,
}

impl Allocation {
    /// Bytes that are copied.
    pub fn used_bytes(&self) -> u64 {
        self.extents.iter().fold(0, |sum, extent| sum.saturating_add(extent.len_bytes))
    }

    /// The extents are sorted, apart, and on a drive of this size.
    pub fn is_sound(&self, size_bytes: u64) -> bool {
        let mut end_before = None;
        self.extents.iter().all(|extent| {
            let is_apart = end_before.is_none_or(|end| end < extent.offset_bytes);
            end_before = extent.offset_bytes.checked_add(extent.len_bytes);
            is_apart && extent.len_bytes > 0 && end_before.is_some_and(|end| end <= size_bytes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_that_a_drive_can_not_have_are_found() {
        let of = |extents: &[(u64, u64)]| Allocation {
            extents: extents.iter().map(|&(offset_bytes, len_bytes)| UsedExtent { offset_bytes, len_bytes }).collect(),
            ..Allocation::default()
        };
        let good = of(&[(0, 512), (1024, 512)]);
        assert!(good.is_sound(1536));
        assert_eq!(good.used_bytes(), 1024);
        for (why, extents) in [
            ("beyond the end", &[(0, 512), (1024, 513)][..]),
            ("unsorted", &[(1024, 512), (0, 512)]),
            ("touching", &[(0, 512), (512, 512)]),
            ("empty", &[(0, 0)]),
            ("past all numbers", &[(u64::MAX, 2)]),
        ] {
            assert!(!of(extents).is_sound(1536), "{why}");
        }
    }
}
