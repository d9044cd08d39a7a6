// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where a station keeps its things.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use platen_device::OwnFiles;
use platen_ledger::Ledger;

use crate::exit::Exit;
use crate::failure::Failure;

/// A station's own files, and what it is called.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The folder of the content store.
    pub cache: PathBuf,
    /// The folder of trusted public keys, or one such key.
    pub trust: PathBuf,
    /// The ledger's database.
    pub ledger: PathBuf,
    /// The folder in which updates of the station's own system wait. None: it has no part in that system.
    pub updates: Option<PathBuf>,
    /// The station's name, for drive records and the ledger.
    pub station: String,
}

impl Paths {
    /// The public half of the station's own key, which stands beside the ledger.
    pub(crate) fn station_key(&self) -> PathBuf {
        self.ledger.with_file_name("station.pub")
    }

    /// What no drive can be.
    pub(crate) fn own_files(&self) -> OwnFiles {
        OwnFiles::new([&self.cache, &self.trust, &self.ledger].map(Clone::clone))
    }
}

/// The ledger to append to, made where there is none.
pub fn open_ledger(path: &Path) -> Result<Ledger, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let text = |error| format!("making the ledger's folder {}: {error}", folder.display());
        let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
        made.map_err(|error| Failure::new(Exit::Machine, text(error)))?;
    }
    Ok(Ledger::open(path)?)
}
