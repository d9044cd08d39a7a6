// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The rules of Set Dynamic Variables, which are XML within a property.

use crate::read::{child_named, parse, read_condition};
use crate::{Condition, Step, StepKind};

/// Variables that are set when a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicRule {
    /// None: it holds always.
    pub condition: Option<Condition>,
    /// Set in this order.
    pub variables: Vec<DynamicVariable>,
}

/// A variable that such a rule sets.
#[derive(Clone, PartialEq, Eq)]
pub struct DynamicVariable {
    /// As later steps name it.
    pub name: String,
    /// Its text.
    pub value: String,
    /// Marked so by its author.
    pub secret: bool,
}

impl std::fmt::Debug for DynamicVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.secret { "********" } else { &self.value };
        write!(f, "{}={value:?}", self.name)
    }
}

impl Step {
    /// The rules of Set Dynamic Variables; None when the step is another one, has none, or they can't be read.
    pub fn dynamic_rules(&self) -> Option<Vec<DynamicRule>> {
        let text = (self.kind == StepKind::SetDynamicVariables).then(|| self.property("Rules")).flatten()?;
        let document = parse(text).ok()?;
        let root = document.root_element();
        let mut rules = Vec::new();
        for rule in root.children().filter(|node| node.has_tag_name("Rule")) {
            let condition = match child_named(rule, "condition").map(read_condition) {
                Some((_, problems)) if !problems.is_empty() => return None,
                Some((condition, _)) => condition,
                None => None,
            };
            let list = child_named(rule, "Variables");
            let of = list.into_iter().flat_map(|list| list.children()).filter(|node| node.has_tag_name("Variable"));
            let variables = of
                .map(|node| DynamicVariable {
                    name: node.attribute("Name").unwrap_or_default().to_owned(),
                    value: node.text().unwrap_or_default().to_owned(),
                    secret: node.attribute("IsSecret").is_some_and(|word| word.eq_ignore_ascii_case("true")),
                })
                .collect();
            rules.push(DynamicRule { condition, variables });
        }
        Some(rules)
    }
}
