// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The disks a system may be installed on, as the kernel lists them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::engine::machine::TargetDisk;

use super::places::{Places, bytes, names, number, text};

/// The kernel counts sizes in these, whatever the disk's own sectors (`Documentation/ABI/stable/sysfs-block`, `size`).
const KERNEL_SECTOR_BYTES: u64 = 512;
/// Where anything that stands on a disk has marks: tables, file systems, arrays.
pub(super) const EDGE_BYTES: u64 = 1 << 20;

/// All disks but the medium's own. Their order is that of their places in the machine, which stay when names change from one
/// start to the next; what is plugged into USB comes last.
pub(super) fn disks(places: &Places, medium: Option<&str>) -> Vec<TargetDisk> {
    let class = places.sys.join("block");
    let mut found: Vec<_> = names(&class)
        .into_iter()
        .filter(|name| Some(&**name) != medium)
        .filter_map(|name| {
            let folder = class.join(&name);
            let device = std::fs::canonicalize(&folder).ok()?;
            is_disk(&folder, &device, &name)
                .then(|| disk(places, &folder, &device, name))
                .flatten()
                .map(|disk| (device, disk))
        })
        .collect();
    found.sort_by_cached_key(|(device, disk)| (disk.interface == "USB", natural(device)));
    found.into_iter().map(|(_, disk)| disk).collect()
}

/// Nothing that is made by software, optical, a tape, write-protected, or a part of a card that only firmware uses.
fn is_disk(folder: &Path, device: &Path, name: &str) -> bool {
    let of_card = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb") || name.contains("gp"));
    let by_software =
        device.iter().any(|part| part == "virtual") && !device.iter().any(|part| part == "nvme-subsystem");
    let is_on = |file: &str| number(&folder.join(file)) == Some(1);
    // SCSI: 0 is a disk, 14 a simplified one (SPC-4, "Peripheral device type").
    let is_scsi_disk = number(&folder.join("device/type")).is_none_or(|kind| matches!(kind, 0 | 14));
    !of_card && !by_software && !is_on("hidden") && !is_on("ro") && is_scsi_disk && !name.starts_with("fd")
}

fn disk(places: &Places, folder: &Path, device: &Path, name: String) -> Option<TargetDisk> {
    let size_bytes = number(&folder.join("size"))?.checked_mul(KERNEL_SECTOR_BYTES).filter(|size| *size > 0)?;
    let sector_bytes = number(&folder.join("queue/logical_block_size")).and_then(|size| u32::try_from(size).ok())?;
    Some(TargetDisk {
        model: model(folder),
        serial_number: serial_number(folder),
        interface: interface(device, &name).to_owned(),
        size_bytes,
        sector_bytes,
        // What can't be read may be full.
        has_data: has_data(&places.dev.join(&name), size_bytes).unwrap_or(true),
        name,
    })
}

fn interface(device: &Path, name: &str) -> &'static str {
    let has = |bus: &str| {
        device
            .iter()
            .filter_map(|part| part.to_str()?.strip_prefix(bus))
            .any(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    };
    match () {
        () if has("usb") => "USB",
        () if name.starts_with("nvme") => "NVMe",
        () if name.starts_with("mmcblk") => "MMC",
        () if has("ata") => "SATA",
        () if name.starts_with("vd") => "VirtIO",
        () => "SCSI",
    }
}

fn model(folder: &Path) -> String {
    let of = |file: &str| text(&folder.join("device").join(file));
    match (of("vendor"), of("model"), of("name")) {
        // The kernel puts this in front of all that speak ATA; what is a number is a PCI id.
        (vendor, model, _) if !model.is_empty() => match &*vendor {
            "" | "ATA" | "NVMe" => model,
            vendor if vendor.starts_with("0x") => model,
            vendor => format!("{vendor} {model}"),
        },
        (_, _, name) => name,
    }
}

fn serial_number(folder: &Path) -> String {
    let said = ["serial", "device/serial"].map(|file| text(&folder.join(file)));
    said.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| {
        // SCSI's page 80h: four bytes, then the number (SPC-4, "Unit Serial Number VPD page").
        let page = bytes(&folder.join("device/vpd_pg80"), 256).unwrap_or_default();
        String::from_utf8_lossy(page.get(4..).unwrap_or_default())
            .chars()
            .filter(|c| !c.is_control())
            .collect::<String>()
            .trim()
            .to_owned()
    })
}

/// How many partitions its table lists, as the kernel saw it.
pub(super) fn partitions(places: &Places, disk: &str) -> u32 {
    let folder = places.sys.join("block").join(disk);
    let count = names(&folder).iter().filter(|name| folder.join(name).join("partition").exists()).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Bytes other than zero at one of its ends.
fn has_data(device: &Path, size_bytes: u64) -> io::Result<bool> {
    let mut file = File::open(device)?;
    let mut edge = vec![0; usize::try_from(EDGE_BYTES.min(size_bytes)).map_err(io::Error::other)?];
    for at in [0, size_bytes - edge.len() as u64] {
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut edge)?;
        if edge.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A partition's device: behind a digit the kernel puts a `p` (`Documentation/admin-guide/devices.rst`).
pub(super) fn partition_device(places: &Places, disk: &str, partition: u32) -> PathBuf {
    let between = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    places.dev.join(format!("{disk}{between}{partition}"))
}

/// A place in the machine so that places compare as they are counted: `ata10` comes behind `ata2`. PCI addresses are hexadecimal
/// and all of one length.
fn natural(device: &Path) -> Vec<(String, u64)> {
    let is_pci_address =
        |name: &str| name.len() == 12 && name.as_bytes().get(4) == Some(&b':') && name.as_bytes().get(7) == Some(&b':');
    let names = device.iter().map(|name| name.to_string_lossy());
    names.flat_map(|name| if is_pci_address(&name) { vec![(name.into_owned(), 0)] } else { numbered(&name) }).collect()
}

/// Words and the numbers behind them.
fn numbered(text: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0_u64)];
    let mut was_digit = false;
    for c in text.chars() {
        let digit = c.to_digit(10);
        if digit.is_none() && was_digit {
            parts.push((String::new(), 0));
        }
        was_digit = digit.is_some();
        if let Some((words, number)) = parts.last_mut() {
            match digit {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => words.push(c),
            }
        }
    }
    parts
}
