// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Conditions.

use super::{Reader, Xml};
use crate::Condition;
use crate::condition::{Comparison, Expression, VariableOperator};
use crate::import::ChangeKind;
use crate::limits;

impl Reader<'_> {
    /// None when it holds always.
    pub(super) fn condition(&mut self, node: Xml<'_, '_>) -> Option<Condition> {
        self.attributes(node, &[]);
        let mut parts = self.operands(node, 1);
        if self.tolerant() && parts.is_empty() {
            return None;
        }
        if parts.len() == 1 { parts.pop() } else { Some(Condition::All(parts)) }
    }

    fn operands(&mut self, node: Xml<'_, '_>, depth: usize) -> Vec<Condition> {
        if depth > limits::MAX_DEPTH {
            let expected = format!("at most {} levels of operators", limits::MAX_DEPTH);
            self.note(node.range().start, "<operator>", expected, depth.to_string());
            return Vec::new();
        }
        let mut found = Vec::new();
        let children = self.children(node);
        if children.is_empty() {
            let what = format!("<{}>", node.tag_name().name());
            if self.tolerant() {
                // The editors leave one behind when its last expression is taken out; it keeps nothing from running.
                self.change(
                    node.range().start,
                    ChangeKind::Translated,
                    format!("empty {what} to one that is always true"),
                );
            } else {
                self.note(node.range().start, &what, "<operator> or <expression>", "nothing");
            }
        }
        for child in children {
            match child.tag_name().name() {
                // What the console writes when Windows versions are chosen from its list is an operator of its own name.
                "operator" | "osConditionGroup" => {
                    self.attributes(child, &["type"]);
                    let parts = self.operands(child, depth + 1);
                    match child.attribute("type") {
                        _ if parts.is_empty() && self.tolerant() => {}
                        Some("and") => found.push(Condition::All(parts)),
                        Some("or") => found.push(Condition::Any(parts)),
                        Some("not") => found.push(Condition::None(parts)),
                        other => {
                            let found = other.map_or("none".to_owned(), |text| format!("{text:?}"));
                            self.attribute_problem(child, "type", "and, or or not", &found);
                        }
                    }
                }
                "osExpressionGroup" => {
                    self.attributes(child, &["Name"]);
                    let parts = self.operands(child, depth + 1);
                    if !parts.is_empty() {
                        found.push(Condition::All(parts));
                    }
                }
                "expression" => found.extend(self.expression(child).map(Condition::If)),
                // What is left out of a condition changes when it holds: it is kept, and never decided.
                other if self.tolerant() => {
                    self.change(child.range().start, ChangeKind::Unknown, format!("condition <{other}>"));
                    found.push(Condition::If(Expression::Other { type_name: other.to_owned(), fields: Vec::new() }));
                }
                _ => self.unknown_child(node, child, "<operator> or <expression>"),
            }
        }
        found
    }

    pub(super) fn expression(&mut self, node: Xml<'_, '_>) -> Option<Expression> {
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
            "Software" => {
                let (product_code, upgrade_code) = (fields.take("ProductCode"), fields.take("UpgradeCode"));
                // A family of products may have its upgrade code alone.
                if product_code.is_empty() && upgrade_code.is_empty() {
                    let what = "ProductCode of <expression>";
                    fields.reader.note(node.range().start, what, "a value here or of UpgradeCode", "none");
                }
                let (operator, product_name) = (fields.take("Operator"), fields.take("ProductName"));
                let version = fields.take("Version");
                Expression::Software { operator, product_code, upgrade_code, product_name, version }
            }
            "OS" => Expression::OperatingSystem {
                architecture: fields.take("Architecture"),
                version: fields.take("Version"),
                operator: fields.take("Operator"),
            },
            "MakeModel" => Expression::MakeModel { make: fields.take("Make"), model: fields.take("Model") },
            _ if fields.reader.tolerant() => {
                let fields: Vec<_> = fields.values.drain(..).map(|(name, value, _)| (name, value)).collect();
                self.change(node.range().start, ChangeKind::Unknown, format!("expression type {type_name:?}"));
                return Some(Expression::Other { type_name: type_name.to_owned(), fields });
            }
            _ => {
                let expected = "SMS_TaskSequence_<X>ConditionExpression with X one of Variable, WMI, File, Folder, \
                                Registry, Software, OS, MakeModel";
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
    reader: &'r mut Reader<'d>,
    node: Xml<'i, 'i>,
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
        // MDT writes them in either case.
        let any_case = self.reader.tolerant();
        let is = |known: &str| known == word || any_case && known.eq_ignore_ascii_case(&word);
        let operator = VariableOperator::ALL.iter().find(|(known, _)| is(known)).map(|(_, operator)| *operator);
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

    /// Whatever nobody took.
    fn finish(self) {
        for (name, _, byte) in self.values {
            self.reader.note(byte, "<expression>", "the fields of its type", format!("{name:?}"));
        }
    }
}
