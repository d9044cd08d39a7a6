// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a person sees: plain lines that read the same on a screen and on a serial line, broken between words.
//!
//! Words first, colour second. Text from a medium is shown only after it lost everything that could move the cursor.
//! The fonts of screens have no letters but Latin ones; there, others are shown as they sound.

use std::time::Instant;

use platen_media::keyboard::{Keyboard, compose_hangul};

use crate::full_page::{self, Grid};
use crate::lines::{cut, latin, plain, wrapped};

/// Where a person is: every screen and serial line at once.
pub(crate) trait Console {
    /// Shows text on every serial line, and `on_screens` on every screen. Lines end in `\n`.
    fn print(&mut self, text: &str, on_screens: &str);
    /// Of the narrowest terminal that knows how wide it is.
    fn columns(&self) -> Option<usize>;
    /// Columns and lines of the smallest screen that is no serial line; none where there is no screen.
    fn screen_size(&self) -> Option<(usize, usize)>;
    /// Whether screens show a page; lines are for serial lines alone then.
    fn has_page(&mut self) -> &mut bool;
    /// Waits for the next byte typed anywhere, until then at most.
    fn read_byte(&mut self, until: Option<Instant>) -> Typed;
    /// The layout of the keyboards here; serial lines have their own.
    fn keyboard(&mut self) -> Keyboard;
    fn set_keyboard(&mut self, keyboard: Keyboard);
}

/// What waiting for a person came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    Byte(u8),
    /// Nobody will ever type.
    Nobody,
    /// Nobody did in time.
    TimeUp,
}

/// What [`Console::read_byte`] gives when a key of the keyboard changed its layout. It types nothing.
pub(crate) const KEYBOARD_CHANGED: u8 = 0x0e;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Ok,
    Note,
    Stop,
}

impl Mark {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m[ OK ]\x1b[0m",
            Self::Note => "\x1b[33m[NOTE]\x1b[0m",
            Self::Stop => "\x1b[31m[STOP]\x1b[0m",
        }
    }
}

/// Longest password that is taken, in bytes: more than any definition's.
const MAX_PASSWORD_BYTES: usize = 16 << 10;
/// Where the terminals don't say it, and at most: serial lines have no more.
const COLUMNS: usize = 80;
/// Width of what stands before a step's detail.
const STEP_COLUMNS: usize = 22;
/// Back to the first column, and the line emptied: what stands there may be a progress line.
const FRESH_LINE: &str = "\r\x1b[K";
/// All lines scroll again.
const SCROLL_ALL: &str = "\x1b[r";

/// The layout, over a console.
pub(crate) struct Screen<'a> {
    console: &'a mut dyn Console,
}

impl<'a> Screen<'a> {
    pub(crate) fn new(console: &'a mut dyn Console) -> Self {
        Self { console }
    }

    /// Shows a page on screens that are large enough; others, and serial lines, have the lines that say the same.
    pub(crate) fn show(&mut self, page: &Grid) {
        let Some((columns, rows)) = self.console.screen_size() else { return };
        if columns < full_page::COLUMNS || rows < full_page::ROWS {
            return;
        }
        let before = if std::mem::replace(self.console.has_page(), true) { "" } else { full_page::EMPTY };
        self.console.print("", &format!("{before}{}", page.to_console(columns, rows)));
    }

    /// Screens have lines again.
    pub(crate) fn leave_page(&mut self) {
        if std::mem::take(self.console.has_page()) {
            self.console.print("", full_page::AWAY);
        }
    }

    fn print(&mut self, text: &str, on_screens: &str) {
        let has_page = *self.console.has_page();
        self.console.print(text, if has_page { "" } else { on_screens });
    }

    fn columns(&self) -> usize {
        self.console.columns().unwrap_or(COLUMNS).min(COLUMNS)
    }

    /// `text` after `lead`, which takes `lead_columns`; further lines begin at `indent`.
    fn put(&mut self, lead: &str, lead_columns: usize, text: &str, indent: usize) {
        let width = self.columns() - 1;
        let lines = |text: &str| {
            let lines = wrapped(text, width, lead_columns, indent).join("\n");
            format!("{FRESH_LINE}{lead}{lines}\x1b[0m\n")
        };
        let text = plain(text);
        self.print(&lines(&text), &lines(&latin(&text)));
    }

    fn raw(&mut self, text: &str) {
        self.print(text, &latin(text));
    }

    /// An empty screen with a title on top, which stays there when the rest scrolls. A serial line keeps what was there
    /// before.
    pub(crate) fn page(&mut self, title: &str) {
        self.leave_page();
        let version = concat!("platen-deploy ", env!("CARGO_PKG_VERSION"), " ");
        let columns = self.columns();
        let title = cut(&format!(" PLATEN   {title}"), columns.saturating_sub(version.len() + 1));
        let width = columns.saturating_sub(version.len());
        self.raw(&format!(
            "{SCROLL_ALL}\x1b[2J\x1b[H\x1b[0m\x1b[7m{title:<width$}{version}\x1b[0m\n\n\x1b[3r\x1b[3;1H"
        ));
    }

    /// A step and how it went.
    pub(crate) fn step(&mut self, mark: Mark, name: &str, detail: &str) {
        self.put(&format!("  {}  {name:<11} ", mark.text()), STEP_COLUMNS, detail, STEP_COLUMNS);
    }

    /// The step that is going on; the next line takes its place.
    pub(crate) fn progress(&mut self, name: &str, detail: &str) {
        let width = self.columns() - 1;
        let line = |text: &str| format!("{FRESH_LINE}{}", cut(text, width));
        let text = format!("  [ .. ]  {name:<11} {}", plain(detail));
        self.print(&line(&text), &line(&latin(&text)));
    }

    /// A line below a step.
    pub(crate) fn detail(&mut self, text: &str) {
        self.line(&format!("          {text}"));
    }

    /// A line from the first column: what machines and people search for. What is broken off is indented.
    pub(crate) fn line(&mut self, text: &str) {
        let indent = text.chars().take_while(|&c| c == ' ').count() + 4;
        self.put("", 0, text, indent);
    }

    /// A line that stands out.
    pub(crate) fn headline(&mut self, mark: Mark, text: &str) {
        self.put(if mark == Mark::Ok { "\x1b[1;32m" } else { "\x1b[1;31m" }, 0, text, 4);
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.raw(&format!("{FRESH_LINE}\n"));
    }

    /// Leaves terminals as others expect them.
    pub(crate) fn end(&mut self) {
        self.leave_page();
        self.raw(&format!("{SCROLL_ALL}\x1b[H\x1b[2J"));
    }

    /// Asks for something that is not shown: a `*` stands for each character. Tab takes the next keyboard layout. None
    /// when nobody can type.
    pub(crate) fn ask_secret(&mut self, question: impl Fn(&str) -> String) -> Option<String> {
        self.ask_for(Echo::Stars, question)
    }

    /// Asks for something that everybody may see.
    pub(crate) fn ask(&mut self, question: impl Fn(&str) -> String) -> Option<String> {
        self.ask_for(Echo::Typed, question)
    }

    fn ask_for(&mut self, echo: Echo, question: impl Fn(&str) -> String) -> Option<String> {
        self.leave_page();
        let mut typed = Vec::new();
        let mut skip = Escape::No;
        self.ask_again(echo, &question, &typed);
        loop {
            let Typed::Byte(byte) = self.console.read_byte(None) else { return None };
            if skip.swallows(byte) {
                continue;
            }
            match byte {
                b'\r' | b'\n' => {
                    self.raw("\n");
                    // What is no text can't be the password; the replacement makes sure that it is not.
                    return Some(compose_hangul(&String::from_utf8_lossy(&typed)));
                }
                b'\t' => {
                    let next = self.console.keyboard().next();
                    self.console.set_keyboard(next);
                    self.ask_again(echo, &question, &typed);
                }
                KEYBOARD_CHANGED => self.ask_again(echo, &question, &typed),
                0x08 | 0x7f => {
                    erase_character(&mut typed);
                    self.ask_again(echo, &question, &typed);
                }
                // Control-U: start over.
                0x15 => {
                    typed.clear();
                    self.ask_again(echo, &question, &typed);
                }
                0x00..=0x1f => {}
                _ if typed.len() < MAX_PASSWORD_BYTES => {
                    typed.push(byte);
                    match echo {
                        Echo::Stars if !is_continuation(byte) => self.raw("*"),
                        Echo::Typed if std::str::from_utf8(&typed).is_ok() => {
                            self.ask_again(echo, &question, &typed);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    fn ask_again(&mut self, echo: Echo, question: &impl Fn(&str) -> String, typed: &[u8]) {
        let keys = match self.console.keyboard() {
            Keyboard::KrHangul => "KR Hangul".to_owned(),
            keyboard => keyboard.name().to_uppercase(),
        };
        let shown = match echo {
            Echo::Stars => "*".repeat(typed.iter().filter(|&&byte| !is_continuation(byte)).count()),
            Echo::Typed => plain(&String::from_utf8_lossy(typed)),
        };
        self.raw(&format!("{FRESH_LINE}  [ ?? ]  {} {shown}", question(&keys)));
    }

    /// Waits until Enter was pressed; false when nobody can type.
    pub(crate) fn wait_for_enter(&mut self, text: &str) -> bool {
        self.line(text);
        self.enter_until(None) == Typed::Byte(b'\r')
    }

    /// The same, until then at most. A carriage return stands for Enter, whatever it sent.
    pub(crate) fn enter_until(&mut self, until: Option<Instant>) -> Typed {
        loop {
            match self.console.read_byte(until) {
                Typed::Byte(b'\r' | b'\n') => return Typed::Byte(b'\r'),
                Typed::Byte(_) => {}
                other => return other,
            }
        }
    }
}

/// What is shown of what is typed.
#[derive(Clone, Copy, PartialEq)]
enum Echo {
    Stars,
    Typed,
}

/// Where we are in a key that sends several bytes (arrows, F1): none of them is part of a password.
#[derive(PartialEq)]
enum Escape {
    No,
    Started,
    Inside,
}

impl Escape {
    fn swallows(&mut self, byte: u8) -> bool {
        let (swallowed, next) = match (&self, byte) {
            (_, 0x1b) => (true, Self::Started),
            (Self::No, _) => (false, Self::No),
            (Self::Started, b'[' | b'O') => (true, Self::Inside),
            // The Linux console's F1 to F5 are `ESC [ [ A` to `E`.
            (Self::Inside, b'[') => (true, Self::Inside),
            // A lone Escape, then something else: that is typed text again.
            (Self::Started, _) => (false, Self::No),
            (Self::Inside, 0x40..=0x7e) => (true, Self::No),
            (Self::Inside, b'\r' | b'\n') => (false, Self::No),
            (Self::Inside, _) => (true, Self::Inside),
        };
        *self = next;
        swallowed
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Takes the last character off, however many bytes it has; false when there is none.
fn erase_character(typed: &mut Vec<u8>) -> bool {
    while let Some(byte) = typed.pop() {
        if !is_continuation(byte) {
            return true;
        }
    }
    false
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keeps what was printed; types what it was given, then says that nobody is there.
    #[derive(Default)]
    pub(crate) struct Typist {
        pub(crate) shown: String,
        pub(crate) on_screens: String,
        pub(crate) keys: std::collections::VecDeque<u8>,
        pub(crate) keyboard: Keyboard,
        pub(crate) columns: Option<usize>,
        pub(crate) screen_size: Option<(usize, usize)>,
        pub(crate) has_page: bool,
    }

    impl Typist {
        pub(crate) fn typing(keys: &str) -> Self {
            Self { keys: keys.bytes().collect(), ..Self::default() }
        }
    }

    impl Console for Typist {
        fn print(&mut self, text: &str, on_screens: &str) {
            self.shown += text;
            self.on_screens += on_screens;
        }

        fn columns(&self) -> Option<usize> {
            self.columns
        }

        fn keyboard(&mut self) -> Keyboard {
            self.keyboard
        }

        fn set_keyboard(&mut self, keyboard: Keyboard) {
            self.keyboard = keyboard;
        }

        fn screen_size(&self) -> Option<(usize, usize)> {
            self.screen_size
        }

        fn has_page(&mut self) -> &mut bool {
            &mut self.has_page
        }

        fn read_byte(&mut self, _: Option<Instant>) -> Typed {
            self.keys.pop_front().map_or(Typed::Nobody, Typed::Byte)
        }
    }

    fn asked(keys: &str) -> (Option<String>, String) {
        let mut typist = Typist::typing(keys);
        let answer = Screen::new(&mut typist).ask_secret(|keys| format!("Password ({keys} keys):"));
        (answer, typist.shown)
    }

    #[test]
    fn a_secret_is_never_shown() {
        let (answer, shown) = asked("hunter2\r");
        assert_eq!(answer.as_deref(), Some("hunter2"));
        assert!(shown.ends_with("Password (US keys): *******\n") && !shown.contains("hunter"), "{shown:?}");
    }

    #[test]
    fn typing_can_be_corrected() {
        assert_eq!(asked("ab\x7fc\r").0.as_deref(), Some("ac"));
        assert_eq!(asked("aä\x08b\n").0.as_deref(), Some("ab"), "a character of two bytes goes at once");
        assert_eq!(asked("wrong\x15right\r").0.as_deref(), Some("right"));
        assert_eq!(asked("\x7f\x7fa\r").0.as_deref(), Some("a"), "nothing to take off");
        assert_eq!(asked("a\x1b[Ab\x1bOPc\x1b[[Ad\x1b[3~e\r").0.as_deref(), Some("abcde"), "arrows and F keys");
        assert_eq!(asked("half").0, None, "the line was closed");
        let long = "x".repeat(MAX_PASSWORD_BYTES + 9) + "\r";
        assert_eq!(asked(&long).0.map(|text| text.len()), Some(MAX_PASSWORD_BYTES));
    }

    #[test]
    fn tab_takes_the_next_keyboard_and_letters_become_syllables() {
        let (answer, shown) = asked("ä\tb\t\t\t\tㅎㅏㄴ\r");
        assert_eq!(answer.as_deref(), Some("äb한"));
        for keys in
            ["(US keys): *", "(UK keys): *", "(DE keys): **", "(FR keys)", "(KR keys)", "(KR Hangul keys): *****"]
        {
            assert!(shown.contains(keys), "{keys}: {shown:?}");
        }
    }

    #[test]
    fn foreign_text_can_not_move_the_cursor() {
        let mut typist = Typist::default();
        Screen::new(&mut typist).step(Mark::Ok, "Medium", "a\x1b[2Jb\u{202e}c\nPLATEN MEDIA OK\u{9b}");
        let shown = typist.shown.replace(FRESH_LINE, "").replace(Mark::Ok.text(), "[ OK ]");
        assert_eq!(shown, "  [ OK ]  Medium      a?[2Jb?c?PLATEN MEDIA OK?\x1b[0m\n");
    }

    /// Without colours and cursor movements, line by line.
    fn lines(shown: &str) -> Vec<String> {
        let colours = ["\x1b[0m", "\x1b[31m", "\x1b[1;31m", FRESH_LINE];
        colours
            .iter()
            .fold(shown.to_owned(), |text, colour| text.replace(colour, ""))
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn long_text_is_broken_between_words() {
        let text = format!("keys of the boot image: {}the end", "some/file.inf: content changed; ".repeat(5));
        for columns in [None, Some(60), Some(80), Some(200)] {
            let width = columns.unwrap_or(COLUMNS).min(COLUMNS);
            type Show = fn(&mut Screen<'_>, &str);
            let shows: [(Show, &str); 4] = [
                (|screen, text| screen.step(Mark::Stop, "Signature", text), "                      "),
                (|screen, text| screen.headline(Mark::Stop, text), "    "),
                (|screen, text| screen.line(text), "    "),
                (|screen, text| screen.detail(text), "              "),
            ];
            for (show, indent) in shows {
                let mut typist = Typist { columns, ..Typist::default() };
                show(&mut Screen::new(&mut typist), &text);
                let lines = lines(&typist.shown);
                assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() < width), "{lines:#?}");
                assert!(lines[1..].iter().all(|line| line.starts_with(indent)), "{lines:#?}");
                let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
                assert!(words.join(" ").ends_with(&text), "no word is broken or lost: {lines:#?}");
            }
        }
    }

    #[test]
    fn the_title_fills_its_line_and_stays_when_the_rest_scrolls() {
        for (columns, expected) in [(None, 80), (Some(60), 60), (Some(132), 80)] {
            let mut typist = Typist { columns, ..Typist::default() };
            Screen::new(&mut typist).page("Check of the deployment medium");
            let title = typist.shown.split("\x1b[7m").nth(1).and_then(|rest| rest.split("\x1b[0m").next());
            assert_eq!(title.map(str::len), Some(expected));
            assert!(typist.shown.ends_with("\x1b[3r\x1b[3;1H"), "lines below the second scroll");
        }
    }

    #[test]
    fn progress_stays_on_one_line() {
        for text in ["ä", "한"] {
            let mut typist = Typist::default();
            Screen::new(&mut typist).progress("Files", &text.repeat(200));
            for shown in [&typist.shown, &typist.on_screens] {
                let columns = textwrap::core::display_width(shown.trim_start_matches(FRESH_LINE));
                assert!((COLUMNS - 3..COLUMNS).contains(&columns), "{columns}: {shown}");
            }
        }
    }

    #[test]
    fn screens_show_other_scripts_as_they_sound() {
        let mut typist = Typist::default();
        Screen::new(&mut typist).line("윈도우 11 für Zähler, 名, \u{e000}");
        assert!(typist.shown.contains("윈도우 11 für Zähler"), "a serial line takes everything: {}", typist.shown);
        assert!(typist.on_screens.contains("windou 11 für Zähler, Ming, ?"), "{}", typist.on_screens);
    }
}
