// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A bench: a guest in which a station runs, and hands that plug drives into it and pull them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platen_events::{DriveId, DriveState, Step};
use serde_json::{Value, json};

use super::drive::{Before, Drive, How, LARGEST_MIB, SIZE_MIB, drive, pattern, text};
use super::line::Line;
use super::ports::{PORTS, Port, UNMAPPED, add_devices, map};
use crate::boot::{Machine, Qmp};
use crate::common::{Station, tool};
use crate::guest::{Guest, Parts, find, platen};

/// In the order in which they are loaded.
const MODULES: [&str; 45] = [
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/char/virtio_console",
    "fs/configfs/configfs",
    "drivers/usb/common/usb-common",
    "drivers/usb/core/usbcore",
    "drivers/usb/gadget/udc/udc-core",
    "drivers/usb/gadget/udc/dummy_hcd",
    "drivers/usb/gadget/libcomposite",
    "drivers/usb/gadget/function/usb_f_mass_storage",
    "drivers/usb/gadget/function/usb_f_hid",
    "drivers/usb/gadget/function/u_ether",
    "drivers/usb/gadget/function/usb_f_ecm",
    "drivers/hid/hid",
    "drivers/hid/usbhid/usbhid",
    "drivers/hid/hid-generic",
    "drivers/net/mii",
    "drivers/net/usb/usbnet",
    "drivers/net/usb/cdc_ether",
    "drivers/scsi/scsi_common",
    "drivers/scsi/scsi_mod",
    "crypto/crct10dif_common",
    "lib/crc-t10dif",
    "lib/crc64",
    "lib/crc64-rocksoft",
    "block/t10-pi",
    "drivers/scsi/sd_mod",
    "drivers/ata/libata",
    "drivers/ata/libahci",
    "drivers/ata/ahci",
    "drivers/nvme/host/nvme-core",
    "drivers/nvme/host/nvme",
    "drivers/usb/storage/usb-storage",
    "drivers/usb/storage/uas",
    "drivers/usb/host/xhci-hcd",
    "drivers/usb/host/xhci-pci",
    "drivers/usb/host/ehci-hcd",
    "drivers/usb/host/ehci-pci",
    "fs/fat/fat",
    "fs/fat/vfat",
    "fs/nls/nls_cp437",
    "fs/nls/nls_ascii",
];

pub(super) struct Bench {
    // Dropped first: it has the files below open.
    machine: Machine,
    qmp: Qmp,
    pub(super) line: Line,
    /// QEMU's name of what is in each socket, by the socket's name.
    plugged: BTreeMap<&'static str, (String, How)>,
    /// Things and commands were numbered up to here.
    last: u32,
    pub(super) system: Before,
    pub(super) internal: Before,
    pub(super) bay: PathBuf,
    /// The host's: its keys are trusted, its cache is what the guest's began as.
    pub(super) station: Station,
    _guest: Guest,
}

impl Bench {
    /// A guest with a station that has seen its disks and was told nothing.
    pub(super) fn start() -> Self {
        let station = Station::new();
        // Small, because an emulated processor writes and hashes it many times.
        station.files("tree", &[("readme.txt", b"hello\n"), ("sources/big.bin", &[0x5a; 5_000_000])]);
        station.build(&station.define("TREE", 1, "")).expect(0);
        station.import().expect(0);
        std::fs::write(station.path("ports.toml"), map()).expect("writes");
        let (largest, at) = (LARGEST_MIB, "/tmp/station");
        let config = format!(
            "name = \"guest\"\n[paths]\ncache = \"{at}/cache\"\ntrust = \"{at}/trusted\"\nports = \"{at}/ports.toml\"\n\
             ledger = \"/tmp/ledger.db\"\nstate = \"/tmp/state\"\nsocket = \"/tmp/station.sock\"\n\
             [policy]\nlowest-free = \"1 MiB\"\nminimum-speed = \"1 B/s\"\nstall-limit = 900\n\
             largest-drive = \"{largest} MiB\"\n"
        );
        std::fs::write(station.path("station.toml"), config).expect("writes");
        let parts = Parts {
            modules: &MODULES,
            programs: &[platen(), PathBuf::from(env!("CARGO_BIN_EXE_platend")), find("cmp"), find("nc.openbsd")],
            scripts: "tests/hotplug/guest",
            kept: &["cache", "trusted", "ports.toml", "station.toml"],
        };
        let guest = Guest::build(&station, &parts);

        let [bay, system, internal] = ["bay", "system", "internal"].map(|name| station.path(&format!("{name}.img")));
        pattern(&bay, SIZE_MIB);
        pattern(&internal, SIZE_MIB);
        tool("mkfs.fat", &["-C", text(&system), "16384"]).expect(0);
        let before = [Before::of(&system), Before::of(&internal)];
        let disks: [(&str, &Path); 3] = [("bay", &bay), ("system", &system), ("internal", &internal)];
        let machine = Machine::start_kernel(&guest.kernel, &guest.initramfs(), |command, work| {
            add_devices(command, work, &disks);
        });
        machine.wait_for("GUEST READY");
        let (qmp, line) = (machine.qmp(), Line::new(machine.socket("station")));
        let [system, internal] = before;
        let plugged = BTreeMap::new();
        let mut bench = Self { machine, qmp, line, plugged, last: 0, system, internal, bay, station, _guest: guest };
        // The guest's kernel came from memory; this is the disk that it would have come from.
        bench.shell("mkdir /boot && mount -t vfat -o ro \"/dev/$(disk_in ata2)\" /boot");
        bench.start_station();
        bench
    }

    /// What a command says in the guest; one that fails fails the test.
    #[track_caller]
    pub(super) fn shell(&mut self, command: &str) -> String {
        let number = self.number();
        self.machine.type_line(&format!("{number} {command}"));
        self.ordered(number).unwrap_or_else(|said| panic!("{command}: {said}"))
    }

    fn ordered(&mut self, number: u32) -> Result<String, String> {
        let [done, failed] = ["ok", "failed"].map(|how| format!("DONE {number} {how}"));
        let said = self.machine.wait_for_one_of(&[&done, &failed, "Kernel panic"]);
        let own = |end: &str| {
            let before = said.split_once(end)?.0;
            let own = before.rsplit_once("DONE ").and_then(|(_, own)| own.split_once('\n'));
            Some(own.map_or(before, |(_, own)| own).to_owned())
        };
        match own(&done) {
            Some(said) => Ok(said),
            None => Err(own(&failed).unwrap_or(said)),
        }
    }

    /// Waits until the guest has said this, for a command that goes on in the background.
    pub(super) fn wait_for(&self, said: &str) {
        self.machine.wait_for(said);
    }

    pub(super) fn start_station(&mut self) {
        self.shell("start");
        self.line.begin();
    }

    pub(super) fn drive(&self, serial: &str, how: How) -> Drive {
        drive(&self.station, serial, how, SIZE_MIB)
    }

    /// A number that no other has.
    pub(super) fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    pub(super) fn qmp(&mut self, command: &str, arguments: &Value) -> Value {
        self.qmp.ask(command, arguments)
    }

    /// Insert a drive.
    pub(super) fn plug(&mut self, port: Port, drive: &Drive) {
        let id = format!("drive{}", self.number());
        let file = json!({ "driver": "file", "filename": drive.image, "locking": "off" });
        let raw = json!({ "driver": "raw", "file": file, "read-only": drive.how == How::ReadOnly });
        let mut node = match drive.how {
            How::Slow => {
                assert!(port.is_slow, "{}", port.name);
                let limits = json!({ "bps-write": 512 << 10 });
                self.qmp("object-add", &json!({ "qom-type": "throttle-group", "id": limited(&id), "limits": limits }));
                json!({ "driver": "throttle", "throttle-group": limited(&id), "file": raw })
            }
            _ => raw,
        };
        node["node-name"] = json!(id);
        self.qmp("blockdev-add", &node);
        let place = json!({ "bus": port.bus, "port": port.at, "id": id });
        let disk = json!({ "drive": id, "serial": drive.serial, "removable": true });
        match drive.how {
            How::Uas => {
                self.qmp("device_add", &joined([json!({ "driver": "usb-uas", "serial": drive.serial }), place]));
                let of_it = json!({ "driver": "scsi-hd", "bus": format!("{id}.0"), "id": format!("{id}disk") });
                self.qmp("device_add", &joined([of_it, disk]));
                let path = format!("/machine/peripheral/{id}");
                self.qmp("qom-set", &json!({ "path": path, "property": "attached", "value": true }));
            }
            _ => drop(self.qmp("device_add", &joined([json!({ "driver": "usb-storage" }), place, disk]))),
        }
        assert!(self.plugged.insert(port.name, (id, drive.how)).is_none(), "{} is in use", port.name);
    }

    /// Pull what is in a socket, at this moment.
    pub(super) fn pull(&mut self, port: Port) {
        let (id, how) = self.plugged.remove(port.name).unwrap_or_else(|| panic!("{} is empty", port.name));
        self.qmp("device_del", &json!({ "id": id }));
        self.qmp.wait_for("DEVICE_DELETED", &id);
        self.qmp("blockdev-del", &json!({ "node-name": id }));
        if how == How::Slow {
            self.qmp("object-del", &json!({ "id": limited(&id) }));
        }
    }

    pub(super) fn is_empty(&self, port: Port) -> bool {
        !self.plugged.contains_key(port.name)
    }

    /// Wait until a drive that writes slowly is in the making, and have it stay so for minutes.
    pub(super) fn hold(&mut self, port: Port) {
        self.line.until(&format!("the drive in {} is in the making", port.name), |line| {
            let job = inside(line, port.name).and_then(|(_, drive)| line.state().jobs().get(&drive.job?));
            job.and_then(|job| job.step).is_some_and(|step| step.step == Step::Write)
        });
        self.limit(port, 16 << 10);
    }

    /// From now on it writes as fast as it can.
    pub(super) fn let_go(&mut self, port: Port) {
        self.limit(port, 0);
    }

    fn limit(&mut self, port: Port, bytes_per_s: u32) {
        let path = format!("/objects/{}", limited(&self.plugged[port.name].0));
        self.qmp("qom-set", &json!({ "path": path, "property": "limits", "value": { "bps-write": bytes_per_s } }));
    }

    /// A request that is granted.
    #[track_caller]
    pub(super) fn ask(&mut self, request: Value) -> Value {
        let answer = self.line.ask(request.clone());
        assert!(answer.get("error").is_none(), "{request}: {answer}");
        answer["ok"].clone()
    }

    /// Read all that the station has said up to now.
    pub(super) fn catch_up(&mut self) {
        self.ask(json!({ "request": "errand", "errand": "media" }));
    }

    pub(super) fn arm(&mut self, ports: &[Port], wanted: Option<u32>) {
        let ports: Vec<&str> = ports.iter().map(|port| port.name).collect();
        let mut request = json!({ "request": "arm", "ports": ports, "work": work() });
        if let Some(wanted) = wanted {
            request["wanted"] = wanted.into();
        }
        self.ask(request);
    }

    /// The drive that is in a port now.
    pub(super) fn inside(&self, port: &str) -> Option<(&DriveId, &DriveState)> {
        inside(&self.line, port)
    }

    /// Wait until the station has seen this drive.
    pub(super) fn until_seen(&mut self, port: &str, serial: &str) -> DriveId {
        let is_it =
            |line: &Line| inside(line, port).is_some_and(|(_, drive)| drive.label.serial.as_deref() == Some(serial));
        self.line.until(&format!("{serial} is seen in {port}"), is_it);
        self.inside(port).expect("seen").0.clone()
    }

    pub(super) fn until_ready(&mut self, serials: &[&str]) {
        self.line.until(&format!("{serials:?} are ready"), |line| serials.iter().all(|serial| line.is_ready(serial)));
    }

    /// Everything as it was in the beginning.
    pub(super) fn clear(&mut self) {
        self.ask(json!({ "request": "disarm" }));
        self.ask(json!({ "request": "resume" }));
        self.ask(json!({ "request": "cancel" }));
        for port in PORTS.into_iter().chain(UNMAPPED) {
            if !self.is_empty(port) {
                self.pull(port);
            }
        }
        let is_usb = |name: &str| PORTS.iter().chain(&UNMAPPED).any(|port| port.name == name);
        self.line.until("all drives are gone", |line| {
            !line.state().drives().values().any(|drive| is_usb(&drive.label.port))
        });
    }

    /// Every disk of the guest with something in it, as its kernel names it, with its disk sequence number.
    pub(super) fn in_sysfs(&mut self) -> Vec<(String, u64)> {
        let said = self.shell("inserted");
        let drives = said.lines().filter_map(|line| {
            let (name, sequence) = line.split_once(' ')?;
            Some((format!("/dev/{name}"), sequence.trim().parse().ok()?))
        });
        let mut drives: Vec<(String, u64)> = drives.collect();
        drives.sort();
        drives
    }

    /// The same as the station says it.
    pub(super) fn in_state(&self) -> Vec<(String, u64)> {
        let drives = self.line.state().drives().iter().filter(|(_, drive)| !drive.is_gone);
        let mut drives: Vec<(String, u64)> =
            drives.map(|(id, drive)| (drive.label.path.clone(), id.disk_sequence.unwrap_or_default())).collect();
        drives.sort();
        drives
    }
}

/// The fields of all of these objects.
fn joined<const N: usize>(objects: [Value; N]) -> Value {
    let fields = objects.into_iter().filter_map(|object| object.as_object().cloned()).flatten();
    Value::Object(fields.collect())
}

fn limited(id: &str) -> String {
    format!("{id}limit")
}

pub(super) fn work() -> Value {
    json!({ "kind": "write", "medium": "TREE-r1" })
}

fn inside<'a>(line: &'a Line, port: &str) -> Option<(&'a DriveId, &'a DriveState)> {
    line.state().drives().iter().find(|(_, drive)| drive.label.port == port && !drive.is_gone)
}
