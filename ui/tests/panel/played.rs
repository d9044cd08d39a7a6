// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A batch that a real station told (`record/make`), played to pictures.

use platen_events::{Event, Line, Step};
use platen_ui::{Language, Panel, Screen};

use super::checks::texts;
use super::desk::{Desk, PANELS, panel};
use super::png_file::Picture;

const RECORD: &str = include_str!("record/batch.jsonl");

/// When a picture is kept: the first time that something happens.
fn moment(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::BatchStarted { .. } => "played-1-armed",
        Event::StepStarted { step: Step::Write, .. } => "played-2-writing",
        Event::StepStarted { step: Step::Verify, .. } => "played-3-reading",
        Event::JobEnded { end, .. } if end.verdict.is_success() => "played-4-ready",
        Event::JobEnded { .. } => "played-5-failed",
        Event::BatchClosed { .. } => "played-6-summary",
        _ => return None,
    })
}

/// Play the record; `each` gets the name of a moment, and the desk as it is then.
pub(crate) fn play(panel: Panel, language: Language, mut each: impl FnMut(&'static str, &mut Desk)) -> Desk {
    let mut desk = Desk::new(panel, language, false);
    let mut seen = Vec::new();
    let mut first_ms = None;
    for text in RECORD.lines() {
        let line: Line = serde_json::from_str(text).expect("a line of the record");
        let mut now = None;
        if let Line::Record(record) = &line {
            let first = *first_ms.get_or_insert(record.mono_ms);
            desk.wait((record.mono_ms - first + 1000).saturating_sub(desk.now_ms));
            now = moment(&record.event).filter(|name| !seen.contains(name));
        }
        desk.ui.read(text, desk.now_ms);
        desk.answer_all();
        desk.ui.draw();
        if let Some(name) = now {
            seen.push(name);
            // Its numbers are drawn, however short the time since the last picture.
            desk.wait(600);
            desk.ui.draw();
            each(name, &mut desk);
        }
    }
    desk
}

/// Two panels that have little in common.
pub(crate) fn render(mut each: impl FnMut(&str, &str, &str, Picture)) {
    for (index, language, short) in [(1, Language::English, "en"), (5, Language::Korean, "ko")] {
        let (size, width, height, is_mono) = PANELS[index];
        play(panel(width, height, is_mono), language, |name, desk| each(size, name, short, desk.ui.frame().into()));
    }
}

#[test]
fn a_recorded_batch_ends_in_its_summary_on_every_panel() {
    for (size, width, height, is_mono) in PANELS {
        let mut names = Vec::new();
        let mut desk = play(panel(width, height, is_mono), Language::English, |name, desk| {
            let stale = desk.ui.frame().pixels() != desk.ui.redrawn().pixels();
            assert!(!stale, "{size} {name}: the picture is what a full redraw gives");
            names.push(name);
        });
        names.sort_unstable();
        assert_eq!(names.len(), 6, "{size}: {names:?}");
        assert_eq!(desk.ui.screen(), &Screen::Summary, "{size}");
        desk.ui.draw();
        let said: Vec<&str> = texts(&desk.ui).iter().map(|text| &*text.text).collect();
        assert!(said.iter().any(|text| text.starts_with('4')), "{size}: {said:?}");
        assert!(
            said.iter().any(|text| text.contains("Data differs")) || is_mono || size.starts_with("240"),
            "{size}: {said:?}"
        );
    }
}
