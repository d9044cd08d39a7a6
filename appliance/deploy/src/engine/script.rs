// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Run PowerShell Script: of a package, or a text of the step itself.

use std::path::PathBuf;

use platen_sequence::Step;
use platen_sequence::run::Origin;

use super::carry::{Carrier, Done, StepError};

/// A script of the step itself, in the state's folder while it runs.
const SCRIPT: &str = "script.ps1";
/// PowerShell 5 takes a file without it for one in the computer's old code page.
const UTF8_MARK: &str = "\u{feff}";

fn said(text: impl Into<String>) -> StepError {
    StepError::Said(text.into())
}

impl Carrier<'_> {
    /// Runs it with the system's own PowerShell. What it prints becomes a variable, where the step names one.
    pub(super) fn powershell(&mut self, step: &Step) -> Result<Done, StepError> {
        // Variables are not put into the text: PowerShell has its own percent signs.
        let own = step.property("SourceScript").filter(|_| self.property(step, "PackageID").is_none());
        let (script, folder) = match own {
            Some(text) => {
                let text = format!("{UTF8_MARK}{text}");
                self.store.keep_file(SCRIPT, text.as_bytes())?;
                (self.store.folder().join(SCRIPT), None)
            }
            None => self.packaged_script(step)?,
        };
        let folder = self.property(step, "WorkingDirectory").map(PathBuf::from).or(folder);
        let line = self.powershell_line(step, &script.display().to_string());
        let done = self.run_line_for_output(line, folder, step);
        if own.is_some() {
            self.store.remove_file(SCRIPT)?;
        }
        let (done, output) = done?;
        if let Some(name) = self.property(step, "OutputVariableName") {
            let environment = &mut self.surroundings.environment;
            let has_secret = environment.masked(&output) != output;
            environment.set(&name, output.trim(), has_secret, Origin::Step)?;
        }
        Ok(done)
    }

    fn packaged_script(&mut self, step: &Step) -> Result<(PathBuf, Option<PathBuf>), StepError> {
        let nothing = || said("the step has no script; give it a text, or a package and the name of a script in it");
        let id = self.property(step, "PackageID").ok_or_else(nothing)?;
        let name = self.property(step, "ScriptName").ok_or_else(nothing)?.replace('\\', "/");
        let folder = self.provided(&id)?;
        let script = folder.join(name.trim_start_matches("./"));
        match script.is_file() {
            true => Ok((script, Some(folder))),
            false => Err(said(format!("package {id} has no script {name}; correct the step's name of it"))),
        }
    }

    fn powershell_line(&self, step: &Step, script: &str) -> String {
        let mut line = "powershell.exe -NoProfile -NonInteractive".to_owned();
        // Undefined is what the computer has set.
        let policy = self.property(step, "ExecutionPolicy").filter(|word| !word.eq_ignore_ascii_case("Undefined"));
        if let Some(policy) = policy {
            line += &format!(" -ExecutionPolicy {policy}");
        }
        line += &format!(" -File \"{script}\"");
        if let Some(parameters) = self.property(step, "Parameters") {
            line += &format!(" {parameters}");
        }
        line
    }
}
