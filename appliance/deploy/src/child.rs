// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A command that runs: to its end or to its limit, with the last of what it printed.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As much of its output is kept.
const OUTPUT_BYTES: usize = 64 << 10;
/// A program that it left behind may hold its output open; that is not waited for longer.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How it ended.
pub(crate) struct Finished {
    /// None: its limit came first.
    pub(crate) status: Option<ExitStatus>,
    /// The end of what it printed, at most 64 KiB.
    pub(crate) output: Vec<u8>,
}

/// Runs it, with nothing to read. At its limit `end` ends it, with all that it has started.
pub(crate) fn finish(
    mut command: Command,
    limit: Option<Duration>,
    end: impl FnOnce(&mut Child),
) -> io::Result<Finished> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // It holds the other end of the pipe, whose reader would wait for it.
    drop(command);
    let (output, read_all) = collect(reader);
    let status = wait(&mut child, limit, end)?;
    let _ = read_all.recv_timeout(LAST_WORDS);
    let output = output.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    Ok(Finished { status, output })
}

fn wait(child: &mut Child, limit: Option<Duration>, end: impl FnOnce(&mut Child)) -> io::Result<Option<ExitStatus>> {
    let Some(limit) = limit else { return child.wait().map(Some) };
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    end(child);
    child.wait()?;
    Ok(None)
}

/// Reads to the end in a thread of its own, and keeps the last bytes.
fn collect(mut reader: PipeReader) -> (Arc<Mutex<VecDeque<u8>>>, Receiver<()>) {
    let kept = Arc::new(Mutex::new(VecDeque::new()));
    let (done, read_all) = channel();
    let into = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&piece[..count]);
            let over = kept.len().saturating_sub(OUTPUT_BYTES);
            kept.drain(..over);
        }
        let _ = done.send(());
    });
    (kept, read_all)
}
