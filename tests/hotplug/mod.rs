// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A station on real hot-plug: `platend` in a guest with the kernel's own drivers, whose drives the host plugs into root
//! ports and hubs of QEMU's USB controllers and pulls again, or that are gadgets of the guest. What is on a drive is
//! judged on the host. One boot for all checks; each test looks at its own.

mod bench;
mod drive;
mod exchanged;
mod line;
mod others;
mod ports;
mod storm;
mod written;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use bench::Bench;

use crate::guest::text_of;

type Check = fn(&mut Bench);

/// In this order: the last ones change what the others must leave alone.
const CHECKS: [(&str, Check); 14] = [
    ("eight at once", written::eight_at_once),
    ("pulled", written::pulled_while_written),
    ("slow", written::slow_beside_fast),
    ("read-only", written::read_only),
    ("chosen and swapped", exchanged::chosen_and_swapped),
    ("armed and swapped", exchanged::armed_and_swapped),
    ("cards", exchanged::cards),
    ("strangers", others::strangers),
    ("no ports", others::no_ports),
    ("bay", others::bay),
    ("nvme", others::nvme),
    ("restart", written::restarted),
    ("storm", storm::short),
    ("unchanged", others::unchanged),
];

/// What came of each check; those that are missing were not come to.
fn outcomes() -> &'static BTreeMap<&'static str, Result<(), String>> {
    static OUTCOMES: OnceLock<BTreeMap<&'static str, Result<(), String>>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let mut outcomes = BTreeMap::new();
        let started = catch_unwind(Bench::start);
        let mut bench = match started {
            Ok(bench) => bench,
            Err(panic) => return BTreeMap::from([("start", Err(text_of(&*panic)))]),
        };
        for (name, check) in CHECKS {
            let began = std::time::Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&mut bench)));
            println!("{name}: {} after {} s", if outcome.is_ok() { "ok" } else { "failed" }, began.elapsed().as_secs());
            outcomes.insert(name, outcome.map_err(|panic| text_of(&*panic)));
            let cleared = catch_unwind(AssertUnwindSafe(|| bench.clear()));
            if let Err(panic) = cleared {
                outcomes.insert("clear", Err(format!("after {name}: {}", text_of(&*panic))));
                break;
            }
        }
        println!("{}", bench.shell("cat /tmp/platend.log"));
        outcomes
    })
}

#[track_caller]
fn passed(check: &str) {
    match outcomes().get(check) {
        Some(Ok(())) => {}
        Some(Err(why)) => panic!("{check}: {why}"),
        None => panic!("{check}: not come to: {:?}", outcomes().iter().find(|(_, outcome)| outcome.is_err())),
    }
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn eight_drives_at_once_are_ready_under_the_labels_of_their_ports() {
    passed("eight at once");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_drive_pulled_while_it_is_written_stops_no_other_and_frees_its_port() {
    passed("pulled");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_slow_drive_slows_no_other() {
    passed("slow");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_write_protected_drive_is_refused() {
    passed("read-only");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_drive_that_was_not_chosen_is_not_touched() {
    passed("chosen and swapped");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_drive_that_comes_before_the_armed_one_is_started_is_not_taken_for_it() {
    passed("armed and swapped");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_card_that_was_changed_at_any_step_is_not_touched() {
    passed("cards");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn keyboards_network_cards_and_phones_are_not_let_in() {
    passed("strangers");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_drive_in_a_socket_that_is_no_port_is_left_alone() {
    passed("no ports");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_bay_is_written_and_the_system_disk_is_not() {
    passed("bay");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_drive_with_large_sectors_comes_and_goes_in_a_bay_for_nvme() {
    passed("nvme");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn a_station_that_was_killed_counts_on_and_makes_anew_what_was_half_made() {
    passed("restart");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn after_a_storm_the_station_knows_what_the_kernel_knows() {
    passed("storm");
}

#[test]
#[ignore = "a guest for itself, after the others: tests/long hotplug"]
fn not_one_byte_of_other_disks_was_changed() {
    passed("unchanged");
}
