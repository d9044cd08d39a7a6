// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How a sequence runs: which group or step comes next, what a failure does, where it goes on after a restart.
//!
//! Nothing is done here. Whoever carries steps out asks for the [`Run::next`] one, does it, and says how it
//! [`Run::ended`]. A [`Cursor`] is all that must be kept over a restart, with the environment.

mod classes;
mod computer;
mod decide;
mod dry;
mod environment;
mod place;
mod surroundings;
#[cfg(test)]
mod tests;
mod windows;
pub mod wql;

use platen_media::{Sha256, Sha256Hasher};
use serde::{Deserialize, Serialize};

pub use computer::{Adapter, Computer, Disk};
pub use decide::{Decision, World};
pub use dry::{DryRun, DryStep, Outcome};
pub use environment::{Environment, EnvironmentError, KeptVariable, Origin};
pub use place::Where;
pub use surroundings::Surroundings;
pub use windows::{Entry as WindowsEntry, OldWindows, Product, RegistryValue, Windows};

use crate::model::join;
use crate::{Node, Step, TaskSequence};

/// The exit code that also asks for a restart.
pub const RESTART_CODE: i64 = 3010;

/// What a step ends with that could not be done, as Configuration Manager says it (E_FAIL).
pub const FAILED_CODE: i64 = 0x8000_4005;

/// Where a run stands: to be kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// SHA-256 of the sequence's JSON: a cursor is of no use with another one.
    pub sequence_sha256: Sha256,
    /// Which comes next: its number in the sequence, then in its group, and so on, from 0.
    pub at: Vec<usize>,
    /// How often it was tried already.
    pub attempts: u32,
}

/// Why a run can't go on from a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum CursorError {
    #[error("the run was begun with another sequence: expected {expected}, found {found}; start it anew")]
    OtherSequence { expected: String, found: String },
    #[error("the run stands at a place that the sequence does not have: {at:?}; start it anew")]
    NoSuchPlace { at: Vec<usize> },
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'s> {
    /// This step is to be done; say how it [`Run::ended`].
    Step {
        /// What to do.
        step: &'s Step,
        /// Names of its groups and its own.
        path: String,
        /// Why its condition holds; empty when it has none.
        why: String,
    },
    /// This group or step was passed over.
    Skipped {
        /// Names of its groups and its own.
        path: String,
        /// It is disabled, or why its condition does not hold.
        why: String,
        /// All its steps are passed over with it.
        is_group: bool,
    },
    /// The sequence is over, and this is its result.
    Over(Result<(), Failed>),
}

/// How a sequence failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Path of the step that failed.
    pub path: String,
    /// Its exit code.
    pub code: i64,
}

/// What a step's end leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The next one comes.
    GoOn,
    /// The next one comes after a restart.
    Restart,
    /// The same is tried again.
    Retry,
    /// It failed, and the next one comes all the same.
    Forgiven,
    /// It failed, and so did this group, which goes on with what comes after it.
    GroupForgiven {
        /// Names of the groups.
        path: String,
    },
    /// The sequence failed.
    Failed,
}

/// A sequence on its way.
#[derive(Debug)]
pub struct Run<'s> {
    sequence: &'s TaskSequence,
    cursor: Cursor,
    failed: Option<Failed>,
}

impl<'s> Run<'s> {
    /// From the beginning.
    pub fn new(sequence: &'s TaskSequence) -> Self {
        let cursor = Cursor { sequence_sha256: digest(sequence), at: vec![0], attempts: 0 };
        Self { sequence, cursor, failed: None }
    }

    /// From where another stood. Conditions of groups it is in are not asked again.
    pub fn resume(sequence: &'s TaskSequence, cursor: Cursor) -> Result<Self, CursorError> {
        let own = digest(sequence);
        if cursor.sequence_sha256 != own {
            let (expected, found) = (cursor.sequence_sha256.to_string(), own.to_string());
            return Err(CursorError::OtherSequence { expected, found });
        }
        let run = Self { sequence, cursor, failed: None };
        let place_is_there = match run.cursor.at.split_last() {
            None => false,
            // Behind the last one is a place, too.
            Some((&last, groups)) => run.inside(groups).is_some_and(|nodes| last <= nodes.len()),
        };
        if place_is_there { Ok(run) } else { Err(CursorError::NoSuchPlace { at: run.cursor.at }) }
    }

    /// To be kept before a step begins, and after it ended.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The nodes of a group by its place; of the sequence, by none.
    fn inside(&self, groups: &[usize]) -> Option<&'s [Node]> {
        groups.iter().try_fold(&*self.sequence.nodes, |nodes, &at| match nodes.get(at)? {
            Node::Group(group) => Some(&*group.nodes),
            Node::Step(_) => None,
        })
    }

    fn path(&self, at: &[usize]) -> String {
        let (mut path, mut nodes) = (String::new(), &*self.sequence.nodes);
        for &at in at {
            match nodes.get(at) {
                Some(Node::Group(group)) => {
                    path = join(&path, &group.name);
                    nodes = &group.nodes;
                }
                Some(Node::Step(step)) => path = join(&path, &step.name),
                None => {}
            }
        }
        path
    }

    /// The next group or step that is passed over or to be done. Until it is said how a step ended, it is the next one.
    pub fn next(&mut self, world: World<'_>) -> Next<'s> {
        if let Some(failed) = &self.failed {
            return Next::Over(Err(failed.clone()));
        }
        loop {
            let Some((&last, groups)) = self.cursor.at.split_last() else { return Next::Over(Ok(())) };
            let Some(node) = self.inside(groups).and_then(|nodes| nodes.get(last)) else {
                // The group is over: what comes after it is next.
                self.cursor.at.pop();
                self.advance();
                continue;
            };
            let (disabled, condition) = match node {
                Node::Group(group) => (group.disabled, group.condition.as_ref()),
                Node::Step(step) => (step.disabled, step.condition.as_deref()),
            };
            let decision = condition.map(|condition| condition.evaluate(world));
            let skipped = match &decision {
                _ if disabled => Some("it is disabled".to_owned()),
                Some(decision) if !decision.holds => Some(decision.why.clone()),
                _ => None,
            };
            let path = self.path(&self.cursor.at);
            match (skipped, node) {
                (Some(why), _) => {
                    self.advance();
                    return Next::Skipped { path, why, is_group: matches!(node, Node::Group(_)) };
                }
                (None, Node::Group(_)) => self.cursor.at.push(0),
                (None, Node::Step(step)) => {
                    return Next::Step { step, path, why: decision.map(|it| it.why).unwrap_or_default() };
                }
            }
        }
    }

    fn advance(&mut self) {
        self.cursor.attempts = 0;
        if let Some(last) = self.cursor.at.last_mut() {
            *last += 1;
        }
    }

    /// The step that was next ended with this code, which is noted in the environment. `environment` is also where a
    /// step may have asked for a restart or another try (`SMSTSRebootRequested`, `SMSTSRetryRequested`).
    pub fn ended(&mut self, code: i64, environment: &mut Environment) -> Result<After, EnvironmentError> {
        let at = self.cursor.at.clone();
        let found = at.split_last().and_then(|(&last, groups)| self.inside(groups)?.get(last));
        let Some(Node::Step(step)) = found else { return Ok(After::GoOn) };
        let succeeded = step.succeeds_with(code);
        let word = if succeeded { "true" } else { "false" };
        environment.set("_SMSTSLastActionSucceeded", word, false, Origin::BuiltIn)?;
        environment.set("_SMSTSLastActionRetCode", &code.to_string(), false, Origin::BuiltIn)?;
        environment.set("_SMSTSLastActionName", &step.name, false, Origin::BuiltIn)?;
        if succeeded {
            let asked = environment.get("SMSTSRebootRequested").is_some();
            let again = environment.get("SMSTSRetryRequested").is_some();
            environment.set("SMSTSRebootRequested", "", false, Origin::Step)?;
            environment.set("SMSTSRetryRequested", "", false, Origin::Step)?;
            if !(asked && again) {
                self.advance();
            }
            return Ok(if asked || code == RESTART_CODE { After::Restart } else { After::GoOn });
        }
        if self.cursor.attempts < step.retry_count {
            self.cursor.attempts += 1;
            return Ok(After::Retry);
        }
        if step.continue_on_error {
            self.advance();
            return Ok(After::Forgiven);
        }
        let failed = Failed { path: self.path(&at), code };
        Ok(self.fail(failed))
    }

    /// A failed step fails its groups, from the inside to the outside, up to one that continues.
    fn fail(&mut self, failed: Failed) -> After {
        while self.cursor.at.len() > 1 {
            self.cursor.at.pop();
            let continues = self.cursor.at.split_last().and_then(|(&last, groups)| self.inside(groups)?.get(last));
            if let Some(Node::Group(group)) = continues
                && group.continue_on_error
            {
                let path = self.path(&self.cursor.at);
                self.advance();
                return After::GroupForgiven { path };
            }
        }
        self.failed = Some(failed);
        After::Failed
    }
}

impl Step {
    /// Whether an exit code means success. Codes are 32 bits, written signed or unsigned.
    pub fn succeeds_with(&self, code: i64) -> bool {
        let bits = |code: i64| u32::try_from(code & 0xffff_ffff).unwrap_or_default();
        match &self.success_codes[..] {
            [] => code == 0,
            codes => codes.iter().any(|&known| bits(known) == bits(code)),
        }
    }

    /// The code of a success that has none of its own: sequences may list others than 0.
    pub fn success_code(&self) -> i64 {
        let listed = self.success_codes.iter().find(|&&code| code != RESTART_CODE).copied();
        if self.succeeds_with(0) { 0 } else { listed.unwrap_or(RESTART_CODE) }
    }
}

fn digest(sequence: &TaskSequence) -> Sha256 {
    let mut hasher = Sha256Hasher::new();
    hasher.update(sequence.to_json().to_string().as_bytes());
    hasher.finish()
}
