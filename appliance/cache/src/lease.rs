// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium that is being used keeps its content, whatever is imported and collected meanwhile.
//!
//! A lease is a shared lock on the medium's OCI manifest, the one file from which all its blobs are reached. Collection
//! asks for that lock exclusively before it removes anything, so a leased manifest counts like one that is in the index.
//! The kernel gives a lock back when its holder dies.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use tracing::warn;

use crate::files::open_regular;

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease(File);

impl Lease {
    /// Lease the medium whose OCI manifest is in `path`. None: a collection looks at it at this moment.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = open_regular(path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                // A file system without locks: reading from it must stay possible.
                warn!("{} can't be kept from being collected: {error}", path.display());
                Ok(Some(Self(file)))
            }
        }
    }

    /// Whether somebody holds a lease on the medium whose OCI manifest is in `path`.
    pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
        let file = open_regular(path)?;
        match file.try_lock() {
            Ok(()) => file.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Closing is not enough: a process forked meanwhile has the file too, and would go on holding the lock.
        let _ = self.0.unlock();
    }
}
