// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How Windows starts: its boot manager's files, out of the image, and a boot store that names its partition.

use std::fs;
use std::path::{Path, PathBuf};

use platen_windows::bcd::{BIOS_STORE, Base, BootStore, Firmware, ROOT_NAME, TEMPLATE, UEFI_STORE};
use platen_windows::{ProductType, System};

use super::super::carry::Home;
use super::super::machine::{FileSystem, Volume};
use super::{Carrier, StepError, destination, existing, image, make_folder, place, read, said};

/// Biggest file that is copied: fonts have some MB.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// A template has 28 kB.
const MAX_TEMPLATE_BYTES: u64 = 16 << 20;
/// The first build of Windows 11.
const WINDOWS_11: u32 = 22_000;

/// Where the image has what a firmware starts, and where it comes to be.
struct Files {
    firmware: Firmware,
    /// Below it is all of it.
    source: &'static str,
    /// The file without which it is no boot manager.
    manager: &'static str,
    /// Below the boot volume's root.
    to: &'static str,
    store: &'static str,
}

const UEFI: Files = Files {
    firmware: Firmware::Uefi,
    source: "Windows\\Boot\\EFI",
    manager: "bootmgfw.efi",
    to: "EFI\\Microsoft\\Boot",
    store: UEFI_STORE,
};

/// In small letters, as GRUB's core image looks for its own folder beside it.
const BIOS: Files = Files {
    firmware: Firmware::Bios,
    source: "Windows\\Boot\\PCAT",
    manager: "bootmgr",
    to: "boot",
    store: BIOS_STORE,
};
/// With BIOS these stand in the root.
const IN_ROOT: [&str; 2] = ["bootmgr", "bootnxt"];

impl Carrier<'_> {
    /// Puts boot manager and boot store on the boot volume; the firmware does not start them yet.
    pub(in crate::engine) fn windows_boot_files(
        &mut self,
        root: &Path,
        system: &Volume,
        boot: &Volume,
    ) -> Result<String, StepError> {
        self.expand_answer_file(root)?;
        let files = if self.surroundings.computer.is_uefi { UEFI } else { BIOS };
        let source = existing(root, files.source)?.filter(|source| source.join(files.manager).is_file());
        let source = source.ok_or_else(|| {
            let firmware = if files.firmware == Firmware::Uefi { "UEFI" } else { "BIOS" };
            said(format!("the image starts on no computer with {firmware}: no {}\\{}", files.source, files.manager))
        })?;
        if files.firmware == Firmware::Uefi && boot.file_system != FileSystem::Fat32 {
            return Err(said(format!("disk {}: expected an EFI system partition with FAT32, found none", system.disk)));
        }
        let to = self.machine.root(boot)?;
        match files.firmware {
            Firmware::Uefi => copy_folder(&source, &to, files.to, &[])?,
            Firmware::Bios => {
                in_small_letters(&to, files.to)?;
                for name in IN_ROOT {
                    if let Some(path) = existing(root, &format!("{}\\{name}", files.source))? {
                        place(&to, name, &read(&path, MAX_FILE_BYTES)?)?;
                    }
                }
                copy_folder(&source, &to, files.to, &IN_ROOT)?;
            }
        }
        for more in ["Fonts", "Resources"] {
            if let Some(folder) = existing(root, &format!("Windows\\Boot\\{more}"))? {
                copy_folder(&folder, &to, &format!("{}\\{more}", files.to), &[])?;
            }
        }
        let found = image::system(root)?;
        let random = self.machine.random()?;
        let (loader_id, resume_id) = random.split_at(16);
        let id = |bytes: &[u8]| bytes.try_into().unwrap_or_default();
        let store = BootStore {
            firmware: files.firmware,
            system: self.machine.boot_id(boot)?,
            windows: self.machine.boot_id(system)?,
            description: description(&found).to_owned(),
            locale: self.locale(&source)?,
            loader_id: id(loader_id),
            resume_id: id(resume_id),
        };
        let (bytes, from) = self.boot_store(root, &store)?;
        place(&to, files.store, &bytes)?;
        Ok(format!("{} with a boot store from {from}", store.description))
    }

    /// Made in memory, from the image's template where it has one.
    fn boot_store(&mut self, root: &Path, store: &BootStore) -> Result<(Vec<u8>, &'static str), StepError> {
        let Home::Medium { memory, .. } = &self.home else { return Err(said("the medium is not here any more")) };
        let (bytes, base, from) = match existing(root, TEMPLATE)? {
            Some(path) => (read(&path, MAX_TEMPLATE_BYTES)?, Base::Template, "the image's template"),
            None => (platen_hive::empty_hive(ROOT_NAME), Base::Empty, "nothing, for the image has no template"),
        };
        let path: PathBuf = memory.with_file_name("boot-store");
        make_folder(memory.parent().unwrap_or(memory))?;
        fs::write(&path, bytes).map_err(|error| said(format!("writing {}: {error}", path.display())))?;
        self.machine
            .change_hive(&path, &store.changes(base))
            .map_err(|error| said(format!("the boot store, from {from}: {}", platen_media::chain(&error))))?;
        Ok((read(&path, MAX_TEMPLATE_BYTES)?, from))
    }

    /// The wished language where the boot manager has it, else one that it has.
    fn locale(&self, source: &Path) -> Result<String, StepError> {
        let entries = fs::read_dir(source).map_err(|error| said(format!("reading {}: {error}", source.display())))?;
        let names = entries.filter_map(|entry| {
            let entry = entry.ok().filter(|entry| entry.path().is_dir())?;
            entry.file_name().into_string().ok().filter(|name| name.contains('-'))
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        let wished = self.surroundings.environment.get("OSDWindowsSettingsUILanguage").unwrap_or("en-US");
        let found = names.iter().find(|name| name.eq_ignore_ascii_case(wished)).or(names.first());
        Ok(found.cloned().unwrap_or_else(|| "en-US".to_owned()))
    }
}

fn description(found: &System) -> &'static str {
    match (found.product, found.major, found.build) {
        (ProductType::Workstation, 10, build) if build >= WINDOWS_11 => "Windows 11",
        (ProductType::Workstation, 10, _) => "Windows 10",
        (ProductType::Workstation, ..) => "Windows",
        _ => "Windows Server",
    }
}

/// A folder that another system made on this volume may have capitals, in which GRUB looks for none.
fn in_small_letters(root: &Path, name: &str) -> Result<(), StepError> {
    match existing(root, name)? {
        Some(found) if found != root.join(name) => {
            fs::rename(&found, root.join(name)).map_err(|error| said(format!("renaming {}: {error}", found.display())))
        }
        _ => Ok(()),
    }
}

/// Files and folders of the image, but those that stand elsewhere; links are not followed.
fn copy_folder(from: &Path, root: &Path, to: &str, without: &[&str]) -> Result<(), StepError> {
    const MAX_LEVELS: usize = 8;
    if to.split('\\').count() > MAX_LEVELS {
        return Err(said(format!("{}: more folders in each other than a boot manager has", from.display())));
    }
    let failed = |error: std::io::Error| said(format!("reading {}: {error}", from.display()));
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if without.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
            continue;
        }
        let target = format!("{to}\\{name}");
        if kind.is_dir() {
            copy_folder(&entry.path(), root, &target, &[])?;
        } else if kind.is_file() {
            let bytes = read(&entry.path(), MAX_FILE_BYTES)?;
            fs::write(destination(root, &target)?, bytes)
                .map_err(|error| said(format!("writing {target}: {error}")))?;
        }
    }
    Ok(())
}
