// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A task sequence as people print it.

use std::fmt::Write as _;

use crate::{Node, TaskSequence};

impl TaskSequence {
    /// An indented outline. Steps are numbered `n/m` as the progress window counts them: groups and disabled steps
    /// are not counted. No values of variables are shown.
    pub fn outline(&self) -> String {
        let total = self.steps().iter().filter(|entry| !entry.disabled).count();
        let name = if self.name.is_empty() { "(no name)" } else { &self.name };
        let mut text = format!("{name}: {total} step{}\n", if total == 1 { "" } else { "s" });
        let mut number = 0;
        write_nodes(&self.nodes, 1, false, &mut number, total, &mut text);
        text
    }
}

fn write_nodes(nodes: &[Node], level: usize, disabled: bool, number: &mut usize, total: usize, text: &mut String) {
    for node in nodes {
        let indent = "  ".repeat(level);
        let (own_disabled, continues, condition) = match node {
            Node::Group(group) => (group.disabled, group.continue_on_error, group.condition.as_ref()),
            Node::Step(step) => (step.disabled, step.continue_on_error, step.condition.as_deref()),
        };
        let disabled = disabled || own_disabled;
        let mut notes = String::new();
        if own_disabled {
            notes.push_str(" [disabled]");
        }
        if continues {
            notes.push_str(" [continue on error]");
        }
        if let Some(condition) = condition {
            let _ = write!(notes, " [if {}]", condition.to_line());
        }
        match node {
            Node::Group(group) => {
                let _ = writeln!(text, "{indent}{}{notes}", group.name);
                write_nodes(&group.nodes, level + 1, disabled, number, total, text);
            }
            Node::Step(step) => {
                let count = if disabled {
                    "-".to_owned()
                } else {
                    *number += 1;
                    format!("{number}/{total}")
                };
                let _ = writeln!(text, "{indent}{count} {} ({}){notes}", step.name, step.label());
            }
        }
    }
}
