// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Groups and steps.

use super::{Reader, Xml};
use crate::import::ChangeKind;
use crate::limits::{self, Limit};
use crate::{Condition, Group, Node, RunIn, Step, StepKind, Variable};

/// What steps write for the name of the organisation, and what Configuration Manager's own name for it is.
pub(crate) const ORGANISATION: (&str, &str) = ("_SMSTSOrgName", "OSDRegisteredOrgName");

const ATTRIBUTES: [&str; 12] = [
    "type",
    "name",
    "description",
    "disable",
    "continueOnError",
    "runIn",
    "successCodeList",
    "successCodes",
    "startIn",
    "retryCount",
    "timeout",
    "runFromNet",
];

impl Reader<'_> {
    fn named(&mut self, node: Xml<'_, '_>) -> (String, String) {
        let element = node.tag_name().name();
        let start = node.range().start;
        let mut name = node.attribute("name").unwrap_or_default().to_owned();
        let mut description = node.attribute("description").unwrap_or_default().to_owned();
        self.name(start, &format!("<{element}>"), &mut name, &mut description);
        self.description(start, &format!("<{element}> {name:?}"), &mut description);
        (name, description)
    }

    pub(super) fn group(&mut self, node: Xml<'_, '_>, depth: usize) -> Option<Group> {
        if !self.counts(node) {
            return None;
        }
        self.attributes(node, &["name", "description", "disable", "continueOnError", "expand"]);
        let (name, description) = self.named(node);
        if depth > limits::MAX_DEPTH {
            let expected = format!("at most {} levels of groups", limits::MAX_DEPTH);
            self.note(node.range().start, "<group>", expected, depth.to_string());
            return None;
        }
        self.path.push(name.clone());
        // How the editor shows it; nothing to keep.
        self.flag(node, "expand");
        let (mut nodes, mut condition) = (Vec::new(), None);
        for child in self.children(node) {
            match child.tag_name().name() {
                "group" => nodes.extend(self.group(child, depth + 1).map(Node::Group)),
                "step" | "subtasksequence" => nodes.extend(self.step(child).map(Node::Step)),
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
        self.path.pop();
        Some(Group { name, description, disabled, continue_on_error, condition, nodes })
    }

    /// A `<step>`, or a `<subtasksequence>`, which is one by another name.
    pub(super) fn step(&mut self, node: Xml<'_, '_>) -> Option<Step> {
        if !self.counts(node) {
            return None;
        }
        self.attributes(node, &ATTRIBUTES);
        let (name, description) = self.named(node);
        self.path.push(name.clone());
        let (kind, type_name) = self.kind(node, &name);
        let mut step = Step {
            kind: kind.unwrap_or(StepKind::Unknown),
            type_name,
            name,
            description,
            disabled: self.flag(node, "disable"),
            continue_on_error: self.flag(node, "continueOnError"),
            run_in: self.run_in(node),
            success_codes: self.success_codes(node),
            start_in: node.attribute("startIn").unwrap_or_default().to_owned(),
            retry_count: self.number(node, "retryCount").unwrap_or(0),
            timeout_s: self.number(node, "timeout").filter(|&seconds| seconds > 0),
            run_from_net: self.flag(node, "runFromNet"),
            action: String::new(),
            variables: Vec::new(),
            condition: None,
        };
        self.inside(node, &mut step);
        if self.tolerant() {
            self.mend(node, &mut step);
        }
        for (what, Limit { expected, found }) in step.check() {
            self.attribute_problem(node, what, &expected, &found);
        }
        self.path.pop();
        kind.map(|_| step)
    }

    fn kind(&mut self, node: Xml<'_, '_>, name: &str) -> (Option<StepKind>, String) {
        let type_name = node.attribute("type").unwrap_or_default();
        let known = match node.tag_name().name() {
            "subtasksequence" => Some(StepKind::RunTaskSequence),
            _ => StepKind::from_type_name(type_name),
        };
        if known.is_some() {
            return (known, String::new());
        }
        if !self.tolerant() {
            let expected = "a step type of Configuration Manager such as SMS_TaskSequence_RunCommandLineAction";
            self.attribute_problem(node, "type", expected, &format!("{type_name:?} (step {name:?})"));
            return (None, String::new());
        }
        let start = node.range().start;
        if type_name.is_empty() {
            self.change(start, ChangeKind::Translated, "step without a type to MDT's step of that command");
            return (Some(StepKind::Script), String::new());
        }
        self.change(start, ChangeKind::Unknown, format!("step type {type_name:?}"));
        (Some(StepKind::Unknown), type_name.to_owned())
    }

    fn inside(&mut self, node: Xml<'_, '_>, step: &mut Step) {
        let (mut seen_action, mut seen_variables) = (false, false);
        let mut loose: Vec<Condition> = Vec::new();
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
                    step.condition = self.condition(child).map(Box::new);
                }
                "expression" if self.tolerant() => {
                    let what = "<expression> outside of <condition> to a condition";
                    self.change(child.range().start, ChangeKind::Translated, what);
                    loose.extend(self.expression(child).map(Condition::If));
                }
                _ => self.unknown_child(node, child, "<action>, <defaultVarList> or <condition>"),
            }
        }
        if !loose.is_empty() {
            loose.extend(step.condition.take().map(|condition| *condition));
            let all = if loose.len() == 1 { loose.pop() } else { Some(Condition::All(loose)) };
            step.condition = all.map(Box::new);
        }
    }

    /// What the limits of a step would refuse and can be put right.
    fn mend(&mut self, node: Xml<'_, '_>, step: &mut Step) {
        let start = node.range().start;
        if step.retry_count > limits::MAX_RETRY_COUNT {
            let most = limits::MAX_RETRY_COUNT;
            self.change(start, ChangeKind::Shortened, format!("{} retries to {most}", step.retry_count));
            step.retry_count = most;
        }
        if let Some(seconds) = step.timeout_s.filter(|&seconds| seconds > limits::MAX_TIMEOUT_S) {
            let most = limits::MAX_TIMEOUT_S;
            self.change(start, ChangeKind::Shortened, format!("time-out of {seconds} s to {most} s"));
            step.timeout_s = Some(most);
        }
        if step.sets().is_some_and(|(name, _)| name.eq_ignore_ascii_case(ORGANISATION.0)) {
            let (from, to) = ORGANISATION;
            for variable in step.variables.iter_mut().filter(|it| it.value.trim().eq_ignore_ascii_case(from)) {
                variable.value = to.to_owned();
            }
            self.change(start, ChangeKind::Translated, format!("variable {from}, which is built in, to {to}"));
        }
    }

    fn run_in(&mut self, node: Xml<'_, '_>) -> RunIn {
        match node.attribute("runIn") {
            None | Some("" | "WinPEandFullOS") => RunIn::Both,
            Some("WinPE") => RunIn::WinPE,
            Some("FullOS") => RunIn::FullOS,
            Some(other) => {
                self.attribute_problem(node, "runIn", "WinPE, FullOS or WinPEandFullOS", &format!("{other:?}"));
                RunIn::Both
            }
        }
    }

    /// MDT writes the list under either name, or under both.
    fn success_codes(&mut self, node: Xml<'_, '_>) -> Vec<i64> {
        let list = self.codes(node, "successCodeList");
        let other = self.codes(node, "successCodes");
        if list.is_empty() {
            return other;
        }
        if !other.is_empty() && other != list {
            let byte = node.range().start;
            if self.tolerant() {
                self.change(byte, ChangeKind::Left, "successCodes that differ from successCodeList");
            } else {
                self.attribute_problem(node, "successCodes", "the same as successCodeList", "another list");
            }
        }
        list
    }

    fn codes(&mut self, node: Xml<'_, '_>, name: &str) -> Vec<i64> {
        let text = node.attribute(name).unwrap_or_default();
        let mut codes = Vec::new();
        for word in text.split_whitespace() {
            // Exit codes are 32 bits, written signed or unsigned.
            match word.parse::<i64>() {
                Ok(code) if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&code) => codes.push(code),
                _ => self.attribute_problem(
                    node,
                    name,
                    "exit codes with spaces between, such as \"0 3010\"",
                    &format!("{word:?}"),
                ),
            }
        }
        codes
    }

    pub(super) fn variables(&mut self, list: Xml<'_, '_>) -> Vec<Variable> {
        self.attributes(list, &[]);
        let mut found: Vec<Variable> = Vec::new();
        for child in self.children(list) {
            if child.tag_name().name() != "variable" {
                self.unknown_child(list, child, "<variable>");
                continue;
            }
            if found.len() == limits::MAX_VARIABLES {
                let expected = format!("at most {} variables", limits::MAX_VARIABLES);
                self.note(child.range().start, "<variable>", expected, "more");
                break;
            }
            self.attributes(child, &["name", "property", "hidden"]);
            let property = child.attribute("property").filter(|text| !text.is_empty()).map(str::to_owned);
            let hidden = self.flag(child, "hidden");
            let name = child.attribute("name").unwrap_or_default().to_owned();
            let variable = Variable { name, property, hidden, value: self.text(child) };
            let what = format!("<variable> {:?}", variable.name);
            self.check(child.range().start, &what, variable.check());
            let first = found.iter().find(|other| other.name.eq_ignore_ascii_case(&variable.name));
            match first.map(|first| first.value == variable.value) {
                None => found.push(variable),
                // MDT itself writes OSGUID twice.
                Some(true) if self.tolerant() => {
                    let what = format!("a second {} of the same value", variable.name);
                    self.change(child.range().start, ChangeKind::Left, what);
                }
                Some(_) => {
                    self.note(child.range().start, &what, "each name once (case does not count)", "a second one");
                }
            }
        }
        // A large export has twenty thousand such lists, of two variables each.
        found.shrink_to_fit();
        found
    }
}
