// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Sizes as people write them: a whole number and a unit. A number alone is refused, since nobody could say afterwards
//! whether it was meant in bytes or megabytes.

/// Powers of ten as drives are sold by, powers of two as memory is.
const UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// What messages say is right.
pub(super) const EXPECTED: &str =
    "a whole number and a unit (B, kB, MB, GB, TB or KiB, MiB, GiB, TiB), such as \"64 GB\"";

/// The number of bytes, which is never 0.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|&bytes| bytes > 0)
}

/// The number of bytes, in the unit in which it is the smallest whole number.
pub(super) fn show(bytes: u64) -> String {
    let whole = UNITS.iter().filter(|(_, factor)| bytes.is_multiple_of(*factor));
    whole
        .max_by_key(|(_, factor)| *factor)
        .map_or_else(String::new, |(name, factor)| format!("{} {name}", bytes / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in [
            ("1 B", 1),
            ("512B", 512),
            ("1 MB", 1_000_000),
            ("64 GB", 64_000_000_000),
            ("2 TB", 2_000_000_000_000),
            ("2 TiB", 2 << 40),
            ("16777215 TiB", 16_777_215 << 40),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
            assert_eq!(parse(&show(bytes)), Some(bytes), "{}", show(bytes));
        }
        assert_eq!((show(1 << 30).as_str(), show(2_000_000_000_000).as_str()), ("1 GiB", "2 TB"));
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_no_size() {
        let none =
            ["", "1", "GB", "1  GB", "1.5 GB", "-1 GB", "1 gb", "1 Gb", "1 Gbit", " 1 GB", "1 GB ", "0 GB", "1e3 B"];
        for text in none.into_iter().chain(["16777216 TiB", "99999999999999999999 B", "1\u{a0}GB"]) {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
