// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Packed images: known by their content, read member by member.
//!
//! A packed file may hold several members one after the other, zeros between and behind them, and a little that its
//! publisher appended. All of that is as whole as a single member; what is cut short or changed is not.

use std::fs::File;
use std::io::{self, BufReader, Error, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use liblzma::stream::{Action, Error as XzError, Status, Stream};

/// How an image is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Xz,
    Zstd,
    Gzip,
}

const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const GZIP: &[u8] = b"\x1f\x8b\x08";

/// Bytes behind the last member that are taken for something its publisher appended, not for a damaged member.
const MAX_APPENDED_BYTES: u64 = 1 << 20;

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "unpacked",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    pub(super) fn of(head: &[u8]) -> Self {
        let known = [Self::Xz, Self::Zstd, Self::Gzip];
        known.into_iter().find(|format| head.starts_with(format.magic())).unwrap_or(Self::Plain)
    }

    /// What every member begins with.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Plain => &[],
            Self::Xz => XZ,
            Self::Zstd => ZSTD,
            Self::Gzip => GZIP,
        }
    }
}

/// What a file is that is no disk image as it stands, by its first bytes, and what to do.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    let known: [(usize, &[u8], &str); 19] = [
        (0, b"BZh", "bzip2 data; unpack it with bunzip2"),
        (0, b"PK\x03\x04", "a ZIP archive; unpack it and name the image in it"),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it and name the image in it"),
        (0, b"Rar!\x1a\x07", "a RAR archive; unpack it and name the image in it"),
        (0, b"\x04\x22\x4d\x18", "lz4 data; unpack it with unlz4"),
        (0, b"\x5d\0\0", "lzma data; unpack it with unlzma"),
        (0, b"\x1f\x9d", "compress data; unpack it with uncompress"),
        (0, b"LZIP", "lzip data; unpack it with lzip -d"),
        (257, b"ustar", "a tar archive; unpack it and name the image in it"),
        (0, b"QFI\xfb", "a qcow2 disk; convert it with qemu-img convert -O raw"),
        (0, b"KDMV", "a VMDK disk; convert it with qemu-img convert -O raw"),
        (0, b"# Disk DescriptorFile", "a VMDK disk's description; convert the disk with qemu-img convert -O raw"),
        (0, b"conectix", "a VHD disk; convert it with qemu-img convert -O raw"),
        (0, b"vhdxfile", "a VHDX disk; convert it with qemu-img convert -O raw"),
        (0, b"\x3a\xff\x26\xed", "an Android sparse image; convert it with simg2img"),
        (0, b"MSWIM\0\0\0", "a WIM; it goes on a medium of kind stand-alone or tree"),
        (0, XZ, "xz data inside; unpack the outer one first"),
        (0, ZSTD, "zstd data inside; unpack the outer one first"),
        (0, GZIP, "gzip data inside; unpack the outer one first"),
    ];
    let is = |(at, magic, _): &&(usize, &[u8], &str)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    known.iter().find(is).map(|(.., text)| *text)
}

/// Unpacking takes more memory than it may.
#[derive(Debug, thiserror::Error)]
#[error("unpacking needs {needed_bytes} bytes of memory")]
pub(super) struct NeedsMemory {
    pub(super) needed_bytes: u64,
}

fn needs(needed_bytes: u64) -> Error {
    Error::other(NeedsMemory { needed_bytes })
}

/// The bytes that are packed in a file.
pub(super) struct Unpacked<'f> {
    file: &'f File,
    size_bytes: u64,
    format: Format,
    limit_bytes: u64,
    member: Option<Member<'f>>,
    /// Where the next member is looked for.
    at: u64,
    /// Bytes behind the last member that are neither zeros nor one; known at the end.
    pub(super) appended_bytes: u64,
}

impl<'f> Unpacked<'f> {
    pub(super) fn new(file: &'f File, size_bytes: u64, format: Format, limit_bytes: u64) -> Self {
        Self { file, size_bytes, format, limit_bytes, member: None, at: 0, appended_bytes: 0 }
    }

    /// How much of the file was read.
    pub(super) fn read_bytes(&self) -> u64 {
        self.member.as_ref().map_or(self.at, Member::read_bytes).min(self.size_bytes)
    }

    /// The member that begins at `at` or behind zeros there.
    fn next_member(&mut self) -> io::Result<Option<Member<'f>>> {
        self.skip_zeros()?;
        let mut head = [0; 18];
        let count = self.file.read_at(&mut head, self.at)?;
        let (head, magic) = (&head[..count], self.format.magic());
        if head.starts_with(magic) {
            return Member::open(self.format, self.file, self.at, head, self.limit_bytes).map(Some);
        }
        // pzstd writes frames that hold its own notes.
        if let (Format::Zstd, [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..]) = (self.format, head) {
            self.at = self.at.saturating_add(8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d])));
            return self.next_member();
        }
        let rest_bytes = self.size_bytes.saturating_sub(self.at);
        if rest_bytes == 0 {
            return Ok(None);
        }
        let appended = "what follows is none of it";
        if rest_bytes > MAX_APPENDED_BYTES {
            return Err(Error::new(ErrorKind::InvalidData, appended));
        }
        let mut rest = vec![0; rest_bytes as usize];
        self.file.read_exact_at(&mut rest, self.at)?;
        // A member further on: what is between was one.
        if rest.windows(magic.len()).any(|window| window == magic) {
            return Err(Error::new(ErrorKind::InvalidData, appended));
        }
        self.appended_bytes = rest_bytes;
        self.at = self.size_bytes;
        Ok(None)
    }

    fn skip_zeros(&mut self) -> io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        loop {
            let count = self.file.read_at(&mut piece, self.at)?;
            let zeros = piece[..count].iter().take_while(|byte| **byte == 0).count();
            self.at += zeros as u64;
            if count == 0 || zeros < count {
                return Ok(());
            }
        }
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                self.member = self.next_member()?;
                if self.member.is_none() {
                    return Ok(0);
                }
                continue;
            };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if let Some(member) = self.member.take() {
                self.at = member.read_bytes();
            }
        }
    }
}

/// A file from some place on.
struct Window<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

type Input<'f> = BufReader<Window<'f>>;

enum Member<'f> {
    Xz(Xz<'f>),
    Zstd(zstd::Decoder<'static, Input<'f>>),
    Gzip(flate2::bufread::GzDecoder<Input<'f>>),
}

impl<'f> Member<'f> {
    fn open(format: Format, file: &'f File, at: u64, head: &[u8], limit_bytes: u64) -> io::Result<Self> {
        let input = BufReader::with_capacity(256 << 10, Window { file, at });
        match format {
            Format::Xz => Ok(Self::Xz(Xz { input, stream: Stream::new_stream_decoder(limit_bytes, 0)?, ended: false })),
            Format::Zstd => {
                if let Some(needed_bytes) = zstd_window_bytes(head).filter(|needed| *needed > limit_bytes) {
                    return Err(needs(needed_bytes));
                }
                let mut decoder = zstd::Decoder::with_buffer(input)?.single_frame();
                // The largest there is: the limit was looked at.
                decoder.window_log_max(31)?;
                Ok(Self::Zstd(decoder))
            }
            Format::Gzip | Format::Plain => Ok(Self::Gzip(flate2::bufread::GzDecoder::new(input))),
        }
    }

    /// Where in the file the next byte would be read.
    fn read_bytes(&self) -> u64 {
        let input = match self {
            Self::Xz(xz) => &xz.input,
            Self::Zstd(zstd) => zstd.get_ref(),
            Self::Gzip(gzip) => gzip.get_ref(),
        };
        input.get_ref().at - input.buffer().len() as u64
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Xz(xz) => xz.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
        }
    }
}

/// One xz stream. The library's own reader can't say how much memory it would need.
struct Xz<'f> {
    input: Input<'f>,
    stream: Stream,
    ended: bool,
}

impl Read for Xz<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::BufRead;
        while !self.ended && !buffer.is_empty() {
            let packed = self.input.fill_buf()?;
            let at_end = packed.is_empty();
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(packed, buffer, if at_end { Action::Finish } else { Action::Run });
            self.input.consume((self.stream.total_in() - read) as usize);
            let count = (self.stream.total_out() - written) as usize;
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if at_end && count == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(XzError::MemLimit) => return Err(needs(self.needed_bytes())),
                Err(error) => return Err(error.into()),
            }
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

impl Xz<'_> {
    /// The library takes no limit below what it needs, and says no more of it: found to the MiB by halving.
    fn needed_bytes(&mut self) -> u64 {
        let (mut low, mut high) = (self.stream.memlimit() >> 20, 1 << 20);
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.stream.set_memlimit(middle << 20).is_ok() {
                high = middle;
            } else {
                low = middle;
            }
        }
        high << 20
    }
}

/// RFC 8878, 3.1.1.1: how far back a frame refers, by its header.
fn zstd_window_bytes(head: &[u8]) -> Option<u64> {
    let (descriptor, rest) = (*head.get(4)?, head.get(5..)?);
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + u32::from(window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // No window: all of the content, whose size follows the dictionary's id.
    let skip = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let field = rest.get(skip..skip + length)?;
    let size = field.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
    Some(if length == 2 { size + 256 } else { size })
}
