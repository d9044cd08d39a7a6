// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What holds of every picture: no text is cut off or lies on another, and all of it can be read.

use std::collections::BTreeMap;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use platen_events::Code;
use platen_ui::{Colour, Language, Screen, Shape, Text, Ui, contrast};

use super::desk::{Desk, Doing, PANELS, panel};
use super::scenes::{SCENES, set_up};

/// Where the capitals of a text stand.
fn ink(text: &Text) -> Rectangle {
    let cap = text.face.cap();
    Rectangle::new(text.at - Point::new(0, cap), Size::new(text.width as u32, cap as u32))
}

pub(crate) fn texts(ui: &Ui) -> Vec<&Text> {
    let shapes = &ui.scene().expect("it was drawn").shapes;
    shapes.iter().filter_map(|shape| if let Shape::Text(text) = shape { Some(text) } else { None }).collect()
}

/// What is wrong with the texts of a picture.
fn faults(ui: &Ui) -> Vec<String> {
    let panel = Rectangle::new(Point::zero(), ui.frame().size());
    let mut faults = Vec::new();
    let texts = texts(ui);
    for (number, text) in texts.iter().enumerate() {
        // What comes from outside may be too long; these are known to be.
        let is_foreign = ["4C53", "/run", "The medium OFFICE"].iter().any(|start| text.text.starts_with(start));
        if text.text.contains('…') && !is_foreign {
            faults.push(format!("cut off: {:?} in {} pixels", text.text, text.room));
        }
        let box_of = ink(text);
        if box_of.intersection(&panel) != box_of {
            faults.push(format!("outside: {:?} at {:?}", text.text, text.at));
        }
        for other in &texts[number + 1..] {
            if !ink(other).intersection(&box_of).is_zero_sized() {
                faults.push(format!("{:?} lies on {:?}", text.text, other.text));
            }
        }
    }
    faults
}

/// What a text lies on: the colour that most pixels have there, besides its own.
pub(crate) fn ground_of(ui: &Ui, text: &Text) -> Option<[u8; 3]> {
    let frame = ui.frame();
    let own = if frame.size().width == 128 { lit(text.colour) } else { text.colour.rgb() };
    let mut counted: BTreeMap<[u8; 3], u32> = BTreeMap::new();
    for at in ink(text).points() {
        *counted.entry(frame.at(at)).or_default() += 1;
    }
    counted.remove(&own);
    counted.into_iter().max_by_key(|(_, count)| *count).map(|(ground, _)| ground)
}

fn each_picture(mut look: impl FnMut(&str, &mut Desk)) {
    for (size, width, height, is_mono) in PANELS {
        for (name, prepare) in SCENES {
            for language in Language::ALL {
                let mut desk = set_up(*prepare, name, panel(width, height, is_mono), language);
                desk.ui.draw();
                look(&format!("{size}-{name}-{language:?}"), &mut desk);
            }
        }
    }
}

#[test]
fn no_text_is_cut_off_or_lies_on_another() {
    let mut all = Vec::new();
    each_picture(|name, desk| {
        all.extend(faults(&desk.ui).into_iter().map(|fault| format!("{name}: {fault}")));
    });
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}

#[test]
fn a_text_that_is_cut_off_is_found() {
    let mut desk = Desk::new(panel(240, 240, false), Language::English, false);
    desk.ports(1, false);
    desk.go(Screen::Import);
    desk.ui.found(vec![platen_ui::Source { name: "word ".repeat(60), folder: String::new() }]);
    desk.ui.draw();
    assert!(!faults(&desk.ui).is_empty(), "the control");
}

#[test]
fn every_code_fits_every_panel_in_every_language() {
    let mut all = Vec::new();
    let mut seen = 0;
    for (size, width, height, is_mono) in PANELS {
        for language in Language::ALL {
            for code in Code::ALL {
                let mut desk = Desk::new(panel(width, height, is_mono), language, false);
                desk.ports(8, true);
                let doing = match code.entry().advice {
                    platen_events::Advice::PullAndSetAside => Doing::Failed(*code),
                    _ => Doing::Retry(*code),
                };
                desk.set(8, doing);
                desk.go(Screen::Message("8".to_owned()));
                desk.ui.draw();
                let id = code.entry().id;
                assert!(texts(&desk.ui).iter().any(|text| text.text == id), "{size} {language:?} does not show {id}");
                all.extend(faults(&desk.ui).into_iter().map(|fault| format!("{size} {language:?} {id}: {fault}")));
                seen += 1;
            }
        }
    }
    assert!(all.is_empty(), "{} faults in {seen} messages:\n{}", all.len(), all.join("\n"));
}

/// WCAG 2.2, 1.4.3: text 4.5 against what it lies on, on the pixels that were drawn.
#[test]
fn all_text_can_be_read() {
    let (mut all, mut least) = (Vec::new(), f64::MAX);
    each_picture(|name, desk| {
        let frame = desk.ui.frame();
        for text in texts(&desk.ui).iter().filter(|text| text.text.chars().any(char::is_alphanumeric)) {
            let colour = if frame.size().width == 128 { lit(text.colour) } else { text.colour.rgb() };
            let is_drawn = ink(text).points().any(|at| frame.at(at) == colour);
            assert!(is_drawn, "{name}: {:?} is not drawn in its colour", text.text);
            let Some(ground) = ground_of(&desk.ui, text) else { continue };
            let found = contrast(colour, ground);
            least = least.min(found);
            if found < 4.5 {
                all.push(format!("{name}: {:?} has {found:.1}", text.text));
            }
        }
    });
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert!(least > 4.5 && least < 21.0, "{least}");
}

fn lit(colour: Colour) -> [u8; 3] {
    if colour.is_lit() { [255; 3] } else { [0; 3] }
}

/// A panel of 320 x 240 at 32 MHz takes four million bytes in a second.
#[test]
fn only_what_moves_travels_to_the_panel() {
    let mut desk = Desk::new(panel(320, 240, false), Language::English, false);
    desk.ports(8, true);
    for port in 1..=8 {
        desk.set(port, Doing::Writing(10));
    }
    desk.touch_nothing();
    desk.wait(1000);
    let first: u32 = desk.ui.draw().iter().map(|area| area.size.width * area.size.height).sum();
    assert_eq!(first, 320 * 240, "the first picture is all of it");
    let jobs: Vec<platen_events::JobId> = (1..=8).map(platen_events::JobId).collect();
    let (mut pixels, mut pictures) = (0, 0);
    for percent in 11..60 {
        for job in &jobs {
            let done_bytes = 14 * super::desk::GIB * percent / 100;
            desk.tell(platen_events::Event::Progress { job: *job, done_bytes });
        }
        desk.wait(1000);
        let areas = desk.ui.draw();
        pixels += areas.iter().map(|area| area.size.width * area.size.height).sum::<u32>();
        pictures += u32::from(!areas.is_empty());
    }
    let bytes_each = 2 * pixels / pictures;
    assert!(pictures > 10 && bytes_each * 10 < 4_000_000 / 20, "{bytes_each} bytes for each of {pictures} pictures");
}
