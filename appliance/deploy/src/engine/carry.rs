// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The way through a sequence: what comes next, where it runs, how it ended, and what is kept of that.
//!
//! The decisions are the dry run's ([`Run`], [`Surroundings`]); this adds the machine. Before a step and after it the
//! state is kept, so that a computer that loses its power goes on with the step that was under way.

use std::path::{Path, PathBuf};

use platen_media::Timestamp;
use platen_media::policy::{DeploymentPolicy, SealingKey, Software};
use platen_sequence::run::{
    After, Cursor, CursorError, Environment, EnvironmentError, KeptVariable, Next, Origin, Run, Surroundings, Where,
};
use platen_sequence::{Entry, Step, StepKind, TaskSequence};

use super::content::{ContentError, Contents};
use super::log::{self, Level};
use super::machine::{Machine, MachineError, Progress, Volume};
use super::state::{State, StateError, Store};

pub use platen_sequence::run::FAILED_CODE as FAILED;

/// Where a person sees how far a sequence is.
pub trait Report {
    /// A step begins: its number from 1, of how many, its path and its name.
    fn begins(&mut self, number: usize, of: usize, path: &str, name: &str);
    /// How far something long in it is.
    fn progress(&mut self, what: &str, progress: Progress);
    /// A step ended, or a group was passed over; secrets are masked.
    fn ended(&mut self, level: Level, path: &str, detail: &str);
}

/// Where a sequence is carried out.
#[derive(Debug)]
pub enum Home<'m> {
    /// On the boot system, with the medium at hand.
    Medium {
        /// What is on it.
        contents: Contents<'m>,
        /// What it says.
        policy: &'m DeploymentPolicy,
        /// This program, for the deployed system.
        runner: &'m Path,
        /// The same for a deployed Windows.
        windows_runner: &'m Path,
        /// Where the state stands as long as no volume is formatted.
        memory: &'m Path,
    },
    /// On the deployed system: contents were copied to the state's folder.
    Deployed {
        /// The applications and packages that were taken along.
        software: TakenAlong,
    },
}

/// What the deployed system needs of the policy.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TakenAlong {
    /// In installation order.
    pub applications: Vec<Software>,
    /// All of the medium.
    pub packages: Vec<Software>,
}

/// How a way through a sequence ended, as far as this system is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The last step was done.
    Finished,
    /// It goes on after a restart into this same system.
    Restart,
    /// It goes on when the computer starts from its own disk.
    StartFromDisk,
    /// It failed.
    Failed {
        /// Path of the step.
        path: String,
        /// The step's exit code.
        code: i64,
    },
}

/// Why a sequence can't go on at all. Steps that fail are no such reason: they end with a code.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Where it stands can't be kept.
    #[error("keeping where the task sequence stands")]
    State(#[from] StateError),
    /// A variable that the engine sets.
    #[error("setting the task sequence's own variables")]
    Environment(#[from] EnvironmentError),
    /// Kept for another sequence.
    #[error("going on where the task sequence stood")]
    Cursor(#[from] CursorError),
    /// The medium is not what was signed: no step's own failure, and nothing that a sequence may pass over.
    #[error("step {path}")]
    Medium {
        /// Path of the step that would have used it.
        path: String,
        /// Which file.
        source: ContentError,
    },
}

/// Why a step was not done. It is the step's result, not the engine's end.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("{0}")]
    Said(String),
}

/// How a step was done: its exit code, and what to say.
pub(super) struct Done {
    /// None: it was no command, and succeeded.
    pub(super) code: Option<i64>,
    pub(super) detail: String,
    /// The computer is to be started from its own disk before the next step.
    pub(super) leaves_boot_system: bool,
}

impl Done {
    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self { code: None, detail: detail.into(), leaves_boot_system: false }
    }
}

/// What a carrier works with.
pub struct Means<'a> {
    /// The machine that the sequence changes.
    pub machine: &'a mut dyn Machine,
    /// Where a person sees how far it is.
    pub report: &'a mut dyn Report,
    /// Where it keeps how far it is.
    pub store: Store,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// A sequence on its way on a machine.
pub struct Carrier<'a> {
    pub(super) machine: &'a mut dyn Machine,
    pub(super) report: &'a mut dyn Report,
    pub(super) home: Home<'a>,
    pub(super) store: Store,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) sequence: &'a TaskSequence,
    /// The volume a system was put on.
    pub(super) system: Option<Volume>,
    pub(super) volumes: Vec<Volume>,
    steps: Vec<Entry<'a>>,
    run: Run<'a>,
    media: (String, u32),
    now: fn() -> Timestamp,
}

impl<'a> Carrier<'a> {
    /// From the first step, of a sequence that came with this medium: its id and revision.
    pub fn begin(
        sequence: &'a TaskSequence,
        surroundings: Surroundings<'a>,
        home: Home<'a>,
        media: (String, u32),
        means: Means<'a>,
    ) -> Self {
        let Means { machine, report, store, now } = means;
        let (run, steps) = (Run::new(sequence), sequence.steps());
        let (system, volumes) = (None, Vec::new());
        Self { machine, report, home, store, surroundings, sequence, system, volumes, steps, run, media, now }
    }

    /// From where the state says; it is of this sequence, and the store is where it was found.
    pub fn resume(mut self, state: State) -> Result<Self, EngineError> {
        self.run = Run::resume(self.sequence, state.cursor)?;
        self.machine.adopt(&state.volumes);
        let environment = Environment::of_kept(&state.variables)?;
        let computer = self.surroundings.computer;
        let (in_deployed, has_system) = (state.in_deployed, state.system.is_some());
        self.surroundings = Surroundings::resumed(self.sequence, computer, environment, in_deployed, has_system);
        (self.volumes, self.system) = (state.volumes, state.system);
        Ok(self)
    }

    /// Does one step after the other, up to the end, a failure or a restart.
    pub fn carry(&mut self) -> Result<End, EngineError> {
        self.set("_SMSTSMDataPath", &self.store.folder().display().to_string())?;
        if matches!(self.home, Home::Medium { .. }) && self.surroundings.in_deployed() {
            // The power was cut when all was kept for the deployed system, and the disk did not start yet.
            return self.leave();
        }
        loop {
            match self.run.next(self.surroundings.world()) {
                Next::Over(Ok(())) => return self.over(),
                Next::Over(Err(failed)) => return Ok(End::Failed { path: failed.path, code: failed.code }),
                Next::Skipped { path, why, is_group } => {
                    let what = if is_group { "group passed over" } else { "passed over" };
                    self.note(Level::Information, &path, &format!("{what}: {why}"));
                }
                Next::Step { step, path, .. } => {
                    if let Some(end) = self.next_step(step, &path)? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    fn next_step(&mut self, step: &'a Step, path: &str) -> Result<Option<End>, EngineError> {
        self.set("_SMSTSCurrentActionName", &step.name)?;
        self.keep()?;
        let number = self.steps.iter().position(|entry| std::ptr::eq(entry.step, step)).map_or(0, |at| at + 1);
        self.report.begins(number, self.steps.len(), path, &step.name);
        let done = match self.surroundings.place(step) {
            Where::Cannot { why, todo } => Err(StepError::Said(format!("{why}; {todo}"))),
            _ => self.perform(step),
        };
        let (code, detail, leaves) = match done {
            Ok(done) => (done.code.unwrap_or_else(|| step.success_code()), done.detail, done.leaves_boot_system),
            Err(error) => (FAILED, platen_media::chain(&self.unless_changed(path, error)?), false),
        };
        let restarts = step.kind == StepKind::RestartComputer || leaves;
        let after = self.run.ended(code, &mut self.surroundings.environment)?;
        let (level, word) = match &after {
            After::Failed => (Level::Error, format!("failed with code {}", shown(code))),
            After::Forgiven => (Level::Warning, format!("failed with code {}, and the sequence goes on", shown(code))),
            After::GroupForgiven { path } => {
                (Level::Warning, format!("failed with code {}, and with it {path}, which goes on", shown(code)))
            }
            After::Retry => (Level::Warning, format!("failed with code {}, and is tried again", shown(code))),
            After::Restart => (Level::Information, "done; a restart follows".to_owned()),
            After::GoOn => (Level::Information, "done".to_owned()),
        };
        let separator = if detail.is_empty() { "" } else { ": " };
        self.note(level, path, &format!("{word}{separator}{detail}"));
        if step.succeeds_with(code) {
            self.surroundings.travel(step)?;
        }
        self.keep()?;
        let is_restart = after == After::Restart || (restarts && matches!(after, After::GoOn));
        Ok(match (is_restart, leaves) {
            (false, _) => None,
            (true, true) => Some(self.leave()?),
            (true, false) => Some(End::Restart),
        })
    }

    /// All that the deployed system needs is on the disk; only now it starts from it.
    fn leave(&mut self) -> Result<End, EngineError> {
        let path = "Start from the disk";
        match self.make_bootable() {
            Ok(detail) => {
                self.note(Level::Information, path, &detail);
                Ok(End::StartFromDisk)
            }
            Err(error) => {
                let error = self.unless_changed(path, error)?;
                self.note(Level::Error, path, &platen_media::chain(&error));
                Ok(End::Failed { path: path.to_owned(), code: FAILED })
            }
        }
    }

    /// A step's error, unless it is the medium's: then nothing goes on.
    fn unless_changed(&mut self, path: &str, error: StepError) -> Result<StepError, EngineError> {
        match error {
            StepError::Content(source @ ContentError::Changed { .. }) => {
                self.note(Level::Error, path, &platen_media::chain(&source));
                Err(EngineError::Medium { path: path.to_owned(), source })
            }
            other => Ok(other),
        }
    }

    /// Behind the last step. A system that was put on the disk and never started is made to start.
    fn over(&mut self) -> Result<End, EngineError> {
        let is_waiting = self.surroundings.has_system() && !self.surroundings.in_deployed();
        let end = if is_waiting { self.leave()? } else { End::Finished };
        if !matches!(end, End::Failed { .. }) {
            self.note(Level::Information, "End of the task sequence", "done");
            self.store.clear()?;
        }
        Ok(end)
    }

    /// A variable as it is now.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.surroundings.environment.get(name)
    }

    /// Where the state stands now.
    pub fn folder(&self) -> &Path {
        self.store.folder()
    }

    /// Which step is under way: a try of it that a power cut ended has the same.
    pub(super) fn cursor(&self) -> &Cursor {
        self.run.cursor()
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), EnvironmentError> {
        self.surroundings.environment.set(name, value, false, Origin::BuiltIn)
    }

    /// Says and logs what a step came to. A log that can't be written stops nothing.
    fn note(&mut self, level: Level, path: &str, detail: &str) {
        let detail = self.surroundings.environment.masked(detail);
        self.report.ended(level, path, &detail);
        let _ = log::add(self.store.folder(), (self.now)(), level, &format!("{path}: {detail}"));
    }

    /// Keeps where the sequence stands.
    pub(super) fn keep(&mut self) -> Result<(), StateError> {
        self.keep_for(self.surroundings.in_deployed())
    }

    /// The same for the system that goes on: on the deployed one there is no medium that could open a seal.
    pub(super) fn keep_for(&mut self, in_deployed: bool) -> Result<(), StateError> {
        let kept = self.surroundings.environment.kept();
        let (secrets, variables): (Vec<KeptVariable>, _) = kept.into_iter().partition(|variable| variable.secret);
        let state = State {
            schema: 1,
            media_id: self.media.0.clone(),
            revision: self.media.1,
            cursor: self.run.cursor().clone(),
            in_deployed,
            volumes: self.volumes.clone(),
            system: self.system.clone(),
            disks: self.machine.disks().to_vec(),
            variables,
            sealed: None,
        };
        let key: Option<SealingKey> = match &self.home {
            Home::Medium { policy, .. } if !in_deployed => Some(policy.sealing_key()),
            _ => None,
        };
        self.store.keep(state, secrets, key.as_ref())
    }

    /// Moves the state to a volume's root.
    pub(super) fn move_state(&mut self, root: PathBuf) -> Result<(), StepError> {
        self.store.move_to(&root.join(super::state::FOLDER))?;
        self.set("_SMSTSMDataPath", &self.store.folder().display().to_string())?;
        Ok(())
    }
}

/// Small codes in decimal, Windows' own in hexadecimal.
fn shown(code: i64) -> String {
    if (0..0x1_0000).contains(&code) { code.to_string() } else { format!("{:#010x}", code & 0xffff_ffff) }
}
