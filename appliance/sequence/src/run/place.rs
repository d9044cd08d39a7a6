// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Where a step of stand-alone media runs: the boot system is no Windows, and does what it can by itself.

use serde::Serialize;

use crate::{Place, RunIn, Step, StepKind};

/// Where a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "where", rename_all = "kebab-case")]
pub enum Where {
    /// In the boot system itself.
    BootSystem,
    /// In the boot system, as a change of the system that was put on the disk.
    Offline,
    /// In that system, when it starts for the first time.
    FirstStart,
    /// Nowhere.
    Cannot {
        /// Why.
        why: &'static str,
        /// What to do about it.
        todo: &'static str,
    },
}

const WINDOWS_TOO_EARLY: Where = Where::Cannot {
    why: "it is a Windows program, and Windows does not run yet",
    todo: "move it behind Setup Windows and ConfigMgr, or use a program of the boot system",
};
const WINDOWS_NOT_YET: Where = Where::Cannot {
    why: "it needs the Windows that is installed, which does not run yet",
    todo: "move it behind Setup Windows and ConfigMgr",
};
pub(super) const NO_WAY_BACK: Where = Where::Cannot {
    why: "the boot system is on the medium, and the computer starts from its own disk",
    todo: "disable it, or let it restart into the installed system",
};
const JOINED_BY_SETUP: Where = Where::Cannot {
    why: "this version of Platen lets Windows' set-up join",
    todo: "move it before Setup Windows and ConfigMgr, behind Apply Operating System Image",
};
const CAPTURED_TOO_LATE: Where = Where::Cannot {
    why: "it keeps settings of the system that was there before, which is gone",
    todo: "move it before Apply Operating System Image, or disable it",
};
/// Users of a Windows have more than files: a registry, settings of programs.
pub(super) const USERS_OF_WINDOWS: Where = Where::Cannot {
    why: "the users' state of a Windows is captured by USMT, which is a program of Windows",
    todo: "capture it in Windows, or keep the files by a protected folder (OSDStateStorePath)",
};
const NOTHING_TO_CHANGE: Where = Where::Cannot {
    why: "it changes Windows, and there is none on the disk yet",
    todo: "move it behind Apply Operating System Image, or disable it",
};
/// What to do about a Windows program of MDT's, whose sequences have no such step.
const MDT_TOO_EARLY: &str =
    "disable it or, if it can wait until Windows runs, move it into the group for the phase STATERESTORE";
const BOOT_SYSTEM_LEFT: Where = Where::Cannot {
    why: "it runs only in the boot system, which the computer left",
    todo: "move it before Setup Windows and ConfigMgr",
};

impl Where {
    /// The same in a sequence of MDT, which has other steps to stand behind.
    pub(super) fn in_mdt(self) -> Self {
        match self {
            Self::Cannot { why, .. } if self == WINDOWS_TOO_EARLY || self == WINDOWS_NOT_YET => {
                Self::Cannot { why, todo: MDT_TOO_EARLY }
            }
            other => other,
        }
    }

    /// For a column.
    pub fn word(&self) -> &'static str {
        match self {
            Self::BootSystem => "boot system",
            Self::Offline => "offline",
            Self::FirstStart => "first start",
            Self::Cannot { .. } => "can't",
        }
    }
}

impl Step {
    /// Where it runs, before Windows was started for the first time or after; and in the boot system, before or after a
    /// system was put on the disk.
    pub fn runs(&self, in_windows: bool, has_system: bool) -> Where {
        if let Some(refused) = self.refused() {
            return refused;
        }
        match (in_windows, self.run_in, self.kind.place()) {
            (true, RunIn::WinPE, _) | (true, _, Place::WinPeOnly) => BOOT_SYSTEM_LEFT,
            (true, ..) => match self.kind {
                StepKind::JoinDomainOrWorkgroup => JOINED_BY_SETUP,
                StepKind::CaptureWindowsSettings | StepKind::CaptureNetworkSettings => CAPTURED_TOO_LATE,
                _ => Where::FirstStart,
            },
            // What Windows joins stands in its answer file.
            (false, RunIn::Both, _) if self.kind == StepKind::JoinDomainOrWorkgroup && has_system => Where::Offline,
            (false, RunIn::FullOS, _) | (false, _, Place::FullOsOnly) => WINDOWS_NOT_YET,
            (false, ..) => self.in_boot_system(has_system),
        }
    }

    /// What runs nowhere on stand-alone media.
    fn refused(&self) -> Option<Where> {
        let (why, todo) = match self.kind {
            StepKind::Unknown => ("nobody here knows this step type", "disable it, or put another in its place"),
            StepKind::UpgradeOperatingSystem | StepKind::MdtUpgradeOperatingSystem => {
                ("an upgrade is started from the old Windows", "use Apply Operating System Image")
            }
            StepKind::InstallSoftwareUpdates => {
                ("it needs a site", "use an operating system image that has the updates")
            }
            StepKind::RunTaskSequence => ("the child sequence is not here", "import the export that has it"),
            StepKind::CreateVirtualHardDisk => ("the boot system makes no virtual hard disks", "disable it"),
            StepKind::PreProvisionBitLocker => {
                ("the boot system has no BitLocker", "use manage-bde behind Setup Windows and ConfigMgr, or disable it")
            }
            StepKind::MdtAuthorizeDhcp => ("it needs a domain controller", "do it by hand"),
            StepKind::MdtInstallUpdatesOffline => (
                "it needs the updates of a deployment share, which no medium has",
                "use an operating system image that has the updates, or disable it",
            ),
            StepKind::ConnectToNetworkFolder => (
                "stand-alone media connect to no network",
                "put the files on the medium as a package, or use Run Command Line behind Setup Windows and ConfigMgr",
            ),
            StepKind::EnableBitLocker | StepKind::DisableBitLocker if self.script().is_none() => (
                "this version of Platen does not carry it out",
                "use Run Command Line with manage-bde behind Setup Windows and ConfigMgr, or disable it",
            ),
            StepKind::PrepareClientForCapture
            | StepKind::PrepareWindowsForCapture
            | StepKind::CaptureOperatingSystemImage => (
                "this version of Platen captures no image of a computer",
                "disable it, or put it under a condition that does not hold on stand-alone media",
            ),
            StepKind::InstallDeploymentTools => ("the boot system has no use for tools of Windows", "disable it"),
            StepKind::Script | StepKind::RunCommandLine if self.script_label() == Some("MDT: Create WIM") => {
                ("this version of Platen captures no image of a computer", "disable it")
            }
            _ => return None,
        };
        Some(Where::Cannot { why, todo })
    }

    fn in_boot_system(&self, has_system: bool) -> Where {
        match self.kind {
            StepKind::ApplyWindowsSettings | StepKind::ApplyNetworkSettings | StepKind::SetupWindowsAndConfigMgr => {
                Where::Offline
            }
            StepKind::RunPowerShellScript
            | StepKind::MdtRunPowerShellScript
            | StepKind::MdtInstallApplication
            | StepKind::MdtInstallRoles
            | StepKind::MdtUninstallRoles
            | StepKind::MdtRecoverDomainJoin
            | StepKind::CaptureWindowsSettings
            | StepKind::CaptureNetworkSettings => WINDOWS_TOO_EARLY,
            StepKind::Script | StepKind::RunCommandLine if self.script_label().is_some() => self.of_script(has_system),
            StepKind::RunCommandLine => match of_command(self.command()) {
                Where::Offline if !has_system => NOTHING_TO_CHANGE,
                place => place,
            },
            StepKind::Script => of_command(&self.action),
            _ => Where::BootSystem,
        }
    }

    /// MDT's scripts by what they do.
    fn of_script(&self, has_system: bool) -> Where {
        match self.script_label().unwrap_or_default() {
            "MDT: Next Phase"
            | "MDT: Check BIOS"
            | "MDT: Copy Scripts"
            | "MDT: Inject Drivers"
            | "MDT: Format and Partition Disk"
            | "MDT: Install Operating System"
            | "MDT: Set Task Sequence Variable" => Where::BootSystem,
            // Before there is a system it is noted, and done when there is one.
            "MDT: Configure" => Where::Offline,
            // Before there is a system it keeps the settings of the old one, of which the boot system knows nothing.
            "MDT: Network Settings" if has_system => Where::Offline,
            "MDT: Network Settings" => Where::BootSystem,
            "MDT: Apply Windows PE or Operating System" if self.deploys_system() => Where::BootSystem,
            "MDT: Apply Windows PE or Operating System" => Where::Cannot {
                why: "it puts Windows PE on the disk, which the boot system needs not",
                todo: "disable it",
            },
            _ => of_command(&self.action),
        }
    }

    /// After it the computer is in the boot system.
    pub(crate) fn returns_to_boot_system(&self) -> bool {
        match self.kind {
            StepKind::RestartComputer => {
                let target = self.property("Target").or_else(|| self.property("SMSRebootTarget"));
                target.is_some_and(|target| target.eq_ignore_ascii_case("WinPE"))
                    || self.action.to_ascii_lowercase().contains("/target:winpe")
            }
            // It ends with a restart into the boot system, for the capture.
            StepKind::PrepareWindowsForCapture => true,
            _ => false,
        }
    }

    /// The command line without the program that Configuration Manager wraps it in: `smsswd.exe /run:PKG00001 command`.
    pub fn command(&self) -> &str {
        let line = self.action.trim();
        let line = if line.is_empty() { self.property("CommandLine").unwrap_or_default() } else { line };
        let Some(rest) = line.strip_prefix("smsswd.exe ").or_else(|| line.strip_prefix("SMSSWD.EXE ")) else {
            return line;
        };
        match rest.trim_start().split_once(' ') {
            Some((run, command)) if run.to_ascii_lowercase().starts_with("/run:") => command.trim_start(),
            _ => rest,
        }
    }
}

/// A command line by its program, without folder and ending.
fn of_command(line: &str) -> Where {
    let line = line.trim();
    let line = match line.get(..7) {
        Some(shell) if shell.eq_ignore_ascii_case("cmd /c ") => line[7..].trim_start(),
        _ => line,
    };
    let word = match line.strip_prefix('"') {
        Some(rest) => rest.split('"').next().unwrap_or(rest),
        None => line.split_whitespace().next().unwrap_or_default(),
    };
    let file = word.rsplit(['\\', '/']).next().unwrap_or(word).to_ascii_lowercase();
    let stem = [".exe", ".com"].iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(&file);
    match stem {
        "diskpart" | "bcdboot" | "sh" | "tsenv" => Where::BootSystem,
        "reg" | "xcopy" | "robocopy" | "copy" | "move" | "md" | "mkdir" | "del" | "erase" | "rd" | "rmdir" => {
            Where::Offline
        }
        "powercfg" => Where::Cannot {
            why: "power schemes are changed by Windows itself",
            todo: "move it behind Setup Windows and ConfigMgr",
        },
        "" => Where::Cannot { why: "it has no command", todo: "give it one, or disable it" },
        _ => WINDOWS_TOO_EARLY,
    }
}
