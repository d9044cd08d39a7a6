// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Sequences as people export them: step types, attributes and conditions by how often real ones have them.

use std::fmt::Write as _;

/// SplitMix64: the same sequences on every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'a>(&mut self, weighted: &[(usize, &'a str)]) -> &'a str {
        let mut at = self.below(weighted.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in weighted {
            if at < *weight {
                return item;
            }
            at -= weight;
        }
        unreachable!("below the sum")
    }
}

/// Type and how many of 6,788 real steps have it.
const TYPES: [(usize, &str); 40] = [
    (2380, ""),
    (1537, "SMS_TaskSequence_RunCommandLineAction"),
    (566, "BDD_InstallApplication"),
    (397, "SMS_TaskSequence_RebootAction"),
    (371, "BDD_Gather"),
    (201, "SMS_TaskSequence_SetVariableAction"),
    (185, "SMS_TaskSequence_PartitionDiskAction"),
    (184, "BDD_Validate"),
    (104, "BDD_InstallUpdatesOffline"),
    (89, "BDD_InjectDrivers"),
    (86, "BDD_InstallOS"),
    (77, "BDD_RecoverDomainJoin"),
    (73, "SMS_TaskSequence_EnableBitLockerAction"),
    (65, "BDD_RunPowerShellAction"),
    (64, "SMS_TaskSequence_RunPowerShellScriptAction"),
    (61, "BDD_UsePackage"),
    (40, "BDD_InstallRoles"),
    (28, "SMS_TaskSequence_SetDynamicVariablesAction"),
    (22, "SMS_TaskSequence_ApplyDriverPackageAction"),
    (21, "SMS_TaskSequence_InstallApplicationAction"),
    (19, "SMS_TaskSequence_ApplyNetworkSettingsAction"),
    (16, "SMS_TaskSequence_UpgradeOperatingSystemAction"),
    (14, "SMS_TaskSequence_AutoApplyAction"),
    (13, "SMS_TaskSequence_SubTasksequence"),
    (13, "SMS_TaskSequence_DisableBitLockerAction"),
    (12, "SMS_TaskSequence_InstallSoftwareAction"),
    (11, "SMS_TaskSequence_ApplyWindowsSettingsAction"),
    (11, "SMS_TaskSequence_SetupWindowsAndSMSAction"),
    (10, "SMS_TaskSequence_ApplyOperatingSystemAction"),
    (10, "SMS_TaskSequence_CaptureNetworkSettingsAction"),
    (8, "SMS_TaskSequence_PrestartCheckAction"),
    (8, "SMS_TaskSequence_InstallUpdateAction"),
    (7, "SMS_TaskSequence_DownloadPackageContentAction"),
    (7, "SMS_TaskSequence_OfflineEnableBitLockerAction"),
    (7, "SMS_TaskSequence_VirtualHardDiskAction"),
    (7, "SMS_TaskSequence_InstallDeployToolsAction"),
    (7, "SMS_TaskSequence_CaptureSystemImageAction"),
    (6, "SMS_TaskSequence_RestoreUserStateAction"),
    (4, "SMS_TaskSequence_JoinDomainWorkgroupAction"),
    (3, "Vendor_Strange_Action"),
];

const SCRIPTS: [(usize, &str); 10] = [
    (407, "ZTINextPhase"),
    (274, "LTIApply"),
    (198, "ZTIDrivers"),
    (177, "LTISysprep"),
    (176, "ZTIConfigure"),
    (175, "LTICopyScripts"),
    (172, "ZTIWindowsUpdate"),
    (135, "ZTIBackup"),
    (84, "ZTIBIOSCheck"),
    (30, "Unknown-Script"),
];

const COMMANDS: [(usize, &str); 9] = [
    (565, r#"cscript.exe "%SCRIPTROOT%\own.wsf""#),
    (218, r#"smsswd.exe /run: reg add "HKLM\SOFTWARE\X" /v Y /d 1 /f"#),
    (152, "smsswd.exe /run:PKG00001 powershell.exe -File x.ps1"),
    (57, r"xcopy %deployroot%\x %OSDisk%\x /y"),
    (26, "powercfg /s 8c5e7fda"),
    (19, "dism /online /x"),
    (10, r"robocopy a b"),
    (7, "del %ERRORLEVEL% %i"),
    (5, "diskpart /s x.txt"),
];

const VARIABLES: [(usize, &str); 12] = [
    (485, "PHASE"),
    (307, "DeploymentType"),
    (255, "DoCapture"),
    (118, "IsUEFI"),
    (114, "USMTOfflineMigration"),
    (48, "_SMSTSBootUEFI"),
    (47, "_SMSTSInWinPE"),
    (40, "_SMSTSMediaType"),
    (28, "Model"),
    (22, "Make"),
    (15, "_SMSTSLastActionSucceeded"),
    (40, "Own1"),
];

const VALUES: [(usize, &str); 12] = [
    (200, "VALIDATION"),
    (100, "PREINSTALL"),
    (100, "NEWCOMPUTER"),
    (100, "true"),
    (100, "FALSE"),
    (40, "FullMedia"),
    (40, "YES"),
    (20, "10"),
    (20, "9"),
    (10, "Latitude*"),
    (10, "%Make%"),
    (10, ""),
];

const OPERATORS: [(usize, &str); 12] = [
    (1345, "equals"),
    (442, "notEquals"),
    (55, "Equals"),
    (48, "exists"),
    (44, "greaterEqual"),
    (12, "notExists"),
    (9, "like"),
    (9, "notLike"),
    (9, "less"),
    (9, "lessEqual"),
    (9, "greater"),
    (9, "NOTEQUALS"),
];

const QUERIES: [(usize, &str); 6] = [
    (304, "SELECT * FROM Win32_BIOS WHERE SMBIOSBIOSVersion = '1.2.3'"),
    (90, "select * from Win32_ComputerSystem where Model LIKE '%Latitude%' OR Manufacturer LIKE 'Dell%'"),
    (8, "SELECT * FROM Win32_LogicalDisk WHERE DriveType = 3"),
    (4, "SELECT * FROM Win32_DiskPartition WHERE DiskIndex = 0 AND Index <> 1"),
    (57, "SELECT * FROM Lenovo_BiosSetting WHERE CurrentSetting = 'x'"),
    (2, "no query"),
];

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// XML of a whole sequence.
pub(crate) fn sequence(random: &mut Random) -> String {
    let version = if random.one_in(3) { "3.10" } else { "3.00" };
    let mut xml = format!("<sequence version=\"{version}\" name=\"Generated\" description=\"\">");
    if random.one_in(4) {
        xml.push_str("<referenceList><reference package=\"PKG00001\" program=\"*\"/></referenceList>");
    }
    if random.one_in(3) {
        xml.push_str("<globalVarList><variable name=\"OSGUID\" property=\"OSGUID\">{A}</variable>");
        xml.push_str("<variable name=\"OSGUID\" property=\"OSGUID\">{A}</variable><variable name=\"Own1\">10</variable></globalVarList>");
    }
    let count = 1 + random.below(5);
    (0..count).for_each(|_| node(random, 1, &mut xml));
    xml + "</sequence>"
}

fn node(random: &mut Random, depth: usize, xml: &mut String) {
    if depth < 6 && random.one_in(if depth == 1 { 2 } else { 5 }) {
        let name = name(random);
        let flags = flags(random);
        let _ = write!(xml, "<group name=\"{name}\" description=\"\" expand=\"true\"{flags}>");
        if random.one_in(2) {
            xml.push_str("<action></action>");
        }
        condition(random, xml);
        let count = random.below(6);
        (0..count).for_each(|_| node(random, depth + 1, xml));
        xml.push_str("</group>");
    } else {
        step(random, xml);
    }
}

fn name(random: &mut Random) -> String {
    // 83 of 148 files have a name that is too long.
    let long = if random.one_in(40) { " with more words than the fifty characters that fit" } else { "" };
    format!("Step &amp; {}{long}", random.below(1000))
}

fn flags(random: &mut Random) -> &'static str {
    random.pick(&[
        (820, ""),
        (60, " disable=\"true\""),
        (100, " continueOnError=\"true\""),
        (20, " disable=\"False\" continueOnError=\"True\""),
    ])
}

fn step(random: &mut Random, xml: &mut String) {
    let type_name = random.pick(&TYPES);
    let is_child = type_name == "SMS_TaskSequence_SubTasksequence";
    let element = if is_child { "subtasksequence" } else { "step" };
    let type_of = if type_name.is_empty() { String::new() } else { format!(" type=\"{type_name}\"") };
    let codes = random.pick(&[(5953, "0 3010"), (729, "0"), (14, "0 3010 2"), (10, "0 1 2 3 4 5 6 7 8 16"), (50, "")]);
    let run_in = random.pick(&[(3300, ""), (3115, "WinPEandFullOS"), (168, "WinPE"), (152, "FullOS")]);
    let retries = random.pick(&[(850, ""), (90, "0"), (60, "2")]);
    let timeout = random.pick(&[(900, ""), (10, "900"), (10, "3600"), (10, "0")]);
    let _ = write!(
        xml,
        "<{element}{type_of} name=\"{}\" description=\"\"{} successCodeList=\"{codes}\" runIn=\"{run_in}\" \
         retryCount=\"{retries}\" timeout=\"{timeout}\" startIn=\"\">",
        name(random),
        flags(random)
    );
    if random.one_in(20) {
        expression(random, xml);
    }
    let action = match type_name {
        "" => format!("cscript.exe \"%SCRIPTROOT%\\{}.wsf\"", random.pick(&SCRIPTS)),
        _ => random.pick(&COMMANDS).to_owned(),
    };
    let _ = write!(xml, "<action>{}</action><defaultVarList>", escape(&action));
    let mut property = |name: &str, property: &str, value: &str| {
        let value = escape(value);
        let _ = write!(xml, "<variable name=\"{name}\" property=\"{property}\" hidden=\"true\">{value}</variable>");
    };
    match type_name {
        "SMS_TaskSequence_SetVariableAction" => {
            property(
                "VariableName",
                "VariableName",
                random.pick(&[(9, "Own1"), (5, "DoCapture"), (1, "_SMSTSOrgName")]),
            );
            property("VariableValue", "VariableValue", random.pick(&VALUES));
        }
        "SMS_TaskSequence_SetDynamicVariablesAction" => {
            let rules = "<Rules><Rule><condition><expression type=\"SMS_TaskSequence_MakeModelConditionExpression\">\
                         <variable name=\"Make\">Dell*</variable><variable name=\"Model\">*</variable></expression></condition>\
                         <Variables><Variable Name=\"Own1\" IsSecret=\"true\">9</Variable></Variables></Rule></Rules>";
            property("OSDSetDynamicVariablesRules", "Rules", rules);
        }
        "SMS_TaskSequence_RunPowerShellScriptAction" => {
            property("OSDSource", "SourceScript", &"Write-Output 'x'\n".repeat(random.below(400)));
        }
        _ => property("PackageID", "PackageID", "PKG00001"),
    }
    xml.push_str("</defaultVarList>");
    condition(random, xml);
    let _ = write!(xml, "</{element}>");
}

fn condition(random: &mut Random, xml: &mut String) {
    match random.below(20) {
        0..12 => {}
        12 => xml.push_str("<condition/>"),
        13 => xml.push_str("<condition><operator type=\"and\"/></condition>"),
        _ => {
            xml.push_str("<condition>");
            let count = 1 + random.below(3);
            (0..count).for_each(|_| part(random, 1, xml));
            xml.push_str("</condition>");
        }
    }
}

fn part(random: &mut Random, depth: usize, xml: &mut String) {
    if depth < 4 && random.one_in(4) {
        let word = random.pick(&[(221, "or"), (217, "and"), (58, "not")]);
        let _ = write!(xml, "<operator type=\"{word}\">");
        let count = random.below(4);
        (0..count).for_each(|_| part(random, depth + 1, xml));
        xml.push_str("</operator>");
    } else {
        expression(random, xml);
    }
}

fn expression(random: &mut Random, xml: &mut String) {
    let kind = random.pick(&[
        (1955, "Variable"),
        (463, "WMI"),
        (50, "OS"),
        (45, "Folder"),
        (14, "Registry"),
        (13, "File"),
        (8, "MakeModel"),
        (3, "Computer"),
    ]);
    let _ = write!(xml, "<expression type=\"SMS_TaskSequence_{kind}ConditionExpression\">");
    let mut field = |name: &str, value: &str| {
        let _ = write!(xml, "<variable name=\"{name}\">{}</variable>", escape(value));
    };
    match kind {
        "Variable" => {
            field("Variable", random.pick(&VARIABLES));
            field("Operator", random.pick(&OPERATORS));
            field("Value", random.pick(&VALUES));
        }
        "WMI" => {
            field("Namespace", random.pick(&[(406, r"root\cimv2"), (57, r"root\wmi")]));
            field("Query", random.pick(&QUERIES));
        }
        "OS" => {
            field("Architecture", "x64");
            field("Version", "10.00");
            field("Operator", "greaterEqual");
        }
        "Registry" => {
            field("KeyPath", r"HKLM\SOFTWARE\X");
            field("Operator", "exists");
        }
        "MakeModel" => {
            field("Make", "Dell*");
            field("Model", "*");
        }
        "Computer" => field("SerialNumber", "X"),
        _ => field("Path", r"C:\Windows"),
    }
    xml.push_str("</expression>");
}
