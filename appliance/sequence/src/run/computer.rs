// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A computer as far as sequences ask about it, described or found out. In TOML it is docs/formats/facts.md.

use platen_media::fields::{self, Fields, Problem};

use super::environment::{Environment, EnvironmentError, Origin};
use super::windows::{self, Windows};

/// What is known of a computer. Texts are empty where nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Computer {
    /// For people.
    pub name: String,
    /// Who made it (SMBIOS type 1).
    pub make: String,
    /// What they call it (SMBIOS type 1).
    pub model: String,
    /// Of the system (SMBIOS type 1).
    pub serial_number: String,
    /// Of the system (SMBIOS type 1).
    pub uuid: String,
    /// Of the enclosure (SMBIOS type 3).
    pub asset_tag: String,
    /// Of its main board (SMBIOS type 2).
    pub product: String,
    /// Of its firmware (SMBIOS type 0).
    pub bios_version: String,
    /// SMBIOS' number for its form, such as 3 for a desktop and 10 for a notebook; 0 where nobody says.
    pub chassis_type: u32,
    /// It starts by UEFI, not by BIOS.
    pub is_uefi: bool,
    /// Secure Boot is on.
    pub has_secure_boot: bool,
    /// It is no machine of its own.
    pub is_virtual: bool,
    /// `x86_64`, `x86` or `arm64`.
    pub architecture: String,
    /// Memory.
    pub memory_mib: u32,
    /// Of its first processor.
    pub processor_mhz: u32,
    /// In the order of their numbers, from 0.
    pub disks: Vec<Disk>,
    /// Wired and wireless, none that are made by software.
    pub adapters: Vec<Adapter>,
    /// The Windows that is on it.
    pub windows: Option<Windows>,
    /// Set by somebody who was asked, or by a prestart command.
    pub answers: Vec<(String, String)>,
}

/// A hard disk or the like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// What its maker calls it.
    pub model: String,
    /// Its capacity.
    pub size_bytes: u64,
    /// `NVMe`, `SATA`, `SCSI`, `USB` …
    pub interface: String,
    /// How many partitions are on it.
    pub partitions: u32,
}

/// A network adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// With colons.
    pub mac_address: String,
    /// Of IPv4; empty where it has none.
    pub ip_address: String,
    /// Empty where it has none.
    pub gateway: String,
}

impl Computer {
    /// Reads a description. Strict, like every form that people write.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Problem>> {
        fields::read(text, |_, top| Some(read(top)))
    }

    /// Whether it is carried about.
    pub fn is_laptop(&self) -> bool {
        matches!(self.chassis_type, 8..=12 | 14 | 18 | 21 | 30..=32)
    }

    /// Whether it stands in a rack or is sold as a server.
    pub fn is_server(&self) -> bool {
        matches!(self.chassis_type, 17 | 23 | 28 | 29)
    }

    /// What the boot system finds out before the first step: the built-in variables of stand-alone media.
    pub fn built_in(&self, environment: &mut Environment) -> Result<(), EnvironmentError> {
        let of_adapters = |of: fn(&Adapter) -> &str| {
            self.adapters.iter().map(of).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(",")
        };
        let secure_boot = match (self.is_uefi, self.has_secure_boot) {
            (true, true) => "Enabled",
            (true, false) => "Disabled",
            (false, _) => "NA",
        };
        let macs = of_adapters(|adapter| &adapter.mac_address);
        let addresses = of_adapters(|adapter| &adapter.ip_address);
        let gateways = of_adapters(|adapter| &adapter.gateway);
        for (name, value) in [
            ("_SMSTSInWinPE", "true"),
            ("_SMSTSMediaType", "FullMedia"),
            ("_SMSTSLaunchMode", "UFD"),
            ("_SMSTSBootUEFI", if self.is_uefi { "true" } else { "false" }),
            ("_TSSecureBoot", secure_boot),
            ("_SMSTSMake", &self.make),
            ("_SMSTSModel", &self.model),
            ("_SMSTSSerialNumber", &self.serial_number),
            ("_SMSTSUUID", &self.uuid),
            ("_SMSTSAssetTag", &self.asset_tag),
            ("_SMSTSMacAddresses", &macs),
            ("_SMSTSIPAddresses", &addresses),
            ("_SMSTSDefaultGateways", &gateways),
            ("_SMSTSUserStatePath", "C:\\UserState"),
            ("_SMSTSLastActionSucceeded", "true"),
            ("_SMSTSLastActionRetCode", "0"),
        ] {
            environment.set(name, value, false, Origin::BuiltIn)?;
        }
        for (name, value) in &self.answers {
            environment.set(name, value, false, Origin::Step)?;
        }
        Ok(())
    }

    /// What MDT's Gather finds out.
    pub fn gathered(&self, environment: &mut Environment) -> Result<(), EnvironmentError> {
        let word = |flag: bool| if flag { "True" } else { "False" };
        let is_desktop = !self.is_laptop() && !self.is_server();
        let architecture = match &*self.architecture {
            "x86_64" => "X64",
            "x86" => "X86",
            "arm64" => "ARM64",
            other => other,
        };
        let numbers = [self.memory_mib.to_string(), self.processor_mhz.to_string()];
        for (name, value) in [
            ("Make", &*self.make),
            ("Model", &self.model),
            ("Product", &self.product),
            ("SerialNumber", &self.serial_number),
            ("UUID", &self.uuid),
            ("AssetTag", &self.asset_tag),
            ("Architecture", architecture),
            ("IsUEFI", word(self.is_uefi)),
            ("IsLaptop", word(self.is_laptop())),
            ("IsServer", word(self.is_server())),
            ("IsDesktop", word(is_desktop)),
            ("IsVM", word(self.is_virtual)),
            ("Memory", &numbers[0]),
            ("ProcessorSpeed", &numbers[1]),
        ] {
            environment.set(name, value, false, Origin::Gathered)?;
        }
        for (number, adapter) in self.adapters.iter().enumerate() {
            let number = number + 1;
            let lists = [
                ("MacAddress", &adapter.mac_address),
                ("IPAddress", &adapter.ip_address),
                ("DefaultGateway", &adapter.gateway),
            ];
            for (name, value) in lists {
                environment.set(&format!("{name}{number:03}"), value, false, Origin::Gathered)?;
            }
        }
        Ok(())
    }
}

fn read(mut top: Fields<'_, '_, '_>) -> Computer {
    if top.has("schema") {
        top.number_within("schema", 1..=1, ", the number of the format,");
    } else {
        top.take("schema");
        top.missing("schema", "1, the number of the format");
    }
    let computer = Computer {
        name: text(&mut top, "name"),
        make: text(&mut top, "make"),
        model: text(&mut top, "model"),
        serial_number: text(&mut top, "serial-number"),
        uuid: text(&mut top, "uuid"),
        asset_tag: text(&mut top, "asset-tag"),
        product: text(&mut top, "product"),
        bios_version: text(&mut top, "bios-version"),
        chassis_type: number(&mut top, "chassis-type"),
        is_uefi: word(&mut top, "firmware", &["BIOS", "UEFI"]) == "UEFI",
        has_secure_boot: top.flag("secure-boot").is_some_and(|flag| flag.value),
        is_virtual: top.flag("virtual").is_some_and(|flag| flag.value),
        architecture: word(&mut top, "architecture", &["x86_64", "x86", "arm64"]),
        memory_mib: number(&mut top, "memory-mib"),
        processor_mhz: number(&mut top, "processor-mhz"),
        disks: top.tables("disk").into_iter().map(disk).collect(),
        adapters: top.tables("adapter").into_iter().map(adapter).collect(),
        windows: top.table("windows").map(windows::read),
        answers: top.tables("variable").into_iter().map(answer).collect(),
    };
    top.finish();
    computer
}

/// At most what a variable holds, for that is what it becomes.
pub(super) fn text(of: &mut Fields<'_, '_, '_>, name: &'static str) -> String {
    let Some(found) = of.text(name) else { return String::new() };
    if let Err(limit) = crate::limits::value(&found.value) {
        of.note(found.line, name, limit.expected, limit.found);
    }
    found.value
}

pub(super) fn number(of: &mut Fields<'_, '_, '_>, name: &'static str) -> u32 {
    of.number_within(name, 0..=u32::MAX, "").map_or(0, |number| number.value)
}

pub(super) fn word(of: &mut Fields<'_, '_, '_>, name: &'static str, known: &[&str]) -> String {
    let expected = known.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
    let Some(found) = of.text(name) else {
        of.missing(name, &expected);
        return String::new();
    };
    if !known.contains(&&*found.value) {
        of.note(found.line, name, expected, format!("{:?}", found.value));
    }
    found.value
}

fn disk(mut of: Fields<'_, '_, '_>) -> Disk {
    let size = of.number_within("size-mib", 1..=u32::MAX, "");
    if size.is_none() {
        of.missing("size-mib", "a whole number");
    }
    let disk = Disk {
        model: text(&mut of, "model"),
        size_bytes: size.map_or(0, |size| u64::from(size.value)) << 20,
        interface: text(&mut of, "interface"),
        partitions: number(&mut of, "partitions"),
    };
    of.finish();
    disk
}

fn adapter(mut of: Fields<'_, '_, '_>) -> Adapter {
    let adapter = Adapter {
        mac_address: text(&mut of, "mac-address"),
        ip_address: text(&mut of, "ip-address"),
        gateway: text(&mut of, "gateway"),
    };
    of.finish();
    adapter
}

fn answer(mut of: Fields<'_, '_, '_>) -> (String, String) {
    let (name, value) = (text(&mut of, "name"), text(&mut of, "value"));
    if let Err(limit) = crate::limits::variable_name(&name) {
        of.note(of.line, "name", limit.expected, limit.found);
    }
    of.finish();
    (name, value)
}
