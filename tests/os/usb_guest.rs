// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The same on the kernel's own drivers: a guest that is switched on with keyboards and a drive at USB.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::read;
use super::usb::RULES;
use crate::boot::{self, Machine};
use crate::common::Station;
use crate::guest::{Guest, Parts, find};

/// In the order in which they are loaded.
const MODULES: [&str; 16] = [
    "drivers/usb/common/usb-common",
    "drivers/usb/core/usbcore",
    "drivers/hid/hid",
    "drivers/hid/usbhid/usbhid",
    "drivers/hid/hid-generic",
    "drivers/scsi/scsi_common",
    "drivers/scsi/scsi_mod",
    "crypto/crct10dif_common",
    "lib/crc-t10dif",
    "lib/crc64",
    "lib/crc64-rocksoft",
    "block/t10-pi",
    "drivers/scsi/sd_mod",
    "drivers/usb/storage/usb-storage",
    "drivers/usb/host/xhci-hcd",
    "drivers/usb/host/xhci-pci",
];

/// What the guest said under this name: the driver of each interface but root hubs', and how many inputs there are.
fn said(machine: &Machine, name: &str) -> BTreeMap<String, String> {
    let transcript = machine.wait_for(&format!("END {name}"));
    let (_, said) = transcript.split_once(&format!("BEGIN {name}")).expect("begun");
    let (said, _) = said.split_once(&format!("END {name}")).expect("ended");
    let line = |line: &str| {
        let (interface, rest) = line.trim().split_once(" class=")?;
        let is_root_hub = interface.ends_with("-0:1.0");
        (!is_root_hub).then(|| (interface.to_owned(), rest.split_once(" driver=").expect("a driver").1.to_owned()))
    };
    let mut found: BTreeMap<String, String> = said.lines().filter_map(line).collect();
    let inputs = said.lines().find_map(|line| line.trim().strip_prefix("inputs=")).expect("counted");
    found.insert("inputs".to_owned(), inputs.to_owned());
    found
}

/// Ports 1 to 4 are the station's. In 1 a keyboard, in 2 a drive, in 3 a hub with another keyboard; in no port a touch panel.
#[test]
fn nothing_in_a_port_becomes_a_keyboard() {
    if !boot::wanted() {
        return;
    }
    let station = Station::new();
    let port = |at| format!("[[port]]\nlabel = \"{at}\"\nsocket = \"pci-0000:00:05.0-usb-{at}\"\n");
    let put = |name: &str, text: &str| fs::write(station.path(name), text).expect("writes");
    put("ports.toml", &(1..=4).map(port).collect::<String>());
    put("station.toml", "name = \"guest\"\n[paths]\nports = \"/etc/platen/ports.toml\"\n");
    put("60-platen-usb.rules", &read(RULES));
    fs::File::create(station.path("stick")).and_then(|file| file.set_len(8 << 20)).expect("made");
    let parts = Parts {
        modules: &MODULES,
        programs: &[PathBuf::from(env!("CARGO_BIN_EXE_platend")), find("udevadm")],
        scripts: "tests/os/guest",
        kept: &["ports.toml", "station.toml", "60-platen-usb.rules"],
    };
    let guest = Guest::build(&station, &parts);
    let drive = format!("if=none,id=stick,format=raw,file={}", station.text("stick"));
    let mut machine = Machine::start_kernel(&guest.kernel, &guest.initramfs(), |command, _| {
        command.args(["-drive", &drive]);
        for device in [
            "qemu-xhci,id=usb,addr=0x5,p2=8,p3=8",
            "usb-kbd,bus=usb.0,port=1",
            "usb-storage,bus=usb.0,port=2,drive=stick,removable=on",
            "usb-hub,bus=usb.0,port=3",
            "usb-kbd,bus=usb.0,port=3.2",
            "usb-tablet,bus=usb.0,port=5",
        ] {
            command.args(["-device", device]);
        }
    });
    let expected = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, driver)| ((*name).to_owned(), (*driver).to_owned())).collect()
    };

    // All are plugged in, and nothing of them is in use: not even their interfaces are there.
    let own = said(&machine, "kernel");
    let inputs = |more: u32| (own["inputs"].parse::<u32>().expect("a number") + more).to_string();
    assert_eq!(own.len(), 1, "{own:?}");
    let at_first = [("1-1:1.0", "none"), ("1-3:1.0", "hub"), ("1-3.2:1.0", "none"), ("2-2:1.0", "usb-storage")];
    let none = inputs(0);
    let rules = [at_first.as_slice(), &[("1-5:1.0", "none"), ("inputs", &none)]].concat();
    assert_eq!(said(&machine, "rules"), expected(&rules));
    // The control: in no port a driver takes it.
    let one = inputs(1);
    let settings = [at_first.as_slice(), &[("1-5:1.0", "usbhid"), ("inputs", &one)]].concat();
    assert_eq!(said(&machine, "settings"), expected(&settings));
    for (id, at) in [("in-a-port", "3.3"), ("elsewhere", "6")] {
        let device = json!({ "driver": "usb-kbd", "id": id, "bus": "usb.0", "port": at });
        machine.qmp().ask("device_add", &device);
    }
    machine.type_line("go");
    let two = inputs(2);
    let more = [("1-3.3:1.0", "none"), ("1-5:1.0", "usbhid"), ("1-6:1.0", "usbhid"), ("inputs", &two)];
    assert_eq!(said(&machine, "plugged"), expected(&[at_first.as_slice(), &more].concat()));
}
