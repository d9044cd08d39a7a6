// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What helps others to find a fault, in one folder. Keys, PINs and passwords are not among it: none of the files that are
//! taken has any.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platen_engine::{Clock, SystemClock};
use platen_ledger::Ledger;
use serde_json::{Value, json};

use super::journal::JOURNALS;
use super::{Happening, Say};
use crate::config::StationConfig;
use crate::core::ClientId;
use crate::exit::Exit;
use crate::failure::Failure;

/// As many rows of the ledger, the newest.
const ROWS: usize = 1000;

/// What only the station's own thread knows.
pub(super) struct Sources {
    pub(super) config: StationConfig,
    /// The whole state, as a client is told it.
    pub(super) record: Vec<Arc<str>>,
}

/// Write it on a thread of its own, and answer the client.
pub(super) fn run(client: ClientId, request: u64, folder: String, sources: Sources, say: &Say) {
    let own = say.clone();
    let thread = std::thread::Builder::new().name("diagnostics".to_owned()).spawn(move || {
        let written = write(Path::new(&folder), &sources);
        let ran = written.map(|folder| json!({ "folder": folder }));
        own.say(Happening::Ran(client, request, ran));
    });
    if let Err(error) = thread {
        say.say(Happening::Ran(client, request, Err(Failure::new(Exit::Machine, error))));
    }
}

fn write(into: &Path, sources: &Sources) -> Result<PathBuf, Failure> {
    let Sources { config, record } = sources;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Failure::new(Exit::Machine, format!("writing {}: {error}", path.display()))
    };
    let name = format!("platen-{}-{}", config.name, SystemClock::new().now()).replace([':', '/'], "-");
    let folder = into.join(name);
    // Never into one that is there: somebody else may have made it to be written through.
    fs::create_dir(&folder).map_err(failed(&folder))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(failed(&path))
    };
    put("versions.txt", &versions())?;
    put("settings.txt", &format!("{config:#?}\n"))?;
    put("record.jsonl", &record.concat())?;
    put("history.json", &history(config)?)?;
    let state = JOURNALS.map(|name| config.paths.state.join(name));
    for file in state.iter().chain([&config.paths.ports]) {
        let to = folder.join(file.file_name().unwrap_or_default());
        match fs::copy(file, &to) {
            // There is only one journal yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => drop(copied.map_err(failed(&to))?),
        }
    }
    Ok(folder)
}

fn versions() -> String {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let system = line("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    format!("platend {}\n{system}\n{}", env!("CARGO_PKG_VERSION"), line("/proc/version"))
}

fn history(config: &StationConfig) -> Result<String, Failure> {
    let mut rows = Ledger::open_existing(&config.paths.ledger)?.entries()?;
    let newest = rows.split_off(rows.len().saturating_sub(ROWS));
    let value: Value = serde_json::to_value(newest).map_err(|error| Failure::new(Exit::Machine, error))?;
    Ok(format!("{value:#}\n"))
}
