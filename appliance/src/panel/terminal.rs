// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel in a terminal that has true colours: each character is two pixels, one above the other. Arrows, Enter and
//! Escape are the keys, `m` is the menu, `q` ends the station, and a click is a touch.

use std::io::{self, Write};
use std::sync::mpsc::Sender;

use embedded_graphics::prelude::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use platen_ui::{Panel, Ui};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

use super::keys::{Keys, Pressed};
use super::{Said, Show};

/// So long after its first byte, the rest of a key has come.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The largest that fits is taken.
const PANELS: [(u32, u32, bool); 5] =
    [(800, 480, false), (480, 320, false), (320, 240, false), (240, 240, false), (128, 64, true)];

/// Another screen, no cursor, clicks reported with their places as numbers.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[2J";
const END: &str = "\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[?1049l";

pub(super) struct Terminal {
    before: Termios,
    window: Winsize,
    panel: Panel,
}

impl Terminal {
    pub(super) fn open(said: Sender<Said>) -> io::Result<Self> {
        if !is_true_colour(std::env::var("COLORTERM").ok().as_deref()) {
            let text =
                "expected a terminal with true colours that says so (COLORTERM=truecolor); --panel png:DIR needs none";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
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
        std::thread::Builder::new().name("panel-keys".to_owned()).spawn(move || read(&said))?;
        Ok(Self { before, window, panel: Panel { size: Size::new(width, height), is_mono, has_light: false } })
    }
}

/// What terminals that have them say of themselves.
fn is_true_colour(said: Option<&str>) -> bool {
    matches!(said, Some("truecolor" | "24bit"))
}

/// Until the terminal is gone, or nobody listens.
fn read(said: &Sender<Said>) {
    let (mut keys, mut bytes) = (Keys::default(), [0; 256]);
    loop {
        let stdin = io::stdin();
        let limit = keys.waits().then_some(&REST);
        let pressed = match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], limit) {
            Ok(0) => keys.rest().into_iter().collect(),
            // Not through the buffer of the standard library, in which nothing would be noticed.
            Ok(_) => match rustix::io::read(&stdin, &mut bytes) {
                Ok(count @ 1..) => keys.take(&bytes[..count]),
                _ => return,
            },
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        };
        for pressed in pressed {
            let sent = match pressed {
                Pressed::Input(input) => said.send(Said::Input(input)),
                Pressed::Quit => said.send(Said::Quit),
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal may be gone; then nobody misses it.
        let _ = write(END);
        // Clicks that were on their way are not for whoever reads next.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

impl Show for Terminal {
    fn panel(&self) -> Panel {
        self.panel
    }

    fn lost_it(&mut self) -> bool {
        let window = tcgetwinsize(io::stdout()).unwrap_or(self.window);
        let is_other = (window.ws_col, window.ws_row) != (self.window.ws_col, self.window.ws_row);
        self.window = window;
        is_other
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
