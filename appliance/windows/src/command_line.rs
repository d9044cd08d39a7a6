// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Command lines as Windows programs read them.

/// By the rules of Microsoft's C library ("Parsing C command-line arguments"); none if the line has more in it than one
/// command.
pub fn arguments(line: &str) -> Option<Vec<String>> {
    let (mut found, mut current, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let mut count = 1;
                while chars.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let before_quote = chars.peek() == Some(&'"');
                current.extend(std::iter::repeat_n('\\', if before_quote { count / 2 } else { count }));
                if before_quote && count % 2 == 1 {
                    chars.next();
                    current.push('"');
                }
                begun = true;
            }
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            ' ' | '\t' if !quoted => {
                if begun {
                    found.push(std::mem::take(&mut current));
                }
                begun = false;
            }
            '&' | '|' | '<' | '>' | '\r' | '\n' if !quoted => return None,
            c => {
                current.push(c);
                begun = true;
            }
        }
    }
    if begun {
        found.push(current);
    }
    Some(found)
}

/// As the shell's own commands and xcopy read a line: a backslash before a quote is a backslash. None if it has more in it
/// than one command.
pub fn words(line: &str) -> Option<Vec<String>> {
    let (mut found, mut current, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.trim().chars() {
        match c {
            '"' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => found.extend(current.take()),
            '&' | '|' | '<' | '>' | '\r' | '\n' if !quoted => return None,
            c => current.get_or_insert_default().push(c),
        }
    }
    found.extend(current);
    Some(found)
}

/// The name of a program without its folder and `.exe`, in small letters.
pub fn program_name(word: &str) -> String {
    let file = word.rsplit(['\\', '/']).next().unwrap_or_default().to_lowercase();
    file.strip_suffix(".exe").unwrap_or(&file).to_owned()
}

/// `reg`, `reg.exe`, with or without a folder.
pub(crate) fn is_program(word: &str, name: &str) -> bool {
    program_name(word) == name
}

/// What stands behind `cmd /c`, or all words.
pub fn without_shell<'a, 'w>(words: &'a [&'w str]) -> &'a [&'w str] {
    match words {
        [shell, flag, rest @ ..] if is_program(shell, "cmd") && flag.eq_ignore_ascii_case("/c") => rest,
        words => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_before_a_quote_is_what_the_program_takes_it_for() {
        let line = r#"xcopy "a b\" "c d" /s "" e\"#;
        assert_eq!(words(line).expect("one"), ["xcopy", "a b\\", "c d", "/s", "", "e\\"]);
        assert_eq!(arguments(r#"reg "a b\\" "c\"d""#).expect("one"), ["reg", r"a b\", "c\"d"]);
        for several in ["a & b", "a | b", "a > b", "a\nb"] {
            assert!(words(several).is_none() && arguments(several).is_none(), "{several}");
        }
        assert_eq!(words(r#""a & b""#).expect("quoted"), ["a & b"]);
        assert_eq!(
            (program_name(r"C:\Windows\REG.exe"), program_name("xcopy")),
            ("reg".to_owned(), "xcopy".to_owned())
        );
    }
}
