// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What conditions ask about a computer, from what its firmware and its kernel say.

use std::net::Ipv4Addr;
use std::path::Path;

use platen_sequence::run::{Adapter, Computer, Disk};
use platen_windows::drivers::Device;
use platen_windows::modalias::{self, Details};

use super::disks;
use super::places::{Places, bytes, names, number, text};
use crate::engine::machine::TargetDisk;

/// `SecureBoot` of the global variables (UEFI 3.3).
const SECURE_BOOT: &str = "firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// The files below `/proc` that are read here have a few kB, and one block for each of a machine's processors.
const MAX_PROC_BYTES: u64 = 4 << 20;
/// ARPHRD_ETHER: wired and wireless adapters (`linux/if_arp.h`).
const ETHERNET: u64 = 1;

/// Everything that can be found out without asking anybody.
pub(super) fn computer(places: &Places, disks: &[TargetDisk]) -> Computer {
    let dmi = |name: &str| text(&places.sys.join("class/dmi/id").join(name));
    let processors = proc_text(places, "cpuinfo");
    Computer {
        make: dmi("sys_vendor"),
        model: dmi("product_name"),
        serial_number: dmi("product_serial"),
        uuid: dmi("product_uuid").to_uppercase(),
        asset_tag: dmi("chassis_asset_tag"),
        product: dmi("board_name"),
        bios_version: dmi("bios_version"),
        chassis_type: dmi("chassis_type").parse().unwrap_or(0),
        is_uefi: is_uefi(places),
        has_secure_boot: has_secure_boot(places),
        is_virtual: is_virtual(&processors, &dmi("sys_vendor")),
        architecture: architecture().to_owned(),
        memory_mib: memory_mib(&proc_text(places, "meminfo")),
        processor_mhz: processor_mhz(&processors),
        disks: disks.iter().map(|disk| described(places, disk)).collect(),
        adapters: adapters(places),
        ..Computer::default()
    }
}

/// The devices of the buses that Windows finds its drivers by.
pub(super) fn devices(places: &Places) -> Vec<Device> {
    let hexadecimal = |path: &Path| {
        let text = text(path);
        u32::from_str_radix(text.strip_prefix("0x").unwrap_or(&text), 16).ok()
    };
    let folders = ["pci", "usb", "hdaudio", "acpi"].map(|bus| places.sys.join("bus").join(bus).join("devices"));
    let devices = folders.iter().flat_map(|folder| names(folder).into_iter().map(|name| folder.join(name)));
    let mut found: Vec<Device> = Vec::new();
    for device in devices {
        let revision = hexadecimal(&device.join("revision")).and_then(|revision| u8::try_from(revision).ok());
        let details = Details { revision, subsystem: hexadecimal(&device.join("subsystem_id")) };
        // Several of the same need the same driver.
        found.extend(modalias::device(&text(&device.join("modalias")), details).filter(|new| !found.contains(new)));
    }
    found
}

pub(super) fn is_uefi(places: &Places) -> bool {
    places.sys.join("firmware/efi").is_dir()
}

/// Four bytes of attributes, then the value (kernel documentation, efivarfs).
fn has_secure_boot(places: &Places) -> bool {
    bytes(&places.sys.join(SECURE_BOOT), 5).is_ok_and(|bytes| bytes.get(4) == Some(&1))
}

/// The processor says so (CPUID 1, ECX bit 31), or the firmware's maker makes no others.
fn is_virtual(processors: &str, vendor: &str) -> bool {
    let has_flag =
        field(processors, "flags").is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"));
    has_flag
        || ["QEMU", "VMware, Inc.", "innotek GmbH", "Xen", "Parallels"].iter().any(|known| vendor.starts_with(known))
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

fn memory_mib(meminfo: &str) -> u32 {
    let kib = field(meminfo, "MemTotal").and_then(|value| value.trim_end_matches(" kB").trim().parse::<u64>().ok());
    u32::try_from(kib.unwrap_or(0) / 1024).unwrap_or(u32::MAX)
}

/// The speed in its name, which is what it was made for; else the one it has now.
fn processor_mhz(processors: &str) -> u32 {
    let named = field(processors, "model name").and_then(|name| {
        let speed = name.rsplit_once('@')?.1.trim().strip_suffix("GHz")?;
        Some(speed.trim().parse::<f64>().ok()? * 1000.0)
    });
    let now = || field(processors, "cpu MHz").and_then(|speed| speed.parse::<f64>().ok());
    named.or_else(now).map_or(0, |mhz| mhz.round() as u32)
}

/// The first line `name : value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(field, _)| field.trim() == name).map(|(_, value)| value.trim())
}

fn proc_text(places: &Places, name: &str) -> String {
    String::from_utf8_lossy(&bytes(&places.proc.join(name), MAX_PROC_BYTES).unwrap_or_default()).into_owned()
}

fn described(places: &Places, disk: &TargetDisk) -> Disk {
    Disk {
        model: disk.model.clone(),
        size_bytes: disk.size_bytes,
        interface: disk.interface.clone(),
        partitions: disks::partitions(places, &disk.name),
    }
}

/// Those with hardware behind them, by name.
fn adapters(places: &Places) -> Vec<Adapter> {
    let class = places.sys.join("class/net");
    let (routes, addresses) = (routes(&proc_text(places, "net/route")), addresses(&proc_text(places, "net/fib_trie")));
    let is_adapter = |folder: &Path| folder.join("device").exists() && number(&folder.join("type")) == Some(ETHERNET);
    let names = names(&class).into_iter().filter(|name| is_adapter(&class.join(name)));
    names
        .map(|name| {
            let own = || routes.iter().filter(|route| route.adapter == name);
            let gateway = own().find(|route| !route.gateway.is_unspecified());
            let address = addresses.iter().find(|address| own().any(|route| route.is_to(**address)));
            Adapter {
                mac_address: text(&class.join(&name).join("address")).to_uppercase(),
                ip_address: address.map(Ipv4Addr::to_string).unwrap_or_default(),
                gateway: gateway.map(|route| route.gateway.to_string()).unwrap_or_default(),
            }
        })
        .collect()
}

struct Route {
    adapter: String,
    to: Ipv4Addr,
    mask: Ipv4Addr,
    gateway: Ipv4Addr,
}

impl Route {
    /// The address is in the network that the adapter is in.
    fn is_to(&self, address: Ipv4Addr) -> bool {
        self.gateway.is_unspecified() && !self.mask.is_unspecified() && address & self.mask == self.to
    }
}

/// Addresses are in hexadecimal, last byte first.
fn routes(text: &str) -> Vec<Route> {
    let address = |field: &str| u32::from_str_radix(field, 16).ok().map(|bits| Ipv4Addr::from(bits.to_le_bytes()));
    let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter_map(|row| {
        let at = |place: usize| row.get(place).copied().and_then(address);
        Some(Route { adapter: (*row.first()?).to_owned(), to: at(1)?, gateway: at(2)?, mask: at(7)? })
    })
    .collect()
}

/// The computer's own addresses: a line with the address, the next says what it is.
fn addresses(text: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    for (line, next) in text.lines().zip(text.lines().skip(1)) {
        let address = line.trim().strip_prefix("|-- ").and_then(|address| address.parse().ok());
        if let Some(address) = address
            && next.trim() == "/32 host LOCAL"
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}
