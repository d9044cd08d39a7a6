// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that are really gone in mid-write: the server behind the device dies at a byte, or the device shrinks to
//! nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use platen_events::Step;
use platen_testkit::record::Recorded;

use crate::bench::{After, Bench, LIMIT};
use crate::device::{self, Lie, Model};
use crate::lanes::{Blow, Tried, lane};
use crate::process;
use crate::table::{Kind, Lane, Seen};

fn dies(medium: usize, times: u64) -> Lane {
    lane(medium, None, Some(times), |bench, at| {
        let all: u64 = at.medium.calls.writes.iter().sum();
        let byte = bench.random.within(0..all);
        bench.device().prepare(at.medium, at.before);
        bench.device().lie(Lie { argument: byte, ..Lie::new(Model::Die) });
        let bad = bench.device().path();
        let command = bench.command(at.medium, &bad);
        let attempt = bench.run(command, &bad, |_, _| {});
        let struck = bench.device().struck() > 0;
        // Plugged in again, with what it has.
        bench.drop_device();
        if !struck {
            return Tried::Missed;
        }
        let (what, bad) = (format!("gone after byte {byte}"), bench.device().path());
        Tried::Struck(Blow { what, attempt, bad, after: After::Unwritable, code: None })
    })
}

fn dies_under_blind(bench: &mut Bench) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let medium = setting.medium(0);
    bench.device().prepare(medium, 1);
    bench.device().lie(Lie { argument: 3 << 20, ..Lie::new(Model::Die) });
    let path = bench.device().path();
    let ended = process::run(&mut bench.blind("blind-write", medium, &path), LIMIT);
    bench.drop_device();
    let path = bench.device().path();
    Seen { tried: 1, wrong: u64::from(ended.status == Some(0) && bench.sees_wrong(medium, &path)) }
}

/// A loop device on the bad drive's file, detached when dropped.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        device::detach(&self.0);
    }
}

/// The file ends at `bytes`, and the device is told so.
fn shrink(file: &File, bytes: u64, device: &str) {
    file.set_len(bytes).expect("truncates");
    process::run(Command::new("losetup").args(["--set-capacity", device]), Duration::from_secs(20));
}

/// The last step that was said of the job on this drive.
fn step_of(stdout: &str, drive: &Path) -> Option<Step> {
    let state = Recorded::read_until_killed(stdout).state;
    let job = state.jobs().values().find(|job| Path::new(&state.drives()[&job.drive].label.path) == drive)?;
    Some(job.step?.step)
}

fn shrinks(medium: usize, times: u64) -> Lane {
    lane(medium, None, Some(times), |bench, at| {
        let medium = at.medium;
        let file_path = at.file(bench);
        let file = File::options().write(true).open(&file_path).expect("opens");
        let bytes = bench.random.within(0..8) << 20;
        let moment = Duration::from_micros(bench.random.within(0..medium.whole.as_micros() as u64 / 2));
        let device = Loop(device::attach(&file_path));
        let bad = PathBuf::from(&device.0);
        let command = bench.command(medium, &bad);
        // The drive's job has begun to write: there is something to be lost. Once its seal was begun, it may be ready
        // before it is gone.
        let writes = |stdout: &str| step_of(stdout, &bad).is_some_and(|step| step.position() >= Step::Write.position());
        let seals = |stdout: &str| step_of(stdout, &bad).is_some_and(|step| step.position() >= Step::Seal.position());
        let (mut gone, mut late) = (false, false);
        let attempt = bench.run(command, &bad, |running, elapsed| {
            if !gone && elapsed >= moment && writes(&running.stdout()) {
                shrink(&file, bytes, &device.0);
                gone = true;
                late = seals(&running.stdout());
            }
        });
        drop(device);
        file.set_len(medium.size_bytes).expect("sparse");
        if !gone || late {
            return Tried::Missed;
        }
        let what = format!("shrunk to {bytes} after {moment:?}");
        Tried::Struck(Blow { what, attempt, bad: file_path, after: After::Unwritable, code: None })
    })
}

fn shrinks_under_blind(bench: &mut Bench) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, file_path) = (setting.medium(0), bench.bad());
    bench.prepare(&file_path, medium, 1);
    let file = File::options().write(true).open(&file_path).expect("opens");
    let device = Loop(device::attach(&file_path));
    shrink(&file, 2 << 20, &device.0);
    let ended = process::run(&mut bench.blind("blind-write", medium, device.0.as_ref()), LIMIT);
    drop(device);
    file.set_len(medium.size_bytes).expect("sparse");
    Seen { tried: 1, wrong: u64::from(ended.status == Some(0) && bench.sees_wrong(medium, &file_path)) }
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let names = ["pulled at a byte", "shrinks to nothing"];
    if !device::can_be_had() {
        return names.iter().map(|name| Kind::skipped(name)).collect();
    }
    let times = if full { 150 } else { 8 };
    vec![
        Kind::new(names[0], (0..2).map(|medium| dies(medium, times)).collect(), dies_under_blind),
        Kind::new(names[1], (0..2).map(|medium| shrinks(medium, times)).collect(), shrinks_under_blind),
    ]
}
