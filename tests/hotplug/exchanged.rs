// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives and cards that are exchanged for others between one step and the next. The other one is never written to.

use platen_events::{Code, DriveId};
use serde_json::json;

use super::bench::{Bench, work};
use super::drive::{Before, Drive, How, bait};
use super::ports::{X1, X2};

/// Between looking and asking, and between asking and beginning.
pub(super) fn chosen_and_swapped(bench: &mut Bench) {
    let [first, second, third] = ["FIRST", "SECOND", "THIRD"].map(|serial| bench.drive(serial, How::Stick));
    let before = [&first, &second, &third].map(|drive| Before::of(&drive.image));
    bench.plug(X1, &first);
    let seen = bench.until_seen("X1", "FIRST");
    bench.pull(X1);
    bench.plug(X1, &second);
    let other = bench.until_seen("X1", "SECOND");
    let answer = bench.line.ask(json!({ "request": "start", "port": "X1", "drive": seen, "work": work() }));
    assert_eq!(answer["error"]["code"], "P-W-002", "{answer}");

    // The station sees neither that the drive goes nor that another comes before it has read that it is to begin.
    bench.shell("halt_station");
    let asked = bench.line.send(json!({ "request": "start", "port": "X1", "drive": other, "work": work() }));
    bench.pull(X1);
    bench.plug(X1, &third);
    bench.shell("await has_serial 4 1 THIRD; resume_station");
    let answer = bench.line.answer(asked);
    let third_seen = bench.until_seen("X1", "THIRD");
    assert_ne!(third_seen, other);
    if answer.get("error").is_none() {
        bench.line.until("the job has its end", |line| line.fate("SECOND").is_some());
        assert_eq!(bench.line.fate("SECOND").and_then(|fate| fate.code), Some(Code::Vanished));
    }
    before.iter().for_each(Before::assert_unchanged);
    // The control: the one that is chosen is written, and not another one of the same name (unraid/usb-creator 20).
    let twin = Drive { image: first.image.clone(), ..third.clone() };
    bench.plug(X2, &twin);
    bench.until_seen("X2", "THIRD");
    bench.ask(json!({ "request": "start", "port": "X1", "drive": third_seen, "work": work() }));
    bench.until_ready(&["THIRD"]);
    assert_ne!(before[2].changed_bytes(), 0);
    before[..2].iter().for_each(Before::assert_unchanged);
}

/// An armed port takes the next drive for what it is: one that is too large to be written by this station.
pub(super) fn armed_and_swapped(bench: &mut Bench) {
    bench.arm(&[X1, X2], None);
    bench.ask(json!({ "request": "pause" }));
    let (armed, other) = (bench.drive("ARMED", How::Stick), bait(&bench.station, "BAIT"));
    let before = [Before::of(&armed.image), Before::of(&other.image)];
    bench.plug(X1, &armed);
    bench.until_seen("X1", "ARMED");
    bench.shell("halt_station");
    let asked = bench.line.send(json!({ "request": "resume" }));
    bench.pull(X1);
    bench.plug(X1, &other);
    bench.shell("await has_serial 4 1 BAIT; resume_station");
    assert!(bench.line.answer(asked).get("error").is_none());
    bench.line.until("the other is refused", |line| line.is_refused("BAIT", Code::TooLarge));
    before.iter().for_each(Before::assert_unchanged);
    // The control: nothing else kept it from being written.
    bench.plug(X2, &armed);
    bench.until_ready(&["ARMED"]);
    assert_ne!(before[0].changed_bytes(), 0);
    before[1].assert_unchanged();
}

/// When the card in the reader is exchanged: after so many KiB were written, or read back after its power was cut.
const MOMENTS: [&str; 7] = ["seen", "opened", "written 1", "written 3000", "read 1000", "read 6000", "read 7800"];

/// What is on the cards is looked at in the guest, which has them in memory.
pub(super) fn cards(bench: &mut Bench) {
    bench.shell("make_cards; build 0 mass_storage.0; insert 0 /tmp/one.img; plug 0; await appeared 0");
    // Where the kernel never asks the reader by itself, and where it asks ten times a second.
    let polled = [100].into_iter().flat_map(|ms| ["seen", "written 3000", "read 1000"].map(|moment| (moment, ms)));
    for (moment, poll_ms) in MOMENTS.map(|moment| (moment, 0)).into_iter().chain(polled) {
        exchanged(bench, "GADGET-0", moment, poll_ms, Code::Vanished);
    }
    // The control: nothing is done to the card.
    let card = fresh_card(bench, 0);
    bench.ask(json!({ "request": "start", "port": "READER", "drive": card, "work": work() }));
    bench.until_ready(&["GADGET-0"]);
    for asked in ["card_changed one.img", "card_starts one.img"] {
        assert_eq!(last(&bench.shell(asked)), "yes", "control: {asked}");
    }
    // Without power the reader tells nobody. It is the same one with the same serial number, and what was written is not
    // there: a drive that forgets. It is left alone, and known as set aside by its serial number, so it has one of its own.
    bench.shell("pull 0; rename 0 FORGETS; plug 0; await appeared 0");
    exchanged(bench, "FORGETS", "without-power", 0, Code::ReadBackDiffers);
    bench.shell("pull 0; rename 0 GADGET-0");
    bench
        .line
        .until("the reader is gone", |line| line.state().drives().values().all(|drive| drive.label.port != "READER"));
}

/// The card is exchanged while it is worked on: the job ends with this code, the other card is as it was, and the first
/// one starts no computer.
fn exchanged(bench: &mut Bench, serial: &str, moment: &str, poll_ms: u32, code: Code) {
    let card = fresh_card(bench, poll_ms);
    let number = bench.number();
    bench.shell(&format!("exchange {number} {moment} &"));
    if moment == "seen" {
        bench.wait_for(&format!("EXCHANGED {number}."));
    }
    let answer = bench.line.ask(json!({ "request": "start", "port": "READER", "drive": card, "work": work() }));
    bench.wait_for(&format!("EXCHANGED {number}."));
    match answer["error"].as_object() {
        Some(error) => assert!(moment == "seen" && error["code"] == "P-W-002", "{moment}: {answer}"),
        None => {
            bench.line.until(&format!("an end after {moment}"), |line| line.fate(serial).is_some());
            let fate = bench.line.fate(serial).cloned();
            assert_eq!(fate.and_then(|fate| fate.code), Some(code), "{moment}, polled {poll_ms}");
        }
    }
    for (asked, expected) in [("card_changed two.img", "no"), ("card_starts one.img", "no")] {
        assert_eq!(last(&bench.shell(asked)), expected, "{asked}: {moment}, polled {poll_ms}");
    }
}

/// Both cards as they were, and the first one in the reader. Returns which insertion that is, once the station knows.
fn fresh_card(bench: &mut Bench, poll_ms: u32) -> DriveId {
    let sequence: u64 = last(&bench.shell(&format!("fresh_card {poll_ms}"))).parse().expect("a number");
    let is_it = |id: &DriveId| id.disk_sequence == Some(sequence);
    bench.line.until("the card is seen", |line| line.state().drives().keys().any(is_it));
    bench.line.fates.clear();
    bench.inside("READER").expect("seen").0.clone()
}

/// The last line: what went on in the background may have said something before.
fn last(said: &str) -> &str {
    said.lines().last().unwrap_or_default().trim()
}
