// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Making text from outside fit to be shown: names on a drive, what a drive says of itself, names in layouts.

/// Whether a character shows itself and nothing else: no control character of a terminal, nothing that turns the direction
/// of text, begins a line, hides or has no form of its own (Unicode, chapters 23.1 to 23.7).
pub fn is_plain(c: char) -> bool {
    let is_hidden = matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    let is_noncharacter = (c as u32) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c);
    !(c.is_control() || is_hidden || is_noncharacter)
}

/// The text on one line, each character that is not plain replaced by U+FFFD, and cut after `limit` characters.
pub fn clean(text: &str, limit: usize) -> String {
    let mut left = text.chars();
    let mut clean: String = left.by_ref().take(limit).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect();
    if left.next().is_some() {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_stays() {
        let plain = "Kingston DT 3.0, straße 드라이버 日本語 العربية e\u{301} 😀 <\"&'\\>~\u{fffd}";
        assert_eq!(clean(plain, 1000), plain);
        assert_eq!(clean("", 5), "");
    }

    #[test]
    fn what_a_terminal_would_obey_or_hide_is_replaced() {
        for c in [
            '\0',
            '\n',
            '\r',
            '\t',
            '\u{8}',
            '\u{1b}',
            '\u{7f}',
            '\u{80}',
            '\u{85}',
            '\u{9b}',
            '\u{9f}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{fdd0}',
            '\u{feff}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
            '\u{e0041}',
        ] {
            assert_eq!(clean(&format!("a{c}b"), 10), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(clean("ééé", 3), "ééé");
        assert_eq!(clean("éééé", 3), "ééé…");
    }
}
