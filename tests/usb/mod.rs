// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Real USB drives: a guest with the kernel's own USB stack, whose drives are gadgets that are pulled, swapped and hung
//! while the program works on them. One boot for all checks (`guest/checks`); each test looks at its own.

use std::sync::OnceLock;

use crate::boot::{Machine, wanted};
use crate::common::{Station, tool};
use crate::guest::{Guest, Parts, find, platen};

/// In the order in which they are loaded.
const MODULES: [&str; 22] = [
    "fs/configfs/configfs",
    "drivers/usb/common/usb-common",
    "drivers/usb/core/usbcore",
    "drivers/usb/gadget/udc/udc-core",
    "drivers/usb/gadget/udc/dummy_hcd",
    "drivers/usb/gadget/libcomposite",
    "drivers/usb/gadget/function/usb_f_mass_storage",
    "drivers/scsi/scsi_common",
    "drivers/scsi/scsi_mod",
    "crypto/crct10dif_common",
    "lib/crc-t10dif",
    "lib/crc64",
    "lib/crc64-rocksoft",
    "block/t10-pi",
    "drivers/scsi/sd_mod",
    "drivers/usb/storage/usb-storage",
    "drivers/block/loop",
    "drivers/md/dm-mod",
    "fs/fat/fat",
    "fs/fat/vfat",
    "fs/nls/nls_cp437",
    "fs/nls/nls_ascii",
];

/// With revision 2 of a medium in its cache, and in another one only revision 1.
fn station() -> Station {
    let station = Station::new();
    // Small, because an emulated processor hashes it many times.
    station.files("tree", &[("readme.txt", b"hello\n"), ("sources/big.bin", &[0x5a; 5_000_000])]);
    station.build(&station.define("TREE", 1, "")).expect(0);
    station.import().expect(0);
    tool("cp", &["-r", &station.text("cache"), &station.text("older-cache")]).expect(0);
    station.files("tree", &[("readme.txt", b"hello again\n")]);
    station.build(&station.define("TREE", 2, "")).expect(0);
    station.import().expect(0);
    station
}

/// Everything the guest said.
fn transcript() -> &'static str {
    static SAID: OnceLock<String> = OnceLock::new();
    SAID.get_or_init(|| {
        let parts = Parts {
            modules: &MODULES,
            // The cmp of busybox takes seconds for a drive.
            programs: &[platen(), find("dmsetup"), find("cmp")],
            scripts: "tests/usb/guest",
            kept: &["cache", "older-cache", "trusted"],
        };
        let guest = Guest::build(&station(), &parts);
        let machine = Machine::start_kernel(&guest.kernel, &guest.initramfs(), |_, _| {});
        // The time limit is for each part of it.
        for sign in ["CHECK stick-verified", "CHECK empty-slot-write", "CHECK stick-back", "CHECK before-hanging"] {
            machine.wait_for_one_of(&[sign, "Kernel panic"]);
        }
        machine.wait_for_one_of(&["CHECKS DONE", "Kernel panic"])
    })
}

/// Each of these checks ended like that. The names say what was done to the drive.
#[track_caller]
fn expect(checks: &[(&str, &str)]) {
    if !wanted() {
        return;
    }
    for (name, expected) in checks {
        let said = transcript();
        let line = format!("CHECK {name}: ");
        let found = said.lines().find_map(|said| said.strip_prefix(&line));
        // What the program said comes after it.
        let more = said.split_once(&line).map_or(said, |(_, after)| after.split("CHECK ").next().unwrap_or(after));
        println!("{line}{more}");
        assert_eq!(found, Some(*expected), "{name}");
    }
}

#[test]
fn a_stick_that_stays_is_ready_and_its_row_says_which_it_was() {
    expect(&[
        ("stick", "status=0 codes= port=same sequence=same changed=yes"),
        ("stick-verified", "status=0 codes="),
        ("fixed-disk", "status=3 codes=P-D-004 changed=no advice=yes"),
        ("fixed-disk-allowed", "status=0 codes="),
    ]);
}

/// Where the kernel never asks the reader by itself, and where it asks ten times a second.
#[test]
fn a_card_that_was_swapped_in_is_not_touched() {
    expect(&[
        ("swapped-before-write-0", "status=1 codes=P-W-002 changed=no"),
        ("swapped-before-write-100", "status=1 codes=P-W-002 changed=no"),
        ("swapped-while-read-back-0", "status=1 codes=P-W-002 changed=no unusable=no starts=no"),
        ("swapped-while-read-back-100", "status=1 codes=P-W-002 changed=no unusable=no starts=no"),
        ("swapped-while-written-0", "status=1 codes=P-W-002 changed=no sequence=same unusable=no starts=no"),
        ("swapped-while-written-100", "status=1 codes=P-W-002 changed=no sequence=same unusable=no starts=no"),
    ]);
}

#[test]
fn what_is_pulled_is_called_that() {
    expect(&[
        ("card-pulled-while-written-0", "status=1 codes=P-W-002 unusable=no starts=no"),
        ("card-pulled-while-written-100", "status=1 codes=P-W-002 unusable=no starts=no"),
        ("stick-back-while-written", "status=1 codes=P-W-002 unusable=no starts=no"),
        ("stick-pulled-at-any-time", "codes=P-W-002 advice=no unusable=no"),
        ("before-coming-and-going", "status=0 codes="),
        ("card-coming-and-going-inspect", "codes=P-W-002 without-code=0 advice=no"),
        ("card-coming-and-going-verify", "codes=P-W-002 without-code=0 advice=no"),
        ("card-coming-and-going-update", "codes=P-W-002 without-code=0 advice=no"),
    ]);
}

#[test]
fn an_empty_slot_has_one_answer() {
    let answer = "status=2 codes=P-W-002 inserted=yes advice=no";
    for verb in ["write", "update", "verify", "inspect", "erase", "test"] {
        expect(&[(&format!("empty-slot-{verb}"), answer)]);
    }
}

#[test]
fn a_mount_through_a_loop_device_over_a_partition_is_seen() {
    expect(&[
        ("mounted-through-loop", "status=2 codes=P-D-003 named=yes"),
        ("mounted-while-written", "status=1 codes=P-D-003 named=yes starts=no"),
    ]);
}

#[test]
fn a_drive_that_hangs_stops_only_itself() {
    expect(&[
        ("before-hanging", "status=0 codes="),
        ("hanging-verify", "status=1 codes=P-W-005 good=1"),
        ("hanging-update", "status=1 codes=P-W-005 good=1"),
        ("hanging-verify-stopped", "status=1 codes=P-W-004"),
        ("hanging-update-stopped", "status=1 codes=P-W-004"),
    ]);
}
