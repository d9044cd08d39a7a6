// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The sockets of the guest, which of them are ports of its station, and what QEMU calls them.

use std::path::Path;
use std::process::Command;

/// A USB socket that the host plugs drives into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Port {
    /// What the station calls it: its label, or the socket's name if it is no port.
    pub(super) name: &'static str,
    /// The kernel's name for it, which is the same at every start.
    socket: &'static str,
    /// QEMU's names.
    pub(super) bus: &'static str,
    pub(super) at: &'static str,
    /// What is in it has at most 480 Mb/s.
    pub(super) is_slow: bool,
}

const fn port(name: &'static str, socket: &'static str, bus: &'static str, at: &'static str) -> Port {
    Port { name, socket, bus, at, is_slow: false }
}

const fn slow_port(name: &'static str, socket: &'static str, bus: &'static str, at: &'static str) -> Port {
    Port { name, socket, bus, at, is_slow: true }
}

pub(super) const X1: Port = port("X1", "pci-0000:00:04.0-usb-1", "xhci.0", "1");
pub(super) const X2: Port = port("X2", "pci-0000:00:04.0-usb-2", "xhci.0", "2");
pub(super) const X3: Port = port("X3", "pci-0000:00:04.0-usb-3", "xhci.0", "3");
pub(super) const X4: Port = port("X4", "pci-0000:00:04.0-usb-4", "xhci.0", "4");
/// In a hub, and in a hub in that hub.
pub(super) const H1: Port = slow_port("H1", "pci-0000:00:04.0-usb-5.1", "xhci.0", "5.1");
pub(super) const H2: Port = slow_port("H2", "pci-0000:00:04.0-usb-5.2", "xhci.0", "5.2");
pub(super) const HH1: Port = slow_port("HH1", "pci-0000:00:04.0-usb-5.4.1", "xhci.0", "5.4.1");
/// Of a controller without SuperSpeed.
pub(super) const E1: Port = slow_port("E1", "pci-0000:00:05.0-usb-1", "ehci.0", "1");
/// All that are ports of the station.
pub(super) const PORTS: [Port; 8] = [X1, X2, X3, X4, H1, H2, HH1, E1];
/// No ports of the station.
pub(super) const UNMAPPED: [Port; 2] = [
    port("pci-0000:00:04.0-usb-7", "pci-0000:00:04.0-usb-7", "xhci.0", "7"),
    port("pci-0000:00:04.0-usb-5.3", "pci-0000:00:04.0-usb-5.3", "xhci.0", "5.3"),
];

/// What is in the guest from the start, and gadgets: label, socket, what it accepts.
const OTHERS: [(&str, &str, &str); 6] = [
    ("READER", "platform-dummy_hcd.0-usb-1", "usb-removable"),
    ("KEYS", "platform-dummy_hcd.1-usb-1", "usb-removable"),
    ("BOTH", "platform-dummy_hcd.2-usb-1", "usb-removable"),
    ("BAY", "pci-0000:00:1f.2-ata-1", "sata"),
    // A mistake of whoever made the map.
    ("SYSTEM", "pci-0000:00:1f.2-ata-2", "sata"),
    ("NVME", "pci-0000:01:00.0-nvme-1", "nvme"),
];
/// The third disk is in no port.
pub(super) const INTERNAL: &str = "pci-0000:00:1f.2-ata-3";

/// `ports.toml`.
pub(super) fn map() -> String {
    let usb = PORTS.iter().map(|port| (port.name, port.socket, "usb-removable"));
    let table = |(label, socket, accepts)| {
        format!("[[port]]\nlabel = \"{label}\"\nsocket = \"{socket}\"\naccepts = [\"{accepts}\"]\n")
    };
    "schema = 1\n".to_owned() + &usb.chain(OTHERS).map(table).collect::<String>()
}

/// Controllers, hubs, a bay for NVMe drives, disks on the first SATA ports in this order, and a line to the station.
pub(super) fn add_devices(command: &mut Command, work: &Path, disks: &[(&str, &Path)]) {
    let line = work.join("station");
    command.args(["-chardev", &format!("socket,id=station,path={},server=on,wait=off", line.display())]);
    for text in [
        "virtio-serial-pci,addr=3",
        "virtserialport,chardev=station,name=station",
        "qemu-xhci,id=xhci,addr=4,p2=8,p3=8",
        "usb-ehci,id=ehci,addr=5",
        "usb-hub,bus=xhci.0,port=5,port-power=on",
        "usb-hub,bus=xhci.0,port=5.4,port-power=on",
        "pcie-root-port,id=bay,addr=6,chassis=1",
    ] {
        command.args(["-device", text]);
    }
    for (at, (name, image)) in disks.iter().enumerate() {
        let file = format!("file.driver=file,file.locking=off,file.filename={}", image.display());
        command.args(["-blockdev", &format!("driver=raw,node-name={name},{file}")]);
        command.args(["-device", &format!("ide-hd,bus=ide.{at},drive={name},serial={name}")]);
    }
}
