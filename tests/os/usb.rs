// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the image lets in at USB, by the rules that it has, as udev reads them.

use std::fs;
use std::path::Path;

use platen_testkit::machine::RecordedMachine;
use platen_testkit::need;

use super::{ROOT, read};
use crate::common::{program, tool};

pub(super) const RULES: &str = "board/common/overlay/usr/lib/udev/rules.d/60-platen-usb.rules";
const CONTROLLER: &str = "/devices/pci0000:00/0000:00:14.0/usb1";

/// A drive, one by UAS, one that types besides, a keyboard, a phone and a hub with a keyboard in ports 1 to 6; a touch
/// panel and a network adapter inside of the computer, and a floppy drive.
const MACHINE: &str = "
hub pci0000:00/0000:00:14.0/usb1 480 12
usb pci0000:00/0000:00:14.0/usb1/1-1 0781:5581
interface pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0 08:06:50
usb pci0000:00/0000:00:14.0/usb1/1-2 174c:55aa
interface pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0 08:06:62
usb pci0000:00/0000:00:14.0/usb1/1-3 03eb:2403
interface pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0 08:06:50
interface pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.1 03:01:01
usb pci0000:00/0000:00:14.0/usb1/1-4 046d:c31c
interface pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0 03:01:01
usb pci0000:00/0000:00:14.0/usb1/1-5 18d1:4ee1
interface pci0000:00/0000:00:14.0/usb1/1-5/1-5:1.0 06:01:01
hub pci0000:00/0000:00:14.0/usb1/1-6 480 4
usb pci0000:00/0000:00:14.0/usb1/1-6/1-6.1 046d:c31c
interface pci0000:00/0000:00:14.0/usb1/1-6/1-6.1/1-6.1:1.0 03:01:01
usb pci0000:00/0000:00:14.0/usb1/1-9 0eef:0001
interface pci0000:00/0000:00:14.0/usb1/1-9/1-9:1.0 03:00:00
usb pci0000:00/0000:00:14.0/usb1/1-10 0b95:1790
interface pci0000:00/0000:00:14.0/usb1/1-10/1-10:1.0 ff:ff:00
usb pci0000:00/0000:00:14.0/usb1/1-11 0644:0000
interface pci0000:00/0000:00:14.0/usb1/1-11/1-11:1.0 08:04:00
set sys/bus/usb/drivers_probe
";

const INTERFACES: [&str; 11] = [
    "1-1/1-1:1.0",
    "1-2/1-2:1.0",
    "1-3/1-3:1.0",
    "1-3/1-3:1.1",
    "1-4/1-4:1.0",
    "1-5/1-5:1.0",
    "1-6/1-6:1.0",
    "1-6/1-6.1/1-6.1:1.0",
    "1-9/1-9:1.0",
    "1-10/1-10:1.0",
    "1-11/1-11:1.0",
];

/// As in `tests/packaging.rs`: the rules alone, a recorded /sys, this one process. udev is told of each device in turn.
const UDEV_TEST: &str = r#"
set -e
rules=$1 machine=$2
shift 2
mount -t tmpfs tmpfs /run
mkdir -p /run/udev/rules.d /run/empty
for folder in /usr/lib/udev/rules.d /lib/udev/rules.d /etc/udev/rules.d; do
    [ ! -d "$folder" ] || mount --bind /run/empty "$folder"
done
cp "$rules" /run/udev/rules.d/60-platen-usb.rules
mount --bind "$machine" /sys
for device in "$@"; do SYSTEMD_DEVICE_VERIFY_SYSFS=0 udevadm test --action=add "/sys$device" 2>&1; done
"#;

/// The computer when its kernel has found all devices and let none in.
struct Computer {
    machine: RecordedMachine,
    settings: tempfile::TempDir,
    rules: String,
}

impl Computer {
    fn new() -> Self {
        let machine = RecordedMachine::new(MACHINE);
        let computer = Self { machine, settings: tempfile::tempdir().expect("a folder"), rules: read(RULES) };
        computer.set("interface_authorized_default", "1");
        for interface in INTERFACES {
            computer.set(&format!("{interface}/authorized"), "0");
            computer.set(&format!("{interface}/../authorized"), "0");
        }
        computer
    }

    /// The keeper has laid out the station's settings: ports 1 to 6 are its own.
    fn settle(&self) {
        let put = |name: &str, text: &str| fs::write(self.settings.path().join(name), text).expect("writes");
        let port = |at| format!("[[port]]\nlabel = \"{at}\"\nsocket = \"pci-0000:00:14.0-usb-{at}\"\n");
        put("station.toml", "name = \"x\"\n[paths]\nports = \"ports.toml\"");
        put("ports.toml", &(1..=6).map(port).collect::<String>());
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.machine.root().join(format!("sys{CONTROLLER}/{name}"))
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect(name);
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name).trim().to_owned()
    }

    /// udev is told of these.
    fn tell(&self, devices: &[&str]) -> String {
        let platend = program().with_file_name("platend");
        let asked = format!("{} --config {}", platend.display(), self.settings.path().join("station.toml").display());
        let rules = self.settings.path().join("rules");
        fs::write(&rules, self.rules.replace("/usr/bin/platend", &asked)).expect("writes");
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let mut args = ["--mount", "bash", "-c", UDEV_TEST, "udev-test"].map(str::to_owned).to_vec();
        args.extend([text(&rules), text(&self.machine.root().join("sys"))]);
        args.extend(devices.iter().map(|device| format!("{CONTROLLER}/{device}")));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        tool("unshare", &args).expect(0).stdout
    }

    /// Those that a driver may use.
    fn let_in(&self) -> Vec<&'static str> {
        let names = INTERFACES.into_iter().filter(|interface| self.get(&format!("{interface}/authorized")) == "1");
        names.map(|interface| interface.rsplit('/').next().expect("a name")).collect()
    }
}

#[test]
fn the_image_lets_in_drives_and_what_stands_in_front_of_it() {
    if !need::program("udevadm") || !need::root() {
        return;
    }
    let computer = Computer::new();
    let devices = ["1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-6/1-6.1", "1-9", "1-10", "1-11"];
    // As long as a device's interfaces would be let in with it, it is not.
    let said = computer.tell(&devices);
    assert!(!said.contains("nknown") && !said.contains("nvalid"), "{said}");
    devices.iter().for_each(|device| assert_eq!(computer.get(&format!("{device}/authorized")), "0", "{device}"));
    computer.tell(&[""]);
    assert_eq!(computer.get("interface_authorized_default"), "0");
    computer.tell(&devices);
    devices.iter().for_each(|device| assert_eq!(computer.get(&format!("{device}/authorized")), "1", "{device}"));
    assert_eq!(computer.let_in(), [""; 0]);

    // At the start nobody knows yet which ports are the station's.
    let drives = ["1-1:1.0", "1-2:1.0", "1-3:1.0", "1-6:1.0"];
    computer.tell(&INTERFACES);
    assert_eq!(computer.let_in(), drives);
    // Then it is asked again.
    computer.settle();
    computer.tell(&INTERFACES);
    assert_eq!(computer.let_in(), [drives.as_slice(), &["1-9:1.0"]].concat());
    // A driver is looked for then: the last that was let in.
    let probed = fs::read_to_string(computer.machine.root().join("sys/bus/usb/drivers_probe")).expect("reads");
    assert_eq!(probed.trim(), "1-9:1.0");

    // The control: without the line that asks, the keyboards in the ports are let in.
    let mut careless = Computer::new();
    careless.rules = careless.rules.replace("ATTR{bInterfaceClass}!=\"03\", ", "ATTR{bInterfaceClass}==\"03\", ");
    careless.rules =
        careless.rules.replace("GOTO=\"platen_usb_end\"\n# Which ports", "GOTO=\"platen_usb_let_in\"\n# Which ports");
    careless.settle();
    careless.tell(&INTERFACES);
    assert!(careless.let_in().contains(&"1-4:1.0"), "{:?}", careless.let_in());
}

#[test]
fn no_kernel_of_an_image_lets_anything_in_at_usb() {
    let common = read("board/common/linux.config");
    assert!(common.lines().any(|line| line == "CONFIG_USB_DEFAULT_AUTHORIZATION_MODE=0"));
    let listed = tool("git", &["-C", ROOT, "grep", "-l", "authorized_default=", "--", "board"]).stdout;
    assert_eq!(listed, "", "on the kernel's command line it would have the last word");
}
