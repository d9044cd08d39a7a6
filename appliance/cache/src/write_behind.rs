// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The disk begins to write a large file while more bytes of it come. Otherwise the kernel keeps them in memory, and
//! saving the file at its end waits for all of them.

use std::fs::File;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// Enough for any disk to write at its full speed.
const STRIDE_BYTES: u64 = 16 << 20;

/// How far a file that is written from its beginning to its end is.
#[derive(Debug)]
pub(crate) struct WriteBehind {
    written_bytes: u64,
    /// The disk was told to write everything before this.
    begun_bytes: u64,
}

impl WriteBehind {
    /// For a file that has this many bytes and is appended to.
    pub(crate) fn after(written_bytes: u64) -> Self {
        Self { written_bytes, begun_bytes: written_bytes }
    }

    /// `count` more bytes were written to the file.
    pub(crate) fn wrote(&mut self, file: &File, count: usize) {
        self.written_bytes += count as u64;
        let stride_bytes = self.written_bytes - self.begun_bytes;
        if stride_bytes < STRIDE_BYTES {
            return;
        }
        let (offset, len) = (i64::try_from(self.begun_bytes), i64::try_from(stride_bytes));
        if let (Ok(offset), Ok(len)) = (offset, len) {
            // Linux begins to write what of the range is not on disk yet, and does not wait. It is a hint: what fails is
            // said when the file is saved.
            let _ = posix_fadvise(file, offset, len, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
        self.begun_bytes = self.written_bytes;
    }
}
