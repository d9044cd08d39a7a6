// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Sockets and lists on recorded machines (`machines.txt`, which says how they are written).

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use platen_testkit::machine::RecordedMachine;
use platen_testkit::need;

use super::scan::Scanner;
use super::*;
use crate::machine::Machine;

const MACHINES: &str = include_str!("machines.txt");

/// Title, and the lines that lay it out and that are answers.
fn machines() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let machines = MACHINES.split("\n== ").skip(1).map(|machine| {
        let (title, text) = machine.split_once('\n').expect("a title");
        let (answers, laid_out): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("sees "));
        (title, laid_out.join("\n"), answers)
    });
    machines.collect()
}

fn scanner(recorded: &RecordedMachine) -> Scanner {
    Scanner::new(Machine::at(recorded.root()))
}

#[test]
fn every_recorded_machine_has_its_sockets() {
    if !need::root() {
        return;
    }
    let mut titles = HashSet::new();
    for (title, laid_out, answers) in machines() {
        assert!(titles.insert(title), "{title} is there twice");
        let recorded = RecordedMachine::new(&laid_out);
        let mut scanner = scanner(&recorded);
        let first = scanner.scan().expect(title);
        let line = |drive: &Inserted| {
            let name = drive.path.strip_prefix("/dev").expect("a device").display();
            format!("sees {name} {} {:?}", drive.socket, drive.bus).to_lowercase()
        };
        let found: Vec<String> = first.iter().map(line).collect();
        let wanted: Vec<String> =
            answers.iter().filter(|line| **line != "sees nothing").map(|line| line.to_lowercase()).collect();
        assert!(!answers.is_empty(), "{title}: no answer");
        assert_eq!(found, wanted, "{title}");
        let sockets: HashSet<&Socket> = first.iter().map(|drive| &drive.socket).collect();
        assert_eq!(sockets.len(), first.len(), "{title}: a socket has one drive");
        // From what is known by then.
        assert_eq!(scanner.scan().expect(title), first, "{title}: looked at again");
    }
    assert!(titles.len() >= 30, "{}", titles.len());
}

/// In a socket whose halves have different numbers.
pub(super) const STICK: &str = "
hub pci0000:00/0000:00:14.0/usb1 480 12
hub pci0000:00/0000:00:14.0/usb2 5000 6
peer usb1-port7 usb2-port3
usb pci0000:00/0000:00:14.0/usb2/2-3 0781:5581 4C530001
set sys/devices/pci0000:00/0000:00:14.0/usb2/2-3/product Ultra Fit
disk sdb 8:16 pci0000:00/0000:00:14.0/usb2/2-3/2-3:1.0/host4/target4:0:0/4:0:0:0 removable=1
";
const DISK: &str = "sys/block/sdb";

fn set(recorded: &RecordedMachine, path: &str, text: &str) {
    fs::write(recorded.root().join(path), text).expect(path);
}

#[test]
fn a_drive_is_known_by_what_it_is_opened_by() {
    if !need::root() {
        return;
    }
    let recorded = RecordedMachine::new(STICK);
    let [drive] = &scanner(&recorded).scan().expect("lists")[..] else { panic!("one drive") };
    assert_eq!(drive.drive.to_string(), "2-3 #9");
    assert_eq!(drive.socket.to_string(), "pci-0000:00:14.0-usb-7");
    assert_eq!((&*drive.label.port, &*drive.label.path), ("2-3", "/dev/sdb"));
    assert_eq!(drive.label.serial.as_deref(), Some("4C530001"));
    assert_eq!(drive.label.model.as_deref(), Some("Ultra Fit"));
    assert_eq!((drive.size_bytes, drive.label.size_bytes), (30_310_400 * 512, Some(30_310_400 * 512)));
    assert!(drive.is_removable && !drive.is_read_only);
    let text = serde_json::to_string(drive).expect("JSON");
    assert!(text.contains(r#""socket":"pci-0000:00:14.0-usb-7","bus":"usb","path":"/dev/sdb""#), "{text}");
    assert_eq!(&serde_json::from_str::<Inserted>(&text).expect("reads"), drive);
}

#[test]
fn what_changes_in_a_known_drive_is_seen() {
    if !need::root() {
        return;
    }
    let recorded = RecordedMachine::new(STICK);
    let mut scanner = scanner(&recorded);
    let mut last = scanner.scan().expect("lists");
    // Another card; one of another size without a word; its switch; a reader without a card, and with one again.
    let steps = [("diskseq", "10", 1), ("size", "4096", 1), ("ro", "1", 1), ("size", "0", 0), ("size", "8192", 1)];
    for (attribute, text, drives) in steps {
        set(&recorded, &format!("{DISK}/{attribute}"), text);
        let now = scanner.scan().expect("lists");
        assert_eq!(now.len(), drives, "{attribute}={text}");
        assert!(now.iter().all(|drive| !last.contains(drive)), "{attribute}={text}: {now:?}");
        last = now;
    }
    assert!(last[0].is_read_only && last[0].size_bytes == 8192 * 512 && last[0].label.size_bytes == Some(8192 * 512));
    assert_eq!(last[0].drive.disk_sequence, Some(10));
}

/// A reader's serial number says nothing of its cards; what is connected anew may be a stick again.
#[test]
fn a_reader_is_known_by_its_second_card() {
    if !need::root() {
        return;
    }
    let recorded = RecordedMachine::new(STICK);
    let mut scanner = scanner(&recorded);
    let mut is_in_reader = || scanner.scan().expect("lists").first().map(|drive| drive.is_in_reader);
    assert_eq!(is_in_reader(), Some(false));
    set(&recorded, &format!("{DISK}/ro"), "1");
    assert_eq!(is_in_reader(), Some(false), "its switch makes no other medium of it");
    set(&recorded, &format!("{DISK}/size"), "0");
    assert_eq!(is_in_reader(), None);
    set(&recorded, &format!("{DISK}/diskseq"), "10");
    set(&recorded, &format!("{DISK}/size"), "8192");
    assert_eq!([is_in_reader(), is_in_reader()], [Some(true); 2]);
    let link = recorded.root().join(DISK);
    let folder = link.canonicalize().expect("a folder");
    let again = PathBuf::from(folder.to_string_lossy().replace("host4", "host5"));
    fs::create_dir_all(again.parent().expect("has one")).expect("created");
    fs::rename(&folder, &again).expect("renamed");
    fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink(&again, &link).expect("linked");
    set(&recorded, &format!("{DISK}/diskseq"), "11");
    assert_eq!(is_in_reader(), Some(false), "it was connected anew");
}

#[test]
fn a_known_drive_is_not_read_again_but_its_socket_is() {
    if !need::root() {
        return;
    }
    let recorded = RecordedMachine::new(STICK);
    let mut scanner = scanner(&recorded);
    let first = scanner.scan().expect("lists");
    let device = "sys/devices/pci0000:00/0000:00:14.0/usb2/2-3";
    set(&recorded, &format!("{device}/product"), "Another");
    assert_eq!(scanner.scan().expect("lists"), first, "the same insertion");
    // The firmware's word comes late.
    fs::remove_file(recorded.root().join("sys/devices/pci0000:00/0000:00:14.0/usb2/2-0:1.0/usb2-port3/peer"))
        .expect("a peer");
    let [drive] = &scanner.scan().expect("lists")[..] else { panic!("one drive") };
    assert_eq!(drive.socket.to_string(), "pci-0000:00:14.0-usb-3s");
    set(&recorded, &format!("{DISK}/diskseq"), "11");
    let [drive] = &scanner.scan().expect("lists")[..] else { panic!("one drive") };
    assert_eq!(drive.label.model.as_deref(), Some("Another"), "the control");
}

/// A drive that was listed before a rule of udev's had made it the station's was refused: permission denied.
#[test]
fn a_drive_is_listed_when_udev_is_done_with_it() {
    if !need::root() {
        return;
    }
    let recorded = RecordedMachine::new(STICK);
    set(&recorded, &format!("{DISK}/dev"), "8:16");
    let mut scanner = scanner(&recorded);
    let mut count = || scanner.scan().expect("lists").len();
    assert_eq!(count(), 1, "no udev runs");
    let udev = recorded.root().join("run/udev");
    fs::create_dir_all(udev.join("data")).expect("created");
    fs::write(udev.join("control"), "").expect("written");
    fs::write(udev.join("data/b8:0"), "").expect("written");
    assert_eq!(count(), 0, "udev is done with another one only");
    fs::write(udev.join("data/b8:16"), "I:1").expect("written");
    assert_eq!(count(), 1);
}

#[test]
fn a_machine_that_lists_no_disks_is_an_error() {
    let error = Scanner::new(Machine::at(Path::new("/nowhere"))).scan().expect_err("no /sys");
    assert!(error.to_string().contains("/nowhere/sys/block"), "{error}");
}

/// Forty drives in hubs: a scan by a daemon that does it every second must cost next to nothing.
#[test]
fn forty_known_drives_are_listed_in_no_time() {
    if !need::root() {
        return;
    }
    let mut text = String::from("hub pci0000:00/0000:00:14.0/usb1 480 16\nhub pci0000:00/0000:00:14.0/usb2 5000 16\n");
    for hub in 1..=4 {
        text += &format!("peer usb1-port{hub} usb2-port{hub}\n");
        text += &format!("hub pci0000:00/0000:00:14.0/usb1/1-{hub} 480 10\n");
        text += &format!("hub pci0000:00/0000:00:14.0/usb2/2-{hub} 5000 10\n");
        for port in 1..=10 {
            let (device, number) = (format!("2-{hub}.{port}"), hub * 16 + port);
            let path = format!("pci0000:00/0000:00:14.0/usb2/2-{hub}/{device}");
            text += &format!("peer 1-{hub}-port{port} 2-{hub}-port{port}\nusb {path} 0781:5581\n");
            text += &format!(
                "disk sd{number} 8:{number} {path}/{device}:1.0/host{number}/target{number}:0:0/{number}:0:0:0 removable=1\n"
            );
        }
    }
    let recorded = RecordedMachine::new(&text);
    let mut scanner = scanner(&recorded);
    let mut timed = || {
        let start = Instant::now();
        assert_eq!(scanner.scan().expect("lists").len(), 40);
        start.elapsed()
    };
    let first = timed();
    let known = (0..20).map(|_| timed()).min().expect("some");
    println!("40 drives: {first:?} at first, {known:?} when they are known");
    // Far above what it takes, since other tests run beside.
    assert!(known < first && known < Duration::from_millis(20), "{first:?} {known:?}");
}

/// On the machine that the tests run on: nothing virtual is listed, whatever is attached there, and an event is heard.
#[test]
fn the_real_machine_is_watched() {
    if !need::root() {
        return;
    }
    let mut watch = PortWatch::start().expect("listens");
    for drive in watch.scan().expect("lists") {
        println!("{} {:?} {:?} {}", drive.socket, drive.bus, drive.path, drive.size_bytes);
        let name = drive.path.to_string_lossy().into_owned();
        assert!(
            !["loop", "ram", "dm-", "md", "nbd"].iter().any(|kind| name.starts_with(&format!("/dev/{kind}"))),
            "{name}"
        );
    }
    assert_eq!(watch.scan().expect("lists"), watch.scan().expect("lists"), "nothing is plugged in while tests run");
    // The kernel tells once more of a disk that is there, as it does for udev when it starts. Others' events are hints as
    // well: what is shown is that it takes less than the second after which it is said anyway.
    let again = || {
        let mut disks = fs::read_dir("/sys/block").expect("lists").flatten();
        assert!(disks.any(|disk| fs::write(disk.path().join("uevent"), "change").is_ok()), "no disk is told of again");
    };
    let heard = (0..5).any(|_| {
        again();
        let start = Instant::now();
        watch.wait(Duration::from_secs(5)).expect("waits") && start.elapsed() < Duration::from_millis(700)
    });
    assert!(heard);
}
