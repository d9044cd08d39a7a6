// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whatever happens in whatever order: no panic, no dead end, and the picture that was kept up to date is the one that
//! would be drawn anew.

use embedded_graphics::prelude::Point;
use platen_events::{
    BatchId, Code, DriveId, DriveLabel, Event, JobEnd, JobId, JobKind, Moved, PortMode, PortUse, Step,
};
use platen_ui::{Answer, Input, Language, Screen, Wish};
use proptest::prelude::*;

use super::desk::{Desk, panel};

const PORTS: u64 = 6;

/// Something that happens, by numbers that lead to one thing or another.
#[derive(Debug, Clone)]
enum Happens {
    Tell(u8, u64, u64),
    Touch(i32, i32),
    Key(u8),
    Wait(u64),
    Answer(bool),
}

fn steps() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        6 => (0..16u8, 1..=PORTS, 0..8u64).prop_map(|(what, port, number)| Happens::Tell(what, port, number)),
        3 => (0..330i32, 0..250i32).prop_map(|(x, y)| Happens::Touch(x, y)),
        3 => (0..5u8).prop_map(Happens::Key),
        2 => prop_oneof![Just(200), Just(700), Just(5000), Just(25_000)].prop_map(Happens::Wait),
        1 => any::<bool>().prop_map(Happens::Answer),
    ];
    proptest::collection::vec(one, 900)
}

fn event(what: u8, port: u64, number: u64) -> Event {
    let drive = DriveId { place: format!("2-1.{port}"), disk_sequence: Some(number / 4) };
    let job = JobId(port * 8 + number);
    let codes = Code::ALL;
    let code = codes[(port * 7 + number) as usize % codes.len()];
    let label = DriveLabel { port: port.to_string(), size_bytes: Some(number << 31), ..DriveLabel::default() };
    let steps = [Step::Prepare, Step::Write, Step::PowerCycle, Step::Verify, Step::Seal];
    match what {
        0 | 1 => Event::DriveSeen { drive, label },
        2 => Event::DriveRefused { drive, code: Some(code.into()), text: "x".repeat(number as usize * 40) },
        3 => Event::DriveGone { drive },
        4 => Event::DriveReleased { drive },
        5 => Event::PortSet {
            port: port.to_string(),
            used: PortUse {
                mode: if number.is_multiple_of(2) { PortMode::Armed } else { PortMode::Kiosk },
                work: None,
                batch: Some(BatchId(number)),
                is_paused: number == 3,
            },
        },
        6 | 7 => Event::JobStarted { job, kind: JobKind::Write, drive, medium: Some(format!("M-r{number}")) },
        8 | 9 => Event::StepStarted { job, step: steps[number as usize % 5], total_bytes: Some(1000) },
        10 | 11 => Event::Progress { job, done_bytes: number * 140 },
        12 => Event::JobEnded { job, end: JobEnd::success(JobKind::Write, Moved::default()) },
        13 => Event::JobEnded { job, end: JobEnd::failed(code, "detail") },
        14 => Event::BatchStarted {
            batch: BatchId(number),
            work: platen_events::Work { kind: JobKind::Write, medium: None },
            wanted: Some(number as u32 * 1000),
        },
        _ => match number % 2 {
            0 => Event::BatchClosed { batch: BatchId(number) },
            _ => Event::BatchCounted { batch: BatchId(number), good: number as u32 * 999, failed: 3, refused: 40 },
        },
    }
}

fn take(desk: &mut Desk, step: &Happens) {
    match step {
        Happens::Tell(what, port, number) => desk.tell(event(*what, *port, *number)),
        Happens::Touch(x, y) => {
            desk.ui.input(Input::Down(Point::new(*x, *y)), desk.now_ms);
            desk.ui.input(Input::Up(Point::new(*x, *y)), desk.now_ms);
        }
        Happens::Key(key) => {
            let input = [Input::Next, Input::Previous, Input::Choose, Input::Back, Input::Menu][usize::from(*key)];
            desk.ui.input(input, desk.now_ms);
        }
        Happens::Wait(ms) => desk.wait(*ms),
        Happens::Answer(is_good) => match is_good {
            true => desk.answer_all(),
            false => {
                for wish in desk.ui.wishes() {
                    let Wish::Ask(id, _) = wish else { continue };
                    let code = (id % 2 == 0).then(|| Code::NotPermitted.into());
                    desk.ui.answer(id, Answer::Refused { code, text: "no".repeat(50) }, desk.now_ms);
                }
            }
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// 64 times 900 steps.
    #[test]
    fn the_picture_is_true_whatever_happens(all in steps(), which in 0..4usize, is_korean: bool) {
        let (width, height, is_mono) = [(320, 240, false), (240, 240, false), (128, 64, true), (480, 320, false)][which];
        let language = if is_korean { Language::Korean } else { Language::English };
        let mut desk = Desk::new(panel(width, height, is_mono), language, false);
        for (number, step) in all.iter().enumerate() {
            take(&mut desk, step);
            if number % 3 == 0 {
                desk.ui.draw();
            }
            if number % 45 == 0 {
                prop_assert!(*desk.ui.frame() == desk.ui.redrawn(), "a stale region after step {number}: {step:?}");
            }
        }
        for _ in 0..20 {
            if *desk.ui.screen() != Screen::Home {
                desk.wait(1000);
                desk.ui.input(Input::Back, desk.now_ms);
            }
        }
        prop_assert!(*desk.ui.screen() == Screen::Home, "a dead end at {:?}", desk.ui.screen());
        desk.wait(1000);
        desk.ui.draw();
        prop_assert!(*desk.ui.frame() == desk.ui.redrawn());
    }
}
