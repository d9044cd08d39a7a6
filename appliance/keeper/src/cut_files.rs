// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files whose power can be cut, for tests: what was written and not synced may be there, may be missing, and may be half there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::files::Files;

const SECTOR_BYTES: usize = 512;

/// What the disk does with what was not synced when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All of it is lost.
    Lost,
    /// All of it was written.
    Written,
    /// Of what is longer than a sector the first was written; the names of files were, too.
    Torn,
}

pub(crate) const FATES: [Fate; 3] = [Fate::Lost, Fate::Written, Fate::Torn];

#[derive(Default)]
struct Inner {
    /// As programs see them.
    seen: BTreeMap<PathBuf, Vec<u8>>,
    /// As a power cut leaves them, at least.
    kept: BTreeMap<PathBuf, Vec<u8>>,
    steps: usize,
    cut_after: Option<usize>,
}

/// Files in memory.
#[derive(Default)]
pub(crate) struct CutFiles(Mutex<Inner>);

impl CutFiles {
    pub(crate) fn with(path: &Path, bytes: &[u8]) -> Self {
        let files = Self::default();
        {
            let mut inner = files.0.lock().expect("unpoisoned");
            inner.seen.insert(path.to_owned(), bytes.to_vec());
            inner.kept.insert(path.to_owned(), bytes.to_vec());
        }
        files
    }

    /// The power goes after so many steps that change something.
    pub(crate) fn cut_after(&self, steps: usize) {
        self.0.lock().expect("unpoisoned").cut_after = Some(steps);
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.lock().expect("unpoisoned").steps
    }

    /// What is on the disk after the power has gone.
    pub(crate) fn after(&self, fate: Fate) -> BTreeMap<PathBuf, Vec<u8>> {
        let inner = self.0.lock().expect("unpoisoned");
        match fate {
            Fate::Lost => inner.kept.clone(),
            Fate::Written => inner.seen.clone(),
            Fate::Torn => {
                let torn = |(path, new): (&PathBuf, &Vec<u8>)| {
                    let old = inner.kept.get(path);
                    let torn = match old {
                        Some(old) if old == new => new.clone(),
                        Some(old) => {
                            [&new[..new.len().min(SECTOR_BYTES)], old.get(SECTOR_BYTES..).unwrap_or_default()].concat()
                        }
                        None => new[..new.len().min(SECTOR_BYTES) / 2].to_vec(),
                    };
                    (path.clone(), torn)
                };
                inner.seen.iter().map(torn).collect()
            }
        }
    }

    fn step<T>(&self, step: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.0.lock().expect("unpoisoned");
        if inner.cut_after.is_some_and(|cut| inner.steps >= cut) {
            return Err(io::Error::other("the power is gone"));
        }
        inner.steps += 1;
        step(&mut inner)
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Files for CutFiles {
    fn read(&self, path: &Path, limit_bytes: usize) -> io::Result<Vec<u8>> {
        let inner = self.0.lock().expect("unpoisoned");
        let mut bytes = inner.seen.get(path).cloned().ok_or_else(missing)?;
        bytes.truncate(limit_bytes);
        Ok(bytes)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step(|inner| {
            inner.seen.insert(path.to_owned(), bytes.to_vec());
            Ok(())
        })
    }

    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step(|inner| {
            let file = inner.seen.get_mut(path).ok_or_else(missing)?;
            let length = bytes.len().min(file.len());
            file[..length].copy_from_slice(&bytes[..length]);
            Ok(())
        })
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step(|inner| {
            let bytes = inner.seen.get(path).ok_or_else(missing)?.clone();
            inner.kept.insert(path.to_owned(), bytes);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|inner| {
            let bytes = inner.seen.remove(from).ok_or_else(missing)?;
            inner.seen.insert(to.to_owned(), bytes.clone());
            // A name that got its place by the time of the cut leads to what is in the file: to what was synced.
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|inner| {
            let names: Vec<PathBuf> = inner.seen.keys().filter(|name| name.parent() == Some(path)).cloned().collect();
            inner.kept.retain(|name, _| name.parent() != Some(path) || names.contains(name));
            for name in names {
                let bytes = inner.seen.get(&name).cloned().unwrap_or_default();
                inner.kept.insert(name, bytes);
            }
            Ok(())
        })
    }
}
