// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen erase` and `platen test`: jobs that leave no medium on a drive.

use std::process::ExitCode;
use std::sync::Arc;

use platen_engine::plan::Erase;
use platen_engine::plan::{plan_erase, plan_test};
use platen_events::JobKind;

use crate::args::{EraseOptions, Places, TestOptions};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::drives::{begin, prepare, run, shape_of};

pub fn erase(options: &EraseOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = begin(options.on.drives.len())?;
    let (how, kind) =
        if options.full { (Erase::Full, JobKind::EraseFull) } else { (Erase::Quick, JobKind::EraseQuick) };
    let batch =
        prepare(kind, &options.on, places, &stop, output, move |drive, _| Ok(plan_erase(shape_of(drive), how)))?;
    let what = if options.full { "every byte" } else { "tables and boot sectors" };
    output.say(&format!("erasing {what} of {} drive(s)", batch.jobs.len()));
    run(batch, &options.on, places, &stop, output)
}

pub fn test(options: &TestOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = begin(options.on.drives.len())?;
    let nonce = getrandom::u64().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    let batch = prepare(JobKind::Test, &options.on, places, &stop, output, move |drive, _| {
        Ok(plan_test(shape_of(drive), nonce))
    })?;
    output.say(&format!(
        "testing {} drive(s): all of it is written and read back, nothing on it is kept",
        batch.jobs.len()
    ));
    run(batch, &options.on, places, &stop, output)
}
