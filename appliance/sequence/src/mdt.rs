// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! MDT's steps without a type: what each of its scripts does.

use crate::{Step, StepKind};

/// Script, without its ending, and what it does. They are the commands of 99 % of such steps.
const SCRIPTS: [(&str, &str); 25] = [
    ("LTIApply", "MDT: Apply Windows PE or Operating System"),
    ("LTICopyScripts", "MDT: Copy Scripts"),
    ("LTISuspend", "MDT: Suspend"),
    ("LTISysprep", "MDT: Sysprep"),
    ("PSDApplyOS", "MDT: Install Operating System"),
    ("PSDConfigure", "MDT: Configure"),
    ("PSDTattoo", "MDT: Tattoo"),
    ("PSDWindowsUpdate", "MDT: Windows Update"),
    ("ZTIApplyGPOPack", "MDT: Apply Local GPO Package"),
    ("ZTIBackup", "MDT: Create WIM"),
    ("ZTIBDE", "MDT: BitLocker"),
    ("ZTIBIOSCheck", "MDT: Check BIOS"),
    ("ZTIConfigure", "MDT: Configure"),
    ("ZTIDisableBDEProtectors", "MDT: Disable BDE Protectors"),
    ("ZTIDiskpart", "MDT: Format and Partition Disk"),
    ("ZTIDomainJoin", "MDT: Recover From Domain"),
    ("ZTIDrivers", "MDT: Inject Drivers"),
    ("ZTIGroups", "MDT: Capture or Restore Groups"),
    ("ZTINextPhase", "MDT: Next Phase"),
    ("ZTINicConfig", "MDT: Network Settings"),
    ("ZTIOptIn", "MDT: Opt In to CEIP and WER"),
    ("ZTISetVariable", "MDT: Set Task Sequence Variable"),
    ("ZTITatoo", "MDT: Tattoo"),
    ("ZTIUserState", "MDT: User State"),
    ("ZTIWindowsUpdate", "MDT: Windows Update"),
];

impl Step {
    /// What it does, in the editor's words; of a step without a type, by its command; of an unknown one, its type.
    pub fn label(&self) -> &str {
        match self.kind {
            StepKind::Script => self.script().map_or(StepKind::Script.label(), |(_, label)| label),
            StepKind::Unknown if !self.type_name.is_empty() => &self.type_name,
            kind => kind.label(),
        }
    }

    /// What the script of MDT does that its command runs, whatever the step's type.
    pub fn script_label(&self) -> Option<&'static str> {
        let runs_command = matches!(self.kind, StepKind::Script | StepKind::RunCommandLine);
        self.script().filter(|_| runs_command).map(|(_, label)| label)
    }

    /// Whether its command runs a script of MDT, as those of its steps do that have a type.
    pub fn runs_script_of_mdt(&self) -> bool {
        self.kind == StepKind::Script || self.kind.type_name().starts_with("BDD_") || self.script().is_some()
    }

    /// The entry of MDT's script that its command runs.
    pub(crate) fn script(&self) -> Option<(&'static str, &'static str)> {
        let is = |word: &str, script: &str| {
            let file = word.trim_matches('"').rsplit(['\\', '/']).next().unwrap_or(word);
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            stem.eq_ignore_ascii_case(script)
        };
        SCRIPTS.into_iter().find(|(script, _)| self.action.split_whitespace().any(|word| is(word, script)))
    }

    /// Whether it puts a new table on a disk.
    pub(crate) fn divides_disk(&self) -> bool {
        self.kind == StepKind::FormatAndPartitionDisk || self.script_label() == Some("MDT: Format and Partition Disk")
    }

    /// Whether it puts an operating system on the computer.
    pub fn deploys_system(&self) -> bool {
        match self.kind {
            StepKind::ApplyOperatingSystemImage
            | StepKind::UpgradeOperatingSystem
            | StepKind::MdtInstallOperatingSystem
            | StepKind::MdtUpgradeOperatingSystem => true,
            // With arguments LTIApply copies Windows PE or follows up.
            StepKind::Script => match self.script() {
                Some(("PSDApplyOS", _)) => true,
                Some(("LTIApply", _)) => !self.action.contains(" /"),
                _ => false,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::import::Imported;

    #[test]
    fn a_step_without_a_type_is_what_its_command_does() {
        let of = |action: &str| {
            let xml =
                format!("<sequence version=\"3.00\"><step name=\"S\"><action>{action}</action></step></sequence>");
            let sequence = Imported::from_bytes(xml.as_bytes()).expect("a sequence").sequence;
            let step = sequence.steps()[0].step.clone();
            (step.label().to_owned(), step.deploys_system())
        };
        let table = [
            (r#"cscript.exe "%SCRIPTROOT%\ZTINextPhase.wsf""#, "MDT: Next Phase", false),
            (r#"cscript.exe "%SCRIPTROOT%\LTIApply.wsf""#, "MDT: Apply Windows PE or Operating System", true),
            (
                r#"cscript.exe "%SCRIPTROOT%\LTIApply.wsf" /PE /STAGE"#,
                "MDT: Apply Windows PE or Operating System",
                false,
            ),
            (r"PowerShell.exe -File %SCRIPTROOT%\psdapplyos.ps1", "MDT: Install Operating System", true),
            ("own.exe ZTINextPhase-not.wsf", "MDT script", false),
            ("", "MDT script", false),
        ];
        for (action, label, deploys) in table {
            assert_eq!(of(action), (label.to_owned(), deploys), "{action}");
        }
    }
}
