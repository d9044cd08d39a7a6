// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Passwords in scripts and answer files among the contents: on the medium they would stand in clear.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, options};
use platen_author::lint;

const FORMS: [&str; 20] = [
    r"cmdkey /add:server /user:me /pass:PLANTED-1",
    r"schtasks /create /tn t /tr x.cmd /ru d\u /rp PLANTED-1",
    "curl -u me:PLANTED-1 http://host/file",
    "curl.exe -O https://me:PLANTED-1@host/file",
    r#"ConvertTo-SecureString -String "PLANTED-1" -AsPlainText -Force"#,
    r#"New-LocalUser -Name me -Password (ConvertTo-SecureString "PLANTED-1" -AsPlainText -Force)"#,
    "netdom join %COMPUTERNAME% /domain:d /userd:u /passwordd:PLANTED-1",
    r#"BiosConfigUtility64.exe /set:a.txt /cspwd:"PLANTED-1""#,
    "cctk.exe --setuppwd=PLANTED-1",
    "cctk.exe --setuppwd= --valsetuppwd=PLANTED-1",
    "manage-bde -protectors -add C: -rp 111111-222222-333333-444444-555555-666666-777777-888888",
    r#"reg add "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon" /v DefaultPassword /t REG_SZ /d PLANTED-1 /f"#,
    "msiexec /i agent.msi /qn CUSTOMER_KEY=PLANTED-1",
    "msiexec /i agent.msi /qn SITE_TOKEN=PLANTED-1",
    "powershell.exe -NoProfile -enc JABQAGEAcwBzAHcAbwByAGQAIAA9ACAAIgBQAEwAQQBOAFQARQBEAC0AMQAiAA==",
    "net user Administrator PLANTED-1",
    "setup.exe -pwd PLANTED-1",
    "slmgr /ipk ABCDE-12345-FGHIJ-67890-KLMNO",
    "setup.exe /password:PLANTED-1",
    r"psexec.exe \\host -u me -p PLANTED-1 cmd",
];

/// What was taken for one in real files.
const FALSE: [&str; 5] = [
    "set PASS=1",
    r#"tsenv.exe "BIOSPassword=" /hiddenflag:True"#,
    "OSDRandomAdminPassword=true",
    "OSDBitLockerCreateRecoveryPassword=AD",
    "setup.exe /password:%OSDLocalAdminPassword%",
];

const ANSWER_FILE: &str = include_str!("../../sequence/tests/samples/unattend-packer-win10.xml");

fn utf_16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// Places of what is said, and all that is said.
fn said(fixture: &Fixture, rule: &str) -> (Vec<String>, String) {
    let report = lint(&fixture.path("medium.toml"), &options()).unwrap();
    let found = report.findings.iter().filter(|finding| finding.rule == rule);
    let mut places: Vec<String> = found.map(|finding| finding.place.clone()).collect();
    places.dedup();
    (places, report.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn every_form_of_secret_is_found_in_scripts_and_none_that_is_none() {
    let fixture = Fixture::new();
    for (at, form) in FORMS.iter().enumerate() {
        let ending = ["cmd", "ps1", "BAT", "vbs"][at % 4];
        fixture.put(&format!("usmt/form-{at:02}.{ending}"), format!("rem a script\r\n{form}\r\n").as_bytes());
    }
    for (at, other) in FALSE.iter().enumerate() {
        fixture.put(&format!("usmt/false-{at}.cmd"), format!("{other}\r\n").as_bytes());
    }
    // No script, whatever is in it.
    fixture.put("usmt/program.exe", FORMS[0].as_bytes());
    let (places, said) = said(&fixture, "CONTENT-SECRET");
    let expected: Vec<String> = (0..FORMS.len()).map(|at| format!("platen/content/PLTUSMT/form-{at:02}")).collect();
    let stems: Vec<&str> = places.iter().map(|place| place.rsplit_once('.').unwrap().0).collect();
    assert_eq!(stems, expected, "{said}");
    assert!(!said.contains("PLANTED") && !said.contains("111111") && !said.contains("FGHIJ"), "{said}");
}

/// As on every medium of Windows: with them Setup chooses an edition, and none of them activates it.
#[test]
fn the_keys_of_windows_own_media_are_no_secrets() {
    let fixture = Fixture::new();
    let keys = b"[cmi]\r\nprofessional=VK7JG-NPHTM-C97JM-9MPGT-3V66T\r\n";
    fixture.put("usmt/Windows/Sources/product.ini", keys);
    fixture.put("usmt/sources/my-product.ini", keys);
    let (places, said) = said(&fixture, "CONTENT-SECRET");
    assert_eq!(places, ["platen/content/PLTUSMT/sources/my-product.ini"], "the control: {said}");
}

#[test]
fn scripts_of_every_content_and_answer_files_are_looked_into() {
    let fixture = Fixture::new();
    let script = FORMS[18];
    fixture.put("apps/editor/install.ps1", &utf_16(script));
    fixture.put("drivers/net/tool.cmd", script.as_bytes());
    fixture.put("prestart/ask.cmd", &[script.as_bytes(), b" \xe9\r\n"].concat());
    fixture.put("usmt/Autounattend.xml", ANSWER_FILE.as_bytes());
    let (places, said) = said(&fixture, "CONTENT-SECRET");
    let expected = ["PLTDRV01/net/tool.cmd", "EDITOR/install.ps1", "PLTUSMT/Autounattend.xml", "prestart/ask.cmd"];
    assert_eq!(places, expected.map(|place| format!("platen/content/{place}")), "{said}");
    for hint in ["a value of \"AdministratorPassword\"", "a value of \"ProductKey\"", "\"CommandLine\" with a value of"]
    {
        assert!(said.contains(hint), "{hint}: {said}");
    }
}

#[test]
fn a_secret_in_clear_stops_the_build_unless_it_is_allowed() {
    let fixture = Fixture::new();
    fixture.put("usmt/join.cmd", FORMS[0].as_bytes());
    let refused = fixture.refused("out");
    let expected = "CONTENT-SECRET: platen/content/PLTUSMT/join.cmd: the file has a value of \"pass\"";
    assert!(refused.contains(expected) && refused.contains("allow = [\"CONTENT-SECRET\"]"), "{refused}");
    fixture.edit("revision = 1\n", "revision = 1\nallow = [\"CONTENT-SECRET\"]\n");
    assert_eq!(fixture.warned("allowed"), ["CONTENT-SECRET"]);
}

#[test]
fn what_is_too_long_is_not_looked_into_and_that_is_said() {
    let fixture = Fixture::new();
    let script = |bytes: usize| format!("{}\r\n{}", FORMS[0], " ".repeat(bytes - FORMS[0].len() - 2));
    fixture.put("usmt/long.cmd", script(1 << 20).as_bytes());
    assert_eq!(said(&fixture, "CONTENT-SECRET").0, ["platen/content/PLTUSMT/long.cmd"], "the control");
    fixture.put("usmt/long.cmd", script((1 << 20) + 1).as_bytes());
    let (places, said) = said(&fixture, "CONTENT-UNREAD");
    assert!(places == ["contents"] && said.contains("1 script(s) were not looked into"), "{said}");
    assert!(!said.contains("CONTENT-SECRET"), "{said}");
}

#[test]
fn an_answer_file_that_nobody_can_read_is_named() {
    let fixture = Fixture::new();
    fixture.put("usmt/Unattend.xml", ANSWER_FILE.replacen("PLACEHOLDER", "a&b", 1).as_bytes());
    let (places, said) = said(&fixture, "CONTENT-UNREAD");
    assert_eq!(places, ["platen/content/PLTUSMT/Unattend.xml"], "{said}");
    assert!(said.contains("Windows Setup will refuse it: "), "{said}");
}

#[test]
fn an_upgrade_package_is_on_the_medium_as_a_package() {
    let fixture = Fixture::new();
    fixture.put("setup/setup.exe", b"program");
    fixture.put("setup/sources/idwbinfo.txt", b"[BUILDINFO]\r\n");
    fixture.append(
        "[[operating-system-upgrade-package]]\nid = \"PLTUPG01\"\nname = \"Windows 11\"\nversion = \"24H2\"\npath = \"setup\"\n",
    );
    let (places, unused) = said(&fixture, "REF-UNUSED");
    assert!(places.len() == 1 && unused.contains("operating system upgrade package PLTUPG01"), "{unused}");
    let manifest = fixture.build("out").unwrap().manifest;
    let content = manifest.contents.iter().find(|content| content.id == "PLTUPG01").unwrap();
    // Releases that know no such kind write it all the same.
    assert_eq!(content.kind, platen_media::manifest::ContentKind::Package);
    let places = manifest.files.iter().map(|file| file.path.as_str());
    assert_eq!(places.filter(|place| place.starts_with("platen/content/PLTUPG01/")).count(), 2);
}
