// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Input devices that QEMU does not have, played by this very program in the guest (`uinput`).

use std::io::BufRead;

use evdev::uinput::VirtualDevice;
use evdev::{AbsInfo, AbsoluteAxisCode, AttributeSet, InputEvent, KeyCode, RelativeAxisCode, UinputAbsSetup};

use super::mirror::SIZE;

/// Each line is a report of one of them: `fingers` or `knob`, then kind, code and value of each event.
#[test]
#[ignore = "the inner half of a test, for the guest"]
fn plays_devices() {
    let keys: AttributeSet<KeyCode> = [KeyCode::BTN_TOUCH].into_iter().collect();
    let axis = |code, last| UinputAbsSetup::new(code, AbsInfo::new(0, 0, last, 0, 0, 0));
    let built = VirtualDevice::builder().and_then(|device| {
        let device = device.name("Fingers").with_keys(&keys)?;
        let device = device.with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_SLOT, 9))?;
        let device = device.with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_TRACKING_ID, 65535))?;
        let device = device.with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_POSITION_X, SIZE.width as i32 - 1))?;
        device.with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_POSITION_Y, SIZE.height as i32 - 1))?.build()
    });
    let mut fingers = built.expect("a touch panel");
    let axes: AttributeSet<RelativeAxisCode> = [RelativeAxisCode::REL_DIAL].into_iter().collect();
    let built =
        VirtualDevice::builder().and_then(|device| device.name("Virtio Knob").with_relative_axes(&axes)?.build());
    let mut knob = built.expect("a knob");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let device = if words.next() == Some("knob") { &mut knob } else { &mut fingers };
        let numbers: Vec<i32> = words.map(|word| word.parse().expect("a number")).collect();
        let event = |one: &[i32]| InputEvent::new(one[0] as u16, one[1] as u16, one[2]);
        let events: Vec<InputEvent> = numbers.chunks_exact(3).map(event).collect();
        device.emit(&events).expect("events");
    }
}
