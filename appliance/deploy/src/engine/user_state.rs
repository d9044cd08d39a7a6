// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The users' files of the system that was there: kept on their volume, in a folder that an image is applied around, and given
//! back to the system that comes.
//!
//! Nothing is copied: folders are renamed within their volume, so it takes no room and a power cut leaves each in one
//! place or the other. Owners stay as they were, by number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::carry::{Carrier, Done, Home, StepError};
use super::linux;
use super::machine::Volume;
use super::system::System;

/// The folder of the users' own folders, below the system's root.
const USERS: &str = "home";

fn said(text: impl Into<String>) -> StepError {
    StepError::Said(text.into())
}

fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> StepError {
    let what = format!("{doing} {}", path.display());
    move |error| StepError::Said(format!("{what}: {error}"))
}

impl Carrier<'_> {
    /// A sequence that formats nothing works with the volumes that are there.
    pub(super) fn take_volumes(&mut self) {
        if self.volumes.is_empty() {
            self.volumes = self.machine.volumes();
        }
    }

    /// Where the sequence stands moves from the boot system's memory to a volume that it changes.
    pub(super) fn stand_on(&mut self, volume: &Volume) -> Result<(), StepError> {
        let Home::Medium { memory, .. } = self.home else { return Ok(()) };
        if self.store.folder() == memory {
            let root = self.machine.root(volume)?;
            self.move_state(root)?;
        }
        Ok(())
    }

    /// What stays on a volume when an image is applied to it: the users' state that was kept there, by its path below the
    /// volume's root.
    pub(super) fn protected(&self, volume: &Volume) -> Vec<String> {
        match self.state_store() {
            Some((letter, below)) if volume.letter == Some(letter) => vec![below],
            _ => Vec::new(),
        }
    }

    /// The letter of the state store's volume, and its path below the volume's root.
    fn state_store(&self) -> Option<(char, String)> {
        let path = self.surroundings.environment.get("OSDStateStorePath")?.replace('\\', "/");
        let (letter, below) = path.split_once(":/")?;
        let below = below.trim_matches('/');
        match letter.chars().collect::<Vec<_>>()[..] {
            [letter] if letter.is_ascii_alphabetic() && !below.is_empty() => {
                Some((letter.to_ascii_uppercase(), below.to_owned()))
            }
            _ => None,
        }
    }

    fn needed_state_store(&self) -> Result<(char, String), StepError> {
        self.state_store().ok_or_else(|| {
            let found = self.surroundings.environment.get("OSDStateStorePath").unwrap_or_default();
            said(format!(
                "OSDStateStorePath: expected a folder on a disk of this computer, such as C:\\UserState (the medium is not \
                 written, and there is no network), found {found:?}; use Request State Store or set it before the step"
            ))
        })
    }

    /// Moves the users' folders into the state store.
    pub(super) fn capture_user_state(&mut self) -> Result<Done, StepError> {
        self.take_volumes();
        let (letter, below) = self.needed_state_store()?;
        let volume = self.volumes.iter().find(|volume| volume.letter == Some(letter)).cloned();
        let volume = volume.ok_or_else(|| said(format!("OSDStateStorePath: there is no volume {letter}: here")))?;
        let root = self.machine.root(&volume)?;
        if System::of(&root).map_err(said)? == System::Windows {
            return Err(said(format!(
                "{letter}: holds a Windows, whose users' state is captured by USMT in Windows; capture it there, or keep the \
                 files by a protected folder (OSDStateStorePath)"
            )));
        }
        self.stand_on(&volume)?;
        let (from, to) = (folder(&root, USERS)?, folder(&root, &below)?);
        let mut kept = Vec::new();
        for (name, path) in entries(&from)?.into_iter().filter(|(name, _)| name != "lost+found") {
            let target = to.join(&name);
            if target.symlink_metadata().is_ok() {
                return Err(said(format!(
                    "{letter}:/{below} has {name:?} already: expected an empty folder; remove it, or set OSDStateStorePath \
                     to another folder"
                )));
            }
            fs::rename(&path, &target).map_err(io("keeping", &path))?;
            kept.push(name);
        }
        self.machine.sync()?;
        Ok(Done::ok(format!("kept in {letter}:/{below}: {}", listed(&kept))))
    }

    /// Gives the users' folders to the system that runs now. What it has of the same name is replaced; folders are merged.
    pub(super) fn restore_user_state(&mut self) -> Result<Done, StepError> {
        let (letter, below) = self.needed_state_store()?;
        let root = self.store.folder().parent().unwrap_or(Path::new("/")).to_owned();
        if System::of(&root).map_err(said)? == System::Windows {
            return Err(said(
                "the users' state of a Windows is given back by USMT in Windows; do it there by a command",
            ));
        }
        if self.system.as_ref().and_then(|system| system.letter) != Some(letter) {
            return Err(said(format!("OSDStateStorePath: {letter}: is not the volume of the installed system")));
        }
        if !root.join(&below).is_dir() {
            return Err(said(format!("there is no users' state in {letter}:/{below}: nothing was captured")));
        }
        let (from, to) = (folder(&root, &below)?, folder(&root, USERS)?);
        let mut given = Vec::new();
        for (name, path) in entries(&from)? {
            give(&path, &to.join(&name))?;
            given.push(name);
        }
        // The folder stays: when the power is cut now, the step comes again and finds that all is done.
        self.machine.sync()?;
        Ok(Done::ok(format!("given back to /{USERS}: {}", listed(&given))))
    }

    /// Removes the state store, when nothing is left in it.
    pub(super) fn release_state_store(&mut self) -> Result<Done, StepError> {
        let Some((letter, below)) = self.state_store() else { return Ok(Done::ok("there is none on this computer")) };
        let root = self.store.folder().parent().unwrap_or(Path::new("/")).to_owned();
        let store = folder(&root, &below)?;
        let left = entries(&store)?;
        if left.is_empty() {
            fs::remove_dir(&store).map_err(io("removing", &store))?;
            return Ok(Done::ok(format!("{letter}:/{below} is removed")));
        }
        Ok(Done::ok(format!("{letter}:/{below} stays: it still has {}", listed(&names(&left)))))
    }
}

/// A folder below the root, of which no part is a link out of it; it is made where it is missing.
fn folder(root: &Path, below: &str) -> Result<PathBuf, StepError> {
    let inside = linux::inside(root, &format!("{below}/.in-it")).map_err(said)?;
    Ok(inside.parent().unwrap_or(root).to_owned())
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, StepError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io("listing", folder))? {
        let entry = entry.map_err(io("listing", folder))?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| said(format!("{}: expected a name in UTF-8", name.to_string_lossy())))?;
        found.push((name, entry.path()));
    }
    found.sort();
    Ok(found)
}

fn give(from: &Path, to: &Path) -> Result<(), StepError> {
    // Links are what they are, not where they lead.
    let is_folder = |path: &Path| path.symlink_metadata().map(|found| found.is_dir());
    match is_folder(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("looking at", to)(error)),
        Ok(true) if is_folder(from).map_err(io("looking at", from))? => {
            for (name, path) in entries(from)? {
                give(&path, &to.join(name))?;
            }
            return fs::remove_dir(from).map_err(io("removing", from));
        }
        Ok(true) => fs::remove_dir_all(to).map_err(io("replacing", to))?,
        Ok(false) => fs::remove_file(to).map_err(io("replacing", to))?,
    }
    fs::rename(from, to).map_err(io("giving back", to))
}

fn names(entries: &[(String, PathBuf)]) -> Vec<String> {
    entries.iter().map(|(name, _)| name.clone()).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
