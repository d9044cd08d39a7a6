// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Text made fit for a terminal: without what moves the cursor, in letters it has, in lines it can show.

use deunicode::deunicode_char;

/// `text` in lines of at most `width` columns, broken between words; only a word that is longer than a line is broken
/// itself. The first line has `lead_columns` less, the others begin at `indent`.
pub(crate) fn wrapped(text: &str, width: usize, lead_columns: usize, indent: usize) -> Vec<String> {
    // On a terminal that is hardly wider than the indent, words count more than columns.
    let indent = " ".repeat(indent.min(width / 2));
    let lead = " ".repeat(lead_columns);
    let options = textwrap::Options::new(width)
        .initial_indent(&lead)
        .subsequent_indent(&indent)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let mut lines: Vec<String> = textwrap::wrap(text, options).into_iter().map(String::from).collect();
    if let Some(first) = lines.first_mut() {
        *first = first.get(lead_columns..).unwrap_or_default().to_owned();
    }
    lines
}

/// What of `text` fits into `width` columns.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if textwrap::core::display_width(&kept) > width {
            kept.pop();
            break;
        }
    }
    kept
}

/// Letters beyond ASCII that every PC's text screen has.
const ON_SCREENS: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥áíóúñÑªº¿¬½¼¡«»ßµ±÷°·²";

/// Text as the font of a screen can show it: letters of other scripts as they sound, `?` for what has no sound.
pub(crate) fn latin(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() || ON_SCREENS.contains(c) => shown.push(c),
            c => shown.push_str(deunicode_char(c).map_or("?", str::trim_end)),
        }
    }
    shown
}

/// Text without anything that moves the cursor, changes colours or turns the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || turns(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_stay_and_only_what_fits_no_line_is_broken() {
        assert_eq!(wrapped("  a  b", 79, 0, 4), ["  a  b"]);
        assert_eq!(wrapped("", 79, 0, 4), [""]);
        let long = wrapped(&"ä".repeat(200), 79, 0, 4);
        assert!(long.iter().all(|line| line.chars().count() <= 79), "only what fits no line is broken: {long:?}");
    }

    #[test]
    fn our_own_escapes_stay() {
        assert_eq!(latin("\x1b[2J\n"), "\x1b[2J\n", "our own escapes stay");
    }
}
