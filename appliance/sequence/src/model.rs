// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The model of a task sequence, as plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{self, Limit};
use crate::{Condition, Problem, SequenceError, StepKind};

/// Schema number of the XML a sequence was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SequenceVersion {
    /// Of Configuration Manager 2007.
    #[serde(rename = "3.00")]
    V3_00,
    /// Of Configuration Manager 2012 and later.
    #[serde(rename = "3.10")]
    V3_10,
}

/// A whole task sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSequence {
    /// Which form of the XML it was read from.
    pub version: SequenceVersion,
    /// May be empty: exports keep it elsewhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// For people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Contents its export lists as needed, whichever step needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed_contents: Vec<ListedContent>,
    /// Set before the first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub global_variables: Vec<Variable>,
    /// What it does, in order.
    pub nodes: Vec<Node>,
}

/// A content of the list an export begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedContent {
    /// Its id.
    pub package: String,
    /// One program of it, or `*` for all; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
}

/// A group or a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// Several that belong together.
    Group(Group),
    /// One.
    Step(Step),
}

/// Steps that stand or fall together: a failed step fails its group unless it continues on error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// For people; names may repeat.
    pub name: String,
    /// For people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// It is passed over, with all that is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// What comes after it runs although it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// When it is false the group is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// What is in it, in order.
    pub nodes: Vec<Node>,
}

/// In which system a step is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RunIn {
    /// In Windows PE, before the new system was started.
    WinPE,
    /// In the system that was installed.
    FullOS,
    /// Wherever the sequence is.
    #[default]
    #[serde(rename = "WinPEandFullOS")]
    Both,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// The type as its file wrote it, when it is one that is not known ([`StepKind::Unknown`]).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub type_name: String,
    /// For people; names may repeat.
    pub name: String,
    /// For people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// It is passed over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// The sequence goes on although it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// In which system it is to run.
    #[serde(default)]
    pub run_in: RunIn,
    /// Exit codes that mean success; none given means 0 only. 3010 also asks for a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success_codes: Vec<i64>,
    /// Working folder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub start_in: String,
    /// How often it is tried again after a failure.
    #[serde(default)]
    pub retry_count: u32,
    /// Seconds; none means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// Its files are used where they are and not copied first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub run_from_net: bool,
    /// The command line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// Its properties, and variables that it sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// When it is false the step is passed over. Most steps have none, and it is as large as the rest of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Box<Condition>>,
}

/// A variable of a step or of the sequence.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// As steps and conditions name it.
    pub name: String,
    /// The property of the step it carries. Such a variable belongs to the step and may have a built-in name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// As its export says. Of a property it means that it is no variable of the environment, so that most
    /// properties are hidden; of a variable, that it is a secret. Never shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Its text.
    pub value: String,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.hidden || crate::lint::names_secret(&self.name) { "********" } else { &self.value };
        write!(f, "{}={value:?}", self.name)
    }
}

impl Variable {
    /// Whether its name may be set here, and its value is within the limits. The value is not part of the answer.
    pub(crate) fn check(&self) -> Result<(), Limit> {
        let [name, value] = self.checks();
        name.and(value)
    }

    /// The same of its name, and of its value.
    pub(crate) fn checks(&self) -> [Result<(), Limit>; 2] {
        match self.property {
            Some(_) => [limits::any_variable_name(&self.name), limits::property(&self.value)],
            None => [limits::variable_name(&self.name), limits::value(&self.value)],
        }
    }
}

impl Step {
    /// The value of one of the step's own properties (or, where a file names only variables, of that variable);
    /// None when it is absent or empty.
    pub fn property(&self, name: &str) -> Option<&str> {
        let is = |text: &str| text.eq_ignore_ascii_case(name);
        let by_property = self.variables.iter().find(|variable| variable.property.as_deref().is_some_and(is));
        let found = by_property.or_else(|| self.variables.iter().find(|variable| is(&variable.name)));
        found.map(|variable| variable.value.trim()).filter(|value| !value.is_empty())
    }
}

/// A step met on the way through a sequence, with what it inherits from its groups.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The step itself.
    pub step: &'a Step,
    /// Its place among all steps, from 0.
    pub number: usize,
    /// Names of its groups and its own, `A / B / Step`.
    pub path: String,
    /// The step or one of its groups is disabled.
    pub disabled: bool,
    /// Of its groups, then its own.
    pub conditions: Vec<&'a Condition>,
}

impl TaskSequence {
    /// From what [`TaskSequence::to_json`] made; limits are checked again.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, SequenceError> {
        let sequence = Self::deserialize(value).map_err(SequenceError::Json)?;
        let problems = sequence.problems();
        if problems.is_empty() { Ok(sequence) } else { Err(SequenceError::Problems { problems }) }
    }

    /// For the policy of a medium.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a task sequence has only texts, numbers and lists")
    }

    /// All steps in the order they run, disabled ones too.
    pub fn steps(&self) -> Vec<Entry<'_>> {
        let mut found = Vec::new();
        collect(&self.nodes, "", false, &[], &mut found);
        found
    }

    /// Names and values together, in bytes: what the environment holds when all are set.
    pub fn environment_bytes(&self) -> u64 {
        let size = |variable: &Variable| (variable.name.len() + variable.value.len()) as u64;
        let steps: u64 = self.steps().iter().flat_map(|entry| &entry.step.variables).map(size).sum();
        steps + self.global_variables.iter().map(size).sum::<u64>()
    }

    /// Everything that is outside the documented limits.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut note = |place: &str, what: &str, result: Result<(), Limit>| {
            if let Err(Limit { expected, found: was }) = result {
                found.push(Problem {
                    place: place.to_owned(),
                    what: what.to_owned(),
                    expected,
                    found: was,
                    path: String::new(),
                });
            }
        };
        if !self.name.is_empty() {
            note("sequence", "name", limits::name(&self.name));
        }
        note("sequence", "description", limits::description(&self.description));
        for variable in &self.global_variables {
            note("sequence", &format!("variable {}", variable.name), variable.check());
        }
        check_nodes(&self.nodes, "", 1, &mut note);
        note("sequence", "variables", check_environment(self.environment_bytes()));
        found
    }
}

pub(crate) fn check_environment(found_bytes: u64) -> Result<(), Limit> {
    if found_bytes <= limits::MAX_ENVIRONMENT_BYTES {
        return Ok(());
    }
    let expected = format!("at most {} bytes of names and values", limits::MAX_ENVIRONMENT_BYTES);
    Err(Limit { expected, found: found_bytes.to_string() })
}

impl Step {
    /// The variable that Set Task Sequence Variable sets, with its value.
    pub fn sets(&self) -> Option<(&str, &str)> {
        let is = self.kind == StepKind::SetVariable || self.script_label() == Some("MDT: Set Task Sequence Variable");
        let name = is.then(|| self.property("VariableName")).flatten()?;
        Some((name, self.property("VariableValue").unwrap_or_default()))
    }

    /// What is outside its limits, with the attribute's or property's name.
    pub(crate) fn check(&self) -> Vec<(&'static str, Limit)> {
        let mut found = Vec::new();
        if let Some((name, _)) = self.sets()
            && let Err(limit) = limits::variable_name(name)
        {
            found.push(("VariableName", limit));
        }
        let mut check = |what, limit: u32, value: u32| {
            if value > limit {
                found.push((what, Limit { expected: format!("0 to {limit}"), found: value.to_string() }));
            }
        };
        check("retryCount", limits::MAX_RETRY_COUNT, self.retry_count);
        check("timeout", limits::MAX_TIMEOUT_S, self.timeout_s.unwrap_or(0));
        found
    }
}

fn check_nodes(nodes: &[Node], parent: &str, depth: usize, note: &mut impl FnMut(&str, &str, Result<(), Limit>)) {
    for node in nodes {
        let (name, description) = match node {
            Node::Group(group) => (&group.name, &group.description),
            Node::Step(step) => (&step.name, &step.description),
        };
        let path = join(parent, name);
        note(&path, "name", limits::name(name));
        note(&path, "description", limits::description(description));
        match node {
            Node::Group(_) if depth >= limits::MAX_DEPTH => {
                let expected = format!("at most {} levels of groups", limits::MAX_DEPTH);
                note(&path, "group", Err(Limit { expected, found: (depth + 1).to_string() }));
            }
            Node::Group(group) => check_nodes(&group.nodes, &path, depth + 1, note),
            Node::Step(step) => {
                note(&path, "action", limits::action(&step.action));
                for (what, limit) in step.check() {
                    note(&path, what, Err(limit));
                }
                for variable in &step.variables {
                    note(&path, &format!("variable {}", variable.name), variable.check());
                }
            }
        }
    }
}

fn collect<'a>(
    nodes: &'a [Node],
    parent: &str,
    disabled: bool,
    conditions: &[&'a Condition],
    found: &mut Vec<Entry<'a>>,
) {
    for node in nodes {
        let (name, own_disabled, condition) = match node {
            Node::Group(group) => (&group.name, group.disabled, group.condition.as_ref()),
            Node::Step(step) => (&step.name, step.disabled, step.condition.as_deref()),
        };
        let path = join(parent, name);
        let disabled = disabled || own_disabled;
        let mut conditions = conditions.to_vec();
        conditions.extend(condition);
        match node {
            Node::Group(group) => collect(&group.nodes, &path, disabled, &conditions, found),
            Node::Step(step) => found.push(Entry { step, number: found.len(), path, disabled, conditions }),
        }
    }
}

pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent} / {name}") }
}
