// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Contents before they are read: files, and what is made of them.

use platen_media::MediaPath;
use platen_media::manifest::ContentKind;

use super::walk::SourceFile;
use super::wim::SourceWim;

/// GRUB's images for BIOS, as they were before they were fitted to a scheme.
pub(crate) const BIOS_FOLDER: &str = "platen/bios";
/// The one of them that the booted computer writes to its own disk.
pub(crate) const DISK_CORE: &str = "platen/bios/disk-core.img";
/// Below it every content has a folder of its own.
pub(crate) const CONTENT_FOLDER: &str = "platen/content";
pub(crate) const PRESTART_FOLDER: &str = "platen/content/prestart";

/// A file of the medium before it was read.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    File(SourceFile),
    Bytes {
        place: MediaPath,
        bytes: Vec<u8>,
    },
    /// One that libwim verifies, and splits where it is too large.
    Wim(SourceWim),
}

impl Item {
    pub(crate) fn place(&self) -> &MediaPath {
        match self {
            Self::File(file) => &file.place,
            Self::Bytes { place, .. } => place,
            Self::Wim(wim) => &wim.place,
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.size_bytes(),
            Self::Bytes { bytes, .. } => bytes.len() as u64,
            Self::Wim(wim) => wim.size_bytes(),
        }
    }

    /// The files it is read from.
    pub(crate) fn sources(&self) -> &[SourceFile] {
        match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Bytes { .. } => &[],
            Self::Wim(wim) => &wim.parts,
        }
    }
}

/// One content before it was read.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) kind: ContentKind,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Sorted by place.
    pub(crate) items: Vec<Item>,
    /// Folders with nothing in them.
    pub(crate) folders: Vec<MediaPath>,
    /// Stored with it, but no files: BIOS boot code.
    pub(crate) slices: Vec<Vec<u8>>,
}
