// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The log: what this program and the station say, in two files that do not grow without end. It is kept in memory until there
//! is a disk for it; what the disk has no room for is lost, and nothing waits for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing_subscriber::fmt::MakeWriter;

/// Of each of both files.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Before there is a file.
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// The log.
#[derive(Default)]
pub struct Log {
    inner: Mutex<Inner>,
    /// Each line goes to standard error, too: for who sits at a console, where there is one.
    is_at_console: bool,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<u8>,
    file: Option<Open>,
}

struct Open {
    path: PathBuf,
    file: File,
    size_bytes: u64,
}

impl Log {
    /// Of the program: seen at the console, too.
    pub fn at_console() -> Self {
        Self { is_at_console: true, ..Self::default() }
    }

    /// It is kept in this folder from now on.
    pub fn open(&self, folder: &Path) -> io::Result<()> {
        let mut open = Open::new(folder.join("platen.log"))?;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut inner.waiting);
        let written = open.write(&waiting);
        inner.file = Some(open);
        written
    }

    /// It is in memory from now on: its disk is taken away.
    pub fn close(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).file = None;
    }

    /// A line, with who said it. What is no text is shown as a blank.
    pub fn line(&self, who: &str, text: &str) {
        let text: String = text.trim_end().chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        if text.is_empty() {
            return;
        }
        let now = OffsetDateTime::now_utc().replace_nanosecond(0).ok().and_then(|now| now.format(&Rfc3339).ok());
        let line = format!("{} {who}: {text}\n", now.unwrap_or_default());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { waiting, file } = &mut *inner;
        match file {
            // There is nobody to be told.
            Some(open) => drop(open.write(line.as_bytes())),
            None if waiting.len() + line.len() <= MAX_WAITING_BYTES => waiting.extend(line.bytes()),
            None => {}
        }
        if self.is_at_console {
            drop(io::stderr().write_all(line.as_bytes()));
        }
    }
}

impl Open {
    fn new(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { path, file, size_bytes })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size_bytes + line.len() as u64 > MAX_FILE_BYTES {
            fs::rename(&self.path, self.path.with_extension("1.log"))?;
            *self = Self::new(self.path.clone())?;
        }
        self.file.write_all(line)?;
        self.size_bytes += line.len() as u64;
        Ok(())
    }
}

/// Where this program's own messages go.
pub struct OwnLines(pub std::sync::Arc<Log>);

impl<'a> MakeWriter<'a> for OwnLines {
    type Writer = OwnLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        OwnLine(&self.0)
    }
}

/// One message of this program.
pub struct OwnLine<'a>(&'a Log);

impl Write for OwnLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.line("platen-keeper", &String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
