// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Finding passwords that were typed into command lines and scripts.
//!
//! A heuristic: it knows how people write passwords into deployment scripts. What it finds is described, never shown.

/// What gave a secret away; says nothing of the secret itself.
pub type SecretHint = String;

/// Words whose value is a secret, compared in lower case without `-` and `_`.
const KEYS: [&str; 13] = [
    "password",
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
    "token",
    "adminpassword",
];

/// Everything in `text` that looks like a literal secret. A reference to a variable (`%NAME%`, `$name`) is not one.
pub fn find(text: &str) -> Vec<SecretHint> {
    let mut found: Vec<SecretHint> = Vec::new();
    let mut note = |hint: String| {
        if !found.contains(&hint) {
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
            if let Some((key, value)) = assignment(word) {
                if names_secret(key) && is_literal(value) {
                    note(format!("a value of {:?}", key.trim_start_matches(['-', '/', '$'])));
                }
                continue;
            }
            let option = word.strip_prefix("--").or_else(|| word.strip_prefix(['-', '/']));
            if let Some(option) = option
                && names_secret(option)
                && words.get(at + 1).is_some_and(|next| is_literal(next) && !next.starts_with(['-', '/']))
            {
                note(format!("a value of option {word:?}"));
            }
        }
        commands(&words, &mut note);
    }
    found
}

/// What [`find`] finds in each of several named texts.
pub(super) fn find_all<'a>(texts: &[(&'a str, &str)]) -> Vec<(&'a str, SecretHint)> {
    texts.iter().flat_map(|(name, text)| find(text).into_iter().map(move |hint| (*name, hint))).collect()
}

/// Whether a variable or property of this name holds a secret.
pub fn names_secret(name: &str) -> bool {
    let plain: String =
        name.trim_start_matches('$').chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect();
    // PowerShell scopes: $env:PASSWORD.
    let plain = plain.rsplit(':').next().unwrap_or(&plain);
    KEYS.contains(&plain)
        || ["password", "passphrase", "passwd", "clientsecret"].iter().any(|tail| plain.ends_with(tail))
}

/// Whether a text is the thing itself and not a reference to it.
pub(super) fn is_literal(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'', ';', ',', ')']);
    // `*` asks for it; `<password>` stands for it.
    !(value.is_empty() || value == "*" || value.starts_with(['%', '$', '<', '(', '!', '{', '[']))
}

/// `key=value` or `/key:value`, key first. In `key = value` the words stand apart: see [`split`].
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (key, value) = match word.split_once('=') {
        Some(parts) => parts,
        None if word.starts_with(['-', '/']) => word.split_once(':')?,
        None => return None,
    };
    Some((key.rsplit([';', '{', '(', '"']).next().unwrap_or(key), value))
}

/// Words of a command line; quotes hold words together; ` = ` is glued to what stands around it.
fn split(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    let mut glued: Vec<String> = Vec::new();
    for word in words {
        match glued.last_mut() {
            Some(last) if word.starts_with('=') || last.ends_with('=') => last.push_str(&word),
            _ => glued.push(word),
        }
    }
    glued
}

/// Commands that take a password without naming it.
fn commands(words: &[String], note: &mut impl FnMut(String)) {
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let program = |word: &str, name: &str| {
        let file = word.rsplit(['\\', '/']).next().unwrap_or(word);
        file == name || file.strip_suffix(".exe") == Some(name)
    };
    for at in 0..lower.len() {
        let rest = &words[at + 1..];
        let rest_lower = &lower[at + 1..];
        if program(&lower[at], "net") {
            let plain = |word: Option<&String>| {
                word.is_some_and(|word| is_literal(word) && !word.starts_with(['/', '\\']) && !word.ends_with(':'))
            };
            match rest_lower.first().map(String::as_str) {
                Some("user") if plain(rest.get(2)) => note("a password after \"net user\"".into()),
                Some("use")
                    if rest_lower.iter().any(|word| word.starts_with("/user:"))
                        && rest[1..].iter().any(|word| plain(Some(word))) =>
                {
                    note("a password after \"net use\"".into());
                }
                _ => {}
            }
        }
        // sqlcmd -U name -P secret, psexec -u name -p secret.
        if matches!(&*lower[at], "-u" | "/u")
            && let Some(next) = rest_lower.iter().position(|word| matches!(&**word, "-p" | "/p" | "/rp" | "-rp"))
            && rest.get(next + 1).is_some_and(|value| is_literal(value))
        {
            note(format!("a value of option {:?}", rest[next]));
        }
        if lower[at] == "convertto-securestring"
            && rest.first().is_some_and(|value| is_literal(value) && !value.starts_with('-'))
        {
            note("a literal for ConvertTo-SecureString".into());
        }
    }
}

/// `XXXXX-XXXXX-XXXXX-XXXXX-XXXXX`.
fn is_product_key(word: &str) -> bool {
    let word = word.rsplit([':', '=']).next().unwrap_or(word);
    let groups: Vec<&str> = word.split('-').collect();
    groups.len() == 5
        && groups
            .iter()
            .all(|group| group.len() == 5 && group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
        && word != "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_and_never_shown() {
        let table = [
            (r#"setup.exe /password:PLANTED-1"#, r#"a value of "password""#),
            (r#"setup.exe /Password PLANTED-1"#, r#"a value of option "/Password""#),
            (r#"tool --api-key=PLANTED-1"#, r#"a value of "api-key""#),
            (r#"tool --client_secret PLANTED-1"#, r#"a value of option "--client_secret""#),
            (r#"$AdminPassword = "PLANTED-1""#, r#"a value of "AdminPassword""#),
            (r#"set PASS=PLANTED-1"#, r#"a value of "PASS""#),
            (r#"msiexec /i a.msi SERVICEPASSWORD="PLANTED 1""#, r#"a value of "SERVICEPASSWORD""#),
            (r#"sqlcmd -S host -U me -P PLANTED-1 -Q x"#, r#"a value of option "-P""#),
            (r#"psexec.exe \\host -u me -p PLANTED-1 cmd"#, r#"a value of option "-p""#),
            (r#"cmd /c net user Administrator PLANTED-1"#, r#"a password after "net user""#),
            (r#"NET.EXE USE Z: \\s\share PLANTED-1 /user:d\u"#, r#"a password after "net use""#),
            (r#"net use Z: \\s\share /user:d\u PLANTED-1"#, r#"a password after "net use""#),
            (r#"ConvertTo-SecureString "PLANTED-1" -AsPlainText -Force"#, "a literal for ConvertTo-SecureString"),
            ("x\n-----BEGIN RSA PRIVATE KEY-----\nPLANTED-1", "a private key"),
            ("slmgr /ipk ABCDE-12345-FGHIJ-67890-KLMNO", "a product key"),
        ];
        for (text, hint) in table {
            let found = find(text);
            assert_eq!(found, [hint], "{text}");
            assert!(!found.concat().contains("PLANTED"));
        }
    }

    #[test]
    fn references_and_ordinary_commands_are_not() {
        for text in [
            "setup.exe /password:%OSDLocalAdminPassword%",
            "tool --password $env:SECRET",
            "tool --password $(get-it)",
            "set PASS=%X%",
            "net user Administrator *",
            "net user Administrator /active:no",
            "net user Administrator %PW%",
            r"net use Z: \\server\share",
            r"net use Z: \\server\share /user:d\u %PW%",
            "mkdir -p C:\\x",
            "cmd /c copy a b /y",
            "sqlcmd -U me -P %PW%",
            "ConvertTo-SecureString $pw -AsPlainText -Force",
            "ConvertTo-SecureString -String $pw",
            "slmgr /ipk XXXXX-XXXXX-XXXXX-XXXXX-XXXXX",
            "echo passing tokens=2 by",
            "tool --password",
            "tool --password --force",
            "",
        ] {
            assert_eq!(find(text), Vec::<String>::new(), "{text}");
        }
    }
}
