// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Pictures of a station: those that were looked at, and those that follow from each other.

use std::io::BufReader;
use std::path::Path;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use platen_events::{DriveId, DriveLabel, Event, JobId, JobKind, PortMode, PortUse, Step};
use platen_ui::{Board, Settings, Ui};

use crate::screen::Picture;

/// The golden picture of eight ports at this size; where none was looked at, what the station draws.
pub(super) fn eight_ports(size: Size) -> Vec<[u8; 3]> {
    const LOOKED_AT: [(u32, u32); 4] = [(320, 240), (480, 320), (240, 240), (128, 64)];
    if LOOKED_AT.contains(&(size.width, size.height)) {
        let (found, pixels) = golden(&format!("{}x{}-ports8-en", size.width, size.height));
        assert_eq!(found, size);
        return pixels;
    }
    let mut station = Played::new(size, false, 8);
    station.begin();
    station.draw().1.pixels.to_vec()
}

fn golden(name: &str) -> (Size, Vec<[u8; 3]>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../ui/tests/golden/{name}.png"));
    let mut decoder = png::Decoder::new(BufReader::new(std::fs::File::open(path).expect("a golden picture")));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a PNG file");
    let mut data = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut data).expect("a picture");
    assert_eq!(info.color_type, png::ColorType::Rgb);
    let pixels = data.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    (Size::new(info.width, info.height), pixels)
}

/// A station with so many ports, all of which write.
pub(super) struct Played {
    ui: Ui,
    now_ms: u64,
    ports: u64,
}

const TOTAL_BYTES: u64 = 14 << 30;

impl Played {
    pub(super) fn new(size: Size, is_mono: bool, ports: u64) -> Self {
        let ui =
            Ui::new(platen_ui::Panel { size, is_mono, has_light: false }, Board::default(), Settings::default(), false);
        let mut played = Self { ui, now_ms: 1000, ports };
        for port in 1..=ports {
            let used = PortUse { mode: PortMode::Kiosk, work: None, batch: None, is_paused: false };
            played.tell(Event::PortSet { port: port.to_string(), used });
        }
        played
    }

    fn tell(&mut self, event: Event) {
        self.ui.take(&event, self.now_ms);
    }

    /// A drive comes to each port, and is begun.
    pub(super) fn begin(&mut self) {
        for port in 1..=self.ports {
            let drive = DriveId { place: format!("2-1.{port}"), disk_sequence: Some(port) };
            let label = DriveLabel { port: port.to_string(), ..DriveLabel::default() };
            self.tell(Event::DriveSeen { drive: drive.clone(), label });
            let (job, medium) = (JobId(port), Some("OFFICE-r7".to_owned()));
            self.tell(Event::JobStarted { job, kind: JobKind::Write, drive, medium });
            self.tell(Event::StepStarted { job, step: Step::Write, total_bytes: Some(TOTAL_BYTES) });
        }
    }

    /// A tenth of a second later: all ports are a little further.
    pub(super) fn go_on(&mut self) {
        self.now_ms += 100;
        let seconds = self.now_ms / 100;
        for port in 1..=self.ports {
            let done_bytes = ((seconds * (port + 30)) << 20).min(TOTAL_BYTES);
            self.tell(Event::Progress { job: JobId(port), done_bytes });
        }
        self.ui.tick(self.now_ms, "14:32");
    }

    /// What changed since the last time, and the picture.
    pub(super) fn draw(&mut self) -> (Vec<Rectangle>, Picture<'_>) {
        let areas = self.ui.draw();
        let frame = self.ui.frame();
        (areas, Picture { size: frame.size(), pixels: frame.pixels() })
    }
}
