// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From the model to TOML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{NODES, SCHEMA, Written};
use crate::{Group, Node, RunIn, SequenceVersion, Step, StepKind, TaskSequence, Variable};

/// From this many lines on a text is a file of its own, which editors know how to show.
const FILE_LINES: usize = 4;

impl TaskSequence {
    /// Writes Platen's own form, which [`TaskSequence::from_toml`] reads as the same sequence.
    pub fn to_toml(&self) -> Written {
        let mut writer = Writer { toml: String::new(), files: BTreeMap::new(), steps: 0 };
        writer.line(format_args!("schema = {SCHEMA}"));
        if self.version == SequenceVersion::V3_00 {
            writer.line(format_args!("xml-version = \"3.00\""));
        }
        writer.text("name", &self.name);
        writer.text("description", &self.description);
        let contents = self.listed_contents.iter().map(|content| {
            let program = match &*content.program {
                "" => String::new(),
                program => format!(", program = {}", quoted(program)),
            };
            format!("{{ package = {}{program} }}", quoted(&content.package))
        });
        writer.list("contents", contents.collect());
        writer.variables(&self.global_variables, &["sequence"]);
        writer.nodes(&self.nodes, NODES);
        Written { toml: writer.toml, files: writer.files }
    }
}

/// A text as TOML writes it, on one line.
pub(crate) fn quoted(text: &str) -> String {
    let plain = !text.contains(['\'', '\t']) && !text.chars().any(char::is_control);
    if plain && text.contains(['\\', '"']) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Writer {
    toml: String,
    files: BTreeMap<String, String>,
    /// How many steps were written, for names of files.
    steps: usize,
}

impl Writer {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.toml, "{line}");
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.line(format_args!("{name} = {}", quoted(text)));
        }
    }

    fn flag(&mut self, name: &str, flag: bool) {
        if flag {
            self.line(format_args!("{name} = true"));
        }
    }

    fn list(&mut self, name: &str, items: Vec<String>) {
        if !items.is_empty() {
            self.line(format_args!("{name} = ["));
            for item in items {
                self.line(format_args!("  {item},"));
            }
            self.line(format_args!("]"));
        }
    }

    fn nodes(&mut self, nodes: &[Node], header: &str) {
        for node in nodes {
            self.line(format_args!("\n[[{header}]]"));
            match node {
                Node::Group(group) => self.group(group, header),
                Node::Step(step) => self.step(step),
            }
        }
    }

    fn group(&mut self, group: &Group, header: &str) {
        self.line(format_args!("group = {}", quoted(&group.name)));
        self.text("description", &group.description);
        self.flag("disabled", group.disabled);
        self.flag("continue-on-error", group.continue_on_error);
        self.condition(group.condition.as_ref());
        self.nodes(&group.nodes, &format!("{header}.{NODES}"));
    }

    fn step(&mut self, step: &Step) {
        self.steps += 1;
        self.line(format_args!("step = {}", quoted(&step.name)));
        self.line(format_args!("type = {}", quoted(step.kind.label())));
        self.text("class", &step.type_name);
        self.text("description", &step.description);
        self.flag("disabled", step.disabled);
        self.flag("continue-on-error", step.continue_on_error);
        match step.run_in {
            RunIn::WinPE => self.text("run-in", "WinPE"),
            RunIn::FullOS => self.text("run-in", "FullOS"),
            RunIn::Both => {}
        }
        if !step.success_codes.is_empty() {
            self.line(format_args!("success-codes = {:?}", step.success_codes));
        }
        self.text("start-in", &step.start_in);
        if step.retry_count > 0 {
            self.line(format_args!("retries = {}", step.retry_count));
        }
        if let Some(seconds) = step.timeout_s {
            self.line(format_args!("timeout-s = {seconds}"));
        }
        self.flag("run-from-net", step.run_from_net);
        self.text("command", &step.action);
        self.variables(&step.variables, &[&format!("{:03}", self.steps), &step.name]);
        self.condition(step.condition.as_deref());
    }

    fn condition(&mut self, condition: Option<&crate::Condition>) {
        if let Some(condition) = condition {
            let written = super::condition::write(condition, 0);
            self.line(format_args!("condition = {written}"));
        }
    }

    fn variables(&mut self, variables: &[Variable], of: &[&str]) {
        let items = variables.iter().map(|variable| self.variable(variable, of)).collect();
        self.list("variables", items);
    }

    fn variable(&mut self, variable: &Variable, of: &[&str]) -> String {
        let mut fields = Vec::new();
        if let Some(property) = &variable.property {
            fields.push(format!("property = {}", quoted(property)));
        }
        if variable.property.as_ref() != Some(&variable.name) {
            fields.push(format!("name = {}", quoted(&variable.name)));
        }
        if variable.hidden {
            fields.push("hidden = true".to_owned());
        }
        if variable.value.lines().count() >= FILE_LINES {
            let path = self.file(variable, of);
            fields.push(format!("value-file = {}", quoted(&path)));
        } else {
            fields.push(format!("value = {}", quoted(&variable.value)));
        }
        format!("{{ {} }}", fields.join(", "))
    }
}

impl Writer {
    /// Puts a long text into a file whose name says what it is; its path.
    fn file(&mut self, variable: &Variable, of: &[&str]) -> String {
        let property = variable.property.as_deref().unwrap_or(&variable.name);
        let parts = of.iter().copied().chain([property]).map(slug).filter(|part| !part.is_empty());
        let stem = parts.collect::<Vec<_>>().join("-");
        let extension = extension(property, &variable.value);
        // Properties of one step may differ in what a file's name does not show.
        let names = (1..).map(|n| if n == 1 { String::new() } else { format!("-{n}") });
        let paths = names.map(|number| format!("scripts/{stem}{number}.{extension}"));
        let path = paths.into_iter().find(|path| !self.files.contains_key(path)).unwrap_or_default();
        self.files.insert(path.clone(), variable.value.clone());
        path
    }
}

/// A name that any file system takes.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().take(40) {
        match c.is_ascii_alphanumeric() {
            true => slug.push(c.to_ascii_lowercase()),
            false if !slug.ends_with('-') => slug.push('-'),
            false => {}
        }
    }
    slug.trim_matches('-').to_owned()
}

fn extension(property: &str, text: &str) -> &'static str {
    match property {
        _ if text.trim_start().starts_with('<') => "xml",
        "SourceScript" => "ps1",
        _ => "txt",
    }
}

impl StepKind {
    /// The kind of that name in the editor.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::everything().find(|kind| kind.label() == label)
    }

    /// All names in the editor.
    pub(super) fn labels() -> impl Iterator<Item = &'static str> {
        Self::everything().map(Self::label)
    }

    fn everything() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().chain([Self::Script, Self::Unknown])
    }
}
