// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Commands that take a password without naming it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::words::Word;
use super::{find as find_in, holds_secret, is_literal, names_secret, shown};

/// How far behind a program's name its options are looked for: a line may be a megabyte long.
const MAX_ARGUMENTS: usize = 100;

pub(super) fn find(words: &[Word], note: &mut impl FnMut(String)) {
    let lower: Vec<String> = words.iter().map(|word| word.trim_start_matches('(').to_lowercase()).collect();
    for at in 0..lower.len() {
        let end = words.len().min(at + 1 + MAX_ARGUMENTS);
        let (rest, rest_lower) = (&words[at + 1..end], &lower[at + 1..end]);
        match program(&lower[at]) {
            "net" => net(rest, rest_lower, note),
            "curl" if has_login(rest, rest_lower) => note("a password after \"curl -u\"".into()),
            "schtasks" | "manage-bde" => option(&["/rp", "-rp", "-recoverypassword"], rest, rest_lower, note),
            "reg" | "reg.exe" => named_value("/v", "/d", rest, rest_lower, note),
            "set-itemproperty" | "new-itemproperty" => named_value("-name", "-value", rest, rest_lower, note),
            "powershell" | "pwsh" => encoded(rest, rest_lower, note),
            "convertto-securestring" if secure_string(rest, rest_lower) => {
                note("a literal for ConvertTo-SecureString".into());
            }
            _ => {}
        }
        // sqlcmd -U name -P secret, psexec -u name -p secret.
        if matches!(&*lower[at], "-u" | "/u") {
            option(&["-p", "/p"], rest, rest_lower, note);
        }
    }
}

/// Name of the program's file, without folder and `.exe`.
fn program(word: &str) -> &str {
    let file = word.rsplit(['\\', '/']).next().unwrap_or(word);
    file.strip_suffix(".exe").unwrap_or(file)
}

fn net(rest: &[Word], lower: &[String], note: &mut impl FnMut(String)) {
    let plain = |word: &Word| is_literal(word) && !word.starts_with(['/', '\\']) && !word.ends_with(':');
    match lower.first().map(String::as_str) {
        Some("user") if rest.get(2).is_some_and(plain) => note("a password after \"net user\"".into()),
        Some("use") if lower.iter().any(|word| word.starts_with("/user:")) && rest[1..].iter().any(plain) => {
            note("a password after \"net use\"".into());
        }
        _ => {}
    }
}

fn option(names: &[&str], rest: &[Word], lower: &[String], note: &mut impl FnMut(String)) {
    if let Some(at) = lower.iter().position(|word| names.contains(&&**word))
        && rest.get(at + 1).is_some_and(|value| is_literal(value) && !value.starts_with(['-', '/']))
    {
        note(format!("a value of option {:?}", &*rest[at]));
    }
}

/// `-u name:password`.
fn has_login(rest: &[Word], lower: &[String]) -> bool {
    let at = lower.iter().position(|word| matches!(&**word, "-u" | "--user" | "--proxy-user"));
    let login = at.and_then(|at| rest.get(at + 1)).and_then(|login| login.split_once(':'));
    login.is_some_and(|(_, password)| is_literal(password))
}

/// `/v NAME ... /d VALUE`, where the name is a password's.
fn named_value(name: &str, value: &str, rest: &[Word], lower: &[String], note: &mut impl FnMut(String)) {
    let after = |option: &str| lower.iter().position(|word| word == option).and_then(|at| rest.get(at + 1));
    if let (Some(name), Some(value)) = (after(name), after(value))
        && names_secret(name)
        && holds_secret(name, value)
    {
        note(format!("a value of {:?}", shown(name)));
    }
}

/// The text is its first argument, or stands behind `-String`.
fn secure_string(rest: &[Word], lower: &[String]) -> bool {
    let named = lower.iter().position(|word| word == "-string").map(|at| at + 1);
    let first = || lower.iter().position(|word| !word.starts_with('-'));
    named.or_else(first).and_then(|at| rest.get(at)).is_some_and(|value| is_literal(value) && !value.starts_with('-'))
}

/// `-EncodedCommand`, which may be shortened to any beginning of it: a script in UTF-16 as base64.
fn encoded(rest: &[Word], lower: &[String], note: &mut impl FnMut(String)) {
    let is_option = |word: &String| {
        word.strip_prefix(['-', '/'])
            .is_some_and(|word| word == "ec" || !word.is_empty() && "encodedcommand".starts_with(word))
    };
    let Some(code) = lower.iter().position(is_option).and_then(|at| rest.get(at + 1)) else { return };
    let Ok(bytes) = STANDARD.decode(code.as_bytes()) else { return };
    let units = bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair));
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    // What is encoded again is not followed: whoever hides that much is not careless.
    if text.to_lowercase().contains("-enc") {
        return;
    }
    for hint in find_in(&text) {
        note(format!("an encoded command with {hint}"));
    }
}
