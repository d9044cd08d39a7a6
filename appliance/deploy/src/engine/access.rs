// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Who reads a file with secrets: the administrator of the system that comes, and nobody else. On Linux' volumes the mode says
//! so. Of a file on NTFS it says nothing, and what ntfs-3g makes Windows gives to everybody; but ntfs-3g takes a security
//! descriptor as an extended attribute.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a file, or empties the one that is there, which only the administrator reads and writes.
#[cfg(unix)]
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    match rustix::fs::fsetxattr(&file, NTFS_DESCRIPTOR, &descriptor(), rustix::fs::XattrFlags::empty()) {
        // Another file system, on which the mode counts.
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(file),
        set => set.map(|()| file).map_err(Into::into),
    }
}

/// On Windows the folder's own list says who reads it (`windows::task::protect`).
#[cfg(not(unix))]
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}

/// What ntfs-3g calls it ("Access Control Lists and Extended attributes").
#[cfg(unix)]
const NTFS_DESCRIPTOR: &str = "system.ntfs_acl";

/// A self-relative security descriptor (MS-DTYP 2.4.6): administrators own the file, they and the system account may do all with
/// it, and no folder's list adds to that.
#[cfg(unix)]
fn descriptor() -> Vec<u8> {
    const HEADER_BYTES: usize = 20;
    // Self-relative, with a list, which is protected.
    const CONTROL: u16 = 0x8000 | 0x1000 | 0x0004;
    let (system, administrators) = (sid(&[18]), sid(&[32, 544]));
    let entries = [&system, &administrators].map(|sid| allows_all(sid)).concat();
    let list = [&[2, 0][..], &length(8 + entries.len()), &[2, 0, 0, 0], &entries].concat();
    let (owner_at, group_at) = (HEADER_BYTES, HEADER_BYTES + administrators.len());
    let list_at = group_at + system.len();
    let offsets = [owner_at, group_at, 0, list_at].map(|at| [&length(at)[..], &[0, 0]].concat()).concat();
    [&[1, 0][..], &CONTROL.to_le_bytes(), &offsets, &administrators, &system, &list].concat()
}

/// `ACCESS_ALLOWED_ACE` with all rights of a file (MS-DTYP 2.4.4.2).
#[cfg(unix)]
fn allows_all(sid: &[u8]) -> Vec<u8> {
    const FILE_ALL_ACCESS: u32 = 0x001f_01ff;
    [&[0, 0][..], &length(8 + sid.len()), &FILE_ALL_ACCESS.to_le_bytes(), sid].concat()
}

/// `S-1-5-…` (MS-DTYP 2.4.2.2).
#[cfg(unix)]
fn sid(below_nt_authority: &[u32]) -> Vec<u8> {
    let count = u8::try_from(below_nt_authority.len()).unwrap_or_default();
    let rest = below_nt_authority.iter().flat_map(|part| part.to_le_bytes());
    [1, count, 0, 0, 0, 0, 0, 5].into_iter().chain(rest).collect()
}

/// All of it is some 80 bytes.
#[cfg(unix)]
fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or_default().to_le_bytes()
}
