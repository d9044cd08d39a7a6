// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The kernel's input devices, which come and go. Each is listened to by a thread of its own, and by nobody else: what is
//! typed at the panel must not reach a console behind it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use embedded_graphics::prelude::*;
use evdev::raw_stream::RawDevice;
use evdev::{AbsInfo, AbsoluteAxisCode, KeyCode, PropType, RelativeAxisCode};

use super::keyboard::Keyboard;
use super::pointer::{Axis, Place, Pointer};
use super::{Deed, Sink, spawn};
use crate::board::{Board, Keys, Touch};

const FOLDER: &str = "/dev/input";
/// How often it is looked for devices that came.
const LOOK: Duration = Duration::from_secs(1);

/// What is looked for.
struct Wanted {
    touch: Option<Touch>,
    keys: Option<Keys>,
    panel: Size,
    rotation: crate::rotation::Rotation,
}

/// What a device is for us.
enum Heard {
    Pointer(Pointer),
    Keys(Keyboard),
}

pub(super) fn listen(board: &Board, sink: &Sink) {
    if board.touch.is_none() && board.keys.is_none() {
        return;
    }
    let rotation = board.panel.rotation();
    let wanted = Wanted {
        touch: board.touch.clone(),
        keys: board.keys.clone(),
        panel: rotation.picture(board.panel.size()),
        rotation,
    };
    let sink = Arc::clone(sink);
    spawn("panel-inputs", move || {
        // By path and the number of its file: another device may get the same name.
        let mut known: BTreeMap<(PathBuf, u64), Known> = BTreeMap::new();
        let is_over = Arc::new(AtomicBool::new(false));
        while !is_over.load(Ordering::Relaxed) {
            let found = present();
            known.retain(|device, known| found.contains(device) && !known.has_ended());
            for device in found {
                // One that can't be opened yet may get its rights in a moment.
                if !matches!(known.get(&device), None | Some(Known::Closed)) {
                    continue;
                }
                let state = match RawDevice::open(&device.0) {
                    Ok(opened) => take(opened, &device.0, &wanted, &sink, &is_over),
                    Err(error) => {
                        if !known.contains_key(&device) {
                            tracing::info!("{}: not listened to yet: {error}", device.0.display());
                        }
                        Known::Closed
                    }
                };
                known.insert(device, state);
            }
            std::thread::sleep(LOOK);
        }
    });
}

/// What is known of a device.
enum Known {
    /// It can't be opened.
    Closed,
    /// It is none of ours.
    Other,
    /// It is listened to, until this says that it ended.
    Heard(Arc<AtomicBool>),
}

impl Known {
    fn has_ended(&self) -> bool {
        matches!(self, Self::Heard(ended) if ended.load(Ordering::Relaxed))
    }
}

fn present() -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let events = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("event"));
    events.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.ino()))).collect()
}

fn take(mut device: RawDevice, path: &Path, wanted: &Wanted, sink: &Sink, is_over: &Arc<AtomicBool>) -> Known {
    let name = device.name().unwrap_or_default().to_owned();
    let Some(mut heard) = heard(&device, &name, wanted) else { return Known::Other };
    if let Err(error) = device.grab() {
        tracing::warn!("{} ({name}): others hear it too: {error}", path.display());
    }
    tracing::info!("{} ({name}): listened to", path.display());
    let ended = Arc::new(AtomicBool::new(false));
    let (ends, sink, is_over, path) = (Arc::clone(&ended), Arc::clone(sink), Arc::clone(is_over), path.to_owned());
    spawn("panel-input", move || {
        let error = read(&mut device, &mut heard, &sink);
        let last = match &mut heard {
            Heard::Pointer(pointer) => pointer.gone().into_iter().collect(),
            Heard::Keys(keyboard) => keyboard.gone(),
        };
        if error.is_none() || last.into_iter().any(|deed| !sink(deed)) {
            is_over.store(true, Ordering::Relaxed);
        }
        if let Some(error) = error {
            tracing::info!("{} ({name}): gone: {error}", path.display());
        }
        ends.store(true, Ordering::Relaxed);
    });
    Known::Heard(ended)
}

/// Until the device is gone, or nobody wants to hear of it.
fn read(device: &mut RawDevice, heard: &mut Heard, sink: &Sink) -> Option<io::Error> {
    loop {
        let events = match device.fetch_events() {
            Ok(events) => events,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(error),
        };
        for event in events {
            let (kind, code, value) = (event.event_type().0, event.code(), event.value());
            let deeds: Vec<Deed> = match heard {
                Heard::Pointer(pointer) => pointer.event(kind, code, value).into_iter().collect(),
                Heard::Keys(keyboard) => keyboard.event(kind, code, value),
            };
            if deeds.into_iter().any(|deed| !sink(deed)) {
                return None;
            }
        }
    }
}

fn heard(device: &RawDevice, name: &str, wanted: &Wanted) -> Option<Heard> {
    let is_named = |part: &Option<String>| part.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let has_key = |code| device.supported_keys().is_some_and(|keys| keys.contains(KeyCode(code)));
    let turns = |code| device.supported_relative_axes().is_some_and(|axes| axes.contains(RelativeAxisCode(code)));
    if let Some(touch) = wanted.touch.as_ref().filter(|touch| is_named(&touch.name))
        && let Some(pointer) = pointer(device, touch, wanted)
    {
        return Some(Heard::Pointer(pointer));
    }
    let is_wanted = wanted.keys.as_ref().is_some_and(|keys| is_named(&keys.name));
    is_wanted.then(|| Keyboard::new(has_key, turns)).flatten().map(Heard::Keys)
}

fn pointer(device: &RawDevice, touch: &Touch, wanted: &Wanted) -> Option<Pointer> {
    let keys = device.supported_keys()?;
    // A touch pad moves a pointer that is somewhere else.
    let is_pad = device.properties().contains(PropType::POINTER) && keys.contains(KeyCode::BTN_TOOL_FINGER);
    if is_pad || !(keys.contains(KeyCode::BTN_TOUCH) || keys.contains(KeyCode::BTN_LEFT)) {
        return None;
    }
    let axes: BTreeMap<u16, AbsInfo> = device.get_absinfo().ok()?.map(|(code, info)| (code.0, info)).collect();
    let axis = |code: AbsoluteAxisCode| axes.get(&code.0);
    let slot = axis(AbsoluteAxisCode::ABS_MT_SLOT).map(AbsInfo::value);
    let [x, y] = match slot {
        Some(_) => [axis(AbsoluteAxisCode::ABS_MT_POSITION_X)?, axis(AbsoluteAxisCode::ABS_MT_POSITION_Y)?],
        None => [axis(AbsoluteAxisCode::ABS_X)?, axis(AbsoluteAxisCode::ABS_Y)?],
    };
    let range = |info: &AbsInfo| Axis { first: info.minimum(), last: info.maximum() };
    let place = Place {
        axes: [range(x), range(y)],
        calibration: touch.calibration,
        panel: wanted.panel,
        rotation: wanted.rotation,
    };
    if place.axes.iter().any(|axis| axis.last <= axis.first) {
        tracing::warn!("{}: it does not say how far its axes go", device.name().unwrap_or_default());
        return None;
    }
    Some(Pointer::new(place, slot, [x.value(), y.value()]))
}
