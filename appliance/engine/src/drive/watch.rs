// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking at a drive takes long and may hang, so somebody watches.

/// Follows how a drive is looked at, and says whether the result is still wanted.
pub trait Watch {
    /// False: stop, nobody waits any more.
    fn is_wanted(&self) -> bool;
    /// Another process reads the drive, and has got on since this was called last.
    fn heard(&self);
    /// That process has ended.
    fn is_over(&self);
    /// `done_bytes` of `total_bytes` were read. The total is said first, with 0, and stays the same.
    fn progress(&self, done_bytes: u64, total_bytes: u64);
}
