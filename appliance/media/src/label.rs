//! The volume label a person sees when the drive is plugged in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no volume label, in the words of what lays out the volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct LabelError(#[from] platen_disk::LayoutError);

/// A label that every drive can be given: [`platen_disk::VolumeLabel`], made of a text whose lower case is raised, as
/// every operating system does for FAT, and whose spaces at the end are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeLabel(platen_disk::VolumeLabel);

impl VolumeLabel {
    /// Check `text` and raise it to upper case.
    pub fn new(text: &str) -> Result<Self, LabelError> {
        Ok(Self(platen_disk::VolumeLabel::new(&text.trim_end_matches(' ').to_ascii_uppercase())?))
    }

    /// What the volume is laid out with.
    pub fn on_disk(&self) -> platen_disk::VolumeLabel {
        self.0
    }

    /// The label without padding.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for VolumeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for VolumeLabel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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
    fn what_is_signed_can_be_laid_out() {
        for good in ["win11 24h2", "A", "{}~!#$%&'()", "name "] {
            let label = VolumeLabel::new(good).expect(good);
            assert_eq!(label.as_str(), good.trim_end().to_ascii_uppercase());
            assert_eq!(platen_disk::VolumeLabel::new(label.as_str()), Ok(label.on_disk()));
        }
        for bad in ["", "  ", " A", "TWELVE CHARS", "A.B", "A/B", "A+B", "É", "no name", "NO NAME  ", "A\u{7f}"] {
            let error = VolumeLabel::new(bad).expect_err(bad).to_string();
            assert!(error.contains("expected") && error.contains("found"), "{error}");
        }
    }
}
