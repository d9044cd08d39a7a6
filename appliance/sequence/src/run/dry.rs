// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What would happen on a computer, step by step, if every step that can run succeeds.

use std::fmt::Write as _;

use serde::Serialize;

use super::{After, Computer, Environment, EnvironmentError, Next, OldWindows, Origin, Run, Where, World};
use crate::{Step, StepKind, TaskSequence};

/// What would become of a group or step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It runs, or can't: see where.
    Runs,
    /// It runs, and fails on this computer.
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

/// Phases of MDT's sequences, in their order.
const PHASES: [&str; 6] = ["VALIDATION", "STATECAPTURE", "PREINSTALL", "INSTALL", "POSTINSTALL", "STATERESTORE"];

impl DryRun {
    /// Tries a sequence out. `variables` are the medium's: name, value, and whether it is a secret.
    pub fn of(
        sequence: &TaskSequence,
        computer: &Computer,
        variables: &[(String, String, bool)],
    ) -> Result<Self, EnvironmentError> {
        let mut environment = Environment::default();
        computer.built_in(&mut environment)?;
        if is_mdt(sequence) {
            for (name, value) in
                [("PHASE", PHASES[0]), ("DeploymentType", "NEWCOMPUTER"), ("DeploymentMethod", "MEDIA")]
            {
                environment.set(name, value, false, Origin::Gathered)?;
            }
        }
        // What a step carries belongs to it; only variables are the sequence's.
        for variable in sequence.global_variables.iter().filter(|variable| !variable.name.starts_with('_')) {
            environment.set(&variable.name, short(&variable.value), variable.hidden, Origin::Sequence)?;
        }
        for (name, value, secret) in variables {
            environment.set(name, value, *secret, Origin::Medium)?;
        }
        let mut dry = Dry {
            computer,
            environment,
            is_mdt: is_mdt(sequence),
            in_windows: false,
            has_system: false,
            windows: OldWindows::of(computer.windows.as_ref()),
            steps: Vec::new(),
        };
        let failed = dry.run(sequence)?;
        let variables = dry.environment.shown().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { steps: dry.steps, failed, variables })
    }

    /// For people: a line for each, with the reason of whatever does not run.
    pub fn report(&self) -> String {
        let (mut text, mut counts) = (String::new(), [0usize; 5]);
        for step in &self.steps {
            let (word, at) = match (&step.outcome, &step.place) {
                (Outcome::Skipped, _) => ("skipped", 3),
                (Outcome::Fails, _) => ("fails", 4),
                (Outcome::Runs, Some(place @ (Where::BootSystem | Where::Offline))) => (place.word(), 0),
                (Outcome::Runs, Some(place @ Where::FirstStart)) => (place.word(), 1),
                (Outcome::Runs, Some(place)) => (place.word(), 2),
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

/// A value that a variable can hold.
fn short(value: &str) -> &str {
    let end = value.char_indices().nth(crate::limits::MAX_VALUE).map_or(value.len(), |(at, _)| at);
    &value[..end]
}

fn is_mdt(sequence: &TaskSequence) -> bool {
    sequence
        .steps()
        .iter()
        .any(|entry| entry.step.kind == StepKind::Script || entry.step.kind.type_name().starts_with("BDD_"))
}

struct Dry<'c> {
    computer: &'c Computer,
    environment: Environment,
    is_mdt: bool,
    in_windows: bool,
    /// A system was put on the disk.
    has_system: bool,
    windows: OldWindows<'c>,
    steps: Vec<DryStep>,
}

impl<'c> Dry<'c> {
    fn run(&mut self, sequence: &TaskSequence) -> Result<Option<String>, EnvironmentError> {
        let mut run = Run::new(sequence);
        loop {
            let world = self.world();
            match run.next(world) {
                Next::Over(result) => return Ok(result.err().map(|failed| failed.path)),
                Next::Skipped { path, why, is_group } => {
                    let detail = if is_group { format!("with all that is in it: {why}") } else { why };
                    let (label, outcome) = (String::new(), Outcome::Skipped);
                    self.steps.push(DryStep { path, label, outcome, place: None, detail });
                }
                Next::Step { step, path, .. } => {
                    let place = step.runs(self.in_windows, self.has_system);
                    let place = if self.is_mdt { place.in_mdt() } else { place };
                    let can_run = !matches!(place, Where::Cannot { .. });
                    self.environment.set("_SMSTSCurrentActionName", &step.name, false, Origin::BuiltIn)?;
                    let done = if can_run { self.perform(step) } else { Ok(String::new()) };
                    let (outcome, detail) = match done {
                        Ok(detail) => (Outcome::Runs, detail),
                        Err(reason) => (Outcome::Fails, reason),
                    };
                    let code = i64::from(outcome == Outcome::Fails);
                    let succeeded = step.success_codes.first().copied().filter(|_| code == 0);
                    let label = step.label().to_owned();
                    self.steps.push(DryStep { path, label, outcome, place: Some(place), detail });
                    if run.ended(succeeded.unwrap_or(code), &mut self.environment)? != After::Retry {
                        self.travel(step)?;
                    }
                }
            }
        }
    }

    fn world(&self) -> World<'_> {
        World { environment: &self.environment, computer: self.computer, windows: self.windows }
    }

    /// What the boot system does itself to variables, and what it checks.
    fn perform(&mut self, step: &Step) -> Result<String, String> {
        let failed = |error: EnvironmentError| error.to_string();
        match step.kind {
            StepKind::SetVariable => {
                let Some((name, value)) = step.sets() else { return Ok(String::new()) };
                let secret = step.hides_what_it_sets() || self.environment.has_secret(value);
                let value = self.environment.expand(value);
                self.environment.set(name, &value, secret, Origin::Step).map_err(failed)?;
                Ok(self.shown(name))
            }
            StepKind::SetDynamicVariables => self.dynamic(step),
            StepKind::MdtGather => {
                self.computer.gathered(&mut self.environment).map_err(failed)?;
                Ok("make, model, firmware, form, memory, network".to_owned())
            }
            StepKind::CheckReadiness | StepKind::MdtValidate => self.check(step),
            StepKind::Script if step.label() == "MDT: Next Phase" => {
                let phase = self.environment.get("PHASE").unwrap_or_default();
                let at = PHASES.iter().position(|known| known.eq_ignore_ascii_case(phase));
                let next = at.map_or(PHASES[0], |at| PHASES.get(at + 1).copied().unwrap_or_default());
                self.environment.set("PHASE", next, false, Origin::Step).map_err(failed)?;
                Ok(self.shown("PHASE"))
            }
            StepKind::FormatAndPartitionDisk => {
                let named = |name| self.environment.property(step, name);
                let index = named("DiskIndex").or_else(|| named("DiskNumber")).unwrap_or_else(|| "0".to_owned());
                let disk = index.parse().ok().and_then(|index: usize| self.computer.disks.get(index));
                let disk = disk.ok_or_else(|| format!("there is no disk {index}"))?;
                Ok(format!("disk {index}: {} ({} MiB)", disk.model, disk.size_bytes >> 20))
            }
            _ => Ok(String::new()),
        }
    }

    fn shown(&self, name: &str) -> String {
        let shown = self.environment.expand_shown(&format!("%{name}%"));
        if self.environment.get(name).is_some() {
            format!("{name} = {shown:?}")
        } else {
            format!("{name} is taken away")
        }
    }

    fn dynamic(&mut self, step: &Step) -> Result<String, String> {
        let Some(rules) = step.dynamic_rules() else { return Err("its rules can't be read".to_owned()) };
        let mut set = Vec::new();
        for rule in rules {
            let world = self.world();
            if rule.condition.as_ref().is_some_and(|condition| !condition.evaluate(world).holds) {
                continue;
            }
            for variable in rule.variables {
                let secret = variable.secret || self.environment.has_secret(&variable.value);
                let value = self.environment.expand(&variable.value);
                let result = self.environment.set(&variable.name, &value, secret, Origin::Step);
                result.map_err(|error| error.to_string())?;
                set.push(variable.name);
            }
        }
        set.dedup();
        let shown: Vec<String> = set.iter().map(|name| self.shown(name)).collect();
        Ok(if shown.is_empty() { "no rule holds".to_owned() } else { shown.join(", ") })
    }

    /// Every check is made, and the first that fails is said.
    fn check(&self, step: &Step) -> Result<String, String> {
        let wanted = |switch: &str, name: &str| {
            let is_on = step.kind == StepKind::MdtValidate || self.is_on(step, switch);
            let value = self.environment.property(step, name).filter(|_| is_on)?;
            value.parse::<u64>().ok().filter(|&value| value > 0)
        };
        let memory = wanted("CheckMemory", "Memory").or_else(|| wanted("", "ImageMemory"));
        let speed = wanted("CheckProcessorSpeed", "ProcessorSpeed").or_else(|| wanted("", "ImageProcessorSpeed"));
        let disk = wanted("CheckFreeDiskSpace", "FreeDiskSpace").or_else(|| wanted("", "ImageSize"));
        let disk_mib = self.computer.disks.first().map_or(0, |disk| disk.size_bytes >> 20);
        let mut failed = Vec::new();
        for (what, wanted, found) in [
            ("MiB of memory", memory, u64::from(self.computer.memory_mib)),
            ("MHz", speed, u64::from(self.computer.processor_mhz)),
            ("MiB on disk 0", disk, disk_mib),
        ] {
            if wanted.is_some_and(|wanted| found < wanted) {
                failed.push(format!("expected {} {what}, found {found}", wanted.unwrap_or_default()));
            }
        }
        let mut unknown = "";
        if self.is_on(step, "CheckOSType") {
            let wanted = self.environment.property(step, "OSType").unwrap_or_else(|| "CLIENT".to_owned());
            match self.windows {
                OldWindows::Here(windows) => {
                    let found = if windows.is_server { "SERVER" } else { "CLIENT" };
                    if !wanted.eq_ignore_ascii_case(found) {
                        failed.push(format!("expected a Windows of type {wanted}, found {found}"));
                    }
                }
                OldWindows::Gone => failed.push(format!("expected a Windows of type {wanted}, found none any more")),
                OldWindows::Unknown => unknown = "; which Windows it has is not known",
            }
        }
        match failed.is_empty() {
            true => Ok(format!("the computer is ready{unknown}")),
            false => Err(failed.join("; ")),
        }
    }

    fn is_on(&self, step: &Step, switch: &str) -> bool {
        self.environment.property(step, switch).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// Which system runs after a step.
    fn travel(&mut self, step: &Step) -> Result<(), EnvironmentError> {
        self.has_system |= step.deploys_system();
        let has_partitioned = step.kind == StepKind::FormatAndPartitionDisk
            || step.script_label() == Some("MDT: Format and Partition Disk");
        if (step.deploys_system() || has_partitioned) && self.windows != OldWindows::Unknown {
            self.windows = OldWindows::Gone;
        }
        let before = self.in_windows;
        match step.kind {
            StepKind::SetupWindowsAndConfigMgr => self.in_windows = true,
            // MDT's restarts all name WinPE, and lead into what is on the disk.
            StepKind::RestartComputer => {
                self.in_windows = self.has_system && (self.is_mdt || !step.returns_to_boot_system());
            }
            StepKind::PrepareWindowsForCapture => self.in_windows = false,
            _ => {}
        }
        if before != self.in_windows {
            let word = if self.in_windows { "false" } else { "true" };
            self.environment.set("_SMSTSInWinPE", word, false, Origin::BuiltIn)?;
        }
        Ok(())
    }
}
