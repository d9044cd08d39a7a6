// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What would happen on a computer, step by step, if every step that can run succeeds.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Computer, EnvironmentError, FAILED_CODE, Next, Origin, Run, Surroundings, Where};
use crate::layout::DiskLayout;
use crate::{Step, TaskSequence};

/// A described computer says nothing of its disks' sectors; most disks have these.
const SECTOR_BYTES: u32 = 512;

/// What would become of a group or step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It runs.
    Runs,
    /// It runs and fails on this computer, or can't run at all: see where.
    Fails,
    /// It is passed over.
    Skipped,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryStep {
    /// Names of its groups and its own.
    pub path: String,
    /// What it does, in the editor's words; empty for a group.
    pub label: String,
    /// What would become of it.
    pub outcome: Outcome,
    /// Where it would run.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Where>,
    /// Why it is passed over, or what it would do. Secrets are masked.
    pub detail: String,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryRun {
    /// In the order in which things happen.
    pub steps: Vec<DryStep>,
    /// Path of the step that would end the sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// All variables at the end that may be shown.
    pub variables: Vec<(String, String)>,
}

impl DryRun {
    /// Tries a sequence out. `variables` are the medium's: name, value, and whether it is a secret.
    pub fn of(
        sequence: &TaskSequence,
        computer: &Computer,
        variables: &[(String, String, bool)],
    ) -> Result<Self, EnvironmentError> {
        let mut dry = Dry { surroundings: Surroundings::new(sequence, computer, variables)?, steps: Vec::new() };
        let failed = dry.run(sequence)?;
        let shown = dry.surroundings.environment.shown();
        let variables = shown.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { steps: dry.steps, failed, variables })
    }

    /// For people: a line for each, with the reason of whatever does not run.
    pub fn report(&self) -> String {
        let (mut text, mut counts) = (String::new(), [0usize; 5]);
        for step in &self.steps {
            let (word, at) = match (&step.outcome, &step.place) {
                (Outcome::Skipped, _) => ("skipped", 3),
                (_, Some(place @ Where::Cannot { .. })) => (place.word(), 2),
                (Outcome::Fails, _) => ("fails", 4),
                (Outcome::Runs, Some(place @ Where::FirstStart)) => (place.word(), 1),
                (Outcome::Runs, Some(place)) => (place.word(), 0),
                (Outcome::Runs, None) => ("", 0),
            };
            counts[at] += 1;
            let label = if step.label.is_empty() { String::new() } else { format!(" ({})", step.label) };
            let _ = writeln!(text, "{word:<12}{}{label}", step.path);
            if let Some(Where::Cannot { why, todo }) = &step.place {
                let _ = writeln!(text, "{:12}  {why}; {todo}", "");
            }
            if !step.detail.is_empty() {
                let _ = writeln!(text, "{:12}  {}", "", step.detail);
            }
        }
        let [boot, first, cannot, skipped, fails] = counts;
        let _ = writeln!(
            text,
            "{boot} in the boot system or offline, {first} at the first start, {cannot} can't run, {skipped} skipped, {fails} failed"
        );
        match &self.failed {
            Some(path) => {
                let _ = writeln!(text, "the sequence ends with an error at {path}");
            }
            None if cannot > 0 => text.push_str("the sequence runs to its end without what can't run\n"),
            None => text.push_str("the sequence runs to its end\n"),
        }
        text
    }
}

struct Dry<'c> {
    surroundings: Surroundings<'c>,
    steps: Vec<DryStep>,
}

impl Dry<'_> {
    fn run(&mut self, sequence: &TaskSequence) -> Result<Option<String>, EnvironmentError> {
        let mut run = Run::new(sequence);
        loop {
            match run.next(self.surroundings.world()) {
                Next::Over(result) => return Ok(result.err().map(|failed| failed.path)),
                Next::Skipped { path, why, is_group } => {
                    let detail = if is_group { format!("with all that is in it: {why}") } else { why };
                    let (label, outcome) = (String::new(), Outcome::Skipped);
                    self.steps.push(DryStep { path, label, outcome, place: None, detail });
                }
                Next::Step { step, path, .. } => {
                    let place = self.surroundings.place(step);
                    self.surroundings.environment.set("_SMSTSCurrentActionName", &step.name, false, Origin::BuiltIn)?;
                    let done = match place {
                        // What can't be done fails, as it does on the computer: the sequence goes on only where it
                        // forgives.
                        Where::Cannot { .. } => Err(String::new()),
                        _ => self.perform(step),
                    };
                    let (outcome, code, detail) = match done {
                        Ok(detail) => (Outcome::Runs, step.success_code(), detail),
                        Err(reason) => (Outcome::Fails, FAILED_CODE, reason),
                    };
                    let label = step.label().to_owned();
                    self.steps.push(DryStep { path, label, outcome, place: Some(place), detail });
                    run.ended(code, &mut self.surroundings.environment)?;
                    if code != FAILED_CODE {
                        self.surroundings.travel(step)?;
                    }
                }
            }
        }
    }

    fn perform(&mut self, step: &Step) -> Result<String, String> {
        let Surroundings { computer, environment, .. } = &self.surroundings;
        if !step.divides_disk() {
            return self.surroundings.perform(step).unwrap_or_else(|| Ok(String::new()));
        }
        let (index, layout) =
            DiskLayout::of_step(step, environment, computer.is_uefi).map_err(|problem| problem.to_string())?;
        let disk = computer.disks.get(index).ok_or_else(|| format!("there is no disk {index}"))?;
        layout.place(disk.size_bytes, SECTOR_BYTES).map_err(|problem| format!("disk {index}: {problem}"))?;
        Ok(format!("disk {index}: {} ({} MiB)", disk.model, disk.size_bytes >> 20))
    }
}
