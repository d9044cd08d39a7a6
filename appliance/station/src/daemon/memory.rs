// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the station keeps from one start to the next: `memory.json` in the folder of its state.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use platen_media::stored::{self, Stored, first_schema};
use serde::{Deserialize, Serialize};

use crate::core::Memory;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::replace::replace;

const FILE: &str = "memory.json";
/// A longer file is not ours.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The file.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default = "first_schema")]
    schema: u32,
    memory: Memory,
}

impl Stored for Document {
    const SCHEMA: u32 = 1;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// What was kept; nothing at the first start. A file that can't be read stops the station: going on without it would
/// count a batch anew that people count on.
pub(super) fn load(folder: &Path) -> Result<Memory, Failure> {
    let path = folder.join(FILE);
    let failed = |error: &dyn std::fmt::Display| {
        let text = format!("{}: {error}; move the file away to start without what was remembered", path.display());
        Failure::new(Exit::Machine, text)
    };
    match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Memory::default()),
        Err(error) => Err(failed(&error)),
        Ok(file) => {
            let bytes = platen_media::read_at_most(file, MAX_FILE_BYTES).map_err(|error| failed(&error))?;
            let document: Document =
                stored::read(&bytes.unwrap_or_default()).map_err(|error| failed(&platen_engine::chain(&error)))?;
            Ok(document.memory)
        }
    }
}

/// The folder is this program's alone for as long as the answer is kept: two stations would count one batch twice.
pub(super) fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join("lock");
    let opened = std::fs::create_dir_all(folder)
        .and_then(|()| File::options().create(true).truncate(false).write(true).mode(0o600).open(&path));
    let failed = |text: String| Failure::new(Exit::Machine, format!("{}: {text}", path.display()));
    let file = opened.map_err(|error| failed(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failed("another station already uses this folder".to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
    }
}

/// Keeps the newest memory, on a thread of its own: a disk may take its time.
pub(super) struct Saver {
    memories: Sender<Memory>,
    thread: JoinHandle<io::Result<()>>,
}

impl Saver {
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (path, (memories, given)) = (folder.join(FILE), channel::<Memory>());
        let thread = std::thread::Builder::new().name("memory".to_owned()).spawn(move || {
            let mut saved = Ok(());
            while let Ok(mut memory) = given.recv() {
                // Only the newest counts.
                while let Ok(newer) = given.try_recv() {
                    memory = newer;
                }
                saved = save(&path, memory);
                if let Err(error) = &saved {
                    tracing::error!(path = %path.display(), %error, "what is to be remembered can't be saved");
                }
            }
            saved
        })?;
        Ok(Self { memories, thread })
    }

    pub(super) fn save(&self, memory: Memory) {
        // A thread that is gone has panicked, which `finish` says.
        let _ = self.memories.send(memory);
    }

    /// Wait until all of it is saved.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let (memories, _) = channel();
        drop(std::mem::replace(&mut self.memories, memories));
        let Ok(idle) = std::thread::Builder::new().spawn(|| Ok(())) else { return Ok(()) };
        let saved = std::mem::replace(&mut self.thread, idle).join();
        let saved = saved.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        saved.map_err(|error| Failure::new(Exit::Machine, error))
    }
}

fn save(path: &Path, memory: Memory) -> io::Result<()> {
    let document = Document { schema: Document::SCHEMA, memory };
    replace(path, &serde_json::to_vec_pretty(&document)?, 0o600)
}
