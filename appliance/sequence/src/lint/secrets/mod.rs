// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Finding passwords that were typed into command lines and scripts.
//!
//! A heuristic: it knows how people write passwords into deployment scripts. What it finds is described, never shown.

mod answer_file;
mod commands;
#[cfg(test)]
mod tests;
mod words;

pub use answer_file::find_in_answer_file;
use words::{Word, split};

/// What gave a secret away; says nothing of the secret itself.
pub type SecretHint = String;

/// Words whose value is a secret, compared in lower case without `-` and `_`.
const KEYS: [&str; 16] = [
    "password",
    "passwordd",
    "passwordo",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "pass",
    "pw",
    "secret",
    "clientsecret",
    "apikey",
    "accesskey",
    "licensekey",
    "productkey",
    "token",
];

/// Ends of such words.
const TAILS: [&str; 6] = ["password", "passphrase", "passwd", "pwd", "secret", "token"];

/// Properties of steps that end like a password and only switch something.
const SWITCHES: [&str; 4] =
    ["osdrandomadminpassword", "randomadminpassword", "osdbitlockercreaterecoverypassword", "createrecoverypassword"];

/// Values that switch something and are no secret, whatever the name says.
const FLAGS: [&str; 12] = ["true", "false", "yes", "no", "on", "off", "none", "null", "ad", "0x0", "0x1", "reg_sz"];

/// Most different hints of one text: nobody reads more of them.
const MAX_HINTS: usize = 100;
/// Longest name that is shown, in characters.
const MAX_SHOWN: usize = 60;

/// Everything in `text` that looks like a literal secret. A reference to a variable (`%NAME%`, `$name`) is not one.
pub fn find(text: &str) -> Vec<SecretHint> {
    let mut found: Vec<SecretHint> = Vec::new();
    let mut note = |hint: String| {
        if found.len() < MAX_HINTS && !found.contains(&hint) {
            found.push(hint);
        }
    };
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        note("a private key".into());
    }
    for line in text.lines() {
        let words = split(line);
        for (at, word) in words.iter().enumerate() {
            if is_product_key(word) {
                note("a product key".into());
            }
            if is_recovery_password(word) {
                note("a BitLocker recovery password".into());
            }
            if has_login(word) {
                note("a password in an address".into());
            }
            for (key, value) in asked(word) {
                if holds_secret(key, value) {
                    note(format!("a value of {:?}", shown(name_of(key))));
                }
            }
            if let Some((key, value)) = assignment(word) {
                // What PowerShell is to take as a text stands in quotes; a bare word is a command it runs.
                let is_text = !key.contains('$') || word.quoted;
                if is_text && holds_secret(key, value) {
                    note(format!("a value of {:?}", shown(name_of(key))));
                }
                continue;
            }
            let option = word.strip_prefix("--").or_else(|| word.strip_prefix(['-', '/']));
            if let Some(option) = option
                && words.get(at + 1).is_some_and(|next| !next.starts_with(['-', '/']) && holds_secret(option, next))
            {
                note(format!("a value of option {:?}", shown(word)));
            }
        }
        commands::find(&words, &mut note);
    }
    found
}

/// What [`find`] finds in each of several named texts.
pub(super) fn find_all<'a>(texts: &[(&'a str, &str)]) -> Vec<(&'a str, SecretHint)> {
    texts.iter().flat_map(|(name, text)| find(text).into_iter().map(move |hint| (*name, hint))).collect()
}

/// Whether a variable, property or option of this name with this value holds a secret in clear.
pub fn holds_secret(name: &str, value: &str) -> bool {
    is_literal(value) && (names_secret(name) || (names_key(name) && !value.contains(['\\', '/', ' '])))
}

/// Whether a variable or property of this name holds a secret.
pub fn names_secret(name: &str) -> bool {
    let plain = plain(name);
    !SWITCHES.contains(&&*plain)
        && (KEYS.contains(&&*plain) || TAILS.iter().any(|tail| plain.len() > tail.len() && plain.ends_with(tail)))
}

/// `CUSTOMER_KEY`: a key for a service, unless it is one of the registry or a public one.
fn names_key(name: &str) -> bool {
    let name = name_of(name).to_lowercase();
    name.ends_with("_key") && !["public", "reg"].iter().any(|other| name.contains(other))
}

fn plain(name: &str) -> String {
    // The first of several accounts is `AccountPassword0`.
    let name = name_of(name).trim_end_matches(|c: char| c.is_ascii_digit());
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// A name without what stands before it: `/`, `--`, `[string]$`, `$env:`, `$object.`.
fn name_of(key: &str) -> &str {
    key.trim_start_matches(['-', '/']).rsplit(['$', ':', '.']).next().unwrap_or(key)
}

/// A name in a few words: files that are no scripts have lines of a megabyte.
fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).collect()
}

/// Whether a text is the thing itself and not a reference to it.
pub(crate) fn is_literal(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'', ';', ',', ')']);
    let is_flag = value.chars().count() < 2 || FLAGS.iter().any(|flag| value.eq_ignore_ascii_case(flag));
    // `*` asks for it; `<password>` stands for it.
    !(is_flag || value.starts_with(['%', '$', '<', '(', '!', '{', '[']))
}

/// `key=value` or `/key:value`, key first. In `key = value` the words stand apart: see [`split`].
fn assignment(word: &Word) -> Option<(&str, &str)> {
    let (key, value) = match word.split_once('=') {
        // An address may have one too.
        Some((key, _)) if key.contains("://") => return None,
        Some(parts) => parts,
        None if word.starts_with(['-', '/']) => word.split_once(':')?,
        None => return None,
    };
    Some((key.rsplit([';', '{', '(', '"']).next().unwrap_or(key), value))
}

/// What an address asks for: `https://host/path?key=value&key=value`.
fn asked(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = word.split_once("://").and_then(|(_, rest)| rest.split_once('?')).map_or("", |(_, query)| query);
    query.split('&').filter_map(|part| part.split_once('='))
}

/// `https://user:password@host`.
fn has_login(word: &str) -> bool {
    word.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let login = authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
        login.is_some_and(|(_, password)| is_literal(password))
    })
}

/// `XXXXX-XXXXX-XXXXX-XXXXX-XXXXX`.
fn is_product_key(word: &str) -> bool {
    let word = word.rsplit([':', '=']).next().unwrap_or(word);
    let groups: Vec<&str> = word.split('-').collect();
    let of_one_letter = |group: &str| group.chars().all(|c| group.starts_with(c));
    groups.len() == 5
        && groups
            .iter()
            .all(|group| group.len() == 5 && group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
        && !groups.iter().all(|group| of_one_letter(group))
}

/// Eight groups of six digits.
fn is_recovery_password(word: &str) -> bool {
    let word = word.rsplit([':', '=']).next().unwrap_or(word);
    let groups: Vec<&str> = word.split('-').collect();
    groups.len() == 8 && groups.iter().all(|group| group.len() == 6 && group.bytes().all(|b| b.is_ascii_digit()))
}
