// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking at what was brought.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use platen_events::{Code, MAX_UPDATE_BYTES};

use super::Refusal;
use super::rauc::{self, Info};
use crate::kernel;
use crate::places::Places;
use crate::version::Version;

/// Of files that were brought, so many are looked at.
const MAX_FILES: usize = 16;
/// Is left on the disk for everything else.
const MARGIN_BYTES: u64 = 64 * 1024 * 1024;

/// What updates are compared with.
#[derive(Debug, Clone)]
pub struct Running {
    /// The board.
    pub board: String,
    /// The release that runs.
    pub version: Version,
    /// The newest that was ever healthy here; without one it is the one that runs.
    pub floor: Option<Version>,
}

/// What came of looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// There is no update.
    Nothing,
    /// This one may be installed.
    Offered {
        /// The release it brings.
        version: String,
        /// It is older than what was in use here.
        is_older: bool,
    },
    /// There was one, which is not taken.
    Refused(Refusal),
}

/// An update that may be installed.
struct Offer {
    version: Version,
    is_older: bool,
}

/// Look at what was brought, and at the offer that was made before. The newest that may be installed is kept; everything else
/// is removed.
pub fn look(places: &Places, running: &Running) -> Looked {
    // One that a power cut left there.
    remove(&places.candidate());
    let mut best = kept(places, running);
    let mut refused = None;
    for brought in brought(&places.incoming()) {
        let taken = take(places, &brought).and_then(|()| judge(places, &places.candidate(), running));
        match taken {
            // Of the same release the one that was brought last: the other may have been damaged on its way.
            Ok(offer) if best.as_ref().is_none_or(|best| !offer.version.is_older_than(&best.version)) => {
                match fs::rename(places.candidate(), places.offer()) {
                    Ok(()) => best = Some(offer),
                    Err(error) => refused = Some(Refusal::new(Code::UpdateFailed, error)),
                }
            }
            Ok(offer) => tracing::info!("{}: {} is not the newest one", brought.display(), offer.version),
            Err(refusal) => {
                tracing::warn!("{}: {}: {}", brought.display(), refusal.code, refusal.text);
                refused = Some(refusal);
            }
        }
        remove(&places.candidate());
        remove(&brought);
    }
    match (refused, best) {
        (_, Some(best)) => Looked::Offered { version: best.version.to_string(), is_older: best.is_older },
        (Some(refusal), None) => Looked::Refused(refusal),
        (None, None) => Looked::Nothing,
    }
}

/// The offer from before, unless it has been installed meanwhile, or its key is not trusted any more.
fn kept(places: &Places, running: &Running) -> Option<Offer> {
    let path = places.offer();
    if !path.exists() {
        return None;
    }
    let judged = judge(places, &path, running);
    judged
        .inspect_err(|refusal| {
            tracing::info!("the update that was offered: {}: {}", refusal.code, refusal.text);
            remove(&path);
        })
        .ok()
}

/// Files that may be updates, by name.
fn brought(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::error!("{}: {error}", folder.display());
            return Vec::new();
        }
    };
    let is_update = |name: &str| name.starts_with("platen-") && name.ends_with(".raucb");
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_update))
        .collect();
    found.sort();
    found.truncate(MAX_FILES);
    found
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::error!("{}: {error}", path.display()),
        _ => {}
    }
}

/// Copy it to where only this program writes.
fn take(places: &Places, brought: &Path) -> Result<(), Refusal> {
    let name = brought.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let damaged = |error: io::Error| Refusal::new(Code::UpdateDamaged, format!("{name}: {error}"));
    // Who owns the folder may have put a link or a pipe there.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let from = OpenOptions::new().read(true).custom_flags(flags.bits()).open(brought).map_err(damaged)?;
    let metadata = from.metadata().map_err(damaged)?;
    if !metadata.is_file() || metadata.len() > MAX_UPDATE_BYTES {
        let text =
            format!("{name}: expected a file of at most {MAX_UPDATE_BYTES} bytes, found {} bytes", metadata.len());
        return Err(Refusal::new(Code::UpdateDamaged, text));
    }
    let wanted = metadata.len().saturating_add(MARGIN_BYTES);
    let free = kernel::free_bytes(&places.own_data()).unwrap_or(0);
    if free < wanted {
        let text = format!("{name}: expected {wanted} bytes free on the disk for data, found {free}");
        return Err(Refusal::new(Code::UpdateNoRoom, text));
    }
    copy(from.take(metadata.len()), &places.candidate()).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => Refusal::new(Code::UpdateNoRoom, format!("{name}: {error}")),
        _ => Refusal::new(Code::UpdateFailed, format!("{name}: copying it: {error}")),
    })
}

fn copy(mut from: impl Read, to: &Path) -> io::Result<()> {
    remove(to);
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut from, &mut file)?;
    file.sync_all()
}

fn judge(places: &Places, bundle: &Path, running: &Running) -> Result<Offer, Refusal> {
    compare(&rauc::info(&places.rauc, bundle)?, running)
}

/// Whether it is for this board, and how it stands to what was in use.
fn compare(info: &Info, running: &Running) -> Result<Offer, Refusal> {
    let expected = format!("platen-{}", running.board);
    if info.compatible != expected {
        let text = format!("expected an update for {expected}, found one for {:?}", info.compatible);
        return Err(Refusal::new(Code::UpdateOtherBoard, text));
    }
    let version = Version::parse(&info.version).map_err(|error| Refusal::new(Code::UpdateFailed, error))?;
    if version.compare(&running.version).is_eq() {
        let text = format!("{version} is already installed, and runs");
        return Err(Refusal::new(Code::UpdateOlder, text));
    }
    let floor = running.floor.as_ref().unwrap_or(&running.version);
    Ok(Offer { is_older: version.is_older_than(floor), version })
}
