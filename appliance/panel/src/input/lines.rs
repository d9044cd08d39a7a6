// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Buttons and a knob at lines of GPIO chips. Buttons are debounced by the kernel, which does it itself where the chip can't.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeEvent, EdgeKind, Value};

use super::bounce::{Quadrature, Turn};
use super::{Button, Deed, Sink, spawn};
use crate::board::{Board, Encoder, Line};
use crate::error::PanelError;
use crate::pin::device_error;

/// Longer than contacts bounce, shorter than anybody presses.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// The kernel keeps so many until they are read, at most (`GPIO_V2_LINES_MAX` times 16); then the oldest are lost.
const MOST_EVENTS: u32 = 1024;

pub(super) fn listen(board: &Board, sink: &Sink) {
    let knob = board.encoder.as_ref().and_then(|encoder| encoder.press.as_ref());
    let three = board.buttons.as_ref().map(|buttons| {
        [(&buttons.previous, Button::Previous), (&buttons.choose, Button::Choose), (&buttons.next, Button::Next)]
    });
    let mut chips: BTreeMap<&Path, Vec<(&Line, Button)>> = BTreeMap::new();
    for (line, button) in three.into_iter().flatten().chain(knob.map(|line| (line, Button::Knob))) {
        chips.entry(&line.chip).or_default().push((line, button));
    }
    for buttons in chips.into_values() {
        let lines: Vec<&Line> = buttons.iter().map(|(line, _)| *line).collect();
        let Some(request) = taken(&lines, Some(DEBOUNCE)) else { continue };
        let names: BTreeMap<u32, Button> = buttons.iter().map(|(line, button)| (line.line, *button)).collect();
        watch("panel-buttons", request, sink, move |event| {
            let button = *names.get(&event.offset)?;
            Some(match event.kind {
                EdgeKind::Rising => Deed::Pressed(button),
                EdgeKind::Falling => Deed::Released(button),
            })
        });
    }
    if let Some(encoder) = &board.encoder {
        turn(encoder, sink);
    }
}

/// Both contacts in one request, whose events come in order. A contact that the kernel debounced would lose fast turns.
fn turn(encoder: &Encoder, sink: &Sink) {
    let Some(request) = taken(&[&encoder.a, &encoder.b], None) else { return };
    let is_on = |line: &Line| request.value(line.line).is_ok_and(|value| value == Value::Active);
    let (mut a, mut b) = (is_on(&encoder.a), is_on(&encoder.b));
    let mut knob = Quadrature::new(a, b, encoder.changes);
    let line = encoder.a.line;
    watch("panel-knob", request, sink, move |event| {
        let is_on = event.kind == EdgeKind::Rising;
        if event.offset == line {
            a = is_on
        } else {
            b = is_on
        }
        Some(match knob.contacts(a, b)? {
            Turn::Right => Deed::Next,
            Turn::Left => Deed::Previous,
        })
    });
}

/// Inputs at one chip, each with its rest. Without them the station goes on.
fn taken(lines: &[&Line], debounce: Option<Duration>) -> Option<Request> {
    let first = lines.first()?;
    let mut wanted = Request::builder();
    wanted.on_chip(&first.chip).with_consumer("platen").with_kernel_event_buffer_size(MOST_EVENTS);
    for line in lines {
        wanted.with_line(line.line).as_input().with_edge_detection(EdgeDetection::BothEdges);
        match line.is_active_low {
            true => wanted.as_active_low().with_bias(Bias::PullUp),
            false => wanted.as_active_high().with_bias(Bias::PullDown),
        };
        if let Some(period) = debounce {
            wanted.with_debounce_period(period);
        }
    }
    match wanted.request() {
        Ok(request) => Some(request),
        Err(error) => {
            let error: PanelError = device_error(first, "the GPIO lines can't be had as inputs", error);
            tracing::warn!("{}", error.chain());
            None
        }
    }
}

fn watch(
    name: &'static str,
    request: Request,
    sink: &Sink,
    mut deed: impl FnMut(EdgeEvent) -> Option<Deed> + Send + 'static,
) {
    let sink = Arc::clone(sink);
    spawn(name, move || {
        loop {
            match request.read_edge_event() {
                Ok(event) => {
                    if deed(event).is_some_and(|deed| !sink(deed)) {
                        return;
                    }
                }
                Err(error) => return tracing::warn!("{name}: nothing is heard any more: {error}"),
            }
        }
    });
}
