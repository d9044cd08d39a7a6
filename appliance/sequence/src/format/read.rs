// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From TOML to the model. Strict, and everything that is wrong is reported at once.

use std::cell::{Cell, RefCell};

use platen_media::fields::{self, Fields, Located};

use super::{MAX_TOML_BYTES, NODES, SCHEMA};
use crate::limits::{self, Limit};
use crate::model::{ListedContent, check_environment};
use crate::{Group, Node, Problem, RunIn, SequenceError, SequenceVersion, Step, StepKind, TaskSequence, Variable};

impl TaskSequence {
    /// Reads Platen's own form. `file` gives the text of a file beside it, by its relative path, or says why there is
    /// none.
    pub fn from_toml(text: &str, file: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Self, SequenceError> {
        if text.len() > MAX_TOML_BYTES {
            return Err(SequenceError::TooLarge { found_bytes: text.len() });
        }
        let found =
            fields::read(text, |_, top| Some(Reader { file: RefCell::new(file), count: Cell::new(0) }.sequence(top)));
        let sequence = found.map_err(|problems| SequenceError::Problems {
            problems: problems
                .into_iter()
                .map(|problem| Problem {
                    place: format!("line {}", problem.line),
                    what: problem.field,
                    expected: problem.expected,
                    found: problem.found,
                    path: String::new(),
                })
                .collect(),
        })?;
        match check_environment(sequence.environment_bytes()) {
            Ok(()) => Ok(sequence),
            Err(Limit { expected, found }) => {
                let (place, what) = ("sequence".to_owned(), "variables".to_owned());
                let problems = vec![Problem { place, what, expected, found, path: String::new() }];
                Err(SequenceError::Problems { problems })
            }
        }
    }
}

/// Gives the text of a file.
type File<'f> = &'f mut dyn FnMut(&str) -> Result<String, String>;

struct Reader<'f> {
    file: RefCell<File<'f>>,
    /// Groups and steps so far.
    count: Cell<usize>,
}

fn check(of: &Fields<'_, '_, '_>, name: &str, line: usize, result: Result<(), Limit>) {
    if let Err(Limit { expected, found }) = result {
        of.note(line, name, expected, found);
    }
}

/// A text within its limit; empty when there is none.
pub(super) fn text(of: &mut Fields<'_, '_, '_>, name: &'static str, limit: fn(&str) -> Result<(), Limit>) -> String {
    let Some(found) = of.text(name) else { return String::new() };
    check(of, name, found.line, limit(&found.value));
    found.value
}

/// A text that must be there.
pub(super) fn needed(of: &mut Fields<'_, '_, '_>, name: &'static str, limit: fn(&str) -> Result<(), Limit>) -> String {
    let found = text(of, name, limit);
    if found.is_empty() {
        of.missing(name, "a text");
    }
    found
}

pub(super) fn anything(_: &str) -> Result<(), Limit> {
    Ok(())
}

fn flag(of: &mut Fields<'_, '_, '_>, name: &'static str) -> bool {
    of.flag(name).is_some_and(|flag| flag.value)
}

impl Reader<'_> {
    fn sequence(&self, mut top: Fields<'_, '_, '_>) -> TaskSequence {
        if top.has("schema") {
            top.number_within("schema", SCHEMA..=SCHEMA, ", the number of the format,");
        } else {
            top.take("schema");
            top.missing("schema", &format!("{SCHEMA}, the number of the format"));
        }
        let version = match top.text("xml-version") {
            None => SequenceVersion::V3_10,
            Some(text) if text.value == "3.10" => SequenceVersion::V3_10,
            Some(text) if text.value == "3.00" => SequenceVersion::V3_00,
            Some(text) => {
                top.note(text.line, "xml-version", "\"3.10\" or \"3.00\"", format!("{:?}", text.value));
                SequenceVersion::V3_10
            }
        };
        let name = text(&mut top, "name", |text| if text.is_empty() { Ok(()) } else { limits::name(text) });
        let description = text(&mut top, "description", limits::description);
        let mut listed_contents = Vec::new();
        for mut table in top.tables("contents") {
            let package = needed(&mut table, "package", anything);
            let program = text(&mut table, "program", anything);
            table.finish();
            listed_contents.push(ListedContent { package, program });
        }
        let global_variables = self.variables(&mut top);
        let nodes = self.nodes(&mut top, 1);
        top.finish();
        TaskSequence { version, name, description, listed_contents, global_variables, nodes }
    }

    fn nodes(&self, of: &mut Fields<'_, '_, '_>, depth: usize) -> Vec<Node> {
        let tables = of.tables(NODES);
        self.count.set(self.count.get() + tables.len());
        if self.count.get() > limits::MAX_NODES {
            let expected = format!("at most {} groups and steps", limits::MAX_NODES);
            of.note(of.line, NODES, expected, "more");
            return Vec::new();
        }
        tables.into_iter().map(|table| self.node(table, depth)).collect()
    }

    fn node(&self, mut table: Fields<'_, '_, '_>, depth: usize) -> Node {
        if table.has("group") {
            return Node::Group(self.group(table, depth));
        }
        if !table.has("step") {
            table.take("group");
            table.missing("step", "the name of a step, or group = with that of a group");
        }
        Node::Step(self.step(table))
    }

    fn group(&self, mut table: Fields<'_, '_, '_>, depth: usize) -> Group {
        let name = text(&mut table, "group", limits::name);
        let description = text(&mut table, "description", limits::description);
        let (disabled, continue_on_error) = (flag(&mut table, "disabled"), flag(&mut table, "continue-on-error"));
        let condition = super::condition::read(&mut table);
        let nodes = if depth >= limits::MAX_DEPTH && table.has(NODES) {
            let expected = format!("at most {} levels of groups", limits::MAX_DEPTH);
            table.note(table.line, NODES, expected, (depth + 1).to_string());
            table.take(NODES);
            Vec::new()
        } else {
            self.nodes(&mut table, depth + 1)
        };
        table.finish();
        Group { name, description, disabled, continue_on_error, condition, nodes }
    }

    fn step(&self, mut table: Fields<'_, '_, '_>) -> Step {
        let name = text(&mut table, "step", limits::name);
        let (kind, type_name) = kind(&mut table);
        let step = Step {
            kind,
            type_name,
            name,
            description: text(&mut table, "description", limits::description),
            disabled: flag(&mut table, "disabled"),
            continue_on_error: flag(&mut table, "continue-on-error"),
            run_in: run_in(&mut table),
            success_codes: success_codes(&mut table),
            start_in: text(&mut table, "start-in", anything),
            retry_count: table
                .number_within("retries", 0..=limits::MAX_RETRY_COUNT, "")
                .map_or(0, |number| number.value),
            timeout_s: table
                .number_within("timeout-s", 1..=limits::MAX_TIMEOUT_S, " of seconds")
                .map(|number| number.value),
            run_from_net: flag(&mut table, "run-from-net"),
            action: text(&mut table, "command", limits::action),
            variables: self.variables(&mut table),
            condition: super::condition::read(&mut table).map(Box::new),
        };
        if let Some((name, _)) = step.sets()
            && let Err(Limit { expected, found }) = limits::variable_name(name)
        {
            table.note(table.line, "variables (VariableName)", expected, found);
        }
        table.finish();
        step
    }

    fn variables(&self, of: &mut Fields<'_, '_, '_>) -> Vec<Variable> {
        let mut found: Vec<Variable> = Vec::new();
        let tables = of.tables("variables");
        if tables.len() > limits::MAX_VARIABLES {
            let expected = format!("at most {} variables", limits::MAX_VARIABLES);
            of.note(of.line, "variables", expected, tables.len().to_string());
            return found;
        }
        for mut table in tables {
            let property = text(&mut table, "property", anything);
            let property = Some(property).filter(|property| !property.is_empty());
            let own_name = table.text("name").map(|name| name.value);
            let has_own_name = own_name.is_some();
            let name = own_name.or_else(|| property.clone()).unwrap_or_default();
            if name.is_empty() {
                table.missing("name", "a variable's name");
            } else if found.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
                table.note(table.line, "name", "each name once (case does not count)", format!("a second {name:?}"));
            }
            let hidden = flag(&mut table, "hidden");
            let value = self.value(&mut table);
            let variable = Variable { name, property, hidden, value };
            let [of_name, of_value] = variable.checks();
            if !variable.name.is_empty() {
                check(&table, if has_own_name { "name" } else { "property" }, table.line, of_name);
            }
            check(&table, "value", table.line, of_value);
            table.finish();
            found.push(variable);
        }
        found
    }

    fn value(&self, table: &mut Fields<'_, '_, '_>) -> String {
        let (inline, file) = (table.text("value"), table.text("value-file"));
        match (inline, file) {
            (Some(inline), None) => inline.value,
            (None, Some(file)) => self.read(table, &file),
            (inline, _) => {
                let found = if inline.is_some() { "both" } else { "none" };
                table.note(table.line, "value", "exactly one of value, value-file", found);
                String::new()
            }
        }
    }

    fn read(&self, table: &Fields<'_, '_, '_>, path: &Located<String>) -> String {
        if !is_inside(&path.value) {
            let expected = "a path within the sequence's folder, with / between folders";
            table.note(path.line, "value-file", expected, format!("{:?}", path.value));
            return String::new();
        }
        (self.file.borrow_mut())(&path.value).unwrap_or_else(|reason| {
            table.note(path.line, "value-file", "a file of text", format!("{:?}: {reason}", path.value));
            String::new()
        })
    }
}

/// A path that leads nowhere else, on any system.
fn is_inside(path: &str) -> bool {
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(is_name) && !path.contains(['\\', ':', '\0'])
}

fn kind(table: &mut Fields<'_, '_, '_>) -> (StepKind, String) {
    let class = text(table, "class", anything);
    let Some(word) = table.text("type") else {
        table.missing("type", "what the step does, such as \"Run Command Line\"");
        return (StepKind::Unknown, class);
    };
    let Some(kind) = StepKind::from_label(&word.value) else {
        let near = fields::nearest(&word.value, StepKind::labels());
        let hint = near.map_or(String::new(), |label| format!("; did you mean {label:?}?"));
        table.note(word.line, "type", "a step's name in the editor", format!("{:?}{hint}", word.value));
        return (StepKind::Unknown, class);
    };
    if (kind == StepKind::Unknown) == class.is_empty() {
        let (expected, found) = match class.is_empty() {
            true => ("the type as its export has it, for a step of an unknown type", "none"),
            false => ("none, for this type is known", "one"),
        };
        table.note(table.line, "class", expected, found);
    }
    (kind, class)
}

fn run_in(table: &mut Fields<'_, '_, '_>) -> RunIn {
    match table.text("run-in") {
        None => RunIn::Both,
        Some(word) => match &*word.value {
            "WinPE" => RunIn::WinPE,
            "FullOS" => RunIn::FullOS,
            other => {
                table.note(word.line, "run-in", "\"WinPE\" or \"FullOS\"; without it, both", format!("{other:?}"));
                RunIn::Both
            }
        },
    }
}

fn success_codes(table: &mut Fields<'_, '_, '_>) -> Vec<i64> {
    const EXPECTED: &str = "a list of exit codes such as [0, 3010]";
    let Some(taken) = table.take("success-codes") else { return Vec::new() };
    let Some(items) = taken.value.as_array() else {
        table.note(taken.line, "success-codes", EXPECTED, fields::kind(taken.value));
        return Vec::new();
    };
    let mut codes = Vec::new();
    for item in items.iter().map(|item| item.get_ref()) {
        let number = item.as_integer().and_then(|it| i64::from_str_radix(it.as_str(), it.radix()).ok());
        match number.filter(|code| (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(code)) {
            Some(code) => codes.push(code),
            None => table.note(taken.line, "success-codes", EXPECTED, format!("{} in it", fields::kind(item))),
        }
    }
    codes
}
