// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Applications and packages: taken along from the medium, installed when the deployed system runs.

use std::collections::BTreeSet;

use platen_media::policy::Software;
use platen_sequence::Step;
use platen_sequence::run::Origin;

use super::carry::{Carrier, Done, Home, StepError, TakenAlong};
use super::perform::PACKAGES;

/// In the state's folder: what was taken along.
pub const SOFTWARE: &str = "software.json";
/// In the state's folder: the sequence itself.
pub const SEQUENCE: &str = "sequence.json";
/// The variable that says which were installed already: what was done is not done again after a restart.
const INSTALLED: &str = "_PlatenInstalledApplications";
/// Exit codes of Windows Installer that ask for a restart: after it, and begun already.
const WANTS_RESTART: [i64; 2] = [3010, 1641];

impl Carrier<'_> {
    /// Copies what later steps may need to the system's disk. Which applications a dynamic list will name is known only
    /// then, so all of the medium are taken.
    pub(super) fn take_along(&mut self) -> Result<usize, StepError> {
        let Home::Medium { contents, policy, .. } = &self.home else {
            return Err(StepError::Said("the medium is not here any more".to_owned()));
        };
        let folder = self.store.folder().join(PACKAGES);
        let all = policy.applications.iter().chain(&policy.packages);
        let report = &mut *self.report;
        for software in all.clone() {
            let what = format!("copying {}", software.id);
            let to = folder.join(&software.id);
            contents.copy(&software.folder, &to, &mut |progress| report.progress(&what, progress))?;
        }
        let count = all.count();
        let taken = TakenAlong { applications: policy.applications.clone(), packages: policy.packages.clone() };
        let json = serde_json::to_vec(&taken).expect("it has only texts and lists");
        self.store.keep_file(SOFTWARE, &json)?;
        let sequence = policy.task_sequence.to_string();
        self.store.keep_file(SEQUENCE, sequence.as_bytes())?;
        Ok(count)
    }

    fn taken(&self) -> Result<&TakenAlong, StepError> {
        match &self.home {
            Home::Deployed { software } => Ok(software),
            Home::Medium { .. } => Err(StepError::Said(
                "the deployed system does not run yet; move the step behind Setup Windows and ConfigMgr".to_owned(),
            )),
        }
    }

    /// The ids that a step names, or that its list does: `Base01`, `Base02` …
    fn named(&self, step: &Step, own: &str) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        if let Some(list) = self.property(step, own) {
            ids.extend(list.split([',', ';']).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()));
        }
        if let Some(base) = self.property(step, "BaseVariableName") {
            ids.extend(self.surroundings.environment.list(&base).into_iter().map(str::to_owned));
        }
        ids
    }

    fn continues(&self, step: &Step) -> bool {
        let word = self.property(step, "ContinueOnInstallError").or_else(|| self.property(step, "ContinueOnError"));
        word.is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    pub(super) fn install_applications(&mut self, step: &Step) -> Result<Done, StepError> {
        let ids = self.named(step, "ApplicationName");
        let all = &self.taken()?.applications;
        let mut wanted = BTreeSet::new();
        for id in &ids {
            add_with_dependencies(all, id, &mut wanted)?;
        }
        let in_order: Vec<Software> = all.iter().filter(|software| wanted.contains(&*software.id)).cloned().collect();
        self.install(step, &in_order, INSTALLED)
    }

    pub(super) fn install_packages(&mut self, step: &Step) -> Result<Done, StepError> {
        let (mut packages, all) = (Vec::new(), &self.taken()?.packages);
        for named in self.named(step, "PackageID") {
            // A list's value may also name a program, as in `PKG00001:Install`.
            let id = named.split(':').next().unwrap_or(&named);
            let found = all.iter().find(|software| software.id.eq_ignore_ascii_case(id));
            packages.push(found.cloned().ok_or_else(|| unknown("package", id, all))?);
        }
        self.install(step, &packages, "_PlatenInstalledPackages")
    }

    /// One after the other. One that fails ends the step, unless the step says to go on.
    fn install(&mut self, step: &Step, all: &[Software], remembered: &str) -> Result<Done, StepError> {
        let continues = self.continues(step);
        let (mut said, mut failed) = (Vec::new(), None);
        for software in all {
            let id = &software.id;
            let done = self.surroundings.environment.get(remembered).unwrap_or_default().to_owned();
            if done.split(',').any(|known| known == id) {
                said.push(format!("{id} was installed already"));
                continue;
            }
            let Some(line) = &software.install else {
                return Err(StepError::Said(format!(
                    "{id} has no command that installs it; give it one in the definition"
                )));
            };
            let folder = self.provided_software(id)?;
            let line = self.surroundings.environment.expand(line);
            let ended = self.run_line(line, Some(folder), step)?;
            let code = ended.code.unwrap_or(0);
            let restarts = WANTS_RESTART.contains(&code);
            if code != 0 && !restarts {
                said.push(format!("{id} failed with code {code}: {}", ended.detail));
                failed = failed.or(Some(code));
                if continues { continue } else { break }
            }
            said.push(format!("{id} installed"));
            let done = if done.is_empty() { id.clone() } else { format!("{done},{id}") };
            self.set(remembered, &done)?;
            if restarts {
                // The step comes again after it, for those that are left.
                let environment = &mut self.surroundings.environment;
                environment.set("SMSTSRebootRequested", "HD", false, Origin::Step)?;
                environment.set("SMSTSRetryRequested", "true", false, Origin::Step)?;
                return Ok(Done::ok(format!("{}; it asked for a restart", said.join("; "))));
            }
        }
        Ok(Done { code: failed.filter(|_| !continues), ..Done::ok(said.join("; ")) })
    }

    fn provided_software(&self, id: &str) -> Result<std::path::PathBuf, StepError> {
        let folder = self.store.folder().join(PACKAGES).join(id);
        match folder.is_dir() {
            true => Ok(folder),
            false => Err(StepError::Said(format!("{id} was not taken along from the medium"))),
        }
    }
}

fn unknown(kind: &str, id: &str, all: &[Software]) -> StepError {
    let known: Vec<&str> = all.iter().map(|software| &*software.id).collect();
    StepError::Said(format!("there is no {kind} {id:?} on the medium; it has: {}", known.join(", ")))
}

/// The application and what it depends on. A signed medium has no cycles, but this must end with any list.
fn add_with_dependencies<'a>(all: &'a [Software], id: &str, wanted: &mut BTreeSet<&'a str>) -> Result<(), StepError> {
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let is = |software: &&Software| software.id.eq_ignore_ascii_case(id) || software.name.eq_ignore_ascii_case(id);
        let found = all.iter().find(is).ok_or_else(|| unknown("application", id, all))?;
        if wanted.insert(&found.id) {
            open.extend(found.depends_on.iter().map(|id| &**id));
        }
    }
    Ok(())
}
