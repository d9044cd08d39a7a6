// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where a sequence stands, kept in a folder on the disk it installs: `_SMSTaskSequence`, as Configuration Manager
//! calls it (`_SMSTSMDataPath`).
//!
//! It is written before and after every step: to another name, to the disk, renamed, the folder to the disk. So a
//! power cut leaves the one before or the one after, and the step that was under way is done again.
//! Secrets are never in it: in the boot system they come from the medium again or are sealed with a key that only its
//! policy gives; on the deployed system, where there is no medium, they stand in a file of their own that only the
//! administrator reads and that is removed at the end.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use platen_media::policy::{Sealed, SealingKey};
use platen_media::stored::{self, Stored, StoredError};
use platen_sequence::run::{Cursor, KeptVariable};
use serde::{Deserialize, Serialize};

use super::access::create_private;
use super::machine::{TargetDisk, Volume};

/// The folder's name, at the root of a volume.
pub const FOLDER: &str = "_SMSTaskSequence";
/// Where a sequence stands.
const STATE: &str = "state.json";
/// Secrets, where there is no medium they could be sealed with.
const SECRETS: &str = "secrets.json";
/// In the folder: the medium that installed this disk. It is not installed anew unless a person says so, lest a computer
/// that starts from the medium again does it over and over.
pub const INSTALLED_BY: &str = "installed-by.txt";
/// The largest state that is read.
const MAX_STATE_BYTES: u64 = 64 << 20;

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Always [`State::SCHEMA`].
    pub schema: u32,
    /// The medium it is from: another one's is of no use.
    pub media_id: String,
    /// Of the medium.
    pub revision: u32,
    /// Which step comes next.
    pub cursor: Cursor,
    /// The deployed system runs, not the boot system.
    pub in_deployed: bool,
    /// The volumes that were formatted.
    pub volumes: Vec<Volume>,
    /// The volume a system was put on.
    pub system: Option<Volume>,
    /// The disks that the sequence was given, by their numbers.
    pub disks: Vec<TargetDisk>,
    /// All variables but secrets.
    pub variables: Vec<KeptVariable>,
    /// Secrets, in the boot system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

impl Stored for State {
    const SCHEMA: u32 = 1;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// Why a state can't be kept or used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum StateError {
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: expected where a task sequence stands", path.display())]
    Form { path: PathBuf, source: StoredError },
    #[error("{}: its secrets were sealed for another medium", path.display())]
    Seal { path: PathBuf },
}

/// A folder with a state. It may move, when the first volume is formatted.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder is made when something is kept.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a state; `secrets` apart: sealed with the key, or readable for the administrator only.
    pub fn keep(
        &self,
        mut state: State,
        secrets: Vec<KeptVariable>,
        key: Option<&SealingKey>,
    ) -> Result<(), StateError> {
        fs::create_dir_all(&self.folder).map_err(io("making", &self.folder))?;
        match key {
            Some(key) if !secrets.is_empty() => state.sealed = Some(key.seal(&json(&secrets))),
            Some(_) => {}
            None if secrets.is_empty() => remove(&self.folder.join(SECRETS))?,
            None => write(&self.folder, SECRETS, &json(&secrets))?,
        }
        write(&self.folder, STATE, &json(&state))
    }

    /// The state that was kept here; None where there is none. The variables come back whole.
    pub fn load(&self, key: Option<&SealingKey>) -> Result<Option<State>, StateError> {
        let path = self.folder.join(STATE);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let mut state: State =
            stored::read(&bytes).map_err(|source| StateError::Form { path: path.clone(), source })?;
        let secrets = match (state.sealed.take(), key) {
            (Some(sealed), Some(key)) => Some(key.open(&sealed).ok_or(StateError::Seal { path: path.clone() })?),
            (Some(_), None) => return Err(StateError::Seal { path }),
            (None, _) => read(&self.folder.join(SECRETS))?,
        };
        if let Some(secrets) = secrets {
            let secrets: Vec<KeptVariable> = serde_json::from_slice(&secrets)
                .map_err(|source| StateError::Form { path, source: StoredError::Syntax(source) })?;
            state.variables.extend(secrets);
        }
        Ok(Some(state))
    }

    /// Keeps another file of the sequence beside the state, as safely.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        fs::create_dir_all(&self.folder).map_err(io("making", &self.folder))?;
        write(&self.folder, name, bytes)
    }

    /// Removes a file that was kept beside the state.
    pub fn remove_file(&self, name: &str) -> Result<(), StateError> {
        remove(&self.folder.join(name))
    }

    /// Takes everything along to another folder and goes on there; what was in that one is gone.
    pub fn move_to(&mut self, folder: &Path) -> Result<(), StateError> {
        if self.folder == folder {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(io("removing", folder))?;
        }
        if self.folder.exists() {
            copy_tree(&self.folder, folder)?;
            fs::remove_dir_all(&self.folder).map_err(io("removing", &self.folder))?;
        }
        folder.clone_into(&mut self.folder);
        Ok(())
    }

    /// Removes all but the log: nothing secret stays behind. Secrets go first, and what can't be removed, such as a file that
    /// an installer still has open, keeps nothing else.
    pub fn clear(&self) -> Result<(), StateError> {
        remove(&self.folder.join(SECRETS))?;
        remove(&self.folder.join(STATE))?;
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io("listing", &self.folder)(error)),
        };
        let mut first_error = None;
        for entry in entries {
            let entry = entry.map_err(io("listing", &self.folder))?;
            let path = entry.path();
            // Of which medium the system is from stays known, too: it is no secret.
            if entry.file_name() == "Logs" || entry.file_name() == INSTALLED_BY || is_held_by_windows(&path) {
                continue;
            }
            let is_folder = entry.file_type().map_err(io("looking at", &path))?.is_dir();
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed {
                first_error = first_error.or(Some(io("removing", &path)(error)));
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

/// Windows removes no program that runs: who runs it has that done when it has ended.
fn is_held_by_windows(path: &Path) -> bool {
    cfg!(windows) && std::env::current_exe().is_ok_and(|own| own == path)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it has only texts, numbers and lists")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("opening", path)(error)),
    };
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, "longer than any state");
    let bytes = platen_media::read_at_most(file, MAX_STATE_BYTES).map_err(io("reading", path))?;
    bytes.ok_or_else(too_long).map(Some).map_err(io("reading", path))
}

fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("removing", path)(error)),
        _ => Ok(()),
    }
}

/// Whole or not at all, also when the power is cut.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StateError> {
    let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut file = create_private(&new).map_err(io("making", &new))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io("writing", &new))?;
    fs::rename(&new, &path).map_err(io("renaming", &new))?;
    sync_folder(folder).map_err(io("writing", folder))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no such thing; its file systems keep a log of names.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), StateError> {
    fs::create_dir_all(to).map_err(io("making", to))?;
    for entry in fs::read_dir(from).map_err(io("listing", from))? {
        let entry = entry.map_err(io("listing", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(io("looking at", &path))?.is_dir() {
            copy_tree(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(io("copying to", &target))?;
        }
    }
    Ok(())
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { doing, path, source }
}

#[cfg(test)]
mod tests;
