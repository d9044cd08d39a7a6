// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Text files as editors on any system leave them, read in one way by every verb: definitions, passwords, values, keys.
//!
//! Windows begins files with a byte-order mark, may write UTF-16, and ends lines with two characters; a Mac may take
//! letters apart into a base and its accents. None of that may become part of a password that somebody types later.

use unicode_normalization::UnicodeNormalization;

/// Why bytes are not the text that was expected. Never shows the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum TextError {
    /// Most likely a Windows code page.
    #[error("{value:#04x} at byte {at_byte}, which is not UTF-8; save the file as UTF-8")]
    NotUtf8 { at_byte: usize, value: u8 },
    /// Half a character at the end, or half a pair.
    #[error("bytes that are not UTF-16, as its byte-order mark says, at byte {at_byte}; save the file as UTF-8")]
    NotUtf16 { at_byte: usize },
    /// No text has one; UTF-16 without its byte-order mark is full of them.
    #[error("a zero at byte {at_byte}; save the file as UTF-8")]
    Zero { at_byte: usize },
    #[error("none")]
    Empty,
    #[error("several lines or control characters")]
    NotOneLine,
}

/// The text of a file: UTF-8 with or without byte-order mark, or UTF-16 of either order with one. The mark is not part
/// of it.
pub fn decode(bytes: &[u8]) -> Result<String, TextError> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3),
        _ => utf8(bytes, 0),
    }
}

/// `rest` is what follows a mark of `mark_bytes`.
fn utf8(rest: &[u8], mark_bytes: usize) -> Result<String, TextError> {
    let text = std::str::from_utf8(rest).map_err(|error| {
        let at = error.valid_up_to();
        TextError::NotUtf8 { at_byte: mark_bytes + at, value: rest[at] }
    })?;
    match text.find('\0') {
        None => Ok(text.to_owned()),
        Some(at) => Err(TextError::Zero { at_byte: mark_bytes + at }),
    }
}

/// `rest` is what follows the byte-order mark.
fn utf16(rest: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, TextError> {
    let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::new();
    let mut at_byte = 2;
    for character in char::decode_utf16(units) {
        let character = character.map_err(|_| TextError::NotUtf16 { at_byte })?;
        if character == '\0' {
            return Err(TextError::Zero { at_byte });
        }
        at_byte += 2 * character.len_utf16();
        text.push(character);
    }
    if rest.len().is_multiple_of(2) { Ok(text) } else { Err(TextError::NotUtf16 { at_byte }) }
}

/// Less one end of line at the end, as editors leave it on Linux, Windows or an old Mac.
pub fn without_newline(text: &str) -> &str {
    let ends = ["\r\n", "\n", "\r"];
    ends.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text)
}

/// Lines ended by `\n` alone, without blanks at their ends, and no empty ones below them: the text of a key file.
pub fn unix_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.trim_end().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The password in the text of a file or environment variable: one line, in the form in which all passwords are
/// compared.
pub fn password(text: &str) -> Result<String, TextError> {
    let line = without_newline(text.strip_prefix('\u{feff}').unwrap_or(text));
    match line {
        "" => Err(TextError::Empty),
        line if line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) => {
            Err(TextError::NotOneLine)
        }
        line => Ok(composed(line)),
    }
}

/// Letters with their accents as one character each (Unicode NFC), as keyboards make them.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// Letters and accents apart (Unicode NFD), as Macs name files.
pub fn decomposed(text: &str) -> String {
    text.nfd().collect()
}

/// What of a secret nobody can see: its first or last character, or one without width anywhere. In words that give
/// nothing else of it away.
pub fn invisible(text: &str) -> Option<String> {
    let said = |place: &str, c: char| format!("{place} U+{:04X}, which can't be seen", u32::from(c));
    let blank = |c: char| c.is_whitespace() || c.is_control() || is_without_width(c);
    let first = text.chars().next().filter(|&c| blank(c)).map(|c| said("begins with", c));
    let last = || text.chars().next_back().filter(|&c| blank(c)).map(|c| said("ends with", c));
    let inside = || text.chars().find(|&c| is_without_width(c)).map(|c| said("has in it", c));
    first.or_else(last).or_else(inside)
}

/// Characters that take no room: joiners, marks of direction, byte-order marks, fillers.
fn is_without_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(mark: char, text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_editors_file_gives_the_same_password() {
        let wanted = "pä ss 한𝄞";
        let decomposed: String = decomposed(wanted);
        assert_ne!(decomposed, wanted, "the control differs");
        let mut files = Vec::new();
        for text in [wanted, &*decomposed] {
            for end in ["", "\n", "\r\n", "\r"] {
                let text = format!("{text}{end}");
                files.push(text.clone().into_bytes());
                files.push(format!("\u{feff}{text}").into_bytes());
                files.push(utf16('\u{feff}', &text, u16::to_le_bytes));
                files.push(utf16('\u{feff}', &text, u16::to_be_bytes));
            }
        }
        for bytes in files {
            assert_eq!(decode(&bytes).and_then(|text| password(&text)).as_deref(), Ok(wanted), "{bytes:02x?}");
        }
        assert_eq!(password("\u{feff}from PowerShell").as_deref(), Ok("from PowerShell"), "an environment variable");
    }

    #[test]
    fn what_is_no_text_is_named_with_its_place() {
        assert_eq!(decode(b"p\xe4ss"), Err(TextError::NotUtf8 { at_byte: 1, value: 0xe4 }));
        assert_eq!(decode(b"\xef\xbb\xbfp\xe4ss"), Err(TextError::NotUtf8 { at_byte: 4, value: 0xe4 }));
        assert_eq!(decode(b"a\0b\0"), Err(TextError::Zero { at_byte: 1 }), "UTF-16 without its mark");
        assert_eq!(decode(b"\xff\xfea\0b"), Err(TextError::NotUtf16 { at_byte: 4 }));
        assert_eq!(decode(b"\xff\xfea\0\x00\xd8b\0"), Err(TextError::NotUtf16 { at_byte: 4 }), "half a pair");
        assert_eq!(decode(b"\xff\xfea\0\0\0"), Err(TextError::Zero { at_byte: 4 }));
        assert_eq!(decode(b"\xff\xfe\0\0a\0\0\0"), Err(TextError::Zero { at_byte: 2 }), "UTF-32");
        assert_eq!(decode(b""), Ok(String::new()));
    }

    #[test]
    fn a_password_is_one_line_and_keeps_its_blanks() {
        assert_eq!(password(" a b \n").as_deref(), Ok(" a b "));
        for none in ["", "\n", "\r\n", "\u{feff}", "\u{feff}\r\n"] {
            assert_eq!(password(none), Err(TextError::Empty), "{none:?}");
        }
        for several in ["a\nb", "a\n\n", "a\r\n\r\n", "a\rb", "a\tb", "a\u{2028}b", "a\u{85}b"] {
            assert_eq!(password(several), Err(TextError::NotOneLine), "{several:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_found_at_the_ends_and_inside() {
        for (text, found) in [
            (" a", Some("begins with U+0020")),
            ("a\u{a0}", Some("ends with U+00A0")),
            ("a\u{3000}", Some("ends with U+3000")),
            ("\u{200b}a", Some("begins with U+200B")),
            ("a\u{feff}b", Some("has in it U+FEFF")),
            ("a\u{3164}b", Some("has in it U+3164")),
            ("a b", None),
            ("한국 é", None),
            ("", None),
        ] {
            let said = invisible(text);
            assert_eq!(said.as_deref().map(|said| said.split(',').next().unwrap_or_default()), found, "{text:?}");
        }
    }

    #[test]
    fn key_files_lose_what_their_editor_added() {
        assert_eq!(unix_lines("untrusted comment: x \r\nABC\r\n\r\n"), "untrusted comment: x\nABC\n");
        assert_eq!(unix_lines("a\rb"), "a\nb\n");
    }
}
