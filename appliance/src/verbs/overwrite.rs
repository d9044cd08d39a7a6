//! `platen erase` and `platen test`: jobs that leave no medium on a drive.

use std::process::ExitCode;
use std::sync::Arc;

use platen_engine::plan::Erase;
use platen_engine::plan::{plan_erase, plan_test};

use crate::args::{EraseOptions, Places, TestOptions};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::drives::{begin, prepare, run, shape_of};

pub fn erase(options: &EraseOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = begin(options.on.drives.len())?;
    let (how, job) = if options.full { (Erase::Full, "erase-full") } else { (Erase::Quick, "erase-quick") };
    let batch = prepare(job, &options.on, places, &stop, move |drive, _| Ok(plan_erase(shape_of(drive), how)))?;
    let what = if options.full { "every byte" } else { "tables and boot sectors" };
    output.say(&format!("erasing {what} of {} drive(s)", batch.jobs.len()));
    run(batch, &options.on, places, &stop, output)
}

pub fn test(options: &TestOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = begin(options.on.drives.len())?;
    let nonce = getrandom::u64().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    let batch = prepare("test", &options.on, places, &stop, move |drive, _| Ok(plan_test(shape_of(drive), nonce)))?;
    output.say(&format!(
        "testing {} drive(s): all of it is written and read back, nothing on it is kept",
        batch.jobs.len()
    ));
    run(batch, &options.on, places, &stop, output)
}
