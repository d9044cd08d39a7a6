// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's settings: the image's own, and over them what people put into the folder `platen` of the boot partition,
//! which a PC can write to. Each file there takes the place of the image's.
//!
//! Settings that the station does not take would leave a box that shows nothing. So it is asked first, and goes on with
//! the image's own where it must.
//!
//! The map of ports is the one file that the station writes, too: it learns which socket has which label. So it is laid into the
//! station's own folder, and stays there as it was learnt, unless somebody brings another one.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::KeeperError;
use crate::places::Places;

/// Files that may be brought. Everything else is left where it is.
const FILES: [&str; 2] = ["station.toml", MAP];
const MAP: &str = "ports.toml";
const KEYS: &str = "keys";
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const MAX_KEYS: usize = 64;

/// Make the folder with the settings in use. `check` says whether the station takes those that are there.
pub fn prepare(places: &Places, check: &dyn Fn() -> Result<(), KeeperError>) -> Result<(), KeeperError> {
    let is_brought = lay(places, true)?;
    let is_map_brought = places.brought_settings().join(MAP).is_file();
    place_map(places, is_map_brought)?;
    if is_brought {
        match check() {
            Ok(()) => tracing::info!("settings from the boot partition are in use"),
            Err(error) => {
                tracing::error!("settings on the boot partition are not used: {error}");
                lay(places, false)?;
                place_map(places, is_map_brought)?;
            }
        }
    }
    Ok(())
}

/// The map of ports in use, where the station can write to it: one that is there already stays, unless it is to be replaced.
fn place_map(places: &Places, is_replaced: bool) -> Result<(), KeeperError> {
    let (from, to) = (places.settings().join(MAP), places.station_data().join(MAP));
    // A board may have none.
    if !from.exists() || (!is_replaced && to.symlink_metadata().is_ok()) {
        return Ok(());
    }
    let bytes = fs::read(&from).map_err(KeeperError::file(&from, "read it"))?;
    let place = || {
        match fs::remove_file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The folder is the station's, which could put a link there: none is followed.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&to)?;
        file.write_all(&bytes)?;
        file.sync_all()
    };
    place().map_err(KeeperError::file(&to, "put the map of ports in place"))
}

/// Lay the files over each other; whether any were brought.
fn lay(places: &Places, with_brought: bool) -> Result<bool, KeeperError> {
    let into = places.settings();
    let new = into.with_extension("new");
    let wrong = |doing| KeeperError::file(&new, doing);
    remove(&new).map_err(wrong("clear it"))?;
    fs::create_dir_all(new.join(KEYS)).map_err(wrong("make it"))?;
    let image = take(&places.image_settings(), &new)?;
    tracing::debug!("{image} of the image's own settings");
    let brought = if with_brought { take(&places.brought_settings(), &new)? } else { 0 };
    remove(&into).map_err(KeeperError::file(&into, "clear it"))?;
    fs::rename(&new, &into).map_err(KeeperError::file(&into, "put it in place"))?;
    Ok(brought > 0)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copy what is known from a folder, which may be missing.
fn take(from: &Path, into: &Path) -> Result<usize, KeeperError> {
    let mut taken = 0;
    for name in FILES {
        taken += copy(&from.join(name), &into.join(name))?;
    }
    let Ok(keys) = fs::read_dir(from.join(KEYS)) else { return Ok(taken) };
    let mut names: Vec<_> = keys.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pub")));
    names.sort();
    if names.len() > MAX_KEYS {
        tracing::error!("{}: {} keys, only the first {MAX_KEYS} are used", from.display(), names.len());
    }
    for name in names.iter().take(MAX_KEYS) {
        // FAT keeps no case in short names.
        let name_there = Path::new(name).with_extension("pub");
        taken += copy(&from.join(KEYS).join(name), &into.join(KEYS).join(name_there))?;
    }
    Ok(taken)
}

/// How many were copied: one, or none where there is no such file. One that is too long or can't be read is left out.
fn copy(from: &Path, to: &Path) -> Result<usize, KeeperError> {
    let mut bytes = Vec::new();
    let read = fs::File::open(from).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => {
            tracing::error!("{}: left out: {error}", from.display());
            return Ok(0);
        }
        Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => {
            tracing::error!("{}: left out: expected at most {MAX_FILE_BYTES} bytes", from.display());
            return Ok(0);
        }
        Ok(_) => {}
    }
    let written = fs::write(to, &bytes).and_then(|()| fs::set_permissions(to, fs::Permissions::from_mode(0o644)));
    written.map(|()| 1).map_err(KeeperError::file(to, "write it"))
}

#[cfg(test)]
mod tests;
