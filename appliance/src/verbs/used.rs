// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen inspect --used`: which parts of a drive are in use.

use std::process::ExitCode;

use platen_engine::Limits;
use platen_events::{Answer, Event, answer};
use platen_media::allocation::{Allocation, UsedRegion};
use platen_station::{Failure, stop_flag};

use crate::args::InspectOptions;
use crate::output::{Output, human_bytes, table};

pub fn used(options: &InspectOptions, output: &Output) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let (facts, used) = platen_station::in_use(&options.drive, &stop, Limits::default().stall)?;
    output.event(Event::DriveSeen { drive: facts.id(), label: facts.label() });
    let region = |region: &UsedRegion| answer::RegionUse {
        name: region.name.clone(),
        content: region.content.clone(),
        offset_bytes: region.offset_bytes,
        len_bytes: region.len_bytes,
        used_bytes: region.used_bytes,
        bad_bytes: region.bad_bytes,
        whole_because: region.whole_because.clone(),
    };
    let extent = |(offset_bytes, len_bytes)| answer::UsedExtent { offset_bytes, len_bytes };
    let extents = || used.extents.iter().map(|extent| (extent.offset_bytes, extent.len_bytes));
    let said = answer::DriveUse {
        drive: facts.id(),
        size_bytes: facts.size_bytes,
        used_bytes: used.used_bytes(),
        extents: used.extents.len() as u64,
        regions: used.regions.iter().map(region).collect(),
        map: options.map.then(|| extents().map(extent).collect()),
    };
    let map = || extents().filter(|_| options.map).map(|(offset, len)| format!("{offset:#014x} {len:>12}"));
    let text = || std::iter::once(text(&used, facts.size_bytes)).chain(map()).collect::<Vec<_>>().join("\n");
    output.answer(Answer::DriveUse(said), text);
    Ok(ExitCode::SUCCESS)
}

fn text(used: &Allocation, size_bytes: u64) -> String {
    let row = |region: &UsedRegion| {
        let in_use = format!("{} of {}", human_bytes(region.used_bytes), human_bytes(region.len_bytes));
        let bad = (region.bad_bytes > 0).then(|| format!("{} are marked as bad", human_bytes(region.bad_bytes)));
        let whole = region.whole_because.as_ref().map(|why| format!("copied whole: {why}"));
        vec![region.name.clone(), region.content.clone(), in_use, whole.or(bad).unwrap_or_default()]
    };
    let rows: Vec<_> = used.regions.iter().map(row).collect();
    let total = format!("{} of {} in use", human_bytes(used.used_bytes()), human_bytes(size_bytes));
    format!("{}\n{total}", table(&["part", "content", "in use", "note"], &rows))
}
