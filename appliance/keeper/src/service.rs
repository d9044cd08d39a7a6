// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The service: everything is prepared, left to right, and then what comes in is decided and done until the end.
//!
//! Whatever is missing on the way costs what needs it and nothing else: a box that shows a kiosk and a reason is worth more
//! than one that is dark.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use platen_events::{Code, DataState, SystemState, UpdateState};

use crate::bundle::{self, Running};
use crate::core::{Effect, Input, Keeper};
use crate::disk::Disk;
use crate::error::{KeeperError, in_full};
use crate::files::MachineFiles;
use crate::kernel::{self, BootPartition};
use crate::log::Log;
use crate::places::{Places, USER};
use crate::program::{self, Stdin};
use crate::serve::Server;
use crate::slots::{BootState, Slot, Store, grub::Grub, uboot::Uboot};
use crate::station::{Owner, Station, command};
use crate::version::{Version, raise_floor, read_floor};
use crate::{data, settings};

/// How often the station is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const UDEV_PATIENCE: Duration = Duration::from_secs(60);
const CHECK_PATIENCE: Duration = Duration::from_secs(30);

/// What runs here.
struct System {
    board: String,
    version: Version,
    slot: Slot,
}

impl System {
    /// As the image says (os-release(5)) and the boot loader.
    fn read(places: &Places) -> Result<Self, KeeperError> {
        let path = places.os_release();
        let text = fs::read_to_string(&path).map_err(KeeperError::file(&path, "read it"))?;
        let values: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let value = |name: &str, expected| {
            let value = values.get(name).map(|value| value.trim_matches(['"', '\'']).to_owned());
            value.ok_or_else(|| KeeperError::Content { path: path.clone(), expected, found: "none".to_owned() })
        };
        Ok(Self {
            board: value("VARIANT_ID", "the board as VARIANT_ID")?,
            version: Version::parse(&value("VERSION_ID", "the release as VERSION_ID")?)?,
            slot: slot(places)?,
        })
    }
}

/// The slot that runs.
pub fn slot(places: &Places) -> Result<Slot, KeeperError> {
    let path = places.command_line();
    Slot::running(&fs::read_to_string(&path).map_err(KeeperError::file(&path, "read it"))?)
}

/// Where this board's boot loader keeps what it knows.
pub fn store(places: &Places) -> Arc<dyn Store> {
    if places.uboot_config().exists() {
        return Arc::new(Uboot { lock: places.boot_lock(), config: places.uboot_config() });
    }
    Arc::new(Grub {
        path: places.grubenv(),
        files: Arc::new(MachineFiles),
        partition: Arc::new(BootPartition::mounted(places.boot())),
        lock: places.boot_lock(),
    })
}

/// Something went wrong that others can do without.
fn tolerate<T>(what: &str, result: Result<T, KeeperError>) -> Option<T> {
    result.map_err(|error| tracing::error!("{what}: {}", in_full(&error))).ok()
}

/// What is done to the machine when something was decided.
struct Service {
    places: Places,
    system: System,
    owner: Owner,
    store: Arc<dyn Store>,
    disk: Option<Disk>,
    log: Arc<Log>,
    server: Server,
    station: Station,
    watchdog: Option<File>,
    inputs: Sender<Input>,
}

/// Keep the system until it ends, or this program is to.
pub fn run(places: Places, log: Arc<Log>) -> Result<(), KeeperError> {
    let began = Instant::now();
    let (inputs, received) = mpsc::channel();
    wait_for_signals(inputs.clone())?;
    let system = System::read(&places)?;
    tracing::info!("{} {} runs from slot {}", system.board, system.version, system.slot);
    // Without its user the station would run with all rights; an image without one is given up for the other slot.
    let owner = Owner::by_name(USER)?;
    let disk = tolerate("the system's disk", Disk::below_root(&places));
    if let Some(disk) = &disk {
        tolerate("links to partitions", disk.link(&places.disk()));
        let boot = disk.partition("PLATEN-BOOT");
        tolerate("the boot partition", boot.and_then(|boot| BootPartition::mount(&boot.device, places.boot())));
    }
    let data = open_data(&places, disk.as_ref());
    tolerate("folders", data::make_folders(&places, owner));
    tolerate("the log", log.open(&places.log()).map_err(KeeperError::file(&places.log(), "open the log")));
    tolerate("settings", settings::prepare(&places, &|| check_settings(&places, &system.board)));
    tell_udev();
    let store = store(&places);
    let boot = tolerate("the boot loader's variables", store.read()).unwrap_or_default();
    let state = describe(&system, &boot, data);
    let is_on_trial = !boot.was_healthy(system.slot);
    if is_on_trial {
        tracing::info!("this system is new here, and has to come up well");
    }
    let server = Server::start(&places.socket(), owner, inputs.clone())?;
    let station = Station::new(&places, owner, Arc::clone(&log))?;
    let watchdog = open_watchdog(&places.watchdog());
    let mut service = Service { places, system, owner, store, disk, log, server, station, watchdog, inputs };
    service.grow();
    service.keep(began, &received, state, is_on_trial);
    Ok(())
}

fn open_data(places: &Places, disk: Option<&Disk>) -> DataState {
    let device = disk.and_then(|disk| tolerate("the disk for data", disk.partition("data")));
    let opened = match &device {
        Some(data) => data::open(&data.device, &places.data()),
        None => data::in_memory(&places.data()).map(|()| DataState::Broken),
    };
    tolerate("the disk for data", opened).unwrap_or(DataState::Broken)
}

fn check_settings(places: &Places, board: &str) -> Result<(), KeeperError> {
    let mut command = station_command(places, board);
    command.arg("check-config");
    program::finish("platend", command, Stdin::Nothing, CHECK_PATIENCE)?.successful().map(drop)
}

/// The station, as it is started on a box.
fn station_command(places: &Places, board: &str) -> std::process::Command {
    let mut command = command(&places.platend);
    command.arg("--config").arg(places.settings().join("station.toml"));
    command.arg("--board").arg(places.board_file(board)).args(["--panel", "board"]);
    command
}

/// Which sockets are the station's stands in the settings, which were not there when udev saw the drives in them first.
fn tell_udev() {
    for arguments in [
        ["trigger", "--action=change", "--subsystem-match=block", "--subsystem-match=usb"].as_slice(),
        &["settle", "--timeout=30"],
    ] {
        let ran = program::run("udevadm", arguments, Stdin::Nothing, UDEV_PATIENCE);
        tolerate("udev", ran.and_then(program::Finished::successful));
    }
}

fn describe(system: &System, boot: &BootState, data: DataState) -> SystemState {
    let other = system.slot.other();
    let other_version = || boot.slot(other).version.clone().unwrap_or_else(|| "unknown".to_owned());
    let came_back = |what| {
        let text =
            format!("{} in slot {other} {what}; {} in slot {} runs", other_version(), system.version, system.slot);
        UpdateState::Refused { code: Code::UpdateCameBack.into(), text }
    };
    let update = if boot.has_come_back(system.slot) {
        came_back("did not come up well")
    } else if boot.is_passed_over(system.slot) {
        came_back("used up its starts, and is tried once more at the next one")
    } else if boot.is_waiting(system.slot) {
        UpdateState::Installed { version: other_version() }
    } else {
        UpdateState::None
    };
    SystemState {
        board: system.board.clone(),
        version: system.version.to_string(),
        slot: system.slot.letter().to_owned(),
        other_version: boot.startable_version(other).map(str::to_owned),
        data,
        update,
    }
}

/// The kernel begins to count as soon as it is opened.
fn open_watchdog(path: &Path) -> Option<File> {
    let opened = OpenOptions::new().write(true).open(path);
    opened.map_err(|error| tracing::warn!("{}: no watchdog: {error}", path.display())).ok()
}

/// Before any other thread is started, so that none of them is interrupted. Programs that are started inherit it: they are
/// killed where they must be, and the station hears signals again.
fn wait_for_signals(inputs: Sender<Input>) -> Result<(), KeeperError> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block().map_err(|error| KeeperError::program("platen-keeper", error))?;
    thread::spawn(move || {
        while signals.wait().is_ok() {
            if inputs.send(Input::Terminate).is_err() {
                return;
            }
        }
    });
    Ok(())
}

impl Service {
    fn keep(&mut self, began: Instant, received: &Receiver<Input>, state: SystemState, is_on_trial: bool) {
        let now_ms = || began.elapsed().as_millis() as u64;
        let (mut keeper, effects) = Keeper::new(now_ms(), state, is_on_trial);
        let mut follow = self.carry_out(&keeper, effects);
        while let Some(inputs) = follow {
            let mut inputs = inputs;
            match received.recv_timeout(if inputs.is_empty() { LOOK_EVERY } else { Duration::ZERO }) {
                Ok(input) => inputs.push(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            inputs.extend(self.station.look());
            inputs.push(Input::Tick);
            follow = Some(Vec::new());
            for input in inputs {
                let effects = keeper.step(now_ms(), input);
                match (&mut follow, self.carry_out(&keeper, effects)) {
                    (Some(all), Some(more)) => all.extend(more),
                    _ => return,
                }
            }
        }
    }

    /// None: this was the end.
    fn carry_out(&mut self, keeper: &Keeper, effects: Vec<Effect>) -> Option<Vec<Input>> {
        let mut inputs = Vec::new();
        for effect in effects {
            match effect {
                Effect::StartStation => {
                    let command = station_command(&self.places, &self.system.board);
                    if let Err(error) = self.station.start(command, &self.places) {
                        inputs.push(Input::NotStarted(error.to_string()));
                    }
                }
                Effect::EndStation => self.station.signal(Signal::SIGTERM),
                Effect::KillStation => self.station.signal(Signal::SIGKILL),
                Effect::Pet => self.pet(),
                Effect::MarkHealthy => inputs.extend(self.mark_healthy(keeper.state().data)),
                Effect::Tell => self.server.tell(keeper.state()),
                Effect::Look => self.look(),
                Effect::Install => self.install(keeper.state()),
                Effect::MakeDataAnew => {
                    inputs.push(Input::DataMade(self.make_data_anew().map_err(|error| in_full(&error))))
                }
                Effect::Exit => return None,
                Effect::EndMachine(end) => {
                    tracing::info!("the machine ends: {end:?}");
                    self.take_disks_away();
                    tracing::error!("the machine does not end: {}", kernel::end(end));
                    return None;
                }
                Effect::Say(text) => tracing::warn!("{text}"),
            }
        }
        Some(inputs)
    }

    fn pet(&mut self) {
        if let Some(watchdog) = &mut self.watchdog
            && let Err(error) = watchdog.write_all(b"\0")
        {
            tracing::error!("the watchdog: {error}");
        }
    }

    fn mark_healthy(&self, data: DataState) -> Option<Input> {
        let System { slot, version, .. } = &self.system;
        tracing::info!("slot {slot} with {version} is well");
        if data == DataState::Good {
            tolerate("the floor", raise_floor(&MachineFiles, &self.places.floor(), version));
        }
        let marked = self.store.change(&|boot| boot.set_healthy(*slot, &version.to_string()));
        let boot = tolerate("marking the slot as well", marked)?;
        Some(Input::Marked(boot.startable_version(slot.other()).map(str::to_owned)))
    }

    fn running(&self) -> Running {
        let floor = read_floor(&MachineFiles, &self.places.floor());
        Running { board: self.system.board.clone(), version: self.system.version.clone(), floor }
    }

    /// Beside everything else. One that panics has looked at nothing.
    fn beside(&self, work: impl FnOnce(&Sender<Input>) -> Input + Send + 'static) {
        let inputs = self.inputs.clone();
        // The service ends before its work does only when the machine does.
        thread::spawn(move || drop(inputs.send(work(&inputs))));
    }

    fn look(&self) {
        let (places, running) = (self.places.clone(), self.running());
        self.beside(move |_| Input::Looked(bundle::look(&places, &running)));
    }

    fn install(&self, state: &SystemState) {
        let UpdateState::Installing { version, .. } = &state.update else { return };
        let (places, store) = (self.places.clone(), Arc::clone(&self.store));
        let (version, other) = (version.clone(), self.system.slot.other());
        self.beside(move |inputs| {
            let mut percent = |done| drop(inputs.send(Input::Percent(done)));
            let installed = bundle::install(&places.rauc, &places.offer(), &mut percent);
            if installed.is_ok() {
                tolerate("the release's name", store.change(&|boot| boot.set_version(other, &version)));
            }
            // One that could not be installed is brought again: a byte among those that only installing reads may be wrong.
            if let Err(error) = fs::remove_file(places.offer()) {
                tracing::error!("{}: {error}", places.offer().display());
            }
            Input::Installed(installed)
        });
    }

    fn grow(&self) {
        let Some(disk) = self.disk.clone().filter(|_| !self.data_is_memory()) else { return };
        thread::spawn(move || tolerate("growing the disk for data", data::grow(&disk)));
    }

    fn data_is_memory(&self) -> bool {
        data::is_memory(&self.places.data())
    }

    fn make_data_anew(&self) -> Result<(), KeeperError> {
        let disk =
            self.disk.as_ref().ok_or_else(|| KeeperError::program("mke2fs", "the system's disk is not known"))?;
        let (device, at) = (disk.partition("data")?.device, self.places.data());
        tracing::warn!("the disk for data is made anew");
        self.log.close();
        kernel::unmount(&at).map_err(KeeperError::file(&at, "unmount it"))?;
        let made = data::make_anew(&device)
            .and_then(|()| kernel::mount_data(&device, &at).map_err(KeeperError::file(&device, "mount it")));
        if made.is_err() {
            tolerate("memory in its place", data::in_memory(&at));
        }
        tolerate("folders", data::make_folders(&self.places, self.owner));
        tolerate("the log", self.log.open(&self.places.log()).map_err(KeeperError::file(&at, "open the log")));
        // The station's map of ports lay on the old one, and it does not start without.
        let check = || check_settings(&self.places, &self.system.board);
        tolerate("settings", settings::prepare(&self.places, &check));
        made
    }

    /// So that nothing has to be repaired at the next start.
    fn take_disks_away(&self) {
        self.log.close();
        for at in [self.places.data(), self.places.boot()] {
            if let Err(error) = kernel::unmount(&at) {
                tracing::error!("{}: {error}", at.display());
            }
        }
    }
}
