// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A knob's two contacts, which bounce. Pure.

/// A turn by one place where the knob rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Right,
    Left,
}

/// Follows both contacts through the four states of a turn: 00, 10, 11, 01 to the right.
///
/// A contact that bounces goes to and fro between two neighbours, which adds up to nothing. A step over a neighbour was
/// seen too late to know its direction, and counts for nothing.
#[derive(Debug)]
pub(super) struct Quadrature {
    /// Its place in the turn, from 0 to 3.
    phase: i8,
    /// Steps since the knob rested last; to the right they are positive.
    steps: i8,
    /// Steps from one rest to the next: 2 or 4.
    changes: i8,
    /// Where it rests.
    rest: i8,
}

impl Quadrature {
    /// A knob is taken to rest where it is at the start.
    pub(super) fn new(a: bool, b: bool, changes: u8) -> Self {
        let phase = phase(a, b);
        Self { phase, steps: 0, changes: changes as i8, rest: phase }
    }

    /// The contacts as they are now.
    pub(super) fn contacts(&mut self, a: bool, b: bool) -> Option<Turn> {
        let phase = phase(a, b);
        match (phase - self.phase).rem_euclid(4) {
            1 => self.steps += 1,
            3 => self.steps -= 1,
            _ => {}
        }
        self.phase = phase;
        if (phase - self.rest).rem_euclid(self.changes) != 0 {
            return None;
        }
        // More than half the way in one direction: bounces that were missed do not add up to that.
        match std::mem::take(&mut self.steps) {
            steps if steps > self.changes / 2 => Some(Turn::Right),
            steps if steps < -(self.changes / 2) => Some(Turn::Left),
            _ => None,
        }
    }
}

fn phase(a: bool, b: bool) -> i8 {
    match (a, b) {
        (false, false) => 0,
        (true, false) => 1,
        (true, true) => 2,
        (false, true) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Contacts written as two digits each, beginning with where the knob is.
    fn turns(changes: u8, contacts: &str) -> Vec<Turn> {
        let mut states = contacts.split_whitespace().map(|state| (state.starts_with('1'), state.ends_with('1')));
        let (a, b) = states.next().expect("a beginning");
        let mut knob = Quadrature::new(a, b, changes);
        states.filter_map(|(a, b)| knob.contacts(a, b)).collect()
    }

    #[test]
    fn a_detent_is_one_turn() {
        assert_eq!(turns(4, "00 10 11 01 00"), [Turn::Right]);
        assert_eq!(turns(4, "00 01 11 10 00"), [Turn::Left]);
        // One that rests with both contacts open.
        assert_eq!(turns(4, "11 01 00 10 11 01 00 10 11"), [Turn::Right; 2]);
        // One that rests twice in each turn.
        assert_eq!(turns(2, "00 10 11 01 00"), [Turn::Right; 2]);
        assert_eq!(turns(2, "00 01 11"), [Turn::Left]);
    }

    #[test]
    fn a_contact_that_bounces_turns_nothing() {
        for (contacts, expected) in [
            ("00 10 00 10 00 10 11 10 11 01 11 01 00 01 00", vec![Turn::Right]),
            ("00 10 00 10 00 10 00", vec![]),
            ("00 10 11 10 00", vec![]),
            ("00 10 11 01 11 10 00", vec![]),
            ("00 01 00 01 11 01 11 10 11 10 00 10 00", vec![Turn::Left]),
            // Turned back when it was nearly there.
            ("00 10 11 01 11 10 00 01 11 10 00", vec![Turn::Left]),
        ] {
            assert_eq!(turns(4, contacts), expected, "{contacts}");
        }
    }

    #[test]
    fn a_state_that_was_missed_loses_no_later_turn() {
        // 10 was missed: one turn is lost at most, none is made up.
        assert_eq!(turns(4, "00 11 01 00 10 11 01 00"), [Turn::Right]);
        // From rest to rest nothing is known.
        assert_eq!(turns(2, "00 11 00 11"), []);
    }

    proptest! {
        /// Whole turns with any bounces between neighbours: just as many are counted.
        #[test]
        fn turns_are_counted_whatever_bounces(
            detents in prop::collection::vec(any::<bool>(), 0..40),
            bounces in prop::collection::vec(0usize..5, 160),
            changes in prop::sample::select(vec![2u8, 4]),
        ) {
            const STATES: [(bool, bool); 4] = [(false, false), (true, false), (true, true), (false, true)];
            let mut knob = Quadrature::new(false, false, changes);
            let mut at = 0usize;
            let mut bounces = bounces.into_iter();
            let mut found = Vec::new();
            for is_right in &detents {
                for _ in 0..changes {
                    let next = if *is_right { (at + 1) % 4 } else { (at + 3) % 4 };
                    for _ in 0..bounces.next().unwrap_or(0) {
                        for state in [next, at] {
                            found.extend(knob.contacts(STATES[state].0, STATES[state].1));
                        }
                    }
                    at = next;
                    found.extend(knob.contacts(STATES[at].0, STATES[at].1));
                }
            }
            let expected: Vec<Turn> =
                detents.iter().map(|is_right| if *is_right { Turn::Right } else { Turn::Left }).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
