// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What was found on a drive that somebody inserted: the answer of the process that looks at it (`platen-examine`). It
//! is foreign data; `platen_engine::verify` holds it against the signed manifest.

use serde::{Deserialize, Serialize};

/// How much of a drive is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Names, sizes, and the files that carry the manifest and its signatures.
    Names,
    /// The same, and where on the drive each file begins. Nothing more is read for it.
    Places,
    /// Every file is hashed.
    Content,
}

impl Depth {
    /// As the process that looks is told.
    pub fn word(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Places => "places",
            Self::Content => "content",
        }
    }
}

/// A file as found on the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFile {
    /// From the root of the volume, components separated by `/`.
    pub path: String,
    /// As its folder says, in bytes.
    pub size_bytes: u64,
    /// The short name as stored, each byte as the character of the same number.
    pub short: String,
    /// As stored.
    pub attributes: u8,
    /// Hexadecimal; None where the content was not asked for.
    pub blake3: Option<String>,
    /// The text of the small files that carry the manifest and its signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where its first byte is, in bytes from the start of the drive. The rest need not follow it, and nobody has looked
    /// whether the place is in use otherwise. None where places were not asked for, and for files without bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<u64>,
}

/// A folder as found on the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFolder {
    /// From the root of the volume, components separated by `/`.
    pub path: String,
    /// As of files.
    pub short: String,
    /// As stored.
    pub attributes: u8,
}

/// What a drive says of itself at fixed places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenIds {
    /// It has a GUID partition table; otherwise a master boot record.
    pub gpt: bool,
    /// The sector size the volume was made for, in bytes.
    pub sector_bytes: u32,
    /// The volume label in the boot sector.
    pub label: String,
    /// Of the master boot record.
    pub disk_signature: u32,
    /// Of the FAT volume.
    pub volume_serial: u32,
    /// Of the GUID partition table; zeros without one.
    pub disk_guid: [u8; 16],
    /// Of the EFI system partition; zeros without one.
    pub esp_guid: [u8; 16],
    /// Of the BIOS boot partition; zeros without one.
    pub bios_boot_guid: [u8; 16],
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// None: not laid out as Platen does.
    pub ids: Option<SeenIds>,
    /// Without folders, and without what operating systems made.
    pub files: Vec<SeenFile>,
    /// Without the root, and without what operating systems made.
    pub folders: Vec<SeenFolder>,
    /// Folders with nothing in them.
    pub empty_folders: Vec<String>,
    /// Files and folders that operating systems leave on every drive. What is in such folders is not listed.
    pub made_by_systems: Vec<String>,
    /// Entries of files that were deleted.
    pub deleted_entries: usize,
    /// The file allocation tables say that an operating system had the volume mounted and did not unmount it.
    pub is_dirty: bool,
    /// False: there was more than any medium has, and not all of it was looked at.
    pub is_whole: bool,
    /// What could not be read, or would be read differently by different systems.
    pub problems: Vec<String>,
    /// Problems that were found besides, when there were too many.
    pub more_problems: usize,
}

/// Whoever reads them has seen enough.
const MAX_PROBLEMS: usize = 100;
/// Characters of one.
const MAX_PROBLEM_CHARS: usize = 1000;

impl Default for Examination {
    fn default() -> Self {
        Self {
            ids: None,
            files: Vec::new(),
            folders: Vec::new(),
            empty_folders: Vec::new(),
            made_by_systems: Vec::new(),
            deleted_entries: 0,
            is_dirty: false,
            is_whole: true,
            problems: Vec::new(),
            more_problems: 0,
        }
    }
}

impl Examination {
    /// Add a problem, shortened where it is too long; beyond a number of them they are only counted.
    pub fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text.chars().take(MAX_PROBLEM_CHARS).collect());
        } else {
            self.more_problems += 1;
        }
    }
}
