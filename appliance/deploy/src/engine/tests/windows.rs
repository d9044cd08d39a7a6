// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An image with the shape of a Windows on the machine in a folder, looked at by other people's programs.

mod moves;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_sequence::run::Computer;
use platen_testkit::{need, windows_image};
use platen_windows::modalias::{self, Details};

use super::folder::{FolderMachine, POWER_CUT};
use super::{Bench, End, FOLDER, Medium, SECRET};
use crate::engine::machine::{Machine, Starts};
use crate::engine::windows::remove_first_start;

const NETWORK_CARD: &str = "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00";

/// An INF for one device.
fn inf(hardware_id: &str) -> String {
    format!(
        "[Version]\r\nSignature=\"$Windows NT$\"\r\nClass=Net\r\nDriverVer=06/21/2020,1.2.3.4\r\nCatalogFile=net.cat\r\n\
         [Manufacturer]\r\nMaker=Models,NTamd64\r\n[Models.NTamd64]\r\nCard=Install,{hardware_id}\r\n"
    )
}

/// The user's answer file, for two architectures, with a variable and a place to be filled.
const ANSWERS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
    <!-- by hand -->
    <settings pass="specialize">
        <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64">
            <ComputerName></ComputerName>
            <CopyProfile>true</CopyProfile>
            <RegisteredOwner>%Token%</RegisteredOwner>
        </component>
        <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="x86">
            <ComputerName>other</ComputerName>
        </component>
    </settings>
</unattend>
"#;

/// Up to the image, with a volume for the firmware where it is to be.
fn beginning(style: &str) -> String {
    let boot = match style {
        "GPT" => {
            r#"{ property = "Partitions", value = "2" },
          { property = "Partitions0Type", value = "EFI" },
          { property = "Partitions0FileSystem", value = "FAT32" },
          { property = "Partitions0Size", value = "100" },
          { property = "Partitions0SizeUnits", value = "MB" },"#
        }
        _ => {
            r#"{ property = "Partitions", value = "2" },
          { property = "Partitions0Type", value = "Primary" },
          { property = "Partitions0FileSystem", value = "NTFS" },
          { property = "Partitions0Bootable", value = "true" },
          { property = "Partitions0AssignVolumeLetter", value = "false" },
          { property = "Partitions0Size", value = "350" },
          { property = "Partitions0SizeUnits", value = "MB" },"#
        }
    };
    format!(
        r#"
        [[do]]
        step = "Partition"
        type = "Format and Partition Disk"
        variables = [
          {{ property = "DiskIndex", value = "0" }},
          {{ property = "PartitionStyle", value = "{style}" }},
          {boot}
          {{ property = "Partitions1Type", value = "Primary" }},
          {{ property = "Partitions1FileSystem", value = "NTFS" }},
          {{ property = "Partitions1Size", value = "100" }},
          {{ property = "Partitions1SizeUnits", value = "%" }},
          {{ property = "Partitions1VolumeLetterVariable", value = "OSDisk" }},
        ]
        [[do]]
        step = "Apply"
        type = "Apply Operating System Image"
        variables = [
          {{ property = "ImagePackageID", value = "OS1" }},
          {{ property = "ImageIndex", value = "1" }},
          {{ property = "DestinationVariable", value = "OSDisk" }},
          {{ property = "ConfigFileName", value = "Answers.xml" }},
          {{ property = "ConfigFilePackage", value = "PKG1" }},
        ]
        "#
    )
}

fn command(line: &str) -> String {
    format!("[[do]]\nstep = \"Command\"\ntype = \"Run Command Line\"\ncommand = '{line}'\n")
}

const SETTINGS: &str = r#"
        [[do]]
        step = "Settings"
        type = "Apply Windows Settings"
        variables = [
          { name = "OSDTimeZone", property = "TimeZone", value = "W. Europe Standard Time" },
          { name = "OSDLocalAdminPassword", property = "AdminPassword", value = "%Word%" },
        ]
        [[do]]
        step = "Network"
        type = "Apply Network Settings"
        variables = [
          { name = "OSDAdapterCount", property = "AdapterCount", value = "1" },
          { name = "OSDAdapter0EnableDHCP", property = "Adapter0EnableDHCP", value = "true" },
        ]
        [[do]]
        step = "Join"
        type = "Join Domain or Workgroup"
        variables = [
          { name = "OSDJoinType", property = "OSDJoinType", value = "1" },
          { name = "OSDJoinWorkgroupName", property = "OSDJoinWorkgroupName", value = "BRANCH" },
        ]
        [[do]]
        step = "Drivers"
        type = "Apply Driver Package"
        variables = [{ property = "DriverPackageID", value = "DRV1" }]
"#;

const SETUP: &str = "[[do]]\nstep = \"Setup\"\ntype = \"Setup Windows and ConfigMgr\"\n";

struct Windows {
    bench: Bench,
    tree: tempfile::TempDir,
}

impl Windows {
    /// None where the judges may be missing, and are.
    fn new(computer: &str, sequence: &str) -> Option<Self> {
        if !["hivexsh", "hivexget", "hivexml", "xmllint", "python3"].iter().all(|name| need::program(name)) {
            return None;
        }
        let files = [
            ("PKG1/Answers.xml", ANSWERS),
            ("PKG1/tools/Run.CMD", "rem\r\n"),
            ("PKG1/tools/more/deep.txt", "deep"),
            ("PKG1/settings.reg", REG_FILE),
            ("DRV1/net/net.inf", &inf("PCI\\VEN_8086&DEV_100E")),
            ("DRV1/net/net.sys", "driver"),
            ("DRV1/other/other.inf", &inf("PCI\\VEN_1234&DEV_5678")),
            ("DRV1/autorun.inf", "[autorun]\r\n"),
        ];
        let mut bench = Bench::new(sequence);
        bench.medium = Medium::with(sequence, &files, &["PKG1"]);
        bench.computer =
            Computer { answers: Vec::new(), windows: None, ..Computer::from_toml(computer).expect("a computer") };
        let tree = tempfile::tempdir().expect("a folder");
        windows_image::make(tree.path(), windows_image::AMD64, &platen_hive::empty_hive);
        Some(Self { bench, tree })
    }

    fn machine(&self) -> FolderMachine {
        let mut machine = self.bench.machine();
        machine.image.clear();
        machine.tree = Some(self.tree.path().to_owned());
        machine.devices = modalias::device(NETWORK_CARD, Details::default()).into_iter().collect();
        machine
    }

    /// Ends as expected, with the last line said of it.
    fn ends(&mut self, expected: &End) -> (FolderMachine, String) {
        let mut machine = self.machine();
        let end = self.bench.boot_system(&mut machine);
        assert_eq!(end, *expected, "{:#?}", self.bench.lines.0);
        let last = self.bench.lines.0.last().cloned().unwrap_or_default();
        (machine, last)
    }
}

const REG_FILE: &str = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Branch]\r\n\
    \"Number\"=dword:00000007\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Branch]\r\n@=\"own\"\r\n";

const UEFI: &str = include_str!("../../../../example/computers/uefi-laptop.toml");
const BIOS: &str = include_str!("../../../../example/computers/bios-desktop.toml");

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What hivexget says of a value.
fn value(hive: &Path, key: &str, name: &str) -> String {
    said("hivexget", &[text(hive), key, name])
}

/// What xmllint finds in an answer file; empty where there is nothing.
fn answer(file: &Path, path: &str) -> String {
    let steps: Vec<String> = path
        .split('/')
        .map(|name| match name.split_once('=') {
            Some(("settings", which)) => format!("*[local-name()=\"settings\" and @pass=\"{which}\"]"),
            Some((_, which)) => {
                format!("*[local-name()=\"component\" and @name=\"{which}\" and @processorArchitecture=\"amd64\"]")
            }
            None => format!("*[local-name()=\"{name}\"]"),
        })
        .collect();
    said("xmllint", &["--xpath", &format!("string(/*/{})", steps.join("/")), text(file)])
}

/// Every element of a store as hivexml has it, in another language: object, element, type and value.
const ELEMENTS: &str = r#"
import base64, subprocess, sys, xml.etree.ElementTree as tree
root = tree.fromstring(subprocess.run(['hivexml', sys.argv[1]], check=True, capture_output=True).stdout)
child = lambda node, name: next((n for n in node.findall('node') if n.get('name') == name), None)
for item in child(root.find('node'), 'Objects').findall('node'):
    elements = child(item, 'Elements')
    print(item.get('name'))
    for element in elements.findall('node') if elements is not None else []:
        value = element.find('value')
        words = [s.text or '' for s in value.findall('string')] or [value.get('value')]
        if value.get('encoding') == 'base64':
            words = [base64.b64decode(w).hex() for w in words]
        print(item.get('name'), element.get('name'), ' '.join(words))
"#;

fn elements(store: &Path) -> String {
    said("python3", &["-c", ELEMENTS, text(store)])
}

#[test]
fn a_windows_gets_all_that_its_steps_say() {
    let commands = [
        r"reg.exe add HKLM\SOFTWARE\Branch /v Name /t REG_SZ /d %Token% /f",
        r"cmd /c reg import settings.reg",
        r"reg load HKLM\Default C:\Users\Default\NTUSER.DAT",
        r"reg add HKLM\Default\Control /v Wide /t REG_DWORD /d 0x10 /f",
        r"reg unload HKLM\Default",
        r#"xcopy tools "%OSDisk%\PROGRAM FILES\Tools\" /s /i /y"#,
        r"md C:\Logs",
        r"copy tools\*.cmd %windir%\Temp\",
        r"del C:\Windows\notepad.exe",
    ];
    let commands: String = commands
        .iter()
        .map(|line| command(line) + "variables = [{ property = \"PackageID\", value = \"PKG1\" }]\n")
        .collect();
    let auto = "[[do]]\nstep = \"Auto\"\ntype = \"Auto Apply Drivers\"\n";
    for (computer, style) in [(UEFI, "GPT"), (BIOS, "MBR")] {
        let sequence = format!("{}{SETTINGS}{auto}{commands}{SETUP}", beginning(style));
        let Some(mut windows) = Windows::new(computer, &sequence) else { return };
        let (machine, _) = windows.ends(&End::StartFromDisk);
        let setup = machine.boots.clone().expect("the disk starts");
        assert_eq!(setup.starts, Starts::Windows);
        let (root, boot) = (machine.folder_of(&setup.system), machine.folder_of(&setup.boot));
        let at = |path: &str| root.join(path);

        // Answer file.
        let answers = at("Windows/Panther/unattend/unattend.xml");
        said("xmllint", &["--noout", text(&answers)]);
        for (path, expected) in [
            ("settings=specialize/component=Microsoft-Windows-Shell-Setup/ComputerName", "Branch-7"),
            ("settings=specialize/component=Microsoft-Windows-Shell-Setup/CopyProfile", "true"),
            ("settings=specialize/component=Microsoft-Windows-Shell-Setup/RegisteredOwner", "it-works"),
            ("settings=specialize/component=Microsoft-Windows-Shell-Setup/TimeZone", "W. Europe Standard Time"),
            ("settings=specialize/component=Microsoft-Windows-UnattendedJoin/Identification/JoinWorkgroup", "BRANCH"),
            (
                "settings=specialize/component=Microsoft-Windows-TCPIP/Interfaces/Interface/Ipv4Settings/DhcpEnabled",
                "true",
            ),
            (
                "settings=oobeSystem/component=Microsoft-Windows-Shell-Setup/UserAccounts/AdministratorPassword/Value",
                SECRET,
            ),
            ("settings=specialize/component=Microsoft-Windows-Shell-Setup/Nothing", ""),
        ] {
            assert_eq!(answer(&answers, path), expected, "{path}");
        }
        let whole = fs::read_to_string(&answers).expect("text");
        assert!(whole.contains("<!-- by hand -->") && whole.contains("<ComputerName>other</ComputerName>"), "{whole}");

        // Registry.
        let software = at("Windows/System32/config/SOFTWARE");
        let system = at("Windows/System32/config/SYSTEM");
        assert_eq!(value(&software, r"\Branch", "Name"), "it-works");
        assert_eq!(value(&software, r"\Branch", "Number"), "7");
        assert_eq!(value(&software, r"\Microsoft\Windows\CurrentVersion", "ProgramFilesDir"), r"C:\Program Files");
        assert_eq!(
            value(&software, r"\Microsoft\Windows\CurrentVersion", "DevicePath"),
            r"%SystemRoot%\inf;%SystemDrive%\Drivers\DRV1;%SystemDrive%\Drivers\DRV1\net;%SystemDrive%\Drivers\DRV1\other"
        );
        assert_eq!(value(&system, r"\ControlSet002\Branch", "@"), "own");
        assert_eq!(value(&at("Users/Default/NTUSER.DAT"), r"\Control", "Wide"), "16");

        // Files.
        assert_eq!(fs::read_to_string(at("Program Files/Tools/Run.CMD")).expect("copied"), "rem\r\n");
        assert_eq!(fs::read_to_string(at("Program Files/Tools/more/deep.txt")).expect("copied"), "deep");
        assert!(at("Logs").is_dir() && at("Windows/Temp/Run.CMD").is_file());
        assert!(!at("Windows/notepad.exe").exists() && !at("PROGRAM FILES").exists());
        assert_eq!(fs::read_to_string(at("Drivers/DRV1/net/net.sys")).expect("copied"), "driver");
        let lines = windows.bench.lines.0.join("\n");
        assert!(
            lines.contains("DRV1: 2 drivers (and 1 INF files of other things), 1 of them for 1 devices"),
            "{lines}"
        );
        assert!(
            lines.contains("Auto: done: 2 drivers (and 1 INF files of other things), 1 taken for 1 devices"),
            "{lines}"
        );
        assert!(!lines.contains(SECRET), "{lines}");

        // What starts, and what goes on.
        let (manager, fonts, store) = match style {
            "GPT" => {
                ("EFI/Microsoft/Boot/bootmgfw.efi", "EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf", "EFI/Microsoft/Boot/BCD")
            }
            _ => ("bootmgr", "boot/Fonts/wgl4_boot.ttf", "boot/BCD"),
        };
        assert!(boot.join(manager).is_file() && boot.join(fonts).is_file());
        assert_ne!(setup.boot, setup.system);
        let elements = elements(&boot.join(store));
        let id = |partition: u8| format!("{partition:02x}").repeat(16);
        let loader = elements.lines().find(|line| line.contains(" 21000001 ") && line.contains(&id(2)));
        assert!(loader.is_some_and(|line| line.contains(&"00".repeat(16))), "{elements}");
        let manager_id = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
        let device = elements.lines().find(|line| line.starts_with(&format!("{manager_id} 11000001 ")));
        assert!(device.is_some_and(|line| line.contains(&id(1))), "{elements}");
        assert!(elements.contains("12000004 Windows 10\n") && elements.contains("12000005 ko-KR\n"), "{elements}");
        assert!(
            elements.contains("{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e} 16000048 01\n"),
            "the template's: {elements}"
        );
        assert!(!elements.contains("{a1943bbc") && !elements.contains("{nobody}"), "{elements}");
        assert!(at("_SMSTaskSequence/platen-deploy.exe").is_file() && at("_SMSTaskSequence/state.json").is_file());
        let scripts = at("Windows/Setup/Scripts");
        let script = fs::read_to_string(scripts.join("SetupComplete.cmd")).expect("there");
        assert!(
            script.contains("call \"%SystemDrive%\\Windows\\Setup\\Scripts\\SetupComplete.image.cmd\"\r\n"),
            "{script}"
        );
        assert!(script.contains("\"%SystemDrive%\\_SMSTaskSequence\\platen-deploy.exe\" first-start\r\n"), "{script}");
        let kept = fs::read_to_string(scripts.join("SetupComplete.image.cmd")).expect("there");
        assert_eq!(kept, "@echo the image's own\r\n");
        let state = fs::read_to_string(at("_SMSTaskSequence/state.json")).expect("there");
        assert!(state.contains("\"in_deployed\":true") && !state.contains(SECRET), "{state}");

        // What the program does with that when the sequence has ended; a second time there is nothing to do.
        for _ in 0..2 {
            remove_first_start(&root).expect("removed");
            assert!(!answers.exists() && !scripts.join("SetupComplete.image.cmd").exists());
            let own = fs::read_to_string(scripts.join("SetupComplete.cmd")).expect("there");
            assert_eq!(own, "@echo the image's own\r\n");
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_leaves_a_windows_that_is_finished_later() {
    let sequence = format!("{}{SETTINGS}{SETUP}", beginning("GPT"));
    let Some(mut windows) = Windows::new(UEFI, &sequence) else { return };
    let (whole, _) = windows.ends(&End::StartFromDisk);
    let script = |machine: &FolderMachine| {
        let setup = machine.boots.clone().expect("the disk starts");
        let scripts = machine.folder_of(&setup.system).join("Windows/Setup/Scripts");
        ["SetupComplete.cmd", "SetupComplete.image.cmd"]
            .map(|name| fs::read_to_string(scripts.join(name)).expect("there"))
    };
    let (count, expected) = (windows.bench.lines.1.used(), script(&whole));
    assert!(count > 20, "{count}");
    // Each way takes a while, and each operation is like those beside it.
    for cut in (0..count).step_by(5).chain([count - 1]) {
        let Some(mut windows) = Windows::new(UEFI, &sequence) else { return };
        windows.bench.power_for(cut);
        let mut machine = windows.machine();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| windows.bench.boot_system(&mut machine)));
        let panic = ended.expect_err("the power is cut before the end");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&POWER_CUT), "{cut}");
        windows.bench.power_is_back();
        let boots = machine.boots.clone();
        let mut again = windows.machine();
        again.boots = boots;
        if again.boots.is_none() {
            assert_eq!(
                windows.bench.boot_system(&mut again),
                End::StartFromDisk,
                "{cut}: {:#?}",
                windows.bench.lines.0
            );
            assert_eq!(script(&again), expected, "{cut}");
        }
    }
}

#[test]
fn what_is_wrong_with_an_image_is_named_and_the_disk_does_not_start() {
    type Spoil = fn(&Path);
    let cases: [(&str, &str, Spoil, &str); 9] = [
        (
            "Apply",
            "",
            |tree| windows_image::make(tree, windows_image::ARM64, &platen_hive::empty_hive),
            "the image is for another architecture: expected one for x86_64, found one for arm64",
        ),
        (
            "Apply",
            "",
            |tree| fs::write(tree.join("Windows/System32/ntoskrnl.exe"), "no program").expect("written"),
            "expected a program for x86, x64 or ARM64 (PE), found 10 other bytes",
        ),
        (
            "Apply",
            "",
            |tree| fs::remove_file(tree.join("Windows/System32/config/SYSTEM")).expect("removed"),
            "the image holds no system",
        ),
        (
            "Drivers",
            "",
            |tree| fs::write(tree.join("Windows/System32/config/SOFTWARE"), "regf, but no more").expect("written"),
            "is no registry hive",
        ),
        (
            "Start from the disk",
            "",
            |tree| fs::write(tree.join("Windows/System32/config/BCD-Template"), vec![0xff; 8192]).expect("written"),
            "the boot store, from the image's template",
        ),
        (
            "Start from the disk",
            "",
            |tree| fs::remove_dir_all(tree.join("Windows/Boot/EFI")).expect("removed"),
            "the image starts on no computer with UEFI: no Windows\\Boot\\EFI\\bootmgfw.efi",
        ),
        ("Command", r"reg add HKCU\Software\X /v a /d b", |_| {}, "nobody is logged on"),
        ("Command", r"copy %windir%\absent.txt C:\", |_| {}, "there is no such file"),
        ("Command", r"xcopy C:\Users D:\Users /mir", |_| {}, "the option /mir is not done here"),
    ];
    for (step, line, spoil, expected) in cases {
        let command = if line.is_empty() { String::new() } else { command(line) };
        let Some(mut windows) = Windows::new(UEFI, &format!("{}{SETTINGS}{command}{SETUP}", beginning("GPT"))) else {
            return;
        };
        spoil(windows.tree.path());
        let (machine, last) = windows.ends(&End::Failed { path: step.to_owned(), code: 0x8000_4005 });
        assert!(last.contains(expected), "{expected}\n{last}");
        assert_eq!(machine.boots, None, "half a system does not start");
    }
}

#[test]
fn a_template_is_not_needed_and_an_answer_file_must_be_one() {
    let sequence = format!("{}{SETUP}", beginning("GPT"));
    let Some(mut windows) = Windows::new(UEFI, &sequence) else { return };
    fs::remove_file(windows.tree.path().join("Windows/System32/config/BCD-Template")).expect("removed");
    let (machine, last) = windows.ends(&End::StartFromDisk);
    assert!(last.contains("the image has no template"), "{last}");
    let boot = machine.folder_of(&machine.boots.clone().expect("starts").boot);
    assert!(
        elements(&boot.join("EFI/Microsoft/Boot/BCD")).contains("{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9} 16000020 00")
    );

    for (answers, expected) in [
        ("no XML", "Answers.xml: reading the answer file as XML"),
        ("<a/>", "Answers.xml: expected <unattend"),
        (
            "<!DOCTYPE a [<!ENTITY b \"c\">]><unattend xmlns=\"urn:schemas-microsoft-com:unattend\">&b;</unattend>",
            "Answers.xml: reading the answer file as XML",
        ),
    ] {
        let Some(mut windows) = Windows::new(UEFI, &sequence) else { return };
        windows.bench.medium = Medium::with(&sequence, &[("PKG1/Answers.xml", answers)], &["PKG1"]);
        let (_, last) = windows.ends(&End::Failed { path: "Apply".to_owned(), code: 0x8000_4005 });
        assert!(last.contains(expected), "{expected}\n{last}");
    }
}

#[test]
#[cfg(unix)]
fn links_of_an_image_lead_no_file_out_of_it() {
    let sequence = format!("{}{SETTINGS}{SETUP}", beginning("GPT"));
    for path in ["Windows/Panther", "Drivers", "Windows/Setup/Scripts"] {
        let Some(mut windows) = Windows::new(UEFI, &sequence) else { return };
        let outside = tempfile::tempdir().expect("a folder");
        let _ = fs::remove_dir_all(windows.tree.path().join(path));
        std::os::unix::fs::symlink(outside.path(), windows.tree.path().join(path)).expect("linked");
        let mut machine = windows.machine();
        let end = windows.bench.boot_system(&mut machine);
        assert!(matches!(end, End::Failed { .. }), "{path}: {end:?}");
        let left: Vec<PathBuf> =
            fs::read_dir(outside.path()).expect("listed").map(|it| it.expect("one").path()).collect();
        assert!(left.is_empty(), "{path}: {left:?}");
        assert!(windows.bench.lines.0.last().expect("a line").contains("is a link or a junction"), "{path}");
    }
}

#[test]
fn without_the_program_for_windows_nothing_is_handed_over() {
    let Some(mut windows) = Windows::new(UEFI, &format!("{}{SETUP}", beginning("GPT"))) else { return };
    windows.bench.windows_runner = PathBuf::from("/usr/lib/platen/platen-deploy.exe.absent");
    let (machine, last) = windows.ends(&End::Failed { path: "Setup".to_owned(), code: 0x8000_4005 });
    assert!(last.contains("the boot image has no program that goes on in Windows"), "{last}");
    let root = machine.folder_of(&Machine::volumes(&machine)[1]);
    let left = fs::read_to_string(root.join("Windows/Setup/Scripts/SetupComplete.cmd")).expect("the image's own");
    assert_eq!(left, "@echo the image's own\r\n");
    assert!(root.join(FOLDER).is_dir());
}
