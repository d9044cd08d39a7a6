// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From Linux' name for a device (`modalias` in sysfs) to the ids under which Windows knows it, in the order in which
//! Windows' bus drivers report them ("Identifiers for PCI Devices", "Standard USB Identifiers", "Identifiers for HDAUDIO
//! Devices", "Device Management Namespace Objects").

use crate::drivers::Device;

/// What a modalias leaves out, from the files beside it in sysfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details {
    /// PCI: `revision`.
    pub revision: Option<u8>,
    /// HD audio: `subsystem_id`.
    pub subsystem: Option<u32>,
}

/// The device's ids; none for buses whose devices get no driver of their own from a package, such as virtio, whose
/// drivers are those of the PCI device.
pub fn device(modalias: &str, details: Details) -> Option<Device> {
    let (bus, rest) = modalias.trim().split_once(':')?;
    match bus {
        "pci" => pci(rest, details.revision),
        "usb" => usb(rest),
        "hdaudio" => hdaudio(rest, details.subsystem),
        "acpi" => acpi(rest),
        _ => None,
    }
}

/// Takes `name` and as many hexadecimal digits off the front, and gives them in capitals.
fn take(rest: &mut &str, name: &str, digits: usize) -> Option<String> {
    let after = rest.strip_prefix(name)?;
    let value = after.get(..digits).filter(|value| value.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    *rest = &after[digits..];
    Some(value.to_uppercase())
}

/// `v00008086d00001533sv00008086sd00000001bc02sc00i00`.
fn pci(mut rest: &str, revision: Option<u8>) -> Option<Device> {
    let mut wide = |name| take(&mut rest, name, 8).map(|value| value[4..].to_owned());
    let (vendor, device, sub_vendor, sub_device) = (wide("v")?, wide("d")?, wide("sv")?, wide("sd")?);
    let mut narrow = |name| take(&mut rest, name, 2);
    let class = narrow("bc")? + &narrow("sc")?;
    let interface = narrow("i")?;

    let one = format!("PCI\\VEN_{vendor}&DEV_{device}");
    let subsystem = format!("{one}&SUBSYS_{sub_device}{sub_vendor}");
    let with_revision = |id: &str| revision.map(|revision| format!("{id}&REV_{revision:02X}"));
    let hardware = [
        with_revision(&subsystem),
        Some(subsystem.clone()),
        with_revision(&one),
        Some(one.clone()),
        Some(format!("{one}&CC_{class}{interface}")),
        Some(format!("{one}&CC_{class}")),
    ];
    let compatible = [
        with_revision(&one),
        Some(one),
        Some(format!("PCI\\VEN_{vendor}&CC_{class}{interface}")),
        Some(format!("PCI\\VEN_{vendor}&CC_{class}")),
        Some(format!("PCI\\VEN_{vendor}")),
        Some(format!("PCI\\CC_{class}{interface}")),
        Some(format!("PCI\\CC_{class}")),
    ];
    Some(Device {
        hardware_ids: hardware.into_iter().flatten().collect(),
        compatible_ids: compatible.into_iter().flatten().collect(),
    })
}

/// `v1D6Bp0002d0601dc09dsc00dp01ic09isc00ip00in00`: an interface of a device. A device with one interface is driven as a
/// whole, one with several by its interfaces; which it is an interface can't say, so that its own ids come first.
fn usb(mut rest: &str) -> Option<Device> {
    let mut wide = |name| take(&mut rest, name, 4);
    let (vendor, product, release) = (wide("v")?, wide("p")?, wide("d")?);
    let mut narrow = |name| take(&mut rest, name, 2);
    let of_device = [narrow("dc")?, narrow("dsc")?, narrow("dp")?];
    let of_interface = [narrow("ic")?, narrow("isc")?, narrow("ip")?];
    let interface = narrow("in")?;

    let whole = format!("USB\\VID_{vendor}&PID_{product}");
    let with_release = format!("{whole}&REV_{release}");
    let hardware_ids =
        vec![format!("{with_release}&MI_{interface}"), format!("{whole}&MI_{interface}"), with_release, whole];
    let mut compatible_ids = Vec::new();
    // Class 0 says: as the interfaces say.
    for [class, subclass, protocol] in [of_interface, of_device].into_iter().filter(|[class, ..]| class != "00") {
        let class = format!("USB\\Class_{class}");
        let subclass = format!("{class}&SubClass_{subclass}");
        for id in [format!("{subclass}&Prot_{protocol}"), subclass, class] {
            if !compatible_ids.contains(&id) {
                compatible_ids.push(id);
            }
        }
    }
    compatible_ids.push("USB\\COMPOSITE".to_owned());
    Some(Device { hardware_ids, compatible_ids })
}

/// `v10EC0269r00100100a01`: codec, revision, function group.
fn hdaudio(mut rest: &str, subsystem: Option<u32>) -> Option<Device> {
    let codec = take(&mut rest, "v", 8)?;
    let revision = take(&mut rest, "r", 8)?;
    let function = take(&mut rest, "a", 2)?;
    let (vendor, device) = codec.split_at(4);
    // Bits 23 to 8.
    let revision = &revision[2..6];

    let group = format!("HDAUDIO\\FUNC_{function}");
    let one = format!("{group}&VEN_{vendor}&DEV_{device}");
    let hardware_ids = match subsystem {
        Some(subsystem) => {
            let id = format!("{one}&SUBSYS_{subsystem:08X}");
            vec![format!("{id}&REV_{revision}"), id]
        }
        None => Vec::new(),
    };
    let compatible_ids = vec![format!("{one}&REV_{revision}"), one, format!("{group}&VEN_{vendor}"), group];
    Some(Device { hardware_ids, compatible_ids })
}

/// `INT33A1:PNP0D80:`: the hardware id, then the compatible ones.
fn acpi(rest: &str) -> Option<Device> {
    let mut names = rest.split(':').filter(|name| !name.is_empty() && name.is_ascii());
    let ids = |name: &str| {
        // Three letters and four digits (PNP ids), or four and four (ACPI ids).
        let vendor_characters = name.len().checked_sub(4).filter(|&length| length >= 3);
        let parts = vendor_characters.map(|at| format!("ACPI\\VEN_{}&DEV_{}", &name[..at], &name[at..]));
        parts.into_iter().chain([format!("ACPI\\{name}"), format!("*{name}")]).collect::<Vec<_>>()
    };
    let hardware_ids = ids(names.next()?);
    Some(Device { hardware_ids, compatible_ids: names.flat_map(ids).collect() })
}

#[cfg(test)]
mod tests;
