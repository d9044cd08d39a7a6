// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Paths of files on a medium.

use std::fmt;

use platen_disk::{NameProblem, fold_name, name_problems};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most folders a file may be in, one inside the other. No reader of drives follows more: a loop of folders has no end.
pub const MAX_LEVELS: usize = 64;

/// Longest path, in bytes: Linux opens 4095, and some are needed for where the medium is mounted.
const MAX_PATH_BYTES: usize = 4000;

/// CONOUT$ is the longest name that Windows reserves for a device.
const LONGEST_DEVICE_BYTES: usize = 7;

/// Why a text is no path for a medium. Every variant carries the whole path, so that one line names the culprit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum PathError {
    /// Nothing at all.
    #[error("empty path")]
    Empty,
    /// Starts at a root or a drive letter.
    #[error("absolute path {path:?}; expected one relative to the medium's root")]
    Absolute { path: String },
    /// `//`, `.` or `..`.
    #[error("path {path:?} has the component {component:?}; expected plain names")]
    Component { path: String, component: String },
    /// A character FAT or Windows forbids.
    #[error("path {path:?} has the character {character:?}, which FAT forbids")]
    Character { path: String, character: char },
    /// CON, AUX, COM1 and the like, with or without an extension.
    #[error("path {path:?} has the name {component:?}, which Windows reserves for a device")]
    Reserved { path: String, component: String },
    /// Windows strips these silently, so two names would become one.
    #[error("path {path:?} has the name {component:?}, which ends in a dot or a space")]
    TrailingDotOrSpace { path: String, component: String },
    /// VFAT long names hold 255 UTF-16 units.
    #[error("path {path:?} has a name of {found} UTF-16 units; at most 255 are possible")]
    TooLong { path: String, found: usize },
    /// More folders than readers follow.
    #[error("path {path:?} is in {found} folders, one inside the other; at most {MAX_LEVELS} are possible")]
    TooDeep { path: String, found: usize },
    /// More than the booted computer can open.
    #[error("path {path:?} has {found} bytes; at most {MAX_PATH_BYTES} are possible")]
    PathTooLong { path: String, found: usize },
}

/// A relative path with `/` between names, each of which is safe on FAT, on Windows and on Linux: no `..`, no
/// reserved device name, no trailing dot or space, at most 255 UTF-16 units, at most [`MAX_LEVELS`] folders deep.
///
/// Case is kept; two paths of one medium must differ in more than case (checked by the manifest).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaPath(Box<str>);

impl MediaPath {
    /// Check `text`.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let path = || text.to_owned();
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute { path: path() });
        }
        for component in text.split('/') {
            check_component(component, path)?;
        }
        let levels = text.matches('/').count();
        if levels > MAX_LEVELS {
            return Err(PathError::TooDeep { path: path(), found: levels });
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::PathTooLong { path: path(), found: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// `self` with `name` appended below it.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        Self::new(&format!("{}/{name}", self.0))
    }

    /// The path with `/` between names.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last name.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The form in which FAT drivers compare it, see [`fold_name`].
    pub fn case_folded(&self) -> String {
        fold_name(&self.0)
    }
}

fn check_component(component: &str, path: impl Fn() -> String) -> Result<(), PathError> {
    let named = || component.to_owned();
    if let Some(&problem) = name_problems(component).first() {
        let path = path();
        return Err(match problem {
            NameProblem::Empty | NameProblem::Dots => PathError::Component { path, component: named() },
            NameProblem::Character(character) => PathError::Character { path, character },
            NameProblem::TrailingDotOrSpace => PathError::TrailingDotOrSpace { path, component: named() },
            NameProblem::TooLong { found_units: found } => PathError::TooLong { path, found },
        });
    }
    // Windows looks at what stands before the first dot, blanks ignored ("CON .txt" is the console too).
    let stem = component.split('.').next().unwrap_or_default().trim_end();
    if stem.len() > LONGEST_DEVICE_BYTES {
        return Ok(());
    }
    let stem = stem.to_ascii_uppercase();
    let port = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| {
            matches!(n, "¹" | "²" | "³") || (n.len() == 1 && n != "0" && n.as_bytes()[0].is_ascii_digit())
        })
    };
    if matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL" | "CLOCK$" | "CONIN$" | "CONOUT$") || port("COM") || port("LPT") {
        return Err(PathError::Reserved { path: path(), component: named() });
    }
    Ok(())
}

impl fmt::Display for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for MediaPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for MediaPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        for good in [
            "a",
            "EFI/BOOT/BOOTX64.EFI",
            "sources/install.swm",
            ".disk/info",
            "드라이버/네트워크.inf",
            "CONSOLE",
            "com10",
            "lpt0.txt",
            "a b/c.d",
        ] {
            assert!(MediaPath::new(good).is_ok(), "{good}");
        }
        assert!(MediaPath::new(&"x".repeat(255)).is_ok());
        assert!(MediaPath::new(&format!("{}x", "f/".repeat(MAX_LEVELS))).is_ok());
    }

    #[test]
    fn folders_deeper_than_readers_follow_are_refused() {
        let deep = MediaPath::new(&format!("{}x", "f/".repeat(MAX_LEVELS + 1)));
        assert!(matches!(deep, Err(PathError::TooDeep { found: 65, .. })));
        let long = MediaPath::new(&vec!["한".repeat(80); 20].join("/"));
        assert!(matches!(long, Err(PathError::PathTooLong { found: 4819, .. })));
    }

    #[test]
    fn every_dangerous_name_is_refused_and_named() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "C:x",
            "a/CON",
            "aux.txt",
            "Com1",
            "LPT9.x.y",
            "nul .txt",
            "COM¹",
            "dot.",
            "space ",
            "a./b",
            "tab\t",
            "nul\0",
            "q?",
            "st*r",
            "pi|pe",
            "a<b",
            "a>b",
            "quo\"te",
            "del\u{7f}",
            "c1\u{85}",
            "noncharacter\u{ffff}",
            "noncharacter\u{fdd0}",
        ] {
            let error = MediaPath::new(bad).expect_err(bad);
            assert!(bad.is_empty() || error.to_string().contains(&format!("{bad:?}")), "{error} does not name {bad:?}");
        }
        assert!(matches!(MediaPath::new(&"ä".repeat(256)), Err(PathError::TooLong { found: 256, .. })));
        assert!(matches!(MediaPath::new(&"😀".repeat(128)), Err(PathError::TooLong { found: 256, .. })));
    }
}
