// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Every input of the core, as it was decided on, so that what a station did can be seen again: [`replay`] takes a journal
//! and must come to the same effects.
//!
//! A journal begins with the whole state of the core and then has one line for each input, with a checksum of what followed
//! from it. When it is full it is put aside, in the place of the one before, and a new one is begun.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use platen_device::since_boot;
use platen_events::Event;
use serde::{Deserialize, Serialize};

use crate::core::{Effect, Input, OrderInput, Station};
use crate::exit::Exit;
use crate::failure::Failure;

const FILE: &str = "journal.jsonl";
const BEFORE: &str = "journal.1.jsonl";
/// Two files of this size are kept: hours of a busy station, months of an idle one.
const MAX_BYTES: u64 = 16 << 20;
/// Both, in the state folder.
pub(super) const JOURNALS: [&str; 2] = [BEFORE, FILE];
const SCHEMA: u32 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Beginning<S> {
    schema: u32,
    version: String,
    /// The core as it was.
    station: S,
}

/// Every other line.
#[derive(Serialize, Deserialize)]
struct Entry<I> {
    /// Since the computer was started.
    mono_ms: u64,
    input: I,
    /// CRC-32 of the effects as JSON.
    effects: u32,
}

/// The journal that is being written. A disk that takes nothing costs the journal, and nothing else.
pub(super) struct JournalFile {
    folder: PathBuf,
    file: Option<BufWriter<File>>,
    written_bytes: u64,
}

impl JournalFile {
    /// In this folder, which is made where it is not there. The one of the last start is put aside.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(|error| {
            Failure::new(
                Exit::Machine,
                format!("making the folder of the station's state {}: {error}", folder.display()),
            )
        })?;
        Ok(Self { folder: folder.to_owned(), file: None, written_bytes: u64::MAX })
    }

    /// A new one is due.
    pub(super) fn is_full(&self) -> bool {
        self.written_bytes >= MAX_BYTES
    }

    /// Begin a new one with the core as it is.
    pub(super) fn begin_anew(&mut self, station: &Station) {
        self.save();
        (self.file, self.written_bytes) = (None, 0);
        let begun = self.begin(station);
        self.file = begun.inspect_err(|error| tracing::warn!(%error, "no journal is kept")).ok();
    }

    fn begin(&mut self, station: &Station) -> io::Result<BufWriter<File>> {
        let path = self.folder.join(FILE);
        match fs::rename(&path, self.folder.join(BEFORE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut file = BufWriter::new(file);
        let beginning = Beginning { schema: SCHEMA, version: env!("CARGO_PKG_VERSION").to_owned(), station };
        let line = serde_json::to_string(&beginning)?;
        self.written_bytes = line.len() as u64;
        writeln!(file, "{line}")?;
        Ok(file)
    }

    /// Nothing is decided by how far a job is, and there is much of it.
    pub(super) fn writes(&self, input: &Input) -> bool {
        let is_progress =
            matches!(input, Input::Order(OrderInput::Told(Event::Progress { .. } | Event::ActionProgress { .. })));
        self.file.is_some() && !is_progress
    }

    pub(super) fn append(&mut self, input: &Input, effects: &[Effect]) {
        let entry = Entry { mono_ms: since_boot().as_millis() as u64, input, effects: checksum(effects) };
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_string(&entry).map_err(io::Error::from).and_then(|line| {
            self.written_bytes += line.len() as u64 + 1;
            writeln!(file, "{line}")
        });
        if let Err(error) = written {
            tracing::warn!(%error, "the journal ends here");
            self.file = None;
        }
    }

    /// Everything is in the file.
    pub(super) fn save(&mut self) {
        if let Some(Err(error)) = self.file.as_mut().map(Write::flush) {
            tracing::warn!(%error, "the journal ends here");
            self.file = None;
        }
    }
}

fn checksum(effects: &[Effect]) -> u32 {
    crc32fast::hash(&serde_json::to_vec(effects).unwrap_or_default())
}

/// What a journal led to.
#[derive(Debug)]
pub struct Replayed {
    /// The core as it was in the end, but for how far jobs were.
    pub station: Station,
    /// How many inputs there were.
    pub inputs: u64,
    /// The first line, counted from 1, after which other effects followed than were recorded.
    pub differs_at: Option<u64>,
}

/// Go through a journal again. `each` is given every input and what followed from it.
pub fn replay(path: &Path, each: &mut dyn FnMut(u64, &Input, &[Effect])) -> Result<Replayed, Failure> {
    let failed = |line: u64, error: &dyn std::fmt::Display| {
        Failure::new(Exit::Request, format!("{}: line {line}: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| failed(0, &error))?;
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().ok_or_else(|| failed(1, &"expected a journal, found an empty file"))?;
    let first = first.map_err(|error| failed(1, &error))?;
    let beginning: Beginning<Station> = serde_json::from_str(&first).map_err(|error| failed(1, &error))?;
    if beginning.schema != SCHEMA {
        let found = beginning.schema;
        return Err(failed(1, &format!("expected schema {SCHEMA}, found {found}: use the version that wrote it")));
    }
    let mut replayed = Replayed { station: beginning.station, inputs: 0, differs_at: None };
    let mut lines = lines.zip(2..).peekable();
    while let Some((line, number)) = lines.next() {
        let line = line.map_err(|error| failed(number, &error))?;
        let entry: Entry<Input> = match serde_json::from_str(&line) {
            Ok(entry) => entry,
            // The power may have been cut while it was written.
            Err(_) if lines.peek().is_none() => break,
            Err(error) => return Err(failed(number, &error)),
        };
        let effects = replayed.station.step(entry.input.clone());
        replayed.inputs += 1;
        if checksum(&effects) != entry.effects && replayed.differs_at.is_none() {
            replayed.differs_at = Some(number);
        }
        each(number, &entry.input, &effects);
    }
    Ok(replayed)
}
