// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Locks between processes: for as long as something is read, changed and replaced, nobody else does.

use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use tracing::warn;

use crate::CacheError;

/// How often a lock that somebody holds is asked for again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Most waits are for the moment of a change.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// A lock that is held until this is dropped.
pub(crate) struct Lock(File);

impl Lock {
    /// Lock the file `path`, which is made where there is none. While another process holds it, wait for up to `limit`,
    /// and say so once.
    pub(crate) fn take(path: &Path, limit: Duration) -> Result<Self, CacheError> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let file = open(path).map_err(CacheError::io("opening", path))?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => return Ok(Self(file)),
                // Somebody removed the file meanwhile: a lock on a file that nobody else finds locks nothing.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) if begun.elapsed() >= limit => {
                    return Err(CacheError::Locked { path: path.to_owned(), waited_s: begun.elapsed().as_secs() });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(CacheError::io("locking", path)(error)),
            }
            if !told && begun.elapsed() >= WORTH_TELLING {
                warn!("another platen process is at work in {}; waiting for it", path.display());
                told = true;
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }
}

/// Whoever may open a file can lock it, be it only for reading; so nobody but its owner may.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file"));
    }
    if found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(found)) => id(open) == id(found),
        _ => false,
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process forked meanwhile has the file too, and would go on holding the lock.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_can_hold_it_whatever_it_was_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        let mode = || path.metadata().expect("there").mode() & 0o777;
        drop(Lock::take(&path, Duration::ZERO).expect("free"));
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("sets");
        drop(Lock::take(&path, Duration::ZERO).expect("free"));
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn who_comes_later_waits_and_is_refused_in_the_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        let held = Lock::take(&path, Duration::ZERO).expect("free");
        let refused = Lock::take(&path, ASK_AGAIN * 3).err().expect("held");
        assert!(matches!(refused, CacheError::Locked { .. }), "{refused}");
        std::thread::scope(|scope| {
            let later = scope.spawn(|| Lock::take(&path, Duration::from_secs(60)).map(drop));
            drop(held);
            later.join().expect("no panic").expect("free by then");
        });
    }

    #[test]
    fn a_link_or_pipe_in_its_place_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink(dir.path().join("other"), &path).expect("links");
        let refused = Lock::take(&path, Duration::ZERO).err().expect("a link");
        assert!(matches!(&refused, CacheError::Io { path: named, .. } if *named == path), "{refused}");
        assert!(!dir.path().join("other").exists());
    }
}
