// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where one device is that the kernel has just told of, for whoever sets its rights before anybody uses it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::scan::socket_of;
use super::socket::{Bus, Socket};
use super::usb::{chain_of_device, chain_of_port, name_of};
use super::while_doing;
use crate::block::BlockDevice;
use crate::machine::{Machine, attribute};

/// Where a device is, by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A whole disk, whether a medium is in it or not.
    Disk {
        /// Where it is inserted.
        socket: Socket,
        /// How it is attached.
        bus: Bus,
        /// It says that its medium can be taken out.
        is_removable: bool,
    },
    /// An interface of a USB device: what it can do.
    Interface {
        /// Where its device is plugged in.
        socket: Socket,
    },
    /// A hub: its ports, each with the file that switches it ([`super::PortPower`]). A socket for USB 3 is a port of two
    /// hubs.
    Hub {
        /// Those that can be switched.
        switches: Vec<(Socket, PathBuf)>,
    },
}

/// Where the device with this folder below `/sys` is (udev calls it DEVPATH). None: it is nothing that is in a socket.
pub fn place_of(device: &Path) -> io::Result<Option<Place>> {
    place_on(&Machine::real(), device)
}

pub(super) fn place_on(machine: &Machine, device: &Path) -> io::Result<Option<Place>> {
    let folder = machine.sys("").join(device.strip_prefix("/").unwrap_or(device));
    let folder = fs::canonicalize(&folder).map_err(while_doing(format!("looking for {}", folder.display())))?;
    // What counts insertions is a whole disk.
    if folder.join("diskseq").exists() {
        let device = BlockDevice::in_folder(&folder).map_err(while_doing(format!("reading {}", folder.display())))?;
        let Some((bus, socket)) = socket_of(&device) else { return Ok(None) };
        let is_removable = attribute(&device.dir.join("removable"))? == "1";
        return Ok(Some(Place::Disk { socket, bus, is_removable }));
    }
    // Of USB, an interface: its class is what it can do.
    if !folder.join("bInterfaceClass").exists() {
        return Ok(None);
    }
    // A hub's ports are there as soon as its driver has it.
    let entries = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let mut ports: Vec<PathBuf> = entries.filter(|path| name_of(path).contains("-port")).collect();
    ports.sort();
    if !ports.is_empty() {
        let switch = |port: PathBuf| {
            let socket = Socket::of_usb(&port, &chain_of_port(&port)?)?;
            Some((socket, port.join("disable"))).filter(|(_, switch)| switch.exists())
        };
        return Ok(Some(Place::Hub { switches: ports.into_iter().filter_map(switch).collect() }));
    }
    let socket = folder.parent().and_then(|device| Socket::of_usb(device, &chain_of_device(device)?));
    Ok(socket.map(|socket| Place::Interface { socket }))
}

#[cfg(test)]
mod tests {
    use platen_testkit::machine::RecordedMachine;
    use platen_testkit::need;

    use super::super::scan::{Inserted, Scanner};
    use super::super::tests::STICK;
    use super::*;

    fn place(recorded: &RecordedMachine, device: &str) -> io::Result<Option<Place>> {
        place_on(&Machine::at(recorded.root()), Path::new(device))
    }

    fn socket(name: &str) -> Socket {
        Socket::from(name.to_owned())
    }

    #[test]
    fn a_disk_is_where_it_is_listed_and_its_partitions_are_nowhere() {
        if !need::root() {
            return;
        }
        let recorded = RecordedMachine::new(STICK);
        let listed = Scanner::new(Machine::at(recorded.root())).scan().expect("scans");
        assert!(!listed.is_empty());
        for disk in listed {
            let link = recorded.root().join("sys/block").join(name_of(&disk.path));
            let real = fs::canonicalize(link).expect("is there");
            let below = real.strip_prefix(fs::canonicalize(recorded.root().join("sys")).expect("is there"));
            let device = Path::new("/").join(below.expect("below"));
            let found = place(&recorded, device.to_str().expect("UTF-8")).expect("reads");
            let Inserted { socket, bus, is_removable, .. } = disk;
            assert_eq!(found, Some(Place::Disk { socket, bus, is_removable }));
        }
    }

    #[test]
    fn an_empty_slot_is_in_its_socket_too() {
        if !need::root() {
            return;
        }
        let recorded = RecordedMachine::new(
            "hub pci0000:00/0000:00:14.0/usb1 480 4
             usb pci0000:00/0000:00:14.0/usb1/1-2 05e3:0764
             interface pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0 08:06:50
             disk sda 8:0 pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host0/target0:0:0/0:0:0:1 size=0 removable=1
             part sda1 8:1 sda",
        );
        let disk = "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host0/target0:0:0/0:0:0:1/block/sda";
        let slot = Place::Disk { socket: socket("pci-0000:00:14.0-usb-2-lun-1"), bus: Bus::Usb, is_removable: true };
        assert_eq!(place(&recorded, disk).expect("reads"), Some(slot));
        assert_eq!(place(&recorded, &format!("{disk}/sda1")).expect("reads"), None);
        place(&recorded, "/devices/pci0000:00/gone").expect_err("it was pulled");
    }

    #[test]
    fn interfaces_are_where_their_device_is_and_hubs_have_switches() {
        if !need::root() {
            return;
        }
        let recorded = RecordedMachine::new(
            "hub pci0000:00/0000:00:14.0/usb1 480 2
             hub pci0000:00/0000:00:14.0/usb2 5000 1
             peer usb1-port2 usb2-port1
             usb pci0000:00/0000:00:14.0/usb1/1-1 046d:c31c
             interface pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0 03:01:01",
        );
        let keyboard = Place::Interface { socket: socket("pci-0000:00:14.0-usb-1") };
        let devices = "/devices/pci0000:00/0000:00:14.0";
        assert_eq!(place(&recorded, &format!("{devices}/usb1/1-1/1-1:1.0")).expect("reads"), Some(keyboard));
        assert_eq!(place(&recorded, &format!("{devices}/usb1/1-1")).expect("reads"), None, "the device is not asked");
        let switches = |hub: &str| match place(&recorded, &format!("{devices}/{hub}")).expect("reads") {
            Some(Place::Hub { switches }) => switches,
            other => panic!("{hub}: {other:?}"),
        };
        let names = |hub: &str| -> Vec<String> { switches(hub).iter().map(|(socket, _)| socket.to_string()).collect() };
        assert_eq!(names("usb1/1-0:1.0"), ["pci-0000:00:14.0-usb-1", "pci-0000:00:14.0-usb-2"]);
        assert_eq!(names("usb2/2-0:1.0"), ["pci-0000:00:14.0-usb-2"], "the other half of the same socket");
        assert!(switches("usb2/2-0:1.0")[0].1.ends_with("2-0:1.0/usb2-port1/disable"));
    }
}
