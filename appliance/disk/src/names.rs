// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Names on a FAT volume: what is allowed, long-name entries, short aliases.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::TreeProblem;
use crate::fat::ENTRY_BYTES;

/// Hashing with fixed keys, so that nothing here draws a random number.
pub(crate) type Fixed = BuildHasherDefault<DefaultHasher>;

/// fatgen103, "FAT Long Directory Entries": 255 characters of UTF-16.
pub(crate) const LIMIT_UNITS: usize = 255;
/// UTF-16 units in one long-name entry.
pub(crate) const ENTRY_UNITS: usize = 13;

/// Why a name can't be the name of a file or folder on a FAT volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameProblem {
    /// Nothing.
    Empty,
    /// `.` or `..`.
    Dots,
    /// A control character, one of `" * : < > ? | \`, or a code point that Unicode keeps from being a character.
    Character(char),
    /// Windows drops a dot or a space at the end, so the name would become another.
    TrailingDotOrSpace,
    /// More than 255 UTF-16 units.
    TooLong {
        /// How many it has.
        found_units: usize,
    },
}

/// Everything that is wrong with a name; nothing for one that every FAT driver can store and give back.
pub fn name_problems(name: &str) -> Vec<NameProblem> {
    match name {
        "" => return vec![NameProblem::Empty],
        "." | ".." => return vec![NameProblem::Dots],
        _ => {}
    }
    let mut problems = Vec::new();
    problems.extend(name.chars().find(|&c| is_forbidden(c)).map(NameProblem::Character));
    if name.ends_with(['.', ' ']) {
        problems.push(NameProblem::TrailingDotOrSpace);
    }
    // A name has at most as many UTF-16 units as bytes.
    if name.len() > LIMIT_UNITS {
        let found_units = name.encode_utf16().count();
        if found_units > LIMIT_UNITS {
            problems.push(NameProblem::TooLong { found_units });
        }
    }
    problems
}

/// fatgen103, "Long File Name Implementation". U+FFFF is what unused places of a long-name entry are filled with; of the
/// other noncharacters (Unicode, chapter 23.7) each tool makes something else.
fn is_forbidden(c: char) -> bool {
    match c {
        '"' | '*' | ':' | '<' | '>' | '?' | '|' | '\\' | '/' => true,
        // Nearly all characters of nearly all names; a medium may have a million of them.
        ' '..='~' => false,
        '\u{fdd0}'..='\u{fdef}' => true,
        _ => c.is_control() || (c as u32) & 0xfffe == 0xfffe,
    }
}

/// Adds what is wrong with one component of a path.
pub(crate) fn check(path: &str, component: &str, problems: &mut Vec<TreeProblem>) {
    for problem in name_problems(component) {
        let (path, component) = (path.to_owned(), component.to_owned());
        problems.push(match problem {
            NameProblem::Empty => TreeProblem::EmptyComponent { path },
            NameProblem::Dots => TreeProblem::DotComponent { path, component },
            NameProblem::Character(character) => TreeProblem::ForbiddenCharacter { path, component, character },
            NameProblem::TrailingDotOrSpace => TreeProblem::TrailingDotOrSpace { path, component },
            NameProblem::TooLong { found_units } => {
                TreeProblem::NameTooLong { path, found_units, limit_units: LIMIT_UNITS }
            }
        });
    }
}

/// A form that is equal for names, or paths, that FAT drivers take for the same, and for no others.
///
/// As Windows does it, each UTF-16 unit is raised to upper case by itself: what becomes several characters (`ß`, `ﬁ`)
/// stays, and so does what needs two units. Nothing outside ASCII becomes an ASCII letter (`ı`, `ſ`), and what is in
/// upper case already stays (the Kelvin sign is no `K`). Composed and decomposed forms differ.
pub fn fold_name(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_uppercase();
    }
    name.chars().map(upper).collect()
}

fn upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) if !one.is_ascii() && (c as u32) < 0x1_0000 && (one as u32) < 0x1_0000 => one,
        (_, None) => c,
        // Greek letters with an iota below: alone they have a capital of one unit (UnicodeData.txt, field 12).
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => above(c, 8),
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => above(c, 9),
            _ => c,
        },
    }
}

fn above(c: char, by: u32) -> char {
    char::from_u32(c as u32 + by).unwrap_or(c)
}

/// The short form of a name that is one but for case.
pub(crate) fn as_short(name: &str) -> Option<[u8; 11]> {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits =
        |part: &str, most: usize| part.len() <= most && part.bytes().all(|b| short_character(b.to_ascii_uppercase()));
    if base.is_empty() || !fits(base, 8) || !fits(extension, 3) {
        return None;
    }
    Some(packed(base.as_bytes(), extension.as_bytes()))
}

/// Whether a name needs no long-name entries: it is a short name as it stands.
pub(crate) fn is_short(name: &str) -> bool {
    as_short(name).is_some() && !name.bytes().any(|b| b.is_ascii_lowercase())
}

/// Entries of 32 bytes a name takes, the short one included.
pub(crate) fn entries(name: &str) -> u64 {
    if is_short(name) { 1 } else { name.encode_utf16().count().div_ceil(ENTRY_UNITS) as u64 + 1 }
}

fn short_character(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || b"$%'-_@~`!(){}^#&".contains(&b)
}

fn packed(base: &[u8], extension: &[u8]) -> [u8; 11] {
    let mut short = [b' '; 11];
    for (to, from) in short[..8].iter_mut().zip(base) {
        *to = from.to_ascii_uppercase();
    }
    for (to, from) in short[8..].iter_mut().zip(extension) {
        *to = from.to_ascii_uppercase();
    }
    short
}

/// The short names of one directory.
///
/// First every name that is a short one is taken ([`Aliases::take`]); then the others get theirs. As Windows NT does: the
/// first six characters and `~1` to `~4`; then two characters, four hexadecimal digits of a hash, and a number. The
/// number tried next is remembered for each beginning, so that a thousand similar names take a thousand steps.
#[derive(Default)]
pub(crate) struct Aliases {
    used: HashSet<[u8; 11], Fixed>,
    next: HashMap<[u8; 11], u32, Fixed>,
}

impl Aliases {
    /// Marks a short name as used.
    pub(crate) fn take(&mut self, short: [u8; 11]) {
        self.used.insert(short);
    }

    /// A short name for a name that is not one.
    pub(crate) fn make(&mut self, name: &str) -> [u8; 11] {
        let (base, extension) = basis(name);
        for number in 1..=4 {
            let short = numbered(&base, number, &extension);
            if self.used.insert(short) {
                return short;
            }
        }
        let mut hashed = base.iter().copied().take(2).collect::<Vec<u8>>();
        hashed.extend(format!("{:04X}", hash(name)).bytes());
        let next = self.next.entry(packed(&hashed, &extension)).or_insert(1);
        loop {
            let short = numbered(&hashed, *next, &extension);
            *next += 1;
            // Ends: a directory has fewer names than there are numbers of seven digits.
            if self.used.insert(short) {
                return short;
            }
        }
    }
}

/// fatgen103, "The Basis-Name Generation Algorithm".
fn basis(name: &str) -> (Vec<u8>, Vec<u8>) {
    let trimmed = name.trim_start_matches(['.', ' ']);
    let (base, extension) = trimmed.rsplit_once('.').unwrap_or((trimmed, ""));
    let short = |part: &str, most: usize| -> Vec<u8> {
        let kept = part.chars().filter(|&c| c != ' ' && c != '.');
        let mapped = kept.map(|c| {
            let upper = u8::try_from(c).unwrap_or(0).to_ascii_uppercase();
            if short_character(upper) { upper } else { b'_' }
        });
        mapped.take(most).collect()
    };
    let base = short(base, 8);
    (if base.is_empty() { vec![b'_'] } else { base }, short(extension, 3))
}

fn numbered(base: &[u8], number: u32, extension: &[u8]) -> [u8; 11] {
    let tail = format!("~{number}");
    let kept = base.len().min(8usize.saturating_sub(tail.len()));
    let mut whole = base[..kept].to_vec();
    whole.extend(tail.bytes());
    packed(&whole, extension)
}

/// FNV-1a over the UTF-16 units, folded to 16 bits.
fn hash(name: &str) -> u16 {
    let hash =
        name.encode_utf16().fold(0x811c_9dc5_u32, |hash, unit| (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193));
    (hash >> 16 ^ hash) as u16
}

/// fatgen103, "Checksum": ties long-name entries to their short name.
pub(crate) fn checksum(short: &[u8; 11]) -> u8 {
    short.iter().fold(0, |sum: u8, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// Where the UTF-16 units are in a long-name entry, in bytes.
pub(crate) fn unit_places() -> impl Iterator<Item = usize> {
    (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2))
}

/// Whether a short name can have been given for this name: by its letters, or as an alias with a number. One that names
/// another file opens that file's door to whoever reads short names, as some firmware does.
pub(crate) fn is_fair(name: &str, short: &[u8; 11]) -> bool {
    let (base, extension) = (short[..8].trim_ascii_end(), short[8..].trim_ascii_end());
    let number = base.rsplit(|&b| b == b'~').next().filter(|number| number.len() < base.len());
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let is_alias = number.is_some_and(is_number) && base.iter().chain(extension).all(|&b| short_character(b));
    match as_short(name) {
        Some(own) => own == *short,
        None => is_alias,
    }
}

/// Appends the long-name entries of a name, last part first.
pub(crate) fn put_long(directory: &mut Vec<u8>, name: &str, short: &[u8; 11]) {
    let units: Vec<u16> = name.encode_utf16().collect();
    let sum = checksum(short);
    for (number, part) in units.chunks(ENTRY_UNITS).enumerate().rev() {
        let mut e = [0; ENTRY_BYTES];
        let last = (number + 1) * ENTRY_UNITS >= units.len();
        e[0] = (number + 1) as u8 | if last { 0x40 } else { 0 };
        e[11] = 0x0f; // read-only, hidden, system and volume label: not for old readers
        e[13] = sum;
        // Ended by a zero where there is room, then filled with ones.
        let filled = part.iter().copied().chain([0]).chain(std::iter::repeat(0xffff));
        for (at, unit) in unit_places().zip(filled) {
            e[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        directory.extend_from_slice(&e);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> [u8; 11] {
        let mut bytes = [0; 11];
        bytes.copy_from_slice(text.as_bytes());
        bytes
    }

    #[test]
    fn names_that_are_short() {
        for name in ["A", "README.TXT", "GRUBX64.EFI", "12345678.123", "A~1", "$%'-_@~`.!()", "{}^#&.X", "BOOT"] {
            assert!(is_short(name) && entries(name) == 1, "{name}");
        }
        for name in
            ["readme.txt", "Boot", "A.TEXT", "NINECHARS", "A.B.C", ".A", "A B", "Ä", "A+B", "A,B", "A;B", "A=B", "[A]"]
        {
            assert!(!is_short(name) && entries(name) == 2, "{name}");
        }
        assert_eq!(as_short("grubx64.efi"), Some(short("GRUBX64 EFI")));
        assert_eq!(as_short("thirteen.chars"), None);
        assert_eq!(entries(&"x".repeat(13)), 2);
        assert_eq!(entries(&"x".repeat(14)), 3);
        assert_eq!(entries(&"😀".repeat(7)), 3);
        assert_eq!(entries(&"x".repeat(255)), 21);
    }

    #[test]
    fn aliases_of_known_names() {
        for (name, alias) in [
            ("TheQuickBrown.Fox", "THEQUI~1FOX"),
            ("a b.txt", "AB~1    TXT"),
            (".gitignore", "GITIGN~1   "),
            ("日本語.txt", "___~1   TXT"),
            ("a+b.c", "A_B~1   C  "),
            ("x.tar.gz", "XTAR~1  GZ "),
            (". .x", "X~1        "),
            ("manifest.json.minisig", "MANIFE~1MIN"),
        ] {
            assert_eq!(Aliases::default().make(name), short(alias), "{name}");
        }
    }

    #[test]
    fn aliases_are_numbered_then_hashed() {
        let mut aliases = Aliases::default();
        aliases.take(short("DRIVER~2INF"));
        let made: Vec<_> = (0..6).map(|n| aliases.make(&format!("driver file {n}.inf"))).collect();
        assert_eq!(made[..3], [short("DRIVER~1INF"), short("DRIVER~3INF"), short("DRIVER~4INF")]);
        for hashed in &made[3..] {
            assert!(hashed.starts_with(b"DR") && hashed.ends_with(b"~1INF"), "{hashed:?}");
        }
        let mut again = Aliases::default();
        again.take(short("DRIVER~2INF"));
        assert_eq!(made, (0..6).map(|n| again.make(&format!("driver file {n}.inf"))).collect::<Vec<_>>());
    }

    #[test]
    fn as_many_aliases_as_a_directory_holds_are_distinct() {
        let mut aliases = Aliases::default();
        let made: HashSet<_> = (0..32_768).map(|n| aliases.make(&format!("same beginning {n}.txt"))).collect();
        assert_eq!(made.len(), 32_768);
        assert!(made.iter().all(|short| short.iter().all(|&b| b == b' ' || short_character(b))));
    }

    #[test]
    fn numbers_of_every_length_fit() {
        for (number, alias) in
            [(9, "AB12EF~9TXT"), (10, "AB12E~10TXT"), (123_456, "A~123456TXT"), (1_234_567, "~1234567TXT")]
        {
            assert_eq!(numbered(b"AB12EF", number, b"TXT"), short(alias));
        }
    }

    #[test]
    fn checksum_of_a_known_name() {
        // As mtools and the kernel's vfat compute it: rotate right, add.
        let by_hand =
            short("THEQUI~1FOX").iter().fold(0u32, |sum, &b| (((sum & 1) << 7) + (sum >> 1) + u32::from(b)) & 0xff);
        assert_eq!(u32::from(checksum(&short("THEQUI~1FOX"))), by_hand);
    }

    #[test]
    fn long_entries_end_and_fill() {
        let mut bytes = Vec::new();
        put_long(&mut bytes, "fourteen chars", &short("FOURTE~1   "));
        assert_eq!((bytes.len(), bytes[0], bytes[32]), (64, 0x42, 0x01));
        assert_eq!(bytes[1..11], [b's', 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        bytes.clear();
        put_long(&mut bytes, "thirteen char", &short("THIRTE~1   "));
        assert_eq!((bytes.len(), bytes[0], &bytes[28..]), (32, 0x41, &[b'a', 0, b'r', 0][..]));
    }

    #[test]
    fn what_fat_drivers_take_for_one_name_folds_to_one() {
        for (one, other) in [
            ("EFI/Boot", "efi/bOOT"),
            ("Ä", "ä"),
            ("Σς", "σΣ"),
            ("ÿ", "Ÿ"),
            ("ᾀ", "ᾈ"),
            ("ᾳ", "ᾼ"),
            ("ǆ", "Ǆ"),
            ("д", "Д"),
        ] {
            assert_eq!(fold_name(one), fold_name(other), "{one} {other}");
        }
        for (one, other) in [
            ("straße", "STRASSE"),
            ("ß", "ẞ"),
            ("ﬁ.x", "FI.X"),
            ("ﬁ", "ﬂ"),
            ("ı", "I"),
            ("ſ", "s"),
            ("\u{212a}", "k"),
            ("\u{212b}", "å"),
            ("İ", "i"),
            ("ŉ", "ʼN"),
            ("𐐀", "𐐨"),
            ("é", "e\u{301}"),
            ("日", "本"),
        ] {
            assert_ne!(fold_name(one), fold_name(other), "{one} {other}");
        }
    }

    #[test]
    fn folding_twice_changes_nothing_and_keeps_the_number_of_units() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let once = fold_name(&c.to_string());
            assert_eq!(fold_name(&once), once, "{c:?}");
            assert_eq!(once.encode_utf16().count(), c.len_utf16(), "{c:?}");
        }
    }

    #[test]
    fn noncharacters_are_no_names() {
        for bad in ["\u{ffff}", "\u{fffe}", "\u{fdd0}", "\u{fdef}", "\u{1fffe}", "\u{10ffff}", "\u{85}"] {
            assert!(matches!(name_problems(bad)[..], [NameProblem::Character(_)]), "{}", bad.escape_unicode());
        }
        for good in ["\u{fffd}", "\u{fdcf}", "\u{fdf0}", "😀", "é", "e\u{301}"] {
            assert_eq!(name_problems(good), [], "{good}");
        }
    }
}
