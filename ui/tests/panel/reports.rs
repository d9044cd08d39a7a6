// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What people reported of other machines with a panel, tried on this one. Each test names the reports.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use platen_events::{Action as Doings, Event, JobId, JobKind, Step};
use platen_ui::{Action, Answer, Dates, Input, Language, Medium, Screen, Wish};

use super::checks::texts;
use super::desk::{Desk, Doing, GIB, PANELS, panel};

fn tap(desk: &mut Desk, at: Point) {
    desk.ui.input(Input::Down(at), desk.now_ms);
    desk.ui.input(Input::Up(at), desk.now_ms);
}

/// The middle of the place that leads to the menu.
fn menu(desk: &Desk) -> Point {
    let is_menu = |action: &Action| *action == Action::Open(Box::new(Screen::Menu));
    desk.ui.targets().iter().find(|target| is_menu(&target.action)).expect("a way to the menu").area.center()
}

/// KlipperScreen/KlipperScreen 207 and 80, HASwitchPlate/openHASP 80, zynthian/zynthian-issue-tracking 837: the touch that
/// wakes a panel also pressed what lay below it. suchmememanyskill/CYD-Klipper 128: so did the bounce after it.
#[test]
fn the_first_touch_of_a_dim_panel_only_wakes_it() {
    let mut desk = Desk::new(panel(800, 480, false), Language::English, false);
    desk.ports(4, false);
    desk.wait(1000);
    let bright = desk.ui.brightness();
    desk.wait(9 * 60_000);
    assert_eq!(desk.ui.brightness(), bright, "not yet");
    desk.wait(2 * 60_000);
    assert_eq!(desk.ui.brightness(), 30);
    let at = menu(&desk);
    tap(&mut desk, at);
    assert_eq!((desk.ui.brightness(), desk.ui.screen()), (bright, &Screen::Home));
    desk.wait(100);
    tap(&mut desk, at);
    assert_eq!(desk.ui.screen(), &Screen::Home, "a bounce");
    // The control: the same touch a little later opens the menu.
    desk.wait(400);
    tap(&mut desk, at);
    assert_eq!(desk.ui.screen(), &Screen::Menu);
}

/// The control: where no light can be changed nothing is seen of it, so every touch does what it says.
#[test]
fn a_panel_whose_light_stays_is_never_dim() {
    let panel = platen_ui::Panel { has_light: false, ..panel(800, 480, false) };
    let mut desk = Desk::new(panel, Language::English, false);
    desk.ports(4, false);
    desk.wait(11 * 60_000);
    let at = menu(&desk);
    tap(&mut desk, at);
    assert_eq!(desk.ui.screen(), &Screen::Menu);
}

#[test]
fn a_drive_that_asks_for_a_hand_and_one_that_comes_bring_the_light_back() {
    let mut desk = Desk::new(panel(800, 480, false), Language::English, false);
    desk.ports(4, true);
    desk.wait(11 * 60_000);
    assert_eq!(desk.ui.brightness(), 30);
    desk.set(1, Doing::Writing(10));
    assert_eq!(desk.ui.brightness(), 80);
    desk.set(2, Doing::Ready);
    desk.wait(60 * 60_000);
    assert_eq!(desk.ui.brightness(), 80, "somebody is asked for");
}

/// QIDITECH/QIDI_SMART3 27: a button acted although the finger was lifted elsewhere.
#[test]
fn a_finger_that_leaves_a_button_changes_its_mind() {
    let mut desk = Desk::new(panel(800, 480, false), Language::English, false);
    desk.ports(4, false);
    desk.wait(1000);
    let at = menu(&desk);
    desk.ui.input(Input::Down(at), desk.now_ms);
    desk.ui.input(Input::Up(Point::new(10, 10)), desk.now_ms);
    assert_eq!(desk.ui.screen(), &Screen::Home);
    tap(&mut desk, at);
    assert_eq!(desk.ui.screen(), &Screen::Menu, "the control");
}

/// The effect of a touch is in the very next picture, without any time passing.
#[test]
fn a_touch_shows_in_the_next_picture() {
    for (size, width, height, is_mono) in PANELS {
        for (ports, screen) in [(4, Screen::Home), (32, Screen::Home), (8, Screen::Menu), (8, Screen::Settings)] {
            let mut desk = Desk::new(panel(width, height, is_mono), Language::English, false);
            desk.busy(ports);
            if screen != Screen::Home {
                desk.go(screen.clone());
            }
            desk.wait(1000);
            desk.ui.draw();
            assert!(desk.ui.draw().is_empty(), "{size}: nothing has changed");
            for target in desk.ui.targets().to_vec() {
                let at = target.area.center();
                desk.ui.input(Input::Down(at), desk.now_ms);
                assert!(!desk.ui.draw().is_empty(), "{size} {screen:?}: the finger is down on {:?}", target.action);
                desk.ui.input(Input::Up(Point::new(-100, -100)), desk.now_ms);
                assert!(!desk.ui.draw().is_empty(), "{size} {screen:?}: it was lifted");
            }
        }
    }
}

/// Z-Bolt/OctoScreen 13, KlipperScreen/KlipperScreen 72, MarlinFirmware/Marlin 19262: a long name pushed buttons off the
/// panel, or wrote over them.
#[test]
fn long_names_push_nothing_off_the_panel() {
    let long = ["W".repeat(300), "긴 이름 ".repeat(60), "a\u{202e}b\u{0}c".repeat(40), String::new()];
    for (size, width, height, is_mono) in PANELS {
        for name in &long {
            let mut desk = Desk::new(panel(width, height, is_mono), Language::English, false);
            desk.ports(8, false);
            desk.ui.show(Screen::Media { port: None, chosen: 0 });
            let medium = Medium {
                medium: "LONG-r1".to_owned(),
                title: name.clone(),
                version: name.clone(),
                kind: "raw".to_owned(),
                content_bytes: GIB,
                signed_by: Some(name.clone()),
                valid_from: None,
                valid_until: Some(name.clone()),
                dates: Dates::Good,
                problem: None,
            };
            for wish in desk.ui.wishes() {
                if let Wish::Ask(id, _) = wish {
                    desk.ui.answer(id, Answer::Media(vec![medium.clone()]), desk.now_ms);
                }
            }
            for screen in [Screen::Media { port: None, chosen: 0 }, Screen::Medium { port: None, index: 0 }] {
                desk.ui.show(screen.clone());
                desk.ui.draw();
                let all = Rectangle::new(Point::zero(), desk.ui.frame().size());
                let inside = |area: &Rectangle| area.intersection(&all) == *area;
                assert!(desk.ui.targets().iter().all(|target| inside(&target.area)), "{size} {screen:?}");
                let right = |text: &&platen_ui::Text| text.at.x + text.width > width as i32;
                assert_eq!(texts(&desk.ui).into_iter().find(right).map(|text| &text.text), None, "{size} {screen:?}");
                let leads_on =
                    |action: &Action| matches!(action, Action::Open(to) if matches!(**to, Screen::HowMany { .. }));
                let is_medium = matches!(screen, Screen::Medium { .. });
                let has = desk.ui.targets().iter().any(|target| leads_on(&target.action));
                assert!(has || !is_medium, "{size}: it can be chosen");
            }
        }
    }
}

/// cptkirki/PrintSphere 46, j7126/OctoPrint-Dashboard 211, Jyers/Marlin 930: progress of nothing was 100 %, or NaN.
#[test]
fn progress_of_nothing_is_no_progress() {
    for (size, width, height, is_mono) in PANELS {
        let mut desk = Desk::new(panel(width, height, is_mono), Language::English, false);
        desk.ports(4, true);
        desk.set(1, Doing::Checking);
        for total_bytes in [Some(0), None] {
            desk.tell(Event::StepStarted { job: JobId(1), step: Step::Write, total_bytes });
            desk.tell(Event::Progress { job: JobId(1), done_bytes: 0 });
            desk.wait(1000);
            desk.ui.draw();
            let said = |wanted: &str| texts(&desk.ui).iter().any(|text| text.text.contains(wanted));
            assert!(!said("100") && !said("99") && !said("NaN"), "{size} {total_bytes:?}");
        }
        desk.tell(Event::ActionStarted { action: Doings::Import, of: "/run".to_owned() });
        desk.tell(Event::ActionProgress { action: Doings::Import, done_bytes: 0, total_bytes: 0 });
        desk.go(Screen::Import);
        desk.ui.draw();
        assert!(!texts(&desk.ui).is_empty(), "{size}");
    }
}

/// prestonbrown/helixscreen 1440: a panel drew all the time while a job ran, far more often than its numbers changed.
#[test]
fn numbers_are_drawn_twice_a_second_and_nothing_when_nothing_changes() {
    let mut desk = Desk::new(panel(800, 480, false), Language::English, false);
    desk.ports(16, true);
    for port in 1..=16 {
        desk.set(port, Doing::Writing(10));
    }
    desk.touch_nothing();
    desk.wait(1000);
    desk.ui.draw();
    let mut pictures = 0;
    for tenth in 1..=100 {
        for job in 1..=16 {
            let done_bytes = 14 * GIB / 10 + tenth * (40 << 20);
            desk.tell(Event::Progress { job: JobId(job), done_bytes });
        }
        desk.wait(100);
        pictures += usize::from(!desk.ui.draw().is_empty());
    }
    assert!((10..=21).contains(&pictures), "{pictures} pictures in ten seconds");
    desk.wait(1000);
    desk.ui.draw();
    for _ in 0..20 {
        desk.wait(50);
        assert!(desk.ui.draw().is_empty(), "nothing has changed");
    }
}

/// KlipperScreen/KlipperScreen 1363 and 1015, Guilouz/KlipperScreen-Flsun-Speeder-Pad 11: the language was lost by a restart.
#[test]
fn what_is_chosen_is_to_be_kept() {
    let mut desk = Desk::new(panel(800, 480, false), Language::English, false);
    desk.go(Screen::Languages { is_first: false });
    desk.choose(&Action::Speak(Language::Korean));
    let kept = desk.ui.wishes().into_iter().any(
        |wish| matches!(wish, Wish::Keep(settings) if settings.language == Language::Korean && settings == desk.ui.settings()),
    );
    assert!(kept);
}

/// moononournation/Arduino_GFX 807, almindor/st7789 14: drawing outside of the panel wrote over something else, or cost time.
#[test]
fn what_travels_to_the_panel_lies_inside_it_and_travels_once() {
    for (size, width, height, is_mono) in PANELS {
        let mut desk = Desk::new(panel(width, height, is_mono), Language::English, false);
        desk.busy(16);
        let all = Rectangle::new(Point::zero(), Size::new(width, height));
        for _ in 0..30 {
            desk.ui.input(Input::Next, desk.now_ms);
            desk.wait(700);
            let areas = desk.ui.draw();
            for (number, area) in areas.iter().enumerate() {
                assert_eq!(area.intersection(&all), *area, "{size}");
                let overlaps = |other: &&Rectangle| !other.intersection(area).is_zero_sized();
                assert_eq!(areas[number + 1..].iter().find(overlaps), None, "{size}");
            }
        }
    }
}

/// A drive with media is a source as soon as it is inserted, and nothing else is.
#[test]
fn inserted_drives_are_offered_as_sources() {
    for (size, width, height, is_mono) in PANELS {
        let mut desk = Desk::new(panel(width, height, is_mono), Language::English, false);
        desk.ports(8, false);
        desk.set(2, Doing::Writing(10));
        desk.set(3, Doing::Ready);
        desk.set(8, Doing::Waiting);
        desk.go(Screen::Import);
        let asks = |action: &Action| match action {
            Action::Ask(request) => match &**request {
                platen_ui::Request::Start { port, work, .. } => Some((port.clone(), work.kind)),
                _ => None,
            },
            _ => None,
        };
        let sources: Vec<_> = desk.ui.targets().iter().filter_map(|target| asks(&target.action)).collect();
        assert_eq!(sources, [("8".to_owned(), JobKind::Import)], "{size}");
    }
}

/// Drives that are inserted to see which port is which are not written, and the ports go on as they were afterwards.
#[test]
fn ports_are_tested_while_nothing_is_begun() {
    let mut desk = Desk::new(panel(800, 480, false), Language::English, false);
    desk.ports(2, true);
    let asked = |desk: &mut Desk| -> Vec<platen_ui::Request> {
        let asked = |wish| if let Wish::Ask(_, request) = wish { Some(request) } else { None };
        desk.ui.wishes().into_iter().filter_map(asked).collect()
    };
    let all = Vec::new;
    let [.., ports] = platen_ui::Test::ALL;
    desk.ui.show(Screen::Service);
    desk.ui.show(Screen::Test(ports.clone()));
    assert_eq!(asked(&mut desk), [platen_ui::Request::Pause { ports: all() }]);
    desk.set(2, Doing::Waiting);
    desk.set(1, Doing::Waiting);
    assert_eq!(asked(&mut desk), [platen_ui::Request::Resume { ports: all() }], "both were seen");
    assert_eq!(desk.ui.screen(), &Screen::Service);
    // Whoever leaves it by another way lets them go on too.
    desk.ui.show(Screen::Test(ports));
    desk.ui.input(Input::Menu, desk.now_ms);
    let expected = [platen_ui::Request::Pause { ports: all() }, platen_ui::Request::Resume { ports: all() }];
    assert_eq!(asked(&mut desk), expected);
    // What somebody paused before stays so: the test asks for nothing.
    for port in ["1", "2"] {
        let used =
            platen_events::PortUse { mode: platen_events::PortMode::Armed, work: None, batch: None, is_paused: true };
        desk.tell(Event::PortSet { port: port.to_owned(), used });
    }
    let [.., ports] = platen_ui::Test::ALL;
    desk.ui.show(Screen::Test(ports));
    desk.ui.input(Input::Back, desk.now_ms);
    assert_eq!(asked(&mut desk), []);
}
