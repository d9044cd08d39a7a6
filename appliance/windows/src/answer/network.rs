// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Apply Network Settings: domain or workgroup, adapters.

use std::net::{IpAddr, Ipv4Addr};

use super::element::Element;
use super::values::{Reader, Secret, SettingProblem};
use super::{Pass, Setting, Value};

const JOIN: &str = "Microsoft-Windows-UnattendedJoin";
const TCPIP: &str = "Microsoft-Windows-TCPIP";
const DNS: &str = "Microsoft-Windows-DNS-Client";
const NETBT: &str = "Microsoft-Windows-NetBT";

/// Nobody has more.
const MAX_ADAPTERS: usize = 64;

/// What the step's variables say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkSettings {
    /// `OSDNetworkJoinType` and what goes with it.
    pub membership: Option<Membership>,
    /// `OSDDNSDomain`: the primary DNS suffix.
    pub dns_domain: Option<String>,
    /// `OSDDNSSuffixSearchOrder`.
    pub dns_suffixes: Vec<String>,
    /// `OSDAdapter…`, in their order.
    pub adapters: Vec<Adapter>,
    /// What was asked for and has no place in an answer file.
    pub notes: Vec<String>,
}

/// What the computer joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// `OSDWorkgroupName`.
    Workgroup(String),
    /// `OSDDomainName`.
    Domain {
        /// Of the domain.
        name: String,
        /// `OSDDomainOUName`, without `LDAP://`.
        organizational_unit: Option<String>,
        /// Who joins it.
        account: Account,
    },
}

/// `OSDJoinAccount` and `OSDJoinPassword`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Of `domain\user`; none in `user@domain`.
    pub domain: Option<String>,
    /// The name alone, or `user@domain`.
    pub user: String,
    /// May be empty.
    pub password: Secret,
}

/// One adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// MAC address as `00-11-22-33-44-55`, or the connection's name.
    pub identifier: String,
    /// IPv4 addresses come from a server.
    pub dhcp: bool,
    /// With the length of the prefix in bits.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The default routes.
    pub gateways: Vec<Gateway>,
    /// In their order.
    pub dns_servers: Vec<IpAddr>,
    /// The connection's DNS suffix.
    pub dns_domain: Option<String>,
    /// Registers its addresses in DNS.
    pub registers: Option<bool>,
    /// Registers them under its own suffix too.
    pub registers_suffix: Option<bool>,
    /// In their order.
    pub wins_servers: Vec<Ipv4Addr>,
    /// 0: as the server says, 1: NetBIOS over TCP/IP, 2: none.
    pub netbios: Option<u8>,
}

/// A default route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// Of the router.
    pub address: IpAddr,
    /// The less, the better; none for automatic.
    pub metric: Option<u32>,
}

impl NetworkSettings {
    /// From the variables of the step. `mac_addresses` are the computer's, by which adapters are named that the variables
    /// only count.
    pub fn from_variables(
        get: &dyn Fn(&str) -> Option<String>,
        mac_addresses: &[String],
    ) -> Result<Self, Vec<SettingProblem>> {
        let mut reader = Reader::new(get);
        let settings = Self {
            membership: membership(&mut reader),
            dns_domain: reader.text("OSDDNSDomain", 255),
            dns_suffixes: reader
                .list("OSDDNSSuffixSearchOrder", "names", |name| Some(name.to_owned()))
                .unwrap_or_default(),
            adapters: adapters(&mut reader, mac_addresses),
            notes: filtering(&mut reader),
        };
        if reader.problems.is_empty() { Ok(settings) } else { Err(reader.problems) }
    }

    pub(super) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        let mut at = |component, path: &[&'static str], value| {
            settings.push(Setting { pass: Pass::Specialize, component, path: path.to_vec(), value });
        };
        match &self.membership {
            None => {}
            Some(Membership::Workgroup(name)) => {
                for of_domain in ["Credentials", "JoinDomain", "MachineObjectOU"] {
                    at(JOIN, &["Identification", of_domain], Value::Absent);
                }
                at(JOIN, &["Identification", "JoinWorkgroup"], Value::Text(name.clone()));
            }
            Some(Membership::Domain { name, organizational_unit, account }) => {
                at(JOIN, &["Identification", "JoinWorkgroup"], Value::Absent);
                let domain = account.domain.clone().map_or(Value::Absent, Value::Text);
                at(JOIN, &["Identification", "Credentials", "Domain"], domain);
                at(JOIN, &["Identification", "Credentials", "Username"], Value::Text(account.user.clone()));
                let password = Value::Secret(account.password.0.clone());
                at(JOIN, &["Identification", "Credentials", "Password"], password);
                at(JOIN, &["Identification", "JoinDomain"], Value::Text(name.clone()));
                let unit = organizational_unit.clone().map_or(Value::Absent, Value::Text);
                at(JOIN, &["Identification", "MachineObjectOU"], unit);
            }
        }
        if let Some(domain) = &self.dns_domain {
            at(DNS, &["DNSDomain"], Value::Text(domain.clone()));
        }
        if !self.dns_suffixes.is_empty() {
            let suffixes = Element::entries("DomainName", self.dns_suffixes.iter().cloned());
            at(DNS, &["DNSSuffixSearchOrder"], Value::Elements(suffixes));
        }
        for (component, interface) in
            [(TCPIP, Adapter::tcpip as fn(&Adapter) -> _), (DNS, Adapter::dns), (NETBT, Adapter::netbt)]
        {
            let interfaces: Vec<Element> = self.adapters.iter().filter_map(interface).collect();
            if !interfaces.is_empty() {
                at(component, &["Interfaces"], Value::Elements(interfaces));
            }
        }
        settings
    }
}

impl Adapter {
    fn interface(&self, elements: Vec<Element>) -> Element {
        let identifier = Element::text("Identifier", &*self.identifier);
        Element::group("Interface", [vec![identifier], elements].concat()).added()
    }

    fn tcpip(&self) -> Option<Element> {
        let dhcp = Element::text("DhcpEnabled", self.dhcp.to_string());
        let mut elements = vec![Element::group("Ipv4Settings", vec![dhcp])];
        if !self.addresses.is_empty() {
            let addresses = self.addresses.iter().map(|(address, bits)| format!("{address}/{bits}"));
            elements.push(Element::numbered("UnicastIpAddresses", "IpAddress", addresses));
        }
        let route = |(at, gateway): (usize, &Gateway)| {
            let everywhere = if gateway.address.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
            let mut route = vec![
                Element::text("Identifier", at.to_string()),
                Element::text("Prefix", everywhere),
                Element::text("NextHopAddress", gateway.address.to_string()),
            ];
            route.extend(gateway.metric.map(|metric| Element::text("Metric", metric.to_string())));
            Element::group("Route", route).added()
        };
        if !self.gateways.is_empty() {
            elements.push(Element::group("Routes", self.gateways.iter().enumerate().map(route).collect()));
        }
        Some(self.interface(elements))
    }

    fn dns(&self) -> Option<Element> {
        let mut elements = Vec::new();
        elements.extend(self.dns_domain.as_ref().map(|domain| Element::text("DNSDomain", &**domain)));
        if !self.dns_servers.is_empty() {
            let servers = self.dns_servers.iter().map(IpAddr::to_string);
            elements.push(Element::numbered("DNSServerSearchOrder", "IpAddress", servers));
        }
        let suffix =
            self.registers_suffix.map(|it| Element::text("EnableAdapterDomainNameRegistration", it.to_string()));
        elements.extend(suffix);
        elements.extend(self.registers.map(|it| Element::text("DisableDynamicUpdate", (!it).to_string())));
        (!elements.is_empty()).then(|| self.interface(elements))
    }

    fn netbt(&self) -> Option<Element> {
        let mut elements = Vec::new();
        if !self.wins_servers.is_empty() {
            let servers = self.wins_servers.iter().map(Ipv4Addr::to_string);
            elements.push(Element::numbered("NameServerList", "IpAddress", servers));
        }
        elements.extend(self.netbios.map(|option| Element::text("NetbiosOptions", option.to_string())));
        (!elements.is_empty()).then(|| self.interface(elements))
    }
}

/// The step Join Domain or Workgroup has variables of its own for the same.
fn membership(reader: &mut Reader<'_>) -> Option<Membership> {
    const TYPES: &str = "0 (domain) or 1 (workgroup)";
    let is_workgroup = |text: &str| match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    };
    let of_network = reader.parsed("OSDNetworkJoinType", TYPES, is_workgroup);
    let joins_workgroup = of_network.or_else(|| reader.parsed("OSDJoinType", TYPES, is_workgroup));
    let workgroup = reader.first(&["OSDWorkgroupName", "OSDJoinWorkgroupName"], 32);
    let domain = reader.first(&["OSDDomainName", "OSDJoinDomainName"], 255);
    // Without a type the name that is given says it.
    match (joins_workgroup, workgroup, domain) {
        (Some(true) | None, Some(workgroup), None) | (Some(true), Some(workgroup), Some(_)) => {
            Some(Membership::Workgroup(workgroup))
        }
        (Some(false) | None, None, Some(name)) | (Some(false), Some(_), Some(name)) => {
            let unit = reader.first(&["OSDDomainOUName", "OSDJoinDomainOUName"], 32_767);
            let organizational_unit = unit.map(|unit| match unit.get(..7) {
                Some(scheme) if scheme.eq_ignore_ascii_case("LDAP://") => unit[7..].to_owned(),
                _ => unit,
            });
            let Some(account) = reader.text("OSDJoinAccount", 255) else {
                reader.note("OSDJoinAccount", "an account that joins the domain, as DOMAIN\\user", "none");
                return None;
            };
            let (domain, user) = match account.split_once('\\') {
                Some((domain, user)) => (Some(domain.to_owned()), user.to_owned()),
                None => (None, account),
            };
            let password = reader.secret("OSDJoinPassword", 255).unwrap_or(Secret(String::new()));
            Some(Membership::Domain { name, organizational_unit, account: Account { domain, user, password } })
        }
        (None, Some(_), Some(_)) => {
            reader.note("OSDNetworkJoinType", TYPES, "none, with a domain and a workgroup");
            None
        }
        (Some(true), None, _) => {
            reader.note("OSDWorkgroupName", "the workgroup to join", "none");
            None
        }
        (Some(false), _, None) => {
            reader.note("OSDDomainName", "the domain to join", "none");
            None
        }
        (None, None, None) => None,
    }
}

fn adapters(reader: &mut Reader<'_>, mac_addresses: &[String]) -> Vec<Adapter> {
    let expected = "a number from 0 to 64";
    let given =
        reader.parsed("OSDAdapterCount", expected, |text| text.parse().ok().filter(|count| *count <= MAX_ADAPTERS));
    let numbers = 0..given.unwrap_or(MAX_ADAPTERS);
    let mut found = Vec::new();
    for number in numbers {
        match adapter(reader, number, mac_addresses) {
            Some(adapter) => found.push(adapter),
            // Those that are counted must be there, the others end at the first that is not.
            None if given.is_none() => break,
            None => {}
        }
    }
    found
}

fn adapter(reader: &mut Reader<'_>, number: usize, mac_addresses: &[String]) -> Option<Adapter> {
    let name = |property: &str| format!("OSDAdapter{number}{property}");
    let addresses = reader.list(&name("IPAddressList"), "IP addresses", |text| text.parse::<IpAddr>().ok());
    let dhcp = reader.flag(&name("EnableDHCP")).or(addresses.is_some().then_some(false))?;
    let masks = reader.list(&name("SubnetMask"), "subnet masks", prefix_bits).unwrap_or_default();
    let gateways = reader.list(&name("Gateways"), "IP addresses", |text| text.parse().ok()).unwrap_or_default();
    let metrics = reader.list(&name("GatewayCostMetric"), "numbers or automatic", metric).unwrap_or_default();
    let addresses = if dhcp { Vec::new() } else { addresses.unwrap_or_default() };
    if !dhcp && (addresses.is_empty() || addresses.len() != masks.len()) {
        let found = format!("{} and {} in {}", addresses.len(), masks.len(), name("SubnetMask"));
        reader.note(&name("IPAddressList"), "addresses, with a subnet mask for each", found);
    }
    if let Some((address, bits)) = addresses.iter().zip(&masks).find(|(address, bits)| address.is_ipv4() && **bits > 32)
    {
        reader.note(&name("SubnetMask"), format!("at most 32 bits for {address}"), bits.to_string());
    }
    let mac = reader.parsed(&name("MacAddress"), "a MAC address", mac_address);
    let named = mac.or_else(|| reader.text(&name("Name"), 255));
    let Some(identifier) = named.or_else(|| mac_addresses.get(number).and_then(|mac| mac_address(mac))) else {
        reader.note(
            &name("MacAddress"),
            "which adapter it is",
            "none, and this computer has no adapter of that number",
        );
        return None;
    };
    let wins = reader.list(&name("WINSServerList"), "IPv4 addresses", |text| text.parse().ok());
    let uses_wins = reader.flag(&name("EnableWINS")).unwrap_or(wins.is_some());
    let gateways = if dhcp { Vec::new() } else { gateways };
    Some(Adapter {
        identifier,
        dhcp,
        addresses: addresses.into_iter().zip(masks).collect(),
        gateways: gateways
            .into_iter()
            .enumerate()
            .map(|(at, address)| Gateway { address, metric: metrics.get(at).copied().flatten() })
            .collect(),
        dns_servers: reader.list(&name("DNSServerList"), "IP addresses", |text| text.parse().ok()).unwrap_or_default(),
        dns_domain: reader.first(&[&name("DNSDomain"), &name("DNSSuffix")], 255),
        registers: reader.flag(&name("EnableDNSRegistration")),
        registers_suffix: reader.flag(&name("EnableFullDNSRegistration")),
        wins_servers: wins.filter(|_| uses_wins).unwrap_or_default(),
        netbios: reader
            .parsed(&name("TcpipNetbiosOptions"), "0, 1 or 2", |text| text.parse().ok().filter(|option| *option <= 2)),
    })
}

/// Filters of TCP and IP by port and protocol were a part of Windows XP.
fn filtering(reader: &mut Reader<'_>) -> Vec<String> {
    let asked = reader.flag("OSDEnableTCPIPFiltering").unwrap_or(false);
    let note = "OSDEnableTCPIPFiltering: left out, Windows has had no such setting since Windows Vista";
    asked.then(|| note.to_owned()).into_iter().collect()
}

/// `255.255.255.0`, or the number of bits itself.
fn prefix_bits(text: &str) -> Option<u8> {
    if let Ok(bits) = text.parse::<u8>() {
        return (bits <= 128).then_some(bits);
    }
    let mask = u32::from(text.parse::<Ipv4Addr>().ok()?);
    let bits = mask.leading_ones();
    // Ones, then zeros.
    if bits + mask.trailing_zeros() >= 32 { u8::try_from(bits).ok() } else { None }
}

fn metric(text: &str) -> Option<Option<u32>> {
    if text.eq_ignore_ascii_case("automatic") { Some(None) } else { text.parse().ok().map(Some) }
}

/// With hyphens and in capitals, as answer files have it.
fn mac_address(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split([':', '-']).collect();
    let is_byte = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    (parts.len() == 6 && parts.iter().all(is_byte)).then(|| parts.join("-").to_uppercase())
}
