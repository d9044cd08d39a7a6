// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The strict reader of the documented XML.

use roxmltree::{Document, Node as XmlNode};

use crate::condition::{Comparison, Expression, VariableOperator};
use crate::limits::{self, Limit};
use crate::model::check_environment;
use crate::{
    Condition, Group, Node, Problem, RunIn, SequenceError, SequenceVersion, Step, StepKind, TaskSequence, Variable,
};

impl TaskSequence {
    /// Reads `<sequence version="3.00|3.10">`. Everything that is wrong is reported at once, with line and column.
    pub fn from_xml(text: &str) -> Result<Self, SequenceError> {
        if text.len() > limits::MAX_XML_BYTES {
            return Err(SequenceError::TooLarge { found_bytes: text.len() });
        }
        // Exports begin with a byte order mark.
        let document = Document::parse(text.trim_start_matches('\u{feff}')).map_err(SequenceError::Xml)?;
        let mut reader = Reader { document: &document, problems: Vec::new() };
        let sequence = reader.sequence(document.root_element());
        let mut problems = reader.problems;
        match sequence {
            Some(sequence) if problems.is_empty() => {
                if let Err(limit) = check_environment(sequence.environment_bytes()) {
                    problems.push(problem("sequence", "variables", limit));
                    return Err(SequenceError::Problems { problems });
                }
                Ok(sequence)
            }
            _ => Err(SequenceError::Problems { problems }),
        }
    }
}

fn problem(place: &str, what: &str, limit: Limit) -> Problem {
    Problem { place: place.to_owned(), what: what.to_owned(), expected: limit.expected, found: limit.found }
}

struct Reader<'d, 'i> {
    document: &'d Document<'i>,
    problems: Vec<Problem>,
}

type Xml<'d, 'i> = XmlNode<'d, 'i>;

impl<'d, 'i> Reader<'d, 'i> {
    fn note(&mut self, byte: usize, what: &str, expected: impl Into<String>, found: impl Into<String>) {
        let place = self.document.text_pos_at(byte).to_string();
        let (expected, found) = (expected.into(), found.into());
        self.problems.push(Problem { place, what: what.to_owned(), expected, found });
    }

    fn check(&mut self, byte: usize, what: &str, result: Result<(), Limit>) {
        if let Err(Limit { expected, found }) = result {
            self.note(byte, what, expected, found);
        }
    }

    /// Refuses attributes other than `allowed`.
    fn attributes(&mut self, node: Xml<'d, 'i>, allowed: &[&str]) {
        for attribute in node.attributes() {
            if attribute.namespace().is_some() || !allowed.contains(&attribute.name()) {
                let what = format!("attribute {} of <{}>", attribute.name(), node.tag_name().name());
                self.note(attribute.range().start, &what, format!("one of {}", allowed.join(", ")), "an unknown one");
            }
        }
    }

    /// Child elements; text between them is refused.
    fn children(&mut self, node: Xml<'d, 'i>) -> Vec<Xml<'d, 'i>> {
        let mut found = Vec::new();
        for child in node.children() {
            if child.is_element() {
                found.push(child);
            } else if child.is_text() && child.text().is_some_and(|text| !text.trim().is_empty()) {
                let what = format!("<{}>", node.tag_name().name());
                self.note(child.range().start, &what, "only elements", "text");
            }
        }
        found
    }

    fn unknown_child(&mut self, parent: Xml<'d, 'i>, child: Xml<'d, 'i>, allowed: &str) {
        let what = format!("<{}>", parent.tag_name().name());
        let found = format!("<{}>", child.tag_name().name());
        self.note(child.range().start, &what, allowed, found);
    }

    fn twice(&mut self, child: Xml<'d, 'i>, seen: bool) {
        if seen {
            let what = format!("<{}>", child.tag_name().name());
            self.note(child.range().start, &what, "one", "a second one");
        }
    }

    /// Text of an element that has no elements. What is only white space counts as none.
    fn text(&mut self, node: Xml<'d, 'i>) -> String {
        let mut text = String::new();
        for child in node.children() {
            if child.is_element() {
                self.unknown_child(node, child, "text");
            } else if child.is_text() {
                text.push_str(child.text().unwrap_or_default());
            }
        }
        if text.trim().is_empty() { String::new() } else { text }
    }

    fn flag(&mut self, node: Xml<'d, 'i>, name: &str) -> bool {
        match node.attribute(name) {
            None | Some("false" | "") => false,
            Some("true") => true,
            Some(other) => {
                self.attribute_problem(node, name, "true or false", &format!("{other:?}"));
                false
            }
        }
    }

    fn attribute_problem(&mut self, node: Xml<'d, 'i>, name: &str, expected: &str, found: &str) {
        let byte = node.attribute_node(name).map_or(node.range().start, |attribute| attribute.range().start);
        self.note(byte, &format!("attribute {name} of <{}>", node.tag_name().name()), expected, found);
    }

    fn number(&mut self, node: Xml<'d, 'i>, name: &str) -> Option<u32> {
        let text = node.attribute(name).unwrap_or_default();
        if text.is_empty() {
            return None;
        }
        let number = text.parse().ok();
        if number.is_none() {
            self.attribute_problem(node, name, "a whole number", &format!("{text:?}"));
        }
        number
    }

    fn sequence(&mut self, root: Xml<'d, 'i>) -> Option<TaskSequence> {
        if root.tag_name().name() != "sequence" {
            let found = format!("<{}>", root.tag_name().name());
            self.note(root.range().start, "root element", "<sequence version=\"3.00\"> or \"3.10\"", found);
            return None;
        }
        self.attributes(root, &["version", "name", "description"]);
        let version = match root.attribute("version") {
            Some("3.00") => SequenceVersion::V3_00,
            Some("3.10") => SequenceVersion::V3_10,
            other => {
                let found = other.map_or("none".to_owned(), |text| format!("{text:?}"));
                self.attribute_problem(root, "version", "3.00 or 3.10", &found);
                SequenceVersion::V3_10
            }
        };
        let start = root.range().start;
        let name = root.attribute("name").unwrap_or_default().to_owned();
        let description = root.attribute("description").unwrap_or_default().to_owned();
        if !name.is_empty() {
            self.check(start, "name of <sequence>", limits::name(&name));
        }
        self.check(start, "description of <sequence>", limits::description(&description));
        let mut global_variables = Vec::new();
        let mut nodes = Vec::new();
        let mut seen = false;
        for child in self.children(root) {
            match child.tag_name().name() {
                "globalVarList" => {
                    self.twice(child, seen);
                    seen = true;
                    global_variables = self.variables(child);
                }
                "group" => nodes.extend(self.group(child, 1).map(Node::Group)),
                "step" => nodes.extend(self.step(child).map(Node::Step)),
                _ => self.unknown_child(root, child, "<globalVarList>, <group> or <step>"),
            }
        }
        Some(TaskSequence { version, name, description, global_variables, nodes })
    }

    fn named(&mut self, node: Xml<'d, 'i>) -> (String, String) {
        let element = node.tag_name().name();
        let name = node.attribute("name").unwrap_or_default().to_owned();
        let description = node.attribute("description").unwrap_or_default().to_owned();
        self.check(node.range().start, &format!("name of <{element}>"), limits::name(&name));
        let what = format!("description of <{element}> {name:?}");
        self.check(node.range().start, &what, limits::description(&description));
        (name, description)
    }

    fn group(&mut self, node: Xml<'d, 'i>, depth: usize) -> Option<Group> {
        self.attributes(node, &["name", "description", "disable", "continueOnError", "expand"]);
        let (name, description) = self.named(node);
        if depth > limits::MAX_DEPTH {
            let expected = format!("at most {} levels of groups", limits::MAX_DEPTH);
            self.note(node.range().start, "<group>", expected, depth.to_string());
            return None;
        }
        // How the editor shows it; nothing to keep.
        self.flag(node, "expand");
        let (mut nodes, mut condition) = (Vec::new(), None);
        for child in self.children(node) {
            match child.tag_name().name() {
                "group" => nodes.extend(self.group(child, depth + 1).map(Node::Group)),
                "step" => nodes.extend(self.step(child).map(Node::Step)),
                "condition" => {
                    self.twice(child, condition.is_some());
                    condition = self.condition(child);
                }
                // Some editors write an empty one in every group.
                "action" if self.text(child).is_empty() => {}
                _ => self.unknown_child(node, child, "<condition>, <group> or <step>"),
            }
        }
        let (disabled, continue_on_error) = (self.flag(node, "disable"), self.flag(node, "continueOnError"));
        Some(Group { name, description, disabled, continue_on_error, condition, nodes })
    }

    fn step(&mut self, node: Xml<'d, 'i>) -> Option<Step> {
        const ATTRIBUTES: [&str; 11] = [
            "type",
            "name",
            "description",
            "disable",
            "continueOnError",
            "runIn",
            "successCodeList",
            "startIn",
            "retryCount",
            "timeout",
            "runFromNet",
        ];
        self.attributes(node, &ATTRIBUTES);
        let (name, description) = self.named(node);
        let type_name = node.attribute("type").unwrap_or_default();
        let kind = StepKind::from_type_name(type_name);
        if kind.is_none() {
            let expected = "a step type of Configuration Manager such as SMS_TaskSequence_RunCommandLineAction";
            self.attribute_problem(node, "type", expected, &format!("{type_name:?} (step {name:?})"));
        }
        let run_in = match node.attribute("runIn") {
            None | Some("" | "WinPEandFullOS") => RunIn::Both,
            Some("WinPE") => RunIn::WinPE,
            Some("FullOS") => RunIn::FullOS,
            Some(other) => {
                self.attribute_problem(node, "runIn", "WinPE, FullOS or WinPEandFullOS", &format!("{other:?}"));
                RunIn::Both
            }
        };
        let mut step = Step {
            kind: kind.unwrap_or(StepKind::RunCommandLine),
            name,
            description,
            disabled: self.flag(node, "disable"),
            continue_on_error: self.flag(node, "continueOnError"),
            run_in,
            success_codes: self.success_codes(node),
            start_in: node.attribute("startIn").unwrap_or_default().to_owned(),
            retry_count: self.number(node, "retryCount").unwrap_or(0),
            timeout_s: self.number(node, "timeout").filter(|&seconds| seconds > 0),
            run_from_net: self.flag(node, "runFromNet"),
            action: String::new(),
            variables: Vec::new(),
            condition: None,
        };
        let (mut seen_action, mut seen_variables) = (false, false);
        for child in self.children(node) {
            match child.tag_name().name() {
                "action" => {
                    self.twice(child, seen_action);
                    seen_action = true;
                    step.action = self.text(child);
                    self.check(child.range().start, "<action>", limits::action(&step.action));
                }
                "defaultVarList" => {
                    self.twice(child, seen_variables);
                    seen_variables = true;
                    step.variables = self.variables(child);
                }
                "condition" => {
                    self.twice(child, step.condition.is_some());
                    step.condition = self.condition(child);
                }
                _ => self.unknown_child(node, child, "<action>, <defaultVarList> or <condition>"),
            }
        }
        for (what, Limit { expected, found }) in step.check() {
            self.attribute_problem(node, what, &expected, &found);
        }
        kind.map(|_| step)
    }

    fn success_codes(&mut self, node: Xml<'d, 'i>) -> Vec<i64> {
        let text = node.attribute("successCodeList").unwrap_or_default();
        let mut codes = Vec::new();
        for word in text.split_whitespace() {
            // Exit codes are 32 bits, written signed or unsigned.
            match word.parse::<i64>() {
                Ok(code) if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&code) => codes.push(code),
                _ => self.attribute_problem(
                    node,
                    "successCodeList",
                    "exit codes with spaces between, such as \"0 3010\"",
                    &format!("{word:?}"),
                ),
            }
        }
        codes
    }

    fn variables(&mut self, list: Xml<'d, 'i>) -> Vec<Variable> {
        self.attributes(list, &[]);
        let mut found: Vec<Variable> = Vec::new();
        for child in self.children(list) {
            if child.tag_name().name() != "variable" {
                self.unknown_child(list, child, "<variable>");
                continue;
            }
            self.attributes(child, &["name", "property", "hidden"]);
            let property = child.attribute("property").filter(|text| !text.is_empty()).map(str::to_owned);
            let hidden = self.flag(child, "hidden");
            let name = child.attribute("name").unwrap_or_default().to_owned();
            let variable = Variable { name, property, hidden, value: self.text(child) };
            self.check(child.range().start, &format!("<variable> {:?}", variable.name), variable.check());
            if found.iter().any(|other| other.name.eq_ignore_ascii_case(&variable.name)) {
                let what = format!("<variable> {:?}", variable.name);
                self.note(child.range().start, &what, "each name once (case does not count)", "a second one");
            }
            found.push(variable);
        }
        found
    }

    fn condition(&mut self, node: Xml<'d, 'i>) -> Option<Condition> {
        self.attributes(node, &[]);
        let mut parts = self.operands(node, 1);
        if parts.len() == 1 { parts.pop() } else { Some(Condition::All(parts)) }
    }

    fn operands(&mut self, node: Xml<'d, 'i>, depth: usize) -> Vec<Condition> {
        if depth > limits::MAX_DEPTH {
            let expected = format!("at most {} levels of operators", limits::MAX_DEPTH);
            self.note(node.range().start, "<operator>", expected, depth.to_string());
            return Vec::new();
        }
        let mut found = Vec::new();
        let children = self.children(node);
        if children.is_empty() {
            let what = format!("<{}>", node.tag_name().name());
            self.note(node.range().start, &what, "<operator> or <expression>", "nothing");
        }
        for child in children {
            match child.tag_name().name() {
                "operator" => {
                    self.attributes(child, &["type"]);
                    let parts = self.operands(child, depth + 1);
                    match child.attribute("type") {
                        Some("and") => found.push(Condition::All(parts)),
                        Some("or") => found.push(Condition::Any(parts)),
                        Some("not") => found.push(Condition::None(parts)),
                        other => {
                            let found = other.map_or("none".to_owned(), |text| format!("{text:?}"));
                            self.attribute_problem(child, "type", "and, or or not", &found);
                        }
                    }
                }
                "expression" => found.extend(self.expression(child).map(Condition::If)),
                _ => self.unknown_child(node, child, "<operator> or <expression>"),
            }
        }
        found
    }

    fn expression(&mut self, node: Xml<'d, 'i>) -> Option<Expression> {
        self.attributes(node, &["type"]);
        let type_name = node.attribute("type").unwrap_or_default();
        let short = type_name
            .strip_prefix("SMS_TaskSequence_")
            .and_then(|rest| rest.strip_suffix("ConditionExpression"))
            .unwrap_or_default();
        let mut fields = Fields { reader: self, node, values: Vec::new() };
        fields.read();
        let expression = match short {
            "Variable" => {
                let operator = fields.operator();
                let variable = fields.required("Variable");
                let byte = node.range().start;
                fields.reader.check(byte, "Variable of <expression>", limits::any_variable_name(&variable));
                Expression::Variable { variable, operator: operator?, value: fields.take("Value") }
            }
            "WMI" => Expression::Wmi { namespace: fields.take("Namespace"), query: fields.required("Query") },
            "File" => Expression::File {
                path: fields.required("Path"),
                version: fields.comparison("Version"),
                date_time: fields.comparison("DateTime"),
            },
            "Folder" => Expression::Folder { path: fields.required("Path"), date_time: fields.comparison("DateTime") },
            "Registry" => Expression::Registry {
                key_path: fields.required("KeyPath"),
                value: fields.take("Value"),
                value_type: fields.take("Type"),
                operator: fields.required("Operator"),
                data: fields.take("Data"),
            },
            "Software" => Expression::Software {
                operator: fields.take("Operator"),
                product_code: fields.required("ProductCode"),
                upgrade_code: fields.take("UpgradeCode"),
                product_name: fields.take("ProductName"),
                version: fields.take("Version"),
            },
            _ => {
                let expected = "SMS_TaskSequence_<X>ConditionExpression with X one of Variable, WMI, File, Folder, \
                                Registry, Software";
                self.attribute_problem(node, "type", expected, &format!("{type_name:?}"));
                return None;
            }
        };
        fields.finish();
        Some(expression)
    }
}

/// The `<variable name="...">` elements inside an expression.
struct Fields<'r, 'd, 'i> {
    reader: &'r mut Reader<'d, 'i>,
    node: Xml<'d, 'i>,
    values: Vec<(String, String, usize)>,
}

impl Fields<'_, '_, '_> {
    fn read(&mut self) {
        for child in self.reader.children(self.node) {
            if child.tag_name().name() != "variable" {
                self.reader.unknown_child(self.node, child, "<variable>");
                continue;
            }
            self.reader.attributes(child, &["name"]);
            let name = child.attribute("name").unwrap_or_default().to_owned();
            let value = self.reader.text(child);
            if self.values.iter().any(|(other, _, _)| *other == name) {
                self.reader.note(child.range().start, &format!("{name} of <expression>"), "one", "a second one");
            } else {
                self.values.push((name, value, child.range().start));
            }
        }
    }

    fn take(&mut self, name: &str) -> String {
        let at = self.values.iter().position(|(other, _, _)| other == name);
        at.map(|at| self.values.swap_remove(at).1).unwrap_or_default()
    }

    fn required(&mut self, name: &str) -> String {
        let value = self.take(name);
        if value.is_empty() {
            self.reader.note(self.node.range().start, &format!("{name} of <expression>"), "a value", "none");
        }
        value
    }

    fn operator(&mut self) -> Option<VariableOperator> {
        let word = self.take("Operator");
        let operator = VariableOperator::ALL.iter().find(|(known, _)| *known == word).map(|(_, operator)| *operator);
        if operator.is_none() {
            let words: Vec<_> = VariableOperator::ALL.iter().map(|(word, _)| *word).collect();
            let expected = format!("one of {}", words.join(", "));
            self.reader.note(self.node.range().start, "Operator of <expression>", expected, format!("{word:?}"));
        }
        operator
    }

    fn comparison(&mut self, name: &str) -> Option<Comparison> {
        let (value, operator) = (self.take(name), self.take(&format!("{name}Operator")));
        (!value.is_empty()).then_some(Comparison { operator, value })
    }

    fn finish(self) {
        for (name, _, byte) in self.values {
            self.reader.note(byte, "<expression>", "the fields of its type", format!("{name:?}"));
        }
    }
}
