// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Touch panels and pointers that know a place, from the kernel's events (`Documentation/input/multi-touch-protocol.rst`).
//! One finger counts: the first. Pure.

use std::collections::BTreeMap;

use embedded_graphics::prelude::*;

use super::Deed;
use crate::rotation::Rotation;

/// Kinds of events, and codes, by the numbers of `linux/input-event-codes.h`.
const SYN: u16 = 0;
const KEY: u16 = 1;
const ABS: u16 = 3;
const SYN_REPORT: u16 = 0;
const SYN_DROPPED: u16 = 3;
const BTN_LEFT: u16 = 0x110;
const BTN_TOUCH: u16 = 0x14a;
const ABS_X: u16 = 0;
const ABS_Y: u16 = 1;
const ABS_MT_SLOT: u16 = 0x2f;
const ABS_MT_POSITION_X: u16 = 0x35;
const ABS_MT_POSITION_Y: u16 = 0x36;
const ABS_MT_TRACKING_ID: u16 = 0x39;

/// Fingers beyond these are not followed.
const MOST_SLOTS: i32 = 32;
/// Where a touch ends that was lost.
const NOWHERE: Point = Point::new(i32::MIN / 2, i32::MIN / 2);

/// The values between which an axis moves, both of which are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) first: i32,
    pub(super) last: i32,
}

impl Axis {
    /// From 0 to 1.
    fn part(self, value: i32) -> f64 {
        let (first, last) = (f64::from(self.first), f64::from(self.last));
        (f64::from(value) + 0.5 - first) / (last - first + 1.0)
    }
}

/// From what a device says to a point of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) axes: [Axis; 2],
    pub(super) calibration: [f64; 6],
    /// Of the panel, before the picture is turned.
    pub(super) panel: Size,
    pub(super) rotation: Rotation,
}

impl Place {
    /// The pixel that is meant; touches beside the panel count for its edge.
    fn point(&self, [x, y]: [i32; 2]) -> Point {
        let (x, y) = (self.axes[0].part(x), self.axes[1].part(y));
        let [a, b, c, d, e, f] = self.calibration;
        let (x, y) = (a * x + b * y + c, d * x + e * y + f);
        let pixel = |part: f64, count: u32| ((part * f64::from(count)).floor() as i32).clamp(0, count as i32 - 1);
        let at = Point::new(pixel(x, self.panel.width), pixel(y, self.panel.height));
        self.rotation.to_picture(at, self.panel)
    }
}

/// What was said of fingers so far.
#[derive(Debug)]
pub(super) struct Pointer {
    place: Place,
    /// It tells fingers apart, each in a slot.
    has_slots: bool,
    slot: i32,
    /// Where each finger was last: the kernel says only what changes, also from one touch to the next.
    at: BTreeMap<i32, [i32; 2]>,
    /// The slot of the finger that counts.
    finger: i32,
    is_down: bool,
    /// That it is down was told.
    is_told: bool,
    /// Events were lost: until the next report nothing counts.
    is_lost: bool,
}

impl Pointer {
    /// `slot`: the one that the next events are about, for a device that has slots; `at`: what its axes say.
    pub(super) fn new(place: Place, slot: Option<i32>, at: [i32; 2]) -> Self {
        let first = slot.unwrap_or_default();
        Self {
            place,
            has_slots: slot.is_some(),
            slot: first,
            at: BTreeMap::from([(first, at)]),
            finger: first,
            is_down: false,
            is_told: false,
            is_lost: false,
        }
    }

    /// One event.
    pub(super) fn event(&mut self, kind: u16, code: u16, value: i32) -> Option<Deed> {
        match (kind, code) {
            (SYN, SYN_DROPPED) => self.is_lost = true,
            (SYN, SYN_REPORT) if self.is_lost => {
                self.is_lost = false;
                return self.gone();
            }
            (SYN, SYN_REPORT) => return self.report(),
            _ if self.is_lost => {}
            (ABS, ABS_MT_SLOT) if self.has_slots => self.slot = value,
            (ABS, ABS_MT_TRACKING_ID) if self.has_slots => match value {
                0.. if !self.is_down && !self.is_told => (self.finger, self.is_down) = (self.slot, true),
                ..0 if self.finger == self.slot => self.is_down = false,
                _ => {}
            },
            (ABS, ABS_MT_POSITION_X) if self.has_slots => self.moved(0, value),
            (ABS, ABS_MT_POSITION_Y) if self.has_slots => self.moved(1, value),
            (ABS, ABS_X) if !self.has_slots => self.moved(0, value),
            (ABS, ABS_Y) if !self.has_slots => self.moved(1, value),
            (KEY, BTN_TOUCH | BTN_LEFT) if !self.has_slots => self.is_down = value != 0,
            _ => {}
        }
        None
    }

    fn moved(&mut self, axis: usize, value: i32) {
        if (0..MOST_SLOTS).contains(&self.slot) {
            let first = self.place.axes.map(|axis| axis.first);
            self.at.entry(self.slot).or_insert(first)[axis] = value;
        }
    }

    /// Everything that belongs together was said.
    fn report(&mut self) -> Option<Deed> {
        if self.is_down == self.is_told {
            return None;
        }
        self.is_told = self.is_down;
        let at = self.at.get(&self.finger).map_or(NOWHERE, |at| self.place.point(*at));
        Some(if self.is_down { Deed::Touched(at) } else { Deed::Lifted(at) })
    }

    /// The device is gone, or what it said was lost: nothing is meant by a finger that was down.
    pub(super) fn gone(&mut self) -> Option<Deed> {
        self.is_down = false;
        std::mem::take(&mut self.is_told).then_some(Deed::Lifted(NOWHERE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PANEL: Size = Size::new(800, 480);
    const AS_IT_IS: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

    fn place(last: [i32; 2]) -> Place {
        let axes = last.map(|last| Axis { first: 0, last });
        Place { axes, calibration: AS_IT_IS, panel: PANEL, rotation: Rotation::None }
    }

    fn deeds(pointer: &mut Pointer, events: &[(u16, u16, i32)]) -> Vec<Deed> {
        events.iter().filter_map(|(kind, code, value)| pointer.event(*kind, *code, *value)).collect()
    }

    const REPORT: (u16, u16, i32) = (SYN, SYN_REPORT, 0);

    fn slots() -> Pointer {
        Pointer::new(place([799, 479]), Some(0), [0, 0])
    }

    #[test]
    fn a_tablet_is_touched_where_it_is_pressed() {
        let mut tablet = Pointer::new(place([32767, 32767]), None, [0, 0]);
        let down = [(ABS, ABS_X, 16384), (ABS, ABS_Y, 8192), REPORT, (KEY, BTN_LEFT, 1), REPORT];
        assert_eq!(deeds(&mut tablet, &down), [Deed::Touched(Point::new(400, 120))]);
        let moved = [(ABS, ABS_X, 32767), REPORT, (KEY, BTN_LEFT, 0), REPORT];
        assert_eq!(deeds(&mut tablet, &moved), [Deed::Lifted(Point::new(799, 120))]);
    }

    #[test]
    fn only_the_first_finger_counts() {
        let mut touch = slots();
        let first = [(ABS, ABS_MT_TRACKING_ID, 7), (ABS, ABS_MT_POSITION_X, 10), (ABS, ABS_MT_POSITION_Y, 20), REPORT];
        assert_eq!(deeds(&mut touch, &first), [Deed::Touched(Point::new(10, 20))]);
        let second = [
            (ABS, ABS_MT_SLOT, 1),
            (ABS, ABS_MT_TRACKING_ID, 8),
            (ABS, ABS_MT_POSITION_X, 500),
            (ABS, ABS_MT_POSITION_Y, 400),
            // What the kernel says for programs that know of one finger only.
            (ABS, ABS_X, 500),
            (KEY, BTN_TOUCH, 1),
            REPORT,
            (ABS, ABS_MT_TRACKING_ID, -1),
            REPORT,
        ];
        assert_eq!(deeds(&mut touch, &second), []);
        let lifted = [(ABS, ABS_MT_SLOT, 0), (ABS, ABS_MT_TRACKING_ID, -1), (KEY, BTN_TOUCH, 0), REPORT];
        assert_eq!(deeds(&mut touch, &lifted), [Deed::Lifted(Point::new(10, 20))]);
        // The second finger stays down when the first is lifted: it does not become the first.
        deeds(&mut touch, &first);
        let left = [
            (ABS, ABS_MT_SLOT, 1),
            (ABS, ABS_MT_TRACKING_ID, 9),
            REPORT,
            (ABS, ABS_MT_SLOT, 0),
            (ABS, ABS_MT_TRACKING_ID, -1),
            REPORT,
            (ABS, ABS_MT_SLOT, 1),
            (ABS, ABS_MT_TRACKING_ID, -1),
            REPORT,
        ];
        assert_eq!(deeds(&mut touch, &left), [Deed::Lifted(Point::new(10, 20))]);
    }

    /// The kernel does not say again what has not changed: neither the place nor the slot.
    #[test]
    fn a_second_tap_at_the_same_place_counts() {
        let mut touch = slots();
        let tap = [(ABS, ABS_MT_TRACKING_ID, 1), (ABS, ABS_MT_POSITION_X, 300), (ABS, ABS_MT_POSITION_Y, 200), REPORT];
        let lift = [(ABS, ABS_MT_TRACKING_ID, -1), REPORT];
        let at = Point::new(300, 200);
        assert_eq!(deeds(&mut touch, &tap), [Deed::Touched(at)]);
        assert_eq!(deeds(&mut touch, &lift), [Deed::Lifted(at)]);
        assert_eq!(deeds(&mut touch, &[(ABS, ABS_MT_TRACKING_ID, 2), REPORT]), [Deed::Touched(at)]);
        assert_eq!(deeds(&mut touch, &lift), [Deed::Lifted(at)]);
        // A program that is started while the kernel's slot is another one is told of no slot at all.
        let mut late = Pointer::new(place([799, 479]), Some(3), [5, 6]);
        assert_eq!(deeds(&mut late, &[(ABS, ABS_MT_TRACKING_ID, 2), REPORT]), [Deed::Touched(Point::new(5, 6))]);
        assert_eq!(deeds(&mut late, &lift), [Deed::Lifted(Point::new(5, 6))]);
    }

    #[test]
    fn nothing_is_meant_by_a_touch_whose_end_was_lost() {
        for has_slots in [true, false] {
            let mut touch = Pointer::new(place([799, 479]), has_slots.then_some(0), [1, 1]);
            let begin = if has_slots { (ABS, ABS_MT_TRACKING_ID, 1) } else { (KEY, BTN_TOUCH, 1) };
            assert_eq!(deeds(&mut touch, &[begin, REPORT]), [Deed::Touched(Point::new(1, 1))]);
            // What comes between the loss and the next report is half of something.
            let lost = [(SYN, SYN_DROPPED, 0), begin, (ABS, ABS_X, 9), REPORT];
            assert_eq!(deeds(&mut touch, &lost), [Deed::Lifted(NOWHERE)]);
            assert_eq!(deeds(&mut touch, &[begin, REPORT]), [Deed::Touched(Point::new(1, 1))]);
            assert_eq!((touch.gone(), touch.gone()), (Some(Deed::Lifted(NOWHERE)), None));
        }
    }

    #[test]
    fn calibration_and_mounting_lead_to_the_pixel_that_is_seen() {
        // Axes exchanged, one of them running from the right, between 200 and 3900: a resistive panel.
        let mut place = place([4095, 4095]);
        place.axes = [Axis { first: 200, last: 3900 }; 2];
        place.calibration = [0.0, -1.0, 1.0, 1.0, 0.0, 0.0];
        assert_eq!(place.point([200, 3900]), Point::new(0, 0));
        assert_eq!(place.point([3900, 200]), Point::new(799, 479));
        // Beside the panel.
        assert_eq!(place.point([0, 4095]), Point::new(0, 0));
        place.calibration = AS_IT_IS;
        place.rotation = Rotation::Half;
        assert_eq!(place.point([200, 200]), Point::new(799, 479));
        place.rotation = Rotation::Quarter;
        // The panel's right upper corner is the picture's left upper one.
        assert_eq!(place.point([3900, 200]), Point::new(0, 0));
    }

    proptest! {
        /// Whatever a device says: touches and lifts take turns, and a touch is on the picture.
        #[test]
        fn a_device_that_says_anything_makes_whole_touches(
            has_slots: bool,
            events in prop::collection::vec((
                prop::sample::select(vec![SYN, KEY, ABS]),
                prop::sample::select(vec![0, 1, 3, BTN_LEFT, BTN_TOUCH, ABS_MT_SLOT, ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_TRACKING_ID]),
                prop_oneof![-2i32..40, any::<i32>()],
            ), 0..200),
        ) {
            let mut pointer = Pointer::new(place([799, 479]), has_slots.then_some(0), [0, 0]);
            let mut is_down = false;
            for (kind, code, value) in events {
                match pointer.event(kind, code, value) {
                    Some(Deed::Touched(at)) => {
                        prop_assert!(!is_down);
                        let is_inside = (0..800).contains(&at.x) && (0..480).contains(&at.y);
                        prop_assert!(is_inside || at == NOWHERE, "{at}");
                        is_down = true;
                    }
                    Some(Deed::Lifted(_)) => {
                        prop_assert!(is_down);
                        is_down = false;
                    }
                    Some(other) => prop_assert!(false, "{other:?}"),
                    None => {}
                }
            }
        }
    }
}
