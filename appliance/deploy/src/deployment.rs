// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a checked medium to a computer that starts from its own disk: disks, questions, the prestart command, the task
//! sequence, and how it ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use platen_deploy::engine::MEMORY_FOLDER;
use platen_deploy::engine::carry::{Carrier, End, EngineError, Home, Means};
use platen_deploy::engine::content::{ContentError, Contents};
use platen_deploy::engine::log;
use platen_deploy::engine::machine::{Machine, MachineError, Order, TargetDisk, Volume};
use platen_deploy::engine::state::{FOLDER, INSTALLED_BY, State, Store};
use platen_deploy::target::{Places, RealMachine};
use platen_events::Code;
use platen_media::manifest::Manifest;
use platen_media::policy::{DeploymentPolicy, SealingKey};
use platen_media::{LOGS_FOLDER, Timestamp, chain};
use platen_sequence::TaskSequence;
use platen_sequence::run::{Computer, EnvironmentError, Surroundings};

use crate::before::{self, Choice, NoDisk, shown};
use crate::full_page::{Doing, Failure};
use crate::log_copy;
use crate::report::Lines;
use crate::screen::{Mark, Screen};
use crate::volumes;

/// Entries of the log on the error screen.
const LOG_LINES: usize = 6;
/// How long the error screen of a failed step stands there: `SMSTSErrorDialogTimeout` of Configuration Manager, where the
/// sequence does not say another.
const ERROR_SCREEN: Duration = Duration::from_secs(900);
/// This program for a deployed Windows, among the programs of the boot image.
const WINDOWS_RUNNER: &str = "/usr/lib/platen/platen-deploy.exe";
/// Variables of a medium that say whose computers these are: Configuration Manager's, then MDT's.
const ORGANISATION: [&str; 2] = ["OSDRegisteredOrgName", "OrgName"];
/// What a prestart command's files are copied to.
const PRESTART_FOLDER: &str = "/run/platen/prestart";

/// A medium that was checked, where it is mounted and what it says.
pub(crate) struct Task<'m> {
    pub(crate) root: &'m Path,
    pub(crate) manifest: &'m Manifest,
    pub(crate) policy: &'m DeploymentPolicy,
    pub(crate) sequence: &'m TaskSequence,
    /// Name of the disk it is, such as `sda`.
    pub(crate) disk: &'m str,
    /// Where it is plugged in.
    pub(crate) port: &'m str,
}

/// What the computer does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It starts again.
    Restart,
    /// A person turns it off.
    Stay,
    /// A person turns it off, or this time does.
    OffAfter(Duration),
}

/// Why the sequence did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    /// There is no disk to install on.
    #[error(transparent)]
    NoDisk(NoDisk),
    /// Nobody answered a question.
    #[error("nobody can be asked: expected a keyboard or a serial line, found none")]
    NoInput,
    /// A person said no.
    #[error("stopped by a person before anything was changed")]
    Declined,
    /// The prestart command failed.
    #[error("prestart command: expected exit code 0, found {code}: {output}")]
    Prestart { code: i64, output: String },
    /// The prestart command was not run.
    #[error("prestart command")]
    PrestartNotRun(#[source] MachineError),
    /// Its files can't be used.
    #[error("prestart command's files")]
    PrestartFiles(#[source] ContentError),
    /// What it or somebody set is no variable.
    #[error("variables before the first step")]
    Variable(#[from] EnvironmentError),
    /// A disk that the sequence was given is not in the computer any more.
    #[error(
        "expected the disks that the task sequence began with, found others; connect them, or erase the disk by hand"
    )]
    OtherDisks,
    /// The volume on which the state stands can't be used.
    #[error("going on where the task sequence stood")]
    Resume(#[source] MachineError),
    /// The engine can't go on.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A step failed.
    #[error("step {path} failed with code {code:#x}")]
    Step { path: String, code: i64, log: Vec<String>, shown_for: Duration },
}

impl Stopped {
    fn code(&self) -> Code {
        match self {
            Self::NoDisk(_) | Self::OtherDisks => Code::TargetDisk,
            Self::PrestartFiles(ContentError::Changed { .. }) | Self::Engine(EngineError::Medium { .. }) => {
                Code::TargetTampered
            }
            Self::Engine(_) => Code::TargetFault,
            _ => Code::TargetStep,
        }
    }
}

/// Does all of it; whatever happens is on the screen when this ends.
pub(crate) fn run(task: &Task<'_>, now: fn() -> Timestamp, screen: &mut Screen<'_>) -> Leaving {
    let mut machine = RealMachine::look(Places::default(), Some(task.disk));
    let ended = deploy(task, now, &mut machine, screen);
    for note in machine.take_notes() {
        screen.step(Mark::Note, "Computer", &note);
    }
    let _ = machine.sync();
    if let Err(error) = machine.unmount_all() {
        screen.step(Mark::Note, "Computer", &chain(&error));
    }
    match ended {
        Ok(leaving) => leaving,
        Err(stopped) => {
            let code = stopped.code();
            screen.gap();
            let Manifest { id, .. } = task.manifest;
            screen.headline(Mark::Stop, &format!("PLATEN DEPLOYMENT STOPPED code={code} id={id} {}", chain(&stopped)));
            if let Stopped::Step { log, .. } = &stopped {
                for line in log {
                    screen.detail(line);
                }
            }
            screen.line(&code.sentence(task.port));
            screen.show(&failure(task, &stopped, &machine).page());
            match &stopped {
                // Nobody may be there, and a screen that stays on for days helps nobody.
                Stopped::Step { shown_for, .. } => Leaving::OffAfter(*shown_for),
                _ => Leaving::Stay,
            }
        }
    }
}

fn deploy(
    task: &Task<'_>,
    now: fn() -> Timestamp,
    machine: &mut RealMachine,
    screen: &mut Screen<'_>,
) -> Result<Leaving, Stopped> {
    let Task { manifest, policy, sequence, .. } = task;
    screen.gap();
    screen.page(&format!("{} {}", manifest.name, manifest.version));
    let key = policy.sealing_key();
    let earlier = if before::changes_disks(sequence) { earlier(machine, task, &key) } else { Earlier::Nothing };
    let (store, state) = match earlier {
        Earlier::State { volume, state } => {
            screen.step(Mark::Ok, "Going on", &format!("where it stood before, on {}", place(machine, &volume)));
            let root = on_its_disks(machine, &volume, &state)?;
            (Store::new(&root.join(FOLDER)), Some(*state))
        }
        Earlier::Installed { volume } => {
            screen.step(Mark::Note, "Disk", &format!("{} was installed from this medium", place(machine, &volume)));
            if !screen.wait_for_enter("Remove the medium and restart; or press Enter to install it once more.") {
                return Err(Stopped::NoInput);
            }
            (Store::new(Path::new(MEMORY_FOLDER)), None)
        }
        Earlier::Nothing => (Store::new(Path::new(MEMORY_FOLDER)), None),
    };
    let is_new = state.is_none();
    let was_left = state.as_ref().is_some_and(|state| state.in_deployed);
    if before::changes_disks(sequence) && is_new {
        take_disks(task, machine, screen)?;
    }
    let mut computer = machine.computer();
    if is_new {
        computer.answers = answers(task, machine, screen)?;
    }
    let end = carry(task, now, machine, screen, &computer, store, state)?;
    let leaving = finish(task, &end, machine, screen);
    if was_left && leaving == Leaving::Restart {
        // The firmware prefers the medium: without a person it would come here again and again.
        screen.wait_for_enter("Remove the medium, then press Enter to restart.");
    }
    Ok(leaving)
}

/// What an earlier start from this medium left on a disk.
enum Earlier {
    /// Where its sequence stands, and on which volume.
    State {
        volume: Volume,
        state: Box<State>,
    },
    /// A system that it installed.
    Installed {
        volume: Volume,
    },
    Nothing,
}

fn earlier(machine: &RealMachine, task: &Task<'_>, key: &SealingKey) -> Earlier {
    let Manifest { id, revision, .. } = task.manifest;
    let mut installed = None;
    for volume in machine.volumes() {
        let found = machine.peek(&volume, |root| {
            let folder = root.join(FOLDER);
            let by = std::fs::read_to_string(folder.join(INSTALLED_BY)).unwrap_or_default();
            // Of another medium, or one that can't be read: nothing to go on from.
            let state = Store::new(&folder).load(Some(key)).ok().flatten();
            (state.filter(|state| state.media_id == *id && state.revision == *revision), by)
        });
        match found {
            // A cursor for another sequence would be refused later.
            Some((Some(state), _))
                if platen_sequence::run::Run::resume(task.sequence, state.cursor.clone()).is_ok() =>
            {
                return Earlier::State { volume, state: Box::new(state) };
            }
            Some((_, by)) if by.trim() == installed_by(task.manifest) => installed = Some(volume),
            _ => {}
        }
    }
    installed.map_or(Earlier::Nothing, |volume| Earlier::Installed { volume })
}

/// Gives the sequence the disks that it had, and mounts the volume on which the state was found.
fn on_its_disks(machine: &mut RealMachine, volume: &Volume, state: &State) -> Result<PathBuf, Stopped> {
    let name = machine.disks().get(volume.disk).map(|disk| disk.name.clone()).unwrap_or_default();
    let disks = before::again(machine.disks(), &state.disks).ok_or(Stopped::OtherDisks)?;
    let disk = disks.iter().position(|disk| disk.name == name).ok_or(Stopped::OtherDisks)?;
    machine.take_disks(disks);
    machine.root(&Volume { disk, ..volume.clone() }).map_err(Stopped::Resume)
}

fn installed_by(manifest: &Manifest) -> String {
    format!("{} revision {}", manifest.id, manifest.revision)
}

fn place(machine: &RealMachine, volume: &Volume) -> String {
    let disk = machine.disks().get(volume.disk).map(|disk| disk.name.clone()).unwrap_or_default();
    format!("partition {} of {disk}", volume.partition)
}

/// Gives the sequence its disks: by the rule, or as a person says.
fn take_disks(task: &Task<'_>, machine: &mut RealMachine, screen: &mut Screen<'_>) -> Result<(), Stopped> {
    let rule = task.policy.target_disk.as_ref();
    let choice = before::choose(machine.disks().to_vec(), rule, task.manifest.unattended);
    let disks = match choice.map_err(Stopped::NoDisk)? {
        Choice::Disks(disks) => disks,
        Choice::Ask(disks) => vec![asked_disk(disks, before::erases_disks(task.sequence), screen)?],
    };
    for disk in &disks {
        screen.step(Mark::Ok, "Disk", &shown(disk));
    }
    machine.take_disks(disks);
    Ok(())
}

/// A person says which disk is erased or changed, by its name: a number alone is typed too easily.
fn asked_disk(disks: Vec<TargetDisk>, erases: bool, screen: &mut Screen<'_>) -> Result<TargetDisk, Stopped> {
    let what = match erases {
        true => "everything on the disk that you name is erased:",
        false => {
            "a volume of the disk that you name gets another system; what the sequence does not keep of it is erased:"
        }
    };
    screen.step(Mark::Note, "Disk", what);
    for disk in &disks {
        screen.detail(&shown(disk));
    }
    for _ in 0..3 {
        let answer = screen.ask(|_| "Name of the disk (Enter alone stops):".to_owned()).ok_or(Stopped::NoInput)?;
        if answer.trim().is_empty() {
            break;
        }
        if let Some(disk) = disks.iter().find(|disk| disk.name == answer.trim()) {
            return Ok(disk.clone());
        }
        screen.step(Mark::Note, "Disk", &format!("there is no disk {:?} here", answer.trim()));
    }
    Err(Stopped::Declined)
}

/// What the medium leaves open, and what the prestart command says. The later of two counts.
fn answers(
    task: &Task<'_>,
    machine: &mut RealMachine,
    screen: &mut Screen<'_>,
) -> Result<Vec<(String, String)>, Stopped> {
    let mut answers = prestart(task, machine, screen)?;
    let open = |name: &str| !answers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let variables = task.policy.variables.iter().filter(|variable| variable.value.is_empty() && open(&variable.name));
    let names: Vec<String> = variables.map(|variable| variable.name.clone()).collect();
    if !names.is_empty() && task.manifest.unattended {
        // Nobody is asked on unattended media.
        screen.step(Mark::Note, "Variables", &format!("left empty: {}", names.join(", ")));
        return Ok(answers);
    }
    for name in names {
        let value = screen.ask(|keys| format!("{name} ({keys} keys):")).ok_or(Stopped::NoInput)?;
        answers.push((name, value.trim().to_owned()));
    }
    Ok(answers)
}

fn prestart(
    task: &Task<'_>,
    machine: &mut RealMachine,
    screen: &mut Screen<'_>,
) -> Result<Vec<(String, String)>, Stopped> {
    let Some(prestart) = &task.policy.prestart else { return Ok(Vec::new()) };
    screen.progress("Prestart", &prestart.command);
    let contents = Contents::new(task.root, task.manifest, task.policy);
    let folder = match &prestart.files {
        None => None,
        Some(files) => {
            let to = PathBuf::from(PRESTART_FOLDER);
            contents.copy(files, &to, &mut |_| {}).map_err(Stopped::PrestartFiles)?;
            Some(to)
        }
    };
    let variables = task.policy.variables.iter().filter(|variable| !variable.secret);
    let variables = variables.map(|variable| (variable.name.clone(), variable.value.clone())).collect();
    let order = Order { line: prestart.command.clone(), folder, variables, limit: None };
    let ended = machine.run(&order).map_err(Stopped::PrestartNotRun)?;
    if ended.code != 0 {
        return Err(Stopped::Prestart { code: ended.code, output: ended.output.trim().to_owned() });
    }
    let set = before::assignments(&ended.output);
    let names: Vec<&str> = set.iter().map(|(name, _)| &**name).collect();
    let names = if names.is_empty() { "no variable".to_owned() } else { names.join(", ") };
    screen.step(Mark::Ok, "Prestart", &format!("set {names}"));
    Ok(set)
}

fn carry(
    task: &Task<'_>,
    now: fn() -> Timestamp,
    machine: &mut RealMachine,
    screen: &mut Screen<'_>,
    computer: &Computer,
    store: Store,
    state: Option<State>,
) -> Result<End, Stopped> {
    let Task { root, manifest, policy, sequence, .. } = task;
    let variables: Vec<(String, String, bool)> = policy
        .variables
        .iter()
        .map(|variable| (variable.name.clone(), variable.value.clone(), variable.secret))
        .collect();
    let surroundings = Surroundings::new(sequence, computer, &variables)?;
    let contents = Contents::new(root, manifest, policy);
    let home = Home::Medium {
        contents,
        policy,
        runner: Path::new("/proc/self/exe"),
        windows_runner: Path::new(WINDOWS_RUNNER),
        memory: Path::new(MEMORY_FOLDER),
    };
    let media = (manifest.id.clone(), manifest.revision);
    let mut lines = Lines::on(screen, page(task));
    let carrier =
        Carrier::begin(sequence, surroundings, home, media, Means { machine, report: &mut lines, store, now });
    let mut carrier = match state {
        Some(state) => carrier.resume(state)?,
        None => carrier,
    };
    let end = carrier.carry();
    let folder = carrier.folder().to_owned();
    let name = log_copy::name(&manifest.id, &computer.serial_number, now());
    let is_over = !matches!(end, Ok(End::Restart));
    let end = match (end, carrier.variable("SMSTSErrorDialogTimeout").map(str::to_owned)) {
        (Ok(End::Failed { path, code }), timeout) => {
            let seconds = timeout.and_then(|text| text.trim().parse().ok());
            let shown_for = seconds.map_or(ERROR_SCREEN, Duration::from_secs);
            Err(Stopped::Step { path, code, log: log::last(&folder, LOG_LINES), shown_for })
        }
        (end, _) => end.map_err(Stopped::from),
    };
    if is_over {
        keep_log(root, &folder, &name, screen);
    }
    let end = end?;
    match end {
        End::StartFromDisk => {
            let text = format!("{}\n", installed_by(manifest));
            Store::new(&folder).keep_file(INSTALLED_BY, text.as_bytes()).map_err(EngineError::State)?;
            Ok(End::StartFromDisk)
        }
        end => Ok(end),
    }
}

/// Whoever brings the drive back brings the log along. A drive that takes none is used all the same.
fn keep_log(medium: &Path, state: &Path, name: &str, screen: &mut Screen<'_>) {
    match volumes::writing(medium, || log_copy::keep(medium, &state.join(log::LOG), name)) {
        Ok(()) => screen.step(Mark::Ok, "Log", &format!("also on the medium, in {LOGS_FOLDER}/{name}")),
        Err(error) => screen.step(Mark::Note, "Log", &format!("not copied to the medium: {error}")),
    }
}

/// The page of a sequence that stopped.
fn failure(task: &Task<'_>, stopped: &Stopped, machine: &RealMachine) -> Failure {
    let Manifest { id, revision, name, version, .. } = task.manifest;
    let code = stopped.code();
    let (log, step) = match stopped {
        Stopped::Step { path, log, .. } => (log.clone(), number_of(task.sequence, path)),
        Stopped::Engine(EngineError::Medium { path, .. }) => (Vec::new(), number_of(task.sequence, path)),
        _ => (Vec::new(), None),
    };
    let step = step.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let serial_number = machine.computer().serial_number;
    let serial_number = if serial_number.is_empty() { "-" } else { &serial_number };
    let status = match stopped {
        Stopped::Step { code, .. } => format!(" {:08X}", code & 0xffff_ffff),
        _ => String::new(),
    };
    Failure {
        code,
        medium: (name.clone(), version.clone()),
        reason: chain(stopped),
        log,
        computer: match stopped {
            Stopped::Step { .. } | Stopped::Engine(_) | Stopped::Resume(_) => {
                "This computer's disk is not ready for use."
            }
            _ => "Nothing was written to this computer.",
        },
        // Capitals, which a code holds twice as many of.
        reference: Some(format!("{code} {id}/{revision} STEP {step}{status} SN {serial_number}").to_uppercase()),
    }
}

/// A step's number, as the page of its progress showed it.
fn number_of(sequence: &TaskSequence, path: &str) -> Option<usize> {
    sequence.steps().iter().position(|entry| entry.path == path).map(|at| at + 1)
}

/// What a page says all the time.
fn page(task: &Task<'_>) -> Doing {
    let Task { manifest, policy, .. } = task;
    let is_organisation = |name: &str| ORGANISATION.iter().any(|known| known.eq_ignore_ascii_case(name));
    let organisation = policy.variables.iter().find(|it| is_organisation(&it.name) && !it.secret);
    let until = manifest.validity.until.map_or_else(String::new, |until| format!(", valid until {until}"));
    Doing {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        organisation: organisation.map(|variable| variable.value.clone()).unwrap_or_default(),
        medium: format!("Medium {} revision {}{until}", manifest.id, manifest.revision),
        step: (0, 0),
        step_name: String::new(),
        share: None,
        left: None,
    }
}

fn finish(task: &Task<'_>, end: &End, machine: &mut RealMachine, screen: &mut Screen<'_>) -> Leaving {
    let Manifest { id, version, revision, .. } = task.manifest;
    let _ = machine.sync();
    screen.leave_page();
    screen.gap();
    if *end == End::Restart {
        screen.line("The computer restarts now, and goes on from the medium. Leave it in.");
        return Leaving::Restart;
    }
    screen.headline(Mark::Ok, &format!("PLATEN DEPLOYMENT OK id={id} version={version} revision={revision}"));
    if *end == End::StartFromDisk {
        screen.line("The computer restarts now. Remove the medium.");
        return Leaving::Restart;
    }
    Leaving::Stay
}
