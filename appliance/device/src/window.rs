//! Byte-wise reading on top of a handle that only reads aligned sectors.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use platen_engine::AlignedBuffer;

const WINDOW_BYTES: u64 = 1 << 20;
/// A file system reader goes to and fro between allocation table, folder and file.
const WINDOWS: usize = 4;

struct Window {
    start_bytes: u64,
    len: usize,
    buffer: AlignedBuffer,
}

/// `Read` and `Seek` over a file or block device opened with O_DIRECT. Keeps the last few MiB, least recently used
/// goes first.
pub struct WindowReader {
    file: File,
    size_bytes: u64,
    at_bytes: u64,
    /// Most recently used first.
    windows: Vec<Window>,
}

impl WindowReader {
    /// Over a drive of `size_bytes`.
    pub fn new(file: File, size_bytes: u64) -> Self {
        Self { file, size_bytes, at_bytes: 0, windows: Vec::new() }
    }

    fn window(&mut self, at_bytes: u64) -> io::Result<&Window> {
        let start_bytes = at_bytes / WINDOW_BYTES * WINDOW_BYTES;
        let known = self.windows.iter().position(|window| window.start_bytes == start_bytes);
        let window = match known {
            Some(index) => self.windows.remove(index),
            None => {
                let oldest = (self.windows.len() == WINDOWS).then(|| self.windows.pop()).flatten();
                let mut buffer = oldest.map_or_else(|| AlignedBuffer::new(WINDOW_BYTES as usize), |old| old.buffer);
                let len = (self.size_bytes - start_bytes).min(WINDOW_BYTES) as usize;
                self.file.read_exact_at(&mut buffer[..len], start_bytes)?;
                Window { start_bytes, len, buffer }
            }
        };
        self.windows.insert(0, window);
        Ok(&self.windows[0])
    }
}

impl Read for WindowReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at_bytes >= self.size_bytes || bytes.is_empty() {
            return Ok(0);
        }
        let at_bytes = self.at_bytes;
        let window = self.window(at_bytes)?;
        let from = (at_bytes - window.start_bytes) as usize;
        let len = bytes.len().min(window.len - from);
        bytes[..len].copy_from_slice(&window.buffer[from..from + len]);
        self.at_bytes += len as u64;
        Ok(len)
    }
}

impl Seek for WindowReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at_bytes.checked_add_signed(by),
        };
        self.at_bytes = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at_bytes)
    }
}
