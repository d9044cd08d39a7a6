// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The text of an INF file: encodings, lines, sections, fields ("General Syntax Rules for INF Files").

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

/// Most bytes that strings may add to a file: a hostile one names a long string again and again.
const MAX_STRINGS_BYTES: usize = 64 << 20;

/// Sections with their lines, and the strings that `%name%` stands for.
pub(super) struct Sections<'t> {
    lines: HashMap<String, Vec<Cow<'t, str>>>,
    strings: HashMap<String, String>,
    /// How many bytes they have added so far.
    strings_bytes: Cell<usize>,
}

/// One line: `key = field, field, …`, or fields alone.
pub(super) struct Line {
    /// Empty for a line without `=`.
    pub(super) key: String,
    /// What stands between the commas.
    pub(super) fields: Vec<String>,
}

impl Line {
    /// A field, or an empty text.
    pub(super) fn field(&self, at: usize) -> &str {
        self.fields.get(at).map_or("", String::as_str)
    }
}

/// UTF-16 or UTF-8 by the byte order mark; without one UTF-8 where it is, else the code page of western Windows.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with('\u{feff}') => Cow::Borrowed(text),
        // Looks for marks itself.
        _ => encoding_rs::WINDOWS_1252.decode(bytes).0,
    }
}

impl<'t> Sections<'t> {
    pub(super) fn read(text: &'t str) -> Self {
        let mut sections = Self { lines: HashMap::new(), strings: HashMap::new(), strings_bytes: Cell::new(0) };
        let mut current: Option<&mut Vec<Cow<'t, str>>> = None;
        for line in Logical(text.split('\n')) {
            match header(&line) {
                // A section that comes twice is one.
                Some(name) => current = Some(sections.lines.entry(name).or_default()),
                None => current.iter_mut().for_each(|lines| lines.push(line.clone())),
            }
        }
        // A translation fills in what the plain section lacks, as in files with [Strings.0409] alone.
        let is_of_strings = |name: &&String| name.split('.').next() == Some("strings");
        let mut names: Vec<&String> = sections.lines.keys().filter(is_of_strings).collect();
        names.sort();
        let mut strings = HashMap::new();
        for name in names {
            for line in &sections.lines[name] {
                let Line { key, fields } = split(line);
                strings.entry(key.to_lowercase()).or_insert_with(|| fields.into_iter().next().unwrap_or_default());
            }
        }
        sections.strings = strings;
        sections
    }

    /// Whether there is one of that name, in any case of letters.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.contains_key(&name.to_lowercase())
    }

    /// Its lines with `%name%` replaced; none if there is no such section.
    pub(super) fn lines(&self, name: &str) -> impl Iterator<Item = Line> {
        self.raw(name).iter().map(|line| self.line(line))
    }

    /// Its lines with that key.
    pub(super) fn entries(&self, section: &str, key: &str) -> impl Iterator<Item = Line> {
        self.raw(section)
            .iter()
            .filter(move |line| begins_with(line, key))
            .map(|line| self.line(line))
            .filter(move |line| line.key.eq_ignore_ascii_case(key))
    }

    /// The first field of the first line with that key.
    pub(super) fn value(&self, section: &str, key: &str) -> Option<String> {
        self.entries(section, key).next()?.fields.into_iter().next()
    }

    /// Of every section.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(String::as_str)
    }

    fn raw(&self, section: &str) -> &[Cow<'t, str>] {
        self.lines.get(&section.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    fn line(&self, line: &str) -> Line {
        let Line { key, fields } = split(line);
        Line { key: self.expand(key), fields: fields.into_iter().map(|field| self.expand(field)).collect() }
    }

    /// `%name%` is a string, `%%` is `%`. What has no string stays as it is. Strings within strings are not looked for.
    fn expand(&self, text: String) -> String {
        if !text.contains('%') {
            return text;
        }
        let mut result = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            result.push_str(before);
            let Some((name, beyond)) = after.split_once('%') else {
                rest = &rest[before.len()..];
                break;
            };
            match self.strings.get(&name.to_lowercase()) {
                _ if name.is_empty() => result.push('%'),
                Some(string) if self.strings_bytes.get() + string.len() <= MAX_STRINGS_BYTES => {
                    self.strings_bytes.set(self.strings_bytes.get() + string.len());
                    result.push_str(string);
                }
                _ => result.extend(["%", name, "%"]),
            }
            rest = beyond;
        }
        result + rest
    }
}

/// Lines without comments and blank ones, those that end with `\` joined with the next.
struct Logical<I>(I);

impl<'t, I: Iterator<Item = &'t str>> Iterator for Logical<I> {
    type Item = Cow<'t, str>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut joined: Option<String> = None;
        loop {
            let Some(line) = self.0.next() else { return joined.map(Cow::Owned) };
            let line = without_comment(line).trim_matches(is_blank);
            match (line.strip_suffix('\\'), joined.as_mut()) {
                (Some(begun), _) => joined.get_or_insert_default().push_str(begun),
                (None, Some(begun)) => {
                    begun.push_str(line);
                    return joined.map(Cow::Owned);
                }
                (None, None) if line.is_empty() => {}
                (None, None) => return Some(Cow::Borrowed(line)),
            }
        }
    }
}

/// Old editors end a text with Ctrl+Z; some leave zeros.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\0' | '\u{1a}' | '\u{feff}')
}

/// A look before a line is taken apart: most of a long file is about something else.
fn begins_with(line: &str, key: &str) -> bool {
    let line = line.strip_prefix('"').unwrap_or(line);
    line.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key))
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let end = line.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b';' && !quoted
    });
    end.map_or(line, |end| &line[..end])
}

/// The name in `[name]`, in small letters.
fn header(line: &str) -> Option<String> {
    let name = line.strip_prefix('[')?;
    let name = name.split_once(']').map_or(name, |(name, _)| name);
    Some(name.trim().trim_matches('"').to_lowercase())
}

/// By the first `=` and the commas outside of quotes; quotes are taken off, two within quotes are one.
fn split(line: &str) -> Line {
    let mut key = String::new();
    let mut has_key = false;
    let mut fields = Vec::new();
    let mut field = String::new();
    // Blanks are dropped at the ends of a field but kept within quotes: where the kept part ends.
    let mut kept = 0;
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    let finish = |field: &mut String, kept: &mut usize| {
        let end = field.trim_end_matches(is_blank).len().max(*kept);
        field.truncate(end);
        *kept = 0;
        std::mem::take(field)
    };
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
                kept = field.len();
            }
            '"' => {
                quoted = !quoted;
                kept = field.len();
            }
            '=' if !quoted && !has_key && fields.is_empty() => {
                key = finish(&mut field, &mut kept);
                has_key = true;
            }
            ',' if !quoted => fields.push(finish(&mut field, &mut kept)),
            c if !quoted && field.is_empty() && kept == 0 && is_blank(c) => {}
            c => field.push(c),
        }
    }
    fields.push(finish(&mut field, &mut kept));
    Line { key, fields }
}
