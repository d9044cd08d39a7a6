// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What helps others to find a fault, in one folder. Keys, PINs and passwords are not among it: none of the files that are
//! taken has any.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platen_engine::{Clock, SystemClock};

use super::errands::{as_json, newest_rows};
use super::journal::JOURNALS;
use crate::config::StationConfig;
use crate::exit::Exit;
use crate::failure::Failure;

/// As many rows of the ledger, the newest.
const ROWS: usize = 1000;

/// Write them into a new folder in `into`, and say which. `record` is the whole state, as a client is told it.
pub(super) fn write(into: &Path, config: &StationConfig, record: &[Arc<str>]) -> Result<PathBuf, Failure> {
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
    put("history.json", &format!("{:#}\n", as_json(newest_rows(&config.paths.ledger, ROWS, |_| true)?)?))?;
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
