// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A Linux system that was put on the disk: its settings, how it starts, and what it does at its first start.
//!
//! All of it is files below the system's root. Links in an image may lead anywhere; what is written goes to paths whose
//! folders were resolved below that root (`inside`), so that no image reaches the boot system's own files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::machine::LinuxBoot;
use super::state::Store;

/// Driver packages, below the root.
pub(super) const DRIVERS: &str = "var/lib/platen/drivers";
/// The program that goes on after the first start, in the state's folder.
pub const RUNNER: &str = "platen-deploy";
/// What systemd starts once.
const UNIT: &str = "etc/systemd/system/platen-first-start.service";
const UNIT_LINK: &str = "etc/systemd/system/multi-user.target.wants/platen-first-start.service";
/// The name by which the line in an inittab is known.
const INITTAB_MARK: &str = "# platen: first start";

/// A path below the root of which no folder is a link that leads out of it. Folders that are missing are made.
pub(crate) fn inside(root: &Path, path: &str) -> Result<PathBuf, String> {
    let mut at = root.to_owned();
    let mut parts: Vec<String> = names(Path::new(path)).into_iter().rev().collect();
    let mut links = 0;
    while let Some(part) = parts.pop() {
        let next = at.join(&part);
        let kind = fs::symlink_metadata(&next).map(|found| found.file_type());
        match kind {
            Ok(kind) if kind.is_symlink() && !parts.is_empty() => {
                links += 1;
                if links > 40 {
                    return Err(format!("/{path}: too many links on the way"));
                }
                let target = fs::read_link(&next).map_err(|error| format!("/{path}: {error}"))?;
                if target.is_absolute() {
                    root.clone_into(&mut at);
                }
                if target.components().any(|part| part == Component::ParentDir) {
                    return Err(format!("/{path}: a link on the way leads to {}", target.display()));
                }
                parts.extend(names(&target).into_iter().rev());
            }
            // The last one is replaced, not followed.
            Ok(kind) if kind.is_symlink() => {
                fs::remove_file(&next).map_err(|error| format!("replacing /{path}: {error}"))?;
                at = next;
            }
            Ok(_) => at = next,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !parts.is_empty() {
                    fs::create_dir(&next).map_err(|error| format!("making /{path}: {error}"))?;
                }
                at = next;
            }
            Err(error) => return Err(format!("/{path}: {error}")),
        }
    }
    Ok(at)
}

fn names(path: &Path) -> Vec<String> {
    let name = |part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

fn write(root: &Path, path: &str, text: &str) -> Result<(), String> {
    let to = inside(root, path)?;
    fs::write(to, text).map_err(|error| format!("writing /{path}: {error}"))
}

/// Apply Windows Settings, as far as a Linux system has the same: its name and its time zone.
pub(super) fn settings(root: &Path, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut said = Vec::new();
    if let Some(name) = value("OSDComputerName").or_else(|| value("_SMSTSMachineName")) {
        check_host_name(&name)?;
        let name = name.to_ascii_lowercase();
        write(root, "etc/hostname", &format!("{name}\n"))?;
        let hosts = fs::read_to_string(inside(root, "etc/hosts")?).unwrap_or_default();
        let mut lines: Vec<&str> = hosts.lines().filter(|line| !line.starts_with("127.0.1.1")).collect();
        if lines.is_empty() {
            lines = vec!["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"];
        }
        write(root, "etc/hosts", &format!("{}\n127.0.1.1\t{name}\n", lines.join("\n")))?;
        said.push(format!("name {name}"));
    }
    if let Some(zone) = value("OSDTimeZone") {
        let is_plain = zone.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
        let file = format!("usr/share/zoneinfo/{zone}");
        if is_plain && zone != "UTC" && !root.join(&file).is_file() {
            return Err(format!(
                "time zone: expected one the image knows (below /usr/share/zoneinfo), such as Europe/Berlin, found \
                 {zone:?}"
            ));
        }
        if !is_plain {
            return Err(format!("time zone: expected a name such as Europe/Berlin, found {zone:?}"));
        }
        link(root, "etc/localtime", &format!("/{file}"))?;
        write(root, "etc/timezone", &format!("{zone}\n"))?;
        said.push(format!("time zone {zone}"));
    }
    let windows_only = ["OSDProductKey", "OSDLocalAdminPassword", "OSDRegisteredUserName", "OSDRegisteredOrgName"];
    let left: Vec<&str> = windows_only.into_iter().filter(|name| value(name).is_some()).collect();
    if !left.is_empty() {
        said.push(format!("not on a Linux system: {}", left.join(", ")));
    }
    Ok(if said.is_empty() { "nothing to set".to_owned() } else { said.join(", ") })
}

#[cfg(unix)]
fn link(root: &Path, path: &str, target: &str) -> Result<(), String> {
    let at = inside(root, path)?;
    if at.exists() {
        fs::remove_file(&at).map_err(|error| format!("replacing /{path}: {error}"))?;
    }
    std::os::unix::fs::symlink(target, at).map_err(|error| format!("linking /{path}: {error}"))
}

#[cfg(not(unix))]
fn link(_: &Path, path: &str, _: &str) -> Result<(), String> {
    Err(format!("/{path}: a link for a Linux system can't be made on Windows"))
}

/// RFC 1123: letters, digits and hyphens, at most 63, no hyphen first or last.
fn check_host_name(name: &str) -> Result<(), String> {
    let is_right = (1..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    match is_right {
        true => Ok(()),
        false => Err(format!("computer name: expected 1 to 63 letters, digits and hyphens, found {name:?}")),
    }
}

/// One adapter's settings, from Configuration Manager's `OSDAdapter<n>…` variables.
struct Adapter {
    mac_address: String,
    addresses: Vec<String>,
    gateways: Vec<String>,
    name_servers: Vec<String>,
    domain: String,
}

impl Adapter {
    fn of(number: usize, value: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let named = |name: &str| value(&format!("OSDAdapter{number}{name}")).unwrap_or_default();
        let list = |text: String| -> Vec<String> {
            text.split([',', ';', ' ']).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let is_dhcp = named("EnableDHCP").eq_ignore_ascii_case("true");
        let (addresses, masks) = (list(named("IPAddressList")), list(named("SubnetMask")));
        let addresses = match (is_dhcp, addresses.len() == masks.len()) {
            (true, _) => Vec::new(),
            (false, true) => addresses.iter().zip(&masks).map(with_prefix).collect::<Result<_, _>>()?,
            (false, false) => {
                return Err(format!(
                    "adapter {number}: expected a subnet mask for each address, found {} for {}",
                    masks.len(),
                    addresses.len()
                ));
            }
        };
        let domain = named("DNSDomain");
        let domain = if domain.is_empty() { named("DNSSuffix") } else { domain };
        let (gateways, name_servers) = (list(named("Gateways")), list(named("DNSServerList")));
        for address in gateways.iter().chain(&name_servers) {
            address
                .parse::<std::net::IpAddr>()
                .map_err(|_| format!("adapter {number}: expected an IP address, found {address:?}"))?;
        }
        let mac_address = named("MacAddress").to_lowercase().replace('-', ":");
        Ok(Self { mac_address, addresses, gateways, name_servers, domain })
    }

    fn is_dhcp(&self) -> bool {
        self.addresses.is_empty()
    }
}

fn with_prefix((address, mask): (&String, &String)) -> Result<String, String> {
    let address: std::net::Ipv4Addr =
        address.parse().map_err(|_| format!("expected an IPv4 address, found {address:?}"))?;
    let parsed: std::net::Ipv4Addr = mask.parse().map_err(|_| format!("expected a subnet mask, found {mask:?}"))?;
    let bits = u32::from(parsed);
    let prefix = bits.leading_ones();
    match bits.checked_shl(prefix).unwrap_or(0) == 0 {
        true => Ok(format!("{address}/{prefix}")),
        false => Err(format!("expected a subnet mask, found {mask:?}")),
    }
}

/// Apply Network Settings: for systemd-networkd where the image has it, otherwise for ifupdown.
pub(super) fn network(root: &Path, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let count = match value("OSDAdapterCount") {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| *count <= 64)
            .ok_or_else(|| format!("OSDAdapterCount: expected a number of adapters up to 64, found {text:?}"))?,
    };
    let adapters = (0..count).map(|number| Adapter::of(number, value)).collect::<Result<Vec<_>, _>>()?;
    let is_networkd = ["usr/lib/systemd/systemd-networkd", "lib/systemd/systemd-networkd"]
        .iter()
        .any(|program| root.join(program).is_file());
    // No adapter described means what Configuration Manager means by it: DHCP on all.
    if is_networkd {
        for (number, adapter) in adapters.iter().enumerate() {
            write(root, &format!("etc/systemd/network/10-platen-{number}.network"), &networkd(adapter))?;
        }
        if adapters.is_empty() {
            let text = "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n";
            write(root, "etc/systemd/network/10-platen.network", text)?;
        }
    } else {
        write(root, "etc/network/interfaces", &interfaces(&adapters))?;
    }
    let manager = if is_networkd { "systemd-networkd" } else { "ifupdown" };
    let shown: Vec<String> = adapters
        .iter()
        .map(|adapter| if adapter.is_dhcp() { "DHCP".to_owned() } else { adapter.addresses.join(" ") })
        .collect();
    let shown = if shown.is_empty() { "DHCP".to_owned() } else { shown.join(", ") };
    let join = if value("OSDDomainName").is_some() { "; a domain is joined by Windows only" } else { "" };
    Ok(format!("{shown} for {manager}{join}"))
}

fn networkd(adapter: &Adapter) -> String {
    let mut text = String::from("[Match]\n");
    let _ = match adapter.mac_address.is_empty() {
        true => writeln!(text, "Type=ether"),
        false => writeln!(text, "MACAddress={}", adapter.mac_address),
    };
    text.push_str("\n[Network]\n");
    if adapter.is_dhcp() {
        text.push_str("DHCP=yes\n");
    }
    for (key, values) in
        [("Address", &adapter.addresses), ("Gateway", &adapter.gateways), ("DNS", &adapter.name_servers)]
    {
        for value in values {
            let _ = writeln!(text, "{key}={value}");
        }
    }
    if !adapter.domain.is_empty() {
        let _ = writeln!(text, "Domains={}", adapter.domain);
    }
    text
}

/// Its adapters are named by the kernel, in their order.
fn interfaces(adapters: &[Adapter]) -> String {
    let mut text = String::from("auto lo\niface lo inet loopback\n");
    if adapters.is_empty() {
        text.push_str("\nauto eth0\niface eth0 inet dhcp\n");
    }
    for (number, adapter) in adapters.iter().enumerate() {
        let _ = writeln!(text, "\nauto eth{number}");
        if adapter.is_dhcp() {
            let _ = writeln!(text, "iface eth{number} inet dhcp");
        }
        for (at, address) in adapter.addresses.iter().enumerate() {
            let _ = writeln!(text, "iface eth{number} inet static\n    address {address}");
            if let Some(gateway) = adapter.gateways.get(at) {
                let _ = writeln!(text, "    gateway {gateway}");
            }
            if at == 0 && !adapter.name_servers.is_empty() {
                let _ = writeln!(text, "    dns-nameservers {}", adapter.name_servers.join(" "));
            }
        }
    }
    text
}

/// The kernel and initramfs of the image: the ones that its own links name, or the newest by name.
pub(super) fn boot(root: &Path) -> Result<LinuxBoot, String> {
    let listed = |folder: &str, beginning: &str| -> Option<String> {
        let entries = fs::read_dir(root.join(folder)).ok()?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.starts_with(beginning) && !name.ends_with(".old")).max_by_key(|name| versions(name))
    };
    let kernel = listed("boot", "vmlinuz").map(|name| format!("/boot/{name}"));
    let kernel = kernel.or_else(|| listed("", "vmlinuz").map(|name| format!("/{name}")));
    let kernel = kernel.ok_or("the image has no kernel: expected a file such as /boot/vmlinuz-6.1, found none")?;
    let version = kernel.rsplit('/').next().unwrap_or_default().trim_start_matches("vmlinuz").to_owned();
    let folder = kernel.rsplit_once('/').map_or("", |(folder, _)| folder);
    let initrds = [format!("initrd.img{version}"), format!("initramfs{version}.img"), format!("initrd{version}")];
    let initrd = initrds.iter().map(|name| format!("{folder}/{name}")).find(|path| root.join(&path[1..]).exists());
    Ok(LinuxBoot { kernel, initrd, arguments: "ro quiet console=tty0 console=ttyS0,115200".to_owned() })
}

/// So that 6.10 comes after 6.9.
fn versions(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Puts the program beside the state and sees to it that it is started.
pub(super) fn place_first_start(root: &Path, store: &Store, program: &Path) -> Result<(), String> {
    let to = store.folder().join(RUNNER);
    fs::copy(program, &to).map_err(|error| format!("copying {} to the disk: {error}", program.display()))?;
    let command = format!("/{}/{RUNNER} first-start", super::state::FOLDER);
    let systemd = ["usr/lib/systemd/systemd", "lib/systemd/systemd"].iter().any(|path| root.join(path).is_file());
    if systemd {
        let unit = format!(
            "# Written by the deployment; it removes itself.\n[Unit]\nDescription=Rest of the deployment's task \
             sequence\nAfter=network-online.target\nWants=network-online.target\n\n[Service]\nType=oneshot\n\
             ExecStart={command}\nStandardOutput=journal+console\n\n[Install]\nWantedBy=multi-user.target\n"
        );
        write(root, UNIT, &unit)?;
        return link(root, UNIT_LINK, &format!("/{UNIT}"));
    }
    let path = "etc/inittab";
    let inittab = fs::read_to_string(inside(root, path)?)
        .map_err(|_| "the image has no init that is known here: expected systemd or /etc/inittab, found none")?;
    let kept = without_mark(&inittab);
    write(root, path, &format!("{kept}{INITTAB_MARK}\n::once:{command}\n"))
}

/// Takes away what `place_first_start` put in; the folder's own files go with the state.
pub fn remove_first_start(root: &Path) -> Result<(), String> {
    for path in [UNIT_LINK, UNIT] {
        match fs::remove_file(root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(format!("removing /{path}: {error}")),
            _ => {}
        }
    }
    let path = "etc/inittab";
    match fs::read_to_string(root.join(path)) {
        Ok(inittab) if inittab.contains(INITTAB_MARK) => write(root, path, &without_mark(&inittab)),
        _ => Ok(()),
    }
}

/// An inittab without the mark and the line behind it.
fn without_mark(inittab: &str) -> String {
    let mut lines = inittab.lines();
    let mut text = String::new();
    while let Some(line) = lines.next() {
        if line == INITTAB_MARK {
            lines.next();
            continue;
        }
        let _ = writeln!(text, "{line}");
    }
    text
}
