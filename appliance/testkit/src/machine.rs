// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A machine as its kernel described it, laid out in a folder from a few lines of text.
//!
//! Each line is a word and what belongs to it; `#` begins a comment. Device numbers are `major:minor`, paths in sysfs are
//! below `/sys/devices`. Every disk gets the attributes a kernel would give it; `name=value` sets another one.
//!
//! | line | what it makes |
//! |---|---|
//! | `usb PATH VENDOR:PRODUCT [SERIAL]` | a USB device: a hub, a stick, a reader |
//! | `hub PATH SPEED PORTS [unswitched]` | a root hub (`.../usb1`) or another one with its ports, before what is plugged in there; without switches for their power |
//! | `peer PORT PORT` | two ports, such as `usb1-port3` or `1-4-port1`, that are halves of one socket |
//! | `interface PATH CLASS:SUBCLASS:PROTOCOL` | an interface of a USB device |
//! | `disk NAME NUMBER PATH [name=value...]` | a whole disk in `PATH/block/NAME`, or `PATH/NAME` where `PATH` ends in a slash |
//! | `part NAME NUMBER DISK` | a partition |
//! | `on UPPER LOWER...` | what stands on others: device mapper, RAID, bcache |
//! | `loop NAME NUMBER BACKING` | an attached loop device |
//! | `btrfs UUID NAME...` | the devices of one btrfs |
//! | `mount NUMBER POINT TYPE SOURCE` | a line of this process' mountinfo |
//! | `elsewhere PROCESS NUMBER POINT TYPE SOURCE` | a line of another mount namespace |
//! | `swap PATH` | a line of `/proc/swaps` |
//! | `opens PROCESS PROGRAM NAME ro\|rw` | an open handle of another process |
//! | `link PATH TARGET` | any link of the machine, both below its root |
//! | `set PATH TEXT` | any file of the machine, below its root |
//! | `gone PATH` | it vanished while one looked |

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files::{put, run};

/// A folder with `sys`, `proc` and `dev`.
pub struct RecordedMachine {
    folder: tempfile::TempDir,
}

impl RecordedMachine {
    /// Lay out what the text says. Device nodes are real, which needs root, and are never opened.
    pub fn new(text: &str) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["sys/block", "sys/class/block", "sys/dev/block", "sys/bus/usb/devices", "sys/bus/scsi", "dev"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        machine.put("proc/self/mountinfo", "");
        machine.put("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
        symlink("mnt:[4026531841]", machine.made("proc/self/ns/mnt")).unwrap();
        for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if !words.is_empty() {
                machine.line(&words);
            }
        }
        machine
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    fn line(&self, words: &[&str]) {
        match *words {
            ["usb", path, numbers, ref serial @ ..] => self.usb(path, numbers, serial.first().copied()),
            ["hub", path, speed, ports] => self.hub(path, speed, ports, true),
            ["hub", path, speed, ports, "unswitched"] => self.hub(path, speed, ports, false),
            ["peer", one, other] => {
                let (one, other) = (self.port(one), self.port(other));
                symlink(&other, one.join("peer")).unwrap();
                symlink(&one, other.join("peer")).unwrap();
            }
            ["interface", path, class] => self.interface(path, class),
            ["disk", name, number, path, ref attributes @ ..] => self.disk(name, number, path, attributes),
            ["part", name, number, disk] => self.partition(name, number, disk),
            ["on", upper, ref lowers @ ..] => lowers.iter().for_each(|lower| self.stack(upper, lower)),
            ["loop", name, number, backing] => {
                self.disk(name, number, "virtual", &[]);
                put(&self.of(name).join("loop/backing_file"), format!("{backing}\n").as_bytes());
                // Whoever looks must do so here, and not at the loop device of that name on the real machine.
                fs::remove_file(self.path("dev").join(name)).unwrap();
            }
            ["btrfs", uuid, ref names @ ..] => {
                for name in names {
                    let link = self.made(&format!("sys/fs/btrfs/{uuid}/devices/{name}"));
                    symlink(self.of(name), link).unwrap();
                }
            }
            ["mount", number, point, kind, source] => self.mount("self", number, point, kind, source),
            ["elsewhere", process, number, point, kind, source] => {
                symlink(format!("mnt:[{process}]"), self.made(&format!("proc/{process}/ns/mnt"))).unwrap();
                self.mount(process, number, point, kind, source);
            }
            ["swap", path] => self.append("proc/swaps", &format!("{path}\tpartition\t1048572\t0\t-2\n")),
            ["opens", process, program, name, how] => {
                self.put(&format!("proc/{process}/comm"), &format!("{program}\n"));
                let flags = if how == "rw" { "0100002" } else { "0100000" };
                self.put(&format!("proc/{process}/fdinfo/3"), &format!("pos:\t0\nflags:\t{flags}\n"));
                symlink(self.path("dev").join(name), self.made(&format!("proc/{process}/fd/3"))).unwrap();
            }
            ["link", path, target] => symlink(self.path(target), self.made(path)).unwrap(),
            ["set", path, ref text @ ..] => put(&self.path(path), format!("{}\n", text.join(" ")).as_bytes()),
            ["gone", path] => {
                let path = self.path(path);
                if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                    .unwrap();
            }
            _ => panic!("a recorded machine has no line {words:?}"),
        }
    }

    fn usb(&self, path: &str, numbers: &str, serial: Option<&str>) {
        let (vendor, product) = numbers.split_once(':').expect("VENDOR:PRODUCT");
        let folder = format!("sys/devices/{path}");
        self.put(&format!("{folder}/idVendor"), &format!("{vendor}\n"));
        self.put(&format!("{folder}/idProduct"), &format!("{product}\n"));
        self.put(&format!("{folder}/uevent"), "DEVTYPE=usb_device\nDRIVER=usb\n");
        if let Some(serial) = serial {
            self.put(&format!("{folder}/serial"), &format!("{serial}\n"));
        }
        let folder = self.path(&folder);
        symlink(self.path("sys/bus/usb"), folder.join("subsystem")).unwrap();
        self.on_usb(&folder);
        // In a port of its hub, where the hub's ports are known.
        let name = folder.file_name().unwrap().to_string_lossy();
        let number = name.rsplit(['-', '.']).next().unwrap();
        let hub = folder.parent().unwrap().file_name().unwrap().to_string_lossy();
        let port = folder.with_file_name(hub_interface(&hub)).join(format!("{hub}-port{number}"));
        if port.exists() {
            symlink(&port, folder.join("port")).unwrap();
            symlink(&folder, port.join("device")).unwrap();
        }
    }

    fn hub(&self, path: &str, speed: &str, ports: &str, is_switched: bool) {
        self.usb(path, "1d6b:0002", None);
        self.put(&format!("sys/devices/{path}/speed"), &format!("{speed}\n"));
        let name = path.rsplit('/').next().unwrap();
        let interface = format!("{path}/{}", hub_interface(name));
        self.interface(&interface, "09:00:00");
        for number in 1..=ports.parse::<usize>().expect("a number of ports") {
            let port = format!("sys/devices/{interface}/{name}-port{number}");
            self.put(&format!("{port}/disable"), "0\n");
            if is_switched {
                self.put(&format!("{port}/power/pm_qos_no_power_off"), "1\n");
            }
        }
    }

    fn interface(&self, path: &str, class: &str) {
        let numbers: Vec<&str> = class.split(':').collect();
        for (name, number) in ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"].iter().zip(numbers) {
            self.put(&format!("sys/devices/{path}/{name}"), &format!("{number}\n"));
        }
        self.put(&format!("sys/devices/{path}/authorized"), "1\n");
        self.put(&format!("sys/devices/{path}/uevent"), "DEVTYPE=usb_interface\n");
        let folder = self.path(&format!("sys/devices/{path}"));
        symlink(self.path("sys/bus/usb"), folder.join("subsystem")).unwrap();
        self.on_usb(&folder);
    }

    /// Devices and interfaces are listed together.
    fn on_usb(&self, folder: &Path) {
        let devices = self.path("sys/bus/usb/devices");
        put(&folder.join("devnum"), format!("{}\n", fs::read_dir(&devices).unwrap().count() + 1).as_bytes());
        symlink(folder, devices.join(folder.file_name().unwrap())).unwrap();
    }

    /// The folder of a port, by its name, which has that of its hub.
    fn port(&self, name: &str) -> PathBuf {
        let (hub, _) = name.rsplit_once("-port").unwrap_or_else(|| panic!("{name} is no port"));
        let link = self.path("sys/bus/usb/devices").join(hub_interface(hub));
        let port = fs::read_link(link).unwrap_or_else(|_| panic!("the hub of {name} comes later")).join(name);
        assert!(port.exists(), "{name} is a port that its hub has not");
        port
    }

    fn disk(&self, name: &str, number: &str, path: &str, attributes: &[&str]) {
        // NVMe and virtual disks stand in folders of other names.
        let place = match path.strip_suffix('/') {
            Some(path) => format!("sys/devices/{path}/{name}"),
            None => format!("sys/devices/{path}/block/{name}"),
        };
        let folder = self.path(&place);
        let given = |wanted: &str, usual: &str| {
            let found = attributes.iter().find_map(|text| text.strip_prefix(wanted)?.strip_prefix('='));
            found.unwrap_or(usual).to_owned()
        };
        for (attribute, usual) in [
            ("size", "30310400"),
            ("removable", "0"),
            ("ro", "0"),
            ("diskseq", "9"),
            ("queue/logical_block_size", "512"),
        ] {
            put(&folder.join(attribute), format!("{}\n", given(attribute, usual)).as_bytes());
        }
        fs::create_dir_all(folder.join("slaves")).unwrap();
        // What carries the disk; a kind of SCSI device, where it is one.
        let carrier = self.path(&format!("sys/devices/{path}"));
        if carrier.file_name().is_some_and(|name| name.to_string_lossy().split(':').count() == 4) {
            put(&carrier.join("type"), format!("{}\n", given("type", "0")).as_bytes());
            symlink(&carrier, folder.join("device")).unwrap();
        }
        self.register(name, number, &folder, "disk");
        symlink(&folder, self.path("sys/block").join(name)).unwrap();
    }

    fn partition(&self, name: &str, number: &str, disk: &str) {
        let folder = self.of(disk).join(name);
        for (attribute, text) in [("partition", "1"), ("start", "2048"), ("size", "30000000"), ("ro", "0")] {
            put(&folder.join(attribute), format!("{text}\n").as_bytes());
        }
        self.register(name, number, &folder, "partition");
    }

    /// What disks and partitions have in common.
    fn register(&self, name: &str, number: &str, folder: &Path, kind: &str) {
        let (major, minor) = number.split_once(':').expect("major:minor");
        put(&folder.join("dev"), format!("{number}\n").as_bytes());
        let uevent = format!("MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\nDEVTYPE={kind}\n");
        put(&folder.join("uevent"), uevent.as_bytes());
        symlink(self.path("sys/class/block"), folder.join("subsystem")).unwrap();
        fs::create_dir_all(folder.join("holders")).unwrap();
        for link in [self.path("sys/class/block").join(name), self.path("sys/dev/block").join(number)] {
            symlink(folder, link).unwrap();
        }
        run(Command::new("mknod").arg(self.path("dev").join(name)).args(["b", major, minor]));
    }

    fn stack(&self, upper: &str, lower: &str) {
        symlink(self.of(upper), self.of(lower).join("holders").join(upper)).unwrap();
        symlink(self.of(lower), self.of(upper).join("slaves").join(lower)).unwrap();
    }

    fn mount(&self, process: &str, number: &str, point: &str, kind: &str, source: &str) {
        let line = format!("36 35 {number} / {point} rw,relatime shared:1 - {kind} {source} rw\n");
        self.append(&format!("proc/{process}/mountinfo"), &line);
    }

    /// The folder of a disk or partition.
    fn of(&self, name: &str) -> PathBuf {
        fs::read_link(self.path("sys/class/block").join(name)).unwrap_or_else(|_| panic!("{name} comes later"))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root().join(below)
    }

    /// The same, with the folders it is in.
    fn made(&self, below: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn put(&self, below: &str, text: &str) {
        put(&self.path(below), text.as_bytes());
    }

    fn append(&self, below: &str, text: &str) {
        let file = fs::File::options().create(true).append(true).open(self.made(below));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }
}

/// The interface of a hub, which has the folders of its ports.
fn hub_interface(hub: &str) -> String {
    hub.strip_prefix("usb").map_or(format!("{hub}:1.0"), |bus| format!("{bus}-0:1.0"))
}
