// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Changes that cure a finding.

use serde::Serialize;

use crate::model::join;
use crate::{Node, RunIn, Step, StepKind, TaskSequence, Variable};

/// A change of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fix {
    /// Insert a step after another one, in the same group.
    InsertAfter {
        /// Path of the step after which it goes.
        place: String,
        /// The step that is put in.
        step: Box<Step>,
    },
}

/// The documented command that enables software distribution on a client without a site.
const ENABLE_SOFTWARE_DISTRIBUTION: &str = r#"WMIC /namespace:\\root\ccm\policy\machine\requestedconfig path ccm_SoftwareDistributionClientConfig CREATE ComponentName="Enable SWDist", Enabled="true", LockSettings="TRUE", PolicySource="local", PolicyVersion="1.0", SiteSettingsKey="1" /NOINTERACTIVE"#;

impl Fix {
    /// The step that lets Install Package work on media made without a site.
    pub(super) fn enable_software_distribution(place: &str) -> Self {
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
        Self::InsertAfter { place: place.to_owned(), step: Box::new(step) }
    }

    /// Makes the change; false when the place is not in the sequence.
    pub fn apply(&self, sequence: &mut TaskSequence) -> bool {
        let Self::InsertAfter { place, step } = self;
        insert_after(&mut sequence.nodes, "", place, step)
    }
}

fn insert_after(nodes: &mut Vec<Node>, parent: &str, place: &str, step: &Step) -> bool {
    for at in 0..nodes.len() {
        match &mut nodes[at] {
            Node::Step(here) if join(parent, &here.name) == place => {
                nodes.insert(at + 1, Node::Step(step.clone()));
                return true;
            }
            Node::Group(group) => {
                let path = join(parent, &group.name);
                if insert_after(&mut group.nodes, &path, place, step) {
                    return true;
                }
            }
            Node::Step(_) => {}
        }
    }
    false
}
