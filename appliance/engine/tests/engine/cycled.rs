// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive whose power is cut between writing and reading back.

use std::io;
use std::sync::atomic::AtomicBool;

use platen_engine::plan::{WritePlan, plan_test};
use platen_engine::{Drive, DriveError, DriveFacts, Operation, ReadDrive, Returned, Trouble};
use platen_events::{Code, Event, JobEnd, Step};
use platen_media::manifest::Scheme;

use crate::bench::{Bench, code, faulty, is_ready, observe};
use crate::fake::{Fake, Fault};

/// What becomes of the drive when its power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It has no switch.
    NoSwitch,
    /// The switch does nothing.
    Nothing,
    /// It has everything.
    Kept,
    /// It has nothing of what was written.
    ForgotAll,
    /// It has nothing of what was written from half of the drive on.
    ForgotUpper,
    /// Another drive is in its place.
    Exchanged,
    /// It stays away.
    Away,
}

struct Cycled {
    fake: Fake,
    facts: DriveFacts,
    before: Vec<u8>,
    cut: Cut,
    powered_on: bool,
    cycles: u32,
    /// Of an exchanged one: as it came.
    found: Option<Vec<u8>>,
}

impl Cycled {
    fn new(plan: &WritePlan, cut: Cut) -> Self {
        let fake = faulty(plan, Fault::None);
        let (facts, before) = (fake.facts().clone(), fake.memory.clone());
        Self { fake, facts, before, cut, powered_on: true, cycles: 0, found: None }
    }
}

impl ReadDrive for Cycled {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.fake.read_at(offset_bytes, bytes)
    }
}

impl Drive for Cycled {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.fake.write_at(offset_bytes, bytes)
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        self.fake.zero_at(offset_bytes, len_bytes)
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.fake.flush()
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        self.fake.confirm()
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        self.fake.confirm_unshared()
    }

    fn has_power_switch(&self) -> bool {
        self.cut != Cut::NoSwitch
    }

    fn power_cycle(&mut self) -> Result<Option<Returned>, DriveError> {
        self.cycles += 1;
        let half = self.before.len() / 2;
        match self.cut {
            Cut::NoSwitch => panic!("it has no switch"),
            Cut::Nothing => return Ok(None),
            Cut::Kept => {}
            Cut::ForgotAll => self.fake.memory.copy_from_slice(&self.before),
            Cut::ForgotUpper => self.fake.memory[half..].copy_from_slice(&self.before[half..]),
            Cut::Exchanged => {
                self.fake.memory.rotate_left(512);
                self.found = Some(self.fake.memory.clone());
            }
            Cut::Away => {
                let source = io::Error::from(io::ErrorKind::NotFound);
                let (operation, trouble) = (Operation::PowerCycle, Trouble::Vanished);
                return Err(DriveError { operation, offset_bytes: 0, len_bytes: 0, trouble, source });
            }
        }
        self.facts.disk_sequence = Some(77);
        self.facts.drive.path = "/dev/sdz".to_owned();
        Ok(Some(Returned { powered_on: self.powered_on }))
    }
}

fn written(bench: &Bench, plan: &WritePlan, drive: &mut Cycled) -> (JobEnd, Vec<Event>) {
    observe(&bench.engine, plan, drive, &AtomicBool::new(false))
}

fn returns(events: &[Event]) -> Vec<(Option<u64>, String, bool)> {
    let returned = |event: &Event| match event {
        Event::DriveReturned { drive, label, powered_on, .. } => {
            Some((drive.disk_sequence, label.path.clone(), *powered_on))
        }
        _ => None,
    };
    events.iter().filter_map(returned).collect()
}

#[test]
fn a_good_drive_is_ready_and_its_row_names_the_second_insertion() {
    for (bench, powered_on) in [(Bench::files(), true), (Bench::raw(), false)] {
        let plan = bench.plan(Scheme::Mbr);
        let golden = bench.golden(&plan);
        let mut drive = Cycled::new(&plan, Cut::Kept);
        drive.powered_on = powered_on;
        let (end, events) = written(&bench, &plan, &mut drive);
        // The record says another path than the golden drive's.
        let is_right = plan.payload().iter().all(|extent| {
            let range = extent.offset_bytes as usize..(extent.offset_bytes + extent.len_bytes) as usize;
            drive.fake.memory[range.clone()] == golden[range]
        });
        assert!(is_ready(&end) && is_right, "{end:?}");
        assert_eq!(returns(&events), [(Some(77), "/dev/sdz".to_owned(), powered_on)]);
        let steps: Vec<Step> = events.iter().filter_map(step).collect();
        let expected: &[Step] = &[Step::Prepare, Step::Write, Step::PowerCycle, Step::Verify, Step::Seal];
        assert_eq!(steps, expected);
        let row = bench.engine.ledger.entries().unwrap().pop().unwrap().entry;
        assert_eq!((row.disk_sequence.as_str(), row.path.as_str()), ("77", "/dev/sdz"));
    }
}

fn step(event: &Event) -> Option<Step> {
    match event {
        Event::StepStarted { step, .. } => Some(*step),
        _ => None,
    }
}

/// What keeps everything in its cache passes while it has power, and only then.
#[test]
fn what_a_drive_forgets_without_power_is_seen() {
    for bench in [Bench::files(), Bench::raw()] {
        let plan = bench.plan(Scheme::Mbr);
        for cut in [Cut::ForgotAll, Cut::ForgotUpper] {
            let mut drive = Cycled::new(&plan, cut);
            // All of the drive is written, so that there is something to forget in its upper half.
            let forgets = plan.payload().iter().any(|extent| extent.offset_bytes >= 20 << 20) || cut == Cut::ForgotAll;
            let (end, _) = written(&bench, &plan, &mut drive);
            match forgets {
                true => assert_eq!(code(&end), Some(Code::ReadBackDiffers), "{cut:?}: {end:?}"),
                false => assert!(is_ready(&end), "{cut:?}: {end:?}"),
            }
            // Once more if what was missing had been presumed to be there.
            assert!((1..=2).contains(&drive.cycles));
        }
        let mut control = Cycled::new(&plan, Cut::NoSwitch);
        assert!(is_ready(&written(&bench, &plan, &mut control).0));
    }
}

#[test]
fn what_came_in_its_place_is_not_written_to_and_not_called_bad() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Gpt);
    for has_serial in [true, false] {
        let mut drive = Cycled::new(&plan, Cut::Exchanged);
        if !has_serial {
            drive.facts.serial = None;
        }
        let (end, _) = written(&bench, &plan, &mut drive);
        let expected = if has_serial { Code::ReadBackDiffers } else { Code::Vanished };
        assert_eq!(code(&end), Some(expected), "{end:?}");
        assert!(drive.found.as_ref() == Some(&drive.fake.memory), "it was written to");
    }
}

#[test]
fn one_that_stays_away_was_pulled_and_a_switch_that_does_nothing_harms_nothing() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let (end, events) = written(&bench, &plan, &mut Cycled::new(&plan, Cut::Away));
    assert_eq!((code(&end), returns(&events).len()), (Some(Code::Vanished), 0), "{end:?}");
    let (end, events) = written(&bench, &plan, &mut Cycled::new(&plan, Cut::Nothing));
    assert!(is_ready(&end) && returns(&events).is_empty(), "{end:?}");
}

/// Nothing on an erased drive says that it is the same.
#[test]
fn only_media_can_be_known_again() {
    let bench = Bench::files();
    let plan = plan_test(bench.plan(Scheme::Mbr).shape(), 7);
    let mut drive = Cycled::new(&plan, Cut::Kept);
    assert_eq!(code(&written(&bench, &plan, &mut drive).0), None);
    assert_eq!(drive.cycles, 0);
}
