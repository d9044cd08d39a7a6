// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is no removable USB drive in a port: keyboards and other strangers, bays for disks, disks that nobody may write.

use platen_events::Code;
use serde_json::json;

use super::bench::{Bench, work};
use super::drive::{Before, How, SIZE_MIB, assert_media, drive, text};
use super::ports::{INTERNAL, UNMAPPED, X1, X3};
use crate::common::tool;

/// HID, network (CDC) and a phone (MTP) in ports; a keyboard that is a drive besides; the same keyboard in no port.
pub(super) fn strangers(bench: &mut Bench) {
    // The control: where the station has no port, the kernel's drivers take what they know.
    bench.shell("build 3 hid.0 ecm.usb0; plug 3; await shows \"$(in_socket 3)\" driver=usbhid");
    bench.shell("await shows \"$(in_socket 3)\" driver=cdc_ether");
    let free = bench.shell("interfaces \"$(in_socket 3)\"");
    for driver in ["class=03 authorized=1 driver=usbhid", "class=02 authorized=1 driver=cdc_ether"] {
        assert!(free.contains(driver), "{free}");
    }
    bench.shell("build 1 hid.0 ecm.usb0; plug 1; await shows \"$(in_socket 1)\" authorized=0");
    bench.shell("await is_let_in_nowhere \"$(in_socket 1)\"");
    let refused = bench.shell("interfaces \"$(in_socket 1)\"");
    for class in ["03", "02", "0a"] {
        assert!(refused.contains(&format!("class={class} authorized=0 driver=none")), "{refused}");
    }
    // A drive that types besides: its drive is one, its keyboard is none.
    bench.shell(
        "truncate -s 40M both.img; build 2 mass_storage.0 hid.0; insert 2 /tmp/both.img; plug 2; await appeared 2",
    );
    let both = bench.until_seen("BOTH", "GADGET-2");
    bench.ask(json!({ "request": "start", "port": "BOTH", "drive": both, "work": work() }));
    bench.until_ready(&["GADGET-2"]);
    let both = bench.shell("interfaces \"$(in_socket 2)\"");
    assert!(both.contains("class=08 authorized=1 driver=usb-storage"), "{both}");
    assert!(both.contains("class=03 authorized=0 driver=none"), "{both}");
    // A phone, which the kernel has no driver for, that a program could talk to.
    let id = format!("phone{}", bench.number());
    let folder = bench.station.text("tree");
    bench.qmp(
        "device_add",
        &json!({ "driver": "usb-mtp", "id": id, "bus": X3.bus, "port": X3.at, "rootdir": folder, "readonly": true }),
    );
    bench.shell("await shows '/sys/devices/pci0000:00/0000:00:04.0/usb*/*-3' authorized=0");
    let log = bench.shell("cat /tmp/platend.log");
    for said in ["InterfaceClass(3, 1, 1)", "InterfaceClass(2, 6, 0)", "InterfaceClass(6, 1, 1)"] {
        assert!(log.lines().any(|line| line.contains(said) && line.contains("was not let in")), "{said}: {log}");
    }
    assert!(!log.contains("can't be kept out"), "{log}");
    bench.qmp("device_del", &json!({ "id": id }));
    bench.shell("for socket in 1 2 3; do pull $socket; done");
    bench
        .line
        .until("the drive is gone", |line| line.state().drives().values().all(|drive| drive.label.port != "BOTH"));
}

pub(super) fn no_ports(bench: &mut Bench) {
    bench.ask(json!({ "request": "arm", "work": work() }));
    for (at, port) in UNMAPPED.into_iter().enumerate() {
        let drive = bench.drive(&format!("NOWHERE-{at}"), How::Stick);
        let before = Before::of(&drive.image);
        bench.plug(port, &drive);
        bench.line.until("it is refused", |line| line.is_refused(&drive.serial, Code::NotAPort));
        let seen = bench.until_seen(port.name, &drive.serial);
        let answer = bench.line.ask(json!({ "request": "start", "port": port.name, "drive": seen, "work": work() }));
        assert!(answer.get("error").is_some(), "{answer}");
        before.assert_unchanged();
        // The control: in a port it is taken.
        bench.pull(port);
        bench.plug(X1, &drive);
        bench.until_ready(&[&drive.serial]);
        bench.pull(X1);
    }
}

/// A SATA disk in a bay, which is pulled and inserted as far as the kernel can tell, and two that are no bay's.
pub(super) fn bay(bench: &mut Bench) {
    let start = |bench: &mut Bench, port: &str| {
        let drive = bench.inside(port).unwrap_or_else(|| panic!("{port} is empty")).0.clone();
        bench.line.fates.clear();
        bench.line.ask(json!({ "request": "start", "port": port, "drive": drive, "work": work() }))
    };
    let answer = start(bench, "BAY");
    assert!(answer.get("error").is_none(), "{answer}");
    bench.line.until("the disk in the bay is ready", |line| !line.fates.is_empty());
    assert_eq!(bench.line.fates[0].verdict, Some(platen_events::Verdict::Ready), "{:?}", bench.line.fates);
    let bay = bench.bay.clone();
    assert_media(&bench.station, &[(&bay, "BAY")]);
    let before = Before::of(&bay);
    let of_bay = "\"/sys/block/$(disk_in ata1)/device\"";
    bench.shell(&format!("host=$(readlink -f {of_bay}/../..); echo 1 > {of_bay}/delete"));
    bench.line.until("the bay is empty", |line| line.state().drives().values().all(|drive| drive.label.port != "BAY"));
    bench.shell("echo '- - -' > \"$(echo \"$host\"/scsi_host/*)/scan\"");
    bench.line.until("the bay is full", |line| line.state().drives().values().any(|drive| drive.label.port == "BAY"));
    before.assert_unchanged();

    // The map may say what it likes.
    start(bench, "SYSTEM");
    bench.line.until("the system disk is refused", |line| !line.fates.is_empty());
    assert_eq!(bench.line.fates[0].code, Some(Code::NotAllowed), "{:?}", bench.line.fates);
    assert!(start(bench, INTERNAL).get("error").is_some());
    bench.system.assert_unchanged();
    bench.internal.assert_unchanged();
}

pub(super) fn nvme(bench: &mut Bench) {
    // Of 4096-byte sectors FAT32 needs so many.
    let disk = drive(&bench.station, "NVME", How::Stick, 288);
    let node = json!({ "driver": "raw", "node-name": "nvme",
        "file": { "driver": "file", "filename": disk.image, "locking": "off" } });
    bench.qmp("blockdev-add", &node);
    bench.qmp(
        "device_add",
        &json!({ "driver": "nvme", "id": "nvme", "bus": "bay", "drive": "nvme", "serial": "NVME",
            "logical_block_size": 4096, "physical_block_size": 4096 }),
    );
    let is_in = |line: &super::line::Line| line.state().drives().values().any(|drive| drive.label.port == "NVME");
    bench.line.until("it is seen", is_in);
    let seen = bench.inside("NVME").expect("seen").0.clone();
    for kind in ["write", "verify"] {
        bench.line.fates.clear();
        let mut work = json!({ "kind": kind });
        if kind == "write" {
            work = super::bench::work();
        }
        bench.line.until("the job before has let go", |line| line.state().jobs().values().all(|job| job.released));
        bench.ask(json!({ "request": "start", "port": "NVME", "drive": seen, "work": work }));
        bench.line.until("it has its end", |line| !line.fates.is_empty());
        let verdict = bench.line.fates[0].verdict.clone();
        assert!(verdict.is_some_and(|verdict| verdict.is_success()), "{kind}: {:?}", bench.line.fates);
    }
    bench.qmp("device_del", &json!({ "id": "nvme" }));
    bench.line.until("it is gone", |line| !is_in(line));
    // MBR, first partition: its first sector, of 4096 bytes.
    let bytes = std::fs::read(&disk.image).expect("reads");
    let begin = u32::from_le_bytes(bytes[454..458].try_into().expect("four")) as u64 * 4096;
    let listed = tool("mdir", &["-b", "-i", &format!("{}@@{begin}", text(&disk.image)), "::/"]).expect(0).stdout;
    assert!(listed.contains("readme.txt"), "{listed}");
}

pub(super) fn unchanged(bench: &mut Bench) {
    bench.system.assert_unchanged();
    bench.internal.assert_unchanged();
    // What is written to a name whose drive is gone would be a file (AltraMayor/f3 174).
    assert_eq!(bench.shell("find /dev -type f").trim(), "");
    // The control: one byte that the guest changes is one byte that is seen.
    let at = (SIZE_MIB << 20) / 2 + 1;
    let dd = format!("dd of=\"/dev/$(disk_in ata3)\" bs=1 count=1 seek={at} conv=notrunc,fsync 2> /dev/null");
    bench.shell(&format!("printf x | {dd}"));
    assert_eq!(bench.internal.changed_bytes(), 1, "control");
    bench.system.assert_unchanged();
}
