// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a sequence runs in, as far as it needs no machine: the computer's facts, the variables, and which system runs.
//!
//! A dry run has nothing else; the engine has a machine besides. So both do the same to variables, and decide the same.

use super::place::{NO_WAY_BACK, USERS_OF_WINDOWS};
use super::{Computer, Environment, EnvironmentError, OldWindows, Origin, Where, World};
use crate::{Step, StepKind, TaskSequence};

/// Phases of MDT's sequences, in their order.
const PHASES: [&str; 6] = ["VALIDATION", "STATECAPTURE", "PREINSTALL", "INSTALL", "POSTINSTALL", "STATERESTORE"];

/// The computer, the variables, and which system runs.
#[derive(Debug)]
pub struct Surroundings<'c> {
    /// What conditions ask about.
    pub computer: &'c Computer,
    /// The variables.
    pub environment: Environment,
    is_mdt: bool,
    in_deployed: bool,
    has_system: bool,
    windows: OldWindows<'c>,
}

impl<'c> Surroundings<'c> {
    /// Before the first step. `variables` are the medium's: name, value, and whether it is a secret.
    pub fn new(
        sequence: &TaskSequence,
        computer: &'c Computer,
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
        let windows = OldWindows::of(computer.windows.as_ref());
        let is_mdt = is_mdt(sequence);
        Ok(Self { computer, environment, is_mdt, in_deployed: false, has_system: false, windows })
    }

    /// Where a sequence stood before a restart: its variables as they were kept, whether the deployed system runs now,
    /// and whether a system had been put on the disk.
    pub fn resumed(
        sequence: &TaskSequence,
        computer: &'c Computer,
        environment: Environment,
        in_deployed: bool,
        has_system: bool,
    ) -> Self {
        let windows = if has_system { OldWindows::Gone } else { OldWindows::of(computer.windows.as_ref()) };
        Self { computer, environment, is_mdt: is_mdt(sequence), in_deployed, has_system, windows }
    }

    /// What conditions are decided by.
    pub fn world(&self) -> World<'_> {
        World { environment: &self.environment, computer: self.computer, windows: self.windows }
    }

    /// The deployed system runs, not the boot system.
    pub fn in_deployed(&self) -> bool {
        self.in_deployed
    }

    /// A system was put on the disk.
    pub fn has_system(&self) -> bool {
        self.has_system
    }

    /// Where a step runs that is next.
    pub fn place(&self, step: &Step) -> Where {
        let place = step.runs(self.in_deployed, self.has_system);
        let has_windows = matches!(self.windows, OldWindows::Here(_)) && !self.in_deployed;
        match place {
            Where::BootSystem if step.kind == StepKind::CaptureUserState && has_windows => USERS_OF_WINDOWS,
            Where::FirstStart if step.kind == StepKind::RestartComputer && !self.goes_on_deployed(step) => NO_WAY_BACK,
            place if self.is_mdt => place.in_mdt(),
            place => place,
        }
    }

    /// Does what a step does to variables, and what it checks; with what to say about it, or why it failed. None: the
    /// step does something to a machine.
    pub fn perform(&mut self, step: &Step) -> Option<Result<String, String>> {
        let failed = |error: EnvironmentError| error.to_string();
        Some(match step.kind {
            _ if step.sets().is_some() => {
                let (name, value) = step.sets()?;
                let secret = step.hides_what_it_sets() || self.environment.has_secret(value);
                let value = self.environment.expand(value);
                let result = self.environment.set(name, &value, secret, Origin::Step).map_err(failed);
                result.map(|()| self.shown(name))
            }
            StepKind::SetVariable => Ok(String::new()),
            StepKind::SetDynamicVariables => self.dynamic(step),
            StepKind::MdtGather => {
                let result = self.computer.gathered(&mut self.environment).map_err(failed);
                result.map(|()| "make, model, firmware, form, memory, network".to_owned())
            }
            StepKind::CheckReadiness | StepKind::MdtValidate => self.check(step),
            StepKind::RequestStateStore => {
                if self.environment.get("OSDStateStorePath").is_none() {
                    let own = self.environment.get("_SMSTSUserStatePath").unwrap_or_default().to_owned();
                    if let Err(error) = self.environment.set("OSDStateStorePath", &own, false, Origin::Step) {
                        return Some(Err(failed(error)));
                    }
                }
                Ok(self.shown("OSDStateStorePath"))
            }
            _ if step.script_label() == Some("MDT: Next Phase") => {
                let phase = self.environment.get("PHASE").unwrap_or_default();
                let at = PHASES.iter().position(|known| known.eq_ignore_ascii_case(phase));
                let next = at.map_or(PHASES[0], |at| PHASES.get(at + 1).copied().unwrap_or_default());
                let result = self.environment.set("PHASE", next, false, Origin::Step).map_err(failed);
                result.map(|()| self.shown("PHASE"))
            }
            _ => return None,
        })
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

    /// Whether the deployed system runs behind a step that succeeded.
    pub fn goes_on_deployed(&self, step: &Step) -> bool {
        match step.kind {
            StepKind::SetupWindowsAndConfigMgr => true,
            // MDT's restarts all name WinPE, and lead into what is on the disk.
            StepKind::RestartComputer => self.has_system && (self.is_mdt || !step.returns_to_boot_system()),
            StepKind::PrepareWindowsForCapture => false,
            _ => self.in_deployed,
        }
    }

    /// Which system runs after a step that succeeded.
    pub fn travel(&mut self, step: &Step) -> Result<(), EnvironmentError> {
        self.has_system |= step.deploys_system();
        if (step.deploys_system() || step.divides_disk()) && self.windows != OldWindows::Unknown {
            self.windows = OldWindows::Gone;
        }
        let before = self.in_deployed;
        self.in_deployed = self.goes_on_deployed(step);
        if before != self.in_deployed {
            let word = if self.in_deployed { "false" } else { "true" };
            self.environment.set("_SMSTSInWinPE", word, false, Origin::BuiltIn)?;
        }
        Ok(())
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
