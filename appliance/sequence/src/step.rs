// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The step types of the documentation, and those MDT adds: names, categories, and where each can run.

use serde::{Deserialize, Serialize};

/// The editor's menu a step is found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Commands, restarts, variables.
    General,
    /// Applications, packages and updates.
    Software,
    /// Partitioning and BitLocker.
    Disks,
    /// Keeping and giving back what users have.
    UserState,
    /// Operating systems.
    Images,
    /// Drivers.
    Drivers,
    /// Windows, network and domain.
    Settings,
}

/// In which system a step type can run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In both systems.
    Anywhere,
    /// Before the new system was started.
    WinPeOnly,
    /// In the system that was installed.
    FullOsOnly,
}

macro_rules! steps {
    ($($variant:ident = $type_name:literal, $label:literal, $category:ident, $place:ident;)*) => {
        /// A step's type. In XML and JSON it is the name of Configuration Manager's class.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum StepKind {
            $(#[doc = $label] #[serde(rename = $type_name)] $variant,)*
            /// A step without a type, as MDT writes most of its own: its command says what it does.
            #[serde(rename = "MDT_Script")]
            Script,
            /// A type nobody here knows. It is kept whole: see `type_name` of the step.
            #[serde(rename = "Unknown")]
            Unknown,
        }

        impl StepKind {
            /// All that have a class name, by category.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The class name, as in the `type` attribute.
            pub fn type_name(self) -> &'static str {
                match self { $(Self::$variant => $type_name,)* Self::Script | Self::Unknown => "" }
            }

            /// The name in the editor.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* Self::Script => "MDT script", Self::Unknown => "unknown step type" }
            }

            /// The editor's menu.
            pub fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* Self::Script | Self::Unknown => Category::General }
            }

            /// Where it can run.
            pub fn place(self) -> Place {
                match self { $(Self::$variant => Place::$place,)* Self::Script | Self::Unknown => Place::Anywhere }
            }

            /// The type of that class name.
            pub fn from_type_name(text: &str) -> Option<Self> {
                match text { $($type_name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

steps! {
    RunCommandLine = "SMS_TaskSequence_RunCommandLineAction", "Run Command Line", General, Anywhere;
    RunPowerShellScript = "SMS_TaskSequence_RunPowerShellScriptAction", "Run PowerShell Script", General, Anywhere;
    SetDynamicVariables = "SMS_TaskSequence_SetDynamicVariablesAction", "Set Dynamic Variables", General, Anywhere;
    JoinDomainOrWorkgroup = "SMS_TaskSequence_JoinDomainWorkgroupAction", "Join Domain or Workgroup", General, FullOsOnly;
    ConnectToNetworkFolder = "SMS_TaskSequence_ConnectNetworkFolderAction", "Connect To Network Folder", General, Anywhere;
    RestartComputer = "SMS_TaskSequence_RebootAction", "Restart Computer", General, Anywhere;
    SetVariable = "SMS_TaskSequence_SetVariableAction", "Set Task Sequence Variable", General, Anywhere;
    CheckReadiness = "SMS_TaskSequence_PrestartCheckAction", "Check Readiness", General, Anywhere;
    RunTaskSequence = "SMS_TaskSequence_SubTasksequence", "Run Task Sequence", General, Anywhere;
    InstallApplication = "SMS_TaskSequence_InstallApplicationAction", "Install Application", Software, FullOsOnly;
    InstallPackage = "SMS_TaskSequence_InstallSoftwareAction", "Install Package", Software, FullOsOnly;
    InstallSoftwareUpdates = "SMS_TaskSequence_InstallUpdateAction", "Install Software Updates", Software, FullOsOnly;
    DownloadPackageContent = "SMS_TaskSequence_DownloadPackageContentAction", "Download Package Content", Software, Anywhere;
    FormatAndPartitionDisk = "SMS_TaskSequence_PartitionDiskAction", "Format and Partition Disk", Disks, WinPeOnly;
    EnableBitLocker = "SMS_TaskSequence_EnableBitLockerAction", "Enable BitLocker", Disks, FullOsOnly;
    DisableBitLocker = "SMS_TaskSequence_DisableBitLockerAction", "Disable BitLocker", Disks, FullOsOnly;
    PreProvisionBitLocker = "SMS_TaskSequence_OfflineEnableBitLockerAction", "Pre-provision BitLocker", Disks, WinPeOnly;
    RequestStateStore = "SMS_TaskSequence_RequestStateStoreAction", "Request State Store", UserState, Anywhere;
    CaptureUserState = "SMS_TaskSequence_CaptureUserStateAction", "Capture User State", UserState, Anywhere;
    RestoreUserState = "SMS_TaskSequence_RestoreUserStateAction", "Restore User State", UserState, FullOsOnly;
    ReleaseStateStore = "SMS_TaskSequence_ReleaseStateStoreAction", "Release State Store", UserState, FullOsOnly;
    ApplyOperatingSystemImage = "SMS_TaskSequence_ApplyOperatingSystemAction", "Apply Operating System Image", Images, WinPeOnly;
    ApplyDataImage = "SMS_TaskSequence_ApplyDataImageAction", "Apply Data Image", Images, WinPeOnly;
    SetupWindowsAndConfigMgr = "SMS_TaskSequence_SetupWindowsAndSMSAction", "Setup Windows and ConfigMgr", Images, Anywhere;
    UpgradeOperatingSystem = "SMS_TaskSequence_UpgradeOperatingSystemAction", "Upgrade Operating System", Images, FullOsOnly;
    PrepareClientForCapture = "SMS_TaskSequence_PrepareSMSClientAction", "Prepare ConfigMgr Client for Capture", Images, FullOsOnly;
    PrepareWindowsForCapture = "SMS_TaskSequence_PrepareOSAction", "Prepare Windows for Capture", Images, FullOsOnly;
    CaptureOperatingSystemImage = "SMS_TaskSequence_CaptureSystemImageAction", "Capture Operating System Image", Images, WinPeOnly;
    AutoApplyDrivers = "SMS_TaskSequence_AutoApplyAction", "Auto Apply Drivers", Drivers, WinPeOnly;
    ApplyDriverPackage = "SMS_TaskSequence_ApplyDriverPackageAction", "Apply Driver Package", Drivers, WinPeOnly;
    CaptureNetworkSettings = "SMS_TaskSequence_CaptureNetworkSettingsAction", "Capture Network Settings", Settings, Anywhere;
    CaptureWindowsSettings = "SMS_TaskSequence_CaptureWindowsSettingsAction", "Capture Windows Settings", Settings, Anywhere;
    ApplyNetworkSettings = "SMS_TaskSequence_ApplyNetworkSettingsAction", "Apply Network Settings", Settings, WinPeOnly;
    ApplyWindowsSettings = "SMS_TaskSequence_ApplyWindowsSettingsAction", "Apply Windows Settings", Settings, WinPeOnly;
    CreateVirtualHardDisk = "SMS_TaskSequence_VirtualHardDiskAction", "Create Virtual Hard Disk", Disks, WinPeOnly;
    InstallDeploymentTools = "SMS_TaskSequence_InstallDeployToolsAction", "Install Deployment Tools", Images, Anywhere;
    MdtGather = "BDD_Gather", "MDT: Gather", General, Anywhere;
    MdtValidate = "BDD_Validate", "MDT: Validate", General, Anywhere;
    MdtRunPowerShellScript = "BDD_RunPowerShellAction", "MDT: Run PowerShell Script", General, Anywhere;
    MdtUsePackage = "BDD_UsePackage", "MDT: Use Toolkit Package", General, Anywhere;
    MdtInstallApplication = "BDD_InstallApplication", "MDT: Install Application", Software, Anywhere;
    MdtInstallUpdatesOffline = "BDD_InstallUpdatesOffline", "MDT: Install Updates Offline", Software, Anywhere;
    MdtInstallOperatingSystem = "BDD_InstallOS", "MDT: Install Operating System", Images, Anywhere;
    MdtUpgradeOperatingSystem = "BDD_UpgradeOS", "MDT: Upgrade Operating System", Images, Anywhere;
    MdtInjectDrivers = "BDD_InjectDrivers", "MDT: Inject Drivers", Drivers, Anywhere;
    MdtInstallRoles = "BDD_InstallRoles", "MDT: Install Roles and Features", Settings, Anywhere;
    MdtUninstallRoles = "BDD_UninstallRoles", "MDT: Uninstall Roles and Features", Settings, Anywhere;
    MdtRecoverDomainJoin = "BDD_RecoverDomainJoin", "MDT: Recover From Domain", Settings, Anywhere;
    MdtAuthorizeDhcp = "BDD_AuthorizeDHCP", "MDT: Authorize DHCP", Settings, Anywhere;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_are_the_same_in_xml_and_json() {
        for &kind in StepKind::ALL {
            assert_eq!(StepKind::from_type_name(kind.type_name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("a text"), kind.type_name());
        }
        assert_eq!(StepKind::ALL.len(), 49);
        for unknown in ["", "BDD_Moon", "MDT_Script", "Unknown"] {
            assert_eq!(StepKind::from_type_name(unknown), None, "{unknown}");
        }
    }
}
