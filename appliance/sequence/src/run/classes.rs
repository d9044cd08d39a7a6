// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What WMI would say of a computer: instances of the classes that real conditions ask about.

use super::computer::Computer;
use super::wql::Value;

/// An instance's properties.
pub(super) type Instance = Vec<(&'static str, Value)>;

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::Text(text.to_owned()) }
}

fn number(number: impl Into<i128>) -> Value {
    Value::Number(number.into())
}

impl Computer {
    /// All instances of a class; None for a class that is not known here.
    pub(super) fn instances(&self, namespace: &str, class: &str) -> Option<Vec<Instance>> {
        let space = namespace.trim().trim_start_matches(['\\', '.']).replace('/', "\\").to_lowercase();
        if !space.is_empty() && !space.trim_end_matches('\\').ends_with(r"root\cimv2") {
            return None;
        }
        let one = |instance: Instance| Some(vec![instance]);
        match &*class.to_lowercase() {
            "win32_bios" => one(vec![
                ("SMBIOSBIOSVersion", text(&self.bios_version)),
                ("Manufacturer", text(&self.make)),
                ("SerialNumber", text(&self.serial_number)),
                ("PrimaryBIOS", Value::Flag(true)),
            ]),
            "win32_computersystem" => one(vec![
                ("Manufacturer", text(&self.make)),
                ("Model", text(&self.model)),
                ("TotalPhysicalMemory", number(u64::from(self.memory_mib) << 20)),
                ("PCSystemType", number(if self.is_laptop() { 2 } else { 1 })),
                ("SystemType", text(if self.architecture == "x86" { "X86-based PC" } else { "x64-based PC" })),
                ("HypervisorPresent", Value::Flag(self.is_virtual)),
            ]),
            "win32_computersystemproduct" => one(vec![
                ("Vendor", text(&self.make)),
                ("Name", text(&self.model)),
                ("IdentifyingNumber", text(&self.serial_number)),
                ("UUID", text(&self.uuid)),
            ]),
            "win32_baseboard" => one(vec![("Product", text(&self.product)), ("Manufacturer", text(&self.make))]),
            "win32_systemenclosure" => one(vec![
                ("ChassisTypes", number(self.chassis_type)),
                ("SMBIOSAssetTag", text(&self.asset_tag)),
                ("SerialNumber", text(&self.serial_number)),
                ("Manufacturer", text(&self.make)),
            ]),
            "win32_processor" => one(vec![
                ("MaxClockSpeed", number(self.processor_mhz)),
                ("AddressWidth", number(if self.architecture == "x86" { 32 } else { 64 })),
                (
                    "Architecture",
                    number(match &*self.architecture {
                        "x86" => 0,
                        "arm64" => 12,
                        _ => 9,
                    }),
                ),
            ]),
            "win32_diskdrive" => Some(
                self.disks
                    .iter()
                    .zip(0u32..)
                    .map(|(disk, index)| {
                        vec![
                            ("Index", number(index)),
                            ("DeviceID", Value::Text(format!(r"\\.\PHYSICALDRIVE{index}"))),
                            ("Model", text(&disk.model)),
                            ("Size", number(disk.size_bytes)),
                            ("InterfaceType", text(windows_interface(&disk.interface))),
                            (
                                "MediaType",
                                text(if disk.interface == "USB" { "Removable Media" } else { "Fixed hard disk media" }),
                            ),
                            ("Partitions", number(disk.partitions)),
                        ]
                    })
                    .collect(),
            ),
            "win32_diskpartition" => Some(
                self.disks
                    .iter()
                    .zip(0u32..)
                    .flat_map(|(disk, of)| {
                        (0..disk.partitions).map(move |index| vec![("DiskIndex", number(of)), ("Index", number(index))])
                    })
                    .collect(),
            ),
            "win32_networkadapterconfiguration" => Some(
                self.adapters
                    .iter()
                    .map(|adapter| {
                        vec![
                            ("MACAddress", text(&adapter.mac_address)),
                            ("IPEnabled", Value::Flag(!adapter.ip_address.is_empty())),
                            ("IPAddress", text(&adapter.ip_address)),
                            ("DefaultIPGateway", text(&adapter.gateway)),
                        ]
                    })
                    .collect(),
            ),
            "win32_networkadapter" => Some(
                self.adapters
                    .iter()
                    .map(|adapter| {
                        vec![
                            ("MACAddress", text(&adapter.mac_address)),
                            ("PhysicalAdapter", Value::Flag(true)),
                            ("AdapterTypeID", number(0)),
                            ("NetConnectionStatus", number(if adapter.ip_address.is_empty() { 7 } else { 2 })),
                        ]
                    })
                    .collect(),
            ),
            // The boot system gives no letters.
            "win32_logicaldisk" | "win32_volume" => Some(Vec::new()),
            "win32_battery" => Some(if self.is_laptop() { vec![Vec::new()] } else { Vec::new() }),
            _ => None,
        }
    }
}

/// Windows counts NVMe and SATA disks with these.
fn windows_interface(interface: &str) -> &str {
    match interface {
        "NVMe" => "SCSI",
        "SATA" => "IDE",
        other => other,
    }
}
