//! Which rights new files get.

use nix::sys::stat::{Mode, umask};

/// Files made from now on are written by nobody but their owner, whatever the shell that started the program allows.
/// Call it before the first file is made.
pub fn let_only_the_owner_write() {
    // Setting it is the only way to ask for it.
    let asked_for = umask(Mode::S_IWGRP | Mode::S_IWOTH);
    umask(asked_for | Mode::S_IWGRP | Mode::S_IWOTH);
}
