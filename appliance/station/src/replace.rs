// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files that are there whole or not at all, whatever stops the machine.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Replaces a file, or makes it. After a kill or a power cut there is the old one or the new one; when this returns, it
/// is the new one. Nobody but those whom `mode` lets can read either, at no moment.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Temporary files are made with mode 0600; in the same folder, so that renaming is one action of its file system.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name itself is saved with the folder.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        for (bytes, mode) in [(&b"first"[..], 0o600), (b"second, longer", 0o644)] {
            replace(&path, bytes, mode).expect("replaces");
            assert_eq!(fs::read(&path).expect("reads"), bytes);
            assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1);
    }

    #[test]
    fn what_was_there_stays_when_the_new_one_cant_be_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("folder");
        fs::create_dir(&path).expect("made");
        replace(&path, b"x", 0o600).expect_err("a folder is not replaced by a file");
        replace(&dir.path().join("none/file"), b"x", 0o600).expect_err("no folder");
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1, "no temporary file is left");
    }
}
