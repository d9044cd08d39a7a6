// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel of a station on a real display: `platend` in a guest with the kernel's own graphics and input drivers. What
//! the display shows is asked of QEMU and must be the very picture; touches and keys come from QEMU too. One boot for all
//! checks; each test looks at its own.

mod config;
mod devices;
mod mirror;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Point;
use platen_ui::Input;
use serde_json::json;

use crate::boot::{Machine, Qmp, wanted};
use crate::common::Station;
use crate::guest::{Guest, Parts, find};
use mirror::{Mirror, PORTS, SIZE};

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

struct Bench {
    // Dropped first: it has the files below open.
    machine: Machine,
    qmp: Qmp,
    mirror: Mirror,
    last: u32,
    station: Station,
    _guest: Guest,
}

impl Bench {
    /// A guest whose station runs and has no display yet.
    fn start() -> Self {
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
            programs: &[PathBuf::from(env!("CARGO_BIN_EXE_platend")), find("nc.openbsd"), own],
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
        let mut bench = Self { machine, qmp, mirror, last: 0, station, _guest: guest };
        bench.shell("start");
        bench
    }

    /// A command in the guest; one that fails fails the test.
    #[track_caller]
    fn shell(&mut self, command: &str) {
        self.last += 1;
        self.machine.type_line(&format!("{} {command}", self.last));
        let [done, failed] = ["ok", "failed"].map(|how| format!("DONE {} {how}", self.last));
        let said = self.machine.wait_for_one_of(&[&done, &failed, "Kernel panic"]);
        assert!(said.contains(&done), "{command}: {said}");
    }

    /// What the display shows.
    fn shown(&mut self) -> Option<Vec<[u8; 3]>> {
        let file = self.station.path("screen.png");
        self.qmp.ask("screendump", &json!({ "filename": file, "format": "png" }));
        let file = std::io::BufReader::new(std::fs::File::open(&file).expect("made"));
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
        let mut data = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut data).expect("a picture");
        assert_eq!(info.color_type, png::ColorType::Rgb);
        let is_whole = (info.width, info.height) == (SIZE.width, SIZE.height);
        is_whole.then(|| data.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
    }

    /// Wait until the display shows the very picture.
    #[track_caller]
    fn same(&mut self, what: &str) {
        self.until(what, |shown, expected| shown == expected);
        // Whatever was on its way has come.
        sleep(SETTLED);
        self.until(what, |shown, expected| shown == expected);
    }

    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&[[u8; 3]], &[[u8; 3]]) -> bool) {
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
    fn touch(&mut self, at: Point) {
        // QEMU's axes go from 0 to 32767, whatever the size of the display.
        let axis = |name: &str, at: i32, of: u32| {
            let value = (f64::from(at) + 0.5) * 32768.0 / f64::from(of);
            json!({ "type": "abs", "data": { "axis": name, "value": value as u32 } })
        };
        let button = |is_down: bool| json!({ "type": "btn", "data": { "down": is_down, "button": "left" } });
        let place = [axis("x", at.x, SIZE.width), axis("y", at.y, SIZE.height)];
        self.qmp.ask("input-send-event", &json!({ "events": place }));
        self.qmp.ask("input-send-event", &json!({ "events": [button(true)] }));
        sleep(Duration::from_millis(200));
        self.qmp.ask("input-send-event", &json!({ "events": [button(false)] }));
        self.mirror.input(Input::Down(at));
        self.mirror.input(Input::Up(at));
    }

    fn key(&mut self, name: &str, input: Input) {
        self.qmp.ask("send-key", &json!({ "keys": [{ "type": "qcode", "data": name }], "hold-time": 40 }));
        sleep(Duration::from_millis(150));
        self.mirror.input(input);
    }

    /// What a device says that is played.
    fn report(&mut self, events: &str) {
        self.shell(&format!("echo {events} >&6"));
    }

    /// A knob.
    fn turn(&mut self, by: i32) {
        self.report(&format!("knob 2 7 {by}"));
        self.mirror.input(if by > 0 { Input::Next } else { Input::Previous });
    }

    /// A drive is in this port, and everything is shown.
    fn insert(&mut self, port: &str) {
        let before = self.mirror.pass();
        self.shell(&format!("insert {port}"));
        self.until("the drive is seen", |_, expected| expected != before);
        self.same("the drive is shown");
    }

    fn until_begun(&mut self, port: &str) {
        let expected = (port.to_owned(), "TREE-r1".to_owned());
        self.until_noted("the drive is begun", |mirror| mirror.started.contains(&expected));
    }

    fn until_noted(&mut self, what: &str, is_so: impl Fn(&Mirror) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(&self.mirror) {
            assert!(Instant::now() < end, "never: {what}: {:?} {:?}", self.mirror.started, self.mirror.ended);
            self.mirror.pass();
            sleep(Duration::from_millis(50));
        }
    }
}

/// The station goes on without a display, and says so once. When there is one, it shows the very picture.
fn comes_late(bench: &mut Bench) {
    bench.shell("await said 1 'nothing is shown on the panel: .*expected a display at any connector, found none'");
    bench.shell("answers");
    bench.shell("plug_card");
    bench.same("the picture is shown once there is a display");
    bench.shell("is_lit 00");
    bench.shell("said 1 'nothing is shown' && ! said 2 'nothing is shown'");
    // The control: a picture that differs in one pixel is another one.
    let (mut expected, shown) = (bench.mirror.pass(), bench.shown().expect("a picture"));
    assert_eq!(shown, expected);
    expected[1000][1] ^= 1;
    assert_ne!(shown, expected);
}

/// While the cable is off the station goes on; what happened meanwhile is shown when it is back.
fn goes_and_comes(bench: &mut Bench) {
    bench.shell("cable off");
    bench.shell("await said 1 'nothing is shown on the panel: .*expected a display at Virtual-1, found none'");
    bench.shell("platen station --socket /tmp/station.sock pause --port 4 > /dev/null");
    bench.shell("answers");
    bench.shell("cable detect");
    bench.same("the whole picture is back");
    bench.shell("platen station --socket /tmp/station.sock resume --port 4 > /dev/null");
    bench.same("and goes on");
}

fn touched(bench: &mut Bench) {
    touch_through(bench, "1");
}

fn touch_through(bench: &mut Bench, port: &str) {
    bench.insert(port);
    loop {
        let (_, target, begins) = bench.mirror.way(port);
        let at = bench.mirror.middle(target);
        bench.touch(at);
        if begins {
            return bench.until_begun(port);
        }
        bench.same("what was touched is open");
    }
}

fn keyed(bench: &mut Bench) {
    bench.insert("2");
    loop {
        let (places, target, begins) = bench.mirror.way("2");
        // To the first place, wherever the focus was; then on.
        for _ in 0..=places {
            bench.key("left", Input::Previous);
        }
        for _ in 0..target {
            bench.key("right", Input::Next);
        }
        bench.same("the focus is there");
        bench.key("ret", Input::Choose);
        if begins {
            return bench.until_begun("2");
        }
        bench.same("what was chosen is open");
    }
}

/// A tablet that was unplugged is heard again when it is back.
fn replugged(bench: &mut Bench) {
    bench.qmp.ask("device_del", &json!({ "id": "tablet" }));
    bench.qmp.wait_for("DEVICE_DELETED", "tablet");
    bench.shell("await said 1 'Tablet.*: gone'");
    bench.qmp.ask("device_add", &json!({ "driver": "virtio-tablet-pci", "bus": "bay", "id": "tablet" }));
    bench.shell("await said 2 'Tablet.*: listened to'");
    touch_through(bench, "3");
}

/// Of several fingers the first one counts, also when others come and go; a knob leads there too.
fn fingers(bench: &mut Bench) {
    bench.shell("play_devices");
    bench.shell("await said 1 'Fingers.*: listened to' && await said 1 'Virtio Knob.*: listened to'");
    bench.insert("4");
    let mut id = 0;
    loop {
        let (places, target, begins) = bench.mirror.way("4");
        if begins {
            for _ in 0..=places {
                bench.turn(-1);
            }
            for _ in 0..target {
                bench.turn(1);
            }
            bench.same("the focus is there");
            bench.key("ret", Input::Choose);
            return bench.until_begun("4");
        }
        let (at, other) = (bench.mirror.middle(target), bench.mirror.middle((target + 1) % places));
        id += 2;
        // Kinds and codes of the multi-touch protocol: slot 47, place 53 and 54, tracking id 57, touch 330.
        bench.report(&format!("fingers 3 47 0 3 57 {id} 3 53 {} 3 54 {} 1 330 1", at.x, at.y));
        bench.report(&format!("fingers 3 47 1 3 57 {} 3 53 {} 3 54 {}", id + 1, other.x, other.y));
        bench.report("fingers 3 57 -1");
        bench.report("fingers 3 47 0 3 57 -1 1 330 0");
        bench.mirror.input(Input::Down(at));
        bench.mirror.input(Input::Up(at));
        bench.same("what the first finger touched is open");
    }
}

/// What was begun by hand at the panel became four good drives.
fn good(bench: &mut Bench) {
    let all = ["1", "2", "3", "4"].map(|port| (port.to_owned(), "READY".to_owned()));
    bench.until_noted("four good drives", |mirror| all.iter().all(|one| mirror.ended.contains(one)));
    bench.same("the drives are shown as good");
    // So does the light beside the port, which was dark.
    bench.shell("await is_lit 01");
}

/// What is typed at the panel reaches no console behind it. It would, without the station.
fn private(bench: &mut Bench) {
    bench.key("ret", Input::Choose);
    bench.shell("! is_typed");
    bench.shell("kill_station");
    bench.key("ret", Input::Choose);
    bench.shell("await is_typed");
}

type Check = fn(&mut Bench);

const CHECKS: [(&str, Check); 8] = [
    ("comes late", comes_late),
    ("goes and comes", goes_and_comes),
    ("touched", touched),
    ("keyed", keyed),
    ("replugged", replugged),
    ("fingers", fingers),
    ("good", good),
    ("private", private),
];

/// What came of each check; those that are missing were not come to.
fn outcomes() -> &'static BTreeMap<&'static str, Result<(), String>> {
    static OUTCOMES: OnceLock<BTreeMap<&'static str, Result<(), String>>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let mut outcomes = BTreeMap::new();
        let mut bench = match catch_unwind(Bench::start) {
            Ok(bench) => bench,
            Err(panic) => return BTreeMap::from([("start", Err(text_of(&*panic)))]),
        };
        for (name, check) in CHECKS {
            let began = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&mut bench)));
            println!("{name}: {} after {} s", if outcome.is_ok() { "ok" } else { "failed" }, began.elapsed().as_secs());
            let is_over = outcome.is_err();
            outcomes.insert(name, outcome.map_err(|panic| text_of(&*panic)));
            // The mirror may be somewhere else than the panel.
            if is_over {
                break;
            }
        }
        outcomes
    })
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[track_caller]
fn passed(check: &str) {
    if !wanted() {
        return;
    }
    match outcomes().get(check) {
        Some(Ok(())) => {}
        Some(Err(why)) => panic!("{check}: {why}"),
        None => panic!("{check}: not come to: {:?}", outcomes().iter().find(|(_, outcome)| outcome.is_err())),
    }
}

#[test]
fn a_station_without_a_display_goes_on_and_shows_the_very_picture_once_there_is_one() {
    passed("comes late");
}

#[test]
fn a_display_that_was_gone_gets_the_whole_picture() {
    passed("goes and comes");
}

#[test]
fn a_touch_chooses_and_starts_a_medium() {
    passed("touched");
}

#[test]
fn keys_choose_and_start_a_medium() {
    passed("keyed");
}

#[test]
fn a_tablet_that_was_unplugged_is_heard_again() {
    passed("replugged");
}

#[test]
fn of_several_fingers_the_first_one_counts_and_a_knob_leads_there_too() {
    passed("fingers");
}

#[test]
fn drives_begun_at_the_panel_are_good_and_shown_so() {
    passed("good");
}

#[test]
fn what_is_typed_at_the_panel_reaches_no_console() {
    passed("private");
}
