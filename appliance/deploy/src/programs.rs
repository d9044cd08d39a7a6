// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs of the boot image: read from the medium once, checked, and unpacked over the initramfs.
//!
//! What the archive is, and what it may hold: [`platen_deploy::archive`].

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_deploy::archive::{ArchiveError, Unpacked, unpack};
use platen_media::boot_image::{MAX_PROGRAMS_BYTES, PROGRAMS};
use platen_media::manifest::{ContentKind, FileRecord, Manifest};

use crate::medium::{FileProblem, Medium};

const BUSYBOX: &str = "/usr/bin/busybox";
/// Where busybox's commands are offered under their own names. A folder of its own, last in the search path: programs of
/// the same name that do more come before them.
pub(crate) const APPLETS: &str = "/usr/lib/busybox";

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramsError {
    /// The file on the medium is not the one that was signed.
    #[error("{0}")]
    Changed(FileProblem),
    /// Longer than any that is built.
    #[error("{PROGRAMS}: expected at most {MAX_PROGRAMS_BYTES} bytes, found {found_bytes}")]
    TooLong { found_bytes: u64 },
    /// It can't be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// busybox's commands can't be offered.
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// busybox does not start.
    #[error("{BUSYBOX}: expected it to offer its commands in {APPLETS}, found {found}")]
    Applets { found: String },
}

/// The archive among a medium's files; none with boot images of earlier versions.
pub(crate) fn find(manifest: &Manifest) -> Option<&FileRecord> {
    manifest.files.iter().find(|file| {
        let content = manifest.contents.get(file.content as usize);
        let is_boot_image = content.is_some_and(|content| content.kind == ContentKind::BootImage);
        is_boot_image && file.path.as_str().rsplit('/').next() == Some(PROGRAMS)
    })
}

/// Reads the archive from the medium, checks it, and unpacks those very bytes into `root`.
pub(crate) fn load(medium: &Medium, archive: &FileRecord, root: &Path) -> Result<Unpacked, ProgramsError> {
    if archive.size_bytes > MAX_PROGRAMS_BYTES {
        return Err(ProgramsError::TooLong { found_bytes: archive.size_bytes });
    }
    let packed = medium.read_checked(archive).map_err(ProgramsError::Changed)?;
    Ok(unpack(&packed, root)?)
}

/// Offers the commands of busybox, and with them a shell as scripts ask for it.
pub(crate) fn offer_applets() -> Result<(), ProgramsError> {
    let failed = |path: &str| {
        let path = PathBuf::from(path);
        move |source| ProgramsError::Write { path, source }
    };
    std::fs::create_dir(APPLETS).map_err(failed(APPLETS))?;
    let shell = "/usr/bin/sh";
    std::os::unix::fs::symlink("busybox", shell).map_err(failed(shell))?;
    let output = Command::new(BUSYBOX).args(["--install", "-s", APPLETS]).output();
    let found = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    Err(ProgramsError::Applets { found })
}
