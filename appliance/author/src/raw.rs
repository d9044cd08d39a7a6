//! Disk images: read once, unpacked on the way, with what is all zeros left out.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use platen_cache::layout::{BlobWriter, Layout};
use platen_media::Blake3;
use platen_media::manifest::{Blob, ImagePart, Location, RawImage};

use crate::definition::reason;
use crate::store::write_failed;
use crate::{AuthorError, BuildOptions, BuildProgress};

/// What is zeros for this long, on this grid, is left out.
const BLOCK_BYTES: usize = 1 << 20;
/// Longest part: what a writer holds a digest for.
const MAX_PART_BYTES: u64 = 64 << 20;
const SECTOR_BYTES: u64 = 512;
/// A dictionary of an honest xz file is at most 64 MiB; this is what a hostile one may take.
const MAX_XZ_MEMORY_BYTES: u64 = 1 << 30;

/// How an image is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Plain,
    Xz,
    Zstd,
    Gzip,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "unpacked",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    fn of_name(path: &Path) -> Option<Self> {
        match &*path.extension()?.to_str()?.to_ascii_lowercase() {
            "img" | "raw" => Some(Self::Plain),
            "xz" => Some(Self::Xz),
            "zst" => Some(Self::Zstd),
            "gz" => Some(Self::Gzip),
            _ => None,
        }
    }

    fn of_content(head: &[u8]) -> Self {
        match head {
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            _ => Self::Plain,
        }
    }
}

/// An image that was opened and is of a kind that can be read.
pub(crate) struct Source<'p> {
    path: &'p Path,
    file: File,
    format: Format,
    /// Of the file, packed as it is.
    pub(crate) size_bytes: u64,
    /// Of these, the ones that are not in holes.
    pub(crate) allocated_bytes: u64,
    pub(crate) modified_s: i64,
}

fn wrong(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> AuthorError {
    AuthorError::RawImage { path: path.to_owned(), expected: expected.into(), found: found.into() }
}

impl<'p> Source<'p> {
    pub(crate) fn open(path: &'p Path) -> Result<Self, AuthorError> {
        let format = Format::of_name(path)
            .ok_or_else(|| wrong(path, "a name that ends in .img, .raw, .xz, .zst or .gz", "another"))?;
        let unreadable = |error: std::io::Error| wrong(path, "a disk image", reason(&error));
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(wrong(path, "a file", "something else"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mut head = [0; 8];
        let count = file.read_at(&mut head, 0).map_err(unreadable)?;
        let found = Format::of_content(&head[..count]);
        if metadata.len() == 0 {
            return Err(wrong(path, "a disk image", "an empty file"));
        }
        if found != format {
            return Err(wrong(
                path,
                format!("{} data, as its name says", format.name()),
                format!("{} data", found.name()),
            ));
        }
        let allocated_bytes = metadata.len().min(metadata.blocks().saturating_mul(512));
        Ok(Self { path, file, format, size_bytes: metadata.len(), allocated_bytes, modified_s: metadata.mtime() })
    }

    /// Reads the image to its end and stores what is in it as one blob; none when it is all zeros.
    pub(crate) fn store(self, layout: &Layout, options: &BuildOptions) -> Result<(RawImage, Vec<Blob>), AuthorError> {
        let mut parts = Parts { layout, options, writer: None, stored_bytes: 0, open: None, parts: Vec::new() };
        let size_bytes = match self.format {
            Format::Plain => self.plain(&mut parts)?,
            _ => self.packed(&mut parts)?,
        };
        if size_bytes == 0 || size_bytes % SECTOR_BYTES != 0 {
            return Err(wrong(self.path, "a size that is a multiple of 512 bytes", format!("{size_bytes} bytes")));
        }
        parts.close();
        let blobs = match parts.writer {
            None => Vec::new(),
            Some(writer) => {
                let (sha256, size_bytes) = writer.finish()?;
                vec![Blob { sha256, size_bytes }]
            }
        };
        Ok((RawImage { size_bytes, parts: parts.parts }, blobs))
    }

    /// Skips holes without reading them.
    fn plain(&self, parts: &mut Parts<'_>) -> Result<u64, AuthorError> {
        let mut block = vec![0; BLOCK_BYTES];
        let grid = BLOCK_BYTES as u64;
        let mut at = 0;
        while at < self.size_bytes {
            let (start, end) = match self.seek(at, Whence::SeekData)? {
                None => break,
                Some(data) => {
                    let hole = self.seek(data, Whence::SeekHole)?.unwrap_or(self.size_bytes);
                    // On the grid, so that the same bytes give the same parts on every file system.
                    (at.max(data / grid * grid), hole.next_multiple_of(grid).min(self.size_bytes))
                }
            };
            at = start;
            while at < end {
                // At most one block.
                let count = (end - at).min(grid) as usize;
                let piece = &mut block[..count];
                self.file.read_exact_at(piece, at).map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => AuthorError::Changed {
                        path: self.path.to_owned(),
                        expected_bytes: self.size_bytes,
                        found_bytes: self.file.metadata().map_or(at, |metadata| metadata.len()),
                    },
                    _ => AuthorError::io("reading", self.path)(error),
                })?;
                parts.block(at, piece)?;
                at += count as u64;
                parts.progress(at, self.size_bytes);
            }
        }
        let found_bytes = self.file.metadata().map_err(AuthorError::io("looking at", self.path))?.len();
        if found_bytes != self.size_bytes {
            let path = self.path.to_owned();
            return Err(AuthorError::Changed { path, expected_bytes: self.size_bytes, found_bytes });
        }
        Ok(self.size_bytes)
    }

    /// The next data or hole; None when there is no more data.
    fn seek(&self, at: u64, whence: Whence) -> Result<Option<u64>, AuthorError> {
        let offset = i64::try_from(at).map_err(|_| wrong(self.path, "less than 2^63 bytes", at.to_string()))?;
        match lseek(&self.file, offset, whence) {
            // Never negative when it succeeds.
            Ok(found) => Ok(Some(found.unsigned_abs())),
            Err(Errno::ENXIO) => Ok(None),
            // A file system that knows no holes: all of it is data.
            Err(Errno::EINVAL) if matches!(whence, Whence::SeekData) => Ok(Some(at)),
            Err(Errno::EINVAL) => Ok(Some(self.size_bytes)),
            Err(error) => Err(AuthorError::io("reading", self.path)(error.into())),
        }
    }

    fn packed(&self, parts: &mut Parts<'_>) -> Result<u64, AuthorError> {
        let counted = Counted { file: &self.file, read_bytes: std::cell::Cell::new(0) };
        let failed = |source| AuthorError::Compressed {
            path: self.path.to_owned(),
            format: self.format.name(),
            read_bytes: counted.read_bytes.get(),
            source,
        };
        let buffered = std::io::BufReader::with_capacity(256 << 10, &counted);
        let mut reader: Box<dyn Read + '_> = match self.format {
            Format::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(MAX_XZ_MEMORY_BYTES, liblzma::stream::CONCATENATED)
                        .map_err(|error| failed(error.into()))?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(buffered, stream))
            }
            Format::Zstd => Box::new(zstd::Decoder::with_buffer(buffered).map_err(failed)?),
            _ => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        };
        let mut block = vec![0; BLOCK_BYTES];
        let mut at = 0;
        loop {
            let count = fill(&mut reader, &mut block).map_err(failed)?;
            if count == 0 {
                return Ok(at);
            }
            parts.block(at, &block[..count])?;
            at += count as u64;
            parts.progress(counted.read_bytes.get(), self.size_bytes);
        }
    }
}

/// Reads until `block` is full or the data ends.
fn fill(reader: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < block.len() {
        match reader.read(&mut block[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

struct Counted<'f> {
    file: &'f File,
    read_bytes: std::cell::Cell<u64>,
}

impl Read for &Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = (&mut &*self.file).read(buffer)?;
        self.read_bytes.set(self.read_bytes.get() + count as u64);
        Ok(count)
    }
}

struct Parts<'a> {
    layout: &'a Layout,
    options: &'a BuildOptions,
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

    /// The next block of the image that is not a hole.
    fn block(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), AuthorError> {
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
