// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Keys and knobs that the kernel has as input devices. Pure.

use super::{Button, Deed};

/// Kinds of events, and codes, by the numbers of `linux/input-event-codes.h`.
const SYN: u16 = 0;
const KEY: u16 = 1;
const REL: u16 = 2;
const SYN_DROPPED: u16 = 3;
const KEY_ESC: u16 = 1;
const KEY_TAB: u16 = 15;
const KEY_ENTER: u16 = 28;
const KEY_SPACE: u16 = 57;
const KEY_KPENTER: u16 = 96;
const KEY_UP: u16 = 103;
const KEY_LEFT: u16 = 105;
const KEY_RIGHT: u16 = 106;
const KEY_DOWN: u16 = 108;
const KEY_COMPOSE: u16 = 127;
const KEY_MENU: u16 = 139;
const KEY_BACK: u16 = 158;
const BTN_LEFT: u16 = 0x110;
const REL_X: u16 = 0;
const REL_Y: u16 = 1;
const REL_DIAL: u16 = 7;
const REL_WHEEL: u16 = 8;

/// A report that says more is nonsense.
const MOST_TURNS: i32 = 16;

/// What was said of keys so far.
#[derive(Debug)]
pub(super) struct Keyboard {
    /// It has no key for going back: holding one of its few keys must mean that.
    has_few_keys: bool,
    is_knob: bool,
    down: Vec<Button>,
}

impl Keyboard {
    /// None: there are none of our keys, and no knob.
    pub(super) fn new(has_key: impl Fn(u16) -> bool, turns: impl Fn(u16) -> bool) -> Option<Self> {
        let has_keys = [KEY_ENTER, KEY_LEFT, KEY_RIGHT, KEY_UP, KEY_DOWN].into_iter().any(&has_key);
        // The kernel's driver for knobs takes the axes of a mouse unless it is told otherwise.
        let is_knob = turns(REL_DIAL) || ([REL_X, REL_Y].into_iter().any(turns) && !has_key(BTN_LEFT));
        let has_few_keys = ![KEY_ESC, KEY_BACK].into_iter().any(has_key);
        (has_keys || is_knob).then_some(Self { has_few_keys, is_knob, down: Vec::new() })
    }

    /// One event, and what follows from it.
    pub(super) fn event(&mut self, kind: u16, code: u16, value: i32) -> Vec<Deed> {
        match kind {
            // What was let go meanwhile is not told again.
            SYN if code == SYN_DROPPED => self.gone(),
            KEY if self.has_few_keys => {
                button(code).and_then(|button| self.button(button, value)).into_iter().collect()
            }
            // Pressed, or held so long that it repeats.
            KEY if value == 1 || (value == 2 && turned(code)) => key(code).into_iter().collect(),
            REL => {
                // A dial grows to the right, a wheel away from whoever turns it.
                let to_the_right = match code {
                    REL_DIAL => value,
                    REL_X | REL_Y if self.is_knob => value,
                    REL_WHEEL => value.saturating_neg(),
                    _ => return Vec::new(),
                };
                let deed = if to_the_right > 0 { Deed::Next } else { Deed::Previous };
                vec![deed; to_the_right.unsigned_abs().min(MOST_TURNS as u32) as usize]
            }
            _ => Vec::new(),
        }
    }

    fn button(&mut self, button: Button, value: i32) -> Option<Deed> {
        let was_down = self.down.contains(&button);
        match value {
            0 if was_down => {
                self.down.retain(|down| *down != button);
                Some(Deed::Released(button))
            }
            1 if !was_down => {
                self.down.push(button);
                Some(Deed::Pressed(button))
            }
            _ => None,
        }
    }

    /// The device is gone: nothing is held down any more.
    pub(super) fn gone(&mut self) -> Vec<Deed> {
        self.down.drain(..).map(Deed::Released).collect()
    }
}

fn button(code: u16) -> Option<Button> {
    match code {
        KEY_LEFT | KEY_UP => Some(Button::Previous),
        KEY_RIGHT | KEY_DOWN => Some(Button::Next),
        KEY_ENTER | KEY_KPENTER | KEY_SPACE => Some(Button::Choose),
        _ => None,
    }
}

fn key(code: u16) -> Option<Deed> {
    match code {
        KEY_LEFT | KEY_UP => Some(Deed::Previous),
        KEY_RIGHT | KEY_DOWN | KEY_TAB => Some(Deed::Next),
        KEY_ENTER | KEY_KPENTER | KEY_SPACE => Some(Deed::Choose),
        KEY_ESC | KEY_BACK => Some(Deed::Back),
        KEY_MENU | KEY_COMPOSE => Some(Deed::Menu),
        _ => None,
    }
}

fn turned(code: u16) -> bool {
    matches!(key(code), Some(Deed::Next | Deed::Previous))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(keys: &[u16], axes: &[u16]) -> Option<Keyboard> {
        Keyboard::new(|code| keys.contains(&code), |axis| axes.contains(&axis))
    }

    #[test]
    fn a_keyboard_acts_at_once_and_only_arrows_repeat() {
        let mut keyboard = Keyboard::new(|_| true, |_| false).expect("has keys");
        let mut said = |code, value| keyboard.event(KEY, code, value);
        assert_eq!(said(KEY_RIGHT, 1), [Deed::Next]);
        assert_eq!(said(KEY_RIGHT, 2), [Deed::Next]);
        assert_eq!(said(KEY_RIGHT, 0), []);
        assert_eq!(said(KEY_ENTER, 1), [Deed::Choose]);
        // Who leans on it does not confirm everything that comes.
        assert_eq!(said(KEY_ENTER, 2), []);
        assert_eq!(said(KEY_ESC, 1), [Deed::Back]);
        assert_eq!(said(KEY_MENU, 1), [Deed::Menu]);
        assert_eq!(said(30, 1), []);
    }

    #[test]
    fn three_keys_are_the_three_buttons_which_can_be_held() {
        let mut keys = device(&[KEY_LEFT, KEY_ENTER, KEY_RIGHT], &[]).expect("has keys");
        assert_eq!(keys.event(KEY, KEY_LEFT, 1), [Deed::Pressed(Button::Previous)]);
        assert_eq!(keys.event(KEY, KEY_LEFT, 2), []);
        assert_eq!(keys.event(KEY, KEY_LEFT, 0), [Deed::Released(Button::Previous)]);
        assert_eq!(keys.event(KEY, KEY_LEFT, 0), []);
        assert_eq!(keys.event(KEY, KEY_ENTER, 1), [Deed::Pressed(Button::Choose)]);
        assert_eq!((keys.gone(), keys.gone()), (vec![Deed::Released(Button::Choose)], vec![]));
    }

    #[test]
    fn a_button_whose_release_was_lost_is_not_held_for_ever() {
        let mut keys = device(&[KEY_LEFT, KEY_ENTER, KEY_RIGHT], &[]).expect("has keys");
        assert_eq!(keys.event(KEY, KEY_ENTER, 1), [Deed::Pressed(Button::Choose)]);
        assert_eq!(keys.event(SYN, SYN_DROPPED, 0), [Deed::Released(Button::Choose)]);
        assert_eq!(keys.event(SYN, 0, 0), []);
        assert_eq!(keys.event(KEY, KEY_ENTER, 1), [Deed::Pressed(Button::Choose)]);
    }

    #[test]
    fn a_dial_and_a_wheel_turn_as_far_as_they_say() {
        let mut knob = device(&[], &[REL_DIAL, REL_WHEEL]).expect("a knob");
        assert_eq!(knob.event(REL, REL_DIAL, 2), [Deed::Next; 2]);
        assert_eq!(knob.event(REL, REL_DIAL, -1), [Deed::Previous]);
        assert_eq!(knob.event(REL, REL_WHEEL, 1), [Deed::Previous]);
        assert_eq!(knob.event(REL, REL_WHEEL, i32::MIN).len(), MOST_TURNS as usize);
        // The same turn once more, in finer steps.
        assert_eq!(knob.event(REL, 0x0b, 120), []);
        assert_eq!(knob.event(REL, REL_DIAL, 0), []);
    }

    #[test]
    fn a_knob_with_the_axis_of_a_mouse_is_a_knob_and_a_mouse_is_none() {
        for axis in [REL_X, REL_Y] {
            let mut knob = device(&[], &[axis]).expect("a knob");
            assert_eq!(knob.event(REL, axis, 1), [Deed::Next]);
        }
        assert!(device(&[BTN_LEFT, 0x111], &[REL_X, REL_Y, REL_WHEEL]).is_none());
        // A keyboard with a trackball.
        let mut both = device(&[KEY_ENTER, KEY_ESC, BTN_LEFT], &[REL_X, REL_Y]).expect("has keys");
        assert_eq!(both.event(REL, REL_X, 1), []);
        // A power button.
        assert!(device(&[116], &[]).is_none());
    }
}
