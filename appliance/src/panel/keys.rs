// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a terminal sends, and what it means: keys and clicks. The Escape key is also the beginning of all the others, and
//! a slow line may cut any of them in two: what is not whole waits for the rest.

use embedded_graphics::prelude::Point;
use platen_ui::Input;

/// A longer one means nothing to us.
const MAX_SEQUENCE_BYTES: usize = 32;

/// What somebody does at a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    /// Something for the panel.
    Input(Input),
    /// The station is to end.
    Quit,
}

/// Turns bytes into what they mean.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// A sequence as far as it has come.
    begun: Vec<u8>,
}

impl Keys {
    /// Something is not whole yet.
    pub(super) fn waits(&self) -> bool {
        !self.begun.is_empty()
    }

    /// These bytes have come.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Pressed> {
        self.begun.extend_from_slice(bytes);
        let mut found = Vec::new();
        while let Some((pressed, used)) = first(&self.begun) {
            found.extend(pressed);
            self.begun.drain(..used);
        }
        found
    }

    /// Nothing came for a while: an Escape that stands alone is the key.
    pub(super) fn rest(&mut self) -> Option<Pressed> {
        let is_escape = self.begun == [0x1b];
        self.begun.clear();
        is_escape.then_some(Pressed::Input(Input::Back))
    }
}

/// What stands at the beginning, if it is whole, and how many bytes that is.
fn first(bytes: &[u8]) -> Option<(Option<Pressed>, usize)> {
    let plain = |input| Some((Some(Pressed::Input(input)), 1));
    match bytes {
        [] | [0x1b] | [0x1b, b'[' | b'O'] => None,
        [0x1b, b'[', b'<', click @ ..] => match click.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';')) {
            // An unknown end is passed over with what stands before it.
            Some(end) => Some((touch(&click[..end], click[end]), 3 + end + usize::from(click[end] != 0x1b))),
            None if click.len() > MAX_SEQUENCE_BYTES => Some((None, bytes.len())),
            None => None,
        },
        [0x1b, b'[' | b'O', key, ..] => {
            let input = match key {
                b'A' | b'D' => Some(Input::Previous),
                b'B' | b'C' => Some(Input::Next),
                _ => None,
            };
            Some((input.map(Pressed::Input), 3))
        }
        [0x1b, ..] => plain(Input::Back),
        [b'\r' | b'\n' | b' ', ..] => plain(Input::Choose),
        [b'm', ..] => plain(Input::Menu),
        [b'q', ..] => Some((Some(Pressed::Quit), 1)),
        _ => Some((None, 1)),
    }
}

/// `button;column;row`, counted from 1, and `M` or `m` for down or up.
fn touch(text: &[u8], end: u8) -> Option<Pressed> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text.split(';').map(str::parse::<i32>);
    let (button, column, row) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let at = Point::new(column.checked_sub(1)?, row.checked_sub(1)?.checked_mul(2)?);
    match (button, end) {
        (0, b'M') => Some(Pressed::Input(Input::Down(at))),
        (0, b'm') => Some(Pressed::Input(Input::Up(at))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Point = Point::new(9, 38);

    fn all(bytes: &[u8]) -> Vec<Pressed> {
        let mut keys = Keys::default();
        let mut found = keys.take(bytes);
        found.extend(keys.rest());
        found
    }

    fn inputs(wanted: &[Input]) -> Vec<Pressed> {
        wanted.iter().copied().map(Pressed::Input).collect()
    }

    #[test]
    fn keys_and_clicks_are_told_apart() {
        assert_eq!(all(b"\x1b[B\x1b[A\r"), inputs(&[Input::Next, Input::Previous, Input::Choose]));
        assert_eq!(all(b"\x1b"), inputs(&[Input::Back]));
        assert_eq!(all(b"q"), [Pressed::Quit]);
        let clicks = inputs(&[Input::Down(AT), Input::Up(AT), Input::Menu]);
        assert_eq!(all(b"\x1b[<0;10;20M\x1b[<0;10;20mm"), clicks);
        // What is no key of ours means nothing, and never too much is read.
        assert_eq!(all(b"x\x1b[<2;1;1M\x1b[<0;99999999999;1M\x1b[<\x1b[5"), []);
        assert_eq!(all(format!("\x1b[<{}", "1".repeat(500)).as_bytes()), []);
    }

    /// Public reports: a click that is cut in two was taken for Escape and typed text (sinelaw/fresh 2793), and so was one
    /// right after the Escape key (ArthurSonzogni/FTXUI 675).
    #[test]
    fn a_click_that_is_cut_anywhere_is_a_click() {
        let click = b"\x1b[<0;10;20M";
        for cut in 0..click.len() {
            let mut keys = Keys::default();
            let mut found = keys.take(&click[..cut]);
            assert_eq!(keys.waits(), cut > 0, "{cut}");
            found.extend(keys.take(&click[cut..]));
            assert_eq!(found, inputs(&[Input::Down(AT)]), "{cut}");
            assert!(!keys.waits());
        }
        assert_eq!(all(b"\x1b\x1b[<0;10;20M"), inputs(&[Input::Back, Input::Down(AT)]));
        // The control: what never becomes whole is given up, and typed letters after it are letters.
        let mut keys = Keys::default();
        assert_eq!((keys.take(b"\x1b[<0;1"), keys.rest()), (Vec::new(), None));
        assert_eq!(keys.take(b"m"), inputs(&[Input::Menu]));
    }
}
