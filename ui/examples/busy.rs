// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A panel of 800 x 480 with sixteen ports at work, each of which tells ten times a second how far it is, for as many
//! seconds as the first argument says. As fast as it goes: `tests/bench` takes the time of the processor.

use embedded_graphics::prelude::Size;
use platen_events::{DriveId, DriveLabel, Event, JobId, JobKind, PortMode, PortUse, Step};
use platen_ui::{Board, Panel, Settings, Ui};

const PORTS: u64 = 16;
const TOTAL_BYTES: u64 = 1 << 44;

fn main() {
    let seconds: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let panel = Panel { size: Size::new(800, 480), is_mono: false, has_light: true };
    let mut ui = Ui::new(panel, Board::default(), Settings::default(), false);
    for port in 1..=PORTS {
        let used = PortUse { mode: PortMode::Armed, work: None, batch: None, is_paused: false };
        ui.take(&Event::PortSet { port: port.to_string(), used }, 1);
        let drive = DriveId { place: format!("1-{port}"), disk_sequence: Some(port) };
        let label = DriveLabel { port: port.to_string(), ..DriveLabel::default() };
        ui.take(&Event::DriveSeen { drive: drive.clone(), label }, 1);
        let job = JobId(port);
        ui.take(&Event::JobStarted { job, kind: JobKind::Write, drive, medium: Some("OFFICE-r7".to_owned()) }, 1);
        ui.take(&Event::StepStarted { job, step: Step::Write, total_bytes: Some(TOTAL_BYTES) }, 1);
    }
    let (mut events, mut pictures, mut pixels) = (0u64, 0u64, 0u64);
    // Twenty times a second, as the panel is looked at: sixteen ports tell something every other time.
    for frame in 1..=seconds * 20 {
        let now_ms = frame * 50;
        if frame % 2 == 0 {
            for port in 1..=PORTS {
                // Each at a pace of its own: a percent in half a second to two.
                let done_bytes = (TOTAL_BYTES / 50 / (20 + port * 4) * frame).min(TOTAL_BYTES);
                ui.take(&Event::Progress { job: JobId(port), done_bytes }, now_ms);
                events += 1;
            }
        }
        ui.tick(now_ms, "14:32");
        let areas = ui.draw();
        pictures += u64::from(!areas.is_empty());
        pixels += areas.iter().map(|area| u64::from(area.size.width * area.size.height)).sum::<u64>();
    }
    println!("{events} events, {pictures} pictures, {} pixels in each", pixels / pictures.max(1));
}
