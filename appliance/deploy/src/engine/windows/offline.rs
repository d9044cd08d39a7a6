// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Command lines that only change what is on the volume of Windows: done here, for nothing of Windows runs.

use std::path::{Path, PathBuf};

use platen_sequence::Step;
use platen_sequence::run::Origin;
use platen_windows::command_line::{arguments, program_name, without_shell, words};
use platen_windows::paths::{Resolved, Volume};
use platen_windows::registry::{self, Change, Hive, MAX_IMPORT_BYTES, RegistryChange};

use super::super::carry::Done;
use super::super::system::System;
use super::{Carrier, StepError, files, read, said};

/// What `reg load` gave names to: `name=file`, with bars between.
const LOADED: &str = "_PlatenLoadedHives";

/// From a path in a command to a file: of a volume by its letter, of Windows, or of the package.
pub(super) struct Paths {
    /// Root and letter of each volume.
    volumes: Vec<(PathBuf, char)>,
    /// The volume of Windows.
    windows: PathBuf,
    /// Where the command starts.
    folder: Option<PathBuf>,
    /// The state's folder, which `%_SMSTSMDataPath%` names as Linux does.
    data: PathBuf,
}

impl Paths {
    pub(super) fn resolve(&self, path: &str) -> Result<Resolved, StepError> {
        let failed = |error| said(platen_media::chain(&error));
        let in_folder =
            |folder: &Path, rest: &str| Volume::new(folder, 'P').resolve(&format!("\\{rest}")).map_err(failed);
        if let Some(rest) = path.strip_prefix(&*self.data.to_string_lossy()) {
            return in_folder(&self.data, rest);
        }
        let letter = path.split_once(':').and_then(|(letter, _)| letter.parse::<char>().ok());
        match (letter, &self.folder) {
            (Some(letter), _) => {
                let is = |(_, own): &&(PathBuf, char)| own.eq_ignore_ascii_case(&letter);
                let (root, letter) = self.volumes.iter().find(is).ok_or_else(|| {
                    let known: String = self.volumes.iter().map(|(_, own)| format!(" {own}:")).collect();
                    said(format!("{path}: expected a volume of this sequence, found {letter}:; there are{known}"))
                })?;
                Volume::new(root, *letter).resolve(path).map_err(failed)
            }
            (None, _) if path.starts_with(['\\', '/', '%']) => {
                Volume::new(&self.windows, 'C').resolve(path).map_err(failed)
            }
            (None, Some(folder)) => in_folder(folder, path),
            (None, None) => {
                Err(said(format!("{path}: expected a whole path, for the step has no package to start in")))
            }
        }
    }
}

impl Carrier<'_> {
    /// A command that the dry run calls offline.
    pub(in crate::engine) fn offline_command(
        &mut self,
        step: &Step,
        line: &str,
        folder: Option<&Path>,
    ) -> Result<Done, StepError> {
        let root = self.system_root()?;
        if System::of(&root).map_err(said)? != System::Windows {
            return Err(said("it changes a Windows, and the image holds a Linux; disable the step"));
        }
        let plain = || said("expected one plain command, found several or a redirection");
        let (as_shell, as_program) = (words(line).ok_or_else(plain)?, arguments(line).ok_or_else(plain)?);
        let as_shell: Vec<&str> = as_shell.iter().map(String::as_str).collect();
        let as_program: Vec<&str> = as_program.iter().map(String::as_str).collect();
        let [program, rest @ ..] = without_shell(&as_shell) else { return Err(said("it has no command")) };
        let mut volumes = Vec::new();
        for volume in self.volumes.clone() {
            if let Some(letter) = volume.letter {
                volumes.push((self.machine.root(&volume)?, letter));
            }
        }
        let folder = folder.map(Path::to_owned);
        let paths = Paths { volumes, windows: root, folder, data: self.store.folder().to_owned() };
        let (code, detail) = match &*program_name(program) {
            "reg" => (None, self.registry_command(&paths, line)?),
            "copy" => (None, files::copy(&paths, rest)?),
            "xcopy" => (None, files::xcopy(&paths, rest)?),
            "robocopy" => files::robocopy(&paths, without_shell(&as_program).get(1..).unwrap_or_default())
                .map(|(code, detail)| (Some(code), detail))?,
            "move" => (None, self.move_files(&paths, rest)?),
            "del" | "erase" => (None, files::delete(&paths, rest)?),
            "md" | "mkdir" => (None, files::make_folders(&paths, rest)?),
            "rd" | "rmdir" => (None, files::remove_folders(&paths, rest)?),
            other => {
                return Err(said(format!(
                    "{other} can't be done before Windows runs; move {} behind Setup Windows",
                    step.name
                )));
            }
        };
        let shown = self.surroundings.environment.masked(line);
        Ok(Done { code, ..Done::ok(format!("{shown}: {detail}")) })
    }

    fn registry_command(&mut self, paths: &Paths, line: &str) -> Result<String, StepError> {
        match registry::command(line).map_err(said)? {
            registry::Command::Change(change) => self.change_registry(paths, vec![change]),
            registry::Command::Import { file } => {
                let found = paths.resolve(&file)?;
                let changes = registry::import(&read(&found.path, MAX_IMPORT_BYTES as u64)?).map_err(said)?;
                self.change_registry(paths, changes)
            }
            registry::Command::Load { name, file } => {
                if !paths.resolve(&file)?.exists {
                    return Err(said(format!("{file}: there is no such hive")));
                }
                let mut loaded = self.loaded_hives();
                loaded.retain(|(known, _)| *known != name);
                loaded.push((name.clone(), file.clone()));
                self.set_loaded_hives(&loaded)?;
                Ok(format!("{name} is {file}"))
            }
            registry::Command::Unload { name } => {
                let mut loaded = self.loaded_hives();
                loaded.retain(|(known, _)| *known != name);
                self.set_loaded_hives(&loaded)?;
                Ok(format!("{name} is no more"))
            }
        }
    }

    /// In their order; those that follow each other in one hive are made together, all or none.
    fn change_registry(&mut self, paths: &Paths, changes: Vec<RegistryChange>) -> Result<String, StepError> {
        let count = changes.len();
        let mut runs: Vec<(Hive, Vec<Change>)> = Vec::new();
        for RegistryChange { hive, change } in changes {
            match runs.last_mut() {
                Some((last, changes)) if *last == hive => changes.push(change),
                _ => runs.push((hive, vec![change])),
            }
        }
        for (hive, changes) in runs {
            let file = match (&hive, hive.file()) {
                (_, Some(file)) => format!("\\{file}"),
                (Hive::Loaded(name), None) => {
                    let loaded = self.loaded_hives().into_iter().find(|(known, _)| known == name);
                    let loaded = loaded.map(|(_, file)| file);
                    loaded.ok_or_else(|| {
                        said(format!("{name}: expected a hive that reg load gave this name, found none"))
                    })?
                }
                (_, None) => return Err(said(format!("{hive:?} is in no file"))),
            };
            let found = paths.resolve(&file)?;
            if !found.exists {
                return Err(said(format!("{file}: the image has no such hive")));
            }
            self.machine.change_hive(&found.path, &changes)?;
        }
        Ok(format!("{count} changes"))
    }

    fn loaded_hives(&self) -> Vec<(String, String)> {
        let text = self.surroundings.environment.get(LOADED).unwrap_or_default();
        let pairs = text.split('|').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, file)| (name.to_owned(), file.to_owned())).collect()
    }

    fn set_loaded_hives(&mut self, loaded: &[(String, String)]) -> Result<(), StepError> {
        let pairs: Vec<String> = loaded.iter().map(|(name, file)| format!("{name}={file}")).collect();
        self.surroundings.environment.set(LOADED, &pairs.join("|"), false, Origin::BuiltIn)?;
        Ok(())
    }
}
