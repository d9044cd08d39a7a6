// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a path as Windows writes it to the file below a mounted volume. The one part of this crate that looks at folders.

use std::io;
use std::path::{Path, PathBuf};

/// Most characters of a path ("Maximum Path Length Limitation").
const MAX_PATH_CHARACTERS: usize = 32_767;

/// The volume that is going to be Windows' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    root: PathBuf,
    letter: char,
}

/// A path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Below the mounted root. What exists of it is written as it is there, the rest as it was asked for.
    pub path: PathBuf,
    /// All of it exists.
    pub exists: bool,
}

/// Why a path is not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum PathError {
    /// It is on another volume or computer, or has no beginning.
    #[error("{path:?}: expected a path on {letter}:, the volume of Windows")]
    OtherVolume { path: String, letter: char },
    /// It goes up.
    #[error("{path:?}: .. is not taken, name the folder itself")]
    Up { path: String },
    /// Windows has no such name.
    #[error("{path:?}: Windows has no file called {name:?}")]
    Name { path: String, name: String },
    /// It may lead out of the volume.
    #[error("{path:?}: {link} is a link or a junction, name the folder that it leads to")]
    Link { path: String, link: PathBuf },
    /// A folder made on another system.
    #[error("{path:?}: {folder} has several entries called {name:?} that differ in capitals")]
    Ambiguous { path: String, folder: PathBuf, name: String },
    /// Longer than any path.
    #[error("a path of {characters} characters; the limit is {MAX_PATH_CHARACTERS}")]
    TooLong { characters: usize },
    /// Looking at a folder failed.
    #[error("{path:?}: looking at {folder}")]
    Io { path: String, folder: PathBuf, source: io::Error },
}

/// Names that stand for a place on the volume, whatever it is called in this Windows.
const PLACES: [(&str, &str); 8] = [
    ("%osdisk%", ""),
    ("%systemdrive%", ""),
    ("%windir%", "\\Windows"),
    ("%systemroot%", "\\Windows"),
    ("%programfiles%", "\\Program Files"),
    ("%programfiles(x86)%", "\\Program Files (x86)"),
    ("%programdata%", "\\ProgramData"),
    ("%public%", "\\Users\\Public"),
];

/// Names of devices, in every folder and with every extension ("Naming Files, Paths, and Namespaces").
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

impl Volume {
    /// Mounted at `root`; Windows will call it `letter`.
    pub fn new(root: impl Into<PathBuf>, letter: char) -> Self {
        Self { root: root.into(), letter: letter.to_ascii_uppercase() }
    }

    /// Where a path is. Capitals and small letters count alike, and nothing leads out of the volume.
    pub fn resolve(&self, path: &str) -> Result<Resolved, PathError> {
        let characters = path.chars().count();
        if characters > MAX_PATH_CHARACTERS {
            return Err(PathError::TooLong { characters });
        }
        let named = || path.chars().take(200).collect::<String>();
        let rest = self.below(path).ok_or_else(|| PathError::OtherVolume { path: named(), letter: self.letter })?;
        let mut resolved = Resolved { path: self.root.clone(), exists: true };
        for name in rest.split(['\\', '/']).filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." {
                return Err(PathError::Up { path: named() });
            }
            if !is_name(name) {
                return Err(PathError::Name { path: named(), name: name.to_owned() });
            }
            let found = if resolved.exists { entry(&resolved.path, name, &named)? } else { None };
            resolved.exists = found.is_some();
            resolved.path.push(found.as_deref().unwrap_or(name));
        }
        Ok(resolved)
    }

    /// What comes after the volume.
    fn below(&self, path: &str) -> Option<String> {
        let path = path.trim().trim_matches('"');
        let place = PLACES.iter().find_map(|(name, place)| {
            let start = path.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name))?;
            let rest = &path[start.len()..];
            (rest.is_empty() || rest.starts_with(['\\', '/'])).then(|| format!("{place}{rest}"))
        });
        let rest = match (place, path.strip_prefix(['\\', '/'])) {
            (Some(rest), _) => rest,
            // Not `\\server`.
            (None, Some(rest)) if !rest.starts_with(['\\', '/']) => return Some(rest.to_owned()),
            (None, Some(_)) => return None,
            (None, None) => {
                let (letter, rest) = path.split_once(':')?;
                let mut letters = letter.chars();
                let is_ours = letters.next().is_some_and(|it| it.to_ascii_uppercase() == self.letter);
                (is_ours && letters.next().is_none()).then(|| rest.to_owned())?
            }
        };
        // `C:name` is relative to a folder that nobody knows.
        (rest.is_empty() || rest.starts_with(['\\', '/'])).then_some(rest)
    }
}

fn is_name(name: &str) -> bool {
    let is_forbidden = |c: char| c.is_control() || "<>:\"|?*%".contains(c);
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let device = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_device = DEVICES.contains(&device) && (stem.len() <= device.len() + 1);
    // Windows drops dots and blanks at the end, so that two names would be one file.
    !name.contains(is_forbidden) && !name.ends_with(['.', ' ']) && !is_device
}

/// The entry of that name in a folder, as it is written there.
fn entry(folder: &Path, name: &str, named: &dyn Fn() -> String) -> Result<Option<String>, PathError> {
    let failed = |source| PathError::Io { path: named(), folder: folder.to_owned(), source };
    let wanted = name.to_uppercase();
    let mut found: Vec<(String, bool)> = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // What is no Unicode has no Windows name.
        let Ok(is_called) = entry.file_name().into_string() else { continue };
        if is_called.to_uppercase() == wanted {
            found.push((is_called, entry.file_type().map_err(failed)?.is_symlink()));
        }
    }
    let (is_called, is_link) = match &*found {
        [] => return Ok(None),
        [one] => one.clone(),
        several => match several.iter().find(|(is_called, _)| is_called == name) {
            Some(exact) => exact.clone(),
            None => {
                return Err(PathError::Ambiguous { path: named(), folder: folder.to_owned(), name: name.to_owned() });
            }
        },
    };
    if is_link {
        return Err(PathError::Link { path: named(), link: folder.join(is_called) });
    }
    Ok(Some(is_called))
}

#[cfg(all(test, unix))]
mod tests;
