// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Is this WIM whole?

use std::ffi::c_uint;
use std::path::{Path, PathBuf};

use crate::WimError;
use crate::ffi;
use crate::session::{Progress, Session, Wim, c_path};

/// Check every resource of a WIM, and its integrity table when it has one.
///
/// `first` is the WIM, or part 1 of a split one with `parts` the others (part 1 may be among them again). All parts
/// must be there, each once, and of the same WIM.
///
/// A WIM has no checksum over its header (the first 208 bytes) and its XML data (names, descriptions, sizes): what
/// changed there and can still be read is not seen.
pub fn verify(first: &Path, parts: &[PathBuf], progress: Progress<'_>) -> Result<(), WimError> {
    let session = Session::begin(progress)?;
    let (wim, others) = open_all(&session, first, parts, true)?;
    // SAFETY: the handle is open.
    let done = session.run("verifying", first, || unsafe { ffi::wimlib_verify_wim(wim.raw(), 0) });
    done.map_err(|error| match error {
        WimError::Damaged { found, .. } => {
            // Which file it was: each part can be read alone as far as its own resources go.
            let damaged = others.iter().find(|part| is_damaged(&session, part));
            WimError::Damaged { path: damaged.map_or(first, |part| part).to_owned(), found }
        }
        WimError::Warned { path, text, .. } => WimError::Damaged { path, found: text },
        other => other,
    })
}

fn is_damaged(session: &Session<'_>, part: &Path) -> bool {
    let Ok(wim) = session.open(part, false) else { return true };
    // Only the status counts: libwim warns that a later part has no metadata.
    // SAFETY: the handle is open.
    session.attempt(|| unsafe { ffi::wimlib_verify_wim(wim.raw(), 0) }).0 != 0
}

/// Open part 1 with all other parts referenced, after checking that they are all there and belong together. Gives the
/// paths of the other parts as well.
pub(crate) fn open_all<'s>(
    session: &'s Session<'_>,
    first: &Path,
    parts: &[PathBuf],
    check_integrity: bool,
) -> Result<(Wim<'s>, Vec<PathBuf>), WimError> {
    let wim = session.open(first, check_integrity)?;
    let info = wim.info();
    let foreign = |path: &Path, expected: String, found: String| WimError::ForeignPart {
        path: path.to_owned(),
        first: first.to_owned(),
        expected,
        found,
    };
    if info.part_number != 1 {
        return Err(WimError::MissingPart { path: first.to_owned(), part: 1, parts: info.total_parts });
    }
    let mut seen = vec![false; usize::from(info.total_parts.max(1))];
    seen[0] = true;
    let others: Vec<PathBuf> = parts.iter().filter(|part| *part != first).cloned().collect();
    for path in &others {
        let part = session.open(path, check_integrity)?.info();
        if part.guid != info.guid || part.total_parts != info.total_parts {
            let of = |info: &ffi::Info| format!("a part of {} of {}", info.total_parts, guid(&info.guid));
            return Err(foreign(path, of(&info), of(&part)));
        }
        match seen.get_mut(usize::from(part.part_number).wrapping_sub(1)) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(foreign(path, "each part once".to_owned(), format!("part {} again", part.part_number))),
        }
    }
    if let Some(missing) = seen.iter().position(|seen| !seen) {
        // Fits: there are at most 65535 parts.
        let part = missing as u16 + 1;
        return Err(WimError::MissingPart { path: first.to_owned(), part, parts: info.total_parts });
    }
    if !others.is_empty() {
        let c_paths = others.iter().map(|path| c_path(path)).collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<_> = c_paths.iter().map(|path| path.as_ptr()).collect();
        // SAFETY: the handle is open; the array and its strings outlive the call, which copies what it keeps.
        session.run("opening the parts of", first, || unsafe {
            ffi::wimlib_reference_resource_files(wim.raw(), pointers.as_ptr(), pointers.len() as c_uint, 0, 0)
        })?;
    }
    Ok((wim, others))
}

fn guid(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
