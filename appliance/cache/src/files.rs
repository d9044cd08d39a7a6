// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files of a layout, which may have been made by anybody: only regular ones are opened, no link is followed, nothing
//! can make the reader wait for ever. And what is made here is never writable by others, whatever the umask.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc;
use platen_media::read_at_most;

use crate::CacheError;

/// Beginning of the names of files that are not finished. After a kill they stay behind.
pub(crate) const TEMPORARY: &str = ".new-";

/// A file that was not finished.
pub(crate) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Open a regular file for reading. A pipe, device, folder or link is refused without being touched.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let refused =
        |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("expected a regular file, found {what}"));
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(refused(kind(metadata.file_type())));
    }
    // What took its place since must be neither followed nor waited for.
    let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let found = file.metadata()?;
    if found.is_file() { Ok(file) } else { Err(refused(kind(found.file_type()))) }
}

fn kind(file_type: fs::FileType) -> &'static str {
    match () {
        () if file_type.is_symlink() => "a symbolic link",
        () if file_type.is_dir() => "a folder",
        () => "a pipe, socket or device",
    }
}

/// Size of a regular file, if there is one.
pub(crate) fn size_bytes(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// Read a file of at most `max_bytes`.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>, CacheError> {
    let file = open_regular(path).map_err(CacheError::io("opening", path))?;
    read_at_most(file, max_bytes).map_err(CacheError::io("reading", path))?.ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::InvalidData, format!("expected at most {max_bytes} bytes"));
        CacheError::Io { doing: "reading", path: path.to_owned(), source }
    })
}

/// Replace a file by one with other bytes: after a kill or power cut there is the old one or the new one.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(CacheError::io("replacing", path))?;
    sync_dir(dir)
}

/// Make a folder and those above it.
pub(crate) fn make_dir(dir: &Path) -> Result<(), CacheError> {
    DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(CacheError::io("making the folder", dir))
}

/// Make renames in `dir` survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), CacheError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(CacheError::io("saving the folder", dir))
}

/// Bytes an unprivileged process may still write to the file system that `path` is on, or will be once it is made; None
/// if the system does not say.
pub fn free_bytes(path: &Path) -> Option<u64> {
    // The last one of a relative path is empty.
    let folders = path.ancestors().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    let existing = folders.into_iter().find(|dir| dir.exists())?;
    let stat = nix::sys::statvfs::statvfs(existing).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}
