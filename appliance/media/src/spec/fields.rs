// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Taking fields out of TOML tables one by one, so that every problem is found in one go.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SpecProblem;

/// The text and the problems found so far.
pub(super) struct Report<'t> {
    text: &'t str,
    problems: RefCell<Vec<SpecProblem>>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::new(Vec::new()) }
    }

    pub(super) fn line(&self, byte: usize) -> usize {
        self.text.as_bytes()[..byte.min(self.text.len())].iter().filter(|&&b| b == b'\n').count() + 1
    }

    pub(super) fn note(&self, line: usize, field: &str, expected: impl Into<String>, found: impl Into<String>) {
        let (expected, found) = (expected.into(), found.into());
        self.problems.borrow_mut().push(SpecProblem { line, field: field.to_owned(), expected, found });
    }

    /// Whether something was already said about a field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.field == field)
    }

    /// In the order of the lines.
    pub(super) fn into_problems(self) -> Vec<SpecProblem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) line: usize,
    pub(super) field: String,
}

impl<T> Located<T> {
    pub(super) fn with<U>(&self, value: U) -> Located<U> {
        Located { value, line: self.line, field: self.field.clone() }
    }
}

/// One table, whose fields are taken out.
pub(super) struct Fields<'r, 't, 'd> {
    report: &'r Report<'t>,
    /// Of the table itself.
    pub(super) line: usize,
    prefix: String,
    left: Vec<(String, usize, &'d Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
}

fn start(span: Range<usize>) -> usize {
    span.start
}

impl<'r, 't, 'd> Fields<'r, 't, 'd> {
    pub(super) fn new(report: &'r Report<'t>, table: &'d DeTable<'d>, line: usize, prefix: String) -> Self {
        let left = table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), report.line(start(key.span())), value))
            .collect();
        Self { report, line, prefix, left, known: Vec::new() }
    }

    fn field(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    pub(super) fn note(&self, line: usize, name: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.report.note(line, &self.field(name), expected, found);
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Located<&'d DeValue<'d>>> {
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

    pub(super) fn text(&mut self, name: &'static str) -> Option<Located<String>> {
        self.typed(name, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<Located<bool>> {
        self.typed(name, "true or false", DeValue::as_bool)
    }

    /// A whole number from 1 to 2^32 - 1.
    pub(super) fn number(&mut self, name: &'static str) -> Option<Located<u32>> {
        let taken = self.take(name)?;
        let integer = taken.value.as_integer();
        let number = integer.and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        match number {
            Some(number) if number >= 1 => Some(taken.with(number)),
            _ => {
                let found = integer.map_or_else(|| kind(taken.value), |integer| integer.to_string());
                self.note(taken.line, name, "a whole number from 1 to 4294967295", found);
                None
            }
        }
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Vec<Located<String>> {
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

    pub(super) fn table(&mut self, name: &'static str) -> Option<Fields<'r, 't, 'd>> {
        let header = format!("a table [{}]", self.field(name));
        let table = self.typed(name, &header, DeValue::as_table)?;
        Some(Fields::new(self.report, table.value, table.line, table.field))
    }

    pub(super) fn tables(&mut self, name: &'static str) -> Vec<Fields<'r, 't, 'd>> {
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
    pub(super) fn missing(&self, name: &str, expected: &str) {
        if !self.report.has(&self.field(name)) {
            self.note(self.line, name, expected, "none");
        }
    }

    /// Everything that was not asked for is unknown.
    pub(super) fn finish(mut self) {
        self.known.sort_unstable();
        self.known.dedup();
        let known = self.known.join(", ");
        for (name, line, _) in &self.left {
            self.note(*line, name, format!("one of the fields {known}"), "an unknown field");
        }
    }
}

/// The type of a value, as people call it. Never the value.
pub(super) fn kind(value: &DeValue<'_>) -> String {
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
