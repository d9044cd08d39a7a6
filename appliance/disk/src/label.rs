// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The volume label.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no volume label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("volume label `{label}`: {expected}")]
pub struct LabelError {
    /// The label asked for.
    pub label: String,
    /// What was expected and what was found instead.
    pub expected: String,
}

/// A FAT volume label: 1 to 11 of A-Z, 0-9, space and ``! # $ % & ' ( ) - @ ^ _ ` { } ~``, with no space at either end.
///
/// These are the characters of a short name (fatgen103, "FAT Long Directory Entries"), of which every firmware and
/// system shows the same form. `NO NAME` is refused: it is what a volume without a label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VolumeLabel([u8; 11]);

impl VolumeLabel {
    /// Checks a label. Lower case is raised and spaces at the end are dropped, as every operating system does it.
    pub fn new(label: &str) -> Result<Self, LabelError> {
        let label = label.trim_end_matches(' ').to_ascii_uppercase();
        let refuse = |expected: String| Err(LabelError { label: label.clone(), expected });
        if label.is_empty() || label.chars().count() > 11 {
            return refuse(format!("expected 1 to 11 characters, found {}", label.chars().count()));
        }
        if let Some(found) = label.chars().find(|&c| !allowed(c)) {
            return refuse(format!(
                "expected A-Z, 0-9, space and !#$%&'()-@^_`{{}}~, found `{}`",
                found.escape_debug()
            ));
        }
        if label.starts_with(' ') {
            return refuse("expected no space at the beginning, found one".to_owned());
        }
        if label == "NO NAME" {
            return refuse("expected a name, found the words for a volume without one".to_owned());
        }
        let mut bytes = [b' '; 11];
        for (byte, value) in bytes.iter_mut().zip(label.bytes()) {
            *byte = value;
        }
        Ok(Self(bytes))
    }

    /// The label as stored: 11 bytes, padded with spaces.
    pub fn as_bytes(&self) -> &[u8; 11] {
        &self.0
    }

    /// From the 11 bytes as stored; `None` if no label is stored like this.
    pub fn from_stored(bytes: &[u8; 11]) -> Option<Self> {
        let label = Self::new(std::str::from_utf8(bytes).ok()?).ok()?;
        (label.0 == *bytes).then_some(label)
    }

    /// The label without padding.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches(' ')
    }
}

fn allowed(c: char) -> bool {
    c == ' ' || c.is_ascii_uppercase() || c.is_ascii_digit() || "!#$%&'()-@^_`{}~".contains(c)
}

impl fmt::Display for VolumeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VolumeLabel {
    type Err = LabelError;

    fn from_str(label: &str) -> Result<Self, Self::Err> {
        Self::new(label)
    }
}

impl Serialize for VolumeLabel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for VolumeLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_taken() {
        for label in ["P", "PLATEN", "win11 24h2", "A-B_C", "ELEVENCHARS", "{}~!#$%&'()", "name "] {
            let taken = VolumeLabel::new(label).unwrap();
            assert_eq!(taken.as_str(), label.trim_end().to_ascii_uppercase());
            assert_eq!(VolumeLabel::from_stored(taken.as_bytes()), Some(taken));
        }
    }

    #[test]
    fn labels_that_are_refused() {
        for label in
            ["", "  ", "TWELVE CHARS", " A", "A.B", "Ä", "A/B", "no name", "NO NAME  ", "A\0", "A+B", "A\u{7f}"]
        {
            let refused = VolumeLabel::new(label).unwrap_err().to_string();
            assert!(refused.contains("expected") && refused.contains("found"), "{refused}");
        }
        assert_eq!(VolumeLabel::from_stored(&[0xFF; 11]), None);
        assert_eq!(VolumeLabel::from_stored(b"lower case "), None, "nobody stores one like this");
        assert_eq!(VolumeLabel::from_stored(&[b' '; 11]), None);
    }
}
