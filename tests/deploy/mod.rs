// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A computer is booted from a written medium, installs a small Linux system on its blank disk, and starts it without
//! the medium. The system says what it got: that is what is looked at.

mod first_start;
mod image;
mod windows;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::boot::{ChangedDrive, Firmware, Machine, Options, PASSWORD, wanted};
use crate::boot_drives;
use crate::common::{Station, tool};

/// Values of the definition that the installed system gives back.
const TOKEN: &str = "token-0815";
const ADDRESS: &str = "192.0.2.17/24";

/// The boot kit and boot image of the other boot tests, and media of our own.
fn station() -> &'static Station {
    static STATION: OnceLock<Station> = OnceLock::new();
    STATION.get_or_init(|| {
        let (station, kit) = (Station::new(), boot_drives::station());
        // With the key that the boot image trusts.
        for made in ["boot-kit", "boot-image", "test-insecure.key", "test-insecure.pub", "trusted"] {
            tool("cp", &["-rT", &kit.text(made), &station.text(made)]).expect(0);
        }
        image::make(&station);
        station.files("drivers", &[("net/net.ko", b"a network driver")]);
        station.files("first", &[("install.sh", b"echo first >> /var/applications\n")]);
        station.files("second", &[("install.sh", b"echo second >> /var/applications\n")]);
        station
    })
}

/// A written drive of a medium with this sequence.
fn drive(id: &str, sequence: &str, more: &str, tables: &str) -> PathBuf {
    written(id, sequence, &format!("{}\n{tables}", DEFINITION.replace("@MORE@", more)))
}

/// The same of a whole definition.
fn written(id: &str, sequence: &str, definition: &str) -> PathBuf {
    let station = station();
    let name = |ending: &str| format!("{id}.{ending}");
    station.files("", &[(&name("sequence.toml"), format!("schema = 1\nname = \"{id}\"\n{sequence}").as_bytes())]);
    station.files("", &[(&name("toml"), definition.replace("@ID@", id).as_bytes())]);
    station.build(&station.path(&name("toml"))).expect(0);
    station.import().expect(0);
    let drive = station.drive(&name("img"), 384);
    station.platen(&["write", id, &drive]).expect(0);
    PathBuf::from(drive)
}

/// A blank disk of a computer, with the variables of its firmware.
struct Computer {
    folder: tempfile::TempDir,
    firmware: Firmware,
}

impl Computer {
    fn new(firmware: Firmware) -> Self {
        let folder = tempfile::Builder::new().prefix("platen-test-").tempdir_in("/var/tmp").expect("temporary folder");
        let computer = Self { folder, firmware };
        let disk = std::fs::File::create(computer.disk()).expect("makes");
        disk.set_len(2 << 30).expect("a sparse file");
        computer
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    /// A drive of its own: what starts from one leaves its log there.
    fn drive(&self, drive: &Path) -> PathBuf {
        let own = self.folder.path().join("drive.img");
        let arguments = ["--sparse=always", drive.to_str().expect("UTF-8"), own.to_str().expect("UTF-8")];
        tool("cp", &arguments).expect(0);
        own
    }

    fn start(&self, drive: Option<&Path>) -> Machine {
        let (disk, variables) = (self.disk(), self.folder.path().join("variables.fd"));
        let options = Options::without_medium(self.firmware);
        let (disk, variables, model) = (Some(&*disk), Some(&*variables), Some("Branch 7"));
        Machine::start(&Options { drive, disk, variables, model, ..options })
    }

    /// What the deployed system reports when it starts from its own disk.
    fn report(&self) -> String {
        let machine = self.start(None);
        let said = machine.wait_for("SYSTEM REPORTED");
        ends(machine);
        said
    }
}

/// It turns itself off or restarts, which is an end here. Only then another may take its place.
fn ends(mut machine: Machine) {
    machine.wait_for_power_off();
}

/// The medium that installs unattended.
fn unattended() -> &'static Path {
    static DRIVE: OnceLock<PathBuf> = OnceLock::new();
    DRIVE.get_or_init(|| drive("PLTDEP01", UNATTENDED, "", ""))
}

/// Installs unattended and looks at what came of it.
fn installs(firmware: Firmware) {
    if wanted() {
        let drive = unattended();
        let computer = Computer::new(firmware);
        let drive = computer.drive(drive);
        let machine = computer.start(Some(&drive));
        let said = machine.wait_for_one_of(&["restarts now. Remove", "Press Enter to turn"]);
        assert!(said.contains("PLATEN DEPLOYMENT OK id=PLTDEP01 version=1.0 revision=1"), "{said}");
        ends(machine);
        let log = log_on(&drive);
        assert!(log.contains("Apply Operating System: done") && log.contains("TSManager"), "{log}");
        // With the log on it, it is the medium that it was.
        station().platen(&["verify", drive.to_str().expect("UTF-8")]).expect(0);
        let report = computer.report();
        for expected in [
            "SYSTEM host=branch-17 zone=UTC",
            &format!("SYSTEM network=    address {ADDRESS}"),
            "SYSTEM driver=a network driver",
            "SYSTEM applications=first second",
            &format!("SYSTEM token={TOKEN}"),
            "SYSTEM left=Logs installed-by.txt",
            "SYSTEM secrets=\n",
        ] {
            let words = report.replace("first\nsecond", "first second");
            assert!(words.contains(expected), "{expected}\n{report}");
        }
    }
}

#[test]
fn a_computer_with_bios_installs_its_system() {
    installs(Firmware::SeaBios);
}

#[test]
fn a_computer_with_uefi_installs_its_system() {
    installs(Firmware::Ovmf);
}

#[test]
fn a_computer_with_secure_boot_installs_its_system() {
    installs(Firmware::OvmfSecureBoot);
}

/// The computer finds it while it applies the image, whose first pieces are on the disk by then.
#[test]
fn a_changed_byte_of_the_image_stops_the_installation() {
    if wanted() {
        let copy = ChangedDrive::of(unattended());
        copy.change("platen/content/OS1/Small Linux2.swm", |bytes| {
            assert!(bytes.len() > 2 << 20, "{}", bytes.len());
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        let computer = Computer::new(Firmware::SeaBios);
        let machine = computer.start(Some(&copy.path()));
        let said = machine.wait_for_one_of(&[
            "DEPLOYMENT STOPPED code=P-T-003",
            "restarts now. Remove",
            "Press Enter to turn",
        ]);
        assert!(said.contains("code=P-T-003") && said.contains("applying the image"), "{said}");
        assert!(!said.contains("checking the image"), "nothing of it is read twice: {said}");
        drop(machine);
        assert_eq!(start_of(&computer.disk()), [0; 440], "half a system does not start");
    }
}

/// With a password, a prestart command that chooses the way, a group for other firmware, a question about the model, a
/// restart in the middle, and the power cut twice: it goes on each time where it stood, and nothing is done twice.
#[test]
fn a_long_way_with_restarts_and_power_cuts_comes_to_its_end() {
    if !wanted() {
        return;
    }
    station().files("prestart", &[("ask.sh", b"echo Asking...\necho Way=long\n")]);
    station().files("", &[("password.txt", format!("{PASSWORD}\n").as_bytes())]);
    let more = "password = { file = \"password.txt\" }\n";
    let apply = "[[do]]\nstep = \"Apply Operating System\"";
    let sequence = format!("{UNATTENDED}{LONG_WAY}").replace(apply, &format!("{RESTART}{apply}"));
    let secret = format!("[[variable]]\nname = \"Word\"\nvalue = \"{SECRET}\"\nsecret = true\n");
    let prestart = "[prestart]\ncommand = \"sh ask.sh\"\npath = \"prestart\"\n";
    let drive = drive("PLTDEP02", &sequence, more, &format!("{secret}{prestart}"));
    let computer = Computer::new(Firmware::SeaBios);
    let drive = computer.drive(&drive);
    let begin = || {
        let mut machine = computer.start(Some(&drive));
        machine.wait_for("Password    (US keys):");
        machine.type_line(PASSWORD);
        machine
    };

    // Up to the restart that the sequence asks for.
    let machine = begin();
    let said = machine.wait_for_one_of(&["goes on from the medium", "Press Enter to turn"]);
    assert!(said.contains("set Way") && said.contains("goes on from the medium"), "{said}");
    ends(machine);
    // The power is cut while the image is applied.
    let machine = begin();
    let said = machine.wait_for_one_of(&["applying the image", "Press Enter to turn"]);
    assert!(said.contains("where it stood before") && said.contains("applying the image"), "{said}");
    assert!(!said.contains("Asking"), "what was asked once is not asked again: {said}");
    drop(machine);
    // Half a system does not start: the firmware finds no code on the disk.
    assert_eq!(start_of(&computer.disk()), [0; 440]);
    let machine = begin();
    let said = machine.wait_for_one_of(&["restarts now. Remove", "Press Enter to turn"]);
    assert!(said.contains("PLATEN DEPLOYMENT OK") && !said.contains(SECRET), "{said}");
    ends(machine);
    let log = log_on(&drive);
    assert!(log.contains("Restart in the boot system") && !log.contains(SECRET), "{log}");
    // The power is cut on the installed system, too.
    let machine = computer.start(None);
    machine.wait_for("platen: step");
    drop(machine);
    let report = computer.report();
    assert_ne!(start_of(&computer.disk()), [0; 440], "the control: a whole one has code there");
    for expected in ["token=token-0815 model\nlong\n", "applications=first\nsecond\n", "secrets=\n"] {
        assert!(report.contains(expected), "{expected}\n{report}");
    }
}

/// The log that a deployment left on its drive, as mtools read it.
fn log_on(drive: &Path) -> String {
    let first = format!("{}@@1M", drive.display());
    let listed = tool("mdir", &["-i", &first, "-b", "::/Platen-Logs"]).expect(0).stdout;
    let path = listed.lines().find(|line| line.ends_with(".log")).expect("a log").trim().to_owned();
    tool("mtype", &["-i", &first, &path]).expect(0).stdout
}

/// Where a BIOS finds the code that it starts.
fn start_of(disk: &Path) -> [u8; 440] {
    let mut code = [0; 440];
    std::fs::File::open(disk).and_then(|mut disk| disk.read_exact(&mut code)).expect("reads");
    code
}

/// A secret of the medium; it goes into a command that runs on the installed system.
const SECRET: &str = "PLANTED-deployment-secret";

const DEFINITION: &str = r#"
kind = "stand-alone"
id = "@ID@"
name = "Deployment test"
version = "1.0"
revision = 1
label = "DEPLOY"
unattended = true
task-sequence = "@ID@.sequence.toml"
boot-kit = "boot-kit"
@MORE@

[boot-image]
id = "PLTBOOT"
name = "Boot image"
version = "1"
path = "boot-image"

[operating-system-image]
id = "OS1"
name = "Small Linux"
version = "1"
path = "system.swm"
index = 1

[[driver-package]]
id = "DRV1"
name = "Network"
version = "1"
path = "drivers"

[[application]]
id = "APP1"
name = "First"
version = "1"
path = "first"
install = "sh install.sh"

[[application]]
id = "APP2"
name = "Second"
version = "1"
path = "second"
install = "sh install.sh"
depends-on = ["APP1"]

[[variable]]
name = "OSDComputerName"
value = "BRANCH-17"

[[variable]]
name = "OSDTimeZone"
value = "UTC"

[[variable]]
name = "Greeting"
value = "token-0815"
"#;

const UNATTENDED: &str = r#"
[[do]]
step = "Partition Disk 0 - BIOS"
type = "Format and Partition Disk"
condition = { variable = "_SMSTSBootUEFI", operator = "notEquals", value = "true" }
variables = [
  { property = "DiskIndex", name = "OSDDiskIndex", value = "0" },
  { property = "PartitionStyle", name = "OSDPartitionStyle", value = "MBR" },
  { property = "Partitions", name = "OSDPartitions", value = "1" },
  { property = "Partitions0Type", name = "OSDPartitions0Type", value = "Primary" },
  { property = "Partitions0FileSystem", name = "OSDPartitions0FileSystem", value = "EXT4" },
  { property = "Partitions0Bootable", name = "OSDPartitions0Bootable", value = "true" },
  { property = "Partitions0Size", name = "OSDPartitions0Size", value = "100" },
  { property = "Partitions0SizeUnits", name = "OSDPartitions0SizeUnits", value = "%" },
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
  { property = "Partitions1FileSystem", name = "OSDPartitions1FileSystem", value = "EXT4" },
  { property = "Partitions1Size", name = "OSDPartitions1Size", value = "100" },
  { property = "Partitions1SizeUnits", name = "OSDPartitions1SizeUnits", value = "%" },
]
[[do]]
step = "Apply Operating System"
type = "Apply Operating System Image"
variables = [
  { property = "ImagePackageID", value = "OS1" },
  { property = "ImageIndex", name = "OSDImageIndex", value = "1" },
]
[[do]]
step = "Apply Windows Settings"
type = "Apply Windows Settings"
[[do]]
step = "Apply Network Settings"
type = "Apply Network Settings"
variables = [
  { name = "OSDAdapterCount", property = "AdapterCount", value = "1" },
  { name = "OSDAdapter0EnableDHCP", property = "Adapter0EnableDHCP", value = "false" },
  { name = "OSDAdapter0IPAddressList", property = "Adapter0IPAddressList", value = "192.0.2.17" },
  { name = "OSDAdapter0SubnetMask", property = "Adapter0SubnetMask", value = "255.255.255.0" },
  { name = "OSDAdapter0Gateways", property = "Adapter0Gateways", value = "192.0.2.1" },
]
[[do]]
step = "Apply Driver Package"
type = "Apply Driver Package"
variables = [{ property = "DriverPackageID", value = "DRV1" }]
[[do]]
step = "Setup Windows and ConfigMgr"
type = "Setup Windows and ConfigMgr"
[[do]]
step = "Install Application"
type = "Install Application"
variables = [{ property = "ApplicationName", value = "APP2" }]
[[do]]
step = "Write the token"
type = "Run Command Line"
command = "sh -c 'echo %Greeting% > /var/token'"
"#;

/// Into the boot system, when the disk has its volumes.
const RESTART: &str = r#"
[[do]]
step = "Restart in the boot system"
type = "Restart Computer"
variables = [{ property = "Target", value = "WinPE" }]
"#;

/// Comes behind the other steps, of which none is in its way.
const LONG_WAY: &str = r#"
[[do]]
group = "For another firmware"
condition = { variable = "_SMSTSBootUEFI", operator = "equals", value = "true" }
[[do.do]]
step = "Not here"
type = "Run Command Line"
command = "sh -c 'echo no >> /var/token'"
[[do]]
step = "By its model"
type = "Run Command Line"
condition = { wmi = 'SELECT * FROM Win32_ComputerSystem WHERE Model LIKE "Branch%"' }
command = "sh -c 'echo %Greeting% model > /var/token'"
[[do]]
step = "The long way"
type = "Run Command Line"
condition = { variable = "Way", operator = "equals", value = "long" }
command = "sh -c 'echo %Way% >> /var/token; test -n %Word%'"
"#;
