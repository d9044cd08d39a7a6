// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From every screen there is a way out, and whoever has no finger free comes to the same screens.

use std::collections::{BTreeSet, VecDeque};

use platen_ui::{Action, Input, Language, Panel, Screen};

use super::desk::{Desk, PANELS, panel};
use super::scenes::{SCENES, set_up};

#[test]
fn every_screen_can_be_left_by_a_key() {
    for (size, width, height, is_mono) in PANELS {
        for (name, prepare) in SCENES {
            let mut desk = set_up(*prepare, name, panel(width, height, is_mono), Language::English);
            desk.touch_nothing();
            for _ in 0..12 {
                if *desk.ui.screen() != Screen::Home {
                    desk.wait(1000);
                    desk.ui.input(Input::Back, desk.now_ms);
                    desk.answer_all();
                }
            }
            let end = desk.ui.screen();
            let is_first_start = matches!(*name, "language" | "setup-pins");
            let left = *end == Screen::Home || (is_first_start && matches!(end, Screen::Languages { .. }));
            assert!(left, "{size}-{name} ends at {end:?}");
        }
    }
}

#[test]
fn every_screen_can_be_left_by_a_touch() {
    for (size, width, height, is_mono) in PANELS {
        for (name, prepare) in SCENES {
            let mut desk = set_up(*prepare, name, panel(width, height, is_mono), Language::English);
            desk.ui.draw();
            let leads_away = |action: &Action| {
                matches!(
                    action,
                    Action::Back
                        | Action::Home
                        | Action::Seen(_)
                        | Action::Speak(_)
                        | Action::Setup(_)
                        | Action::Open(_)
                )
            };
            let targets = desk.ui.targets();
            assert!(targets.iter().any(|target| leads_away(&target.action)), "{size}-{name}: {targets:?}");
        }
    }
}

/// The screen's name, without what was done on it.
fn name_of(screen: &Screen) -> String {
    format!("{screen:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}

/// Go a way again, each step by the number of its target.
fn walk(panel: Panel, way: &[usize], step: fn(&mut Desk, usize)) -> Desk {
    let mut desk = Desk::new(panel, Language::English, false);
    desk.busy(4);
    for index in way {
        desk.wait(500);
        step(&mut desk, *index);
        desk.answer_all();
    }
    desk.wait(500);
    desk
}

/// All screens that are reached so.
fn reached(panel: Panel, step: fn(&mut Desk, usize)) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut ways: VecDeque<Vec<usize>> = VecDeque::from([Vec::new()]);
    while let Some(way) = ways.pop_front() {
        let desk = walk(panel, &way, step);
        // Another part of a long list has other targets, and is worth a second look.
        let actions: Vec<&Action> = desk.ui.targets().iter().map(|target| &target.action).collect();
        if seen.insert(format!("{:?} {actions:?}", name_of(desk.ui.screen()))) {
            ways.extend((0..desk.ui.targets().len()).map(|index| [&way[..], &[index]].concat()));
        }
        found.insert(name_of(desk.ui.screen()));
        if way.is_empty()
            && desk.ui.targets().iter().all(|target| target.action != Action::Open(Box::new(Screen::Menu)))
        {
            // Where the ports leave no room for it, holding a key leads to the menu.
            ways.push_back(vec![usize::MAX]);
        }
    }
    found
}

fn touch(desk: &mut Desk, index: usize) {
    if index == usize::MAX {
        return desk.ui.input(Input::Menu, desk.now_ms);
    }
    let Some(target) = desk.ui.targets().get(index) else { return };
    // A place may lie on another; its middle is its own.
    let at = target.area.center();
    desk.ui.input(Input::Down(at), desk.now_ms);
    desk.ui.input(Input::Up(at), desk.now_ms + 80);
}

fn keys(desk: &mut Desk, index: usize) {
    if index == usize::MAX {
        return desk.ui.input(Input::Menu, desk.now_ms);
    }
    let count = desk.ui.targets().len();
    for _ in 0..=count {
        desk.ui.input(Input::Previous, desk.now_ms);
    }
    for _ in 0..index {
        desk.ui.input(Input::Next, desk.now_ms);
    }
    desk.ui.input(Input::Choose, desk.now_ms);
}

#[test]
fn keys_and_touches_lead_to_the_same_screens() {
    for (size, width, height, is_mono) in [PANELS[1], PANELS[5], PANELS[8]] {
        let panel = panel(width, height, is_mono);
        let (by_touch, by_keys) = (reached(panel, touch), reached(panel, keys));
        assert_eq!(by_touch, by_keys, "{size}");
        let expected = [
            "Home",
            "Port",
            "Message",
            "Menu",
            "Media",
            "HowMany",
            "Pin",
            "Languages",
            "Learn",
            "Settings",
            "Brightness",
            "Sound",
            "Hand",
            "Pins",
            "History",
            "Search",
            "Import",
            "About",
            "Service",
            "Test",
            "Confirm",
        ];
        let missing: Vec<&str> = expected.into_iter().filter(|name| !by_keys.contains(*name)).collect();
        assert!(missing.is_empty(), "{size}: nobody comes to {missing:?}");
    }
}
