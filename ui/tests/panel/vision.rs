// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Who sees colours in another way still tells the states of ports apart: by their form, sign and word, on the pixels
//! that were drawn.

use embedded_graphics::primitives::{PointsIter, Rectangle};
use platen_events::Code;
use platen_ui::{Action, Colour, Language, Screen, Ui, contrast};

use super::checks::{ground_of, texts};
use super::desk::{Desk, Doing, PANELS, panel};

/// Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency", severity
/// 1.0; for linear RGB.
const VISIONS: [(&str, [[f64; 3]; 3]); 3] = [
    ("protanopia", [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    (
        "deuteranopia",
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ),
    ("tritanopia", [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
];

/// Luminances with less between them are not told apart with certainty.
const LEAST_CONTRAST: f64 = 2.0;
/// Of a tile's pixels, in thousandths.
const LEAST_SHARE: usize = 3;

/// IEC 61966-2-1, both ways.
fn seen([r, g, b]: [u8; 3], matrix: &[[f64; 3]; 3]) -> [u8; 3] {
    let linear = [r, g, b].map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    matrix.map(|row| {
        let value: f64 = row.iter().zip(linear).map(|(factor, value)| factor * value).sum();
        let value = value.clamp(0.0, 1.0);
        let value = if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
        (value * 255.0).round() as u8
    })
}

/// How many thousandths of the pixels are told apart by their luminance alone.
fn told_apart(one: &[[u8; 3]], other: &[[u8; 3]], matrix: &[[f64; 3]; 3]) -> usize {
    assert_eq!(one.len(), other.len());
    let differ = |(one, other): &(&[u8; 3], &[u8; 3])| {
        one != other && contrast(seen(**one, matrix), seen(**other, matrix)) >= LEAST_CONTRAST
    };
    one.iter().zip(other).filter(differ).count() * 1000 / one.len()
}

/// Port 1's tile.
fn tile_of(ui: &Ui) -> Rectangle {
    let leads = |action: &Action| match action {
        Action::Open(screen) => match &**screen {
            Screen::Port(port) | Screen::Message(port) => port == "1",
            Screen::Media { port, .. } => port.as_deref() == Some("1"),
            _ => false,
        },
        _ => false,
    };
    ui.targets().iter().find(|target| leads(&target.action)).expect("port 1 is shown").area
}

/// A panel on which port 1 does this, and the others are at work.
fn desk(width: u32, height: u32, doing: Doing, is_armed: bool) -> Desk {
    let mut desk = Desk::new(panel(width, height, false), Language::English, false);
    desk.ports(8, is_armed);
    for port in 2..=8 {
        desk.set(port, Doing::Writing(30));
    }
    desk.set(1, doing);
    desk.touch_nothing();
    desk.wait(1000);
    desk.ui.draw();
    desk
}

const STATES: [(&str, Doing, bool); 12] = [
    ("empty", Doing::Nothing, false),
    ("insert", Doing::Nothing, true),
    ("choose", Doing::Waiting, false),
    ("checking", Doing::Checking, true),
    ("writing", Doing::Writing(50), true),
    ("restarting", Doing::Restarting, true),
    ("reading back", Doing::Reading(50), true),
    ("paused", Doing::Paused, true),
    ("ready", Doing::Ready, true),
    ("failed", Doing::Failed(Code::ReadBackDiffers), true),
    ("refused", Doing::Refused(Code::TooSmall), true),
    ("retry", Doing::Retry(Code::Vanished), true),
];

#[test]
fn states_are_told_apart_without_their_colours() {
    let mut least = usize::MAX;
    for (size, width, height, _) in PANELS.into_iter().filter(|(.., is_mono)| !is_mono) {
        let pictures = STATES.map(|(name, doing, is_armed)| {
            let desk = desk(width, height, doing, is_armed);
            let at = tile_of(&desk.ui);
            (name, at, at.points().map(|point| desk.ui.frame().at(point)).collect::<Vec<_>>())
        });
        for (number, (name, at, one)) in pictures.iter().enumerate() {
            for (other_name, other_at, other) in &pictures[number + 1..] {
                assert_eq!(at, other_at, "{size}: {name} and {other_name} stand in the same place");
                for (vision, matrix) in VISIONS {
                    let share = told_apart(one, other, &matrix);
                    assert!(share >= LEAST_SHARE, "{size}, {vision}: {name} and {other_name}: {share} of a thousand");
                    least = least.min(share);
                }
            }
        }
        // The control: the same tile in the colour of another state is not told apart.
        let (_, _, ready) = &pictures[8];
        let recolour = |pixel: &[u8; 3]| if *pixel == Colour::Ready.rgb() { Colour::Bad.rgb() } else { *pixel };
        let recoloured: Vec<[u8; 3]> = ready.iter().map(recolour).collect();
        assert_ne!(&recoloured, ready);
        for (vision, matrix) in VISIONS {
            let share = told_apart(ready, &recoloured, &matrix);
            assert!(share < LEAST_SHARE, "{size}, {vision}: {share} of a thousand differ by hue alone");
        }
    }
    assert!(least < 500, "{least}");
}

/// WCAG 2.2, 1.4.3, for each way of seeing.
#[test]
fn what_is_said_of_a_state_can_be_read_whatever_colours_are_seen() {
    let mut count = 0;
    for (size, width, height, _) in PANELS.into_iter().filter(|(.., is_mono)| !is_mono) {
        for (name, doing, is_armed) in STATES {
            let desk = desk(width, height, doing, is_armed);
            for text in texts(&desk.ui).into_iter().filter(|text| text.text.chars().any(char::is_alphanumeric)) {
                let Some(ground) = ground_of(&desk.ui, text) else { continue };
                for (vision, matrix) in VISIONS {
                    let found = contrast(seen(text.colour.rgb(), &matrix), seen(ground, &matrix));
                    assert!(found >= 4.5, "{size}, {vision}, {name}: {:?} has {found:.1}", text.text);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 1000, "{count}");
    // The control: red on green is read by its hue, if at all.
    let [red, green] = [Colour::Bad, Colour::Ready].map(|colour| seen(colour.rgb(), &VISIONS[1].1));
    assert!(contrast(red, green) < 4.5);
}
