// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Lines and columns in a text that may be one line of megabytes, as exports are.

/// Bytes between two marks: no more is counted through for a place.
const STRIDE: usize = 1024;

/// A text with marks in it.
#[derive(Debug, Default)]
pub(super) struct Places<'t> {
    text: &'t str,
    /// Byte, line and column of the first character at or behind every multiple of the stride.
    marks: Vec<(usize, usize, usize)>,
}

impl<'t> Places<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let (mut marks, mut line, mut column) = (Vec::new(), 1, 1);
        for (byte, c) in text.char_indices() {
            if byte >= marks.len() * STRIDE {
                marks.push((byte, line, column));
            }
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        Self { text, marks }
    }

    /// `line:column`, both from 1; empty for no text.
    pub(super) fn at(&self, byte: usize) -> String {
        let Some(&(from, mut line, mut column)) = self.marks.get(byte / STRIDE).or(self.marks.last()) else {
            return String::new();
        };
        for c in self.text.get(from..byte).unwrap_or_default().chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        format!("{line}:{column}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_parser() {
        for text in [
            "<a>\n<b/>이<c/>\r\n</a>".to_owned(),
            format!("<a>{}</a>", "é\n<b x='이'/>".repeat(600)),
            format!("<a>{}</a>", "<b/>".repeat(600)),
        ] {
            let (places, document) = (Places::of(&text), roxmltree::Document::parse(&text).expect("XML"));
            for byte in (0..text.len()).filter(|&byte| text.is_char_boundary(byte)) {
                assert_eq!(places.at(byte), document.text_pos_at(byte).to_string(), "{byte}");
            }
        }
        assert_eq!(Places::default().at(7), "");
    }
}
