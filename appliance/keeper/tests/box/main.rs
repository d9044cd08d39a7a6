// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The service as it runs on a box: `platen-keeper run` as root, in namespaces and a root folder of its own. Disks are files
//! behind loop devices; the kernel, its mounts, GRUB's tool, e2fsprogs and the users are real. What is played is the station, the
//! disk's place in sysfs, and the machine: in a namespace of processes reboot(2) ends that namespace, and says how.
//!
//! This program is the played station, too, when it is called `platend`.

mod machine;
mod station;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use machine::{Box, Ended};
use platen_events::{DataState, SystemRequest, UpdateState};

type Case = (&'static str, fn());

const CASES: &[Case] = &[
    ("a_new_system_that_is_well_keeps_its_slot", a_new_system_that_is_well_keeps_its_slot),
    ("a_new_system_whose_station_dies_is_left", a_new_system_whose_station_dies_is_left),
    ("an_old_system_whose_station_dies_is_not_left", an_old_system_whose_station_dies_is_not_left),
    ("the_old_system_says_that_the_new_one_came_to_nothing", the_old_system_says_that_the_new_one_came_to_nothing),
    ("a_station_that_is_shut_down_switches_the_machine_off", a_station_that_is_shut_down_switches_the_machine_off),
    ("what_is_asked_for_is_done", what_is_asked_for_is_done),
    ("updates_are_offered_or_refused_with_their_code", updates_are_offered_or_refused_with_their_code),
    ("a_broken_disk_is_said_and_made_anew", a_broken_disk_is_said_and_made_anew),
    ("the_disk_for_data_grows", the_disk_for_data_grows),
    ("without_a_boot_partition_the_kiosk_comes_up", without_a_boot_partition_the_kiosk_comes_up),
    ("settings_that_the_station_does_not_take_are_left_out", settings_that_the_station_does_not_take_are_left_out),
    ("ending_the_service_ends_the_station_first", ending_the_service_ends_the_station_first),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    if arguments.next().is_some_and(|name| name.ends_with("/platend")) {
        return station::run(arguments.collect());
    }
    let wanted: Vec<String> = arguments.filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    let failed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (name, case) in CASES.iter().filter(|(name, _)| chosen(name)) {
            let failed = &failed;
            scope.spawn(move || {
                // The message was printed by the panic.
                let is_well = std::panic::catch_unwind(case).is_ok();
                println!("test {name} ... {}", if is_well { "ok" } else { "FAILED" });
                failed.fetch_add(usize::from(!is_well), Ordering::Relaxed);
            });
        }
    });
    let (failed, ran) = (failed.into_inner(), CASES.iter().filter(|(name, _)| chosen(name)).count());
    // As cargo's own harness closes, which is what tests/run counts.
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out",
        if failed == 0 { "ok" } else { "FAILED" },
        ran - failed,
        CASES.len() - ran,
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const MINUTE: Duration = Duration::from_secs(60);

fn a_new_system_that_is_well_keeps_its_slot() {
    let mut machine = Box::new("well");
    machine.set_boot(&["ORDER=B A", "B_LEFT=2", "TRIAL=B", "A_VERSION=1.3.0"]);
    machine.start_from("b");
    let state = machine.state_when(MINUTE, |_| true);
    assert_eq!((state.version.as_str(), state.slot.as_str()), ("1.4.0", "b"));
    assert_eq!((state.data, state.update), (DataState::Good, UpdateState::None));
    let boot = machine.boot_when(MINUTE, |boot| boot.contains("B_LEFT=3"));
    assert!(boot.contains("ORDER=B A") && boot.contains("B_VERSION=1.4.0"), "{boot}");
    assert!(!boot.contains("TRIAL"), "{boot}");
    assert_eq!(machine.data_file("keeper/floor"), "1.4.0\n");
    assert!(machine.data_file("log/platen.log").contains("platend: the played station is well"));
    // It was not root, and has only its own groups and folder.
    let said = machine.data_file("platen/said");
    assert!(said.contains("uid 990 gid 990 groups 990 991 no_new_privs 1 core 0 deaf false"), "{said}");
}

fn a_new_system_whose_station_dies_is_left() {
    let mut machine = Box::new("dies");
    machine.set_boot(&["ORDER=B A", "B_LEFT=2", "TRIAL=B"]);
    machine.start_from("b");
    assert_eq!(machine.ended(MINUTE), Ended::Restarted);
    // Nothing was given back: the boot loader goes on counting.
    assert!(machine.boot().contains("B_LEFT=2"), "{}", machine.boot());
}

fn an_old_system_whose_station_dies_is_not_left() {
    let mut machine = Box::new("dies");
    machine.set_boot(&["ORDER=A B", "A_LEFT=2"]);
    machine.start_from("a");
    // Longer than it takes to leave a new one.
    thread::sleep(Duration::from_secs(35));
    let state = machine.state_when(MINUTE, |_| true);
    assert_eq!(state.slot, "a");
    assert!(machine.boot().contains("A_LEFT=2"), "{}", machine.boot());
}

fn the_old_system_says_that_the_new_one_came_to_nothing() {
    let mut machine = Box::new("well");
    machine.set_boot(&["ORDER=B A", "B_LEFT=0", "A_LEFT=2", "TRIAL=B", "B_VERSION=1.5.0"]);
    machine.start_from("a");
    let state = machine.state_when(MINUTE, |_| true);
    let UpdateState::Refused { code, text } = state.update else { panic!("{state:?}") };
    assert_eq!(code.to_string(), "P-U-007");
    assert!(text.contains("1.5.0"), "{text}");
    assert_eq!(state.other_version, None);
    let boot = machine.boot_when(MINUTE, |boot| boot.contains("ORDER=A B"));
    assert!(boot.contains("B_OK=0") && boot.contains("A_LEFT=3"), "{boot}");
}

fn a_station_that_is_shut_down_switches_the_machine_off() {
    let mut machine = Box::new("quits");
    machine.start_from("a");
    assert_eq!(machine.ended(MINUTE), Ended::SwitchedOff);
    assert!(machine.data_is_clean(), "the disk for data was not put away");
}

fn what_is_asked_for_is_done() {
    let mut machine = Box::new("well");
    machine.start_from("a");
    machine.state_when(MINUTE, |_| true);
    // Only a broken disk is made anew.
    machine.ask(&SystemRequest::MakeDataAnew);
    machine.ask(&SystemRequest::Install { version: "9.0.0".to_owned(), older: true });
    machine.ask(&SystemRequest::Restart);
    assert_eq!(machine.ended(MINUTE), Ended::Restarted);
    assert!(machine.data_is_clean(), "the disk for data was not put away");
    let log = machine.data_file("log/platen.log");
    assert!(log.contains("the disk for data is not made anew: it is in use"), "{log}");
    assert!(log.contains("9.0.0 is not installed: no update is offered"), "{log}");
}

fn updates_are_offered_or_refused_with_their_code() {
    let mut machine = Box::new("well");
    let good = machine.bundle("played", "1.5.0", true);
    let mut damaged = good.clone();
    // In the signature, and in the manifest that it is about.
    let at = damaged.len() - 300;
    damaged[at] ^= 1;
    machine.start_from("a");
    machine.state_when(MINUTE, |_| true);
    for (bundle, code) in [
        (b"no bundle at all".to_vec(), "P-U-002"),
        (good[..good.len() / 2].to_vec(), "P-U-002"),
        (damaged, "P-U-002"),
        (machine.bundle("played", "1.5.0", false), "P-U-001"),
        (machine.bundle("other", "1.5.0", true), "P-U-004"),
        (machine.bundle("played", "1.4.0", true), "P-U-003"),
    ] {
        machine.data_put("incoming/platen-played-1.5.0.raucb", &bundle);
        machine.ask(&SystemRequest::Look);
        let so = |state: &platen_events::SystemState| matches!(&state.update, UpdateState::Refused { code: found, .. } if found.to_string() == code);
        machine.state_when(MINUTE, so);
        assert!(!machine.data_has("incoming/platen-played-1.5.0.raucb"), "{code}: it was left there");
    }
    // Of several the newest, whatever their names.
    machine.data_put("incoming/platen-z.raucb", &good);
    machine.data_put("incoming/platen-b.raucb", &machine.bundle("played", "1.10.0-rc.1", true));
    machine.data_put("incoming/platen-c.raucb", &machine.bundle("played", "1.3.9", true));
    machine.ask(&SystemRequest::Look);
    let newest = UpdateState::Offered { version: "1.10.0-rc.1".to_owned(), is_older: false };
    machine.state_when(MINUTE, |state| state.update == newest);
    // It is still offered after the service was started anew, and looked at again.
    machine.terminate();
    assert_eq!(machine.ended(MINUTE), Ended::Exited);
    machine.start_from("a");
    machine.state_when(MINUTE, |state| state.update == newest);
    // Slots are devices of a real disk; here RAUC can't install.
    machine.ask(&SystemRequest::Install { version: "1.10.0-rc.1".to_owned(), older: false });
    let failed = |state: &platen_events::SystemState| matches!(&state.update, UpdateState::Refused { code, .. } if code.to_string() == "P-U-006");
    machine.state_when(MINUTE, failed);
    // It is not offered by itself once more: a good copy has to be brought, and takes its place.
    assert!(!machine.data_has("keeper/offer.raucb"));
    machine.data_put("incoming/platen-b.raucb", &machine.bundle("played", "1.10.0-rc.1", true));
    machine.ask(&SystemRequest::Look);
    machine.state_when(MINUTE, |state| state.update == newest);
}

fn a_broken_disk_is_said_and_made_anew() {
    let mut machine = Box::new("well");
    machine.destroy_data();
    machine.start_from("a");
    let state = machine.state_when(MINUTE, |_| true);
    assert_eq!(state.data, DataState::Broken);
    machine.ask(&SystemRequest::MakeDataAnew);
    machine.state_when(MINUTE, |state| state.data == DataState::Good);
    machine.ask(&SystemRequest::PowerOff);
    assert_eq!(machine.ended(MINUTE), Ended::SwitchedOff);
    assert!(machine.data_is_clean());
    let log = machine.data_file("log/platen.log");
    assert!(log.contains("the played station is well") && !log.contains("has no map"), "{log}");
}

fn the_disk_for_data_grows() {
    let mut machine = Box::new("well");
    let before = machine.data_size();
    machine.start_from("a");
    machine.state_when(MINUTE, |_| true);
    let may_grow = effective_capabilities() & (1 << CAP_SYS_RESOURCE) != 0;
    // Where the kernel does not let this test do it, the service says so and goes on.
    let is_done = |machine: &Box| match may_grow {
        true => machine.data_size() > before,
        false => machine.data_file("log/platen.log").contains("Permission denied to resize filesystem"),
    };
    let deadline = std::time::Instant::now() + MINUTE;
    while !is_done(&machine) {
        assert!(std::time::Instant::now() < deadline, "it did not grow");
        thread::sleep(Duration::from_millis(200));
    }
    machine.ask(&SystemRequest::PowerOff);
    assert_eq!(machine.ended(MINUTE), Ended::SwitchedOff);
    assert!(machine.data_is_clean());
}

/// capabilities(7): to make a mounted ext4 larger.
const CAP_SYS_RESOURCE: u32 = 24;

fn effective_capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("capabilities");
    u64::from_str_radix(line.trim(), 16).expect("a number")
}

fn without_a_boot_partition_the_kiosk_comes_up() {
    let mut machine = Box::new("well");
    machine.destroy_boot();
    machine.start_from("a");
    let state = machine.state_when(MINUTE, |_| true);
    assert_eq!(state.data, DataState::Good);
    let deadline = std::time::Instant::now() + MINUTE;
    while !machine.data_has("platen/said") {
        assert!(std::time::Instant::now() < deadline, "the station was not started");
        thread::sleep(Duration::from_millis(200));
    }
}

fn settings_that_the_station_does_not_take_are_left_out() {
    for (brought, name) in [("name = \"brought\"\n", "brought"), ("wrong", "image")] {
        let mut machine = Box::new("well");
        machine.bring("platen/station.toml", brought.as_bytes());
        machine.start_from("a");
        machine.state_when(MINUTE, |_| true);
        let deadline = std::time::Instant::now() + MINUTE;
        while !machine.data_has("platen/said") {
            assert!(std::time::Instant::now() < deadline, "the station was not started");
            thread::sleep(Duration::from_millis(200));
        }
        let said = machine.data_file("platen/said");
        assert!(said.contains(&format!("name = {name:?}")), "{brought}: {said}");
    }
}

fn ending_the_service_ends_the_station_first() {
    let mut machine = Box::new("well");
    machine.start_from("a");
    machine.state_when(MINUTE, |_| true);
    machine.boot_when(MINUTE, |boot| boot.contains("A_LEFT=3"));
    machine.terminate();
    assert_eq!(machine.ended(MINUTE), Ended::Exited);
    assert!(machine.data_file("platen/said").contains("asked to end"));
}
