// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a WIM to files.

use std::path::{Path, PathBuf};

use crate::WimError;
use crate::ffi;
use crate::session::{Progress, Session, c_path};
use crate::verify::open_all;

/// Write the files of one image to `target`: a folder (made when it isn't there), or an NTFS volume given by its block
/// device or image file.
///
/// `first` and `parts` as for [`crate::verify()`]. A folder on Linux has no Windows attributes and access lists: those are
/// left out, and anything else that can't be kept fails. Every resource is checked against its SHA-1 as it is
/// written. Nothing is synced: that is for whoever unmounts the target.
pub fn apply(
    first: &Path,
    parts: &[PathBuf],
    index: u32,
    target: &Path,
    progress: Progress<'_>,
) -> Result<(), WimError> {
    let session = Session::begin(progress)?;
    let (wim, _) = open_all(&session, first, parts, false)?;
    let count = wim.info().image_count;
    let no_such_image = || WimError::NoSuchImage { path: first.to_owned(), index, count };
    let image = i32::try_from(index).ok().filter(|_| (1..=count).contains(&index)).ok_or_else(no_such_image)?;
    let is_volume = std::fs::metadata(target).is_ok_and(|metadata| !metadata.is_dir());
    let kind = if is_volume { ffi::EXTRACT_NTFS } else { ffi::EXTRACT_NO_ACLS | ffi::EXTRACT_NO_ATTRIBUTES };
    let flags = kind | ffi::EXTRACT_STRICT_TIMESTAMPS | ffi::EXTRACT_STRICT_SYMLINKS | ffi::EXTRACT_NORPFIX;
    let c_target = c_path(target)?;
    // SAFETY: the handle is open and the string outlives the call.
    let done = session.run("applying to", target, || unsafe {
        ffi::wimlib_extract_image(wim.raw(), image, c_target.as_ptr(), flags)
    });
    done.map_err(|error| match error {
        // What is damaged is the WIM, not the target.
        WimError::Damaged { found, .. } => WimError::Damaged { path: first.to_owned(), found },
        WimError::Truncated { found, .. } => WimError::Truncated { path: first.to_owned(), found },
        other => other,
    })
}
