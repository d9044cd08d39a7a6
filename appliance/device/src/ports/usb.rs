// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which port of which hub: the way from a controller to a USB device, in port numbers.
//!
//! A socket for USB 3 is two ports. Its USB 2 half belongs to one tree of hubs, its SuperSpeed half to another one, and a
//! drive is in the tree of the speed that it came up with: the next time it is inserted, or after a reset, that may be the
//! other one. Both root hubs, and the two hubs that one hub of USB 3 consists of, number their ports as they like. Which
//! two ports are one socket is known to the firmware or follows from the hubs that are known already; the kernel says it
//! by a link, `peer` (kernel: drivers/usb/core/port.c). The way is always counted through the USB 2 halves.

use std::fs;
use std::path::{Path, PathBuf};

use crate::machine::attribute;

/// The root hub of the tree that something is in: `usb1`.
pub(super) fn root_hub(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| {
        let number = name_of(folder).strip_prefix("usb");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Port numbers from the root hub to a device, such as `4.2.1`.
pub(super) fn chain_of_device(device: &Path) -> Option<String> {
    let (root, hub) = (root_hub(device)?, device.parent()?);
    Some(chain(root, hub, number_of_device(device)?, device.join("port")))
}

/// Port numbers from the root hub to a port, given by its folder: `1-4:1.0/1-4-port2`, in the folder of its hub.
pub(super) fn chain_of_port(port: &Path) -> Option<String> {
    let (root, hub) = (root_hub(port)?, port.parent()?.parent()?);
    let (_, number) = name_of(port).rsplit_once("-port")?;
    Some(chain(root, hub, number, port.to_owned()))
}

/// A hub of a SuperSpeed tree, and everything below it, has at least 5000 Mb/s.
pub(super) fn is_super_speed(hub: &Path) -> bool {
    let megabits: Option<f32> = attribute(&hub.join("speed")).ok().and_then(|text| text.parse().ok());
    megabits.is_some_and(|megabits| megabits >= 5000.0)
}

fn chain(root: &Path, hub: &Path, number: &str, port: PathBuf) -> String {
    let is_super_speed = is_super_speed(root);
    let (mut hub, mut number, mut port) = (hub, number, port);
    // The last one first.
    let mut levels = Vec::new();
    loop {
        // From the USB 2 half on, every hub further up is a USB 2 half too.
        if let Some(rest) = is_super_speed.then(|| chain_of_peer(&port)).flatten() {
            levels.push(rest);
            break;
        }
        // Two ports of one number that are not joined are two sockets: of the inner port of a built-in camera and a socket
        // that has SuperSpeed only, both may be number 2 (systemd 19406). A hub whose USB 2 half is not there (yet) is
        // another matter: the standard gives both halves of its sockets the same number, and so the name stays the same
        // when the other half arrives.
        let own_socket = is_super_speed && other_half(root, hub).is_some_and(|other| has_port(&other, number));
        levels.push(if own_socket { format!("{number}s") } else { number.to_owned() });
        let (Some(above), Some(next)) = (hub.parent().filter(|_| hub != root), number_of_device(hub)) else { break };
        (port, number, hub) = (hub.join("port"), next, above);
    }
    levels.reverse();
    levels.join(".")
}

/// Where a port's USB 2 half is, from what it is called: `usb1-port3` or `1-4.2-port1`.
fn chain_of_peer(port: &Path) -> Option<String> {
    let peer = fs::read_link(port.join("peer")).ok()?;
    let (hub, number) = name_of(&peer).rsplit_once("-port")?;
    Some(match hub.split_once('-') {
        Some((_bus, chain)) => format!("{chain}.{number}"),
        None => number.to_owned(),
    })
}

/// The USB 2 half of a SuperSpeed hub, as far as it is there.
fn other_half(root: &Path, hub: &Path) -> Option<PathBuf> {
    if hub != root {
        return fs::canonicalize(hub.join("port/peer/device")).ok();
    }
    let siblings = fs::read_dir(root.parent()?).ok()?.flatten().map(|entry| entry.path());
    let mut others = siblings.filter(|other| other != root && root_hub(other) == Some(other));
    others.find(|other| !is_super_speed(other))
}

fn has_port(hub: &Path, number: &str) -> bool {
    let name = name_of(hub);
    let interface = match name.strip_prefix("usb") {
        Some(bus) => format!("{bus}-0:1.0"),
        None => format!("{name}:1.0"),
    };
    hub.join(interface).join(format!("{name}-port{number}")).exists()
}

/// The port that a device is in is the last number of its name: `2-4`, `2-4.1`.
fn number_of_device(device: &Path) -> Option<&str> {
    name_of(device).rsplit(['-', '.']).next().filter(|_| name_of(device).contains('-'))
}

pub(super) fn name_of(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
