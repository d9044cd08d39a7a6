// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The ports of this machine: what is inserted where.
//!
//! A [`Socket`] is where a drive can be inserted; it is called the same after every start, whatever the kernel calls the
//! drive in it. [`PortWatch`] waits for hints that something changed and lists what is inserted. Truth is only what sysfs
//! says at that moment: an event that is lost, late or wrong costs time and makes no mistake. [`PortPower`] switches
//! sockets, [`strangers`] finds what is in a socket and is no drive. [`place_of`] says where a single device is.
//!
//! Nothing here opens a drive, and no list here allows anything: that is for the target guard, when a drive is written.

mod authorise;
mod place;
mod power;
mod power_cycle;
mod scan;
mod socket;
mod usb;
mod watch;

#[cfg(test)]
mod tests;

use std::io;

pub use authorise::{InterfaceClass, Stranger, refuse, strangers};
pub use place::{Place, place_of};
pub use power::PortPower;
pub use power_cycle::CameBack;
pub use scan::Inserted;
pub use socket::{Bus, Socket};
pub use watch::PortWatch;

/// The same error, with what was being done when it came.
fn while_doing(doing: impl std::fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{doing}: {error}"))
}
