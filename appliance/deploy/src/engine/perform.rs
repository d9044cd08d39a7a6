// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a step does to the machine, by its type.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platen_media::MediaPath;
use platen_media::policy::OperatingSystemImage;
use platen_sequence::run::Origin;
use platen_sequence::{Step, StepKind};

use super::carry::{Carrier, Done, Home, StepError};
use super::content::Contents;
use super::linux;
use super::machine::{BootSetup, FileSystem, Order, Starts, Volume};
use super::system::System;
use super::windows::BOOT_MANAGER;
use platen_sequence::layout::DiskLayout;

/// Folders of the medium: what UEFI firmware starts, and GRUB's images for BIOS.
const BOOT_FILES: [&str; 2] = ["EFI/BOOT", "platen/bios"];
/// Below the state's folder: contents that were copied.
pub(super) const PACKAGES: &str = "Packages";

fn said(text: impl Into<String>) -> StepError {
    StepError::Said(text.into())
}

impl<'a> Carrier<'a> {
    pub(super) fn perform(&mut self, step: &Step) -> Result<Done, StepError> {
        if let Some(result) = self.surroundings.perform(step) {
            return result.map(Done::ok).map_err(said);
        }
        if let Some(result) = self.perform_mdt(step) {
            return result;
        }
        match step.kind {
            StepKind::FormatAndPartitionDisk => self.partition(step),
            StepKind::ApplyOperatingSystemImage => self.apply_system(step),
            StepKind::ApplyWindowsSettings
            | StepKind::ApplyNetworkSettings
            | StepKind::ApplyDriverPackage
            | StepKind::AutoApplyDrivers => self.on_system(step),
            StepKind::JoinDomainOrWorkgroup if !self.surroundings.in_deployed() => self.on_system(step),
            StepKind::ApplyDataImage => self.apply_data(step),
            StepKind::CaptureUserState => self.capture_user_state(),
            StepKind::RestoreUserState => self.restore_user_state(),
            StepKind::ReleaseStateStore => self.release_state_store(),
            StepKind::SetupWindowsAndConfigMgr => {
                let detail = self.hand_over()?;
                Ok(Done { leaves_boot_system: true, ..Done::ok(detail) })
            }
            StepKind::RestartComputer => self.restart(step),
            StepKind::RunCommandLine => self.command(step),
            StepKind::RunPowerShellScript => self.powershell(step),
            StepKind::InstallApplication => self.install_applications(step),
            StepKind::InstallPackage => self.install_packages(step),
            StepKind::DownloadPackageContent => self.provide_package(step),
            _ => Err(said(format!("{} is not carried out by this version of Platen", step.label()))),
        }
    }

    /// A property of the step as it counts now.
    pub(super) fn property(&self, step: &Step, name: &str) -> Option<String> {
        self.surroundings.environment.property(step, name)
    }

    /// A variable by its name, whether the step carries it or the sequence has it.
    pub(super) fn values<'s>(&'s self, step: &'s Step) -> impl Fn(&str) -> Option<String> + 's {
        let environment = &self.surroundings.environment;
        move |name| {
            let own = step.variables.iter().find(|variable| variable.name.eq_ignore_ascii_case(name));
            let value = environment.get(name).or_else(|| own.map(|own| &*own.value))?;
            Some(environment.expand(value).trim().to_owned()).filter(|value| !value.is_empty())
        }
    }

    pub(super) fn contents(&self) -> Result<Contents<'a>, StepError> {
        match &self.home {
            Home::Medium { contents, .. } => Ok(*contents),
            Home::Deployed { .. } => Err(said("the medium is not here any more: the deployed system runs")),
        }
    }

    /// A change of the system on the disk, in that system's own way.
    fn on_system(&mut self, step: &Step) -> Result<Done, StepError> {
        let root = self.system_root()?;
        let detail = match (System::of(&root).map_err(said)?, step.kind) {
            (System::Windows, _) => self.on_windows(step, &root)?,
            (System::Linux, StepKind::ApplyWindowsSettings) => {
                linux::settings(&root, &self.values(step)).map_err(said)?
            }
            (System::Linux, StepKind::ApplyNetworkSettings) => {
                linux::network(&root, &self.values(step)).map_err(said)?
            }
            (System::Linux, StepKind::ApplyDriverPackage) => self.copy_linux_drivers(step, &root)?,
            (System::Linux, _) => {
                return Err(said(format!("{} is for Windows, and the image holds a Linux", step.label())));
            }
        };
        Ok(Done::ok(detail))
    }

    fn partition(&mut self, step: &Step) -> Result<Done, StepError> {
        let is_uefi = self.surroundings.computer.is_uefi;
        let (disk, layout) = DiskLayout::of_step(step, &self.surroundings.environment, is_uefi)
            .map_err(|problem| said(problem.to_string()))?;
        // What was put on it before is gone with the rest, and so is where the sequence stood.
        let on_it = self.volumes.iter().any(|volume| volume.disk == disk);
        if on_it {
            self.move_state_off()?;
        }
        let made = self.machine.partition(disk, &layout)?;
        self.volumes.retain(|volume| volume.disk != disk);
        self.volumes.extend(made.iter().cloned());
        for (wish, volume) in layout.formatted().zip(&made) {
            if let (Some(name), Some(letter)) = (&wish.letter_variable, volume.letter) {
                let value = format!("{letter}:");
                self.surroundings.environment.set(name, &value, false, Origin::Step)?;
            }
        }
        // Configuration Manager keeps its folder on the largest volume, too.
        let largest = made.iter().filter(|volume| volume.letter.is_some()).max_by_key(|volume| volume.size_bytes);
        if let Some(largest) = largest.cloned() {
            let root = self.machine.root(&largest)?;
            self.move_state(root)?;
        }
        let shown: Vec<String> = made.iter().map(described).collect();
        Ok(Done::ok(format!("disk {disk}: {}", shown.join(", "))))
    }

    /// To the boot system's memory, as before the first volume was formatted.
    fn move_state_off(&mut self) -> Result<(), StepError> {
        let Home::Medium { memory, .. } = &self.home else { return Err(said("the medium is not here any more")) };
        self.store.move_to(memory)?;
        self.system = None;
        Ok(())
    }

    fn apply_system(&mut self, step: &Step) -> Result<Done, StepError> {
        self.take_volumes();
        let (image, index) = self.image(step)?;
        let volume = self.destination(step)?;
        self.apply_image(image, index, &volume)?;
        // Applying may have taken the volume away from its folder, where the state stands, too.
        let root = self.machine.root(&volume)?;
        let mut detail = format!("{} image {index} on {}", image.id, described(&volume));
        if System::of(&root).map_err(said)? == System::Windows {
            detail += &format!("; {}", self.windows_applied(step, &root)?);
        }
        self.machine.sync()?;
        if let Some(letter) = volume.letter {
            let drive = format!("{letter}:");
            self.surroundings.environment.set("OSDTargetSystemDrive", &drive, false, Origin::Step)?;
            let root = format!("{drive}\\Windows");
            self.surroundings.environment.set("OSDTargetSystemRoot", &root, false, Origin::Step)?;
        }
        self.system = Some(volume);
        Ok(Done::ok(detail))
    }

    /// Puts an image on a volume, in the place of what the volume has.
    pub(super) fn apply_image(
        &mut self,
        image: &OperatingSystemImage,
        index: u32,
        volume: &Volume,
    ) -> Result<(), StepError> {
        let contents = self.contents()?;
        self.stand_on(volume)?;
        let protected = self.protected(volume);
        let report = &mut *self.report;
        let checked = contents.image(image, &mut |progress| report.progress("checking the image", progress))?;
        let applied = self.machine.apply_image(&checked, index, volume, &protected, &mut |progress| {
            report.progress("applying the image", progress);
        });
        // What is wrong with the medium is why whoever read it failed, and counts as well where they did not.
        checked.finish()?;
        Ok(applied?)
    }

    /// Where an image goes: the volume that the step names, or the first that can hold a system.
    pub(super) fn destination(&self, step: &Step) -> Result<Volume, StepError> {
        let named = |names: &[&str]| names.iter().find_map(|name| self.property(step, name));
        let letter = match named(&["DestinationVariable"]) {
            // The property holds the name of a variable that holds the letter.
            Some(name) => Some(
                self.surroundings
                    .environment
                    .get(&name)
                    .ok_or_else(|| said(format!("destination: variable {name} is not set; set it when partitioning")))?
                    .to_owned(),
            ),
            None => named(&["DestinationLogicalDrive", "DestinationDriveLetter"]),
        };
        let volumes = self.volumes.iter();
        let found = if let Some(letter) = &letter {
            let wanted = letter.chars().next().map(|letter| letter.to_ascii_uppercase());
            volumes.clone().find(|volume| volume.letter.is_some() && volume.letter == wanted)
        } else if let (Some(disk), Some(partition)) = (named(&["DestinationDisk"]), named(&["DestinationPartition"])) {
            volumes.clone().find(|it| it.disk.to_string() == disk && it.partition.to_string() == partition)
        } else {
            let holds_systems = |volume: &&Volume| volume.letter.is_some() && volume.file_system != FileSystem::Fat32;
            // A small volume that the firmware starts from is not where a system goes, if there is another.
            let others = volumes.clone().filter(holds_systems).find(|volume| !volume.is_boot);
            others.or_else(|| volumes.clone().find(holds_systems))
        };
        found.cloned().ok_or_else(|| {
            let known: Vec<String> = self.volumes.iter().map(described).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            said(format!("no volume to put an image on: expected one formatted by this sequence, found {known}"))
        })
    }

    /// The root folder of the system that was put on the disk.
    pub(super) fn system_root(&mut self) -> Result<PathBuf, StepError> {
        if self.surroundings.in_deployed() {
            return Ok(PathBuf::from("/"));
        }
        self.system_root_of_disk()
    }

    fn system_root_of_disk(&mut self) -> Result<PathBuf, StepError> {
        let system = self.system.clone();
        let system = system.ok_or_else(|| said("there is no system on the disk yet; move the step behind it"))?;
        Ok(self.machine.root(&system)?)
    }

    /// The package's id, from the step.
    pub(super) fn driver_package_id(&self, step: &Step) -> Result<String, StepError> {
        self.property(step, "DriverPackageID").ok_or_else(|| said("the step names no driver package"))
    }

    fn copy_linux_drivers(&mut self, step: &Step, root: &Path) -> Result<String, StepError> {
        let id = self.driver_package_id(step)?;
        let contents = self.contents()?;
        let folder = contents.driver_package(&id)?;
        let to = linux::inside(root, &format!("{}/{id}", linux::DRIVERS)).map_err(said)?;
        let report = &mut *self.report;
        contents.copy(folder, &to, &mut |progress| report.progress("copying drivers", progress))?;
        Ok(format!("{id} in /{}/{id}", linux::DRIVERS))
    }

    fn restart(&mut self, step: &Step) -> Result<Done, StepError> {
        let goes_on_deployed = self.surroundings.goes_on_deployed(step);
        if !self.surroundings.in_deployed() && goes_on_deployed {
            let detail = self.hand_over()?;
            return Ok(Done { leaves_boot_system: true, ..Done::ok(detail) });
        }
        self.machine.sync()?;
        Ok(Done::ok("restart"))
    }

    /// Puts everything on the disk that the deployed system needs for the rest.
    fn hand_over(&mut self) -> Result<String, StepError> {
        let root = self.system_root()?;
        let system = System::of(&root).map_err(said)?;
        // The state goes where the system can read it, whichever volume it stood on.
        self.move_state(root.clone())?;
        let taken = self.take_along()?;
        let Home::Medium { runner, windows_runner, .. } = self.home else {
            return Err(said("the medium is not here any more"));
        };
        match system {
            System::Linux => linux::place_first_start(&root, &self.store, runner).map_err(said)?,
            System::Windows => self.hand_over_windows(&root, windows_runner)?,
        }
        Ok(format!("{taken} contents taken along"))
    }

    /// From now on the firmware starts what is on the disk.
    pub(super) fn make_bootable(&mut self) -> Result<String, StepError> {
        let root = self.system_root_of_disk()?;
        let system = self.system.clone().ok_or_else(|| said("there is no system on the disk yet"))?;
        let boot = self.volumes.iter().find(|volume| volume.is_boot && volume.disk == system.disk);
        let boot = boot.unwrap_or(&system).clone();
        let (starts, name, what) = match System::of(&root).map_err(said)? {
            System::Linux => {
                let linux = linux::boot(&root).map_err(said)?;
                let kernel = linux.kernel.clone();
                (Starts::Linux(linux), "Platen", kernel)
            }
            System::Windows => (Starts::Windows, BOOT_MANAGER, self.windows_boot_files(&root, &system, &boot)?),
        };
        let detail = format!("{} starts {what}", described(&boot));
        let (disk, name) = (system.disk, name.to_owned());
        let boot_files = self.boot_files()?;
        self.machine.sync()?;
        let setup = BootSetup { disk, system: system.clone(), boot, name, starts };
        self.machine.make_bootable(&setup, &boot_files)?;
        // Boot code is written to a disk that is not in use; what is kept after that goes to its volumes again.
        for volume in self.volumes.iter().filter(|volume| volume.letter.is_some()) {
            let mounted = self.machine.root(volume);
            // One that was there before may be nobody's here.
            if *volume == system {
                mounted?;
            }
        }
        self.machine.sync()?;
        Ok(detail)
    }

    /// The medium's boot files in memory, each compared with the manifest on its way: what the disk starts with is signed.
    fn boot_files(&self) -> Result<PathBuf, StepError> {
        let Home::Medium { contents, memory, .. } = &self.home else {
            return Err(said("the medium is not here any more"));
        };
        let to = memory.with_file_name("boot-files");
        for folder in BOOT_FILES {
            let folder = MediaPath::new(folder).map_err(|error| said(error.to_string()))?;
            contents.copy(&folder, &to.join(folder.as_str()), &mut |_| {})?;
        }
        Ok(to)
    }

    /// A command of the boot system or of the deployed one.
    pub(super) fn command(&mut self, step: &Step) -> Result<Done, StepError> {
        let line = self.surroundings.environment.expand(step.command());
        if line.trim().is_empty() {
            return Err(said("the step has no command; give it one, or disable it"));
        }
        let package = self.property(step, "PackageID");
        let folder = match package {
            Some(id) => Some(self.provided(&id)?),
            None => None,
        };
        let folder = match (folder, &*step.start_in) {
            (folder, "") => folder,
            (None, start_in) => Some(PathBuf::from(self.surroundings.environment.expand(start_in))),
            (Some(folder), start_in) => Some(folder.join(self.surroundings.environment.expand(start_in))),
        };
        let is_offline = !self.surroundings.in_deployed() && step.runs(false, true).word() == "offline";
        if is_offline {
            return self.offline_command(step, &line, folder.as_deref());
        }
        self.run_line(line, folder, step)
    }

    pub(super) fn run_line(&mut self, line: String, folder: Option<PathBuf>, step: &Step) -> Result<Done, StepError> {
        self.run_line_for_output(line, folder, step).map(|(done, _)| done)
    }

    /// The same, with what it printed.
    pub(super) fn run_line_for_output(
        &mut self,
        line: String,
        folder: Option<PathBuf>,
        step: &Step,
    ) -> Result<(Done, String), StepError> {
        let limit = step.timeout_s.map(|seconds| Duration::from_secs(seconds.into()));
        let shown = self.surroundings.environment.masked(&line);
        let data = self.store.folder().display().to_string();
        let variables = BTreeMap::from([("_SMSTSMDataPath".to_owned(), data)]);
        let ended = self.machine.run(&Order { line, folder, variables, limit })?;
        let output = ended.output.trim();
        let separator = if output.is_empty() { "" } else { "; " };
        Ok((Done { code: Some(ended.code), ..Done::ok(format!("{shown}{separator}{output}")) }, ended.output))
    }

    /// The folder of a package, which is copied from the medium where that is not done yet.
    pub(super) fn provided(&mut self, id: &str) -> Result<PathBuf, StepError> {
        let to = self.store.folder().join(PACKAGES).join(id);
        match self.home {
            Home::Medium { contents, .. } => {
                let folder = &contents.package(id)?.folder;
                let report = &mut *self.report;
                contents.copy(folder, &to, &mut |progress| report.progress("copying a package", progress))?;
                Ok(to)
            }
            Home::Deployed { .. } if to.is_dir() => Ok(to),
            Home::Deployed { .. } => Err(said(format!("package {id} was not taken along from the medium"))),
        }
    }

    fn provide_package(&mut self, step: &Step) -> Result<Done, StepError> {
        let ids = self.property(step, "DownloadPackages").unwrap_or_default();
        let mut provided = Vec::new();
        for id in ids.split([',', ' ']).filter(|id| !id.is_empty()) {
            provided.push(self.provided(id)?.display().to_string());
        }
        if let Some(name) = self.property(step, "DestinationVariable") {
            for (number, folder) in provided.iter().enumerate() {
                let name = format!("{name}{:02}", number + 1);
                self.surroundings.environment.set(&name, folder, false, Origin::Step)?;
            }
        }
        Ok(Done::ok(provided.join(", ")))
    }
}

pub(super) fn described(volume: &Volume) -> String {
    let file_system = match volume.file_system {
        FileSystem::Ntfs => "NTFS",
        FileSystem::Fat32 => "FAT32",
        FileSystem::Ext4 => "ext4",
    };
    let letter = volume.letter.map_or_else(|| "no letter".to_owned(), |letter| format!("{letter}:"));
    format!(
        "{letter} (disk {} partition {}, {file_system}, {} MiB)",
        volume.disk,
        volume.partition,
        volume.size_bytes >> 20
    )
}
