// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What GRUB knows, in `grubenv` on the boot partition.
//!
//! The file keeps its place on the disk: GRUB writes to it too, and the sectors that the variables lie in are one. So a power
//! cut leaves the old or the new one. Only a file of another length is replaced.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::{BootState, Store, grubenv};
use crate::error::KeeperError;
use crate::files::{self, Files};

/// Lets the boot partition be written to while something is done.
pub trait Unlock: Send + Sync {
    /// It can be written to from now on, or not any more.
    fn set_writable(&self, is_writable: bool) -> Result<(), KeeperError>;
}

/// GRUB's environment block.
pub struct Grub {
    /// The file.
    pub path: PathBuf,
    /// How it is reached.
    pub files: Arc<dyn Files>,
    /// The file system it is on.
    pub partition: Arc<dyn Unlock>,
    /// Held while it is changed.
    pub lock: PathBuf,
}

/// What is in the file.
struct Found {
    variables: BTreeMap<String, String>,
    /// It is as long as it should be, and can be written over.
    is_whole: bool,
}

impl Grub {
    fn find(&self) -> Option<Found> {
        let block = match self.files.read(&self.path, grubenv::MAX_BYTES + 1) {
            Ok(block) => block,
            Err(error) => {
                tracing::warn!("{}: can't be read, GRUB has its defaults: {error}", self.path.display());
                return None;
            }
        };
        let variables = grubenv::parse(&block)
            .map_err(|error| tracing::warn!("{}: {error}; GRUB has its defaults", self.path.display()));
        Some(Found { variables: variables.ok()?, is_whole: block.len() == grubenv::SIZE_BYTES })
    }

    fn save(&self, block: &[u8], is_whole: bool) -> Result<(), KeeperError> {
        if is_whole {
            let saved = self.files.overwrite(&self.path, block).and_then(|()| self.files.sync(&self.path));
            return saved.map_err(KeeperError::file(&self.path, "overwrite it"));
        }
        files::replace(&*self.files, &self.path, block)
    }
}

impl Store for Grub {
    fn lock(&self) -> Result<File, KeeperError> {
        super::lock(&self.lock)
    }

    fn read(&self) -> Result<BootState, KeeperError> {
        Ok(self.find().map_or_else(BootState::default, |found| BootState::from_variables(&found.variables)))
    }

    fn write(&self, state: &BootState) -> Result<(), KeeperError> {
        // What others keep there stays.
        let found = self.find().unwrap_or(Found { variables: BTreeMap::new(), is_whole: false });
        let (mut variables, is_whole) = (found.variables, found.is_whole);
        variables.extend(state.variables());
        let block = grubenv::render(&variables).map_err(|error| KeeperError::Content {
            path: self.path.clone(),
            expected: "variables that fit into one sector",
            found: error.to_string(),
        })?;
        self.partition.set_writable(true)?;
        let saved = self.save(&block, is_whole);
        let closed = self.partition.set_writable(false);
        saved.and(closed)
    }
}
