// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Disk images: known by their content, read once, unpacked on the way, with what is all zeros left out.

mod table;
mod unpack;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{Whence, lseek};
use platen_cache::layout::{BlobWriter, Layout};
use platen_disk::GrowError;
use platen_media::manifest::{Blob, ImageGpt, ImagePart, Location, RawImage};
use platen_media::spec::ImageSpec;
use platen_media::{Blake3, read_piece};

use self::table::{HEAD_BYTES, Table};
use self::unpack::{Format, NeedsMemory, Unpacked, foreign};
use crate::definition::reason;
use crate::gather::Notes;
use crate::sources::Stamp;
use crate::store::write_failed;
use crate::{AuthorError, BuildOptions, BuildProgress};

/// What is zeros for this long, on this grid, is left out.
const BLOCK_BYTES: usize = 1 << 20;
/// Longest part: what a writer holds a digest for.
const MAX_PART_BYTES: u64 = 64 << 20;
const SECTOR_BYTES: u64 = 512;
/// The copy of a GUID partition table is at most as long as this; more is none.
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
    pub(crate) blobs: Vec<Blob>,
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
        let mut parts = Parts {
            layout,
            options,
            left_out: self.left_out(),
            writer: None,
            stored_bytes: 0,
            open: None,
            parts: Vec::new(),
        };
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
        parts.close();
        let size_bytes = self.size_on_drives(found_bytes, notes);
        let parts_end = parts.parts.last().map_or(0, |part| part.offset_bytes + part.size_bytes);
        let needed_bytes = parts_end.max(self.table.partitions_end_bytes).min(size_bytes);
        let blobs = match parts.writer {
            None => Vec::new(),
            Some(writer) => {
                let (sha256, size_bytes) = writer.finish()?;
                vec![Blob { sha256, size_bytes }]
            }
        };
        let image = RawImage {
            size_bytes,
            needed_bytes: (needed_bytes < size_bytes).then_some(needed_bytes),
            sector_bytes: self.table.sector_bytes.filter(|found| *found != 512),
            parts: parts.parts,
            gpt: self.table.gpt.as_ref().map(|_| if self.spec.grow { ImageGpt::Grow } else { ImageGpt::Fixed }),
        };
        let sector = u64::from(image.sector_bytes());
        let needs_drive_bytes = needed_bytes.max(self.grown_bytes).next_multiple_of(sector);
        Ok(StoredImage { image, blobs, needs_drive_bytes })
    }

    /// The copy of a table that is made anew for each drive.
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
        let mut block = vec![0; BLOCK_BYTES];
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
                let piece = &mut block[..count];
                self.file.read_exact_at(piece, at).map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => AuthorError::Changed {
                        path: self.spec.path.clone(),
                        expected: format!("{size_bytes} bytes as at the start"),
                        found: "fewer".into(),
                    },
                    _ => AuthorError::io("reading", &self.spec.path)(error),
                })?;
                parts.block(at, piece)?;
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
        let mut block = vec![0; BLOCK_BYTES];
        let mut at = 0;
        loop {
            let piece = read_piece(&mut reader, &mut block).map_err(|error| self.failed(&reader, error))?;
            if piece.is_empty() {
                break;
            }
            parts.block(at, piece)?;
            at += piece.len() as u64;
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

struct Parts<'a> {
    layout: &'a Layout,
    options: &'a BuildOptions,
    /// Taken for zeros.
    left_out: Range<u64>,
    writer: Option<BlobWriter>,
    stored_bytes: u64,
    open: Option<OpenPart>,
    parts: Vec<ImagePart>,
}

struct OpenPart {
    offset_bytes: u64,
    size_bytes: u64,
    stored_at: u64,
    blake3: blake3::Hasher,
}

impl Parts<'_> {
    fn progress(&self, done_bytes: u64, total_bytes: u64) {
        if let Some(progress) = &self.options.progress {
            progress(BuildProgress { done_bytes, total_bytes });
        }
    }

    /// The next block of the image that is not a hole. The last one of an image is filled up to a whole sector.
    fn block(&mut self, offset_bytes: u64, block: &mut [u8]) -> Result<(), AuthorError> {
        let within = |at: u64| at.saturating_sub(offset_bytes).min(block.len() as u64) as usize;
        let (from, to) = (within(self.left_out.start), within(self.left_out.end));
        block[from..to].fill(0);
        let padded;
        let bytes = if (block.len() as u64).is_multiple_of(SECTOR_BYTES) {
            &*block
        } else {
            let mut longer = block.to_vec();
            longer.resize(block.len().next_multiple_of(SECTOR_BYTES as usize), 0);
            padded = longer;
            &*padded
        };
        if is_zero(bytes) {
            self.close();
            return Ok(());
        }
        let size = bytes.len() as u64;
        let follows = |open: &OpenPart| {
            // The part at the beginning is what makes an image start; each drive gets it last and by itself, so it is
            // one block.
            let has_room = open.offset_bytes > 0 && open.size_bytes + size <= MAX_PART_BYTES;
            open.offset_bytes + open.size_bytes == offset_bytes && has_room
        };
        if !self.open.as_ref().is_some_and(follows) {
            self.close();
        }
        let stored_at = self.stored_bytes;
        let open = self.open.get_or_insert_with(|| OpenPart {
            offset_bytes,
            size_bytes: 0,
            stored_at,
            blake3: blake3::Hasher::new(),
        });
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(self.layout.blob_writer()?),
        };
        writer.write_all(bytes).map_err(write_failed(self.layout, size))?;
        open.blake3.update(bytes);
        open.size_bytes += size;
        self.stored_bytes += size;
        Ok(())
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.parts.push(ImagePart {
                offset_bytes: open.offset_bytes,
                size_bytes: open.size_bytes,
                blake3: Blake3(*open.blake3.finalize().as_bytes()),
                at: Location { blob: 0, offset_bytes: open.stored_at },
            });
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // A digest of zeros would be slower than looking; 16 bytes at a time is what the compiler makes of this.
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}
