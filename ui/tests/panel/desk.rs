// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A panel on a desk, and a station that never was: what it tells is made here.

use embedded_graphics::prelude::{Point, Size};
use platen_events::{
    BatchId, Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, Moved, PortMode, PortUse, Step, Work,
};
use platen_ui::{About, Answer, Board, Dates, Input, Language, Medium, Panel, Row, Settings, Ui, Wish};

pub(crate) const GIB: u64 = 1 << 30;

/// The sizes that the design names, and two that it does not.
pub(crate) const PANELS: [(&str, u32, u32, bool); 9] = [
    ("1280x720", 1280, 720, false),
    ("800x480", 800, 480, false),
    ("480x800", 480, 800, false),
    ("480x320", 480, 320, false),
    ("320x480", 320, 480, false),
    ("320x240", 320, 240, false),
    ("240x320", 240, 320, false),
    ("240x240", 240, 240, false),
    ("128x64", 128, 64, true),
];

/// What a port of the desk does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Doing {
    Nothing,
    Checking,
    Writing(u64),
    Restarting,
    Reading(u64),
    Ready,
    Failed(Code),
    Refused(Code),
    Retry(Code),
    Paused,
    Waiting,
}

/// A panel, and the numbers given to drives and jobs so far.
pub(crate) struct Desk {
    pub(crate) ui: Ui,
    pub(crate) now_ms: u64,
    jobs: u64,
}

pub(crate) fn panel(width: u32, height: u32, is_mono: bool) -> Panel {
    Panel { size: Size::new(width, height), is_mono, has_light: true }
}

fn board() -> Board {
    let about = About {
        station: "bench-2".to_owned(),
        version: "0.1.0".to_owned(),
        author_keys: vec!["RWTx5Zr1u9rQ3n0a".to_owned()],
        station_key: "RWQ8b1mC9Qe7f3Kd".to_owned(),
    };
    Board { places: Vec::new(), about }
}

impl Desk {
    pub(crate) fn new(panel: Panel, language: Language, is_first_start: bool) -> Self {
        let settings = Settings { language, ..Settings::default() };
        let mut ui = Ui::new(panel, board(), settings, is_first_start);
        ui.begin();
        let mut desk = Self { ui, now_ms: 1000, jobs: 0 };
        desk.answer_all();
        desk.ui.tick(1000, "14:32");
        desk
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.ui.take(&event, self.now_ms);
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.ui.tick(self.now_ms, "14:32");
    }

    /// So many ports, armed for a batch of forty or not.
    pub(crate) fn ports(&mut self, count: usize, is_armed: bool) {
        let work = Work { kind: JobKind::Write, medium: Some("OFFICE-r7".to_owned()) };
        if is_armed {
            self.tell(Event::BatchStarted { batch: BatchId(3), work: work.clone(), wanted: Some(40) });
            self.tell(Event::BatchCounted { batch: BatchId(3), good: 12, failed: 2, refused: 1 });
        }
        for port in 1..=count {
            let used = PortUse {
                mode: if is_armed { PortMode::Armed } else { PortMode::Kiosk },
                work: is_armed.then(|| work.clone()),
                batch: is_armed.then_some(BatchId(3)),
                is_paused: false,
            };
            self.tell(Event::PortSet { port: port.to_string(), used });
        }
    }

    /// Let a port do this.
    pub(crate) fn set(&mut self, port: usize, doing: Doing) {
        let sequence = Some(100 + port as u64);
        let drive = DriveId { place: format!("2-1.{port}"), disk_sequence: sequence };
        let label = DriveLabel {
            port: port.to_string(),
            path: format!("/dev/sd{port}"),
            serial: Some(format!("4C53000124081711{:04}", 6270 + port)),
            vendor_product: Some("0781:5581".to_owned()),
            model: Some("SanDisk Ultra".to_owned()),
            size_bytes: Some(if port == 7 { 8 * GIB } else { 32_000_000_000 }),
        };
        if matches!(doing, Doing::Nothing) {
            return;
        }
        if matches!(doing, Doing::Paused) {
            let used = PortUse { mode: PortMode::Armed, work: None, batch: None, is_paused: true };
            self.tell(Event::PortSet { port: port.to_string(), used });
        }
        self.tell(Event::DriveSeen { drive: drive.clone(), label });
        if let Doing::Refused(code) = doing {
            let text = "expected 16 GB, found 8 GB".to_owned();
            return self.tell(Event::DriveRefused { drive, code: Some(code.into()), text });
        }
        if matches!(doing, Doing::Waiting | Doing::Paused) {
            return;
        }
        self.jobs += 1;
        let job = JobId(self.jobs);
        let medium = Some("OFFICE-r7".to_owned());
        self.tell(Event::JobStarted { job, kind: JobKind::Write, drive: drive.clone(), medium });
        let total = 14 * GIB;
        let step = |step| Event::StepStarted { job, step, total_bytes: Some(total) };
        // As fast as leaves some minutes.
        let go = |desk: &mut Self, percent: u64| {
            let to = total * percent / 100;
            let speed = 40 << 20;
            desk.tell(Event::Progress { job, done_bytes: to.saturating_sub(6 * speed) });
            desk.now_ms += 6000;
            desk.tell(Event::Progress { job, done_bytes: to });
        };
        match doing {
            Doing::Checking => self.tell(step(Step::Prepare)),
            Doing::Writing(percent) => {
                self.tell(step(Step::Write));
                go(self, percent);
            }
            Doing::Restarting => {
                self.tell(step(Step::Write));
                go(self, 100);
                self.tell(Event::StepStarted { job, step: Step::PowerCycle, total_bytes: None });
            }
            Doing::Reading(percent) => {
                self.tell(step(Step::Write));
                self.tell(step(Step::Verify));
                go(self, percent);
            }
            Doing::Ready => {
                let moved = Moved { written_bytes: total, verified_bytes: total, write_ms: 1, verify_ms: 1 };
                self.tell(Event::JobEnded { job, end: JobEnd::success(JobKind::Write, moved) });
            }
            Doing::Failed(code) | Doing::Retry(code) => {
                self.tell(Event::JobEnded { job, end: JobEnd::failed(code, "block 7") });
            }
            _ => {}
        }
    }

    /// Somebody is there: nothing calls for them.
    pub(crate) fn touch_nothing(&mut self) {
        let nowhere = Point::new(-100, -100);
        self.ui.input(Input::Down(nowhere), self.now_ms);
        self.ui.input(Input::Up(nowhere), self.now_ms);
    }

    /// The ports of the design's pictures.
    pub(crate) fn busy(&mut self, count: usize) {
        self.ports(count, true);
        let all = [
            Doing::Ready,
            Doing::Writing(62),
            Doing::Reading(48),
            Doing::Failed(Code::ReadBackDiffers),
            Doing::Restarting,
            Doing::Nothing,
            Doing::Refused(Code::TooSmall),
            Doing::Paused,
            Doing::Reading(86),
            Doing::Ready,
            Doing::Checking,
            Doing::Writing(18),
            Doing::Writing(72),
            Doing::Nothing,
            Doing::Retry(Code::Vanished),
            Doing::Reading(12),
        ];
        // Four ports show what matters most.
        let few = [Doing::Ready, Doing::Writing(62), Doing::Failed(Code::ReadBackDiffers), Doing::Reading(48)];
        let states: &[Doing] = if count <= 4 { &few } else { &all };
        for port in 1..=count {
            self.set(port, states[(port - 1) % states.len()]);
        }
        self.touch_nothing();
    }

    /// Answer what was asked, as a station with five media would.
    pub(crate) fn answer_all(&mut self) {
        for wish in self.ui.wishes() {
            let Wish::Ask(id, request) = wish else { continue };
            let value = serde_json::to_value(&request).expect("JSON");
            let answer = match value["errand"].as_str() {
                Some("media") => Answer::Media(media()),
                Some("history") => Answer::Rows(rows()),
                _ => Answer::Done,
            };
            self.ui.answer(id, answer, self.now_ms);
        }
    }
}

fn media() -> Vec<Medium> {
    let medium = |name: &str, title: &str, version: &str, kind: &str, gib: f64| Medium {
        medium: name.to_owned(),
        title: title.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        content_bytes: (gib * GIB as f64) as u64,
        problem: None,
        signed_by: Some("8FA1C03B52D7E964".to_owned()),
        valid_from: Some("2026-11-01T00:00:00Z".to_owned()),
        valid_until: Some("2027-06-30T23:59:59Z".to_owned()),
        dates: Dates::Good,
    };
    vec![
        medium("OFFICE-r7", "Windows 11 Office", "24.11.2", "stand-alone", 14.2),
        Medium {
            dates: Dates::NotYet,
            valid_from: Some("2027-01-01T00:00:00Z".to_owned()),
            ..medium("WORKSHOP-r2", "Windows 11 Workshop", "24.11.2", "stand-alone", 17.0)
        },
        Medium {
            dates: Dates::Expired,
            valid_until: Some("2026-11-25T23:59:59Z".to_owned()),
            ..medium("LINE3-r9", "Line 3 prestaged disk", "9.0.1", "prestaged", 26.4)
        },
        Medium {
            problem: Some("a blob is missing".to_owned()),
            ..medium("SERVICE-r4", "Service and capture", "2.4.0", "capture", 1.4)
        },
        Medium { signed_by: None, ..medium("DUPLICATE-00001", "Lab machine", "1", "raw", 3.0) },
    ]
}

fn rows() -> Vec<Row> {
    let row = |port: &str, verdict: &str, code: &str, serial: &str| Row {
        port: port.to_owned(),
        serial: serial.to_owned(),
        medium: "OFFICE-r7".to_owned(),
        verdict: verdict.to_owned(),
        code: code.to_owned(),
        finished: "2026-11-27T14:02:11Z".to_owned(),
    };
    let mut rows: Vec<Row> = (0..20).map(|n| row("3", "READY", "", &format!("4C5300012408171{n:05}"))).collect();
    rows.push(row("4", "NOT USABLE", "P-V-001", "4C530001240817116274"));
    rows.push(row("7", "TRY AGAIN", "P-W-002", "AA00112233440F3C"));
    rows.push(row("1", "READY", "", "4C530001240817116271"));
    rows
}
