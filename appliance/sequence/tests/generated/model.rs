// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The rules by which a sequence runs, once more and by other means: a function that calls itself, where the engine has a
//! cursor; patterns by trying, operators by words.

use std::collections::HashMap;

use platen_sequence::{Condition, Expression, Node, Step, TaskSequence};

/// What happened, in order: `skip NAME`, `run NAME -> CODE`.
pub(crate) type Log = Vec<String>;

pub(crate) struct Model<'m> {
    /// By lower-case name.
    pub(crate) variables: HashMap<String, String>,
    pub(crate) make: &'m str,
    pub(crate) model: &'m str,
    /// The answers to queries, by their text.
    pub(crate) queries: &'m dyn Fn(&str, &str) -> bool,
    /// The code a step ends with, by how many ended before it.
    pub(crate) code: &'m dyn Fn(usize) -> i64,
    pub(crate) ended: usize,
    pub(crate) log: Log,
}

impl Model<'_> {
    /// Whether the sequence came to its end.
    pub(crate) fn run(&mut self, sequence: &TaskSequence) -> bool {
        self.nodes(&sequence.nodes)
    }

    fn nodes(&mut self, nodes: &[Node]) -> bool {
        nodes.iter().all(|node| match node {
            Node::Group(group) => {
                if group.disabled || !self.may(group.condition.as_ref()) {
                    self.log.push(format!("skip {}", group.name));
                    return true;
                }
                self.nodes(&group.nodes) || group.continue_on_error
            }
            Node::Step(step) => {
                if step.disabled || !self.may(step.condition.as_deref()) {
                    self.log.push(format!("skip {}", step.name));
                    return true;
                }
                (0..=step.retry_count).any(|_| self.step(step)) || step.continue_on_error
            }
        })
    }

    fn step(&mut self, step: &Step) -> bool {
        let code = (self.code)(self.ended);
        self.ended += 1;
        let good = if step.success_codes.is_empty() { code == 0 } else { step.success_codes.contains(&code) };
        self.variables.insert("_smstslastactionsucceeded".into(), good.to_string());
        self.log.push(format!("run {} -> {code}", step.name));
        good
    }

    fn may(&self, condition: Option<&Condition>) -> bool {
        condition.is_none_or(|condition| self.holds(condition))
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(parts) => !parts.iter().any(|part| !self.holds(part)),
            Condition::Any(parts) => !parts.iter().all(|part| !self.holds(part)),
            Condition::None(parts) => parts.iter().all(|part| !self.holds(part)),
            Condition::If(Expression::Variable { variable, operator, value }) => {
                let found = self.variables.get(&variable.to_lowercase()).cloned().unwrap_or_default();
                // The one that shapes have is `%Make%`, which nobody gathered.
                compare(operator.word(), &found.to_lowercase(), &value.to_lowercase())
            }
            Condition::If(Expression::MakeModel { make, model }) => {
                (make.is_empty() || fits(&self.make.to_lowercase(), &make.to_lowercase()))
                    && (model.is_empty() || fits(&self.model.to_lowercase(), &model.to_lowercase()))
            }
            Condition::If(Expression::Wmi { namespace, query }) => (self.queries)(namespace, query),
            Condition::If(_) => false,
        }
    }
}

fn compare(word: &str, found: &str, value: &str) -> bool {
    let less = match (found.parse::<i64>(), value.parse::<i64>()) {
        (Ok(found), Ok(value)) => found < value,
        _ => found < value,
    };
    let same = match (found.parse::<i64>(), value.parse::<i64>()) {
        (Ok(found), Ok(value)) => found == value,
        _ => found == value,
    };
    match word {
        "exists" => !found.is_empty(),
        "notExists" => found.is_empty(),
        "equals" => found == value,
        "notEquals" => found != value,
        "less" => less,
        "lessEqual" => less || same,
        "greater" => !less && !same,
        "greaterEqual" => !less,
        "like" => fits(found, value),
        "notLike" => !fits(found, value),
        other => panic!("{other}"),
    }
}

/// By trying every way.
fn fits(text: &str, pattern: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    match first {
        '*' | '%' => (0..=text.len()).filter(|&at| text.is_char_boundary(at)).any(|at| fits(&text[at..], rest)),
        _ => text.chars().next().is_some_and(|c| (first == '?' || first == c) && fits(&text[c.len_utf8()..], rest)),
    }
}
