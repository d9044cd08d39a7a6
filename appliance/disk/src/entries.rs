// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading back a directory, as strictly as the least forgiving of all readers: whatever two of them could see
//! differently is a problem.

use std::collections::HashMap;

use crate::fat::ENTRY_BYTES;
use crate::names::{self, ENTRY_UNITS, Fixed};

const END: u8 = 0;
const DELETED: u8 = 0xe5;
/// Stands for a first byte of 0xE5, which would mean a deleted entry.
const DELETED_STAND_IN: u8 = 0x05;
const LONG_NAME: u8 = 0x0f;
const LAST_LONG: u8 = 0x40;
const MOST_LONG: u8 = 20;
/// Bits of byte 12 by which Windows says that base name and extension are in small letters.
const SMALL_BASE: u8 = 0x08;
const SMALL_EXTENSION: u8 = 0x10;

/// `DIR_Attr`: the entry is the volume's label.
pub const ATTRIBUTE_LABEL: u8 = 0x08;
/// `DIR_Attr`: the entry is a directory.
pub const ATTRIBUTE_DIRECTORY: u8 = 0x10;
/// `DIR_Attr`: changed since the last backup; operating systems set and clear it.
pub const ATTRIBUTE_ARCHIVE: u8 = 0x20;

/// An entry of a directory, its long name included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The long name; the short one where there is no other.
    pub name: String,
    /// As stored, padded with spaces.
    pub short: [u8; 11],
    /// As stored.
    pub attributes: u8,
    /// 0: none.
    pub first_cluster: u32,
    /// 0 for directories.
    pub size_bytes: u32,
}

/// What a directory says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryContent {
    /// In the order found; label, `.` and `..` too.
    pub entries: Vec<DirectoryEntry>,
    /// Entries of deleted files, which nobody reads.
    pub deleted: usize,
    /// What readers could see differently.
    pub problems: Vec<EntryProblem>,
}

/// What is wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryProblem {
    /// Which; empty for one without a name.
    pub name: String,
    /// What is wrong with it.
    pub text: String,
}

/// Reads all clusters of a directory.
pub fn read_directory(bytes: &[u8]) -> DirectoryContent {
    let mut reader = Reader::default();
    let mut rest = bytes.chunks_exact(ENTRY_BYTES);
    for raw in rest.by_ref() {
        match (raw[0], raw[11]) {
            (END, _) => {
                if raw.iter().chain(rest.by_ref().flatten()).any(|&byte| byte != 0) {
                    reader.problem("", "there is something behind the end mark, which some systems list".to_owned());
                }
                break;
            }
            (DELETED, _) => {
                reader.orphan();
                reader.content.deleted += 1;
            }
            (_, attributes) if attributes & LONG_NAME == LONG_NAME => reader.long(raw),
            _ => reader.short(raw),
        }
    }
    reader.orphan();
    reader.content
}

#[derive(Default)]
struct Reader {
    content: DirectoryContent,
    /// The long name under way.
    long: Option<Long>,
    /// Folded names, long and short, and the entry that has them.
    names: HashMap<String, usize, Fixed>,
}

struct Long {
    /// From the front.
    units: Vec<u16>,
    /// The number of the part read last; 1 is the first and comes last.
    number: u8,
    checksum: u8,
}

impl Reader {
    fn problem(&mut self, name: &str, text: String) {
        self.content.problems.push(EntryProblem { name: name.to_owned(), text });
    }

    /// A long name has to stand directly before its short one.
    fn orphan(&mut self) {
        if self.long.take().is_some() {
            self.problem("", "there is a long name without a short one".to_owned());
        }
    }

    fn long(&mut self, raw: &[u8]) {
        let (number, checksum) = (raw[0] & !LAST_LONG, raw[13]);
        if raw[0] & LAST_LONG != 0 {
            self.orphan();
        }
        let before = self.long.take();
        let continues = match &before {
            None => raw[0] & LAST_LONG != 0 && (1..=MOST_LONG).contains(&number),
            Some(long) => number > 0 && number + 1 == long.number && checksum == long.checksum,
        };
        if !continues || raw[11] != LONG_NAME || raw[12] != 0 || raw[26..28] != [0, 0] {
            return self.problem("", "there is a long name that is not in order".to_owned());
        }
        let mut units: Vec<u16> = names::unit_places().map(|at| u16::from_le_bytes([raw[at], raw[at + 1]])).collect();
        debug_assert_eq!(units.len(), ENTRY_UNITS);
        units.extend(before.into_iter().flat_map(|long| long.units));
        self.long = Some(Long { units, number, checksum });
    }

    fn short(&mut self, raw: &[u8]) {
        let mut short = [0; 11];
        short.copy_from_slice(&raw[..11]);
        let long = self.long.take();
        let name = match &long {
            None => Some(short_text(&short, raw[12])),
            Some(long) if long.number == 1 && long.checksum == names::checksum(&short) => long_text(&long.units),
            Some(_) => None,
        };
        let number = |at: usize| u32::from(u16::from_le_bytes([raw[at], raw[at + 1]]));
        let entry = DirectoryEntry {
            name: name.clone().unwrap_or_else(|| short_text(&short, raw[12])),
            short,
            attributes: raw[11],
            first_cluster: number(20) << 16 | number(26),
            size_bytes: number(28) | number(30) << 16,
        };
        let is_label = entry.attributes & ATTRIBUTE_LABEL != 0;
        if name.is_none() || is_label && long.is_some() {
            self.problem(&entry.name, "its long name is not its own".to_owned());
        }
        if !is_label && !matches!(&*entry.name, "." | "..") {
            self.check_name(&entry);
        }
        self.content.entries.push(entry);
    }

    /// A reader may know a file by its long or its short name. Both have to lead to it, and to nothing else.
    fn check_name(&mut self, entry: &DirectoryEntry) {
        if !names::is_fair(&entry.name, &entry.short) {
            let short = short_text(&entry.short, 0);
            self.problem(&entry.name, format!("its short name is that of another file, {short}"));
        }
        let number = self.content.entries.len();
        for name in [names::fold_name(&entry.name), names::fold_name(&short_text(&entry.short, 0))] {
            if let Some(other) = self.names.insert(name, number).filter(|other| *other != number) {
                let text = format!("is there twice, also as {}", self.content.entries[other].name);
                self.problem(&entry.name, text);
            }
        }
    }
}

/// None: not a name, or not ended and filled as it must be.
fn long_text(units: &[u16]) -> Option<String> {
    let len = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    let filled = units.get(len + 1..).unwrap_or_default().iter().all(|&unit| unit == 0xffff);
    // The end is in the last part, or that part would not be there.
    let ends_late = len + ENTRY_UNITS > units.len() || len == units.len();
    String::from_utf16(&units[..len]).ok().filter(|name| filled && ends_late && !name.is_empty())
}

/// `case`: byte 12 of the entry. Bytes that are no ASCII mean something else in each country; they become the Unicode
/// character of the same number.
fn short_text(short: &[u8; 11], case: u8) -> String {
    let part = |bytes: &[u8], small: bool| -> String {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        let text = text.trim_end_matches(' ');
        if small { text.to_ascii_lowercase() } else { text.to_owned() }
    };
    let mut bytes = *short;
    if bytes[0] == DELETED_STAND_IN {
        bytes[0] = DELETED;
    }
    let (base, extension) = (part(&bytes[..8], case & SMALL_BASE != 0), part(&bytes[8..], case & SMALL_EXTENSION != 0));
    if extension.is_empty() { base } else { format!("{base}.{extension}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FatTime;
    use crate::fat::{self, Attribute};

    fn directory(names: &[(&str, &[u8; 11])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, short) in names {
            if !names::is_short(name) {
                names::put_long(&mut bytes, name, short);
            }
            bytes.extend(fat::entry(short, Attribute::Archive, 7, 9, FatTime::from_unix_seconds(0)));
        }
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        bytes
    }

    #[test]
    fn names_are_read_as_they_were_written() {
        for name in ["A.B", "thirteen char", "fourteen chars", &"x".repeat(255), &"😀".repeat(20), "日本語.txt"] {
            let short = names::as_short(name).unwrap_or(*b"ALIAS~1 TXT");
            let read = read_directory(&directory(&[(name, &short)]));
            assert_eq!(read.problems, [], "{name}");
            assert_eq!((&*read.entries[0].name, read.entries[0].short), (name, short));
            assert_eq!((read.entries[0].first_cluster, read.entries[0].size_bytes), (7, 9));
        }
    }

    #[test]
    fn names_that_meet_in_any_form_are_two_files_of_one_name() {
        for (one, other) in [
            (("readme.txt", b"README  TXT"), ("README.TXT", b"README  TXT")),
            (("a long name", b"ALONGN~1   "), ("ALONGN~1", b"ALONGN~1   ")),
            (("Ä b", b"_B~1       "), ("ä B", b"_B~2       ")),
        ] {
            let read = read_directory(&directory(&[one, other]));
            assert!(read.problems.iter().any(|problem| problem.text.contains("is there twice")), "{read:?}");
        }
    }

    #[test]
    fn every_byte_of_a_long_name_counts() {
        let bytes = directory(&[("a name of more than one part", b"ANAMEO~1   ")]);
        let right = read_directory(&bytes);
        for at in 0..96 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x10;
            let read = read_directory(&wrong);
            assert!(!read.problems.is_empty() || read.entries[0].name != right.entries[0].name, "byte {at}: {read:?}");
        }
    }
}
