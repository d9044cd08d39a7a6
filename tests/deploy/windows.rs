// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A computer installs an image with the shape of a Windows, once by BIOS and once by UEFI. Then other people's programs look
//! at its disk, and it is started: what stands in for Windows' boot manager says its word. The rest of its sequence runs under
//! Wine, from the tree on that disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use platen_testkit::windows_image::{self, BIOS_WORD, UEFI_WORD};

use super::{Computer, ends, first_start, station};
use crate::boot::{Firmware, PASSWORD, wanted};
use crate::common::tool;

const ID: &str = "PLTDEP03";

/// The medium's drive, the same for both firmwares.
fn drive() -> &'static Path {
    static DRIVE: OnceLock<PathBuf> = OnceLock::new();
    DRIVE.get_or_init(|| {
        let station = station();
        windows_image::make(&station.path("windows"), windows_image::AMD64, &platen_hive::empty_hive);
        let wim = station.text("windows.wim");
        tool("wimlib-imagex", &["capture", &station.text("windows"), &wim, "A stand-in"]).expect(0);
        let inf = |id: &str| {
            format!(
                "[Version]\r\nSignature=\"$Windows NT$\"\r\nClass=HDC\r\nCatalogFile=a.cat\r\nDriverVer=01/02/2020,1.0\r\n\
                 [Manufacturer]\r\nMaker=Models,NTamd64\r\n[Models.NTamd64]\r\nDisk=Install,{id}\r\n"
            )
        };
        station.files(
            "windows-drivers",
            &[
                // The controller that the computer has its disk on, and one that it has not.
                ("disk/ahci.inf", inf("PCI\\VEN_8086&DEV_2922").as_bytes()),
                ("disk/ahci.sys", b"a disk driver"),
                ("other/other.inf", inf("PCI\\VEN_1234&DEV_FFFF").as_bytes()),
            ],
        );
        let (answers, tool, word) = (ANSWERS.as_bytes(), &b"rem\r\n"[..], first_start::word());
        let package = [("answers.xml", answers), ("tools/run.cmd", tool), ("word.cmd", word.as_bytes())];
        station.files("windows-package", &package);
        first_start::add_files(station);
        let stand_in = || b"MZ, and stands in for the program".to_vec();
        let exe = first_start::program().map_or_else(stand_in, |program| fs::read(program).expect("was built"));
        let password = format!("{PASSWORD}\n");
        station.files("", &[("platen-deploy.exe", &exe), ("password.txt", password.as_bytes())]);
        let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder").join("programs/debug");
        let program = |name: &str| programs.join(name).to_str().expect("UTF-8").to_owned();
        let (deploy, hive, exe) = (program("platen-deploy"), program("platen-hive"), station.text("platen-deploy.exe"));
        let build = ["boot-image", "build", "--kit", "boot-kit", "--trusted", "test-insecure.pub"];
        let more = ["--out", "boot-image-windows", "--deploy", &deploy, "--program", &hive, "--program", &exe];
        station.platen(&[&build[..], &more[..]].concat()).expect(0);
        super::written(ID, &[SEQUENCE, first_start::REST].concat(), &[DEFINITION, first_start::SOFTWARE].concat())
    })
}

/// A partition of a disk image, as a file.
fn partition(computer: &Computer, number: usize) -> PathBuf {
    let disk = computer.disk();
    let table = tool("sfdisk", &["--dump", text(&disk)]).expect(0).stdout;
    let line = table.lines().filter(|line| line.contains("start=")).nth(number - 1).expect("a partition").to_owned();
    let field = |name: &str| -> u64 {
        let rest = line.split(name).nth(1).expect("a field");
        rest.split(',').next().expect("a number").trim().parse().expect("a number")
    };
    let to = disk.with_file_name(format!("partition{number}"));
    let (skip, count) = (format!("skip={}", field("start=") * 512), format!("count={}", field("size=") * 512));
    let (from, out) = (format!("if={}", text(&disk)), format!("of={}", text(&to)));
    let flags = ["bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse", "status=none"];
    tool("dd", &[&flags[..], &[&skip, &count, &from, &out]].concat()).expect(0);
    to
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A file of an NTFS volume, beside the volume.
fn taken(volume: &Path, path: &str) -> PathBuf {
    let bytes = std::process::Command::new("ntfscat").arg(volume).arg(path).output().expect("ntfscat");
    assert!(bytes.status.success(), "{path}: {}", String::from_utf8_lossy(&bytes.stderr));
    let to = volume.with_file_name(path.rsplit('/').next().expect("a name"));
    fs::write(&to, bytes.stdout).expect("written");
    to
}

fn said(program: &str, arguments: &[&str]) -> String {
    tool(program, arguments).expect(0).stdout.trim().to_owned()
}

/// Devices in a boot store, as hivexml has them: object, element, bytes.
const DEVICES: &str = r#"
import base64, subprocess, sys, xml.etree.ElementTree as tree
root = tree.fromstring(subprocess.run(['hivexml', sys.argv[1]], check=True, capture_output=True).stdout)
child = lambda node, name: next(n for n in node.findall('node') if n.get('name') == name)
for item in child(root.find('node'), 'Objects').findall('node'):
    for elements in (n for n in item.findall('node') if n.get('name') == 'Elements'):
        for element in elements.findall('node'):
            if element.get('name') in ('11000001', '21000001'):
                print(element.get('name'), base64.b64decode(element.find('value').get('value')).hex())
"#;

/// What both layouts have in common, on the volume of Windows.
fn look(volume: &Path) {
    said("ntfsfix", &["-n", text(volume)]);
    let listed = said("ntfsls", &["-R", "-p", "/", text(volume)]);
    for name in
        ["ntoskrnl.exe", "Professional.xml", "desktop.ini", "run.cmd", "ahci.sys", "platen-deploy.exe", "state.json"]
    {
        assert!(listed.contains(name), "{name}\n{listed}");
    }
    assert!(!listed.contains("notepad.exe"), "it was deleted: {listed}");
    let tree = station().path("windows");
    for path in ["Windows/System32/ntoskrnl.exe", "Program Files/desktop.ini", "Windows/Boot/PCAT/bootmgr"] {
        assert_eq!(fs::read(taken(volume, path)).expect("there"), fs::read(tree.join(path)).expect("there"), "{path}");
    }

    let answers = taken(volume, "Windows/Panther/unattend/unattend.xml");
    said("xmllint", &["--noout", text(&answers)]);
    let name =
        "string(//*[local-name()=\"component\" and @processorArchitecture=\"amd64\"]/*[local-name()=\"ComputerName\"])";
    assert_eq!(said("xmllint", &["--xpath", name, text(&answers)]), "BRANCH-17");
    let whole = fs::read_to_string(&answers).expect("text");
    assert!(whole.contains("<CopyProfile>true</CopyProfile>") && whole.contains("<JoinWorkgroup>BRANCH<"), "{whole}");
    // The control: a judge that takes anything is none.
    fs::write(&answers, &whole[..whole.len() / 2]).expect("written");
    assert!(tool("xmllint", &["--noout", text(&answers)]).status != 0);

    // Who may do anything with a file: of one that may hold secrets, only the system account and administrators.
    let allowed = |path: &str| {
        let all = said("ntfssecaudit", &["-vv", text(volume), path]);
        let of = all.lines().filter_map(|line| line.trim().strip_prefix("dec "));
        of.map(str::to_owned).collect::<Vec<_>>()
    };
    for path in ["/Windows/Panther/unattend/unattend.xml", "/_SMSTaskSequence/secrets.json"] {
        assert_eq!(allowed(path), ["S-1-5-18", "S-1-5-32-544"], "{path}");
    }
    let anybodys = allowed("/Windows/Setup/Scripts/SetupComplete.cmd");
    assert!(anybodys.iter().any(|who| who == "S-1-1-0"), "the control: {anybodys:?}");

    let software = taken(volume, "Windows/System32/config/SOFTWARE");
    assert_eq!(said("hivexget", &[text(&software), r"\Branch", "Name"]), "token-0815");
    let folders = r"%SystemRoot%\inf;%SystemDrive%\Drivers\DRV3\disk;%SystemDrive%\Drivers\DRV3\other";
    assert_eq!(said("hivexget", &[text(&software), r"\Microsoft\Windows\CurrentVersion", "DevicePath"]), folders);
    let exported = software.with_file_name("branch.reg");
    tool("reged", &["-x", text(&software), r"HKEY_LOCAL_MACHINE\SOFTWARE", r"\Branch", text(&exported)]);
    let exported = fs::read_to_string(exported).expect("reged wrote it");
    assert!(exported.contains("\"Name\"=\"token-0815\""), "{exported}");
    assert!(tool("hivexget", &[text(&software), r"\Absent", "Name"]).status != 0, "the control");

    let log = fs::read_to_string(taken(volume, "_SMSTaskSequence/Logs/smsts.log")).expect("text");
    assert!(log.contains("DRV3: 2 drivers, 1 of them for 1 devices of this computer"), "{log}");
    let script = fs::read_to_string(taken(volume, "Windows/Setup/Scripts/SetupComplete.cmd")).expect("text");
    assert!(script.contains("\"%SystemDrive%\\_SMSTaskSequence\\platen-deploy.exe\" first-start\r\n"), "{script}");
    let own = fs::read_to_string(taken(volume, "Windows/Setup/Scripts/SetupComplete.image.cmd")).expect("text");
    assert_eq!(own, "@echo the image's own\r\n");
}

/// Installs, and gives what is on the disk then.
fn installed(firmware: Firmware) -> Computer {
    let computer = Computer::new(firmware);
    let mut machine = computer.start(Some(drive()));
    // Without one no medium takes a secret.
    machine.wait_for("Password    (US keys):");
    machine.type_line(PASSWORD);
    let said = machine.wait_for_one_of(&["restarts now. Remove", "Press Enter to turn"]);
    assert!(said.contains(&format!("PLATEN DEPLOYMENT OK id={ID}")), "{said}");
    ends(machine);
    computer
}

/// The identity of a partition in a boot store is at its place, and nobody else's.
fn find_devices(store: &Path, system: &str, windows: &str) {
    let devices = said("python3", &["-c", DEVICES, text(store)]);
    let of = |kind: &str| -> Vec<&str> { devices.lines().filter(|line| line.starts_with(kind)).collect() };
    assert!(of("21000001").len() == 2 && of("21000001").iter().all(|line| line.contains(windows)), "{devices}");
    assert!(of("11000001").iter().any(|line| line.contains(system)), "{devices}");
    assert!(of("21000001").iter().all(|line| !line.contains(system)), "the control: {devices}");
}

#[test]
fn a_windows_is_installed_on_gpt_and_started_by_uefi_and_does_the_rest() {
    if !wanted() {
        return;
    }
    let computer = installed(Firmware::Ovmf);
    let disk = computer.disk();
    let verified = said("sgdisk", &["-v", text(&disk)]);
    assert!(verified.contains("No problems found"), "{verified}");
    let id = |number: &str| {
        let info = said("sgdisk", &["-i", number, text(&disk)]);
        let guid =
            info.lines().find_map(|line| line.strip_prefix("Partition unique GUID: ")).expect("a GUID").to_owned();
        said("python3", &["-c", "import sys, uuid; print(uuid.UUID(sys.argv[1]).bytes_le.hex())", &guid])
    };
    let (esp, windows) = (partition(&computer, 1), partition(&computer, 2));
    let from_esp = |path: &str| {
        let to = esp.with_file_name(format!("esp-{}", path.rsplit('/').next().expect("a name")));
        said("mcopy", &["-n", "-i", text(&esp), &format!("::{path}"), text(&to)]);
        to
    };
    let manager = fs::read(station().path("windows/Windows/Boot/EFI/bootmgfw.efi")).expect("there");
    for path in ["EFI/Microsoft/Boot/bootmgfw.efi", "EFI/BOOT/BOOTX64.EFI"] {
        assert_eq!(fs::read(from_esp(path)).expect("there"), manager, "{path}");
    }
    assert!(tool("mdir", &["-i", text(&esp), "::EFI/debian"]).status != 0, "no GRUB is needed");
    find_devices(&from_esp("EFI/Microsoft/Boot/BCD"), &id("1"), &id("2"));
    look(&windows);
    let machine = computer.start(None);
    machine.wait_for(UEFI_WORD.trim());
    drop(machine);
    first_start::runs_in_windows(&windows);
}

#[test]
fn a_windows_is_installed_on_mbr_and_started_by_bios() {
    if !wanted() {
        return;
    }
    let computer = installed(Firmware::SeaBios);
    let table = said("sfdisk", &["--dump", text(&computer.disk())]);
    let signature = table.lines().find_map(|line| line.strip_prefix("label-id: 0x")).expect("a signature");
    let signature = u32::from_str_radix(signature, 16).expect("hexadecimal");
    let (boot, windows) = (partition(&computer, 1), partition(&computer, 2));
    let start = |number: usize| {
        let line = table.lines().filter(|line| line.contains("start=")).nth(number - 1).expect("a partition");
        let rest = line.split("start=").nth(1).expect("a field");
        rest.split(',').next().expect("a number").trim().parse::<u64>().expect("a number") * 512
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let id = |number| hex(&start(number).to_le_bytes());
    let store = taken(&boot, "boot/BCD");
    find_devices(&store, &id(1), &id(2));
    let devices = said("python3", &["-c", DEVICES, text(&store)]);
    assert!(devices.contains(&hex(&signature.to_le_bytes())), "{devices}");
    let manager = fs::read(station().path("windows/Windows/Boot/PCAT/bootmgr")).expect("there");
    assert_eq!(fs::read(taken(&boot, "bootmgr")).expect("there"), manager);
    said("ntfsfix", &["-n", text(&boot)]);
    look(&windows);
    let machine = computer.start(None);
    machine.wait_for(BIOS_WORD.trim());
}

const ANSWERS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <settings pass="specialize">
    <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
      <ComputerName></ComputerName>
      <CopyProfile>true</CopyProfile>
    </component>
    <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="x86" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
      <ComputerName>OTHER</ComputerName>
    </component>
  </settings>
</unattend>
"#;

const DEFINITION: &str = r#"
kind = "stand-alone"
id = "@ID@"
name = "Deployment of a stand-in"
version = "1.0"
revision = 1
label = "DEPLOY"
unattended = true
task-sequence = "@ID@.sequence.toml"
boot-kit = "boot-kit"
password = { file = "password.txt" }

[boot-image]
id = "PLTBOOT"
name = "Boot image"
version = "1"
path = "boot-image-windows"

[operating-system-image]
id = "OS3"
name = "A stand-in"
version = "1"
path = "windows.wim"
index = 1

[[driver-package]]
id = "DRV3"
name = "Disks"
version = "1"
path = "windows-drivers"

[[package]]
id = "PKG3"
name = "Answers and tools"
version = "1"
path = "windows-package"

[[variable]]
name = "OSDComputerName"
value = "BRANCH-17"

[[variable]]
name = "Greeting"
value = "token-0815"
"#;

const SEQUENCE: &str = r#"
[[do]]
step = "Partition Disk 0 - BIOS"
type = "Format and Partition Disk"
condition = { variable = "_SMSTSBootUEFI", operator = "notEquals", value = "true" }
variables = [
  { property = "DiskIndex", name = "OSDDiskIndex", value = "0" },
  { property = "PartitionStyle", name = "OSDPartitionStyle", value = "MBR" },
  { property = "Partitions", name = "OSDPartitions", value = "2" },
  { property = "Partitions0Type", name = "OSDPartitions0Type", value = "Primary" },
  { property = "Partitions0FileSystem", name = "OSDPartitions0FileSystem", value = "NTFS" },
  { property = "Partitions0Bootable", name = "OSDPartitions0Bootable", value = "true" },
  { property = "Partitions0Size", name = "OSDPartitions0Size", value = "200" },
  { property = "Partitions0SizeUnits", name = "OSDPartitions0SizeUnits", value = "MB" },
  { property = "Partitions0QuickFormat", name = "OSDPartitions0QuickFormat", value = "true" },
  { property = "Partitions1Type", name = "OSDPartitions1Type", value = "Primary" },
  { property = "Partitions1FileSystem", name = "OSDPartitions1FileSystem", value = "NTFS" },
  { property = "Partitions1Size", name = "OSDPartitions1Size", value = "100" },
  { property = "Partitions1SizeUnits", name = "OSDPartitions1SizeUnits", value = "%" },
  { property = "Partitions1QuickFormat", name = "OSDPartitions1QuickFormat", value = "true" },
  { property = "Partitions1VolumeLetterVariable", name = "OSDPartitions1VolumeLetterVariable", value = "OSDisk" },
]
[[do]]
step = "Partition Disk 0 - UEFI"
type = "Format and Partition Disk"
condition = { variable = "_SMSTSBootUEFI", operator = "equals", value = "true" }
variables = [
  { property = "DiskIndex", name = "OSDDiskIndex", value = "0" },
  { property = "PartitionStyle", name = "OSDPartitionStyle", value = "GPT" },
  { property = "Partitions", name = "OSDPartitions", value = "2" },
  { property = "Partitions0Type", name = "OSDPartitions0Type", value = "EFI" },
  { property = "Partitions0FileSystem", name = "OSDPartitions0FileSystem", value = "FAT32" },
  { property = "Partitions0Size", name = "OSDPartitions0Size", value = "200" },
  { property = "Partitions0SizeUnits", name = "OSDPartitions0SizeUnits", value = "MB" },
  { property = "Partitions1Type", name = "OSDPartitions1Type", value = "Primary" },
  { property = "Partitions1FileSystem", name = "OSDPartitions1FileSystem", value = "NTFS" },
  { property = "Partitions1Size", name = "OSDPartitions1Size", value = "100" },
  { property = "Partitions1SizeUnits", name = "OSDPartitions1SizeUnits", value = "%" },
  { property = "Partitions1QuickFormat", name = "OSDPartitions1QuickFormat", value = "true" },
  { property = "Partitions1VolumeLetterVariable", name = "OSDPartitions1VolumeLetterVariable", value = "OSDisk" },
]
[[do]]
step = "Apply Operating System"
type = "Apply Operating System Image"
variables = [
  { property = "ImagePackageID", value = "OS3" },
  { property = "ImageIndex", name = "OSDImageIndex", value = "1" },
  { property = "DestinationVariable", value = "OSDisk" },
  { property = "ConfigFileName", value = "answers.xml" },
  { property = "ConfigFilePackage", value = "PKG3" },
]
[[do]]
step = "Apply Windows Settings"
type = "Apply Windows Settings"
variables = [{ name = "OSDLocalAdminPassword", property = "AdminPassword", value = "%Word%" }]
[[do]]
step = "Apply Network Settings"
type = "Apply Network Settings"
variables = [
  { name = "OSDNetworkJoinType", property = "NetworkJoinType", value = "1" },
  { name = "OSDWorkgroupName", property = "WorkgroupName", value = "BRANCH" },
]
[[do]]
step = "Apply Driver Package"
type = "Apply Driver Package"
variables = [{ property = "DriverPackageID", value = "DRV3" }]
[[do]]
step = "A change of the registry"
type = "Run Command Line"
command = 'reg add HKLM\SOFTWARE\Branch /v Name /t REG_SZ /d %Greeting% /f'
[[do]]
step = "Files of a package"
type = "Run Command Line"
command = 'xcopy tools "%OSDisk%\Program Files\Tools\" /i /y'
variables = [{ property = "PackageID", value = "PKG3" }]
[[do]]
step = "A file less"
type = "Run Command Line"
command = 'cmd /c del %OSDisk%\Windows\notepad.exe'
[[do]]
step = "Setup Windows and ConfigMgr"
type = "Setup Windows and ConfigMgr"
"#;
