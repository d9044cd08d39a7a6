// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From the model to the XML it was read from, for those who go on with Configuration Manager.

use std::fmt::Write as _;

use crate::condition::{Comparison, Condition, Expression};
use crate::{Group, Node, RunIn, SequenceVersion, Step, StepKind, TaskSequence, Variable};

impl TaskSequence {
    /// Writes `<sequence>`, which the reader of XML takes as the same sequence. What XML can't hold (control characters
    /// but tab and the ends of lines) is left out.
    pub fn to_xml(&self) -> String {
        let mut xml = Xml { text: String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"), level: 0 };
        let version = match self.version {
            SequenceVersion::V3_00 => "3.00",
            SequenceVersion::V3_10 => "3.10",
        };
        let attributes = [("version", version), ("name", &*self.name), ("description", &*self.description)];
        xml.element("sequence", &attributes, |xml| {
            if !self.listed_contents.is_empty() {
                xml.element("referenceList", &[], |xml| {
                    for content in &self.listed_contents {
                        xml.leaf("reference", &[("package", &*content.package), ("program", &*content.program)], "");
                    }
                });
            }
            xml.variables("globalVarList", &self.global_variables);
            xml.nodes(&self.nodes);
        });
        xml.text
    }
}

struct Xml {
    text: String,
    level: usize,
}

/// Texts and attributes; what their reader would take for the end of a line is written by its number.
fn escaped(text: &str, in_attribute: bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' if in_attribute => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\n' | '\t' => out.push(c),
            '\0'..'\x20' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

impl Xml {
    fn begin(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let _ = write!(self.text, "{}<{name}", "  ".repeat(self.level));
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(self.text, " {name}=\"{}\"", escaped(value, true));
        }
    }

    fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.begin(name, attributes);
        let end = match text {
            "" => "/>\n".to_owned(),
            text => format!(">{}</{name}>\n", escaped(text, false)),
        };
        self.text.push_str(&end);
    }

    fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.begin(name, attributes);
        self.text.push_str(">\n");
        self.level += 1;
        inside(self);
        self.level -= 1;
        let _ = writeln!(self.text, "{}</{name}>", "  ".repeat(self.level));
    }

    fn variables(&mut self, name: &str, variables: &[Variable]) {
        if variables.is_empty() {
            return;
        }
        self.element(name, &[], |xml| {
            for Variable { name, property, hidden, value } in variables {
                let hidden = if *hidden { "true" } else { "" };
                let property = property.as_deref().unwrap_or_default();
                xml.leaf("variable", &[("name", name), ("property", property), ("hidden", hidden)], value);
            }
        });
    }

    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Group(group) => self.group(group),
                Node::Step(step) => self.step(step),
            }
        }
    }

    fn group(&mut self, group: &Group) {
        let attributes = [
            ("name", &*group.name),
            ("description", &*group.description),
            ("disable", word(group.disabled)),
            ("continueOnError", word(group.continue_on_error)),
        ];
        self.element("group", &attributes, |xml| {
            xml.condition(group.condition.as_ref());
            xml.nodes(&group.nodes);
        });
    }

    fn step(&mut self, step: &Step) {
        let element = if step.kind == StepKind::RunTaskSequence { "subtasksequence" } else { "step" };
        let type_name = if step.kind == StepKind::Unknown { &*step.type_name } else { step.kind.type_name() };
        let run_in = match step.run_in {
            RunIn::WinPE => "WinPE",
            RunIn::FullOS => "FullOS",
            RunIn::Both => "",
        };
        let codes: Vec<String> = step.success_codes.iter().map(ToString::to_string).collect();
        let (codes, retries) = (codes.join(" "), step.retry_count.to_string());
        let timeout = step.timeout_s.map(|seconds| seconds.to_string()).unwrap_or_default();
        let attributes = [
            ("type", type_name),
            ("name", &*step.name),
            ("description", &*step.description),
            ("disable", word(step.disabled)),
            ("continueOnError", word(step.continue_on_error)),
            ("runIn", run_in),
            ("successCodeList", &*codes),
            ("startIn", &*step.start_in),
            ("retryCount", if step.retry_count == 0 { "" } else { &*retries }),
            ("timeout", &*timeout),
            ("runFromNet", word(step.run_from_net)),
        ];
        self.element(element, &attributes, |xml| {
            if !step.action.is_empty() {
                xml.leaf("action", &[], &step.action);
            }
            xml.variables("defaultVarList", &step.variables);
            xml.condition(step.condition.as_deref());
        });
    }

    fn condition(&mut self, condition: Option<&Condition>) {
        if let Some(condition) = condition {
            self.element("condition", &[], |xml| xml.part(condition));
        }
    }

    fn part(&mut self, condition: &Condition) {
        let (word, parts) = match condition {
            Condition::All(parts) => ("and", parts),
            Condition::Any(parts) => ("or", parts),
            Condition::None(parts) => ("not", parts),
            Condition::If(expression) => return self.expression(expression),
        };
        self.element("operator", &[("type", word)], |xml| parts.iter().for_each(|part| xml.part(part)));
    }

    fn expression(&mut self, expression: &Expression) {
        let compared = |name: &str, comparison: &Option<Comparison>| match comparison {
            None => Vec::new(),
            Some(Comparison { operator, value }) => {
                vec![(name.to_owned(), value.clone()), (format!("{name}Operator"), operator.clone())]
            }
        };
        let named = |fields: &[(&str, &str)]| {
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let (short, fields) = match expression {
            Expression::Variable { variable, operator, value } => {
                ("Variable", named(&[("Variable", variable), ("Operator", operator.word()), ("Value", value)]))
            }
            Expression::Wmi { namespace, query } => ("WMI", named(&[("Namespace", namespace), ("Query", query)])),
            Expression::File { path, version, date_time } => {
                let mut fields = named(&[("Path", path)]);
                fields.extend(compared("Version", version));
                fields.extend(compared("DateTime", date_time));
                ("File", fields)
            }
            Expression::Folder { path, date_time } => {
                let mut fields = named(&[("Path", path)]);
                fields.extend(compared("DateTime", date_time));
                ("Folder", fields)
            }
            Expression::Registry { key_path, value, value_type, operator, data } => {
                let fields = [
                    ("KeyPath", &**key_path),
                    ("Value", value),
                    ("Type", value_type),
                    ("Operator", operator),
                    ("Data", data),
                ];
                ("Registry", named(&fields))
            }
            Expression::Software { operator, product_code, upgrade_code, product_name, version } => {
                let fields = [
                    ("Operator", &**operator),
                    ("ProductCode", product_code),
                    ("UpgradeCode", upgrade_code),
                    ("ProductName", product_name),
                    ("Version", version),
                ];
                ("Software", named(&fields))
            }
            Expression::OperatingSystem { architecture, version, operator } => {
                let fields = [("Architecture", &**architecture), ("Version", version), ("Operator", operator)];
                ("OS", named(&fields))
            }
            Expression::MakeModel { make, model } => ("MakeModel", named(&[("Make", make), ("Model", model)])),
            Expression::Other { type_name, fields } => return self.fields(type_name, fields),
        };
        self.fields(&format!("SMS_TaskSequence_{short}ConditionExpression"), &fields);
    }

    fn fields(&mut self, type_name: &str, fields: &[(String, String)]) {
        self.element("expression", &[("type", type_name)], |xml| {
            for (name, value) in fields {
                xml.leaf("variable", &[("name", name)], value);
            }
        });
    }
}

/// An attribute that is left out when it is false.
fn word(flag: bool) -> &'static str {
    if flag { "true" } else { "" }
}
