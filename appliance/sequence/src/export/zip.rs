// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The little of the ZIP format (APPNOTE 6.3) that exports use: stored and deflated entries, no encryption, no spanning.
//!
//! Sizes come from the central directory, as in every reader; what the data really gives is checked against them and its
//! CRC. Everything has a limit, and names that a file system would take elsewhere are refused.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::{Crc, bufread::DeflateDecoder};

/// Largest archive.
pub(super) const MAX_ARCHIVE_BYTES: usize = 32 << 20;
/// Most entries.
const MAX_ENTRIES: usize = 10_000;
/// Largest entry when unpacked: that of the XML reader.
const MAX_ENTRY_BYTES: u64 = crate::limits::MAX_XML_BYTES as u64;
/// Texts are packed to a fiftieth at best; what claims more is a bomb. Small ones harm nobody.
const MAX_RATIO: u64 = 200;
const SMALL_BYTES: u64 = 1 << 20;

/// Why an archive is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum ZipError {
    #[error("expected an archive of at most {MAX_ARCHIVE_BYTES} bytes, found {found_bytes}")]
    TooLarge { found_bytes: usize },
    #[error("expected a ZIP archive, found no end of a central directory; is the file whole?")]
    NoDirectory,
    #[error("{what} at byte {at_byte} is damaged; export the sequence again")]
    Damaged { what: &'static str, at_byte: usize },
    #[error("expected at most {MAX_ENTRIES} entries, found {found}")]
    TooMany { found: usize },
    #[error("entry {name:?}: expected {expected}, found {found}")]
    Entry { name: String, expected: String, found: String },
}

/// An archive whose directory was read.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    deflated: bool,
    crc: u32,
    packed_bytes: u64,
    unpacked_bytes: u64,
    header_at: usize,
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn place(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    number(bytes, at, length).and_then(|value| usize::try_from(value).ok())
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ZipError> {
        if bytes.len() > MAX_ARCHIVE_BYTES {
            return Err(ZipError::TooLarge { found_bytes: bytes.len() });
        }
        // 4.3.16: it stands at the end, with a comment of at most 65,535 bytes behind it.
        let from = bytes.len().saturating_sub(22 + 0xffff);
        let ends_here = |at: usize| place(bytes, at + 20, 2).is_some_and(|comment| at + 22 + comment == bytes.len());
        let end = (from..bytes.len()).rev().find(|&at| bytes[at..].starts_with(b"PK\x05\x06") && ends_here(at));
        let end = end.ok_or(ZipError::NoDirectory)?;
        let field = |at: usize, length| place(bytes, end + at, length).ok_or(ZipError::NoDirectory);
        let (count, mut at) = (field(10, 2)?, field(16, 4)?);
        if count > MAX_ENTRIES {
            return Err(ZipError::TooMany { found: count });
        }
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry, next) = read_entry(bytes, at)?;
            at = next;
            let refuse = |expected: &str, found: &str| {
                Err(ZipError::Entry { name: name.clone(), expected: expected.into(), found: found.into() })
            };
            // A folder.
            if name.ends_with('/') {
                continue;
            }
            if name.split(['/', '\\']).any(|part| part == ".." || part.is_empty()) || name.contains(['\0', ':']) {
                return refuse("a name within the archive", "one that leads out of it");
            }
            if entries.insert(name.clone(), entry).is_some() {
                return refuse("each name once", "a second one");
            }
        }
        Ok(Self { bytes, entries })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// An entry's content; None when there is no such entry.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ZipError> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let damaged = ZipError::Damaged { what: "an entry", at_byte: entry.header_at };
        let header = self.bytes.get(entry.header_at..).filter(|header| header.starts_with(b"PK\x03\x04"));
        let header = header.ok_or_else(|| damaged.clone())?;
        // 4.3.7: its lengths of name and extra field differ from the directory's.
        let lengths = place(header, 26, 2).zip(place(header, 28, 2));
        let begin = lengths.map(|(name, extra)| 30 + name + extra).ok_or_else(|| damaged.clone())?;
        let end = usize::try_from(entry.packed_bytes).ok().and_then(|length| begin.checked_add(length));
        let packed = end.and_then(|end| header.get(begin..end)).ok_or_else(|| damaged.clone())?;
        // What several entries point to is one of them at most.
        let own = lengths.and_then(|(length, _)| header.get(30..30 + length)).map(String::from_utf8_lossy);
        if own.is_none_or(|own| own != name) {
            return Err(damaged);
        }
        let mut content = Vec::new();
        // One byte more than announced is enough to know that there is more.
        let most = entry.unpacked_bytes + 1;
        let read = match entry.deflated {
            true => DeflateDecoder::new(packed).take(most).read_to_end(&mut content),
            false => packed.take(most).read_to_end(&mut content),
        };
        let mut crc = Crc::new();
        crc.update(&content);
        if read.is_err() || content.len() as u64 != entry.unpacked_bytes || crc.sum() != entry.crc {
            return Err(damaged);
        }
        Ok(Some(content))
    }
}

/// One entry of the central directory (4.3.12), and where the next begins.
fn read_entry(bytes: &[u8], at: usize) -> Result<(String, Entry, usize), ZipError> {
    let damaged = ZipError::Damaged { what: "the central directory", at_byte: at };
    let header = bytes.get(at..).filter(|header| header.starts_with(b"PK\x01\x02")).ok_or_else(|| damaged.clone())?;
    let field = |offset, length| number(header, offset, length).ok_or_else(|| damaged.clone());
    let (flags, method) = (field(8, 2)?, field(10, 2)?);
    let (packed_bytes, unpacked_bytes) = (field(20, 4)?, field(24, 4)?);
    let lengths = [place(header, 28, 2), place(header, 30, 2), place(header, 32, 2)];
    let [Some(name_bytes), Some(extra), Some(comment)] = lengths else { return Err(damaged) };
    let name = header.get(46..46 + name_bytes).ok_or_else(|| damaged.clone())?;
    let name = String::from_utf8_lossy(name).into_owned();
    let refuse = |expected: String, found: String| Err(ZipError::Entry { name: name.clone(), expected, found });
    if flags & 1 != 0 {
        return refuse("one that is not encrypted".into(), "an encrypted one".into());
    }
    if method != 0 && method != 8 {
        return refuse("method 0 (stored) or 8 (deflated)".into(), method.to_string());
    }
    if unpacked_bytes > MAX_ENTRY_BYTES {
        return refuse(format!("at most {MAX_ENTRY_BYTES} bytes"), unpacked_bytes.to_string());
    }
    if unpacked_bytes > SMALL_BYTES && unpacked_bytes / packed_bytes.max(1) > MAX_RATIO {
        return refuse(
            format!("at most {MAX_RATIO} times its packed size"),
            (unpacked_bytes / packed_bytes.max(1)).to_string(),
        );
    }
    let header_at = place(header, 42, 4).ok_or_else(|| damaged.clone())?;
    let crc = u32::try_from(field(16, 4)?).map_err(|_| damaged)?;
    let entry = Entry { deflated: method == 8, crc, packed_bytes, unpacked_bytes, header_at };
    Ok((name, entry, at + 46 + name_bytes + extra + comment))
}
