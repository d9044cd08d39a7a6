// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What people write in TOML, read strictly: fields are taken out of tables one by one, so that every problem is found
//! in one go, each with its line. A field that nobody asked for is a problem too: a mistyped name must never mean that
//! a setting is silently not made.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Nobody reads more of them.
const MAX_PROBLEMS: usize = 1000;

/// One thing that is wrong in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1-based.
    pub line: usize,
    /// Dotted, with the number of a table's entry from 1: `application[2].depends-on`.
    pub field: String,
    /// What would be right.
    pub expected: String,
    /// Never the value of a variable or password.
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: expected {}, found {}", self.line, self.field, self.expected, self.found)
    }
}

/// All of them on one line.
pub fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// Reads a text: `document` takes its fields out, and whatever it noted is why there is no answer.
pub fn read<T>(
    text: &str,
    document: impl FnOnce(&Report<'_>, Fields<'_, '_, '_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let report = Report::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = report.line(error.span().map_or(0, |span| span.start));
        report.note(line, "TOML", "valid TOML", error.message());
    }
    if !errors.is_empty() {
        return Err(report.into_problems());
    }
    let found = document(&report, Fields::new(&report, table.get_ref(), 1, String::new()));
    match (found, report.into_problems()) {
        (Some(found), problems) if problems.is_empty() => Ok(found),
        (_, problems) => Err(problems),
    }
}

/// The text and the problems found so far.
#[derive(Debug)]
pub struct Report<'t> {
    text: &'t str,
    /// Where each line ends, so that a long text is not counted through for each field.
    ends: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Report<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { text, ends, problems: RefCell::new(Vec::new()) }
    }

    fn line(&self, byte: usize) -> usize {
        self.ends.partition_point(|&end| end < byte.min(self.text.len())) + 1
    }

    /// Notes a problem of a field, named as [`Problem`] names it.
    pub fn note(&self, line: usize, field: &str, expected: impl Into<String>, found: impl Into<String>) {
        let (expected, found) = (expected.into(), found.into());
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem { line, field: field.to_owned(), expected, found });
        }
    }

    /// Whether something was already said about a field.
    pub fn has(&self, field: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.field == field)
    }

    /// In the order of the lines.
    fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// What stands there.
    pub value: T,
    /// 1-based.
    pub line: usize,
    /// As [`Problem`] names it.
    pub field: String,
}

impl<T> Located<T> {
    /// Another value at the same place.
    pub fn with<U>(&self, value: U) -> Located<U> {
        Located { value, line: self.line, field: self.field.clone() }
    }
}

/// One table, whose fields are taken out.
#[derive(Debug)]
pub struct Fields<'r, 't, 'd> {
    report: &'r Report<'t>,
    /// Of the table itself.
    pub line: usize,
    prefix: String,
    left: Vec<(String, usize, &'d Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
}

fn start(span: Range<usize>) -> usize {
    span.start
}

impl<'r, 't, 'd> Fields<'r, 't, 'd> {
    pub(crate) fn new(report: &'r Report<'t>, table: &'d DeTable<'d>, line: usize, prefix: String) -> Self {
        let left = table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), report.line(start(key.span())), value))
            .collect();
        Self { report, line, prefix, left, known: Vec::new() }
    }

    fn field(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    /// Notes a problem of a field of this table.
    pub fn note(&self, line: usize, name: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.report.note(line, &self.field(name), expected, found);
    }

    /// Whether a field is there that was not taken yet: an empty list is not the same as none.
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(key, ..)| key == name)
    }

    /// Any value.
    pub fn take(&mut self, name: &'static str) -> Option<Located<&'d DeValue<'d>>> {
        self.known.push(name);
        let at = self.left.iter().position(|(key, _, _)| key == name)?;
        let (_, line, value) = self.left.swap_remove(at);
        Some(Located { value: value.get_ref(), line, field: self.field(name) })
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        convert: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<Located<T>> {
        let taken = self.take(name)?;
        match convert(taken.value) {
            Some(value) => Some(taken.with(value)),
            None => {
                self.note(taken.line, name, expected, kind(taken.value));
                None
            }
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Option<Located<String>> {
        self.typed(name, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// True or false.
    pub fn flag(&mut self, name: &'static str) -> Option<Located<bool>> {
        self.typed(name, "true or false", DeValue::as_bool)
    }

    /// A whole number from 1 to 2^32 - 1.
    pub fn number(&mut self, name: &'static str) -> Option<Located<u32>> {
        self.number_within(name, 1..=u32::MAX, "")
    }

    /// A whole number between two others; `of_what` follows the words "a whole number", such as " of seconds".
    pub fn number_within(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
        of_what: &str,
    ) -> Option<Located<u32>> {
        let taken = self.take(name)?;
        let integer = taken.value.as_integer();
        let number = integer.and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        match number {
            Some(number) if range.contains(&number) => Some(taken.with(number)),
            _ => {
                let found = integer.map_or_else(|| kind(taken.value), |integer| integer.to_string());
                let expected = format!("a whole number{of_what} from {} to {}", range.start(), range.end());
                self.note(taken.line, name, expected, found);
                None
            }
        }
    }

    /// A list of texts; an empty one where there is none.
    pub fn texts(&mut self, name: &'static str) -> Vec<Located<String>> {
        let Some(taken) = self.take(name) else { return Vec::new() };
        let Some(items) = taken.value.as_array() else {
            self.note(taken.line, name, "a list of texts such as [\"A\", \"B\"]", kind(taken.value));
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str() {
                Some(text) => found.push(taken.with(text.to_owned())),
                None => self.note(taken.line, name, "a list of texts", format!("{} in it", kind(item.get_ref()))),
            }
        }
        found
    }

    /// A table; whoever takes it must [`Fields::finish`] it.
    pub fn table(&mut self, name: &'static str) -> Option<Fields<'r, 't, 'd>> {
        let header = format!("a table [{}]", self.field(name));
        let table = self.typed(name, &header, DeValue::as_table)?;
        Some(Fields::new(self.report, table.value, table.line, table.field))
    }

    /// A list of tables; each must be finished.
    pub fn tables(&mut self, name: &'static str) -> Vec<Fields<'r, 't, 'd>> {
        let header = format!("tables [[{}]]", self.field(name));
        let Some(items) = self.typed(name, &header, DeValue::as_array) else { return Vec::new() };
        let mut found = Vec::new();
        for (at, item) in items.value.iter().enumerate() {
            let line = self.report.line(start(item.span()));
            match item.get_ref().as_table() {
                Some(table) => {
                    found.push(Fields::new(self.report, table, line, format!("{}[{}]", items.field, at + 1)))
                }
                None => self.note(line, name, &header, kind(item.get_ref())),
            }
        }
        found
    }

    /// Notes that a needed field is not there, unless something was already said about it.
    pub fn missing(&self, name: &str, expected: &str) {
        if !self.report.has(&self.field(name)) {
            self.note(self.line, name, expected, "none");
        }
    }

    /// Everything that was not asked for is unknown.
    pub fn finish(mut self) {
        self.known.sort_unstable();
        self.known.dedup();
        let known = self.known.join(", ");
        for (name, line, _) in &self.left {
            let hint = nearest(name, self.known.iter().copied());
            let hint = hint.map_or(String::new(), |known| format!("; did you mean {known}?"));
            self.note(*line, name, format!("one of the fields {known}"), format!("an unknown field{hint}"));
        }
    }
}

/// The known word that somebody most likely meant.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // A word that differs in more than every third letter is another one.
    let most = (word.chars().count() / 3).min(3);
    let distance = |known: &str| strsim::osa_distance(&word.to_lowercase(), &known.to_lowercase());
    let near = known.map(|known| (distance(known), known)).filter(|(distance, _)| *distance <= most);
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The type of a value, as people call it. Never the value.
pub fn kind(value: &DeValue<'_>) -> String {
    match value.type_str() {
        "string" => "a text",
        "integer" => "a whole number",
        "float" => "a number with a fraction",
        "boolean" => "true or false",
        "datetime" => "a date or time",
        "array" => "a list",
        "table" => "a table",
        other => other,
    }
    .to_owned()
}
