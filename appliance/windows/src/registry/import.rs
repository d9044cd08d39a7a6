// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files of the registry editor (`.reg`), of version 5.00 and of `REGEDIT4`.

use std::borrow::Cow;

use super::{Action, Data, REG_BINARY, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, RegistryChange, RegistryError, change};
use super::{from_hexadecimal, short};

/// Bigger files are refused; it would be a whole registry.
pub const MAX_IMPORT_BYTES: usize = 16 << 20;
/// Most changes of one file.
const MAX_CHANGES: usize = 200_000;
/// Most bytes of their keys: a long one would be held again for each of its values.
const MAX_KEYS_BYTES: usize = 64 << 20;

/// What a file would change, in its order.
pub fn import(bytes: &[u8]) -> Result<Vec<RegistryChange>, RegistryError> {
    let too_much = |what: &str, limit: usize, found: usize| RegistryError::TooMuch {
        what: format!("{what} of the .reg file"),
        expected: format!("at most {limit}"),
        found: found.to_string(),
    };
    if bytes.len() > MAX_IMPORT_BYTES {
        return Err(too_much("bytes", MAX_IMPORT_BYTES, bytes.len()));
    }
    // Version 5.00 is UTF-16 with its mark or plain, the older one in the code page of its Windows.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text.trim_start_matches('\u{feff}')),
        Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0,
    };
    let mut lines = Joined { lines: text.lines().enumerate() };
    let (line, header) = lines.next().unwrap_or((1, String::new()));
    let is_old = match header.trim() {
        "Windows Registry Editor Version 5.00" => false,
        "REGEDIT4" => true,
        found => {
            let expected = "Windows Registry Editor Version 5.00, or REGEDIT4";
            return Err(RegistryError::Import { line, expected, found: short(found) });
        }
    };
    let mut changes: Vec<RegistryChange> = Vec::new();
    let mut keys_bytes = 0;
    // None after a key that was deleted.
    let mut key: Option<String> = None;
    for (line, text) in lines {
        let wrong = |expected| RegistryError::Import { line, expected, found: short(&text) };
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or_else(|| wrong("a key between [ and ]"))?;
            let (name, action) = match inside.strip_prefix('-') {
                Some(name) => (name, Action::DeleteKey),
                None => (inside, Action::CreateKey),
            };
            key = (action == Action::CreateKey).then(|| name.to_owned());
            changes.push(change(name, false, action)?);
        } else {
            let key = key.as_deref().ok_or_else(|| wrong("a key before its values"))?;
            let (name, rest) = match text.strip_prefix('@') {
                Some(rest) => (String::new(), rest),
                None => quoted(&text).ok_or_else(|| wrong("\"name\"=value or @=value"))?,
            };
            let value = rest.trim_start().strip_prefix('=').ok_or_else(|| wrong("= after the name"))?.trim();
            let action = match value {
                "-" => Action::DeleteValue { name },
                value => {
                    let data = data(value, is_old);
                    Action::SetValue { name, data: data.ok_or_else(|| wrong("a text, dword: or hex:"))? }
                }
            };
            changes.push(change(key, false, action)?);
        }
        keys_bytes += changes.last().map_or(0, |it| it.change.key.len());
        if keys_bytes > MAX_KEYS_BYTES {
            return Err(too_much("bytes of keys", MAX_KEYS_BYTES, keys_bytes));
        }
        if changes.len() > MAX_CHANGES {
            return Err(too_much("changes", MAX_CHANGES, changes.len()));
        }
    }
    Ok(changes)
}

/// Lines without blank ones and comments, with those that go on after `\` put together; and their numbers.
struct Joined<I> {
    lines: I,
}

impl<'t, I: Iterator<Item = (usize, &'t str)>> Iterator for Joined<I> {
    type Item = (usize, String);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, first) = self.lines.by_ref().find(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with(';')
        })?;
        let mut joined = first.trim().to_owned();
        // A text may have line breaks in it, which the registry editor writes as they are.
        let mut is_open = is_open(&joined, false);
        while is_open || joined.ends_with('\\') {
            let Some((_, line)) = self.lines.next() else { break };
            if is_open {
                joined.push_str("\r\n");
                joined.push_str(line);
                is_open = self::is_open(line, true);
            } else {
                joined.pop();
                joined.push_str(line.trim());
            }
        }
        Some((at + 1, joined.trim_end().to_owned()))
    }
}

/// Whether a line ends within quotes; `is_open` is whether it begins there.
fn is_open(line: &str, mut is_open: bool) -> bool {
    // Keys have quotes as they are.
    if !is_open && line.starts_with('[') {
        return false;
    }
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if is_open => _ = chars.next(),
            '"' => is_open = !is_open,
            _ => {}
        }
    }
    is_open
}

/// A text in quotes with its escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &rest[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn data(value: &str, is_old: bool) -> Option<Data> {
    if value.starts_with('"') {
        let (text, rest) = quoted(value)?;
        return rest.trim().is_empty().then(|| Data::text(REG_SZ, &text));
    }
    if let Some(digits) = value.strip_prefix("dword:") {
        return u32::from_str_radix(digits.trim(), 16).ok().map(Data::dword);
    }
    let (kind, digits) = value.strip_prefix("hex")?.split_once(':')?;
    let kind = match kind {
        "" => REG_BINARY,
        kind => u32::from_str_radix(kind.strip_prefix('(')?.strip_suffix(')')?, 16).ok()?,
    };
    let bytes = from_hexadecimal(&digits.replace([',', ' ', '\t'], ""))?;
    // The old form has texts in bytes, one for each character.
    let bytes = match kind {
        REG_EXPAND_SZ | REG_MULTI_SZ if is_old => {
            let text = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes).0;
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        _ => bytes,
    };
    Some(Data { kind, bytes })
}
