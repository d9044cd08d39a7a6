// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Commands of the sequence. Each is a process group of its own, so that its limit ends everything it has started.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::places::Places;
use super::programs::{failed, program};
use crate::engine::machine::{Ended, MachineError, Order};

/// What Windows calls `ERROR_TIMEOUT`, as sequences see it: 0x800705B4.
pub const TIMED_OUT: i64 = 0x8007_05B4;

/// As much of its output is kept.
const OUTPUT_BYTES: usize = 64 << 10;
/// A program that it left behind may hold its output open; that is not waited for longer.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs a command to its end, or to its limit.
pub(super) fn run(places: &Places, order: &Order) -> Result<Ended, MachineError> {
    let mut command = program(places, "sh")?;
    command.arg("-c").arg(&order.line).envs(&order.variables).process_group(0);
    command.current_dir(order.folder.as_deref().unwrap_or("/".as_ref()));
    let not_started = |error: io::Error| failed("sh", format!("the command can't be started: {error}"));
    let (reader, writer) = io::pipe().map_err(not_started)?;
    command.stdout(writer.try_clone().map_err(not_started)?).stderr(writer);
    let mut child = command.spawn().map_err(not_started)?;
    // It holds the other end of the pipe, whose reader would wait for it.
    drop(command);
    let (output, read_all) = collect(reader);
    let status =
        wait(&mut child, order.limit).map_err(|error| failed("sh", format!("can't be waited for: {error}")))?;
    let _ = read_all.recv_timeout(LAST_WORDS);
    let output: Vec<u8> = output.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    Ok(Ended { code: status.map_or(TIMED_OUT, exit_code), output: String::from_utf8_lossy(&output).into_owned() })
}

/// None: its limit came first.
fn wait(child: &mut Child, limit: Option<Duration>) -> io::Result<Option<ExitStatus>> {
    let Some(limit) = limit else { return child.wait().map(Some) };
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    child.wait()?;
    Ok(None)
}

/// As shells count: behind 128 the signal that ended it.
fn exit_code(status: ExitStatus) -> i64 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1).into()
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
