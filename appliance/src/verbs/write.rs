// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen plan` and `platen write`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use platen_cache::{CachedMedia, MediaRef};
use platen_device::{Candidate, OpenError, OpenedDrive};
use platen_engine::plan::plan_update;
use platen_engine::plan::{DriveShape, PlannedExtent, WritePlan, fresh_ids, plan as plan_drive};
use platen_engine::{Clock, Drive, ReadDrive, SystemClock, chain};
use platen_events::{Answer, Code, JobKind, answer};
use platen_media::manifest::Scheme;
use platen_media::sign::TrustedKeys;

use crate::args::{DepthArg, Places, PlanOptions, WriteOptions};
use crate::attend::Signs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::cache;
use crate::verbs::drives::{answer_of, begin, open_failure, prepare, run, shape_of};
use crate::verbs::examine::look;
use crate::verbs::{trusted_keys, warn_of_unusable};

pub fn plan(options: &PlanOptions, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let keys = trusted_keys(places, output)?;
    let media = load(places, &options.medium, &keys)?;
    let shape = match (&options.drive, options.size) {
        (Some(drive), _) => shape_of(&Candidate::find(drive).and_then(Candidate::for_reading).map_err(open_failure)?),
        (None, size) => DriveShape { size_bytes: size.unwrap_or(0), sector_bytes: options.sector_size },
    };
    let plan = new_plan(&media, shape, options.scheme.into())?;
    let extents = || plan.payload().iter().map(|e| ("payload", e)).chain(plan.seal().iter().map(|e| ("seal", e)));
    let map = options.map.then(|| {
        let extent = |(set, e): (&str, &PlannedExtent)| answer::PlannedExtent {
            set: set.to_owned(),
            offset_bytes: e.offset_bytes,
            len_bytes: e.len_bytes,
            name: plan.name_of(&e.source),
        };
        extents().map(extent).collect::<Vec<_>>()
    });
    let line =
        |e: &answer::PlannedExtent| format!("{:<8}{:#014x} {:>12}  {}", e.set, e.offset_bytes, e.len_bytes, e.name);
    let text = || {
        let lines = map.iter().flatten().map(line);
        std::iter::once(plan.to_string()).chain(lines).collect::<Vec<_>>().join("\n")
    };
    let planned = answer::Plan {
        medium: media.name().to_owned(),
        size_bytes: shape.size_bytes,
        sector_bytes: shape.sector_bytes,
        write_bytes: plan.write_bytes(),
        free_bytes: plan.free_bytes(),
        notices: plan.notices().iter().map(ToString::to_string).collect(),
        payload_extents: plan.payload().len() as u64,
        seal_extents: plan.seal().len() as u64,
        map: map.clone(),
    };
    output.answer(Answer::Plan(planned), text);
    Ok(ExitCode::SUCCESS)
}

pub fn write(options: &WriteOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = begin(options.on.drives.len())?;
    let stall_limit = Duration::from_secs(options.on.stall_limit);
    let (keys, media) = {
        let (places, medium) = (places.clone(), options.medium.clone());
        answer_of(&stop, stall_limit, Code::CacheStalled, move || {
            let keys = TrustedKeys::load(&places.trust)?;
            let media = load(&places, &medium, &keys)?;
            Ok((keys, media))
        })?
    };
    warn_of_unusable(&keys, output);
    let batch = {
        let (media, scheme, update) = (media.clone(), options.scheme.into(), options.update);
        let kind = if update { JobKind::Update } else { JobKind::Write };
        prepare(kind, &options.on, places, &stop, output, move |drive, signs| match update {
            true => update_plan(&media, drive, &keys, signs),
            false => new_plan(&media, shape_of(drive), scheme),
        })?
    };
    let (manifest, count) = (media.manifest(), batch.jobs.len());
    output.say(&format!(
        "writing {} {:?} version {} to {count} drive(s)",
        media.name(),
        manifest.name,
        manifest.version
    ));
    run(batch, &options.on, places, &stop, output)
}

/// A medium that may be written now: signature, minimum version and content are checked here.
fn load(places: &Places, medium: &MediaRef, keys: &TrustedKeys) -> Result<CachedMedia, Failure> {
    cache::open(&places.cache)?.load(medium, keys).map_err(|error| {
        let failure = Failure::from(error);
        match failure.code {
            Some(code) => failure.coded(code),
            None => failure,
        }
    })
}

fn new_plan(media: &CachedMedia, shape: DriveShape, scheme: Scheme) -> Result<WritePlan, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan_drive(media, shape, scheme, ids, SystemClock::new().now()).map_err(|error| {
        let code = error.code();
        Failure::from(error).coded(code)
    })
}

/// The plan of a drive that carries an older version of the medium.
fn update_plan(
    media: &CachedMedia,
    drive: &mut OpenedDrive,
    keys: &TrustedKeys,
    signs: &Signs,
) -> Result<WritePlan, Failure> {
    let path = drive.facts().drive.path.clone();
    let seen = look(drive, DepthArg::Places, signs);
    drive.confirm().map_err(|_| open_failure(OpenError::Gone { path: path.clone().into() }))?;
    let found = seen?.map_err(|died| {
        let text = format!("{path}: what is on it can't be read: {}", chain(&died));
        Failure::new(Exit::Request, text).coded(Code::NothingToUpdate)
    })?;
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan_update(media, shape_of(drive), &found, ids, keys, SystemClock::new().now()).map_err(|error| {
        let exit = if error.is_policy() { Exit::Policy } else { Exit::Request };
        Failure::new(exit, format!("{path}: {}", chain(&error))).coded(error.code())
    })
}
