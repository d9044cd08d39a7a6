// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that are written: many at once, pulled, slow, write-protected, and a station that is killed meanwhile.

use std::path::Path;

use platen_events::{BatchId, Code, Verdict};
use serde_json::json;

use super::bench::Bench;
use super::drive::{Before, Drive, How, assert_media, text};
use super::ports::{E1, H1, H2, HH1, PORTS, Port, X1, X2, X3, X4};
use crate::common::assert_no_medium;

/// Counts of the batch that ports are armed for now.
fn counts(bench: &Bench) -> Option<(BatchId, u32, u32)> {
    let (id, batch) = bench.line.state().batches().iter().next_back()?;
    Some((*id, batch.good, batch.failed))
}

pub(super) fn eight_at_once(bench: &mut Bench) {
    bench.arm(&PORTS, None);
    // Not in the order of the ports, and one by the other protocol.
    let order = [(HH1, How::Stick), (E1, How::Stick), (X2, How::Stick), (H1, How::Stick)];
    let order = order.into_iter().chain([(X4, How::Uas), (X1, How::Stick), (H2, How::Stick), (X3, How::Stick)]);
    let drives: Vec<(Port, Drive)> =
        order.map(|(port, how)| (port, bench.drive(&format!("EIGHT-{}", port.name), how))).collect();
    for (port, drive) in &drives {
        bench.plug(*port, drive);
    }
    let serials: Vec<&str> = drives.iter().map(|(_, drive)| drive.serial.as_str()).collect();
    bench.until_ready(&serials);
    bench.line.until("eight are counted", |line| line.state().batches().values().any(|batch| batch.good == 8));
    for (port, drive) in &drives {
        let fate = bench.line.fate(&drive.serial).expect("ready");
        assert_eq!(fate.port, port.name, "{}", drive.serial);
    }
    // The rows, which outlive the drives.
    let rows = bench.ask(json!({ "request": "errand", "errand": "history", "serial": "EIGHT-", "limit": 100 }));
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len(), 8, "{rows:?}");
    for row in rows {
        let port = row["port"].as_str().expect("a port");
        assert_eq!(row["serial"], format!("EIGHT-{port}"), "{row}");
        assert_eq!(row["verdict"], "READY", "{row}");
        // The hubs have switches, QEMU's controllers have none. Its sticks don't always say that they were started anew.
        let is_switched = [H1, H2, HH1].iter().any(|switched| switched.name == port);
        let read_back = row["read_back"].as_str().expect("a text");
        let is_cut =
            ["; its power was cut before", "; it was disconnected before"].iter().any(|how| read_back.contains(how));
        assert_eq!(is_cut, is_switched, "{row}");
    }
    bench.clear();
    let media: Vec<(&Path, &str)> = drives.iter().map(|(port, drive)| (&*drive.image, port.name)).collect();
    assert_media(&bench.station, &media);
}

pub(super) fn pulled_while_written(bench: &mut Bench) {
    bench.arm(&[X2, E1, H1], None);
    let (pulled, other, in_hub) =
        (bench.drive("PULLED", How::Slow), bench.drive("BESIDE", How::Stick), bench.drive("IN-HUB", How::Slow));
    for (port, drive) in [(E1, &pulled), (H1, &in_hub)] {
        bench.plug(port, drive);
    }
    bench.hold(E1);
    bench.hold(H1);
    bench.plug(X2, &other);
    bench.pull(E1);
    bench.pull(H1);
    for serial in ["PULLED", "IN-HUB"] {
        bench.line.until(&format!("{serial} has its end"), |line| line.fate(serial).is_some());
        assert_eq!(bench.line.fate(serial).and_then(|fate| fate.code), Some(Code::Vanished), "{serial}");
    }
    bench.until_ready(&["BESIDE"]);
    assert_no_medium(text(&pulled.image));
    assert_no_medium(text(&in_hub.image));
    // The port takes the next drive, and the one that was pulled.
    let next = bench.drive("NEXT", How::Stick);
    bench.plug(E1, &next);
    bench.plug(H1, &Drive { how: How::Stick, ..in_hub.clone() });
    bench.until_ready(&["NEXT", "IN-HUB"]);
    bench.clear();
    assert_media(&bench.station, &[(&other.image, "X2"), (&next.image, "E1"), (&in_hub.image, "H1")]);
}

pub(super) fn slow_beside_fast(bench: &mut Bench) {
    bench.arm(&[H2, X1], None);
    let (slow, fast) = (bench.drive("SLOW", How::Slow), bench.drive("FAST", How::Stick));
    bench.plug(H2, &slow);
    bench.hold(H2);
    bench.plug(X1, &fast);
    bench.until_ready(&["FAST"]);
    assert_eq!(bench.line.fate("SLOW"), None, "the fast one waited for the slow one");
    bench.let_go(H2);
    bench.until_ready(&["SLOW"]);
    bench.clear();
    assert_media(&bench.station, &[(&slow.image, "H2"), (&fast.image, "X1")]);
}

pub(super) fn read_only(bench: &mut Bench) {
    bench.arm(&[X3, X4], None);
    let drive = bench.drive("SWITCHED", How::ReadOnly);
    let before = Before::of(&drive.image);
    bench.plug(X3, &drive);
    bench.line.until("it is refused", |line| line.is_refused("SWITCHED", Code::ReadOnly));
    before.assert_unchanged();
    // The control: the same drive with its switch moved.
    bench.pull(X3);
    bench.plug(X4, &Drive { how: How::Stick, ..drive });
    bench.until_ready(&["SWITCHED"]);
    assert_ne!(before.changed_bytes(), 0);
}

pub(super) fn restarted(bench: &mut Bench) {
    bench.arm(&[X1, X3, E1, H1], Some(4));
    let good = bench.drive("GOOD", How::Stick);
    bench.plug(X1, &good);
    bench.until_ready(&["GOOD"]);
    let making = [(E1, bench.drive("MAKING-1", How::Slow)), (H1, bench.drive("MAKING-2", How::Slow))];
    making.iter().for_each(|(port, drive)| bench.plug(*port, drive));
    making.iter().for_each(|(port, _)| bench.hold(*port));
    bench.line.until("one is counted", |line| line.state().batches().values().any(|batch| batch.good == 1));
    let (batch, ..) = counts(bench).expect("a batch");
    bench.shell("kill_station");
    for (_, drive) in &making {
        assert_no_medium(text(&drive.image));
    }
    bench.start_station();
    assert_eq!(counts(bench), Some((batch, 1, 0)), "what was counted before is counted");
    for (port, drive) in &making {
        let fate = bench.line.fate(&drive.serial);
        assert!(fate.is_none(), "{fate:?}");
        bench.let_go(*port);
    }
    bench.line.until("the good one is known again", |line| line.is_refused("GOOD", Code::AlreadyDone));
    bench.until_ready(&["MAKING-1", "MAKING-2"]);
    bench.line.until("three are counted", |line| line.state().batches().values().any(|batch| batch.good == 3));
    assert_eq!(counts(bench), Some((batch, 3, 0)));
    // The fourth ends the batch, and the next begins by itself.
    let fourth = bench.drive("FOURTH", How::Stick);
    bench.plug(X3, &fourth);
    bench.line.until("the next batch has begun", |line| !line.state().batches().contains_key(&batch));
    assert_eq!(bench.line.fate("FOURTH").and_then(|fate| fate.verdict.clone()), Some(Verdict::Ready));
    bench.clear();
    let [(_, first), (_, second)] = &making;
    let media = [(&*good.image, "X1"), (&*first.image, "E1"), (&*second.image, "H1"), (&*fourth.image, "X3")];
    assert_media(&bench.station, &media);
    let replayed = bench.shell("for file in /tmp/state/journal*.jsonl; do platend replay $file; done");
    assert!(replayed.contains("the same followed from each"), "{replayed}");
}
