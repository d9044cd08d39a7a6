// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What udev is told of a device, so that it belongs to the station before anybody uses it: a station need not run as root
//! then, and can open no disk but those in its ports.

use std::io;
use std::path::Path;

use platen_device::ports::{Place, Socket, place_of};

use super::machine::class_of;
use crate::config::{Accepts, Policy, PortMap, UnmappedPorts};

/// What is in a port of the station, with its socket.
const PORT: &str = "PLATEN_PORT";
/// The switches of a hub's ports, those of the station's only, between blanks.
const SWITCHES: &str = "PLATEN_SWITCHES";

/// Properties of the device with this folder below `/sys`, by name; none for what is not the station's.
pub fn properties(device: &Path, map: &PortMap, policy: &Policy) -> io::Result<Vec<(&'static str, String)>> {
    Ok(place_of(device)?.and_then(|place| property(place, map, policy)).into_iter().collect())
}

fn property(place: Place, map: &PortMap, policy: &Policy) -> Option<(&'static str, String)> {
    let sockets: Vec<Socket> = map.ports().iter().map(|port| Socket::from(port.socket.clone())).collect();
    match place {
        Place::Disk { socket, bus, is_removable } => {
            let is_mapped = sockets.iter().any(|mapped| mapped.leads_to(&socket));
            // In a socket without a label only what people carry in their hands: never a disk of the computer.
            let is_carried = || class_of(bus, is_removable).is_some_and(|class| Accepts::default().takes(class));
            let is_ours = is_mapped || policy.unmapped_ports == UnmappedPorts::Accept && is_carried();
            is_ours.then(|| (PORT, socket.to_string()))
        }
        Place::Interface { socket } => {
            let is_ours = sockets.iter().any(|mapped| mapped.port().leads_to(&socket));
            is_ours.then(|| (PORT, socket.to_string()))
        }
        Place::Hub { switches } => {
            let is_ours = |socket: &Socket| sockets.iter().any(|mapped| mapped.port() == *socket);
            let ours = switches.into_iter().filter(|(socket, _)| is_ours(socket));
            let paths: Vec<String> = ours.map(|(_, switch)| switch.display().to_string()).collect();
            (!paths.is_empty()).then(|| (SWITCHES, paths.join(" ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use platen_device::ports::Bus;

    use super::*;

    const PCI: &str = "pci-0000:00:14.0-usb";

    fn map() -> PortMap {
        let text = format!(
            "[[port]]\nlabel = \"1\"\nsocket = \"{PCI}-1\"\n[[port]]\nlabel = \"2\"\nsocket = \"{PCI}-2-lun-1\"\n\
             [[port]]\nlabel = \"3\"\nsocket = \"pci-0000:00:17.0-ata-1\"\naccepts = [\"sata\"]"
        );
        PortMap::parse(&text, Path::new("ports.toml")).expect("valid")
    }

    fn socket(name: &str) -> Socket {
        Socket::from(name.to_owned())
    }

    /// What is said of a disk: its socket, or nothing.
    fn disk(place: &str, bus: Bus, is_removable: bool, unmapped_ports: UnmappedPorts) -> bool {
        let policy = Policy { unmapped_ports, ..Policy::default() };
        let property = property(Place::Disk { socket: socket(place), bus, is_removable }, &map(), &policy);
        property.inspect(|property| assert_eq!(*property, (PORT, place.to_owned()))).is_some()
    }

    #[test]
    fn disks_in_the_stations_ports_are_its_own_and_no_others() {
        for (place, bus) in [
            (format!("{PCI}-1"), Bus::Usb),
            (format!("{PCI}-1.4"), Bus::Usb),
            (format!("{PCI}-2-lun-1"), Bus::Usb),
            ("pci-0000:00:17.0-ata-1".to_owned(), Bus::Ata),
        ] {
            assert!(disk(&place, bus, false, UnmappedPorts::Refuse), "{place}");
        }
        for (place, bus) in [
            (format!("{PCI}-11"), Bus::Usb),
            (format!("{PCI}-2"), Bus::Usb),
            ("pci-0000:00:17.0-ata-2".to_owned(), Bus::Ata),
            ("pci-0000:03:00.0-nvme-1".to_owned(), Bus::Nvme),
        ] {
            assert!(!disk(&place, bus, true, UnmappedPorts::Refuse), "{place}");
        }
    }

    #[test]
    fn where_other_sockets_are_accepted_a_disk_of_the_computer_is_not_given_away() {
        let accept = UnmappedPorts::Accept;
        assert!(disk(&format!("{PCI}-9"), Bus::Usb, true, accept));
        assert!(!disk(&format!("{PCI}-9"), Bus::Usb, false, accept));
        assert!(!disk("pci-0000:03:00.0-nvme-1", Bus::Nvme, false, accept));
        assert!(!disk("platform-fe340000.mmc-mmc", Bus::Mmc, false, accept), "soldered memory");
        assert!(disk("platform-fe340000.mmc-mmc", Bus::Mmc, true, accept));
    }

    #[test]
    fn interfaces_and_switches_are_those_of_the_ports() {
        let said = |place| property(place, &map(), &Policy::default());
        let interface = |name: String| said(Place::Interface { socket: socket(&name) });
        assert_eq!(interface(format!("{PCI}-1")), Some((PORT, format!("{PCI}-1"))));
        assert!(interface(format!("{PCI}-1.2")).is_some(), "a hub is plugged in there");
        assert!(interface(format!("{PCI}-2")).is_some(), "a port with a slot of the station's in it");
        assert_eq!(interface(format!("{PCI}-9")), None, "the station's own keyboard");
        let switch = |name: &str| (socket(name), PathBuf::from(format!("/sys/{name}/disable")));
        let ports = [&format!("{PCI}-1"), &format!("{PCI}-2"), &format!("{PCI}-9")];
        let hub = Place::Hub { switches: ports.map(|name| switch(name)).to_vec() };
        assert_eq!(said(hub), Some((SWITCHES, format!("/sys/{PCI}-1/disable /sys/{PCI}-2/disable"))));
        assert_eq!(said(Place::Hub { switches: vec![switch(&format!("{PCI}-9"))] }), None);
    }
}
