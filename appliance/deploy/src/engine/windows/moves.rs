// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What `move` does. Done twice it is not the same: the source is gone. So what goes where is kept before the first of it is
//! touched, and a step that comes again after a power cut does what is left of that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use platen_sequence::run::Cursor;
use serde::{Deserialize, Serialize};

use super::files::{copy_whole, counted, parted, sources, target, two};
use super::offline::Paths;
use super::{Carrier, StepError, make_folder, read, said};

/// In the state's folder.
const MOVES: &str = "moves.json";
/// Some 100,000 files.
const MAX_MOVES_BYTES: u64 = 64 << 20;

/// What a step moves.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Moves {
    /// The step, and which try of it.
    cursor: Cursor,
    moves: Vec<Move>,
}

/// A file or folder, and its new name. A folder's was free.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Move {
    from: PathBuf,
    to: PathBuf,
}

impl Carrier<'_> {
    pub(super) fn move_files(&mut self, paths: &Paths, words: &[&str]) -> Result<String, StepError> {
        let moves = match self.kept_moves()? {
            Some(kept) if kept.cursor == *self.cursor() => kept.moves,
            _ => {
                let moves = Moves { cursor: self.cursor().clone(), moves: planned(paths, words)? };
                let json = serde_json::to_vec(&moves).map_err(|error| said(format!("names of files: {error}")))?;
                self.store.keep_file(MOVES, &json)?;
                moves.moves
            }
        };
        for it in &moves {
            let failed = |error| said(format!("moving {} to {}: {error}", it.from.display(), it.to.display()));
            match it.rename() {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    for operation in Move::ACROSS {
                        operation(it).map_err(failed)?;
                        // The next one takes away what this one made superfluous.
                        self.machine.sync()?;
                    }
                }
                renamed => renamed.map_err(failed)?,
            }
        }
        self.machine.sync()?;
        Ok(match &moves[..] {
            [one] if one.to.is_dir() => "1 folder".to_owned(),
            moves => counted(moves.len()),
        })
    }

    fn kept_moves(&self) -> Result<Option<Moves>, StepError> {
        let path = self.store.folder().join(MOVES);
        if !path.exists() {
            return Ok(None);
        }
        let moves = serde_json::from_slice(&read(&path, MAX_MOVES_BYTES)?);
        moves.map(Some).map_err(|error| said(format!("{}: {error}", path.display())))
    }
}

/// Nothing is moved yet; folders that are missing are made.
fn planned(paths: &Paths, words: &[&str]) -> Result<Vec<Move>, StepError> {
    let (operands, _) = parted(words, &["/y", "/-y"], &[])?;
    let (from, to) = two(&operands)?;
    if let Some(folder) = paths.resolve_plain(from)?.filter(|path| path.is_dir()) {
        let target = target(paths, to, false)?.of(&folder)?;
        if is_there(&target) {
            return Err(said(format!("{to}: expected no {} there, found one; remove it first", target.display())));
        }
        if target.starts_with(&folder) {
            return Err(said(format!("{from}: a folder can't be moved into itself")));
        }
        make_folder(target.parent().unwrap_or(&target))?;
        return Ok(vec![Move { from: folder, to: target }]);
    }
    let (sources, is_pattern) = sources(paths, from)?;
    let target = target(paths, to, is_pattern)?;
    let moves = sources.into_iter().map(|from| {
        let to = target.of(&from)?;
        make_folder(to.parent().unwrap_or(&to))?;
        Ok(Move { from, to })
    });
    moves.collect()
}

impl Move {
    /// To another volume: each of them finds out what is left of it.
    const ACROSS: [fn(&Self) -> io::Result<()>; 3] = [Self::copy, Self::put, Self::remove];

    /// Within a volume, whole or not at all.
    fn rename(&self) -> io::Result<()> {
        match (is_there(&self.from), is_there(&self.to)) {
            (false, true) => Ok(()),
            // It has come to another volume, and its removal was cut off.
            (true, true) if self.from.is_dir() => self.remove(),
            _ => fs::rename(&self.from, &self.to),
        }
    }

    fn copy(&self) -> io::Result<()> {
        if !is_there(&self.from) || (self.from.is_dir() && is_there(&self.to)) {
            return Ok(());
        }
        let half = self.half();
        remove(&half)?;
        if self.from.is_dir() {
            return copy_whole(&self.from, &half).map(drop).map_err(io::Error::other);
        }
        fs::copy(&self.from, &half).map(drop)
    }

    fn put(&self) -> io::Result<()> {
        let half = self.half();
        if is_there(&half) { fs::rename(&half, &self.to) } else { Ok(()) }
    }

    fn remove(&self) -> io::Result<()> {
        remove(&self.from)
    }

    /// Beside the new name.
    fn half(&self) -> PathBuf {
        let mut half = self.to.clone().into_os_string();
        half.push(".new");
        half.into()
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// With all that is in it; nothing where it is not there.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests;
