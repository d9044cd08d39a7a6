// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A checked image as a folder that other programs read: a file system that this program serves to the kernel (FUSE, the
//! protocol of `include/uapi/linux/fuse.h`).
//!
//! It is read-only and flat: the image's files, by name. Every answer to a read comes from [`CheckedImage`]; where that gives
//! nothing, the reader gets EIO. Little of the protocol is needed for that, and none of libfuse.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::places::Places;
use crate::engine::checked::CheckedImage;
use crate::engine::machine::MachineError;

/// The version of the protocol that is spoken; kernels keep to older ones of the same major number.
const VERSION: (u32, u32) = (7, 31);
/// Longer than any request but writes, and the shortest that kernels read into (`FUSE_MIN_READ_BUFFER`).
const REQUEST_BYTES: usize = 8192;
/// The least that may be said; nothing is written.
const MAX_WRITE_BYTES: u32 = 4096;
/// The most that is read at once, in pages: a piece.
const MAX_PAGES: u16 = 256;
/// How long the kernel may believe names and attributes, which never change.
const VALID_S: u64 = 3600;
/// `fuse_in_header`.
const HEADER_BYTES: usize = 40;

/// `FUSE_ASYNC_READ`: reads ahead of the reader, too.
const ASYNC_READ: u32 = 1 << 0;
/// `FUSE_MAX_PAGES`: the answer says how many.
const SAYS_MAX_PAGES: u32 = 1 << 22;
/// `FOPEN_KEEP_CACHE`: what was checked may be given again when a file is opened again.
const KEEP_CACHE: u32 = 1 << 1;

const ROOT: u64 = 1;
/// The number of the first file.
const FIRST: u64 = 2;
const FOLDER_MODE: u32 = 0o040_500;
const FILE_MODE: u32 = 0o100_400;

/// Offers an image's files as long as `reads` runs, which gets their paths.
pub(super) fn offer<T>(
    places: &Places,
    image: &CheckedImage,
    reads: impl FnOnce(&[PathBuf]) -> T,
) -> Result<T, MachineError> {
    let failed = |doing, path: &Path, source| MachineError::Io { doing, path: path.to_owned(), source };
    let (device, point) = (places.dev.join("fuse"), places.mounts.join("image"));
    std::fs::create_dir_all(&point).map_err(|source| failed("making the folder", &point, source))?;
    let connection = File::options().read(true).write(true).open(&device);
    let connection = connection.map_err(|source| failed("opening", &device, source))?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", connection.as_raw_fd());
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("platen"), &point, Some("fuse"), flags, Some(&*options))
        .map_err(|error| failed("mounting the image at", &point, error.into()))?;
    let mounted = Mounted(&point);
    let paths: Vec<PathBuf> = image.files().iter().map(|file| point.join(file.name())).collect();
    std::thread::scope(|scope| {
        // The kernel ends the connection, and so the thread, when the folder is taken away.
        let taken_away = mounted;
        scope.spawn(|| serve(connection, image));
        let read = reads(&paths);
        drop(taken_away);
        Ok(read)
    })
}

/// A folder that is taken away again, whatever happens.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Also while somebody has a file open, whose reads fail from then on.
        let _ = umount2(self.0, MntFlags::MNT_DETACH);
    }
}

/// Answers the kernel's requests, until it has none any more.
fn serve(mut connection: File, image: &CheckedImage) {
    let mut request = vec![0; REQUEST_BYTES];
    loop {
        match connection.read(&mut request) {
            Ok(length) => {
                if let Some(answer) = answer(image, &request[..length]) {
                    // Whoever asked may be gone.
                    let _ = connection.write(&answer);
                }
            }
            // ENOENT: a request was taken back. ENODEV: the folder is gone.
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EINTR | Errno::EAGAIN | Errno::ENOENT) => {}
                _ => return,
            },
        }
    }
}

/// The bytes of an answer; None where none is wanted.
fn answer(image: &CheckedImage, request: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = request.split_at_checked(HEADER_BYTES)?;
    let [code, number, node] = [u64::from(u32_at(header, 4)?), u64_at(header, 8)?, u64_at(header, 16)?];
    let answer = match code {
        1 => look_up(image, node, body),
        3 => attributes(image, node).map(|attributes| [&VALID_S.to_le_bytes()[..], &[0; 8], &attributes].concat()),
        // OPEN: no number of its own.
        14 if file(image, node).is_ok() => Ok(words(&[0, 0, KEEP_CACHE, 0])),
        15 => read(image, node, body),
        17 => Ok(file_system()),
        26 => Ok(begin(body)),
        // RELEASE, FLUSH, DESTROY.
        18 | 25 | 38 => Ok(Vec::new()),
        // FORGET, INTERRUPT, BATCH_FORGET.
        2 | 36 | 42 => return None,
        _ => Err(Errno::ENOSYS),
    };
    let (error, body) = match answer {
        Ok(body) => (0, body),
        Err(error) => (-(error as i32), Vec::new()),
    };
    let length = u32::try_from(16 + body.len()).ok()?;
    Some([&length.to_le_bytes()[..], &error.to_le_bytes(), &number.to_le_bytes(), &body].concat())
}

/// INIT: `fuse_init_in`, `fuse_init_out`.
fn begin(body: &[u8]) -> Vec<u8> {
    let read_ahead_bytes = u32_at(body, 8).unwrap_or_default();
    let (background, congested) = (16, 12);
    let pages = u32::from(MAX_PAGES);
    let (nanosecond, flags) = (1, ASYNC_READ | SAYS_MAX_PAGES);
    let said = [VERSION.0, VERSION.1, read_ahead_bytes, flags, background | congested << 16, MAX_WRITE_BYTES];
    [words(&said), words(&[nanosecond, pages]), vec![0; 32]].concat()
}

/// LOOKUP: a name that ends with a zero, `fuse_entry_out`.
fn look_up(image: &CheckedImage, folder: u64, body: &[u8]) -> Result<Vec<u8>, Errno> {
    let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
    let found = image.files().iter().position(|file| file.name().as_bytes() == name).filter(|_| folder == ROOT);
    let node = found.ok_or(Errno::ENOENT)? as u64 + FIRST;
    let (generation, valid_s, nanoseconds) = (0_u64, VALID_S.to_le_bytes(), [0; 8]);
    let begin = [node.to_le_bytes(), generation.to_le_bytes(), valid_s, valid_s, nanoseconds].concat();
    Ok([begin, attributes(image, node)?].concat())
}

/// `fuse_attr`.
fn attributes(image: &CheckedImage, node: u64) -> Result<Vec<u8>, Errno> {
    let (size_bytes, mode) = match node {
        ROOT => (0, FOLDER_MODE),
        node => (image.files()[file(image, node)?].size_bytes(), FILE_MODE),
    };
    let times = [0; 24 + 12];
    let (links, owner, group, device, block_bytes, flags) = (1, 0, 0, 0, 4096, 0);
    let begin = [node, size_bytes, size_bytes.div_ceil(512)].map(u64::to_le_bytes).concat();
    Ok([&begin[..], &times, &words(&[mode, links, owner, group, device, block_bytes, flags])].concat())
}

/// READ: `fuse_read_in`, and bytes.
fn read(image: &CheckedImage, node: u64, body: &[u8]) -> Result<Vec<u8>, Errno> {
    let file = file(image, node)?;
    let (offset_bytes, count) = (u64_at(body, 8).ok_or(Errno::EINVAL)?, u32_at(body, 16).ok_or(Errno::EINVAL)?);
    // The kernel asks for no more; who else could would not get more either.
    let most = usize::from(MAX_PAGES) * 4096;
    image.read(file, offset_bytes, most.min(count as usize)).map_err(|_| Errno::EIO)
}

/// STATFS: `fuse_kstatfs`, of which only the length of a block and of names mean something.
fn file_system() -> Vec<u8> {
    let (block_bytes, name_bytes) = (4096, 255);
    [vec![0; 40], words(&[block_bytes, name_bytes, block_bytes]), vec![0; 28]].concat()
}

/// Which of the image's files this is.
fn file(image: &CheckedImage, node: u64) -> Result<usize, Errno> {
    let number = node.checked_sub(FIRST).and_then(|number| usize::try_from(number).ok());
    number.filter(|number| *number < image.files().len()).ok_or(Errno::ENOENT)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
