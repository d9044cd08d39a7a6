// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel in a terminal that has true colours: each character is two pixels, one above the other. Arrows, Enter and
//! Escape are the keys, `m` is the menu, and a click is a touch.

use std::io::{self, Read, Write};
use std::sync::mpsc::Sender;

use embedded_graphics::prelude::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use platen_ui::{Input, Panel, Ui};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::{Said, Show};

/// The largest that fits is taken.
const PANELS: [(u32, u32, bool); 5] =
    [(800, 480, false), (480, 320, false), (320, 240, false), (240, 240, false), (128, 64, true)];

/// Another screen, no cursor, clicks reported with their places as numbers.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[2J";
const END: &str = "\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[?1049l";

pub(super) struct Terminal {
    before: Termios,
    panel: Panel,
}

impl Terminal {
    pub(super) fn open(said: Sender<Said>) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let window = tcgetwinsize(io::stdout())?;
        let fits = |(width, height, _): &&(u32, u32, bool)| {
            *width <= window.ws_col.into() && height.div_ceil(2) <= window.ws_row.into()
        };
        let (width, height, is_mono) = PANELS.iter().find(fits).copied().unwrap_or((128, 64, true));
        let mut raw = before.clone();
        // Whoever presses Ctrl-C still ends the station.
        raw.local_modes &= !(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        write(BEGIN)?;
        let read = move || {
            let mut bytes = [0; 256];
            while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
                if inputs(&bytes[..count]).into_iter().any(|input| said.send(Said::Input(input)).is_err()) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("panel-keys".to_owned()).spawn(read)?;
        Ok(Self { before, panel: Panel { size: Size::new(width, height), is_mono } })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal may be gone; then nobody misses it.
        let _ = write(END);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

impl Show for Terminal {
    fn panel(&self) -> Panel {
        self.panel
    }

    fn show(&mut self, ui: &Ui, areas: &[Rectangle]) -> io::Result<()> {
        let mut text = String::new();
        for area in areas {
            characters(ui, *area, &mut text);
        }
        write(&text)
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Upper halves of a block: the letter's colour is the upper pixel, what is behind it the lower.
fn characters(ui: &Ui, area: Rectangle, text: &mut String) {
    let (left, right) = (area.top_left.x, area.top_left.x + area.size.width as i32);
    let (top, bottom) = (area.top_left.y / 2, (area.top_left.y + area.size.height as i32 + 1) / 2);
    for row in top..bottom {
        text.push_str(&format!("\x1b[{};{}H", row + 1, left + 1));
        let mut last = None;
        for column in left..right {
            let pixel = |below: i32| ui.frame().at(Point::new(column, row * 2 + below));
            let (upper, lower) = (pixel(0), pixel(1));
            if last != Some((upper, lower)) {
                let ([r, g, b], [r2, g2, b2]) = (upper, lower);
                text.push_str(&format!("\x1b[38;2;{r};{g};{b};48;2;{r2};{g2};{b2}m"));
                last = Some((upper, lower));
            }
            text.push('▀');
        }
    }
}

/// What keys and clicks mean. A terminal sends each of them at once, so none is cut in two.
fn inputs(bytes: &[u8]) -> Vec<Input> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (0x1b, [b'[', b'<', click @ ..]) => {
                let end = click.iter().position(|byte| matches!(byte, b'M' | b'm')).unwrap_or(click.len());
                found.extend(touch(&click[..end], click.get(end) == Some(&b'M')));
                rest = click.get(end + 1..).unwrap_or_default();
            }
            (0x1b, [b'[' | b'O', key, left @ ..]) => {
                found.extend(match key {
                    b'A' | b'D' => Some(Input::Previous),
                    b'B' | b'C' => Some(Input::Next),
                    _ => None,
                });
                rest = left;
            }
            (0x1b, _) => found.push(Input::Back),
            (b'\r' | b'\n' | b' ', _) => found.push(Input::Choose),
            (b'm', _) => found.push(Input::Menu),
            _ => {}
        }
    }
    found
}

/// `button;column;row`, counted from 1.
fn touch(text: &[u8], is_down: bool) -> Option<Input> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text.split(';').map(str::parse::<i32>);
    let (button, column, row) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let at = Point::new(column.checked_sub(1)?, row.checked_sub(1)?.checked_mul(2)?);
    match (button, is_down) {
        (0, true) => Some(Input::Down(at)),
        (0, false) => Some(Input::Up(at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_clicks_are_told_apart() {
        assert_eq!(inputs(b"\x1b[B\x1b[A\r"), [Input::Next, Input::Previous, Input::Choose]);
        assert_eq!(inputs(b"\x1b"), [Input::Back]);
        let at = Point::new(9, 38);
        assert_eq!(inputs(b"\x1b[<0;10;20M\x1b[<0;10;20mm"), [Input::Down(at), Input::Up(at), Input::Menu]);
        // What is no key of ours means nothing, and never too much is read.
        assert_eq!(inputs(b"x\x1b[<2;1;1M\x1b[<0;99999999999;1M\x1b[<\x1b[5"), []);
    }
}
