// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Variables of a task sequence, read and checked.

use std::fmt;

/// A variable whose value can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// Its name.
    pub variable: String,
    /// What would be right.
    pub expected: String,
    /// What it is; not said of secrets.
    pub found: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.variable, self.expected, self.found)
    }
}

/// A value that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// Takes variables out and notes what is wrong with them.
pub(super) struct Reader<'g> {
    get: &'g dyn Fn(&str) -> Option<String>,
    pub(super) problems: Vec<SettingProblem>,
}

impl<'g> Reader<'g> {
    pub(super) fn new(get: &'g dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, problems: Vec::new() }
    }

    pub(super) fn note(&mut self, variable: &str, expected: impl Into<String>, found: impl Into<String>) {
        let (variable, expected, found) = (variable.to_owned(), expected.into(), found.into());
        self.problems.push(SettingProblem { variable, expected, found });
    }

    /// A value that is not empty and has no control characters, at most so many characters long.
    pub(super) fn text(&mut self, variable: &str, max_characters: usize) -> Option<String> {
        let value = self.secret(variable, max_characters)?.0;
        let trimmed = value.trim();
        if trimmed.is_empty() { None } else { Some(trimmed.to_owned()) }
    }

    /// The same with its blanks, and nothing said of it.
    pub(super) fn secret(&mut self, variable: &str, max_characters: usize) -> Option<Secret> {
        let value = (self.get)(variable).filter(|value| !value.is_empty())?;
        let characters = value.chars().count();
        if characters > max_characters {
            self.note(variable, format!("at most {max_characters} characters"), characters.to_string());
        } else if value.chars().any(char::is_control) {
            self.note(variable, "one line", "line breaks or control characters");
        } else {
            return Some(Secret(value));
        }
        None
    }

    /// The first of several variables that has a value.
    pub(super) fn first(&mut self, variables: &[&str], max_characters: usize) -> Option<String> {
        variables.iter().find_map(|variable| self.text(variable, max_characters))
    }

    /// A value that `convert` knows.
    pub(super) fn parsed<T>(
        &mut self,
        variable: &str,
        expected: &str,
        convert: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(variable, 32_767)?;
        let value = convert(&text);
        if value.is_none() {
            self.note(variable, expected, format!("{:?}", text.chars().take(80).collect::<String>()));
        }
        value
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, variable: &str) -> Option<bool> {
        self.parsed(variable, "true or false", |text| match () {
            () if text.eq_ignore_ascii_case("true") => Some(true),
            () if text.eq_ignore_ascii_case("false") => Some(false),
            () => None,
        })
    }

    /// Values between commas, each of which `convert` knows.
    pub(super) fn list<T>(
        &mut self,
        variable: &str,
        expected: &str,
        convert: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.parsed(variable, expected, |text| {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(convert).collect()
        })
    }
}
