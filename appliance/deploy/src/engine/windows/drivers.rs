// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drivers: copied to the volume of Windows, and named where its first start looks for them.
//!
//! Nothing here can put a driver into the driver store, whose form Microsoft does not document. So their folders are
//! named in `DevicePath`, in which Plug and Play looks when it finds a device ("Configure the Device Path").

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use platen_sequence::Step;
use platen_windows::drivers::DriverIndex;
use platen_windows::inf::{self, DriverPackage, MAX_INF_BYTES};
use platen_windows::registry::{Action, Change, Data, Hive, MAX_DATA_BYTES, REG_EXPAND_SZ};

use super::{Carrier, StepError, destination, existing, files, image, read, said};

/// Below the volume's root; each path of `DevicePath` begins with it, so it is short.
const FOLDER: &str = "Drivers";
/// Most INF files that are looked at.
const MAX_INF_FILES: usize = 20_000;
/// Packages do not nest deeper.
const MAX_LEVELS: usize = 32;

/// Driver packages by what their INF files say.
struct Read {
    packages: Vec<DriverPackage>,
    /// The folder of each.
    folders: Vec<PathBuf>,
    /// INF files that are none of drivers.
    others: usize,
}

impl Carrier<'_> {
    /// Apply Driver Package: all of it, for devices too that are plugged in later.
    pub(super) fn windows_driver_package(&mut self, step: &Step, root: &Path) -> Result<String, StepError> {
        let id = self.driver_package_id(step)?;
        let contents = self.contents()?;
        let folder = contents.driver_package(&id)?;
        let to = destination(root, &format!("{FOLDER}\\{id}"))?;
        let report = &mut *self.report;
        contents.copy(folder, &to, &mut |progress| report.progress("copying drivers", progress))?;
        let read = Read::below(&to)?;
        let (fitting, devices) = self.fitting(root, &read)?;
        let paths = self.name_driver_folders(root)?;
        let of_devices = match devices {
            0 => ", none of which is for a device of this computer".to_owned(),
            devices => format!(", {} of them for {devices} devices of this computer", fitting.len()),
        };
        Ok(format!("{id}: {}{of_devices}; {paths} folders in DevicePath", read.said()))
    }

    /// Auto Apply Drivers: of all driver packages on the medium, the best for each device.
    pub(super) fn windows_drivers(&mut self, root: &Path) -> Result<String, StepError> {
        let contents = self.contents()?;
        let report = &mut *self.report;
        // They are looked at where room is: in the state's folder, on the disk.
        let look = self.store.folder().join(FOLDER);
        for (id, folder) in contents.driver_packages() {
            contents.copy(folder, &look.join(id), &mut |progress| report.progress("looking for drivers", progress))?;
        }
        if !look.is_dir() {
            return Err(said("there is no driver package on the medium; add one, or disable the step"));
        }
        let read = Read::below(&look)?;
        let (fitting, devices) = self.fitting(root, &read)?;
        let folders: BTreeSet<&PathBuf> = fitting.iter().map(|at| &read.folders[*at]).collect();
        for folder in &folders {
            let below = folder.strip_prefix(&look).unwrap_or(folder).to_string_lossy().replace('/', "\\");
            files::copy_whole(folder, &destination(root, &format!("{FOLDER}\\{below}"))?)?;
        }
        fs::remove_dir_all(&look).map_err(|error| said(format!("removing {}: {error}", look.display())))?;
        let paths = self.name_driver_folders(root)?;
        Ok(match devices {
            0 => format!("{}, none of which is for a device of this computer", read.said()),
            _ => {
                let taken = folders.len();
                format!("{}, {taken} taken for {devices} devices; {paths} folders in DevicePath", read.said())
            }
        })
    }

    /// Which of the packages Windows would choose, and for how many devices.
    fn fitting(&self, root: &Path, read: &Read) -> Result<(BTreeSet<usize>, usize), StepError> {
        let system = image::system(root)?;
        let selection = DriverIndex::new(&read.packages, &system).select(&self.machine.devices());
        let devices = selection.devices.iter().filter(|chosen| chosen.driver.is_some()).count();
        Ok((selection.packages, devices))
    }

    /// Names every folder below [`FOLDER`] that has an INF file: `DevicePath` is not searched below its folders.
    fn name_driver_folders(&mut self, root: &Path) -> Result<usize, StepError> {
        let Some(drivers) = existing(root, FOLDER)? else { return Ok(0) };
        let mut folders = BTreeSet::new();
        for file in inf_files(&drivers)? {
            let below = file.parent().and_then(|folder| folder.strip_prefix(&drivers).ok());
            let below = below.map(|below| below.to_string_lossy().replace('/', "\\")).unwrap_or_default();
            folders.insert(format!("%SystemDrive%\\{FOLDER}\\{below}"));
        }
        let paths: Vec<String> = [String::from("%SystemRoot%\\inf")].into_iter().chain(folders).collect();
        let data = Data::text(REG_EXPAND_SZ, &paths.join(";"));
        if data.bytes.len() > MAX_DATA_BYTES {
            return Err(said(format!(
                "DevicePath: expected folders that fit {MAX_DATA_BYTES} bytes, found {} folders with drivers; use Auto \
                 Apply Drivers, or a package for this model alone",
                paths.len() - 1
            )));
        }
        let hive = Hive::Software.file().unwrap_or_default();
        let hive = existing(root, hive)?.ok_or_else(|| said(format!("the image has no {hive}")))?;
        let key = "Microsoft\\Windows\\CurrentVersion".to_owned();
        let action = Action::SetValue { name: "DevicePath".to_owned(), data };
        self.machine.change_hive(&hive, &[Change { key, action }])?;
        Ok(paths.len() - 1)
    }
}

impl Read {
    fn below(folder: &Path) -> Result<Self, StepError> {
        let mut found = Self { packages: Vec::new(), folders: Vec::new(), others: 0 };
        for path in inf_files(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match inf::read(&name, &read(&path, MAX_INF_BYTES as u64)?) {
                Ok(package) => {
                    found.packages.push(package);
                    found.folders.push(path.parent().unwrap_or(folder).to_owned());
                }
                Err(_) => found.others += 1,
            }
        }
        Ok(found)
    }

    fn said(&self) -> String {
        let others = match self.others {
            0 => String::new(),
            others => format!(" (and {others} INF files of other things)"),
        };
        format!("{} drivers{others}", self.packages.len())
    }
}

/// All INF files below a folder, sorted; links are not followed.
fn inf_files(folder: &Path) -> Result<Vec<PathBuf>, StepError> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, level)) = open.pop() {
        for (path, is_folder) in entries(&folder)? {
            let is_inf = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("inf"));
            match is_folder {
                true if level < MAX_LEVELS => open.push((path, level + 1)),
                true => return Err(said(format!("{}: more than {MAX_LEVELS} folders deep", path.display()))),
                false if is_inf => found.push(path),
                false => {}
            }
        }
        if found.len() > MAX_INF_FILES {
            return Err(said(format!("drivers: expected at most {MAX_INF_FILES} INF files, found more")));
        }
    }
    found.sort();
    Ok(found)
}

/// Files and folders, and which it is; nothing else.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>, StepError> {
    let failed = |error: std::io::Error| said(format!("reading {}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || kind.is_file() {
            found.push((entry.path(), kind.is_dir()));
        }
    }
    Ok(found)
}
