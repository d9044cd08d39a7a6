// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Changes that cure a finding.

use serde::Serialize;

use crate::condition::{Condition, Expression, VariableOperator};
use crate::{Entry, Node, RunIn, Step, StepKind, TaskSequence, Variable};

/// A change of a sequence. Steps are told apart by their number among all steps, from 0, for names may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fix {
    /// Insert a step after another one, in the same group.
    InsertAfter {
        /// Path of the step after which it goes.
        place: String,
        /// Number of that step.
        number: usize,
        /// The step that is put in.
        step: Box<Step>,
    },
    /// Let a step run only where one more condition holds.
    AddCondition {
        /// Path of the step.
        place: String,
        /// Number of the step.
        number: usize,
        /// The condition.
        condition: Condition,
    },
    /// Take a variable out of a step, or out of the sequence.
    RemoveVariable {
        /// Path of the step; `sequence` for the sequence's own.
        place: String,
        /// Number of the step; None for the sequence.
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<usize>,
        /// Name of the variable, or of the property it carries.
        name: String,
    },
}

/// The documented command that enables software distribution on a client without a site.
const ENABLE_SOFTWARE_DISTRIBUTION: &str = r#"WMIC /namespace:\\root\ccm\policy\machine\requestedconfig path ccm_SoftwareDistributionClientConfig CREATE ComponentName="Enable SWDist", Enabled="true", LockSettings="TRUE", PolicySource="local", PolicyVersion="1.0", SiteSettingsKey="1" /NOINTERACTIVE"#;

impl Fix {
    /// The step that lets Install Package work on media made without a site.
    pub(super) fn enable_software_distribution(after: &Entry<'_>) -> Self {
        let property = |name: &str, value: &str| Variable {
            name: name.to_owned(),
            property: Some(name.to_owned()),
            hidden: false,
            value: value.to_owned(),
        };
        let step = Step {
            kind: StepKind::RunCommandLine,
            type_name: String::new(),
            name: "Enable software distribution".into(),
            description: "Lets Install Package steps run on stand-alone media.".into(),
            disabled: false,
            continue_on_error: false,
            run_in: RunIn::FullOS,
            success_codes: vec![0],
            start_in: String::new(),
            retry_count: 0,
            timeout_s: None,
            run_from_net: false,
            action: ENABLE_SOFTWARE_DISTRIBUTION.into(),
            variables: vec![property("CommandLine", ENABLE_SOFTWARE_DISTRIBUTION)],
            condition: None,
        };
        Self::InsertAfter { place: after.path.clone(), number: after.number, step: Box::new(step) }
    }

    /// The documented condition for a step that needs a site: on stand-alone media it can do nothing.
    pub(super) fn not_on_full_media(entry: &Entry<'_>) -> Self {
        let condition = Condition::If(Expression::Variable {
            variable: "_SMSTSMediaType".into(),
            operator: VariableOperator::NotEquals,
            value: "FullMedia".into(),
        });
        Self::AddCondition { place: entry.path.clone(), number: entry.number, condition }
    }

    /// Takes a variable out of a step.
    pub(super) fn remove_variable(entry: &Entry<'_>, name: &str) -> Self {
        Self::RemoveVariable { place: entry.path.clone(), number: Some(entry.number), name: name.to_owned() }
    }

    /// Makes all the changes, of which none moves what another one means; says how many were made.
    pub fn apply_all<'f>(fixes: impl IntoIterator<Item = &'f Self>, sequence: &mut TaskSequence) -> usize {
        let mut fixes: Vec<&Self> = fixes.into_iter().collect();
        // From the last step to the first: what is put in moves only what comes after it.
        fixes.sort_by_key(|fix| std::cmp::Reverse(fix.number()));
        fixes.into_iter().filter(|fix| fix.apply(sequence)).count()
    }

    fn number(&self) -> Option<usize> {
        match self {
            Self::InsertAfter { number, .. } | Self::AddCondition { number, .. } => Some(*number),
            Self::RemoveVariable { number, .. } => *number,
        }
    }

    /// Makes the change; false when the place is not in the sequence.
    pub fn apply(&self, sequence: &mut TaskSequence) -> bool {
        let Some(mut left) = self.number() else {
            return match self {
                Self::RemoveVariable { name, .. } => remove(&mut sequence.global_variables, name),
                Self::InsertAfter { .. } | Self::AddCondition { .. } => false,
            };
        };
        self.apply_in(&mut sequence.nodes, &mut left).unwrap_or(false)
    }

    /// None: its step is not in these nodes, which have so many steps less.
    fn apply_in(&self, nodes: &mut Vec<Node>, left: &mut usize) -> Option<bool> {
        for at in 0..nodes.len() {
            let step = match &mut nodes[at] {
                Node::Group(group) => match self.apply_in(&mut group.nodes, left) {
                    None => continue,
                    made => return made,
                },
                Node::Step(_) if *left > 0 => {
                    *left -= 1;
                    continue;
                }
                Node::Step(step) => step,
            };
            match self {
                Self::InsertAfter { step, .. } => nodes.insert(at + 1, Node::Step((**step).clone())),
                Self::AddCondition { condition, .. } => {
                    step.condition = Some(Box::new(match step.condition.take() {
                        None => condition.clone(),
                        Some(own) => Condition::All(vec![*own, condition.clone()]),
                    }));
                }
                Self::RemoveVariable { name, .. } => return Some(remove(&mut step.variables, name)),
            }
            return Some(true);
        }
        None
    }
}

fn remove(variables: &mut Vec<Variable>, name: &str) -> bool {
    let before = variables.len();
    let is = |text: &str| text.eq_ignore_ascii_case(name);
    variables.retain(|variable| !is(&variable.name) && !variable.property.as_deref().is_some_and(is));
    variables.len() < before
}
