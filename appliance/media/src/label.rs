//! The volume label a person sees when the drive is plugged in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no FAT volume label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// FAT has room for eleven bytes.
    #[error("expected at most 11 characters, found {found} in {label:?}")]
    TooLong { label: String, found: usize },
    /// Nothing, or only spaces.
    #[error("expected 1 to 11 characters, found none")]
    Empty,
    /// Outside what FAT, Windows and mtools all accept.
    #[error("expected letters A-Z, digits, space, '-' or '_', found {character:?} in {label:?}")]
    Character { label: String, character: char },
}

/// One to eleven characters of `A-Z 0-9 space - _`; lower case is raised, as every operating system does for FAT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeLabel(String);

impl VolumeLabel {
    /// Check `text` and raise it to upper case.
    pub fn new(text: &str) -> Result<Self, LabelError> {
        let found = text.chars().count();
        if found > 11 {
            return Err(LabelError::TooLong { label: text.to_owned(), found });
        }
        let upper = text.trim_end().to_ascii_uppercase();
        if upper.trim().is_empty() {
            return Err(LabelError::Empty);
        }
        let wrong = |c: &char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, ' ' | '-' | '_'));
        match upper.chars().find(wrong) {
            Some(character) => Err(LabelError::Character { label: text.to_owned(), character }),
            // A leading space is legal in FAT, but is lost by every tool that shows the label.
            None if upper.starts_with(' ') => Err(LabelError::Character { label: text.to_owned(), character: ' ' }),
            None => Ok(Self(upper)),
        }
    }

    /// The label without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VolumeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for VolumeLabel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for VolumeLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_characters_and_no_more() {
        assert_eq!(VolumeLabel::new("win11 24h2").expect("valid").as_str(), "WIN11 24H2");
        assert!(matches!(VolumeLabel::new("TWELVE CHARS"), Err(LabelError::TooLong { found: 12, .. })));
        assert!(matches!(VolumeLabel::new("  "), Err(LabelError::Empty)));
        assert!(matches!(VolumeLabel::new("A.B"), Err(LabelError::Character { character: '.', .. })));
        assert!(matches!(VolumeLabel::new("É"), Err(LabelError::Character { character: 'É', .. })));
    }
}
