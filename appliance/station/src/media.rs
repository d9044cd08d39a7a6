// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Media and their plans, with the operator's codes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platen_cache::{Cache, CachedMedia, MediaRef};
use platen_engine::plan::{DriveShape, WritePlan, fresh_ids, plan};
use platen_engine::{Clock, ReadDrive, SystemClock};
use platen_media::manifest::Scheme;
use platen_media::sign::TrustedKeys;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::master::{PREFIX, station_keys};
use crate::paths::Paths;

/// How long to wait for another process that changes the store.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// This station made it of a foreign drive, and signs for it alone.
pub(crate) fn is_duplicate(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// A medium that may be written now: signature, minimum version and content are checked here.
pub fn load(paths: &Paths, medium: &MediaRef, keys: &TrustedKeys) -> Result<CachedMedia, Failure> {
    let own = is_duplicate(&medium.id).then(|| station_keys(paths)).transpose()?;
    let keys = own.as_ref().unwrap_or(keys);
    let loaded = Cache::open_existing(&paths.cache).and_then(|cache| cache.patient(PATIENCE).load(medium, keys));
    loaded.map_err(|error| {
        let failure = Failure::from(error);
        match failure.code {
            Some(code) => failure.coded(code),
            None => failure,
        }
    })
}

/// How a medium would be written to a drive.
pub fn new_plan(media: &CachedMedia, shape: DriveShape, scheme: Scheme) -> Result<WritePlan, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan(media, shape, scheme, ids, SystemClock::new().now()).map_err(|error| {
        let code = error.code();
        Failure::from(error).coded(code)
    })
}

/// What a plan must know of a drive.
pub fn shape_of(drive: &dyn ReadDrive) -> DriveShape {
    let facts = drive.facts();
    DriveShape { size_bytes: facts.size_bytes, sector_bytes: facts.sector_bytes }
}

/// Set when somebody asks this program to stop. Must be called before any other thread is started.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    platen_device::signals::on_termination(move || set.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::new(Exit::Machine, error))?;
    Ok(flag)
}
