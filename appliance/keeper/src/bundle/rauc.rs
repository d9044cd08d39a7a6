// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! RAUC, which checks signatures and writes slots. It is a program; what it says is for people, and is understood here as far
//! as it decides which code is shown.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use platen_events::Code;

use super::Refusal;
use crate::program::{self, Stdin, argument};

const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Of what it says while it installs, the last lines are kept.
const KEPT_LINES: usize = 8;
const MAX_LINE_BYTES: u64 = 1024;

/// What a bundle says of itself, whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// What it is for.
    pub compatible: String,
    /// The release it brings.
    pub version: String,
}

/// Look at a bundle.
pub(super) fn info(rauc: &Path, bundle: &Path) -> Result<Info, Refusal> {
    // For shells: RAUC has its JSON only where it is built with a library for it.
    let arguments = ["info", "--output-format=shell", &argument(bundle)];
    let failed = |error| Refusal::new(Code::UpdateFailed, crate::error::in_full(&error));
    let finished = program::run(&argument(rauc), &arguments, Stdin::Nothing, PATIENCE).map_err(failed)?;
    if !finished.status.success() {
        return Err(Refusal::new(code_of_look(&finished.errors), finished.failed()));
    }
    parse(&finished.output)
        .ok_or_else(|| Refusal::new(Code::UpdateDamaged, "expected that it says what it is for and its version"))
}

/// `RAUC_MF_VERSION='1.5.0'`. A value with a quote in it is none of ours.
pub(super) fn parse(shell: &str) -> Option<Info> {
    let value = |name: &str| {
        let mut quoted =
            shell.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix("='")?.strip_suffix('\''));
        quoted.next().filter(|value| !value.contains('\'')).map(str::to_owned)
    };
    Some(Info { compatible: value("RAUC_MF_COMPATIBLE")?, version: value("RAUC_MF_VERSION")? })
}

/// Whose key it is comes before what it says, and is known by OpenSSL's "Verify error"; a signature that does not fit its bytes
/// says otherwise.
pub(super) fn code_of_look(said: &str) -> Code {
    let says = |text: &str| said.contains(text);
    if says("Verify error") {
        Code::UpdateUntrusted
    } else if says("Invalid bundle") || says("signature") || says("manifest") || says("Signature") {
        Code::UpdateDamaged
    } else {
        Code::UpdateFailed
    }
}

/// Write a bundle to the other slot. It is told how far it is, from 0 to 100.
pub fn install(rauc: &Path, bundle: &Path, percent: &mut dyn FnMut(u8)) -> Result<(), Refusal> {
    let failed = |text: String| Refusal::new(Code::UpdateFailed, text);
    let mut command = Command::new(rauc);
    command.arg("install").arg(bundle).env("LC_ALL", "C").stdin(Stdio::null());
    let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| failed(format!("{}: {error}", rauc.display())))?;
    let errors = child.stderr.take().map(|stream| {
        thread::spawn(move || {
            let mut kept = Vec::new();
            lines(stream, &mut |line| keep(&mut kept, line));
            kept
        })
    });
    let mut said = Vec::new();
    if let Some(output) = child.stdout.take() {
        lines(output, &mut |line| match progress(&line) {
            Some(done) => percent(done),
            None => keep(&mut said, line),
        });
    }
    said.extend(errors.and_then(|errors| errors.join().ok()).unwrap_or_default());
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let said = said.join("; ");
            Err(Refusal::new(code_of_install(&said), format!("rauc install: {status}: {said}")))
        }
        Err(error) => Err(failed(format!("rauc install: {error}"))),
    }
}

fn keep(kept: &mut Vec<String>, line: String) {
    tracing::info!("rauc: {line}");
    if kept.len() == KEPT_LINES {
        kept.remove(0);
    }
    kept.push(line);
}

/// Line by line; of one without end, so much at a time.
fn lines(stream: impl Read, each: &mut dyn FnMut(String)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim();
                if !text.is_empty() {
                    each(text.to_owned());
                }
            }
        }
    }
}

/// ` 40% Checking bundle`.
pub(super) fn progress(line: &str) -> Option<u8> {
    let (number, _) = line.split_once('%')?;
    number.trim().parse().ok().filter(|percent| *percent <= 100)
}

pub(super) fn code_of_install(said: &str) -> Code {
    let says = |text: &str| said.contains(text);
    if says("No space left") {
        Code::UpdateNoRoom
    } else if says("Error reading from file") || says("Invalid bundle") {
        // The kernel found other bytes than were signed, and gives none.
        Code::UpdateDamaged
    } else if says("Verify error") || says("signature verification failed") {
        Code::UpdateUntrusted
    } else if says("Compatible mismatch") {
        Code::UpdateOtherBoard
    } else {
        Code::UpdateFailed
    }
}
