// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Making WIMs: export, split, capture. Each result is verified before it is returned, and removed when it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::ptr;

use crate::ffi;
use crate::session::{Progress, Session, Wim, c_path};
use crate::{WimError, info, verify};

/// The biggest part a medium can take.
///
/// Not 4 GiB - 1, as FAT32 itself would allow: `fsck.fat` reports files bigger than 4 GiB less one cluster as damaged
/// (dosfstools issue 208), and the biggest cluster is 64 KiB.
pub const MAX_PART_BYTES: u64 = (4 << 30) - (64 << 10);

/// Removes what was begun, unless it was finished.
struct Unfinished(Vec<PathBuf>);

impl Unfinished {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// Write all images of `source` to a new WIM: LZX, not solid, with an integrity table; boot index and GUID stay. The
/// same source gives the same bytes.
pub fn export_non_solid(source: &Path, destination: &Path, progress: Progress<'_>) -> Result<(), WimError> {
    refuse_existing(destination)?;
    let unfinished = Unfinished(vec![destination.to_owned()]);
    {
        let session = Session::begin(progress)?;
        let (from, _) = verify::open_all(&session, source, &[], true)?;
        let to = session.create(ffi::COMPRESSION_LZX, destination)?;
        // SAFETY: both handles are open; no name and no description means those of the source.
        session.run("exporting", source, || unsafe {
            ffi::wimlib_export_image(from.raw(), ffi::ALL_IMAGES, to.raw(), ptr::null(), ptr::null(), 0)
        })?;
        let mut header = from.info();
        // The field is read through its own bit here, whatever else is set.
        header.flags &= ffi::INFO_HAS_RPFIX;
        let which = ffi::CHANGE_GUID | ffi::CHANGE_BOOT_INDEX | ffi::CHANGE_RPFIX_FLAG;
        // SAFETY: the handle is open and the structure is the library's.
        session.run("exporting", destination, || unsafe {
            ffi::wimlib_set_wim_info(to.raw(), &raw const header, which)
        })?;
        write(&session, &to, destination, ffi::WRITE_RETAIN_GUID)?;
    }
    let wanted = info(source)?;
    let found = info(destination)?;
    if found.solid || found.images != wanted.images || found.boot_index != wanted.boot_index {
        let found = format!("expected the images of {}, not solid; found {found:?}", source.display());
        return Err(WimError::Damaged { path: destination.to_owned(), found });
    }
    verify::verify(destination, &[], progress)?;
    unfinished.keep();
    Ok(())
}

fn write(session: &Session<'_>, wim: &Wim<'_>, path: &Path, flags: i32) -> Result<(), WimError> {
    let c_path = c_path(path)?;
    let flags = flags | ffi::WRITE_CHECK_INTEGRITY | ffi::WRITE_NOT_PIPABLE | ffi::WRITE_FSYNC;
    // SAFETY: the handle is open and the string outlives the call. 0 threads: as many as there are processors.
    session.run("writing", path, || unsafe { ffi::wimlib_write(wim.raw(), c_path.as_ptr(), ffi::ALL_IMAGES, flags, 0) })
}

/// Split `source` into `first_part` (`X.swm`), `X2.swm`, `X3.swm` ..., none bigger than `max_part_bytes`. Gives all
/// parts in order. The same source gives the same bytes.
///
/// A file whose compressed bytes don't fit in a part can't be split: [`WimError::TooBigResource`].
pub fn split(
    source: &Path,
    first_part: &Path,
    max_part_bytes: u64,
    progress: Progress<'_>,
) -> Result<Vec<PathBuf>, WimError> {
    refuse_existing_parts(first_part)?;
    {
        let session = Session::begin(progress)?;
        let (wim, _) = verify::open_all(&session, source, &[], true)?;
        let (resources, solid) = wim.resources();
        if solid > 0 {
            return Err(WimError::Solid { path: source.to_owned() });
        }
        let file_bytes = fs::metadata(source).map_err(WimError::io("reading the size of", source))?.len();
        // libwim counts only the resources. The rest of a part: header 208, a lookup table of 50 bytes a resource, the
        // XML data, an integrity table of 20 bytes for each 10 MiB.
        let integrity_bytes = 12 + 20 * max_part_bytes.div_ceil(10 << 20);
        let xml_bytes = file_bytes.saturating_sub(wim.info().total_bytes);
        let rest_bytes = 208 + 50 * resources + xml_bytes + integrity_bytes + 1024;
        let part_bytes = max_part_bytes.saturating_sub(rest_bytes).max(max_part_bytes / 2).max(1);
        let c_path = c_path(first_part)?;
        let flags = ffi::WRITE_CHECK_INTEGRITY | ffi::WRITE_FSYNC | ffi::WRITE_RETAIN_GUID;
        // SAFETY: the handle is open and the string outlives the call.
        let done = session.run("splitting into", first_part, || unsafe {
            ffi::wimlib_split(wim.raw(), c_path.as_ptr(), part_bytes, flags)
        });
        if let Err(error) = done {
            drop(Unfinished(existing_parts(first_part)?));
            return Err(error);
        }
    }
    let unfinished = Unfinished(existing_parts(first_part)?);
    let parts: Vec<PathBuf> = (1..=info(first_part)?.parts).map(|part| part_path(first_part, part)).collect();
    for part in &parts {
        let size_bytes = fs::metadata(part).map_err(WimError::io("reading the size of", part))?.len();
        if size_bytes > max_part_bytes {
            return Err(WimError::TooBigResource { part: part.clone(), size_bytes, limit_bytes: max_part_bytes });
        }
    }
    verify::verify(first_part, &parts[1..], progress)?;
    unfinished.keep();
    Ok(parts)
}

/// Write a new WIM with one image, the tree of files below `tree`. XPRESS: fast rather than small. With an integrity
/// table. Sockets and devices are refused.
pub fn capture(tree: &Path, wim: &Path, name: &str) -> Result<(), WimError> {
    refuse_existing(wim)?;
    if !fs::metadata(tree).map_err(WimError::io("reading", tree))?.is_dir() {
        return Err(WimError::io("capturing", tree)(std::io::ErrorKind::NotADirectory.into()));
    }
    let unfinished = Unfinished(vec![wim.to_owned()]);
    let c_tree = c_path(tree)?;
    let c_name = c_path(Path::new(name))?;
    {
        let progress = &mut |_, _| {};
        let session = Session::begin(progress)?;
        let handle = session.create(ffi::COMPRESSION_XPRESS, wim)?;
        let flags = ffi::ADD_NORPFIX | ffi::ADD_NO_UNSUPPORTED_EXCLUDE;
        // SAFETY: the handle is open and the strings outlive the call; no configuration means nothing is left out.
        session.run("capturing", tree, || unsafe {
            ffi::wimlib_add_image(handle.raw(), c_tree.as_ptr(), c_name.as_ptr(), ptr::null(), flags)
        })?;
        write(&session, &handle, wim, 0)?;
    }
    verify::verify(wim, &[], &mut |_, _| {})?;
    unfinished.keep();
    Ok(())
}

fn refuse_existing(path: &Path) -> Result<(), WimError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(WimError::Exists { path: path.to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WimError::io("looking for", path)(error)),
    }
}

/// As libwim names them: the number goes before the extension, and part 1 has none.
fn part_path(first_part: &Path, part: u16) -> PathBuf {
    if part == 1 {
        return first_part.to_owned();
    }
    let mut name = first_part.file_stem().unwrap_or_default().to_owned();
    name.push(part.to_string());
    if let Some(extension) = first_part.extension() {
        name.push(".");
        name.push(extension);
    }
    first_part.with_file_name(name)
}

/// All files there are from part 1 on.
fn existing_parts(first_part: &Path) -> Result<Vec<PathBuf>, WimError> {
    let folder = first_part.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = first_part.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_part = |path: &Path| {
        let this = path.file_stem().unwrap_or_default().to_string_lossy();
        let number = this.strip_prefix(&*stem);
        path.extension() == first_part.extension()
            && number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(WimError::io("listing", folder))? {
        let path = first_part.with_file_name(entry.map_err(WimError::io("listing", folder))?.file_name());
        if is_part(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn refuse_existing_parts(first_part: &Path) -> Result<(), WimError> {
    match existing_parts(first_part)?.pop() {
        Some(path) => Err(WimError::Exists { path }),
        None => Ok(()),
    }
}
