// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Answer files as xmllint reads them.

use std::process::Command;

use platen_testkit::need;
use platen_windows::Architecture;
use platen_windows::answer::{AnswerFile, Expansion, NetworkSettings, WindowsSettings};

const PACKER: &[u8] = include_bytes!("../../../sequence/tests/samples/unattend-packer-win10.xml");
const TEMPLATE: &[u8] = include_bytes!("../../../sequence/tests/samples/unattend-mdt-x64.xml");

/// What xmllint prints for an XPath expression; it fails on what is not well-formed.
fn xpath(text: &str, expression: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("writes");
    let output = Command::new("xmllint")
        .args(["--noent", "--nonet", "--xpath", expression])
        .arg(file.path())
        .output()
        .expect("xmllint runs");
    assert!(output.status.success(), "{expression}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end_matches('\n').to_owned()
}

/// An expression for the text at `path` in a component.
fn at(pass: &str, component: &str, architecture: &str, path: &str) -> String {
    let path: String = path.split('/').map(|name| format!("/*[local-name()='{name}']")).collect();
    format!(
        "string(//*[local-name()='settings'][@pass='{pass}']/*[local-name()='component']\
         [@name='Microsoft-Windows-{component}'][@processorArchitecture='{architecture}']{path})"
    )
}

fn full(bytes: &[u8], architecture: Architecture) -> String {
    let get = |name: &str| {
        let value = match name {
            "OSDComputerName" => "PC-7",
            "OSDProductKey" => "VK7JG-NPHTM-C97JM-9MPGT-3V66T",
            "OSDRegisteredUserName" => "Zoë & Søn <\"x\">",
            "OSDRegisteredOrgName" => "주식회사 예",
            "OSDTimeZone" => "Korea Standard Time",
            "OSDRandomAdminPassword" => "false",
            "OSDLocalAdminPassword" => "]]>&amp;%x%",
            "OSDWindowsSettingsUILanguage" => "ko-KR",
            "OSDNetworkJoinType" => "0",
            "OSDDomainName" => "example.test",
            "OSDJoinAccount" => "EXAMPLE\\joiner",
            "OSDJoinPassword" => "a&b",
            "OSDAdapter0IPAddressList" => "192.0.2.7",
            "OSDAdapter0SubnetMask" => "255.255.255.0",
            "OSDAdapter0Gateways" => "192.0.2.1",
            "OSDAdapter0DNSServerList" => "192.0.2.2,192.0.2.3",
            "OSDAdapter0TcpipNetbiosOptions" => "2",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let mut file = AnswerFile::parse(bytes, architecture).expect("an answer file");
    file.expand(&|name| (name == "Path1").then(|| Expansion { text: "<&>".to_owned(), is_secret: false }))
        .expect("expands");
    file.apply_windows(
        &WindowsSettings::from_variables(&get, || unreachable!("a password is given")).expect("settings"),
    )
    .expect("applies");
    let macs = ["52:54:00:12:34:56".to_owned()];
    file.apply_network(&NetworkSettings::from_variables(&get, &macs).expect("settings")).expect("applies");
    file.finish().expect("finishes").text
}

#[test]
fn other_readers_find_every_setting() {
    if !need::program("xmllint") {
        return;
    }
    let three = String::from_utf8(PACKER.to_vec()).expect("UTF-8");
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(three.replace("utf-8", "utf-16").encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    for (bytes, architecture) in [
        (PACKER, Architecture::Amd64),
        (PACKER, Architecture::X86),
        (PACKER, Architecture::Arm64),
        (TEMPLATE, Architecture::Amd64),
        (&utf16, Architecture::Amd64),
        (b"<unattend xmlns='urn:schemas-microsoft-com:unattend'/>", Architecture::Arm64),
    ] {
        let text = full(bytes, architecture);
        let name = architecture.name();
        let admin = "UserAccounts/AdministratorPassword";
        let interface = "Interfaces/Interface";
        for (pass, component, path, expected) in [
            ("specialize", "Shell-Setup", "ComputerName", "PC-7"),
            ("specialize", "Shell-Setup", "ProductKey", "VK7JG-NPHTM-C97JM-9MPGT-3V66T"),
            ("specialize", "Shell-Setup", "RegisteredOwner", "Zoë & Søn <\"x\">"),
            ("specialize", "Shell-Setup", "RegisteredOrganization", "주식회사 예"),
            ("specialize", "Shell-Setup", "TimeZone", "Korea Standard Time"),
            ("oobeSystem", "Shell-Setup", &format!("{admin}/Value"), "]]>&amp;%x%"),
            ("oobeSystem", "Shell-Setup", &format!("{admin}/PlainText"), "true"),
            ("oobeSystem", "International-Core", "UILanguage", "ko-KR"),
            ("specialize", "UnattendedJoin", "Identification/JoinDomain", "example.test"),
            ("specialize", "UnattendedJoin", "Identification/Credentials/Password", "a&b"),
            ("specialize", "TCPIP", &format!("{interface}/Identifier"), "52-54-00-12-34-56"),
            ("specialize", "TCPIP", &format!("{interface}/UnicastIpAddresses/IpAddress"), "192.0.2.7/24"),
            ("specialize", "TCPIP", &format!("{interface}/Routes/Route/NextHopAddress"), "192.0.2.1"),
            ("specialize", "DNS-Client", &format!("{interface}/DNSServerSearchOrder/IpAddress"), "192.0.2.2"),
            ("specialize", "NetBT", &format!("{interface}/NetbiosOptions"), "2"),
        ] {
            assert_eq!(xpath(&text, &at(pass, component, name, path)), expected, "{component} {path}\n{text}");
        }
        // One of each, however often it was looked for.
        let components = "count(//*[local-name()='component'][@name='Microsoft-Windows-Shell-Setup']\
                          [@processorArchitecture='NAME'][../@pass='specialize'])";
        assert_eq!(xpath(&text, &components.replace("NAME", name)), "1");
    }
}

/// Everything of the user's file that is not set is in the result, in its order: comments, other components, other passes.
#[test]
fn the_users_own_lines_stay_in_their_order() {
    for bytes in [PACKER, TEMPLATE] {
        let before = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let after = full(bytes, Architecture::Amd64);
        let mut lines = after.lines();
        // Lines whose value is set here, or that are taken out for being empty.
        let is_set = |line: &str| {
            [
                "TimeZone",
                "UILanguage",
                "<Value>",
                "PlainText",
                "ProductKey",
                "Registered",
                "ComputerName",
                "JoinWorkgroup",
            ]
            .iter()
            .chain(&["Username", "Domain", "<Password>", "MachineObjectOU", "AdministratorPassword", "<?xml"])
            .any(|name| line.contains(name))
        };
        let kept: Vec<&str> = before.lines().filter(|line| !line.trim().is_empty() && !is_set(line)).collect();
        assert!(kept.len() > 100, "the control");
        for line in kept {
            assert!(lines.any(|it| it == line), "{line:?} is gone, or in another place:\n{after}");
        }
    }
}
