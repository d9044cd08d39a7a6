// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Byte-wise reading on top of a handle that only reads aligned sectors.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

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
/// goes first. While one window is worked on, a thread reads the next.
pub struct WindowReader {
    file: Arc<File>,
    size_bytes: u64,
    at_bytes: u64,
    /// Most recently used first.
    windows: Vec<Window>,
    ahead: Ahead,
}

impl WindowReader {
    /// Over a drive of `size_bytes`. The thread that reads ahead calls `prepare` before it reads anything: rights are
    /// given up by each thread for itself.
    pub fn new(file: File, size_bytes: u64, prepare: fn() -> io::Result<()>) -> io::Result<Self> {
        let file = Arc::new(file);
        let ahead = Ahead::start(Arc::clone(&file), size_bytes, prepare)?;
        Ok(Self { file, size_bytes, at_bytes: 0, windows: Vec::new(), ahead })
    }

    fn window(&mut self, at_bytes: u64) -> io::Result<&Window> {
        let start_bytes = at_bytes / WINDOW_BYTES * WINDOW_BYTES;
        if self.windows.first().is_none_or(|latest| latest.start_bytes != start_bytes) {
            let window = self.fetch(start_bytes)?;
            self.windows.insert(0, window);
        }
        Ok(&self.windows[0])
    }

    fn fetch(&mut self, start_bytes: u64) -> io::Result<Window> {
        if let Some(index) = self.windows.iter().position(|window| window.start_bytes == start_bytes) {
            return Ok(self.windows.remove(index));
        }
        let oldest = (self.windows.len() == WINDOWS).then(|| self.windows.pop()).flatten();
        let buffer = oldest.map_or_else(|| AlignedBuffer::new(WINDOW_BYTES as usize), |old| old.buffer);
        let next_bytes = start_bytes + WINDOW_BYTES;
        if let Some(window) = self.ahead.take(start_bytes) {
            self.ahead.begin(next_bytes, buffer);
            return window;
        }
        if self.windows.first().is_some_and(|last| last.start_bytes + WINDOW_BYTES == start_bytes) {
            self.ahead.begin(next_bytes, AlignedBuffer::new(WINDOW_BYTES as usize));
        }
        read(&self.file, self.size_bytes, start_bytes, buffer)
    }
}

fn read(file: &File, size_bytes: u64, start_bytes: u64, mut buffer: AlignedBuffer) -> io::Result<Window> {
    let len = (size_bytes - start_bytes).min(WINDOW_BYTES) as usize;
    file.read_exact_at(&mut buffer[..len], start_bytes)?;
    Ok(Window { start_bytes, len, buffer })
}

/// The thread that reads ahead, and the one window it is asked for.
struct Ahead {
    size_bytes: u64,
    ask: SyncSender<(u64, AlignedBuffer)>,
    answers: Receiver<io::Result<Window>>,
    asked: Option<u64>,
}

impl Ahead {
    fn start(file: Arc<File>, size_bytes: u64, prepare: fn() -> io::Result<()>) -> io::Result<Self> {
        let (ask, asked) = sync_channel::<(u64, AlignedBuffer)>(1);
        let (answer, answers) = sync_channel(1);
        let (ready, is_ready) = sync_channel(1);
        thread::Builder::new().spawn(move || {
            let prepared = prepare();
            let go_on = prepared.is_ok();
            let _ = ready.send(prepared);
            while go_on
                && let Ok((start_bytes, buffer)) = asked.recv()
                && answer.send(read(&file, size_bytes, start_bytes, buffer)).is_ok()
            {}
        })?;
        is_ready.recv().map_err(io::Error::other)??;
        Ok(Self { size_bytes, ask, answers, asked: None })
    }

    /// Read a window, unless it is behind the end. One that was asked for before and not taken is thrown away.
    fn begin(&mut self, start_bytes: u64, buffer: AlignedBuffer) {
        if self.asked.take().is_some() {
            let _ = self.answers.recv();
        }
        if start_bytes < self.size_bytes && self.ask.send((start_bytes, buffer)).is_ok() {
            self.asked = Some(start_bytes);
        }
    }

    /// The window that was asked for, if it is this one.
    fn take(&mut self, start_bytes: u64) -> Option<io::Result<Window>> {
        self.asked.take_if(|asked| *asked == start_bytes)?;
        self.answers.recv().ok()
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Whatever is read in whatever order, it is what is in the file, to its last byte.
    #[test]
    fn what_is_read_ahead_is_what_would_have_been_read() {
        let size_bytes = 7 * WINDOW_BYTES + 4096;
        let content: Vec<u8> = (0..size_bytes).map(|at| (at / 4096 + at) as u8).collect();
        let mut file = tempfile::tempfile().expect("a file");
        io::Write::write_all(&mut file, &content).expect("writes");
        let mut reader = WindowReader::new(file, size_bytes, || Ok(())).expect("starts");
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for round in 0..200 {
            // Now and then on from where it stands, else from anywhere, up to the end and past it.
            let at = if round % 3 == 0 { reader.at_bytes } else { random(size_bytes + 1) };
            let len = random(3 * WINDOW_BYTES);
            let mut found = Vec::new();
            reader.seek(SeekFrom::Start(at)).expect("seeks");
            reader.by_ref().take(len).read_to_end(&mut found).expect("reads");
            let end = (at + len).min(size_bytes) as usize;
            assert!(found == content[at as usize..end], "round {round}: {len} bytes at {at}");
        }
        assert!(reader.windows.len() <= WINDOWS);
    }

    #[test]
    fn the_thread_that_reads_ahead_is_prepared_and_without_that_there_is_none() {
        static PREPARED: AtomicUsize = AtomicUsize::new(0);
        let prepare = || {
            PREPARED.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let file = || tempfile::tempfile().expect("a file");
        WindowReader::new(file(), 0, prepare).expect("starts");
        assert_eq!(PREPARED.load(Ordering::SeqCst), 1, "before anything can be asked of it");
        let refused = WindowReader::new(file(), 0, || Err(io::Error::other("no rights to give up"))).err();
        assert_eq!(refused.expect("it is not started").to_string(), "no rights to give up");
    }

    /// What can't be read is said of the place that was asked for, not of one that was only read ahead.
    #[test]
    fn a_failure_ahead_is_told_when_its_place_is_asked_for() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(2 * WINDOW_BYTES).expect("sets");
        // The drive claims a window more than there is.
        let mut reader = WindowReader::new(file, 3 * WINDOW_BYTES, || Ok(())).expect("starts");
        let mut window = vec![1; WINDOW_BYTES as usize];
        reader.read_exact(&mut window).expect("the first");
        reader.read_exact(&mut window).expect("the second, while the third fails");
        reader.seek(SeekFrom::Start(0)).expect("seeks");
        reader.read_exact(&mut window).expect("the first again");
        reader.seek(SeekFrom::Start(2 * WINDOW_BYTES)).expect("seeks");
        assert_eq!(reader.read(&mut window).expect_err("not there").kind(), io::ErrorKind::UnexpectedEof);
    }
}
