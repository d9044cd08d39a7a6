// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A guest whose station has a panel, its mirror on the host, and hands that touch, press and turn.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Point;
use platen_ui::Input;
use serde_json::json;

use super::mirror::{Mirror, PORTS, SIZE};
use crate::boot::{Machine, Qmp};
use crate::common::Station;
use crate::guest::{Guest, Parts, find, platen};

/// In the order in which they are loaded; the last one when the card is to be there.
const MODULES: [&str; 14] = [
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/char/virtio_console",
    "drivers/input/evdev",
    "drivers/input/misc/uinput",
    "drivers/virtio/virtio_input",
    "drivers/virtio/virtio_dma_buf",
    "drivers/gpu/drm/drm",
    "drivers/gpu/drm/drm_kms_helper",
    "drivers/gpu/drm/drm_shmem_helper",
    "drivers/gpu/drm/virtio/virtio-gpu",
];

/// Longer than anything here takes on a busy machine without acceleration.
const PATIENCE: Duration = Duration::from_secs(200);
/// A touch so soon after the screen changed is meant for the one before (ui/DESIGN.md).
const SETTLED: Duration = Duration::from_millis(1000);

pub(super) struct Bench {
    // Dropped first: it has the files below open.
    machine: Machine,
    pub(super) qmp: Qmp,
    pub(super) mirror: Mirror,
    last: u32,
    /// The display hangs upside down.
    is_turned: bool,
    station: Station,
    _guest: Guest,
}

impl Bench {
    /// A guest whose station runs and has no display yet.
    pub(super) fn start() -> Self {
        let station = Station::new();
        // Small, because an emulated processor writes and hashes it many times.
        station.files("tree", &[("readme.txt", b"hello\n")]);
        station.build(&station.define("TREE", 1, "")).expect(0);
        station.import().expect(0);
        let port = |label: &&str| format!("[[port]]\nlabel = \"{label}\"\nsocket = \"{label}\"\n");
        let map = "schema = 1\n".to_owned() + &PORTS.iter().map(port).collect::<String>();
        std::fs::write(station.path("ports.toml"), map).expect("writes");
        let at = "/tmp/station";
        let config = format!(
            "name = \"guest\"\n[paths]\ncache = \"{at}/cache\"\ntrust = \"{at}/trusted\"\nports = \"{at}/ports.toml\"\n             ledger = \"/tmp/ledger.db\"\nstate = \"/tmp/state\"\nsocket = \"/tmp/station.sock\"\n             [policy]\nlowest-free = \"1 MiB\"\nminimum-speed = \"1 B/s\"\nstall-limit = 900\n"
        );
        std::fs::write(station.path("station.toml"), config).expect("writes");
        let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/qemu_x86_64/board.toml");
        std::fs::copy(board, station.path("board.toml")).expect("copies");
        let own = std::env::current_exe().expect("this program");
        let parts = Parts {
            modules: &MODULES,
            programs: &[platen(), PathBuf::from(env!("CARGO_BIN_EXE_platend")), find("nc.openbsd"), own],
            scripts: "tests/display/guest",
            kept: &["cache", "trusted", "ports.toml", "station.toml", "board.toml"],
        };
        let guest = Guest::build(&station, &parts);
        let machine = Machine::start_kernel(&guest.kernel, &guest.initramfs(), |command, work| {
            let line = work.join("station");
            command.args(["-chardev", &format!("socket,id=station,path={},server=on,wait=off", line.display())]);
            for device in [
                "virtio-serial-pci",
                "virtserialport,chardev=station,name=station",
                "virtio-gpu-pci,xres=800,yres=480",
                "virtio-keyboard-pci",
                "pcie-root-port,id=bay,chassis=1",
                "virtio-tablet-pci,bus=bay,id=tablet",
            ] {
                command.args(["-device", device]);
            }
        });
        machine.wait_for("GUEST READY");
        let (qmp, mirror) = (machine.qmp(), Mirror::new(machine.socket("station")));
        let mut bench = Self { machine, qmp, mirror, last: 0, is_turned: false, station, _guest: guest };
        bench.start_station();
        bench
    }

    fn start_station(&mut self) {
        self.shell("start");
        self.mirror.begin();
    }

    /// The display hangs upside down from now on, and the station is started anew.
    pub(super) fn mount_upside_down(&mut self) {
        self.shell("kill_station; mount_upside_down");
        self.is_turned = true;
        self.start_station();
    }

    /// A command in the guest; one that fails fails the test.
    #[track_caller]
    pub(super) fn shell(&mut self, command: &str) {
        self.last += 1;
        self.machine.type_line(&format!("{} {command}", self.last));
        let [done, failed] = ["ok", "failed"].map(|how| format!("DONE {} {how}", self.last));
        let said = self.machine.wait_for_one_of(&[&done, &failed, "Kernel panic"]);
        assert!(said.contains(&done), "{command}: {said}");
    }

    /// What the display shows.
    pub(super) fn shown(&mut self) -> Option<Vec<[u8; 3]>> {
        let file = self.station.path("screen.png");
        self.qmp.ask("screendump", &json!({ "filename": file, "format": "png" }));
        let file = std::io::BufReader::new(std::fs::File::open(&file).expect("made"));
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
        let mut data = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut data).expect("a picture");
        assert_eq!(info.color_type, png::ColorType::Rgb);
        let is_whole = (info.width, info.height) == (SIZE.width, SIZE.height);
        let mut pixels: Vec<[u8; 3]> = data.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        if self.is_turned {
            pixels.reverse();
        }
        is_whole.then_some(pixels)
    }

    /// Wait until the display shows the very picture.
    #[track_caller]
    pub(super) fn same(&mut self, what: &str) {
        self.until(what, |shown, expected| shown == expected);
        // Whatever was on its way has come.
        sleep(SETTLED);
        self.until(what, |shown, expected| shown == expected);
    }

    #[track_caller]
    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&[[u8; 3]], &[[u8; 3]]) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let (expected, shown) = (self.mirror.pass(), self.shown());
            if shown.as_ref().is_some_and(|shown| is_so(shown, &expected)) {
                return;
            }
            if Instant::now() > end {
                let differing = shown.map(|shown| shown.iter().zip(&expected).filter(|(a, b)| a != b).count());
                self.shell("cat /tmp/platend.log");
                panic!("never: {what}: {differing:?} pixels differ\n{}", self.machine.wait_for("DONE"));
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// A finger on the display, and on the mirror.
    pub(super) fn touch(&mut self, at: Point) {
        // QEMU's axes go from 0 to 32767, whatever the size of the display.
        let axis = |name: &str, at: i32, of: u32| {
            let value = (f64::from(at) + 0.5) * 32768.0 / f64::from(of);
            json!({ "type": "abs", "data": { "axis": name, "value": value as u32 } })
        };
        let button = |is_down: bool| json!({ "type": "btn", "data": { "down": is_down, "button": "left" } });
        let last = Point::new(SIZE.width as i32 - 1, SIZE.height as i32 - 1);
        let there = if self.is_turned { last - at } else { at };
        let place = [axis("x", there.x, SIZE.width), axis("y", there.y, SIZE.height)];
        self.qmp.ask("input-send-event", &json!({ "events": place }));
        self.qmp.ask("input-send-event", &json!({ "events": [button(true)] }));
        sleep(Duration::from_millis(200));
        self.qmp.ask("input-send-event", &json!({ "events": [button(false)] }));
        self.mirror.input(Input::Down(at));
        self.mirror.input(Input::Up(at));
    }

    pub(super) fn key(&mut self, name: &str, input: Input) {
        self.qmp.ask("send-key", &json!({ "keys": [{ "type": "qcode", "data": name }], "hold-time": 40 }));
        sleep(Duration::from_millis(150));
        self.mirror.input(input);
    }

    /// What a device says that is played.
    pub(super) fn report(&mut self, events: &str) {
        self.shell(&format!("echo {events} >&6"));
    }

    /// A knob.
    pub(super) fn turn(&mut self, by: i32) {
        self.report(&format!("knob 2 7 {by}"));
        self.mirror.input(if by > 0 { Input::Next } else { Input::Previous });
    }

    /// A drive is in this port, and everything is shown.
    pub(super) fn insert(&mut self, port: &str) {
        let before = self.mirror.pass();
        self.shell(&format!("insert {port}"));
        self.until("the drive is seen", |_, expected| expected != before);
        self.same("the drive is shown");
    }

    pub(super) fn until_begun(&mut self, port: &str) {
        let expected = (port.to_owned(), "TREE-r1".to_owned());
        self.until_noted("the drive is begun", |mirror| mirror.started.contains(&expected));
    }

    pub(super) fn until_noted(&mut self, what: &str, is_so: impl Fn(&Mirror) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(&self.mirror) {
            assert!(Instant::now() < end, "never: {what}: {:?} {:?}", self.mirror.started, self.mirror.ended);
            self.mirror.pass();
            sleep(Duration::from_millis(50));
        }
    }
}
