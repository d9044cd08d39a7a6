// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! SA-55: secrets that stand in the sequence in clear and are not marked as such.

use super::rules::{SEQUENCE, finding};
use super::secrets::{find_all, holds_secret, names_secret};
use super::{Finding, LintContext, Severity};
use crate::{Entry, TaskSequence, Variable};

pub(super) fn check(sequence: &TaskSequence, all: &[Entry<'_>], context: &LintContext, findings: &mut Vec<Finding>) {
    for variable in &sequence.global_variables {
        secret_variable(SEQUENCE, variable, context, findings);
    }
    for entry in all {
        secrets(entry, context, findings);
    }
}

/// Command lines, scripts, and what variables are set to.
fn secrets(entry: &Entry<'_>, context: &LintContext, findings: &mut Vec<Finding>) {
    let step = entry.step;
    let mut texts = vec![("command line", &*step.action), ("description", &step.description)];
    let is_own = |variable: &&Variable| {
        // An export repeats the command line there, behind the program that runs it.
        !step.action.ends_with(variable.value.trim()) && !names_secret(&variable.name) && !is_rules(variable)
    };
    texts.extend(step.variables.iter().filter(is_own).map(|variable| (&*variable.name, &*variable.value)));
    for (where_it_is, hint) in find_all(&texts) {
        findings.push(literal(&entry.path, &format!("{where_it_is} has {hint}"), context));
    }
    for variable in &step.variables {
        secret_variable(&entry.path, variable, context, findings);
    }
    if let Some((name, value)) = step.sets()
        && !step.hides_what_it_sets()
        && holds_secret(name, value)
    {
        let what = format!("variable {name} is set to a value that is shown (\"Do not display this value\" is off)");
        findings.push(literal(&entry.path, &what, context));
    }
    for rule in step.dynamic_rules().into_iter().flatten() {
        for variable in rule.variables.iter().filter(|it| !it.secret && holds_secret(&it.name, &it.value)) {
            let what = format!("variable {} is set to a value that is not marked as secret", variable.name);
            findings.push(literal(&entry.path, &what, context));
        }
    }
}

/// The rules of Set Dynamic Variables are looked at one by one.
fn is_rules(variable: &Variable) -> bool {
    variable.property.as_deref() == Some("Rules")
}

/// A variable that holds a secret without being hidden.
fn secret_variable(place: &str, variable: &Variable, context: &LintContext, findings: &mut Vec<Finding>) {
    let secret = |name: &str| holds_secret(name, &variable.value);
    if !variable.hidden && (secret(&variable.name) || variable.property.as_deref().is_some_and(secret)) {
        findings.push(literal(place, &format!("variable {} has a value and is not hidden", variable.name), context));
    }
}

fn literal(place: &str, what: &str, context: &LintContext) -> Finding {
    // In an encrypted policy nobody reads it without the password; it still shows in the editor and in exports.
    let severity = if context.policy_is_encrypted { Severity::Warning } else { Severity::Error };
    let text = format!("{what}; put it in a [[variable]] with secret = true and write %NAME% here");
    finding("SA-55", severity, place, text)
}
