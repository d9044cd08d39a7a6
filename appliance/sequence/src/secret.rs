// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which values of a sequence are secrets by their place: what its author marked so, and what is a password.
//!
//! `hidden="true"` on a property marks no secret: it says that the property is no variable of the environment, and
//! exports hide nearly all of them.

use crate::lint::{is_literal, names_secret};
use crate::{Step, StepKind, TaskSequence, Variable};

/// A value that must not stand in clear on a medium.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Path of the step, or `sequence`.
    pub place: String,
    /// The variable's name.
    pub name: String,
    /// The secret itself.
    pub value: String,
    /// Its author marked it so. One that only its name gives away is a finding of SA-55.
    pub marked: bool,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}=********", self.place, self.name)
    }
}

impl TaskSequence {
    /// All of them, in the order of the file; what is disabled is on the medium all the same.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut found = Vec::new();
        let mut note = |place: &str, name: &str, value: &str, marked: bool| {
            if is_literal(value) && (marked || names_secret(name)) {
                let (place, name, value) = (place.to_owned(), name.to_owned(), value.trim().to_owned());
                found.push(Secret { place, name, value, marked });
            }
        };
        for variable in &self.global_variables {
            note("sequence", &variable.name, &variable.value, is_marked(variable));
        }
        for entry in self.steps() {
            let step = entry.step;
            for variable in &step.variables {
                note(&entry.path, &variable.name, &variable.value, is_marked(variable));
            }
            if let Some((name, value)) = step.sets() {
                note(&entry.path, name, value, step.hides_what_it_sets());
            }
            for variable in step.dynamic_rules().into_iter().flatten().flat_map(|rule| rule.variables) {
                note(&entry.path, &variable.name, &variable.value, variable.secret);
            }
        }
        found
    }
}

/// A hidden variable, or a hidden property that is a password.
fn is_marked(variable: &Variable) -> bool {
    variable.hidden && variable.property.as_deref().is_none_or(names_secret)
}

impl Step {
    /// Set Task Sequence Variable with "Do not display this value".
    pub(crate) fn hides_what_it_sets(&self) -> bool {
        self.kind == StepKind::SetVariable
            && self.property("DoNotShowVariableValue").is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }
}
