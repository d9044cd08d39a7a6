// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The disk begins to write a large file while more bytes of it come. Otherwise the kernel keeps them in memory, and
//! saving the file at its end waits for all of them.

use std::fs::File;
use std::io;

use crate::pieces::Beside;

/// Enough for any disk to write at its full speed.
const STRIDE_BYTES: u64 = 32 << 20;

/// Saves what was written to a file so far, again and again, on a thread of its own.
#[derive(Default)]
pub(crate) struct WriteBehind {
    unsaved_bytes: u64,
    /// None as long as there is little to save.
    saver: Option<Beside<Saver, ()>>,
}

struct Saver {
    file: File,
    saved: io::Result<()>,
}

impl WriteBehind {
    /// `count` more bytes were written to the file.
    pub(crate) fn wrote(&mut self, file: &File, count: usize) -> io::Result<()> {
        self.unsaved_bytes += count as u64;
        if self.unsaved_bytes < STRIDE_BYTES {
            return Ok(());
        }
        self.unsaved_bytes = 0;
        let saver = match &self.saver {
            Some(saver) => saver,
            None => {
                let saver = Saver { file: file.try_clone()?, saved: Ok(()) };
                self.saver.insert(Beside::start(saver, |saver: &mut Saver, ()| {
                    if saver.saved.is_ok() {
                        saver.saved = saver.file.sync_data();
                    }
                })?)
            }
        };
        saver.give(());
        Ok(())
    }

    /// Save all of the file. The kernel tells of a failed write once, so what the thread was told counts too.
    pub(crate) fn save(self, file: &File) -> io::Result<()> {
        self.saver.map_or(Ok(()), |saver| saver.finish().saved)?;
        file.sync_all()
    }
}
