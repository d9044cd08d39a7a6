// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Media that may be written, and those that are shown with the reason why not.

use platen_ui::{Action, Language, Screen, Shape};

use super::desk::{Desk, PANELS, panel};
use super::scenes::look_at;

/// Whether the screen leads on with the medium it shows.
fn can_be_chosen(desk: &Desk) -> bool {
    let leads_on = |action: &Action| match action {
        Action::Open(screen) => matches!(**screen, Screen::HowMany { .. }),
        Action::Ask(_) => true,
        _ => false,
    };
    desk.ui.targets().iter().any(|target| leads_on(&target.action))
}

fn says(desk: &Desk, wanted: &str) -> bool {
    let shapes = &desk.ui.scene().expect("it was drawn").shapes;
    shapes.iter().any(|shape| matches!(shape, Shape::Text(text) if text.text.contains(wanted)))
}

#[test]
fn what_may_not_be_written_is_shown_with_the_reason_and_cant_be_chosen() {
    let cases =
        [(0, true, "2027-06-30"), (1, true, "Valid from 2027-01-01"), (2, false, "Expired"), (3, false, "damaged")];
    for (size, width, height, is_mono) in PANELS {
        for (index, is_choosable, said) in cases {
            let mut desk = Desk::new(panel(width, height, is_mono), Language::English, false);
            look_at(&mut desk, index);
            desk.ui.draw();
            assert_eq!(can_be_chosen(&desk), is_choosable, "{size}: medium {index}");
            // A panel of one bit has no room for the dates of what may be written.
            assert!(says(&desk, said) || (is_mono && is_choosable), "{size}: medium {index} says nothing of {said}");
        }
    }
}
