// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The other side of the program.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use platen_windows::registry::Change;
use serde::Deserialize;

use crate::{Applied, HiveError};

/// Longer than the program's own limit of processor time, for a slow disk.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// Most bytes of an answer that are read.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// What the program prints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Done(Applied),
    Refused { error: String },
}

/// Starts `program` (`platen-hive`), which makes all changes or none. Whatever the hive does to it stays with it.
pub fn apply_in_process_of_its_own(program: &Path, hive: &Path, changes: &[Change]) -> Result<Applied, HiveError> {
    let input = serde_json::to_vec(changes).unwrap_or_default();
    let mut child = Command::new(program)
        .arg(hive)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(HiveError::io("starting", program))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // All pipes at once: none may fill up while another is waited for.
    let (status, answer, said) = thread::scope(|scope| {
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(&input)));
        let answer = scope.spawn(|| first_bytes(stdout));
        let said = scope.spawn(|| first_bytes(stderr));
        let status = wait(&mut child);
        (status, answer.join().unwrap_or_default(), said.join().unwrap_or_default())
    });
    let status = status.map_err(HiveError::io("waiting for", program))?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Done(applied)) if status.is_some_and(|status| status.success()) => Ok(applied),
        Ok(Answer::Refused { error }) => Err(HiveError::Refused { path: hive.to_owned(), said: error }),
        _ => {
            let how =
                status.map_or(format!("after {} s, by force,", MAX_WAIT.as_secs()), |status| format!("with {status}"));
            let said = String::from_utf8_lossy(&said).trim().chars().take(500).collect();
            Err(HiveError::Ended { path: hive.to_owned(), how, said })
        }
    }
}

/// What comes first; the rest is read and dropped, so that whoever writes it gets on.
fn first_bytes(pipe: Option<impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.by_ref().take(MAX_ANSWER_BYTES).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    }
    bytes
}

/// None if it had to be ended.
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > MAX_WAIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}
