// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Switching a USB socket off and on.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::socket::Socket;
use super::usb::{chain_of_port, is_super_speed, name_of, root_hub};
use super::while_doing;
use crate::machine::Machine;

/// The switch of one USB socket, whether something is inserted or not.
///
/// Off means that the kernel ends the connection at once and asks the hub to cut the power; open handles get errors. What
/// comes back is another insertion, with another disk sequence number, and maybe under another name.
///
/// The kernel does this to any port, also where the hub has no switches: then nothing tells it that the drive is still
/// there, and it may be lost until somebody pulls it. So a port has a switch only where its hub says so (USB 2.0, 11.23.2.1,
/// wHubCharacteristics). A hub that switches all its ports together says so too and cuts nothing while another port is on:
/// whether the power was off, a drive says at its next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPower {
    /// The attribute of each half, USB 2 first.
    halves: Vec<PathBuf>,
}

impl PortPower {
    /// The switch of the socket that a drive is in, or that is empty. An error of the kind `Unsupported` means that its hub
    /// or this kernel (Linux before 6.0) has none, or that the socket is no USB port; `NotFound`, that there is no such
    /// port now.
    pub fn of(socket: &Socket) -> io::Result<Self> {
        Self::on_machine(&Machine::real(), socket)
    }

    pub(super) fn on_machine(machine: &Machine, socket: &Socket) -> io::Result<Self> {
        if !socket.is_usb() {
            let text = format!("{socket} is no USB port, and others have no switch");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let mut ports = ports_of(machine, &socket.port())?;
        if ports.is_empty() {
            let text = format!("no hub has a port {socket}; was its hub pulled?");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        ports.sort_by_key(|port| root_hub(port).is_some_and(is_super_speed));
        // Half a socket is no use: the power stays as long as one of the two wants it (uhubctl 72).
        for port in &ports {
            // Linux shows this attribute only where the hub has switches (`usb_hub_create_port_device`).
            if !port.join("power/pm_qos_no_power_off").exists() {
                let text = format!("the hub of {} has no switches for the power of its ports", name_of(port));
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
        }
        let halves: Vec<PathBuf> = ports.iter().map(|port| port.join("disable")).collect();
        match halves.iter().find(|half| !half.exists()) {
            Some(half) => {
                let text = format!("{} is missing: this kernel switches no ports (Linux 6.0 does)", half.display());
                Err(io::Error::new(io::ErrorKind::Unsupported, text))
            }
            None => Ok(Self { halves }),
        }
    }

    /// One half is off. Whoever switched it may have been ended before he could switch it on again.
    pub fn is_off(&self) -> bool {
        self.halves.iter().any(|half| fs::read_to_string(half).is_ok_and(|text| text.trim() == "1"))
    }

    /// Switch both halves off. The first error is given, and the other half is switched all the same.
    pub fn off(&self) -> io::Result<()> {
        // USB 2 first: a drive that loses its SuperSpeed half would come up in the other one.
        self.halves.iter().map(|half| switch(half, "1")).fold(Ok(()), Result::and)
    }

    /// Switch both halves on again; errors as for [`Self::off`].
    pub fn on(&self) -> io::Result<()> {
        // SuperSpeed first, for the same reason: a drive takes what it finds, and stays there.
        self.halves.iter().rev().map(|half| switch(half, "0")).fold(Ok(()), Result::and)
    }
}

fn switch(attribute: &Path, text: &str) -> io::Result<()> {
    // An attribute is never created: if it is gone, so is the hub.
    let written = OpenOptions::new().write(true).open(attribute).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(while_doing(format!("writing {text} to {}", attribute.display())))
}

/// The folders of a socket's ports.
fn ports_of(machine: &Machine, socket: &Socket) -> io::Result<Vec<PathBuf>> {
    let devices = machine.sys("bus/usb/devices");
    let mut found = Vec::new();
    for entry in fs::read_dir(&devices).map_err(while_doing(format!("listing {}", devices.display())))? {
        let link = entry?.path();
        // Ports are in the folder of a hub's interface. What vanishes meanwhile has none.
        if !name_of(&link).contains(':') {
            continue;
        }
        let Ok(interface) = fs::canonicalize(&link) else { continue };
        let ports = fs::read_dir(&interface).into_iter().flatten().flatten().map(|entry| entry.path());
        let ports = ports.filter(|path| name_of(path).contains("-port"));
        found.extend(ports.filter(|port| {
            chain_of_port(port).and_then(|chain| Socket::of_usb(port, &chain)).as_ref() == Some(socket)
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use platen_testkit::machine::RecordedMachine;
    use platen_testkit::need;

    use super::super::tests::STICK;
    use super::*;

    fn power(recorded: &RecordedMachine, socket: &str) -> io::Result<PortPower> {
        PortPower::on_machine(&Machine::at(recorded.root()), &Socket::from(socket.to_owned()))
    }

    /// The `disable` attributes of these ports.
    fn disabled(recorded: &RecordedMachine, ports: &[&str]) -> Vec<String> {
        let read = |port: &&str| {
            let path = recorded.root().join("sys/devices/pci0000:00/0000:00:14.0").join(port).join("disable");
            fs::read_to_string(path).expect("reads").trim().to_owned()
        };
        ports.iter().map(read).collect()
    }

    #[test]
    fn both_halves_of_a_socket_are_switched_and_no_other() {
        if !need::root() {
            return;
        }
        let recorded = RecordedMachine::new(STICK);
        let ports = ["usb1/1-0:1.0/usb1-port7", "usb2/2-0:1.0/usb2-port3", "usb1/1-0:1.0/usb1-port3"];
        // By the slot of a reader, too: it is the port that has a switch.
        let power = power(&recorded, "pci-0000:00:14.0-usb-7-lun-1").expect("a switch");
        assert!(power.halves[0].ends_with("usb1-port7/disable"), "USB 2 goes first");
        power.off().expect("switches");
        assert_eq!((disabled(&recorded, &ports), power.is_off()), (["1", "1", "0"].map(str::to_owned).to_vec(), true));
        power.on().expect("switches");
        assert!(!power.is_off());
        assert_eq!(disabled(&recorded, &ports), ["0", "0", "0"]);
    }

    #[test]
    fn a_port_of_a_hub_is_switched_with_nothing_in_it() {
        if !need::root() {
            return;
        }
        let recorded = RecordedMachine::new(
            "hub pci0000:00/0000:00:14.0/usb1 480 12
             hub pci0000:00/0000:00:14.0/usb2 5000 6
             peer usb1-port4 usb2-port1
             hub pci0000:00/0000:00:14.0/usb1/1-4 480 4
             hub pci0000:00/0000:00:14.0/usb2/2-1 5000 4
             peer 1-4-port2 2-1-port2",
        );
        let ports = ["usb1/1-4/1-4:1.0/1-4-port2", "usb2/2-1/2-1:1.0/2-1-port2", "usb1/1-4/1-4:1.0/1-4-port1"];
        power(&recorded, "pci-0000:00:14.0-usb-4.2").expect("a switch").off().expect("switches");
        assert_eq!(disabled(&recorded, &ports), ["1", "1", "0"]);
        assert_eq!(disabled(&recorded, &["usb1/1-0:1.0/usb1-port4"]), ["0"], "its hub stays on");
    }

    #[test]
    fn what_has_no_switch_is_said() {
        if !need::root() {
            return;
        }
        let recorded = RecordedMachine::new(&format!("{STICK}\nhub pci0000:00/0000:00:15.0/usb3 480 4 unswitched"));
        let old = "sys/devices/pci0000:00/0000:00:14.0/usb2/2-0:1.0/usb2-port3/disable";
        fs::remove_file(recorded.root().join(old)).expect("was there");
        for (socket, kind, said) in [
            ("pci-0000:00:14.0-usb-7", io::ErrorKind::Unsupported, "Linux 6.0"),
            ("pci-0000:00:15.0-usb-2", io::ErrorKind::Unsupported, "the hub of usb3-port2 has no switches"),
            ("pci-0000:00:17.0-ata-1", io::ErrorKind::Unsupported, "no USB port"),
            ("pci-0000:00:14.0-usb-7.1", io::ErrorKind::NotFound, "was its hub pulled"),
        ] {
            let error = power(&recorded, socket).expect_err(socket);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
        // Half a switch is none: the other half was left alone.
        assert_eq!(disabled(&recorded, &["usb1/1-0:1.0/usb1-port7"]), ["0"]);
        let pulled = power(&recorded, "pci-0000:00:14.0-usb-1").expect("a switch");
        fs::remove_dir_all(recorded.root().join("sys/devices/pci0000:00/0000:00:14.0/usb1")).expect("was there");
        assert_eq!(pulled.off().expect_err("it is gone").kind(), io::ErrorKind::NotFound);
    }
}
