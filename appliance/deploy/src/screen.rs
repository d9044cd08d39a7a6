//! What a person sees: plain lines of at most 80 columns that read the same on a screen and on a serial line.
//!
//! Words first, colour second. Text from a medium is shown only after it lost everything that could move the cursor.

/// Where a person is: every screen and serial line at once.
pub(crate) trait Console {
    /// Shows text everywhere it can be shown. Lines end in `\n`.
    fn print(&mut self, text: &str);
    /// Waits for the next byte typed anywhere; none when nobody will ever type.
    fn read_byte(&mut self) -> Option<u8>;
}

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

/// Longest password that is taken, in bytes.
const MAX_PASSWORD_BYTES: usize = 256;
const COLUMNS: usize = 80;
/// Back to the first column, and the line emptied: what stands there may be a progress line.
const FRESH_LINE: &str = "\r\x1b[K";

/// The layout, over a console.
pub(crate) struct Screen<'a> {
    console: &'a mut dyn Console,
}

impl<'a> Screen<'a> {
    pub(crate) fn new(console: &'a mut dyn Console) -> Self {
        Self { console }
    }

    /// An empty screen with a title on top. A serial line keeps what was there before.
    pub(crate) fn page(&mut self, title: &str) {
        let version = concat!("platen-deploy ", env!("CARGO_PKG_VERSION"));
        let title = format!(" PLATEN   {title:<0$}{version} ", COLUMNS - 11 - version.len());
        self.console.print(&format!("\x1b[2J\x1b[H\x1b[0m\x1b[7m{title:<COLUMNS$}\x1b[0m\n\n"));
    }

    /// A step and how it went.
    pub(crate) fn step(&mut self, mark: Mark, name: &str, detail: &str) {
        self.console.print(&format!("{FRESH_LINE}  {}  {name:<11} {}\n", mark.text(), plain(detail)));
    }

    /// The step that is going on; the next line takes its place.
    pub(crate) fn progress(&mut self, name: &str, detail: &str) {
        let mut line = format!("  [ .. ]  {name:<11} {}", plain(detail));
        line.truncate(line.char_indices().nth(COLUMNS - 1).map_or(line.len(), |(end, _)| end));
        self.console.print(&format!("{FRESH_LINE}{line}"));
    }

    /// A line below a step.
    pub(crate) fn detail(&mut self, text: &str) {
        self.console.print(&format!("{FRESH_LINE}          {}\n", plain(text)));
    }

    /// A line from the first column: what machines and people search for.
    pub(crate) fn line(&mut self, text: &str) {
        self.console.print(&format!("{FRESH_LINE}{}\n", plain(text)));
    }

    /// Text from the first column, broken between words; what is broken off is indented.
    pub(crate) fn paragraph(&mut self, text: &str) {
        for line in wrapped(&plain(text)) {
            self.line(&line);
        }
    }

    /// A line that stands out.
    pub(crate) fn headline(&mut self, mark: Mark, text: &str) {
        let colour = if mark == Mark::Ok { "\x1b[1;32m" } else { "\x1b[1;31m" };
        self.console.print(&format!("{FRESH_LINE}{colour}{}\x1b[0m\n", plain(text)));
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.console.print(&format!("{FRESH_LINE}\n"));
    }

    /// Asks for something that is not shown: a `*` stands for each character. None when nobody can type.
    pub(crate) fn ask_secret(&mut self, question: &str) -> Option<String> {
        self.console.print(&format!("{FRESH_LINE}  [ ?? ]  {question} "));
        let mut typed = Vec::new();
        let mut skip = Escape::No;
        loop {
            let byte = self.console.read_byte()?;
            if skip.swallows(byte) {
                continue;
            }
            match byte {
                b'\r' | b'\n' => {
                    self.console.print("\n");
                    // What is no text can't be the password; the replacement makes sure that it is not.
                    return Some(String::from_utf8_lossy(&typed).into_owned());
                }
                0x08 | 0x7f => self.erase(&mut typed),
                // Control-U: start over.
                0x15 => {
                    while !typed.is_empty() {
                        self.erase(&mut typed);
                    }
                }
                0x00..=0x1f => {}
                _ if typed.len() < MAX_PASSWORD_BYTES => {
                    typed.push(byte);
                    if !is_continuation(byte) {
                        self.console.print("*");
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes the last character off, on the screen too.
    fn erase(&mut self, typed: &mut Vec<u8>) {
        if erase_character(typed) {
            self.console.print("\x08 \x08");
        }
    }

    /// Waits until Enter was pressed; false when nobody can type.
    pub(crate) fn wait_for_enter(&mut self, text: &str) -> bool {
        self.line(text);
        loop {
            match self.console.read_byte() {
                Some(b'\r' | b'\n') => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }
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

/// `text` in lines of less than [`COLUMNS`] characters; one word that is longer stays whole.
fn wrapped(text: &str) -> Vec<String> {
    let indent = " ".repeat(text.chars().take_while(|&c| c == ' ').count() + 4);
    let mut lines = Vec::new();
    let mut rest = text.to_owned();
    loop {
        let start = rest.len() - rest.trim_start().len();
        let limit = rest.char_indices().nth(COLUMNS).map(|(at, _)| at);
        let cut = limit.and_then(|limit| rest[start..limit].rfind(' ')).map(|at| start + at);
        let Some(cut) = cut.filter(|&cut| cut > start) else {
            lines.push(rest);
            return lines;
        };
        lines.push(rest[..cut].to_owned());
        rest = format!("{indent}{}", rest[cut..].trim_start());
    }
}

/// Text without anything that moves the cursor, changes colours or turns the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || turns(c) { '?' } else { c }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keeps what was printed; types what it was given, then says that nobody is there.
    #[derive(Default)]
    pub(crate) struct Typist {
        pub(crate) shown: String,
        pub(crate) keys: std::collections::VecDeque<u8>,
    }

    impl Typist {
        pub(crate) fn typing(keys: &str) -> Self {
            Self { shown: String::new(), keys: keys.bytes().collect() }
        }
    }

    impl Console for Typist {
        fn print(&mut self, text: &str) {
            self.shown += text;
        }

        fn read_byte(&mut self) -> Option<u8> {
            self.keys.pop_front()
        }
    }

    fn asked(keys: &str) -> (Option<String>, String) {
        let mut typist = Typist::typing(keys);
        let answer = Screen::new(&mut typist).ask_secret("Password:");
        (answer, typist.shown)
    }

    #[test]
    fn a_secret_is_never_shown() {
        let (answer, shown) = asked("hunter2\r");
        assert_eq!(answer.as_deref(), Some("hunter2"));
        assert!(shown.ends_with("Password: *******\n") && !shown.contains("hunter"), "{shown:?}");
    }

    #[test]
    fn typing_can_be_corrected() {
        assert_eq!(asked("ab\x7fc\r").0.as_deref(), Some("ac"));
        assert_eq!(asked("aä\x08b\n").0.as_deref(), Some("ab"), "a character of two bytes goes at once");
        assert_eq!(asked("wrong\x15right\r").0.as_deref(), Some("right"));
        assert_eq!(asked("\x7f\x7fa\r").0.as_deref(), Some("a"), "nothing to take off");
        assert_eq!(asked("a\x1b[Ab\x1bOPc\x1b[[Ad\x1b[3~e\r").0.as_deref(), Some("abcde"), "arrows and F keys");
        assert_eq!(asked("half").0, None, "the line was closed");
        assert_eq!(asked(&("x".repeat(300) + "\r")).0.map(|text| text.len()), Some(MAX_PASSWORD_BYTES));
    }

    #[test]
    fn foreign_text_can_not_move_the_cursor() {
        let mut typist = Typist::default();
        Screen::new(&mut typist).step(Mark::Ok, "Medium", "a\x1b[2Jb\u{202e}c\nPLATEN MEDIA OK\u{9b}");
        let shown = typist.shown.replace(FRESH_LINE, "").replace(Mark::Ok.text(), "[ OK ]");
        assert_eq!(shown, "  [ OK ]  Medium      a?[2Jb?c?PLATEN MEDIA OK?\n");
    }

    #[test]
    fn long_text_is_broken_between_words() {
        let text = format!("  {}end", "word ".repeat(30));
        let lines = wrapped(&text);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() < COLUMNS), "{lines:?}");
        assert!(lines[0].starts_with("  word") && lines[1].starts_with("      word"), "{lines:?}");
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
        assert_eq!(wrapped("a  b"), ["a  b"]);
        assert_eq!(wrapped(&"ä".repeat(200)), ["ä".repeat(200)]);
        assert_eq!(wrapped(""), [""]);
    }

    #[test]
    fn the_title_fills_a_line_of_80_columns() {
        let mut typist = Typist::default();
        Screen::new(&mut typist).page("Check of the deployment medium");
        let title = typist.shown.split("\x1b[7m").nth(1).and_then(|rest| rest.split("\x1b[0m").next());
        assert_eq!(title.map(str::len), Some(COLUMNS));
    }

    #[test]
    fn progress_stays_on_one_line() {
        let mut typist = Typist::default();
        Screen::new(&mut typist).progress("Files", &"ä".repeat(200));
        assert_eq!(typist.shown.trim_start_matches(FRESH_LINE).chars().count(), COLUMNS - 1);
    }
}
