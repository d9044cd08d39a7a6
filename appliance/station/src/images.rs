// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that hold a disk image. Those carry no manifest, so what they are is known to the station alone: it has the
//! images in its cache, and the ledger of what it wrote.

use platen_cache::{Cache, CachedMedia, MediaRef};
use platen_engine::plan::{WritePlan, fresh_ids, plan};
use platen_engine::verify::Report;
use platen_engine::{Clock, DriveFacts, NewEntry, ReadDrive, SystemClock, Watch, begins_like, chain, compare};
use platen_events::{Code, JobKind};
use platen_ledger::{Ledger, LedgerEntry};
use platen_media::examination::Depth;
use platen_media::manifest::{MediaKind, Scheme};
use platen_media::sign::TrustedKeys;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::media::{load, shape_of};
use crate::paths::Paths;

/// A drive without a manifest: is it one of the images this station knows?
pub(crate) fn recognise(
    no_medium: Report,
    drive: &mut dyn ReadDrive,
    depth: Depth,
    paths: &Paths,
    keys: &TrustedKeys,
    watch: &dyn Watch,
) -> Report {
    let cache = Cache::open_existing(&paths.cache).ok();
    let mut differing = None;
    for media in cache.iter().flat_map(|cache| images(cache, paths, keys)) {
        let Ok(plan) = image_plan(&media, drive) else { continue };
        match begins_like(&plan, drive) {
            Ok(true) if depth == Depth::Content => match judge(&plan, media.name(), drive, watch) {
                report if report.is_good() => return report,
                report => differing = Some(report),
            },
            Ok(true) => {
                let name = media.name();
                let text =
                    format!("begins like {name}, a disk image; `platen verify --medium {name}` compares all of it");
                return Report::of_problem(Code::ImageUnjudged, &text);
            }
            Ok(false) => {}
            Err(error) => return Report::of_problem(error.code(), &chain(&error)),
        }
    }
    if let Some(report) = differing {
        return report;
    }
    let known =
        |name: &str| name.parse().is_ok_and(|name: MediaRef| cache.as_ref().is_some_and(|c| c.find(&name).is_ok()));
    match last_written(paths, drive.facts()) {
        // What is in the cache was compared above.
        Some(row) if !known(&row.medium) => {
            let text = format!(
                "by the ledger {} was written here on {}, which is not in the cache; a disk image can be judged only with \
                 --medium, so import it again",
                row.medium, row.finished
            );
            Report::of_problem(Code::ImageUnjudged, &text)
        }
        _ => no_medium.with_note("a disk image carries no manifest: it can be judged only with --medium"),
    }
}

/// Compare a drive with an image, byte for byte.
pub(crate) fn compare_image(
    drive: &mut dyn ReadDrive,
    media: &CachedMedia,
    watch: &dyn Watch,
) -> Result<Report, Failure> {
    Ok(judge(&image_plan(media, drive)?, media.name(), drive, watch))
}

fn judge(plan: &WritePlan, name: &str, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Report {
    match compare(plan, drive, watch) {
        Ok(checked_bytes) => Report { checked_bytes, image: Some(name.to_owned()), ..Report::default() },
        Err(error) => Report::of_problem(error.code(), &format!("{name}: {}", chain(&error))),
    }
}

fn image_plan(media: &CachedMedia, drive: &dyn ReadDrive) -> Result<WritePlan, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    Ok(plan(media, shape_of(drive), Scheme::Mbr, ids, SystemClock::new().now())?)
}

/// Those that may be written.
fn images(cache: &Cache, paths: &Paths, keys: &TrustedKeys) -> Vec<CachedMedia> {
    let listed = cache.list().unwrap_or_default().into_iter();
    let raw = listed.filter(|listed| listed.kind == MediaKind::Raw.to_string());
    raw.filter_map(|listed| load(paths, &listed.name.parse().ok()?, keys).ok()).collect()
}

/// The last that was made of this drive here, if that was a medium and it came out right.
fn last_written(paths: &Paths, facts: &DriveFacts) -> Option<NewEntry> {
    let entries = Ledger::open_existing(&paths.ledger).and_then(|ledger| ledger.entries()).ok()?;
    let serial = facts.serial.as_deref().unwrap_or_default();
    let is_this = |entry: &LedgerEntry| {
        let LedgerEntry { entry, .. } = entry;
        // Looking at a drive makes nothing of it.
        if [JobKind::Verify, JobKind::ReadMaster, JobKind::Import].iter().any(|kind| entry.job == kind.word()) {
            return false;
        }
        let same = if serial.is_empty() { entry.path == facts.drive.path } else { entry.serial == serial };
        same && entry.size_bytes == facts.size_bytes
    };
    let last = entries.into_iter().rev().find(is_this)?.entry;
    (last.verdict == "READY").then_some(last)
}
