// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Machines as their kernels described them, laid out in folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::bench::put;
use crate::engine::machine::Machine;
use crate::target::{Places, RealMachine};

struct Recorded(tempfile::TempDir);

impl Recorded {
    /// Lines `PATH TEXT` below `sys`, `proc` or `dev`.
    fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("sys/block")).expect("made");
        fs::create_dir_all(folder.path().join("dev")).expect("made");
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (path, text) = line.split_once(' ').unwrap_or((line, ""));
            put(folder.path(), path, &text.replace("\\n", "\n"));
        }
        Self(folder)
    }

    /// A disk at a place below `sys/devices`, of so many kernel sectors, with a blank device.
    fn disk(self, name: &str, place: &str, sectors: u64, attributes: &str) -> Self {
        let own = format!("sys/devices/{place}/{name}");
        put(self.path(), &format!("{own}/size"), &sectors.to_string());
        put(self.path(), &format!("{own}/queue/logical_block_size"), "512");
        for (attribute, value) in attributes.lines().filter_map(|line| line.trim().split_once('=')) {
            put(self.path(), &format!("{own}/{attribute}"), value);
        }
        symlink(self.path().join(own), self.path().join("sys/block").join(name)).expect("linked");
        let device = fs::File::create(self.path().join("dev").join(name)).expect("made");
        device.set_len(sectors * 512).expect("sized");
        self
    }

    fn adapter(self, name: &str, place: Option<&str>, mac: &str) -> Self {
        let own = format!("sys/class/net/{name}");
        put(self.path(), &format!("{own}/address"), mac);
        put(self.path(), &format!("{own}/type"), if name == "lo" { "772" } else { "1" });
        if let Some(place) = place {
            fs::create_dir_all(self.path().join("sys/devices").join(place)).expect("made");
            symlink(self.path().join("sys/devices").join(place), self.path().join(own).join("device")).expect("linked");
        }
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn look(&self, medium: Option<&str>) -> RealMachine {
        RealMachine::look(Places::below(self.path()), medium)
    }
}

/// A notebook with UEFI, Secure Boot, NVMe behind native multipath, Wi-Fi, and the medium in a USB port.
fn notebook() -> Recorded {
    Recorded::new(
        "sys/class/dmi/id/sys_vendor LENOVO
         sys/class/dmi/id/product_name 20XW004AGE
         sys/class/dmi/id/product_serial PF2ABCDE
         sys/class/dmi/id/product_uuid 4c4c4544-0042-4a10-8052-b4c04f4d3733
         sys/class/dmi/id/chassis_asset_tag No Asset Information
         sys/class/dmi/id/board_name 20XW004AGE
         sys/class/dmi/id/bios_version N32ET75W (1.51 )
         sys/class/dmi/id/chassis_type 10
         sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c \u{6}\0\0\0\u{1}
         proc/meminfo MemTotal:       16118260 kB\\nMemFree: 1 kB\\n
         proc/cpuinfo processor\t: 0\\nmodel name\t: 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz\\ncpu MHz\t\t: 400.000\\nflags\t\t: fpu vme\\n",
    )
    .disk("nvme0c0n1", "pci0000:00/0000:00:1d.0/0000:02:00.0/nvme/nvme0", 1_000_215_216, "hidden=1")
    .disk(
        "nvme0n1",
        "virtual/nvme-subsystem/nvme-subsys0",
        2048,
        "device/model=SAMSUNG MZVLB512HBJQ-000L7\ndevice/serial=S4ENNF0R123456",
    )
    .disk("sda", "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host0/target0:0:0/0:0:0:0/block", 2048, "device/model=Ultra Fit")
    .disk("loop0", "virtual/block", 2048, "")
    .disk("zram0", "virtual/block", 2048, "")
    .adapter("lo", None, "00:00:00:00:00:00")
    .adapter("enp0s31f6", Some("pci0000:00/0000:00:1f.6"), "8c:8c:aa:11:22:33")
    .adapter("wlp0s20f3", Some("pci0000:00/0000:00:14.3"), "a0:a4:c5:44:55:66")
}

#[test]
fn a_notebook() {
    let recorded = notebook();
    let machine = recorded.look(Some("sda"));
    let computer = machine.computer();
    assert_eq!((&*computer.make, &*computer.model, &*computer.serial_number), ("LENOVO", "20XW004AGE", "PF2ABCDE"));
    assert_eq!(computer.uuid, "4C4C4544-0042-4A10-8052-B4C04F4D3733");
    assert_eq!((&*computer.bios_version, computer.chassis_type), ("N32ET75W (1.51 )", 10));
    assert!(computer.is_uefi && computer.has_secure_boot && !computer.is_virtual);
    assert_eq!((computer.memory_mib, computer.processor_mhz), (15740, 2800));
    let disks: Vec<_> = machine.disks().iter().map(|disk| (&*disk.name, &*disk.model, &*disk.interface)).collect();
    assert_eq!(disks, [("nvme0n1", "SAMSUNG MZVLB512HBJQ-000L7", "NVMe")]);
    assert_eq!((&*machine.disks()[0].serial_number, machine.disks()[0].has_data), ("S4ENNF0R123456", false));
    let macs: Vec<_> = computer.adapters.iter().map(|one| &*one.mac_address).collect();
    assert_eq!(macs, ["8C:8C:AA:11:22:33", "A0:A4:C5:44:55:66"]);
    // The control: without a medium the stick is a disk like others, and the last one.
    let names: Vec<_> =
        recorded.look(None).disks().iter().map(|disk| (disk.name.clone(), disk.interface.clone())).collect();
    assert_eq!(names.last(), Some(&("sda".to_owned(), "USB".to_owned())));
}

#[test]
fn a_desktop_with_bios_counts_its_disks_by_their_places() {
    let recorded = Recorded::new(
        "sys/class/dmi/id/sys_vendor Dell Inc.
         sys/class/dmi/id/product_name OptiPlex 790
         sys/class/dmi/id/chassis_type 3
         proc/cpuinfo model name\t: AMD Athlon\\ncpu MHz\t\t: 3092.976\\n",
    )
    // Names by the order in which drivers came up, places by the board; ata10 is not before ata2.
    .disk(
        "sda",
        "pci0000:00/0000:00:1f.2/ata10/host9/target9:0:0/9:0:0:0/block",
        4096,
        "device/vendor=ATA\ndevice/model=WDC WD10EZEX",
    )
    .disk(
        "sdb",
        "pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0/block",
        2048,
        "device/vendor=ATA\ndevice/model=KINGSTON\nsdb1/partition=1\nsdb2/partition=2",
    )
    .disk("sr0", "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block", 2048, "device/type=5")
    .disk(
        "sdc",
        "pci0000:00/0000:00:1d.0/usb2/2-1/2-1:1.0/host10/target10:0:0/10:0:0:0/block",
        0,
        "device/model=Card Reader",
    )
    .disk("sdd", "pci0000:00/0000:00:1f.2/ata4/host3/target3:0:0/3:0:0:0/block", 2048, "ro=1")
    .disk("fd0", "platform/floppy.0/block", 2880, "");
    fs::write(
        recorded
            .path()
            .join("sys/devices/pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0/block/sdb/device/vpd_pg80"),
        b"\0\x80\0\x08  SN1234",
    )
    .expect("written");
    // A volume's label in the last MiB.
    fs::File::options()
        .write(true)
        .open(recorded.path().join("dev/sda"))
        .and_then(|file| std::os::unix::fs::FileExt::write_all_at(&file, b"x", 4096 * 512 - 1))
        .expect("written");
    let machine = recorded.look(None);
    let disks: Vec<_> =
        machine.disks().iter().map(|disk| (&*disk.name, &*disk.model, &*disk.serial_number, disk.has_data)).collect();
    assert_eq!(disks, [("sdb", "KINGSTON", "SN1234", false), ("sda", "WDC WD10EZEX", "", true)]);
    let computer = machine.computer();
    assert!(!computer.is_uefi && !computer.has_secure_boot);
    assert_eq!((computer.disks[0].partitions, computer.processor_mhz), (2, 3093));
    assert!(machine.disks().iter().all(|disk| disk.interface == "SATA"));
}

#[test]
fn a_virtual_machine_with_an_address() {
    let recorded = Recorded::new(
        "sys/class/dmi/id/sys_vendor QEMU
         sys/class/dmi/id/product_name Standard PC (Q35 + ICH9, 2009)
         proc/cpuinfo flags\t\t: fpu hypervisor\\n
         proc/net/route Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\\neth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\\neth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\\n
         proc/net/fib_trie Main:\\n  +-- 10.0.2.0/24 2 0 2\\n        |-- 10.0.2.15\\n           /32 host LOCAL\\n        |-- 10.0.2.255\\n           /32 link BROADCAST\\n     |-- 127.0.0.1\\n        /32 host LOCAL\\n",
    )
    .disk("vda", "pci0000:00/0000:00:02.0/virtio1/block", 2048, "serial=abc\ndevice/vendor=0x1af4")
    .adapter("eth0", Some("pci0000:00/0000:00:03.0/virtio2"), "52:54:00:12:34:56");
    let machine = recorded.look(None);
    let computer = machine.computer();
    assert!(computer.is_virtual);
    let adapter = &computer.adapters[0];
    assert_eq!((&*adapter.ip_address, &*adapter.gateway), ("10.0.2.15", "10.0.2.2"));
    let disk = &machine.disks()[0];
    assert_eq!((&*disk.name, &*disk.serial_number, &*disk.interface), ("vda", "abc", "VirtIO"));
}

#[test]
fn sectors_of_4096_bytes_and_cards_with_parts_of_their_own() {
    let recorded = Recorded::new("")
        .disk(
            "sda",
            "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block",
            1 << 20,
            "queue/logical_block_size=4096",
        )
        .disk("mmcblk0", "pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:0001/block", 2048, "device/name=DA4064")
        .disk("mmcblk0boot0", "pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:0001/block", 2048, "")
        .disk("mmcblk0rpmb", "pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:0001/block", 2048, "");
    let machine = recorded.look(None);
    let disks: Vec<_> = machine
        .disks()
        .iter()
        .map(|disk| (&*disk.name, disk.size_bytes, disk.sector_bytes, &*disk.interface))
        .collect();
    assert_eq!(disks, [("sda", 512 << 20, 4096, "SATA"), ("mmcblk0", 1 << 20, 512, "MMC")]);
    assert_eq!(machine.disks()[1].model, "DA4064");
}

#[test]
fn no_disk_and_nothing_known_are_no_panic() {
    let recorded = Recorded::new(
        "proc/cpuinfo model name: @ GHz\\n:\\n\nproc/net/route x\\ny z\\n\nproc/meminfo MemTotal: many kB\\n",
    );
    let machine = recorded.look(None);
    assert!(machine.disks().is_empty() && machine.volumes().is_empty());
    assert_eq!((machine.computer().memory_mib, machine.computer().processor_mhz), (0, 0));
    // What can't be read may hold something.
    let recorded = notebook();
    fs::remove_file(recorded.path().join("dev/nvme0n1")).expect("removed");
    assert!(recorded.look(Some("sda")).disks()[0].has_data);
}

#[test]
fn devices_have_the_ids_of_windows_each_kind_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("pci/devices/0000:00:02.0/modalias", "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00\n"),
        ("pci/devices/0000:00:02.0/revision", "0x03\n"),
        ("pci/devices/0000:00:03.0/modalias", "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00\n"),
        ("pci/devices/0000:00:03.0/revision", "0x03\n"),
        ("pci/devices/0000:00:04.0/modalias", "no modalias"),
        ("usb/devices/1-1:1.0/modalias", "usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip01in00\n"),
        ("acpi/devices/PNP0303:00/modalias", "acpi:PNP0303:\n"),
        ("virtio/devices/virtio0/modalias", "virtio:d00000001v00001AF4\n"),
    ] {
        put(&folder.path().join("sys/bus"), path, text);
    }
    let found = crate::target::facts::devices(&Places::below(folder.path()));
    let first: Vec<&str> = found.iter().map(|device| &*device.hardware_ids[0]).collect();
    let expected = [
        "PCI\\VEN_8086&DEV_100E&SUBSYS_11001AF4&REV_03",
        "USB\\VID_0627&PID_0001&REV_0000&MI_00",
        "ACPI\\VEN_PNP&DEV_0303",
    ];
    assert_eq!(first, expected);
}
