// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Disk images: known by their content, read once, unpacked on the way, with what is all zeros left out.

mod parts;
mod table;
mod unpack;

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{Whence, lseek};
use platen_cache::layout::Layout;
use platen_disk::GrowError;
use platen_media::manifest::{Blob, ImageGpt, RawImage};
use platen_media::read_piece;
use platen_media::spec::ImageSpec;

use self::parts::{BLOCK_BYTES, Parts};
use self::table::{HEAD_BYTES, Table};
use self::unpack::{Format, NeedsMemory, Unpacked, foreign};
use crate::content::notes::Notes;
use crate::definition::sources::Stamp;
use crate::definition::sources::reason;
use crate::{AuthorError, BuildOptions};

/// The copy of a GUID partition table is at most this long; what is longer is not one.
const MAX_COPY_BYTES: u64 = 1 << 20;

/// An image that was opened and is of a kind that can be read.
pub(crate) struct Source<'p> {
    spec: &'p ImageSpec,
    file: File,
    format: Format,
    table: Table,
    /// What it is instead of an image, in words.
    foreign: Option<&'static str>,
    pub(crate) stamp: Stamp,
    /// Bytes of the file that are not in holes.
    pub(crate) allocated_bytes: u64,
    pub(crate) modified_s: i64,
    /// The smallest drive that its partition table can be fitted to; 0 for one that stays as it is.
    grown_bytes: u64,
}

/// An image that was read and is in the store.
pub(crate) struct StoredImage {
    pub(crate) image: RawImage,
    /// None when it is all zeros.
    pub(crate) blob: Option<Blob>,
    /// The smallest drive that holds it.
    pub(crate) needs_drive_bytes: u64,
}

fn wrong(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> AuthorError {
    AuthorError::RawImage { path: path.to_owned(), expected: expected.into(), found: found.into() }
}

impl<'p> Source<'p> {
    /// Opens an image and looks at its first bytes, unpacked.
    pub(crate) fn open(spec: &'p ImageSpec) -> Result<Self, AuthorError> {
        let path = &*spec.path;
        let unreadable = |error: std::io::Error| wrong(path, "a disk image", reason(&error));
        // A pipe is not waited for.
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let file = opened.map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(wrong(path, "a file", "something else"));
        }
        if metadata.len() == 0 {
            return Err(wrong(path, "a disk image", "an empty file"));
        }
        let mut magic = [0; 8];
        let count = file.read_at(&mut magic, 0).map_err(unreadable)?;
        let mut source = Self {
            spec,
            format: Format::of(&magic[..count]),
            file,
            table: Table::default(),
            foreign: None,
            stamp: Stamp::of(&metadata),
            allocated_bytes: metadata.len().min(metadata.blocks().saturating_mul(512)),
            modified_s: metadata.mtime(),
            grown_bytes: 0,
        };
        let head = source.head()?;
        source.table = Table::of(&head);
        source.foreign = foreign(&head);
        source.grown_bytes = source.check_growth(&head)?;
        Ok(source)
    }

    /// What a plan will do for each drive is tried once, on a drive of one sector: the answer says what it takes.
    fn check_growth(&self, head: &[u8]) -> Result<u64, AuthorError> {
        if !self.spec.grow {
            return Ok(0);
        }
        let block = &head[..head.len().min(BLOCK_BYTES)];
        let sector_bytes = self.table.sector_bytes.unwrap_or(512);
        match platen_disk::grow_gpt(block, sector_bytes, u64::from(sector_bytes)) {
            Err(GrowError::NoRoom { needed_bytes, .. }) if self.table.gpt.is_some() => Ok(needed_bytes),
            _ => Err(wrong(
                &self.spec.path,
                "a GUID partition table whose checksums hold, which grow = true makes fit the drive",
                "none",
            )),
        }
    }

    /// Of the file, packed as it is.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.stamp.size_bytes
    }

    /// What can be said before it is read.
    pub(crate) fn check(&self, notes: &mut Notes) {
        let place = self.place();
        if let Some(found) = self.foreign {
            let text = format!("expected a disk image, .img, .iso or otherwise, found {found}");
            notes.error("IMAGE-PACKED", &place, text);
        }
        if self.table.sector_bytes == Some(4096) {
            let text = "it was made for drives with 4096-byte sectors; drives with others will be refused";
            notes.warning("IMAGE-SECTORS", &place, text.into());
        }
        if self.table.gpt.is_some() && !self.spec.grow {
            let text = "its GUID partition table has a copy at the image's end, which on a bigger drive is not the \
                        drive's end, as partition tools then say; write grow = true beside its path to have it fitted";
            notes.warning("IMAGE-GPT-END", &place, text.into());
        }
    }

    fn place(&self) -> String {
        self.spec.path.display().to_string()
    }

    fn head(&self) -> Result<Vec<u8>, AuthorError> {
        let mut head = vec![0; HEAD_BYTES];
        let count = match self.format {
            Format::Plain => {
                read_piece(&mut &self.file, &mut head).map_err(AuthorError::io("reading", &self.spec.path))?.len()
            }
            _ => {
                let mut reader = self.unpacked();
                let read = read_piece(&mut reader, &mut head).map(|piece| piece.len());
                read.map_err(|error| self.failed(&reader, error))?
            }
        };
        head.truncate(count);
        Ok(head)
    }

    fn unpacked(&self) -> Unpacked<'_> {
        Unpacked::new(&self.file, self.size_bytes(), self.format, u64::from(self.spec.memory_mib) << 20)
    }

    fn failed(&self, reader: &Unpacked<'_>, source: std::io::Error) -> AuthorError {
        let path = self.spec.path.clone();
        if let Some(NeedsMemory { needed_bytes }) = source.get_ref().and_then(|inner| inner.downcast_ref()) {
            let (needed_mib, limit_mib) = (needed_bytes.div_ceil(1 << 20), self.spec.memory_mib);
            return AuthorError::Memory { path, needed_mib, limit_mib };
        }
        AuthorError::Compressed { path, format: self.format.name(), read_bytes: reader.read_bytes(), source }
    }

    /// Reads the image to its end and stores what is in it as one blob; none when it is all zeros.
    pub(crate) fn store(
        self,
        layout: &Layout,
        options: &BuildOptions,
        notes: &mut Notes,
    ) -> Result<StoredImage, AuthorError> {
        let mut parts = Parts::new(layout, options, self.left_out());
        let found_bytes = match self.format {
            Format::Plain => self.plain(&mut parts)?,
            _ => self.packed(&mut parts, notes)?,
        };
        let metadata = self.file.metadata().map_err(AuthorError::io("looking at", &self.spec.path))?;
        self.stamp.compare(&self.spec.path, &metadata)?;
        if found_bytes == 0 {
            return Err(wrong(
                &self.spec.path,
                "a disk image",
                format!("{} data with nothing in it", self.format.name()),
            ));
        }
        let (parts, blob) = parts.finish()?;
        let size_bytes = self.size_on_drives(found_bytes, notes);
        let parts_end = parts.last().map_or(0, |part| part.offset_bytes + part.size_bytes);
        let needed_bytes = parts_end.max(self.table.partitions_end_bytes).min(size_bytes);
        let image = RawImage {
            size_bytes,
            needed_bytes: (needed_bytes < size_bytes).then_some(needed_bytes),
            sector_bytes: self.table.sector_bytes.filter(|found| *found != 512),
            parts,
            gpt: self.table.gpt.as_ref().map(|_| if self.spec.grow { ImageGpt::Grow } else { ImageGpt::Fixed }),
        };
        let sector = u64::from(image.sector_bytes());
        let needs_drive_bytes = needed_bytes.max(self.grown_bytes).next_multiple_of(sector);
        Ok(StoredImage { image, blob, needs_drive_bytes })
    }

    /// Where the image has the copy of a partition table that each drive gets a fresh one of.
    fn left_out(&self) -> Range<u64> {
        let grown = self.table.gpt.as_ref().filter(|_| self.spec.grow).map(|gpt| gpt.copy.clone());
        let is_copy = |copy: &Range<u64>| {
            let len_bytes = copy.end.saturating_sub(copy.start);
            copy.start >= self.table.partitions_end_bytes && (1..=MAX_COPY_BYTES).contains(&len_bytes)
        };
        grown.filter(is_copy).unwrap_or(0..0)
    }

    /// Whole sectors, and room for every partition; what is added is zeros, and said.
    fn size_on_drives(&self, found_bytes: u64, notes: &mut Notes) -> u64 {
        let sector = u64::from(self.table.sector_bytes.unwrap_or(512));
        let size_bytes = found_bytes.next_multiple_of(sector);
        if size_bytes > found_bytes {
            let added = size_bytes - found_bytes;
            let text =
                format!("it has {found_bytes} bytes; {added} zeros make a whole number of {sector}-byte sectors");
            notes.warning("IMAGE-PADDED", &self.place(), text);
        }
        let end_bytes = self.table.partitions_end_bytes.next_multiple_of(sector);
        if end_bytes > size_bytes {
            let text = format!(
                "it has {found_bytes} bytes, its last partition ends at {end_bytes}; the rest is taken for zeros, \
                 if the image was not cut short: compare it with its publisher's checksum"
            );
            notes.warning("IMAGE-SHORT", &self.place(), text);
        }
        size_bytes.max(end_bytes)
    }

    /// Skips holes without reading them.
    fn plain(&self, parts: &mut Parts<'_>) -> Result<u64, AuthorError> {
        let size_bytes = self.size_bytes();
        let grid = BLOCK_BYTES as u64;
        let mut at = 0;
        while at < size_bytes {
            let (start, end) = match self.seek(at, Whence::SeekData)? {
                None => break,
                Some(data) => {
                    let hole = self.seek(data, Whence::SeekHole)?.unwrap_or(size_bytes);
                    // On the grid, so that the same bytes give the same parts on every file system.
                    (at.max(data / grid * grid), hole.next_multiple_of(grid).min(size_bytes))
                }
            };
            at = start;
            while at < end {
                // At most one block.
                let count = (end - at).min(grid) as usize;
                parts.block(at, |block| {
                    self.file.read_exact_at(&mut block[..count], at).map_err(|error| match error.kind() {
                        ErrorKind::UnexpectedEof => AuthorError::Changed {
                            path: self.spec.path.clone(),
                            expected: format!("{size_bytes} bytes as at the start"),
                            found: "fewer".into(),
                        },
                        _ => AuthorError::io("reading", &self.spec.path)(error),
                    })?;
                    Ok(count)
                })?;
                at += count as u64;
                parts.progress(at, size_bytes);
            }
        }
        Ok(size_bytes)
    }

    /// The next data or hole; None when there is no more data.
    fn seek(&self, at: u64, whence: Whence) -> Result<Option<u64>, AuthorError> {
        let offset = i64::try_from(at).map_err(|_| wrong(&self.spec.path, "less than 2^63 bytes", at.to_string()))?;
        match lseek(&self.file, offset, whence) {
            // Never negative when it succeeds.
            Ok(found) => Ok(Some(found.unsigned_abs())),
            Err(Errno::ENXIO) => Ok(None),
            // A file system that knows no holes: all of it is data.
            Err(Errno::EINVAL) if matches!(whence, Whence::SeekData) => Ok(Some(at)),
            Err(Errno::EINVAL) => Ok(Some(self.size_bytes())),
            Err(error) => Err(AuthorError::io("reading", &self.spec.path)(error.into())),
        }
    }

    fn packed(&self, parts: &mut Parts<'_>, notes: &mut Notes) -> Result<u64, AuthorError> {
        let mut reader = self.unpacked();
        let mut at = 0;
        loop {
            let count = parts.block(at, |block| {
                let read = read_piece(&mut reader, block).map(|piece| piece.len());
                read.map_err(|error| self.failed(&reader, error))
            })?;
            if count == 0 {
                break;
            }
            at += count as u64;
            parts.progress(reader.read_bytes(), self.size_bytes());
        }
        if reader.appended_bytes > 0 {
            let (count, format) = (reader.appended_bytes, self.format.name());
            let text = format!("{count} bytes behind its {format} data are none of it; they are left out");
            notes.warning("IMAGE-APPENDED", &self.place(), text);
        }
        Ok(at)
    }
}
