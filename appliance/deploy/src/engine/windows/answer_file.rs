// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The answer file on the volume of Windows: the user's or an empty one, to which each step adds its settings.

use std::path::Path;

use platen_sequence::Step;
use platen_sequence::run::Origin;
use platen_windows::answer::{
    Administrator, AnswerFile, Expansion, MAX_ANSWER_BYTES, NetworkSettings, SettingProblem, WindowsSettings,
};
use platen_windows::{Architecture, paths};

use super::{Carrier, StepError, existing, image, place_private, read, said};

/// Where Setup looks before it looks in `Windows\Panther` itself ("Implicit Answer File Search Order").
pub(super) const ANSWER_FILE: &str = "Windows\\Panther\\unattend\\unattend.xml";
/// The local administrator is to be disabled at the end of Setup.
pub(super) const DISABLE_ADMINISTRATOR: &str = "_PlatenDisableAdministrator";

impl Carrier<'_> {
    /// Behind Apply Operating System Image: whether this computer runs it, and the answer file that the step names.
    pub(in crate::engine) fn windows_applied(&mut self, step: &Step, root: &Path) -> Result<String, StepError> {
        let system = image::system(root)?;
        let computer = self.surroundings.computer;
        image::check(system.architecture, &computer.architecture, computer.is_uefi)?;
        let (answers, from) = match self.property(step, "ConfigFileName") {
            None => (AnswerFile::new(system.architecture), "none".to_owned()),
            Some(name) => (self.users_answer_file(step, &name, system.architecture)?, name),
        };
        keep(root, answers)?;
        let architecture = system.architecture.name();
        Ok(format!(
            "a Windows {}.{}.{} for {architecture}, answer file: {from}",
            system.major, system.minor, system.build
        ))
    }

    fn users_answer_file(
        &mut self,
        step: &Step,
        name: &str,
        architecture: Architecture,
    ) -> Result<AnswerFile, StepError> {
        let package = self.property(step, "ConfigFilePackage");
        let package =
            package.ok_or_else(|| said(format!("answer file {name}: the step names no package that has it")))?;
        let folder = self.provided(&package)?;
        let found = paths::Volume::new(folder, 'P').resolve(&format!("\\{name}"));
        let found = found.map_err(|error| said(platen_media::chain(&error)))?;
        if !found.exists {
            return Err(said(format!("answer file: package {package} has no {name}")));
        }
        parse(&read(&found.path, MAX_ANSWER_BYTES as u64)?, architecture, name)
    }

    pub(super) fn windows_settings(&mut self, step: &Step, root: &Path) -> Result<String, StepError> {
        let random = self.machine.random()?;
        let settings = {
            let value = self.values(step);
            // What the computer was called while nobody had named it.
            let get = |name: &str| match name {
                "OSDComputerName" => value(name).or_else(|| value("_SMSTSMachineName")),
                name => value(name),
            };
            WindowsSettings::from_variables(&get, || password(&random)).map_err(problems)?
        };
        let mut answers = kept(root)?;
        answers.apply_windows(&settings).map_err(|error| said(platen_media::chain(&error)))?;
        keep(root, answers)?;
        let is_disabled = matches!(settings.administrator, Administrator::Disabled { .. });
        let word = if is_disabled { "true" } else { "" };
        self.surroundings.environment.set(DISABLE_ADMINISTRATOR, word, false, Origin::BuiltIn)?;
        let name = settings.computer_name.map(|name| format!("name {name}"));
        let zone = settings.time_zone.map(|zone| format!("time zone {zone}"));
        let key = settings.product_key.map(|_| "a product key".to_owned());
        let administrator = match settings.administrator {
            Administrator::Unchanged => None,
            Administrator::Disabled { .. } => Some("the administrator is disabled".to_owned()),
            Administrator::Enabled { .. } => Some("the administrator's password".to_owned()),
        };
        Ok(listed([name, zone, key, administrator].into_iter().flatten().chain(settings.notes)))
    }

    pub(super) fn windows_network(&mut self, step: &Step, root: &Path) -> Result<String, StepError> {
        let adapters = &self.surroundings.computer.adapters;
        let mac_addresses: Vec<String> = adapters.iter().map(|adapter| adapter.mac_address.clone()).collect();
        let settings = NetworkSettings::from_variables(&self.values(step), &mac_addresses).map_err(problems)?;
        let mut answers = kept(root)?;
        answers.apply_network(&settings).map_err(|error| said(platen_media::chain(&error)))?;
        keep(root, answers)?;
        let membership = settings.membership.map(|membership| match membership {
            platen_windows::answer::Membership::Workgroup(name) => format!("workgroup {name}"),
            platen_windows::answer::Membership::Domain { name, .. } => format!("domain {name}"),
        });
        let adapters = settings.adapters.into_iter().map(|adapter| match adapter.dhcp {
            true => format!("{} by DHCP", adapter.identifier),
            false => format!("{} by hand", adapter.identifier),
        });
        Ok(listed(membership.into_iter().chain(adapters).chain(settings.notes)))
    }

    /// Before Windows starts: variables that the user's file names are put in.
    pub(super) fn expand_answer_file(&self, root: &Path) -> Result<(), StepError> {
        let environment = &self.surroundings.environment;
        let mut answers = kept(root)?;
        let value_of = |name: &str| {
            let text = environment.get(name)?.to_owned();
            Some(Expansion { text, is_secret: environment.has_secret(&format!("%{name}%")) })
        };
        answers.expand(&value_of).map_err(|error| said(platen_media::chain(&error)))?;
        keep(root, answers)
    }
}

/// The file as the last step left it.
fn kept(root: &Path) -> Result<AnswerFile, StepError> {
    let architecture = image::system(root)?.architecture;
    match existing(root, ANSWER_FILE)? {
        Some(path) => parse(&read(&path, MAX_ANSWER_BYTES as u64)?, architecture, ANSWER_FILE),
        None => Ok(AnswerFile::new(architecture)),
    }
}

fn parse(bytes: &[u8], architecture: Architecture, name: &str) -> Result<AnswerFile, StepError> {
    AnswerFile::parse(bytes, architecture).map_err(|error| said(format!("{name}: {}", platen_media::chain(&error))))
}

fn keep(root: &Path, answers: AnswerFile) -> Result<(), StepError> {
    let finished = answers.finish().map_err(|error| said(platen_media::chain(&error)))?;
    place_private(root, ANSWER_FILE, finished.text.as_bytes())
}

fn problems(problems: Vec<SettingProblem>) -> StepError {
    said(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "nothing to set".to_owned() } else { parts.join(", ") }
}

/// What any policy takes for complex: letters of both cases, digits, and a character that is neither.
fn password(random: &[u8; 32]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)]));
    letters.chain("aA1.".chars()).collect()
}
