// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A hive's file: changed as a copy, which takes its place when all is well.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use platen_windows::registry::Change;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::session::Session;
use crate::{Applied, HiveError, MAX_HIVE_BYTES};

/// Makes all changes, or none. The file is never half written: whoever opens it finds the old hive or the new one.
///
/// A hostile hive may end this process, or keep it busy: see [`crate::apply_in_process_of_its_own`].
pub fn apply(hive: &Path, changes: &[Change]) -> Result<Applied, HiveError> {
    let mut original = File::open(hive).map_err(HiveError::io("opening", hive))?;
    let metadata = original.metadata().map_err(HiveError::io("looking at", hive))?;
    if metadata.len() > MAX_HIVE_BYTES {
        return Err(HiveError::TooLarge { path: hive.to_owned(), size_bytes: metadata.len() });
    }
    let was_dirty = is_dirty(&mut original).map_err(HiveError::io("reading", hive))?;
    let copy = Copy::make(hive, &mut original)?;
    let mut session = Session::open(&copy.path, hive)?;
    changes.iter().try_for_each(|change| session.apply(change))?;
    session.commit(&copy.path)?;
    copy.replace(hive, &original)?;
    Ok(Applied { changes: changes.len(), was_dirty })
}

/// The two numbers that Windows counts up before and after it writes (offsets 4 and 8 of the base block) differ.
fn is_dirty(hive: &mut File) -> io::Result<bool> {
    let mut base = [0; 12];
    let read = hive.take(12).read(&mut base)?;
    hive.seek(SeekFrom::Start(0))?;
    Ok(read == 12 && base[4..8] != base[8..12])
}

/// A copy beside the hive; removed unless it took the hive's place.
struct Copy {
    path: PathBuf,
}

impl Copy {
    fn make(hive: &Path, original: &mut File) -> Result<Self, HiveError> {
        let mut name = hive.as_os_str().to_owned();
        name.push(".platen-new");
        let path = PathBuf::from(name);
        // Left by a power cut.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(HiveError::io("removing", &path)(error));
            }
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = file.map_err(HiveError::io("making", &path))?;
        let copy = Self { path };
        io::copy(original, &mut file).map_err(HiveError::io("copying to", &copy.path))?;
        Ok(copy)
    }

    fn replace(self, hive: &Path, original: &File) -> Result<(), HiveError> {
        let file = File::open(&self.path).map_err(HiveError::io("opening", &self.path))?;
        keep_owner_and_rights(original, &file).map_err(HiveError::io("keeping the access rights of", hive))?;
        file.sync_all().map_err(HiveError::io("writing", &self.path))?;
        std::fs::rename(&self.path, hive).map_err(HiveError::io("replacing", hive))?;
        let folder = hive.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(HiveError::io("writing", folder))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Not there after the rename.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// On NTFS, ntfs-3g shows Windows' access control list and attributes as extended attributes of these names.
const NTFS: [&str; 2] = ["system.ntfs_acl", "system.ntfs_attrib_be"];

fn keep_owner_and_rights(original: &File, copy: &File) -> io::Result<()> {
    let metadata = original.metadata()?;
    let has_none = |error: &Errno| [Errno::NODATA, Errno::OPNOTSUPP, Errno::NOSYS].contains(error);
    for name in NTFS {
        let mut value = vec![0; 64 << 10];
        match rustix::fs::fgetxattr(original, name, &mut value[..]) {
            Ok(length) => rustix::fs::fsetxattr(copy, name, &value[..length], XattrFlags::empty())?,
            Err(error) if has_none(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let now = copy.metadata()?;
    if (now.uid(), now.gid()) != (metadata.uid(), metadata.gid()) {
        std::os::unix::fs::fchown(copy, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    if now.permissions().mode() != metadata.permissions().mode() {
        copy.set_permissions(metadata.permissions())?;
    }
    Ok(())
}

/// Bounds memory and time of this process by what a sound hive of that size needs.
pub fn limit_this_process(hive: &Path) -> Result<(), HiveError> {
    const MIB: u64 = 1 << 20;
    let size_bytes = std::fs::metadata(hive).map_err(HiveError::io("looking at", hive))?.len().min(MAX_HIVE_BYTES);
    let limits = [
        (Resource::As, 4 * size_bytes + 512 * MIB),
        (Resource::Fsize, 2 * size_bytes + 128 * MIB),
        // Seconds.
        (Resource::Cpu, 60),
        (Resource::Core, 0),
    ];
    for (resource, limit) in limits {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).map_err(|error| HiveError::io("setting limits for", hive)(error.into()))?;
    }
    Ok(())
}
