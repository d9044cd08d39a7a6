// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel of a station on a real display: `platend` in a guest with the kernel's own graphics and input drivers. What
//! the display shows is asked of QEMU and must be the very picture; touches and keys come from QEMU too. One boot for all
//! checks; each test looks at its own.

mod bench;
mod config;
mod devices;
mod mirror;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

use platen_ui::Input;
use serde_json::json;

use crate::boot::wanted;
use crate::guest::text_of;
use bench::Bench;

/// The station goes on without a display, and says so once. When there is one, it shows the very picture.
fn comes_late(bench: &mut Bench) {
    bench.shell("await said 1 'nothing is shown on the panel: .*expected a display at any connector, found none'");
    bench.shell("answers");
    bench.shell("plug_card");
    bench.same("the picture is shown once there is a display");
    bench.shell("is_lit 00");
    bench.shell("said 1 'nothing is shown' && ! said 2 'nothing is shown'");
    // The control: a picture that differs in one pixel is another one.
    bench.until("one pixel more makes another picture", |shown, expected| {
        let mut other = expected.to_vec();
        other[1000][1] ^= 1;
        shown == expected && shown != other
    });
}

/// While the cable is off the station goes on; what happened meanwhile is shown when it is back.
fn goes_and_comes(bench: &mut Bench) {
    bench.shell("cable off");
    bench.shell("await said 1 'nothing is shown on the panel: .*expected a display at Virtual-1, found none'");
    bench.shell("platen station --socket /tmp/station.sock pause --port 4 > /dev/null");
    bench.shell("answers");
    bench.shell("cable detect");
    bench.same("the whole picture is back");
    bench.shell("platen station --socket /tmp/station.sock resume --port 4 > /dev/null");
    bench.same("and goes on");
}

fn touched(bench: &mut Bench) {
    touch_through(bench, "1");
}

fn touch_through(bench: &mut Bench, port: &str) {
    bench.insert(port);
    loop {
        let (_, target, begins) = bench.mirror.way(port);
        let at = bench.mirror.middle(target);
        bench.touch(at);
        if begins {
            return bench.until_begun(port);
        }
        bench.same("what was touched is open");
    }
}

fn keyed(bench: &mut Bench) {
    bench.insert("2");
    loop {
        let (places, target, begins) = bench.mirror.way("2");
        // To the first place, wherever the focus was; then on.
        for _ in 0..=places {
            bench.key("left", Input::Previous);
        }
        for _ in 0..target {
            bench.key("right", Input::Next);
        }
        bench.same("the focus is there");
        bench.key("ret", Input::Choose);
        if begins {
            return bench.until_begun("2");
        }
        bench.same("what was chosen is open");
    }
}

/// A tablet that was unplugged is heard again when it is back.
fn replugged(bench: &mut Bench) {
    bench.qmp.ask("device_del", &json!({ "id": "tablet" }));
    bench.qmp.wait_for("DEVICE_DELETED", "tablet");
    bench.shell("await said 1 'Tablet.*: gone'");
    bench.qmp.ask("device_add", &json!({ "driver": "virtio-tablet-pci", "bus": "bay", "id": "tablet" }));
    bench.shell("await said 2 'Tablet.*: listened to'");
    touch_through(bench, "3");
}

/// Of several fingers the first one counts, also when others come and go; a knob leads there too.
fn fingers(bench: &mut Bench) {
    bench.shell("play_devices");
    bench.shell("await said 1 'Fingers.*: listened to' && await said 1 'Virtio Knob.*: listened to'");
    bench.insert("4");
    let mut id = 0;
    loop {
        let (places, target, begins) = bench.mirror.way("4");
        if begins {
            for _ in 0..=places {
                bench.turn(-1);
            }
            for _ in 0..target {
                bench.turn(1);
            }
            bench.same("the focus is there");
            bench.key("ret", Input::Choose);
            return bench.until_begun("4");
        }
        let (at, other) = (bench.mirror.middle(target), bench.mirror.middle((target + 1) % places));
        id += 2;
        // Kinds and codes of the multi-touch protocol: slot 47, place 53 and 54, tracking id 57, touch 330.
        bench.report(&format!("fingers 3 47 0 3 57 {id} 3 53 {} 3 54 {} 1 330 1", at.x, at.y));
        bench.report(&format!("fingers 3 47 1 3 57 {} 3 53 {} 3 54 {}", id + 1, other.x, other.y));
        bench.report("fingers 3 57 -1");
        bench.report("fingers 3 47 0 3 57 -1 1 330 0");
        bench.mirror.input(Input::Down(at));
        bench.mirror.input(Input::Up(at));
        bench.same("what the first finger touched is open");
    }
}

/// What was begun by hand at the panel became four good drives.
fn good(bench: &mut Bench) {
    let all = ["1", "2", "3", "4"].map(|port| (port.to_owned(), "READY".to_owned()));
    bench.until_noted("four good drives", |mirror| all.iter().all(|one| mirror.ended.contains(one)));
    bench.same("the drives are shown as good");
    // So does the light beside the port, which was dark.
    bench.shell("await is_lit 01");
}

/// A display that hangs upside down shows the picture upright, and is touched where the picture is.
fn upside_down(bench: &mut Bench) {
    bench.mount_upside_down();
    // Before it has told of its ports, two pictures of nothing are alike.
    bench.until_noted("the drive is told of again", |mirror| mirror.find_way("1").is_some());
    bench.same("the picture is upright");
    let (_, target, _) = bench.mirror.way("1");
    let at = bench.mirror.middle(target);
    bench.touch(at);
    bench.same("what was touched is open");
}

/// What is typed at the panel reaches no console behind it. It would, without the station.
fn private(bench: &mut Bench) {
    bench.key("ret", Input::Choose);
    bench.shell("! is_typed");
    bench.shell("kill_station");
    bench.key("ret", Input::Choose);
    bench.shell("await is_typed");
}

type Check = fn(&mut Bench);

const CHECKS: [(&str, Check); 9] = [
    ("comes late", comes_late),
    ("goes and comes", goes_and_comes),
    ("touched", touched),
    ("keyed", keyed),
    ("replugged", replugged),
    ("fingers", fingers),
    ("good", good),
    ("upside down", upside_down),
    ("private", private),
];

/// What came of each check; those that are missing were not come to.
fn outcomes() -> &'static BTreeMap<&'static str, Result<(), String>> {
    static OUTCOMES: OnceLock<BTreeMap<&'static str, Result<(), String>>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let mut outcomes = BTreeMap::new();
        let mut bench = match catch_unwind(Bench::start) {
            Ok(bench) => bench,
            Err(panic) => return BTreeMap::from([("start", Err(text_of(&*panic)))]),
        };
        for (name, check) in CHECKS {
            let began = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&mut bench)));
            println!("{name}: {} after {} s", if outcome.is_ok() { "ok" } else { "failed" }, began.elapsed().as_secs());
            let is_over = outcome.is_err();
            outcomes.insert(name, outcome.map_err(|panic| text_of(&*panic)));
            // The mirror may be somewhere else than the panel.
            if is_over {
                break;
            }
        }
        outcomes
    })
}

#[track_caller]
fn passed(check: &str) {
    if !wanted() {
        return;
    }
    match outcomes().get(check) {
        Some(Ok(())) => {}
        Some(Err(why)) => panic!("{check}: {why}"),
        None => panic!("{check}: not come to: {:?}", outcomes().iter().find(|(_, outcome)| outcome.is_err())),
    }
}

#[test]
fn a_station_without_a_display_goes_on_and_shows_the_very_picture_once_there_is_one() {
    passed("comes late");
}

#[test]
fn a_display_that_was_gone_gets_the_whole_picture() {
    passed("goes and comes");
}

#[test]
fn a_touch_chooses_and_starts_a_medium() {
    passed("touched");
}

#[test]
fn keys_choose_and_start_a_medium() {
    passed("keyed");
}

#[test]
fn a_tablet_that_was_unplugged_is_heard_again() {
    passed("replugged");
}

#[test]
fn of_several_fingers_the_first_one_counts_and_a_knob_leads_there_too() {
    passed("fingers");
}

#[test]
fn drives_begun_at_the_panel_are_good_and_shown_so() {
    passed("good");
}

#[test]
fn a_display_that_hangs_upside_down_shows_the_picture_upright() {
    passed("upside down");
}

#[test]
fn what_is_typed_at_the_panel_reaches_no_console() {
    passed("private");
}
