// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The ports of the machine itself. What is plugged into them and is no drive is not let in.

use std::fs;
use std::io;
use std::time::Duration;

use platen_device::ports::{Bus, Inserted as Found, PortPower, PortWatch, Socket, refuse, strangers};

use super::{Ports, Seen};
use crate::config::{DriveClass, PortMap};
use crate::core::Inserted;

/// How often the kernel asks readers whether they have a card; 0: never. udev sets it, where there is one.
const POLL: &str = "/sys/module/block/parameters/events_dfl_poll_msecs";
const POLL_MS: &str = "1000";

/// What the kernel knows of drives.
#[derive(Debug)]
pub struct MachinePorts {
    watch: PortWatch,
    /// Of the ports that are the station's: there keyboards and network cards have no business.
    sockets: Vec<Socket>,
}

impl MachinePorts {
    /// Watch; nothing is missed from here on.
    pub fn start(map: &PortMap) -> io::Result<Self> {
        if fs::read_to_string(POLL).is_ok_and(|ms| ms.trim() == "0")
            && let Err(error) = fs::write(POLL, POLL_MS)
        {
            tracing::warn!(%error, "cards in readers are seen only when the reader says so");
        }
        let sockets: Vec<Socket> = map.ports().iter().map(|port| Socket::from(port.socket.clone())).collect();
        sockets.iter().for_each(switch_on);
        Ok(Self { watch: PortWatch::start()?, sockets })
    }
}

/// A station that was ended while a drive had no power has left its port without.
fn switch_on(socket: &Socket) {
    let Some(power) = PortPower::of(socket).ok().filter(PortPower::is_off) else { return };
    match power.on() {
        Ok(()) => tracing::info!(%socket, "its power was off, and is on again"),
        Err(error) => tracing::warn!(%socket, %error, "its power is off, and can't be switched on"),
    }
}

/// None: it is no drive that a port takes.
pub(super) fn class_of(bus: Bus, is_removable: bool) -> Option<DriveClass> {
    match (bus, is_removable) {
        (Bus::Usb, true) => Some(DriveClass::UsbRemovable),
        (Bus::Usb, false) => Some(DriveClass::UsbFixed),
        (Bus::Ata, _) => Some(DriveClass::Sata),
        (Bus::Nvme, _) => Some(DriveClass::Nvme),
        // What can't be taken out of its slot is soldered to the board.
        (Bus::Mmc, true) => Some(DriveClass::Card),
        (Bus::Mmc | Bus::Other, _) => None,
    }
}

impl Ports for MachinePorts {
    fn wait(&mut self, patience: Duration) -> io::Result<()> {
        self.watch.wait(patience).map(drop)
    }

    fn scan(&mut self) -> io::Result<Vec<Seen>> {
        for stranger in strangers(&self.sockets)?.iter().filter(|stranger| !stranger.is_refused) {
            match refuse(stranger) {
                Ok(()) => tracing::warn!(?stranger, "it is no drive, and was not let in"),
                Err(error) => tracing::warn!(?stranger, %error, "it is no drive, and can't be kept out"),
            }
        }
        let seen = |found: Found| {
            let class = class_of(found.bus, found.is_removable)?;
            let Found { socket, drive, label, size_bytes, is_in_reader, .. } = found;
            let socket = socket.to_string();
            let inserted = Inserted { socket, class, drive, label, size_bytes, is_in_reader };
            Some(Seen { inserted, script: None })
        };
        Ok(self.watch.scan()?.into_iter().filter_map(seen).collect())
    }
}
