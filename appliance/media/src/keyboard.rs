// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Keyboard layouts: what a booted computer, which has no input methods, makes of the keys a person presses; and
//! whether a password can be typed with them.
//!
//! Keys are the Linux kernel's key codes: they name a place on the keyboard, whatever is printed on it.

mod hangul;

use std::fmt;
use std::str::FromStr;

use crate::text;

pub use hangul::compose as compose_hangul;

/// A layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keyboard {
    /// American.
    #[default]
    Us,
    /// British.
    Uk,
    /// German.
    De,
    /// French.
    Fr,
    /// A Korean keyboard that makes Latin letters.
    Kr,
    /// The same switched to Hangul, two-set.
    KrHangul,
}

/// What each key makes alone, with Shift, and with AltGr, in the order of [`PLACES`]; a space where it makes nothing.
struct Layout {
    plain: &'static str,
    shifted: &'static str,
    alt: &'static str,
    /// Keys that wait for a letter to stand on, and the accent they put there.
    dead: &'static [(char, char)],
}

/// Key codes from the upper left to the lower right; 86 is the key that only European keyboards have.
const PLACES: [u16; 48] = [
    41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, //
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, //
    30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 43, //
    86, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53,
];
const SPACE: u16 = 57;
/// The number block, whatever its lock says: nobody sees where a cursor would go.
const NUMBER_BLOCK: &[(u16, char)] = &[
    (71, '7'),
    (72, '8'),
    (73, '9'),
    (74, '-'),
    (75, '4'),
    (76, '5'),
    (77, '6'),
    (78, '+'),
    (79, '1'),
    (80, '2'),
    (81, '3'),
    (82, '0'),
    (83, '.'),
    (55, '*'),
    (98, '/'),
];

const NOTHING: &str = "                                                ";
const US: Layout = Layout {
    plain: "`1234567890-=qwertyuiop[]asdfghjkl;'\\<zxcvbnm,./",
    shifted: "~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"|>ZXCVBNM<>?",
    alt: NOTHING,
    dead: &[],
};
const UK: Layout = Layout {
    plain: "`1234567890-=qwertyuiop[]asdfghjkl;'#\\zxcvbnm,./",
    shifted: "¬!\"£$%^&*()_+QWERTYUIOP{}ASDFGHJKL:@~|ZXCVBNM<>?",
    alt: "¦   €          é   úíó   á                      ",
    dead: &[],
};
const DE: Layout = Layout {
    plain: "^1234567890ß´qwertzuiopü+asdfghjklöä#<yxcvbnm,.-",
    shifted: "°!\"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ'>YXCVBNM;:_",
    alt: "  ²³   {[]}\\ @ €        ~            |      µ   ",
    dead: &[('^', '\u{302}'), ('´', '\u{301}'), ('`', '\u{300}')],
};
const FR: Layout = Layout {
    plain: "²&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù*<wxcvbn,;:!",
    shifted: " 1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µ>WXCVBN?./§",
    alt: "  ~#{[|`\\^@]}  €        ¤                       ",
    dead: &[('^', '\u{302}'), ('¨', '\u{308}')],
};
const KR_HANGUL: Layout = Layout {
    plain: "`1234567890-=ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ[]ㅁㄴㅇㄹㅎㅗㅓㅏㅣ;'\\<ㅋㅌㅊㅍㅠㅜㅡ,./",
    shifted: "~!@#$%^&*()_+ㅃㅉㄸㄲㅆㅛㅕㅑㅒㅖ{}ㅁㄴㅇㄹㅎㅗㅓㅏㅣ:\"|>ㅋㅌㅊㅍㅠㅜㅡ<>?",
    alt: NOTHING,
    dead: &[],
};

impl Keyboard {
    /// In the order in which a prompt offers them.
    pub const ALL: [Self; 6] = [Self::Us, Self::Uk, Self::De, Self::Fr, Self::Kr, Self::KrHangul];

    /// As definitions name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Uk => "uk",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Kr => "kr",
            Self::KrHangul => "kr-hangul",
        }
    }

    /// The one a prompt offers after this one.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&keyboard| keyboard == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    fn layout(self) -> &'static Layout {
        match self {
            Self::Us | Self::Kr => &US,
            Self::Uk => &UK,
            Self::De => &DE,
            Self::Fr => &FR,
            Self::KrHangul => &KR_HANGUL,
        }
    }

    /// Whether a person can make a character with it; on a Korean keyboard with either of its two states.
    pub fn can_type(self, c: char) -> bool {
        let layout = self.layout();
        let on_a_key =
            |c: char| c == ' ' || [layout.plain, layout.shifted, layout.alt].iter().any(|row| row.contains(c));
        let korean = matches!(self, Self::Kr | Self::KrHangul);
        if on_a_key(c) || (korean && (hangul::can_make(c) || c.is_ascii_graphic())) {
            return true;
        }
        let apart: Vec<char> = text::decomposed(&c.to_string()).chars().collect();
        matches!(apart[..], [base, accent] if on_a_key(base) && layout.dead.iter().any(|&(_, it)| it == accent))
    }

    /// Place of the first character, counted from 1, that can't be typed with it.
    pub fn first_untypable(self, text: &str) -> Option<usize> {
        text.chars().position(|c| !self.can_type(c)).map(|at| at + 1)
    }
}

impl fmt::Display for Keyboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name of no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of us, uk, de, fr, kr, kr-hangul, found {found:?}")]
pub struct ParseKeyboardError {
    found: String,
}

impl FromStr for Keyboard {
    type Err = ParseKeyboardError;

    fn from_str(text: &str) -> Result<Self, ParseKeyboardError> {
        let found = Self::ALL.into_iter().find(|keyboard| keyboard.name() == text);
        found.ok_or_else(|| ParseKeyboardError { found: text.chars().take(20).collect() })
    }
}

/// A key went down or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPress {
    /// The key, as Linux numbers them (`input-event-codes.h`).
    pub code: u16,
    /// Down, or still down and repeating.
    pub is_down: bool,
}

/// Follows the keys of one keyboard and says what they type.
#[derive(Debug, Default)]
pub struct Typing {
    /// The layout that keys are taken by.
    pub keyboard: Keyboard,
    left_shift: bool,
    right_shift: bool,
    alt: bool,
    capitals: bool,
    /// The accent key that was pressed last, and its accent.
    dead: Option<(char, char)>,
}

const BACKSPACE: u16 = 14;
const TAB: u16 = 15;
const ENTER: u16 = 28;
const NUMBER_ENTER: u16 = 96;
const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const CAPS_LOCK: u16 = 58;
const RIGHT_ALT: u16 = 100;
const HANGUL: u16 = 122;

impl Typing {
    /// What a key makes: characters, `\r`, `\t`, or `\x7f` for backspace; nothing for most.
    pub fn press(&mut self, press: KeyPress) -> String {
        let KeyPress { code, is_down } = press;
        let korean = matches!(self.keyboard, Keyboard::Kr | Keyboard::KrHangul);
        match code {
            LEFT_SHIFT => self.left_shift = is_down,
            RIGHT_SHIFT => self.right_shift = is_down,
            // On a Korean keyboard its place is that of the key that switches to Hangul and back.
            HANGUL | RIGHT_ALT if korean && is_down => self.switch_hangul(),
            RIGHT_ALT => self.alt = is_down && !korean,
            CAPS_LOCK if is_down => self.capitals = !self.capitals,
            ENTER | NUMBER_ENTER if is_down => return self.control("\r"),
            TAB if is_down => return self.control("\t"),
            BACKSPACE if is_down => return self.control("\x7f"),
            _ if is_down => return self.character(code).map_or_else(String::new, |c| self.after_dead(c)),
            _ => {}
        }
        String::new()
    }

    fn switch_hangul(&mut self) {
        self.keyboard = if self.keyboard == Keyboard::Kr { Keyboard::KrHangul } else { Keyboard::Kr };
    }

    fn control(&mut self, what: &str) -> String {
        // An accent without a letter stands for itself, but for a correction.
        let dead = self.dead.take().filter(|_| what == "\r").map(|(key, _)| key);
        dead.into_iter().chain(what.chars()).collect()
    }

    fn character(&self, code: u16) -> Option<char> {
        if let Some(&(_, number)) = NUMBER_BLOCK.iter().find(|&&(key, _)| key == code) {
            return Some(number);
        }
        if code == SPACE {
            return Some(' ');
        }
        let place = PLACES.iter().position(|&place| place == code)?;
        let layout = self.keyboard.layout();
        let in_row = |row: &str| row.chars().nth(place);
        if self.alt {
            return in_row(layout.alt).filter(|&c| c != ' ');
        }
        let (plain, shifted) = (in_row(layout.plain)?, in_row(layout.shifted)?);
        let is_letter = plain.to_uppercase().eq([shifted]) && plain != shifted;
        let shift = (self.left_shift || self.right_shift) != (self.capitals && is_letter);
        Some(if shift { shifted } else { plain }).filter(|&c| c != ' ')
    }

    /// Puts the accent that waits on `c`, or both one after the other where they do not go together.
    fn after_dead(&mut self, c: char) -> String {
        let Some((key, accent)) = self.dead.take() else {
            self.dead = self.keyboard.layout().dead.iter().copied().find(|&(key, _)| key == c && !self.alt);
            return if self.dead.is_some() { String::new() } else { c.to_string() };
        };
        let together = text::composed(&format!("{c}{accent}"));
        match c {
            ' ' => key.to_string(),
            _ if together.chars().count() == 1 => together,
            _ => format!("{key}{c}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIFT: u16 = LEFT_SHIFT;

    /// Types keys one after the other; a modifier is held for the key that follows it.
    fn typed(keyboard: Keyboard, keys: &[u16]) -> String {
        let mut typing = Typing { keyboard, ..Typing::default() };
        let (mut text, mut held) = (String::new(), Vec::new());
        for &code in keys {
            text += &typing.press(KeyPress { code, is_down: true });
            if matches!(code, SHIFT | RIGHT_ALT) {
                held.push(code);
                continue;
            }
            for code in std::iter::once(code).chain(held.drain(..)) {
                assert_eq!(typing.press(KeyPress { code, is_down: false }), "");
            }
        }
        text
    }

    #[test]
    fn every_layout_has_a_character_for_every_place() {
        for keyboard in Keyboard::ALL {
            let layout = keyboard.layout();
            for row in [layout.plain, layout.shifted, layout.alt] {
                assert_eq!(row.chars().count(), PLACES.len(), "{keyboard}: {row}");
            }
            assert_eq!(keyboard.name().parse(), Ok(keyboard));
        }
        assert_eq!("dvorak".parse::<Keyboard>().expect_err("no layout of ours").found, "dvorak");
        assert_eq!(Keyboard::ALL.map(Keyboard::next)[5], Keyboard::Us);
    }

    #[test]
    fn keys_type_what_is_printed_on_them() {
        // The keys with Z and Y on a US keyboard, then the one right of P.
        assert_eq!(typed(Keyboard::Us, &[44, 21, 26]), "zy[");
        assert_eq!(typed(Keyboard::De, &[44, 21, 26]), "yzü");
        assert_eq!(typed(Keyboard::De, &[RIGHT_ALT, 16, RIGHT_ALT, 18, RIGHT_ALT, 12, RIGHT_ALT, 86]), "@€\\|");
        assert_eq!(typed(Keyboard::De, &[SHIFT, 11, SHIFT, 8, 12]), "=/ß");
        assert_eq!(typed(Keyboard::Uk, &[SHIFT, 4, SHIFT, 3, SHIFT, 40, 43, 86]), "£\"@#\\");
        assert_eq!(typed(Keyboard::Fr, &[16, 39, SHIFT, 2, 2, 3, RIGHT_ALT, 11]), "am1&é@");
        assert_eq!(typed(Keyboard::Us, &[CAPS_LOCK, 30, 2, SHIFT, 30, 79, ENTER]), "A1a1\r");
        assert_eq!(typed(Keyboard::Us, &[59, 1, 103, TAB, BACKSPACE]), "\t\x7f", "F1, Escape and arrows type nothing");
    }

    #[test]
    fn accents_wait_for_their_letter() {
        assert_eq!(typed(Keyboard::De, &[13, 18, SHIFT, 13, SHIFT, 30]), "éÀ");
        assert_eq!(typed(Keyboard::De, &[41, SPACE, 41, 3, 41, ENTER]), "^^2^\r");
        assert_eq!(typed(Keyboard::Fr, &[26, 24, SHIFT, 26, 18]), "ôë");
        assert_eq!(typed(Keyboard::De, &[13, BACKSPACE, 18]), "\x7fe");
    }

    #[test]
    fn hangul_is_typed_in_two_sets_and_switched_by_its_own_key() {
        let keys = [HANGUL, 34, 37, 31, 19, 49, 19, RIGHT_ALT, 2, 30];
        let letters = typed(Keyboard::Kr, &keys);
        assert_eq!(letters, "ㅎㅏㄴㄱㅜㄱ1a");
        assert_eq!(compose_hangul(&letters), "한국1a");
        assert_eq!(typed(Keyboard::KrHangul, &[SHIFT, 19, SHIFT, 25]), "ㄲㅖ");
        assert_eq!(typed(Keyboard::Us, &[HANGUL, 34]), "g", "no such key elsewhere");
    }

    #[test]
    fn what_can_be_typed_is_what_the_keys_make() {
        for (keyboard, can, can_not) in [
            (Keyboard::Us, "Pass word@{}|\\~", "é"),
            (Keyboard::Uk, "£€é#", "ß"),
            (Keyboard::De, "äÖß€@{}µéôÀ", "ñ"),
            (Keyboard::Fr, "éèçàùôë€@", "ß"),
            (Keyboard::Kr, "한국 Pass@1 값", "é"),
            (Keyboard::KrHangul, "한국 Pass@1 ㅋㅋ", "日"),
        ] {
            assert_eq!(keyboard.first_untypable(can), None, "{keyboard}");
            assert_eq!(keyboard.first_untypable(&format!("a{can_not}")), Some(2), "{keyboard}");
        }
    }
}
