// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is plugged into a socket for drives and is none: keyboards, network cards, phones, and drives that are more than
//! a drive.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::socket::Socket;
use super::usb::{chain_of_device, name_of};
use super::while_doing;
use crate::block::UsbDevice;
use crate::machine::{Machine, attribute};

/// What an interface says it does: class, subclass and protocol, as usb.org gives them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceClass(pub u8, pub u8, pub u8);

impl InterfaceClass {
    fn read(interface: &Path) -> Option<Self> {
        let number = |name: &str| u8::from_str_radix(&attribute(&interface.join(name)).ok()?, 16).ok();
        Some(Self(number("bInterfaceClass")?, number("bInterfaceSubClass")?, number("bInterfaceProtocol")?))
    }

    /// A disk over USB: SCSI commands, by Bulk-Only Transport or UAS.
    fn is_drive(self) -> bool {
        matches!(self, Self(0x08, 0x06, 0x50 | 0x62))
    }

    fn is_hub(self) -> bool {
        self.0 == 0x09
    }

    /// For people.
    pub fn describe(self) -> &'static str {
        match self.0 {
            0x01 => "a sound device",
            0x02 | 0x0a => "a modem or network card",
            0x03 => "a keyboard, mouse or other input device",
            0x06 => "a camera or phone",
            0x07 => "a printer",
            0x08 => "a storage device of another kind",
            0x0b => "a smart card reader",
            0x0e => "a video camera",
            0xe0 => "a wireless or network device",
            0xff => "a device of its maker's own kind",
            _ => "a device of another kind",
        }
    }
}

/// As `lsusb` and rules for devices write it: `03:01:01`.
impl fmt::Display for InterfaceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}:{:02x}", self.0, self.1, self.2)
    }
}

/// An interface of a USB device that is no drive's, in a socket that is meant for drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Where its device is plugged in.
    pub socket: Socket,
    /// The kernel's name of the interface: `1-4:1.1`.
    pub interface: String,
    /// What it says it does.
    pub class: InterfaceClass,
    /// Its device is a drive besides, as a drive is that types (BadUSB).
    pub is_beside_drive: bool,
    /// No driver may use it: refused before, by whomever.
    pub is_refused: bool,
    /// What the device calls itself, which may be anything.
    pub model: Option<String>,
    folder: PathBuf,
    /// Given anew to whatever is plugged in.
    device_number: Option<String>,
}

/// Every interface that is no drive's and no hub's, of all devices that are in these sockets, or in hubs that are plugged
/// in there. What vanishes meanwhile is left out.
pub fn strangers(sockets: &[Socket]) -> io::Result<Vec<Stranger>> {
    strangers_on(&Machine::real(), sockets)
}

pub(super) fn strangers_on(machine: &Machine, sockets: &[Socket]) -> io::Result<Vec<Stranger>> {
    let devices = machine.sys("bus/usb/devices");
    let mut found = Vec::new();
    for entry in fs::read_dir(&devices).map_err(while_doing(format!("listing {}", devices.display())))? {
        let link = entry?.path();
        let name = name_of(&link);
        // Neither interfaces nor root hubs, which nobody has plugged in.
        if name.contains(':') || !name.contains('-') {
            continue;
        }
        let Ok(device) = fs::canonicalize(&link) else { continue };
        let socket = chain_of_device(&device).and_then(|chain| Socket::of_usb(&device, &chain));
        if let Some(socket) = socket.filter(|socket| sockets.iter().any(|wanted| wanted.port().leads_to(socket))) {
            found.extend(of_device(&device, &socket));
        }
    }
    found.sort_by(|a, b| (&a.socket, &a.interface).cmp(&(&b.socket, &b.interface)));
    Ok(found)
}

/// A device may call itself a hub or whatever it likes: only what its interfaces do is asked.
fn of_device(device: &Path, socket: &Socket) -> Vec<Stranger> {
    let entries = fs::read_dir(device).into_iter().flatten().flatten().map(|entry| entry.path());
    let interfaces: Vec<(PathBuf, InterfaceClass)> = entries
        .filter(|path| name_of(path).strip_prefix(name_of(device)).is_some_and(|rest| rest.starts_with(':')))
        .filter_map(|path| InterfaceClass::read(&path).map(|class| (path, class)))
        .collect();
    let is_beside_drive = interfaces.iter().any(|(_, class)| class.is_drive());
    let device_number = attribute(&device.join("devnum")).ok();
    let strange = interfaces.into_iter().filter(|(_, class)| !class.is_drive() && !class.is_hub());
    let stranger = |(folder, class): (PathBuf, InterfaceClass)| Stranger {
        socket: socket.clone(),
        interface: name_of(&folder).to_owned(),
        class,
        is_beside_drive,
        is_refused: attribute(&folder.join("authorized")).is_ok_and(|text| text == "0"),
        model: UsbDevice::read(device).and_then(|usb| usb.model),
        device_number: device_number.clone(),
        folder,
    };
    strange.map(stranger).collect()
}

/// Forbid every driver to use this interface (Linux 4.4 and later). Its driver lets go of it at once.
///
/// Only the interface is refused. A drive that is something else besides stays a drive, which may be written if the caller
/// wants that. And what is refused here was used for as long as it took to come here: that an unknown keyboard types
/// nothing at all takes `interface_authorized_default` of each bus, before anything is inserted.
pub fn refuse(stranger: &Stranger) -> io::Result<()> {
    let doing = || while_doing(format!("refusing interface {} in {}", stranger.interface, stranger.socket));
    // The name of the folder says where it is. What it is now may be the next drive.
    let now = stranger.folder.parent().and_then(|device| attribute(&device.join("devnum")).ok());
    if now != stranger.device_number {
        return Err(doing()(io::Error::new(io::ErrorKind::NotFound, "another device is there by now")));
    }
    let file = OpenOptions::new().write(true).open(stranger.folder.join("authorized"));
    file.and_then(|mut file| file.write_all(b"0")).map_err(doing())
}

#[cfg(test)]
mod tests {
    use platen_testkit::machine::RecordedMachine;

    use super::*;

    // USBGuard 369, usbauth-all 2: a stick that is something else besides, and devices that are no drives at all.
    const STRANGERS: &str = "
hub pci0000:00/0000:00:14.0/usb1 480 12
usb pci0000:00/0000:00:14.0/usb1/1-1 0781:5581
interface pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0 08:06:50
usb pci0000:00/0000:00:14.0/usb1/1-2 03eb:2403
set sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/product Ducky
interface pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0 08:06:50
interface pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.1 03:01:01
hub pci0000:00/0000:00:14.0/usb1/1-3 480 4
usb pci0000:00/0000:00:14.0/usb1/1-3/1-3.1 0b95:1790
interface pci0000:00/0000:00:14.0/usb1/1-3/1-3.1/1-3.1:1.0 ff:ff:00
usb pci0000:00/0000:00:14.0/usb1/1-3/1-3.2 174c:55aa
interface pci0000:00/0000:00:14.0/usb1/1-3/1-3.2/1-3.2:1.0 08:06:62
usb pci0000:00/0000:00:14.0/usb1/1-3/1-3.3 18d1:4ee1
interface pci0000:00/0000:00:14.0/usb1/1-3/1-3.3/1-3.3:1.0 06:01:01
usb pci0000:00/0000:00:14.0/usb1/1-9 046d:c31c
interface pci0000:00/0000:00:14.0/usb1/1-9/1-9:1.0 03:01:01
usb pci0000:00/0000:00:14.0/usb1/1-10 1d6b:0002
set sys/devices/pci0000:00/0000:00:14.0/usb1/1-10/bDeviceClass 09
interface pci0000:00/0000:00:14.0/usb1/1-10/1-10:1.0 09:00:00
interface pci0000:00/0000:00:14.0/usb1/1-10/1-10:1.1 03:01:01
";

    fn found(recorded: &RecordedMachine, ports: &[&str]) -> Vec<Stranger> {
        let sockets = ports.iter().map(|port| Socket::from(format!("pci-0000:00:14.0-usb-{port}")));
        strangers_on(&Machine::at(recorded.root()), &sockets.collect::<Vec<_>>()).expect("lists")
    }

    #[test]
    fn strangers_are_named_by_what_they_do_and_only_in_these_sockets() {
        let recorded = RecordedMachine::new(STRANGERS);
        let lines = |ports: &[&str]| -> Vec<String> {
            let line = |stranger: &Stranger| {
                let beside = if stranger.is_beside_drive { " beside a drive" } else { "" };
                format!("{} {} {}{beside}", stranger.interface, stranger.class, stranger.class.describe())
            };
            found(&recorded, ports).iter().map(line).collect()
        };
        assert_eq!(lines(&["1"]), [""; 0], "a drive");
        assert_eq!(lines(&["2"]), ["1-2:1.1 03:01:01 a keyboard, mouse or other input device beside a drive"]);
        // The station's own keyboard is in none of these, and a port 3 leads into the hub that is plugged in there.
        assert_eq!(
            lines(&["1", "3"]),
            ["1-3.1:1.0 ff:ff:00 a device of its maker's own kind", "1-3.3:1.0 06:01:01 a camera or phone"]
        );
        assert_eq!(lines(&["3.1-lun-1"]).len(), 1, "a slot is in its reader's port");
        assert_eq!(lines(&["10"]), ["1-10:1.1 03:01:01 a keyboard, mouse or other input device"], "no hub by its word");
        assert_eq!(lines(&[]), [""; 0]);
        assert_eq!(found(&recorded, &["2"])[0].model.as_deref(), Some("Ducky"));
    }

    #[test]
    fn only_the_interface_is_refused_and_only_of_the_device_that_was_named() {
        let recorded = RecordedMachine::new(STRANGERS);
        let device = recorded.root().join("sys/devices/pci0000:00/0000:00:14.0/usb1/1-2");
        let authorized =
            |interface: &str| fs::read_to_string(device.join(interface).join("authorized")).expect("reads");
        let [stranger] = &found(&recorded, &["2"])[..] else { panic!("one stranger") };
        assert!(!stranger.is_refused);
        let number = fs::read_to_string(device.join("devnum")).expect("reads");
        fs::write(device.join("devnum"), "77\n").expect("writes");
        assert_eq!(refuse(stranger).expect_err("another one").kind(), io::ErrorKind::NotFound);
        assert_eq!(authorized("1-2:1.1").trim(), "1");
        fs::write(device.join("devnum"), number).expect("writes");
        refuse(stranger).expect("writes");
        assert_eq!((authorized("1-2:1.0").trim(), authorized("1-2:1.1").trim()), ("1", "0"));
        assert!(found(&recorded, &["2"])[0].is_refused);
        fs::remove_file(device.join("1-2:1.1/authorized")).expect("was there");
        let error = refuse(stranger).expect_err("an old kernel");
        assert!(error.to_string().contains("1-2:1.1 in pci-0000:00:14.0-usb-2"), "{error}");
    }
}
