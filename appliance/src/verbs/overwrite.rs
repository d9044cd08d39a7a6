// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen erase` and `platen test`: jobs that leave no medium on a drive.

use std::process::ExitCode;
use std::sync::Arc;

use platen_engine::plan::Erase;
use platen_station::{Failure, Order, Paths, stop_flag};

use crate::args::{EraseOptions, TestOptions};
use crate::output::Output;
use crate::verbs::drives::run;

pub fn erase(options: &EraseOptions, paths: &Paths, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let (how, what) =
        if options.full { (Erase::Full, "every byte") } else { (Erase::Quick, "tables and boot sectors") };
    let targets = options.on.targets();
    let headline = format!("erasing {what} of {} drive(s)", targets.drives.len());
    run(Order::erase(how, targets, paths)?, &headline, paths, &stop, output)
}

pub fn test(options: &TestOptions, paths: &Paths, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = stop_flag()?;
    let targets = options.on.targets();
    let count = targets.drives.len();
    let headline = format!("testing {count} drive(s): all of it is written and read back, nothing on it is kept");
    run(Order::test(targets, paths)?, &headline, paths, &stop, output)
}
