//! What this process makes is never writable by others.

use nix::sys::stat::{Mode, umask};

/// Add to the umask, whatever it is, that group and others may not write. A station started with `umask 000` would
/// otherwise let everybody change its media, keys and ledger.
pub fn keep_others_from_writing() {
    let others = Mode::S_IWGRP | Mode::S_IWOTH;
    let given = umask(others);
    umask(given | others);
}
