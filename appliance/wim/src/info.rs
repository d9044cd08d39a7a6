// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a WIM says of itself.

use std::path::Path;

use crate::WimError;
use crate::ffi;
use crate::session::{Session, Wim};

/// A WIM file, or one part of a split one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WimInfo {
    /// The same in every part of a split WIM, and in no other.
    pub guid: [u8; 16],
    /// How many images it has.
    pub image_count: u32,
    /// The bootable image, counted from 1; 0 when there is none.
    pub boot_index: u32,
    /// What the XML data says of each.
    pub images: Vec<ImageInfo>,
    /// Holds solid resources (an ESD): can't be split as it is.
    pub solid: bool,
    /// This part, counted from 1.
    pub part: u16,
    /// 1 for a WIM that is not split.
    pub parts: u16,
    /// Size of this file.
    pub total_bytes: u64,
    /// Has an integrity table: a checksum for each 10 MiB of the file.
    pub has_integrity: bool,
}

/// One image, from the XML data. None of it is covered by a checksum of the WIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// Counted from 1.
    pub index: u32,
    /// For people.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// `x86`, `x86_64`, `arm` or `arm64`; none for an image that is not of Windows.
    pub architecture: Option<String>,
    /// Bytes of all its files, uncompressed.
    pub total_bytes: u64,
}

/// Read what a WIM says of itself. Fast: no content is read and none is checked.
pub fn info(path: &Path) -> Result<WimInfo, WimError> {
    let session_progress = &mut |_, _| {};
    let session = Session::begin(session_progress)?;
    let wim = session.open(path, false)?;
    let info = wim.info();
    let total_bytes = std::fs::metadata(path).map_err(WimError::io("reading the size of", path))?.len();
    Ok(WimInfo {
        guid: info.guid,
        image_count: info.image_count,
        boot_index: info.boot_index,
        images: (1..=info.image_count).map(|index| image(&wim, index)).collect(),
        solid: wim.resources().1 > 0,
        part: info.part_number,
        parts: info.total_parts,
        total_bytes,
        has_integrity: info.flags & ffi::INFO_HAS_INTEGRITY_TABLE != 0,
    })
}

fn image(wim: &Wim<'_>, index: u32) -> ImageInfo {
    let text = |name| wim.property(index, name);
    // PROCESSOR_ARCHITECTURE_* of winnt.h.
    let architecture = text(c"WINDOWS/ARCH").and_then(|number| match number.trim() {
        "0" => Some("x86"),
        "5" => Some("arm"),
        "9" => Some("x86_64"),
        "12" => Some("arm64"),
        _ => None,
    });
    ImageInfo {
        index,
        name: text(c"NAME").unwrap_or_default(),
        description: text(c"DESCRIPTION").unwrap_or_default(),
        architecture: architecture.map(str::to_owned),
        total_bytes: text(c"TOTALBYTES").and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0),
    }
}
