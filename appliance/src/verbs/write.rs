// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen plan` and `platen write`.

use std::process::ExitCode;
use std::sync::Arc;

use platen_device::Candidate;
use platen_engine::plan::{DriveShape, PlannedExtent};
use platen_events::{Answer, Code, answer};
use platen_media::sign::TrustedKeys;
use platen_station::{Failure, Order, Paths, answer_of, load, new_plan, open_failure, shape_of, stop_flag};

use crate::args::{PlanOptions, WriteOptions};
use crate::output::Output;
use crate::verbs::drives::run;
use crate::verbs::{trusted_keys, warn_of_unusable};

pub fn plan(options: &PlanOptions, paths: &Paths, output: &Output) -> Result<ExitCode, Failure> {
    let keys = trusted_keys(paths, output)?;
    let media = load(paths, &options.medium, &keys)?;
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

pub fn write(options: &WriteOptions, paths: &Paths, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let targets = options.on.targets();
    let (keys, media) = {
        let (paths, medium) = (paths.clone(), options.medium.clone());
        answer_of(&stop, targets.limits.stall, Code::CacheStalled, move || {
            let keys = TrustedKeys::load(&paths.trust)?;
            let media = load(&paths, &medium, &keys)?;
            Ok((keys, media))
        })?
    };
    warn_of_unusable(&keys, output);
    let (manifest, count) = (media.manifest(), targets.drives.len());
    let headline =
        format!("writing {} {:?} version {} to {count} drive(s)", media.name(), manifest.name, manifest.version);
    let order = match options.update {
        true => Order::update(media, keys, targets, paths)?,
        false => Order::write(media, options.scheme.into(), targets, paths)?,
    };
    run(order, &headline, paths, &stop, output)
}
