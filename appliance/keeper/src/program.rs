// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Other programs: started without a shell, given so long, and heard so much of.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::KeeperError;

/// Of what a program says, so much is kept.
const MAX_SAID_BYTES: u64 = 64 * 1024;
/// How often it is looked whether a program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// What a program reads.
#[derive(Debug, Clone, Copy)]
pub enum Stdin<'a> {
    /// Nothing.
    Nothing,
    /// This text.
    Text(&'a str),
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    program: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
}

impl Finished {
    /// Its output, if it ended well.
    pub fn successful(self) -> Result<String, KeeperError> {
        if self.status.success() { Ok(self.output) } else { Err(self.failed()) }
    }

    /// What it said as an error.
    pub fn failed(&self) -> KeeperError {
        let lines: Vec<&str> = self.errors.lines().chain(self.output.lines()).filter(|line| !line.is_empty()).collect();
        let said = lines.into_iter().rev().take(4).collect::<Vec<_>>();
        let said = said.into_iter().rev().collect::<Vec<_>>().join("; ");
        KeeperError::program(&self.program, format!("{}: {said}", self.status))
    }
}

/// Run a program to its end. One that takes longer is killed.
pub fn run(program: &str, arguments: &[&str], stdin: Stdin<'_>, patience: Duration) -> Result<Finished, KeeperError> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C");
    finish(program, command, stdin, patience)
}

/// Run a command to its end; `program` is what it is called in messages.
pub fn finish(
    program: &str,
    mut command: Command,
    stdin: Stdin<'_>,
    patience: Duration,
) -> Result<Finished, KeeperError> {
    let wrong = |error: std::io::Error| KeeperError::program(program, error);
    let input = if matches!(stdin, Stdin::Text(_)) { Stdio::piped() } else { Stdio::null() };
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(wrong)?;
    if let (Stdin::Text(text), Some(mut input)) = (stdin, child.stdin.take()) {
        // A program that does not read to the end says so by how it ends.
        let _ = input.write_all(text.as_bytes());
    }
    let output = listen(child.stdout.take());
    let errors = listen(child.stderr.take());
    let status = wait(&mut child, patience).map_err(wrong)?;
    let text = |listener: thread::JoinHandle<String>| listener.join().unwrap_or_default();
    let finished = Finished {
        program: program.to_owned(),
        status: status.ok_or_else(|| {
            KeeperError::program(program, format!("did not end within {} s, and was killed", patience.as_secs()))
        })?,
        output: text(output),
        errors: text(errors),
    };
    Ok(finished)
}

/// None: it took too long, and was killed.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Everything is read, so that the program is not held up; the beginning is kept.
fn listen(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let Some(mut stream) = stream else { return String::new() };
        let mut said = Vec::new();
        let _ = stream.by_ref().take(MAX_SAID_BYTES).read_to_end(&mut said);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        String::from_utf8_lossy(&said).into_owned()
    })
}

/// A path as a program's argument.
pub fn argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
