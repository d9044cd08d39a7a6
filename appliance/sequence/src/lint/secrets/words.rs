// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Words of command lines and scripts.

use std::ops::Deref;

/// One word, without its quotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    text: String,
    /// It, or the value at its end, stood in quotes.
    pub(super) quoted: bool,
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// Words of a line; quotes hold words together; ` = ` is glued to what stands around it.
pub(super) fn split(line: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut word = Word { text: String::new(), quoted: false };
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.text.push(c),
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                word.quoted = true;
            }
            None if c.is_whitespace() => {
                words.push(std::mem::replace(&mut word, Word { text: String::new(), quoted: false }));
            }
            None => word.text.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.text.is_empty());
    glue(words)
}

fn glue(words: Vec<Word>) -> Vec<Word> {
    let mut glued: Vec<Word> = Vec::new();
    for word in words {
        match glued.last_mut() {
            Some(last) if belongs(last, &word) => {
                last.text.push_str(&word.text);
                last.quoted = word.quoted;
            }
            _ => glued.push(word),
        }
    }
    glued
}

/// `"NAME="` in quotes is whole, and an option begins a new word.
fn belongs(last: &Word, word: &Word) -> bool {
    (word.starts_with('=') && !word.starts_with("==") && !word.quoted)
        || (last.ends_with('=') && !last.ends_with("==") && !last.quoted && !word.starts_with(['-', '/']))
}
