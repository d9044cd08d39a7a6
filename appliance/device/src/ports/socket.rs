// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the place is called that a drive is inserted in.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::usb::{chain_of_device, name_of, root_hub};
use crate::machine::attribute;

/// Where a drive can be inserted, by a name that is the same after every start and for every drive: the controller and
/// the way from there. What a label on the case stands for.
///
/// | name | what it is |
/// |---|---|
/// | `pci-0000:00:14.0-usb-3.1.2` | the second port of the hub in the first port of the hub in the third port |
/// | `platform-3f980000.usb-usb-1.3` | the same for a controller that is no PCI device |
/// | `pci-0000:00:14.0-usb-2s` | a SuperSpeed port without a USB 2 half, where another socket is number 2 |
/// | `pci-0000:00:14.0-usb-5-lun-2` | the third slot of a card reader; the first one (LUN 0) has no `-lun-` |
/// | `pci-0000:00:14.0-usb-5-storage-2` | the second of two storage functions of one USB device |
/// | `pci-0000:00:17.0-ata-1` | a SATA port; `-ata-1.3` behind a port multiplier, `-ata-1-slave` on a cable for two |
/// | `pci-0000:03:00.0-nvme-1` | a namespace of an NVMe drive |
/// | `platform-fe340000.mmc-mmc` | a slot for cards, or soldered memory; `-mmc-2` is the controller's second |
/// | `pci-0000:05:00.0-scsi-0:0:3:0` | any other SCSI disk: host of the controller, channel, target, LUN |
/// | `pci-0000:00:02.0-virtio` | a virtual disk of a guest |
///
/// Bus numbers are no part of it, because they are given out in the order in which controllers are found (USBGuard 86).
/// The two halves of a USB 3 socket have one name. Which slot of a reader is the first does not depend on what is
/// inserted: hence a suffix from the second slot on, and not "if there are several", which is seen later than the first.
///
/// PCI addresses are the firmware's. They may change when cards are added to the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Socket(String);

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As it was displayed once. A name that no port of this machine has is no error: nothing is ever inserted there.
impl From<String> for Socket {
    fn from(name: String) -> Self {
        Self(name)
    }
}

/// How a drive is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// USB, removable or not.
    Usb,
    /// SATA, or its predecessor.
    Ata,
    /// NVMe on PCI Express.
    Nvme,
    /// A card or soldered memory, on a controller of its own. A USB reader's cards are `Usb`.
    Mmc,
    /// Anything else: SAS, UFS, a guest's virtual disk.
    Other,
}

impl Socket {
    /// Whether something that is in `other` came here: into this socket, into a slot of the reader here, or into a hub that
    /// is plugged in here.
    pub fn leads_to(&self, other: &Socket) -> bool {
        let rest = other.0.strip_prefix(&self.0);
        rest.is_some_and(|rest| rest.is_empty() || self.is_usb() && rest.starts_with(['.', '-']))
    }

    /// The port alone, without the slot of the reader that is plugged in there.
    pub fn port(&self) -> Self {
        let Some(chain) = self.0.rfind("-usb-").map(|at| at + "-usb-".len()) else { return self.clone() };
        let end = self.0[chain..].find('-').map_or(self.0.len(), |at| chain + at);
        Self(self.0[..end].to_owned())
    }

    pub(super) fn is_usb(&self) -> bool {
        self.0.contains("-usb-")
    }

    /// Of a USB port or what is plugged in there: the way, and any folder in the same tree of hubs.
    pub(super) fn of_usb(folder: &Path, chain: &str) -> Option<Self> {
        let above_root = root_hub(folder)?.parent()?;
        // A USB drive is never passed over for want of a good name of its controller.
        let controller = controller(above_root).unwrap_or_else(|| name_of(above_root).to_owned());
        Some(Self(format!("{controller}-usb-{chain}")))
    }

    /// Of a whole disk, by its folder below `/sys/devices` and that of the USB device it belongs to. None: it is inserted
    /// nowhere, because it is virtual, or on a network.
    pub(super) fn of_disk(disk: &Path, usb: Option<&Path>) -> Option<(Bus, Self)> {
        if let Some(device) = usb {
            let port = Self::of_usb(device, &chain_of_device(device)?)?;
            return Some((Bus::Usb, Self(format!("{port}{}{}", function(disk, device), slot(disk)))));
        }
        let nvme = nvme_controller(disk);
        let disk = nvme.as_deref().unwrap_or(disk);
        let (bus, carrier, place) = above(disk).find_map(|folder| match name_of(folder) {
            name if is_numbered(name, "host") => match folder.parent().filter(|port| is_numbered(name_of(port), "ata"))
            {
                Some(port) => Some((Bus::Ata, port, ata_port(port, disk)?)),
                None => Some((Bus::Other, folder, scsi_address(folder, disk)?)),
            },
            name if is_numbered(name, "nvme") => Some((Bus::Nvme, folder, format!("nvme-{}", namespace(disk)))),
            name if is_numbered(name, "mmc") => Some((Bus::Mmc, folder, mmc_slot(folder))),
            name if is_numbered(name, "virtio") => Some((Bus::Other, folder, "virtio".to_owned())),
            _ => None,
        })?;
        let owner = match bus {
            // Below a folder that only says what they are: `mmc_host/mmc0`, `nvme/nvme0`.
            Bus::Mmc | Bus::Nvme => carrier.parent()?.parent()?,
            _ => carrier.parent()?,
        };
        Some((bus, Self(format!("{}-{place}", controller(owner)?))))
    }
}

/// A folder and those above it, nearest first, as far as `/sys/devices`.
fn above(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().take_while(|folder| name_of(folder) != "devices")
}

/// What a controller is called: by the nearest device that has an address of its own. Names that end in a counter
/// (`xhci-hcd.4.auto`) belong to whichever was found first.
fn controller(folder: &Path) -> Option<String> {
    let by_address = above(folder).map(name_of).find_map(|name| match name {
        _ if is_pci_address(name) => Some(format!("pci-{name}")),
        // From the device tree: address, dot, node.
        _ if has_unit_address(name) => Some(format!("platform-{name}")),
        _ => None,
    });
    by_address.or_else(|| {
        // The firmware's name (`80860F14:00`), or a driver's that is there once (`dummy_hcd.0`).
        let names: Vec<&str> = above(folder).map(name_of).collect();
        let (_platform, below) = names.split_last().filter(|(top, _)| **top == "platform")?;
        below.iter().find(|name| !name.ends_with(".auto")).map(|name| format!("platform-{name}"))
    })
}

/// Domain, bus, device and function: `0000:00:14.0`.
fn is_pci_address(name: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some((rest, function)) = name.rsplit_once('.') else { return false };
    let parts: Vec<&str> = rest.split(':').collect();
    let [domain, bus, device] = parts[..] else { return false };
    (domain.len() >= 4 && bus.len() == 2 && device.len() == 2 && function.len() == 1)
        && [domain, bus, device, function].into_iter().all(is_hex)
}

fn has_unit_address(name: &str) -> bool {
    let address = name.split_once('.').map(|(address, _node)| address);
    address.is_some_and(|address| address.len() >= 4 && address.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_numbered(name: &str, kind: &str) -> bool {
    let number = name.strip_prefix(kind);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Host, channel, target and LUN of a SCSI disk.
fn scsi(disk: &Path) -> Option<[u64; 4]> {
    above(disk).find_map(|folder| {
        let numbers: Option<Vec<u64>> = name_of(folder).split(':').map(|number| number.parse().ok()).collect();
        numbers?.try_into().ok()
    })
}

/// Of a reader's slots, all but the first are told apart by LUN.
fn slot(disk: &Path) -> String {
    match scsi(disk) {
        Some([_, _, _, lun]) if lun > 0 => format!("-lun-{lun}"),
        _ => String::new(),
    }
}

/// A USB device with several storage interfaces: which of them, from the second on. Other interfaces don't count, so that
/// a drive that is something else besides is where it was inserted.
fn function(disk: &Path, device: &Path) -> String {
    let prefix = format!("{}:", name_of(device));
    let own = disk.ancestors().find(|folder| folder.parent() == Some(device)).unwrap_or(disk);
    let number = |name: &str| name.strip_prefix(&prefix)?.rsplit('.').next()?.parse::<u32>().ok();
    let Some(own) = number(name_of(own)).filter(|own| *own > 0) else { return String::new() };
    let others = fs::read_dir(device).into_iter().flatten().flatten().map(|entry| entry.path());
    let before = others.filter(|other| {
        number(name_of(other)).is_some_and(|other| other < own)
            && attribute(&other.join("bInterfaceClass")).is_ok_and(|class| class == "08")
    });
    match before.count() {
        0 => String::new(),
        before => format!("-storage-{}", before + 1),
    }
}

/// `ata7` is counted over all controllers, `port_no` within one. Behind a port multiplier the channel is its port (systemd
/// 3943), on a cable for two drives the target is the place.
fn ata_port(port: &Path, disk: &Path) -> Option<String> {
    let name = name_of(port);
    let number = attribute(&port.join("ata_port").join(name).join("port_no")).ok();
    let number = number.unwrap_or_else(|| (rank(port, "ata") + 1).to_string());
    Some(match scsi(disk)? {
        [_, 0, 0, _] => format!("ata-{number}"),
        [_, 0, _, _] => format!("ata-{number}-slave"),
        [_, channel, ..] => format!("ata-{number}.{channel}"),
    })
}

fn scsi_address(host: &Path, disk: &Path) -> Option<String> {
    let [_, channel, target, lun] = scsi(disk)?;
    Some(format!("scsi-{}:{channel}:{target}:{lun}", rank(host, "host")))
}

fn mmc_slot(host: &Path) -> String {
    match rank(host, "mmc") {
        0 => "mmc".to_owned(),
        before => format!("mmc-{}", before + 1),
    }
}

/// How many of its kind came before it, on the same controller. Those of one controller are always found in the same
/// order, and numbered in it.
fn rank(folder: &Path, kind: &str) -> usize {
    let number = |folder: &Path| name_of(folder).strip_prefix(kind)?.parse::<u64>().ok();
    let siblings = folder.parent().and_then(|controller| fs::read_dir(controller).ok());
    let siblings = siblings.into_iter().flatten().flatten().map(|entry| entry.path());
    siblings.filter(|other| number(other).is_some_and(|other| Some(other) < number(folder))).count()
}

/// A namespace that could be reached in several ways is a virtual device (systemd 24766). If there is one way in truth,
/// the drive is where that one leads; over a network there is none.
fn nvme_controller(disk: &Path) -> Option<PathBuf> {
    let subsystem = disk.parent().filter(|folder| name_of(folder).starts_with("nvme-subsys"))?;
    let entries = fs::read_dir(subsystem).ok()?.flatten().map(|entry| entry.path());
    let mut controllers = entries.filter(|path| path.is_symlink() && is_numbered(name_of(path), "nvme"));
    let only = controllers.next().filter(|_| controllers.next().is_none())?;
    Some(fs::canonicalize(only).ok()?.join(name_of(disk)))
}

/// The kernel's name ends in it: `nvme0n1`.
fn namespace(disk: &Path) -> &str {
    name_of(disk).rsplit('n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_counters() {
        for name in ["0000:00:14.0", "10000:e1:00.0", "0001:01:00.0"] {
            assert!(is_pci_address(name), "{name}");
        }
        for name in ["pci0000:00", "1-4:1.0", "0:0:0:0", "0000:00:14", "4:0:0:0", "0000.00.14.0", "12.5"] {
            assert!(!is_pci_address(name), "{name}");
        }
        for name in ["3f980000.usb", "fe340000.mmc", "1f00200000.usb", "16f0000000000.ehci"] {
            assert!(has_unit_address(name), "{name}");
        }
        for name in ["xhci-hcd.0", "dwc3.1.auto", "rtsx_pci_sdmmc.0", "soc@0", "80860F14:00", "1-4:1.0", "cafe"] {
            assert!(!has_unit_address(name), "{name}");
        }
    }

    #[test]
    fn a_socket_leads_to_its_slots_and_its_hubs_and_to_no_neighbour() {
        let socket = |name: &str| Socket::from(name.to_owned());
        let port = socket("pci-0000:00:14.0-usb-3");
        for behind in ["", ".1", ".4.2-lun-1", "-lun-2", "-storage-2"] {
            assert!(port.leads_to(&socket(&format!("pci-0000:00:14.0-usb-3{behind}"))), "{behind}");
        }
        for other in ["pci-0000:00:14.0-usb-31", "pci-0000:00:14.0-usb-3s", "pci-0000:00:14.0-usb-1.3", "usb-3"] {
            assert!(!port.leads_to(&socket(other)), "{other}");
        }
        assert!(!socket("pci-0000:00:17.0-ata-1").leads_to(&socket("pci-0000:00:17.0-ata-1.3")));
        assert_eq!(socket("pci-0000:00:14.0-usb-3.1-lun-2").port(), socket("pci-0000:00:14.0-usb-3.1"));
        assert_eq!(socket("pci-0000:00:17.0-ata-1").port(), socket("pci-0000:00:17.0-ata-1"));
        assert_eq!(serde_json::to_string(&port).expect("JSON"), "\"pci-0000:00:14.0-usb-3\"");
    }
}
