// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Random histories of a whole station, and some that are told. The last tests plant what must never be.

mod ops;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use platen_events::{BatchId, Code, Event, JobEnd, JobId, JobKind};
use proptest::prelude::*;

use self::ops::*;
use self::world::World;
use super::{Ask, ClientId, Effect, Input, Inserted, Reply, Station};
use crate::config::{DriveClass, Role, Roles};
use crate::core::request::{OrderEffect, OrderId, Slot};
use crate::failure::Failure;

/// `tests/long histories` plays more.
fn histories() -> u32 {
    std::env::var("PLATEN_HISTORIES").map_or(20_000, |text| text.parse().expect("a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(ops in ops()) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
            world.check();
        }
        world.wind_down();
        world.check();
    }
}

fn stick(world: &mut World, socket: usize, serial: u8) {
    world.apply(Op::Insert { socket, serial: Some(serial), class: DriveClass::UsbRemovable, small: false });
    world.apply(Op::Recall(0));
}

fn finish(world: &mut World) {
    for _ in 0..40 {
        world.apply(Op::Look { which: 0, is_other: false, fails: false });
        world.apply(Op::Prepare { which: 0, fails: false });
        for which in 0..world.running.len() {
            world.apply(Op::JobGoesOn { which, goes_well: true });
        }
        world.apply(Op::JobOver(0));
    }
}

fn refused_as(world: &World, socket: usize) -> Option<Code> {
    let drive = &world.inserted[&socket].drive;
    world.record.drives()[drive].refused.as_ref()?.code.as_ref()?.known()
}

/// A staging centre's day: three copies are wanted, one drive fails, a good one comes back, the next batch begins by itself.
#[test]
fn a_batch_ends_with_its_good_copies_and_the_next_begins() {
    let mut world = World::new();
    world.apply(Op::Arm { kind: JobKind::Write, wanted: Some(3), ports: Vec::new() });
    stick(&mut world, 0, 1);
    stick(&mut world, 1, 2);
    finish(&mut world);
    assert_eq!(world.record.batches()[&BatchId(1)].good, 2);
    // The good one comes back, in another port.
    world.apply(Op::Pull(0));
    stick(&mut world, 2, 1);
    assert_eq!(refused_as(&world, 2), Some(Code::AlreadyDone));
    // One that fails does not count, and is refused with its old code when it comes back.
    stick(&mut world, 0, 3);
    world.apply(Op::Look { which: 0, is_other: false, fails: false });
    world.apply(Op::Prepare { which: 0, fails: false });
    world.apply(Op::JobGoesOn { which: 0, goes_well: true });
    world.apply(Op::JobGoesOn { which: 0, goes_well: false });
    finish(&mut world);
    assert_eq!((world.record.batches()[&BatchId(1)].good, world.record.batches()[&BatchId(1)].failed), (2, 1));
    world.apply(Op::Pull(0));
    stick(&mut world, 0, 3);
    assert_eq!(refused_as(&world, 0), Some(Code::WriteFailed));
    // The third good copy closes the batch.
    world.apply(Op::Pull(1));
    stick(&mut world, 1, 4);
    finish(&mut world);
    let batches: Vec<(BatchId, u32)> = world.record.batches().iter().map(|(id, batch)| (*id, batch.good)).collect();
    assert_eq!(batches, [(BatchId(2), 0)]);
}

/// No more drives are taken up than copies are wanted, and those that wait are taken up when one fails.
#[test]
fn drives_wait_while_enough_are_in_the_making() {
    let mut world = World::new();
    world.apply(Op::Arm { kind: JobKind::Write, wanted: Some(1), ports: Vec::new() });
    stick(&mut world, 0, 1);
    stick(&mut world, 1, 2);
    assert_eq!(world.commissioned.len(), 1);
    world.apply(Op::Look { which: 0, is_other: false, fails: true });
    assert_eq!(world.commissioned.len(), 1, "the other one is taken up");
}

#[test]
fn a_drive_that_was_exchanged_is_never_started() {
    let mut world = World::new();
    stick(&mut world, 0, 1);
    let seen = world.inserted[&0].drive.clone();
    stick(&mut world, 0, 2);
    world.ask(BOSS, Ask::Start { port: label(0), drive: seen, work: work(JobKind::Write) });
    assert!(world.commissioned.is_empty());
    let now = world.inserted[&0].drive.clone();
    world.ask(BOSS, Ask::Start { port: label(0), drive: now, work: work(JobKind::Write) });
    assert_eq!(world.commissioned.len(), 1);
}

#[test]
fn a_loose_plug_is_not_begun_for_ever() {
    let mut world = World::new();
    world.apply(Op::Arm { kind: JobKind::Write, wanted: None, ports: Vec::new() });
    for _ in 0..2 {
        stick(&mut world, 0, 1);
        world.apply(Op::Look { which: 0, is_other: false, fails: false });
        world.apply(Op::Prepare { which: 0, fails: false });
        world.apply(Op::JobGoesOn { which: 0, goes_well: true });
        world.apply(Op::Pull(0));
        finish(&mut world);
    }
    stick(&mut world, 0, 1);
    assert_eq!((refused_as(&world, 0), world.commissioned.len()), (Some(Code::Vanished), 0));
    // By hand it is begun, and another drive is by itself.
    let drive = world.inserted[&0].drive.clone();
    world.ask(BOSS, Ask::Start { port: label(0), drive, work: work(JobKind::Write) });
    assert_eq!(world.commissioned.len(), 1);
    finish(&mut world);
    world.apply(Op::Pull(0));
    stick(&mut world, 0, 2);
    assert_eq!(world.commissioned.len(), 1);
}

/// A drive in port 1 that was written and whose power is off.
fn without_power() -> World {
    let mut world = World::new();
    world.apply(Op::Arm { kind: JobKind::Write, wanted: Some(5), ports: Vec::new() });
    stick(&mut world, 0, 1);
    world.apply(Op::Look { which: 0, is_other: false, fails: false });
    world.apply(Op::Prepare { which: 0, fails: false });
    (0..3).for_each(|_| world.apply(Op::JobGoesOn { which: 0, goes_well: true }));
    (0..2).for_each(|_| world.apply(Op::CutPower { which: 0, is_late: false }));
    world
}

#[test]
fn a_drive_that_comes_back_is_the_one_of_its_job() {
    let mut world = without_power();
    let before = world.commissioned.values().next().expect("one").0.drive.clone();
    world.apply(Op::CutPower { which: 0, is_late: false });
    assert!(world.commissioned.len() == 1 && world.recalls.is_empty(), "it was taken for another");
    world.apply(Op::CutPower { which: 0, is_late: false });
    let drive = world.inserted[&0].drive.clone();
    assert!(drive != before && !world.record.drives().contains_key(&before));
    finish(&mut world);
    assert_eq!(world.record.batches()[&BatchId(1)].good, 1);
    world.apply(Op::Pull(0));
    assert!(world.record.drives().values().all(|drive| drive.is_gone));
}

/// The job says that it is back before anybody saw it in its port.
#[test]
fn a_drive_that_comes_back_unseen_is_in_its_port_once_it_is_seen() {
    let mut world = without_power();
    (0..2).for_each(|_| world.apply(Op::CutPower { which: 0, is_late: true }));
    assert_eq!(world.late.len(), 1);
    world.apply(Op::CatchUp);
    assert!(world.recalls.is_empty());
    finish(&mut world);
    assert_eq!(world.record.batches()[&BatchId(1)].good, 1);
}

/// Its job fails while it has no power, and its return is seen before the job has let go of it.
#[test]
fn a_drive_that_comes_back_after_its_jobs_end_is_held_until_that_is_over() {
    let mut world = without_power();
    world.apply(Op::CutPower { which: 0, is_late: true });
    world.apply(Op::JobGoesOn { which: 0, goes_well: false });
    world.apply(Op::CatchUp);
    assert!(world.recalls.is_empty(), "its job has it still");
    let drive = world.inserted[&0].drive.clone();
    (0..2).for_each(|_| world.apply(Op::JobGoesOn { which: 0, goes_well: false }));
    world.apply(Op::JobOver(0));
    assert!(world.recalls.len() == 1 && world.record.drives().contains_key(&drive), "a drive like any other");
    // The step in which that job ended says nothing of the next one's drive.
    world.apply(Op::Recall(0));
    world.apply(Op::Insert { socket: 0, serial: Some(2), class: DriveClass::UsbRemovable, small: false });
    assert!(world.record.drives().contains_key(&world.inserted[&0].drive));
}

#[test]
fn what_is_put_in_its_place_waits_and_is_a_drive_of_its_own() {
    let mut world = without_power();
    world.apply(Op::Insert { socket: 0, serial: Some(2), class: DriveClass::UsbRemovable, small: false });
    assert!(world.recalls.is_empty(), "the place is the first one's as long as its job waits");
    let other = world.inserted[&0].drive.clone();
    world.ask(BOSS, Ask::Start { port: label(0), drive: other.clone(), work: work(JobKind::Write) });
    assert_eq!(world.commissioned.len(), 1, "it is not begun by hand either");
    finish(&mut world);
    let batch = |world: &World| world.record.batches().get(&BatchId(1)).map(|batch| (batch.good, batch.failed));
    assert_eq!(batch(&world), Some((0, 1)));
    world.apply(Op::Recall(0));
    finish(&mut world);
    assert_eq!(batch(&world), Some((1, 1)));
    assert!(world.record.drives().contains_key(&other));
}

#[test]
fn a_batch_comes_back_with_its_counts_after_a_restart() {
    let mut world = World::new();
    world.apply(Op::Arm { kind: JobKind::Write, wanted: Some(5), ports: vec![0, 1] });
    stick(&mut world, 0, 1);
    finish(&mut world);
    stick(&mut world, 1, 2);
    world.apply(Op::Look { which: 0, is_other: false, fails: false });
    world.apply(Op::Prepare { which: 0, fails: false });
    world.apply(Op::JobGoesOn { which: 0, goes_well: true });
    world.restart();
    assert_eq!(world.record.batches()[&BatchId(1)].good, 1);
    // The good one is still there and is not redone; the one in the making is done anew.
    for _ in 0..2 {
        world.apply(Op::Recall(0));
    }
    assert_eq!(refused_as(&world, 0), Some(Code::AlreadyDone));
    finish(&mut world);
    assert_eq!(world.record.batches()[&BatchId(1)].good, 2);
}

/// What a core with a fault would ask for, and a world that has come so far.
#[test]
fn the_world_sees_what_must_never_be() {
    let seen = || {
        let mut world = World::new();
        stick(&mut world, 0, 1);
        world
    };
    let commission = |world: &World, change: fn(&mut Inserted)| {
        let mut inserted = world.inserted[&0].clone();
        change(&mut inserted);
        Effect::Commission(OrderId(99), inserted, work(JobKind::Write))
    };
    type Planted = Box<dyn Fn(&mut World) -> Effect>;
    let planted: Vec<(&str, Planted)> = vec![
        ("an order about a drive that was exchanged", {
            Box::new(move |world| commission(world, |inserted| inserted.drive.disk_sequence = Some(77)))
        }),
        ("an order about a drive in no port", {
            Box::new(move |world| commission(world, |inserted| inserted.socket = format!("socket-{PORTS}")))
        }),
        ("an order about an internal disk", {
            Box::new(move |world| commission(world, |inserted| inserted.class = DriveClass::Sata))
        }),
        ("an order although the ledger's disk is full", {
            Box::new(move |world| {
                world.is_halted = true;
                commission(world, |_| {})
            })
        }),
        ("one more in the making than is wanted", {
            Box::new(|world| {
                world.apply(Op::Arm { kind: JobKind::Write, wanted: Some(1), ports: Vec::new() });
                stick(world, 1, 2);
                let mut inserted = world.inserted[&1].clone();
                inserted.label.port = label(1);
                Effect::Commission(OrderId(99), inserted, work(JobKind::Write))
            })
        }),
        ("a job on a drive that was not opened", {
            Box::new(|_| Effect::Order(OrderEffect::Start(vec![(Slot(1), JobId(9))])))
        }),
        ("a stranger who is obeyed", Box::new(|_| Effect::Reply(GUEST, 1, Ok(Reply::Accepted)))),
        ("an end of a job that never began", {
            Box::new(|_| Effect::Tell(Event::JobEnded { job: JobId(1), end: JobEnd::failed(Code::Stalled, "") }))
        }),
    ];
    for (what, effect) in planted {
        let mut world = seen();
        let effect = effect(&mut world);
        let found = catch_unwind(AssertUnwindSafe(|| {
            world.take(effect);
            world.check();
        }));
        assert!(found.is_err(), "{what}: not seen");
    }
}

#[test]
fn where_sockets_without_a_label_are_accepted_a_disk_in_one_is_not() {
    for (class, refused) in [(DriveClass::UsbRemovable, None), (DriveClass::Sata, Some(Code::NotAPort))] {
        let mut world = World::new();
        let mut settings = settings();
        settings.policy.unmapped_ports = crate::config::UnmappedPorts::Accept;
        world.station.settings = settings;
        world.apply(Op::Insert { socket: PORTS, serial: Some(1), class, small: false });
        assert_eq!(refused_as(&world, PORTS), refused, "{class}");
    }
}

#[test]
fn ports_are_learnt_one_after_the_other_and_each_socket_once() {
    let mut world = World::new();
    world.apply(Op::Arm { kind: JobKind::Write, wanted: None, ports: Vec::new() });
    world.apply(Op::Learn(0));
    stick(&mut world, 2, 1);
    assert!(world.commissioned.is_empty(), "nothing is begun while ports are learnt");
    world.apply(Op::Learn(1));
    stick(&mut world, 2, 2);
    stick(&mut world, 3, 3);
    let mut station = std::mem::take(&mut world.station);
    let effects = station.step(Input::Asked(BOSS, 9, Ask::LearnEnd { keep: true }));
    let map = effects.into_iter().find_map(|effect| match effect {
        Effect::KeepMap(BOSS, 9, map) => Some(map),
        _ => None,
    });
    let learnt: Vec<(String, String)> =
        map.expect("a map").ports().iter().map(|port| (port.label.clone(), port.socket.clone())).collect();
    let expected = [("1", "socket-2"), ("2", "socket-3")].map(|(label, socket)| (label.to_owned(), socket.to_owned()));
    assert_eq!(learnt, expected);
    let effects = station.step(Input::Asked(BOSS, 10, Ask::LearnEnd { keep: true }));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Reply(_, 10, Err(_)))));
}

#[test]
fn roles_are_asked_for_and_a_failed_login_takes_them_away() {
    let mut world = World::new();
    let mut station = std::mem::take(&mut world.station);
    let arm = |station: &mut Station, client| {
        let ask = Ask::Arm { ports: Vec::new(), work: work(JobKind::Write), wanted: None };
        let effects = station.step(Input::Asked(client, 7, ask));
        effects.into_iter().find_map(|effect| match effect {
            Effect::Reply(_, 7, reply) => Some(reply),
            _ => None,
        })
    };
    let refused =
        |reply: Option<Result<Reply, Failure>>| reply.expect("a reply").err().and_then(|failure| failure.code);
    assert_eq!(refused(arm(&mut station, GUEST)), Some(Code::NotPermitted));
    station.step(Input::Login(GUEST, 1, Role::Technician, Ok(())));
    assert_eq!(refused(arm(&mut station, GUEST)), Some(Code::NotPermitted));
    station.step(Input::Login(GUEST, 2, Role::Operator, Ok(())));
    assert_eq!(refused(arm(&mut station, GUEST)), None);
    station.step(Input::Login(GUEST, 3, Role::Administrator, Err(failure())));
    assert_eq!(refused(arm(&mut station, GUEST)), Some(Code::NotPermitted));
    assert!(Roles::default().may(Role::Operator, crate::config::Action::Arm), "control");
}

/// Found by a random history: its power was cut, it came back, its job failed and was given up without letting go, and only
/// then the drive was seen in its port.
#[test]
fn a_drive_that_its_job_never_let_go_gets_no_other() {
    let mut world = World::new();
    let stick = |socket| Op::Insert { socket, serial: None, class: DriveClass::UsbRemovable, small: false };
    let cut = |is_late| Op::CutPower { which: 0, is_late };
    let goes = |goes_well| Op::JobGoesOn { which: 0, goes_well };
    let look = Op::Look { which: 0, is_other: false, fails: false };
    let arm = Op::Arm { kind: JobKind::Write, wanted: None, ports: Vec::new() };
    let begun = [stick(0), stick(2), arm, Op::Recall(1), look, Op::Prepare { which: 0, fails: false }];
    let worked = [goes(false), goes(true), stick(0), goes(true), cut(false), Op::Pull(3), cut(false), cut(true)];
    let given_up = [cut(false), goes(true), goes(false), Op::JobOver(0)];
    for op in begun.into_iter().chain(worked).chain(given_up) {
        world.apply(op);
        world.check();
    }
    world.wind_down();
    world.check();
}
