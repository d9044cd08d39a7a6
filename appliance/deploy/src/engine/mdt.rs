// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! MDT's steps, most of which are Configuration Manager's under other names.

use platen_sequence::run::Origin;
use platen_sequence::{Step, StepKind, Variable};

use super::carry::{Carrier, Done, StepError};
use super::system::System;

/// The variable that says what is to be done as soon as there is a system: MDT's scripts may run before, and then only
/// prepare it.
const PREPARED: &str = "_PlatenPrepared";
const DRIVERS: &str = "Drivers";
const SETTINGS: &str = "Settings";

/// What MDT calls a setting, and what Configuration Manager does.
const SETTINGS_NAMES: [(&str, &str); 5] = [
    ("AdminPassword", "OSDLocalAdminPassword"),
    ("FullName", "OSDRegisteredUserName"),
    ("OrgName", "OSDRegisteredOrgName"),
    ("ProductKey", "OSDProductKey"),
    ("TimeZoneName", "OSDTimeZone"),
];

impl Carrier<'_> {
    /// Does a step of MDT. None: it is none, or runs as Configuration Manager's does.
    pub(super) fn perform_mdt(&mut self, step: &Step) -> Option<Result<Done, StepError>> {
        let script = step.script_label();
        let has_system = self.surroundings.has_system();
        Some(match (step.kind, script) {
            (StepKind::MdtUsePackage, _) => self.use_package(step),
            (StepKind::MdtInstallApplication, _) => self.install_applications_of_mdt(step),
            // All else of it is a program, which the installed system runs.
            _ if self.surroundings.in_deployed() => {
                return step.runs_script_of_mdt().then(|| self.command(step));
            }
            (StepKind::MdtInstallOperatingSystem, _)
            | (_, Some("MDT: Install Operating System" | "MDT: Apply Windows PE or Operating System")) => {
                self.install_system(step)
            }
            (StepKind::MdtInjectDrivers, _) | (_, Some("MDT: Inject Drivers")) => self.prepare(step, DRIVERS),
            (_, Some("MDT: Configure")) => self.prepare(step, SETTINGS),
            (_, Some("MDT: Network Settings")) if has_system => {
                self.perform(&as_kind(step, StepKind::ApplyNetworkSettings, &[]))
            }
            (_, Some("MDT: Network Settings")) => Ok(Done::ok("there are no settings to keep")),
            (_, Some("MDT: Format and Partition Disk")) => {
                self.perform(&as_kind(step, StepKind::FormatAndPartitionDisk, &[]))
            }
            (_, Some("MDT: Check BIOS")) => Ok(Done::ok("no BIOS is known to be unfit")),
            (_, Some("MDT: Copy Scripts")) => Ok(Done::ok("what comes later takes its own along")),
            _ => return None,
        })
    }

    fn install_system(&mut self, step: &Step) -> Result<Done, StepError> {
        let id = self.property(step, "OSGUID");
        let id = id.or_else(|| self.surroundings.environment.get("OSGUID").map(str::to_owned)).unwrap_or_default();
        let named = |name: &str| self.property(step, name).unwrap_or_default();
        let (variable, letter) = (named("DestinationOSVariable"), named("DestinationOSDriveLetter"));
        let (disk, partition) = (named("DestinationDisk"), named("DestinationPartition"));
        let mut properties = vec![("ImagePackageID", &*id)];
        match &*named("DestinationOSInstallType").to_ascii_lowercase() {
            "byvariable" => properties.push(("DestinationVariable", &*variable)),
            "bydriveletter" => properties.push(("DestinationLogicalDrive", &*letter)),
            "bydiskpartition" => {
                properties.extend([("DestinationDisk", &*disk), ("DestinationPartition", &*partition)]);
            }
            // The next one that was formatted.
            _ => {}
        }
        let done = self.perform(&as_kind(step, StepKind::ApplyOperatingSystemImage, &properties))?;
        let prepared = self.surroundings.environment.get(PREPARED).unwrap_or_default().to_owned();
        let mut said = vec![done.detail];
        for what in prepared.split(',').filter(|what| !what.is_empty()) {
            said.push(self.put_in(step, what)?.detail);
        }
        self.surroundings.environment.set(PREPARED, "", false, Origin::BuiltIn)?;
        Ok(Done::ok(said.join("; ")))
    }

    /// Puts drivers or settings into the system, or sees to it that this is done when there is one.
    fn prepare(&mut self, step: &Step, what: &str) -> Result<Done, StepError> {
        if self.surroundings.has_system() {
            return self.put_in(step, what);
        }
        let known = self.surroundings.environment.get(PREPARED).unwrap_or_default().to_owned();
        if !known.split(',').any(|known| known == what) {
            self.surroundings.environment.set(PREPARED, &format!("{known},{what}"), false, Origin::BuiltIn)?;
        }
        Ok(Done::ok("it is done when there is a system"))
    }

    fn put_in(&mut self, step: &Step, what: &str) -> Result<Done, StepError> {
        if what == DRIVERS {
            return self.inject_drivers(step);
        }
        let is_set = |name: &str| self.surroundings.environment.get(name).is_some();
        let set: Vec<(&str, String)> = SETTINGS_NAMES
            .into_iter()
            .filter(|(own, _)| is_set(own))
            .map(|(own, name)| (name, format!("%{own}%")))
            .collect();
        let properties: Vec<(&str, &str)> = set.iter().map(|(name, value)| (*name, &**value)).collect();
        let settings = self.perform(&as_kind(step, StepKind::ApplyWindowsSettings, &properties))?;
        let network = self.perform(&as_kind(step, StepKind::ApplyNetworkSettings, &[]))?;
        Ok(Done::ok(format!("{}; {}", settings.detail, network.detail)))
    }

    /// All of the medium for a Linux, and for a Windows those that its devices need. MDT takes none for no error.
    fn inject_drivers(&mut self, step: &Step) -> Result<Done, StepError> {
        let ids: Vec<&str> = self.contents()?.driver_packages().map(|(id, _)| id).collect();
        if ids.is_empty() {
            return Ok(Done::ok("the medium has no drivers"));
        }
        let root = self.system_root()?;
        if System::of(&root).map_err(StepError::Said)? == System::Windows {
            return self.perform(&as_kind(step, StepKind::AutoApplyDrivers, &[]));
        }
        let mut said = Vec::new();
        for id in ids {
            let package = [("DriverPackageID", id)];
            said.push(self.perform(&as_kind(step, StepKind::ApplyDriverPackage, &package))?.detail);
        }
        Ok(Done::ok(said.join("; ")))
    }

    /// Applications by the step's id, or those that the sequence's lists name.
    fn install_applications_of_mdt(&mut self, step: &Step) -> Result<Done, StepError> {
        if let Some(id) = self.property(step, "ApplicationGUID") {
            let properties = [("ApplicationName", &*id)];
            return self.perform(&as_kind(step, StepKind::InstallApplication, &properties));
        }
        let mut said = Vec::new();
        for list in ["MandatoryApplications", "Applications"] {
            let properties = [("BaseVariableName", list)];
            let done = self.perform(&as_kind(step, StepKind::InstallApplication, &properties))?;
            if done.code.is_some() || self.surroundings.environment.get("SMSTSRetryRequested").is_some() {
                return Ok(done);
            }
            said.extend(Some(done.detail).filter(|detail| !detail.is_empty()));
        }
        Ok(Done::ok(if said.is_empty() { "none is named".to_owned() } else { said.join("; ") }))
    }

    /// The toolkit's files, where scripts look for them.
    fn use_package(&mut self, step: &Step) -> Result<Done, StepError> {
        let id = self.property(step, "BDDPackageID").or_else(|| self.property(step, "PackageID"));
        let id = id.ok_or_else(|| StepError::Said("the step names no package".to_owned()))?;
        let folder = self.provided(&id)?.display().to_string();
        let environment = &mut self.surroundings.environment;
        environment.set("DeployRoot", &folder, false, Origin::Step)?;
        environment.set("ScriptRoot", &format!("{folder}/Scripts"), false, Origin::Step)?;
        Ok(Done::ok(format!("{id} in {folder}")))
    }
}

/// The same step as one of Configuration Manager's, with these properties.
fn as_kind(step: &Step, kind: StepKind, properties: &[(&str, &str)]) -> Step {
    let variables = properties.iter().map(|(name, value)| Variable {
        name: (*name).to_owned(),
        property: Some((*name).to_owned()),
        hidden: true,
        value: (*value).to_owned(),
    });
    let own =
        step.variables.iter().filter(|own| !properties.iter().any(|(name, _)| own.name.eq_ignore_ascii_case(name)));
    // Where a system goes was said by MDT's own names.
    let own = own.filter(|own| !own.name.starts_with("Destination")).cloned();
    Step { kind, action: String::new(), variables: own.chain(variables).collect(), ..step.clone() }
}
