// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The computer this program runs on, as sequences ask about it.

use std::fs;
use std::path::Path;

use platen_sequence::run::{Adapter, Computer, Disk};

/// What the kernel says below `root`, which is `/` but in tests. What it does not say is left empty.
pub fn computer(root: &Path) -> Computer {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default().trim().to_owned();
    let dmi = |name: &str| text(&format!("sys/class/dmi/id/{name}"));
    let is_uefi = root.join("sys/firmware/efi").is_dir();
    // Four bytes of attributes, then the value.
    let secure_boot = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let has_secure_boot = fs::read(root.join(secure_boot)).is_ok_and(|bytes| bytes.get(4) == Some(&1));
    let processor = text("proc/cpuinfo");
    let line = |of: &str, name: &str| {
        of.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().trim_start_matches(':').trim().to_owned()))
    };
    let memory_kib = line(&text("proc/meminfo"), "MemTotal:").unwrap_or_default();
    let mhz = line(&processor, "cpu MHz").unwrap_or_default();
    let number = |text: &str| text.split([' ', '.']).next().and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    Computer {
        name: "this computer".to_owned(),
        make: dmi("sys_vendor"),
        model: dmi("product_name"),
        serial_number: dmi("product_serial"),
        uuid: dmi("product_uuid").to_uppercase(),
        asset_tag: dmi("chassis_asset_tag"),
        product: dmi("board_name"),
        bios_version: dmi("bios_version"),
        chassis_type: number(&dmi("chassis_type")),
        is_uefi,
        has_secure_boot,
        is_virtual: processor
            .lines()
            .any(|line| line.starts_with("flags") && line.ends_with(" hypervisor") || line.contains(" hypervisor ")),
        architecture: match std::env::consts::ARCH {
            "aarch64" => "arm64",
            other => other,
        }
        .to_owned(),
        memory_mib: number(&memory_kib) / 1024,
        processor_mhz: number(&mhz),
        disks: names(&root.join("sys/block")).iter().filter_map(|name| disk(root, name)).collect(),
        adapters: names(&root.join("sys/class/net")).iter().filter_map(|name| adapter(root, name)).collect(),
        // No disk is looked into.
        windows: None,
        answers: Vec::new(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Only what is a device: not loops, memory disks or what is made of others.
fn disk(root: &Path, name: &str) -> Option<Disk> {
    let folder = root.join("sys/block").join(name);
    let text = |file: &str| fs::read_to_string(folder.join(file)).map(|text| text.trim().to_owned());
    if !folder.join("device").exists() || text("removable").is_ok_and(|word| word == "1") {
        return None;
    }
    let sectors: u64 = text("size").ok()?.parse().ok()?;
    let partitions = names(&folder).iter().filter(|part| folder.join(part).join("partition").exists()).count();
    let interface = match name {
        _ if name.starts_with("nvme") => "NVMe",
        _ if fs::read_link(&folder).is_ok_and(|path| path.to_string_lossy().contains("/usb")) => "USB",
        _ if fs::read_link(&folder).is_ok_and(|path| path.to_string_lossy().contains("/ata")) => "SATA",
        _ => "SCSI",
    };
    // The kernel counts in 512 bytes whatever the drive's sectors are.
    Some(Disk {
        model: text("device/model").unwrap_or_default(),
        size_bytes: sectors * 512,
        interface: interface.to_owned(),
        partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
    })
}

fn adapter(root: &Path, name: &str) -> Option<Adapter> {
    let folder = root.join("sys/class/net").join(name);
    let mac = fs::read_to_string(folder.join("address")).ok()?.trim().to_uppercase();
    let is_device = folder.join("device").exists();
    is_device.then(|| Adapter { mac_address: mac, ..Adapter::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_machine_is_described() {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in [
            ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
            ("sys/class/dmi/id/product_name", "20XW0055GE\n"),
            ("sys/class/dmi/id/chassis_type", "10\n"),
            ("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\u{6}\0\0\0\u{1}"),
            ("proc/meminfo", "MemTotal:       16252928 kB\nMemFree: 1 kB\n"),
            ("proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 2803.200\nflags : fpu vme hypervisor lahf_lm\n"),
            ("sys/block/nvme0n1/size", "1000215216\n"),
            ("sys/block/nvme0n1/device/model", "SAMSUNG \n"),
            ("sys/block/nvme0n1/nvme0n1p1/partition", "1\n"),
            ("sys/block/loop0/size", "8\n"),
            ("sys/block/sda/size", "100\n"),
            ("sys/block/sda/device/model", "STICK\n"),
            ("sys/block/sda/removable", "1\n"),
            ("sys/class/net/eth0/address", "8c:8c:aa:30:51:7e\n"),
            ("sys/class/net/eth0/device/vendor", "x\n"),
            ("sys/class/net/lo/address", "00:00:00:00:00:00\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("writes");
        }
        let found = computer(root.path());
        let disk =
            Disk { model: "SAMSUNG".into(), size_bytes: 1_000_215_216 * 512, interface: "NVMe".into(), partitions: 1 };
        assert_eq!((found.disks, found.adapters.len()), (vec![disk], 1));
        assert_eq!((&*found.make, &*found.model, found.chassis_type), ("LENOVO", "20XW0055GE", 10));
        assert_eq!((found.memory_mib, found.processor_mhz), (15_872, 2803));
        assert!(found.is_uefi && found.has_secure_boot && found.is_virtual);
        let none = computer(&root.path().join("nothing"));
        assert_eq!((none.make.as_str(), none.is_uefi, none.memory_mib), ("", false, 0));
    }
}
