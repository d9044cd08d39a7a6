// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One case for each rule with exactly the findings it gives; and the documentation's sample, which gives none.

use super::*;

mod fixes;
mod values;

const SAMPLE: &str = include_str!("../../data/stand-alone.xml");

fn context() -> LintContext {
    let image = |id: &str| Some(ImageFacts { id: id.into(), architecture: Some("x86_64".into()) });
    let ids = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect();
    LintContext {
        boot_image: image("PLTBOOT"),
        operating_system_image: image("PLTOS001"),
        operating_system_index: Some(1),
        driver_packages: ids(&["PLTDRV01"]),
        applications: ids(&["APP1", "APP2"]),
        superseded: [("APP0".to_owned(), "APP1".to_owned())].into(),
        packages: ids(&["PLTUSMT", "PKG1"]),
        upgrade_packages: ids(&["UPG1"]),
        dependencies: ids(&[]),
        media_variables: vec!["OSDComputerName".into()],
        policy_is_encrypted: false,
    }
}

/// Cases are too short to use all that is on the medium: that rule has a test of its own.
fn lint(sequence: &TaskSequence, context: &LintContext) -> Vec<Finding> {
    let mut findings = super::lint(sequence, context);
    findings.retain(|finding| finding.rule != "REF-UNUSED");
    findings
}

fn read(xml: &str) -> TaskSequence {
    TaskSequence::from_xml(xml).expect("a good sequence")
}

fn step(kind: &str, name: &str, attributes: &str, inside: &str) -> String {
    format!("<step type=\"SMS_TaskSequence_{kind}\" name=\"{name}\" {attributes}>{inside}</step>")
}

fn property(name: &str, value: &str) -> String {
    format!("<defaultVarList><variable name=\"{name}\" property=\"{name}\">{value}</variable></defaultVarList>")
}

const APPLY: &str = "<step type=\"SMS_TaskSequence_ApplyOperatingSystemAction\" name=\"Apply\"/>";
const SETUP: &str = "<step type=\"SMS_TaskSequence_SetupWindowsAndSMSAction\" name=\"Setup\"/>";

fn sequence(steps: &[&str]) -> TaskSequence {
    read(&format!("<sequence version=\"3.10\">{}</sequence>", steps.concat()))
}

fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|found| format!("{} {} {}", found.severity, found.rule, found.place)).collect()
}

#[test]
fn the_sample_of_the_documentation_is_clean() {
    assert_eq!(lint(&read(SAMPLE), &context()), Vec::new());
}

#[test]
fn each_rule_finds_its_case_and_only_that() {
    let auto = step("AutoApplyAction", "Drivers", "", "");
    let guarded = step(
        "AutoApplyAction",
        "Drivers",
        "",
        "<condition><expression type=\"SMS_TaskSequence_VariableConditionExpression\">\
         <variable name=\"Variable\">_SMSTSMediaType</variable><variable name=\"Operator\">notEquals</variable>\
         <variable name=\"Value\">FullMedia</variable></expression></condition>",
    );
    let disabled = step("AutoApplyAction", "Drivers", "disable=\"true\"", "");
    let in_disabled_group = format!("<group name=\"Old\" disable=\"true\">{auto}</group>");
    let install = step("InstallSoftwareAction", "Tool", "", &property("PackageID", "PKG1"));
    let prepare =
        step("RunCommandLineAction", "Prepare", "", "<action>WMIC path CCM_SoftwareDistributionClientConfig</action>");
    let script = "Set-CimInstance -ClassName CCM_SoftwareDistributionClientConfig";
    let prepare_by_script = step("RunPowerShellScriptAction", "Prepare", "", &property("SourceScript", script));
    let partition = |disk: &str| step("PartitionDiskAction", &format!("Disk {disk}"), "", &property("DiskIndex", disk));
    let drivers = step("ApplyDriverPackageAction", "Net", "", &property("DriverPackageID", "PLTDRV01"));
    let to_boot_system = step("RebootAction", "Restart", "", &property("Target", "WinPE"));
    let mdt_system = "<step type=\"BDD_InstallOS\" name=\"Install\"/>".to_owned();
    let application = step("InstallApplicationAction", "App", "", &property("ApplicationName", "APP1,APP2"));
    let cases: &[(&[&str], &[&str])] = &[
        (&[APPLY, &auto], &["error SA-62 Drivers"]),
        (&[APPLY, &guarded], &[]),
        (&[APPLY, &disabled], &[]),
        (&[APPLY, &in_disabled_group], &[]),
        (&[APPLY, &step("DownloadPackageContentAction", "Get", "", "")], &["error SA-63 Get"]),
        (&[APPLY, &step("InstallUpdateAction", "Updates", "", "")], &["error SA-64 Updates"]),
        (&[&application, APPLY], &["error SA-65 App"]),
        (&[&install, APPLY], &["error SA-65 Tool"]),
        (&[APPLY, &application, SETUP], &["error SA-65 App"]),
        (&[APPLY, &application], &["error SEQ-ORDER App"]),
        (&[APPLY, SETUP, &application], &[]),
        (&[&mdt_system, &application], &[]),
        (&[&partition("0"), APPLY], &[]),
        (&[APPLY, &partition("0")], &["error SEQ-ORDER Disk 0"]),
        (&[APPLY, &partition("1")], &[]),
        (&[&partition("1"), APPLY, &partition("1")], &["error SEQ-ORDER Disk 1"]),
        // One branch for each firmware.
        (&[&partition("0"), APPLY, &partition("0"), APPLY], &[]),
        (&[APPLY, SETUP, &partition("0")], &["error SEQ-PLACE Disk 0"]),
        (&[APPLY, SETUP, &to_boot_system, &partition("0")], &[]),
        (&[&drivers, APPLY], &["error SEQ-ORDER Net"]),
        (&[APPLY, &drivers], &[]),
        (&[APPLY, SETUP, &drivers], &["error SEQ-PLACE Net"]),
        (
            &[APPLY, SETUP, &step("RunCommandLineAction", "Run", "runIn=\"WinPE\"", "<action>x.cmd</action>")],
            &["error SEQ-PLACE Run"],
        ),
        (
            &[APPLY, &step("ApplyDriverPackageAction", "Net", "", &property("DriverPackageID", "00000000"))],
            &["error REF-PLACEHOLDER Net"],
        ),
        (&[], &["error SA-66 sequence"]),
        (&[&step("RunCommandLineAction", "Run", "", "<action>cmd /c ver</action>")], &["error SA-66 sequence"]),
        (&[&step("UpgradeOperatingSystemAction", "Upgrade", "", "")], &[]),
        (
            &[APPLY, &step("SetVariableAction", "Users", "", &property("VariableName", "smstsUdaUsers"))],
            &["error SA-67 Users"],
        ),
        (
            &["<globalVarList><variable name=\"SMSTSAssignUsersMode\">Auto</variable></globalVarList>", APPLY],
            &["error SA-67 sequence"],
        ),
        (
            &[APPLY, SETUP, &prepare, &step("InstallSoftwareAction", "All", "", &property("BaseVariableName", "PKG"))],
            &["error SA-68 All"],
        ),
        (
            &[APPLY, SETUP, &step("InstallApplicationAction", "All", "", &property("BaseVariableName", "AA"))],
            &["error SA-69 All"],
        ),
        (
            &[APPLY, &step("SetupWindowsAndSMSAction", "Client", "", &property("ClientPreProductionPackageID", "X"))],
            &["error SA-70 Client"],
        ),
        (&[APPLY, SETUP, &install], &["warning SA-71 Tool"]),
        (&[APPLY, SETUP, &prepare, &install], &[]),
        (&[APPLY, SETUP, &install, &prepare], &["warning SA-71 Tool"]),
        (&[APPLY, SETUP, &prepare_by_script, &install], &[]),
        (&[&mdt_system], &[]),
        (&[&step("PartitionDiskAction", "Disk", "runIn=\"FullOS\"", ""), APPLY], &["error SEQ-PLACE Disk"]),
        (&[APPLY, SETUP, &step("InstallApplicationAction", "App", "runIn=\"WinPE\"", "")], &["error SEQ-PLACE App"]),
        (
            &[APPLY, &step("ApplyDriverPackageAction", "Net", "", &property("DriverPackageID", "NODRV"))],
            &["error REF-MISSING Net"],
        ),
        (
            &[APPLY, SETUP, &step("InstallApplicationAction", "Apps", "", &property("ApplicationName", "APP1,NOAPP"))],
            &["error REF-MISSING Apps"],
        ),
        (
            &[APPLY, SETUP, &step("InstallApplicationAction", "Apps", "", &property("ApplicationName", "APP0"))],
            &["error REF-SUPERSEDED Apps"],
        ),
        (
            &[APPLY, &step("RunCommandLineAction", "Run", "", &property("PackageID", "NOPKG"))],
            &["error REF-MISSING Run"],
        ),
        (&[APPLY, &step("RunCommandLineAction", "Run", "", &property("PackageID", "%PKG%"))], &[]),
        (
            &[&step("ApplyOperatingSystemAction", "Apply", "", &property("ImagePackageID", "OTHER"))],
            &["error REF-MISSING Apply"],
        ),
        (&[&step("ApplyOperatingSystemAction", "Apply", "", &property("ImageIndex", "3"))], &["error REF-INDEX Apply"]),
        (&[&step("ApplyOperatingSystemAction", "Apply", "", &property("ImageIndex", "%OSDImageIndex%"))], &[]),
        (
            &[APPLY, &step("SubTasksequence", "Child", "", &property("TsPackageID", "TS2"))],
            &["error REF-SEQUENCE Child"],
        ),
        (
            &[APPLY, &step("RunCommandLineAction", "Run", "", "<action>setup /password:PLANTED</action>")],
            &["error SA-55 Run"],
        ),
        (
            &[APPLY, &step("ApplyWindowsSettingsAction", "Set", "", &property("AdminPassword", "PLANTED"))],
            &["error SA-55 Set"],
        ),
        (
            &[
                APPLY,
                &step(
                    "RunPowerShellScriptAction",
                    "Script",
                    "disable=\"true\"",
                    &property("SourceScript", "$Password = 'PLANTED'"),
                ),
            ],
            &["error SA-55 Script"],
        ),
        (
            &["<globalVarList><variable name=\"OSDJoinPassword\">PLANTED</variable></globalVarList>", APPLY],
            &["error SA-55 sequence"],
        ),
    ];
    for (steps, expected) in cases {
        let findings = lint(&sequence(steps), &context());
        assert_eq!(shown(&findings), *expected, "{steps:?}");
        for found in &findings {
            assert!(!found.text.contains("PLANTED") && found.text.len() > 40, "{found}");
        }
    }
}

#[test]
fn a_set_variable_step_may_not_show_a_secret() {
    // Exports hide these properties always: that marks no secret.
    let set = |name: &str, mark: &str| {
        let property = |name: &str, value: &str| {
            format!("<variable name=\"{name}\" property=\"{name}\" hidden=\"true\">{value}</variable>")
        };
        let inside = [
            property("VariableName", name),
            property("VariableValue", "PLANTED"),
            property("DoNotShowVariableValue", mark),
        ];
        format!("<defaultVarList>{}</defaultVarList>", inside.concat())
    };
    let of = |inside: &str| lint(&sequence(&[APPLY, &step("SetVariableAction", "Set", "", inside)]), &context());
    assert_eq!(shown(&of(&set("OSDLocalAdminPassword", "false"))), ["error SA-55 Set"]);
    assert_eq!(of(&set("OSDLocalAdminPassword", "true")), []);
    assert_eq!(of(&set("OSDComputerName", "false")), []);
}

#[test]
fn the_rules_of_dynamic_variables_are_looked_at() {
    let rules = |name: &str, secret: &str| {
        let rules = format!(
            "<Rules><Rule><Variables><Variable Name='{name}' IsSecret='{secret}'>PLANTED</Variable></Variables></Rule></Rules>"
        );
        let property = property("Rules", &rules.replace('<', "&lt;"));
        shown(&lint(&sequence(&[APPLY, &step("SetDynamicVariablesAction", "Set", "", &property)]), &context()))
    };
    assert_eq!(rules("JoinPassword", "false"), ["error SA-55 Set"]);
    assert_eq!(rules("JoinPassword", "true"), [""; 0]);
    assert_eq!(rules("SMSTSUDAUsers", "false"), ["error SA-67 Set"]);
    assert_eq!(rules("Colour", "false"), [""; 0]);
}

#[test]
fn switches_that_are_named_like_passwords_are_no_secrets() {
    let set = format!(
        "<defaultVarList>{}{}</defaultVarList>",
        "<variable name=\"OSDRandomAdminPassword\" property=\"RandomAdminPassword\">true</variable>",
        "<variable name=\"OSDBitLockerCreateRecoveryPassword\" property=\"CreateRecoveryPassword\">AD</variable>"
    );
    let of =
        |inside: &str| lint(&sequence(&[APPLY, &step("ApplyWindowsSettingsAction", "Set", "", inside)]), &context());
    assert_eq!(of(&set), []);
    let control = set.replace("OSDRandomAdminPassword", "OSDLocalAdminPassword").replace(">true<", ">PLANTED<");
    assert_eq!(shown(&of(&control)), ["error SA-55 Set"]);
}

#[test]
fn an_encrypted_policy_makes_a_secret_a_warning() {
    let steps = [APPLY, &step("RunCommandLineAction", "Run", "", "<action>setup /password:PLANTED</action>")];
    let encrypted = LintContext { policy_is_encrypted: true, ..context() };
    assert_eq!(shown(&lint(&sequence(&steps), &encrypted)), ["warning SA-55 Run"]);
}

#[test]
fn what_the_medium_itself_lacks() {
    let without = |change: fn(&mut LintContext)| {
        let mut context = context();
        change(&mut context);
        shown(&lint(&sequence(&[APPLY]), &context))
    };
    assert_eq!(without(|context| context.boot_image = None), ["error SA-35 sequence"]);
    assert_eq!(without(|context| context.operating_system_image = None), ["error REF-MISSING Apply"]);
    assert_eq!(without(|context| context.media_variables.push("SMSTSUDAUsers".into())), ["error SA-67 definition"]);
}

#[test]
fn architectures_of_both_images() {
    let of = |boot: Option<&str>, system: Option<&str>| {
        let image = |architecture: Option<&str>| {
            Some(ImageFacts { id: "I".into(), architecture: architecture.map(str::to_owned) })
        };
        let context = LintContext { boot_image: image(boot), operating_system_image: image(system), ..context() };
        shown(&lint(&sequence(&[APPLY]), &context))
    };
    assert_eq!(of(Some("x86_64"), Some("x86_64")), [""; 0]);
    assert_eq!(of(Some("x86_64"), None), [""; 0]);
    assert_eq!(of(None, Some("arm64")), [""; 0]);
    assert_eq!(of(Some("x86_64"), Some("x86")), ["warning SA-105 sequence"]);
    assert_eq!(of(Some("x86"), Some("x86_64")), ["warning SA-105 sequence"]);
    assert_eq!(of(Some("x86_64"), Some("arm64")), ["error SA-105 sequence"]);
}

#[test]
fn a_missing_content_is_said_once_with_all_its_steps() {
    let use_it = |name: &str| step("RunCommandLineAction", name, "", &property("PackageID", "NOPKG"));
    let findings = lint(&sequence(&[APPLY, &use_it("One"), &use_it("Two"), &use_it("Three")]), &context());
    assert_eq!(shown(&findings), ["error REF-MISSING One"]);
    assert!(findings[0].text.contains("package NOPKG") && findings[0].text.contains("3 steps: One, Two, Three"));
}

#[test]
fn steps_name_contents_under_their_real_properties() {
    for (kind, property_name) in [
        ("RestoreUserStateAction", "UsmtRestorePackageID"),
        ("PrepareOSAction", "SysprepPackageID"),
        ("DownloadPackageContentAction", "DownloadPackages"),
    ] {
        let findings = lint(&sequence(&[APPLY, &step(kind, "S", "", &property(property_name, "NOPKG"))]), &context());
        assert!(shown(&findings).contains(&"error REF-MISSING S".to_owned()), "{kind}: {findings:?}");
        let there = lint(&sequence(&[APPLY, &step(kind, "S", "", &property(property_name, "PKG1"))]), &context());
        assert!(!shown(&there).contains(&"error REF-MISSING S".to_owned()), "{kind}: {there:?}");
    }
}

#[test]
fn an_upgrade_package_is_a_kind_of_its_own() {
    for kind in ["ApplyOperatingSystemAction", "UpgradeOperatingSystemAction"] {
        let of = |id: &str| {
            let both = property("InstallPackageID", id).replace(
                "</defaultVarList>",
                "<variable name=\"Index\" property=\"InstallEditionIndex\">3</variable></defaultVarList>",
            );
            lint(&sequence(&[&step(kind, "S", "", &both)]), &context())
        };
        // Its editions are counted apart from the operating system image's.
        assert_eq!(of("UPG1"), [], "{kind}");
        // The control: a package that is none.
        let findings = of("PKG1");
        assert_eq!(shown(&findings), ["error REF-MISSING S"], "{kind}");
        assert!(
            findings[0].text.contains("add [[operating-system-upgrade-package]] with id = \"PKG1\""),
            "{findings:?}"
        );
    }
}

#[test]
fn what_a_medium_decides_is_decided() {
    let when = |variable: &str, operator: &str, value: &str| {
        let condition = format!(
            "<condition><expression type=\"SMS_TaskSequence_VariableConditionExpression\">\
             <variable name=\"Variable\">{variable}</variable><variable name=\"Operator\">{operator}</variable>\
             <variable name=\"Value\">{value}</variable></expression></condition>"
        );
        shown(&lint(&sequence(&[APPLY, &step("AutoApplyAction", "Drivers", "", &condition)]), &context()))
    };
    for (variable, operator, value) in [
        ("_SMSTSMediaType", "notLike", "Full%"),
        ("_SMSTSMediaType", "like", "Boot*"),
        ("_SMSTSLaunchMode", "equals", "PXE"),
        ("_SMSTSLaunchMode", "equals", "SMS"),
    ] {
        assert_eq!(when(variable, operator, value), [""; 0], "{variable} {operator} {value}");
    }
    for (variable, operator, value) in [
        ("_SMSTSMediaType", "like", "Full*"),
        // Which of the two a USB drive gives is not known.
        ("_SMSTSLaunchMode", "equals", "UFD"),
        ("_SMSTSLaunchMode", "equals", "UFD+FORMAT"),
        ("Colour", "equals", "red"),
    ] {
        assert_eq!(when(variable, operator, value), ["error SA-62 Drivers"], "{variable} {operator} {value}");
    }
}

#[test]
fn a_step_type_nobody_knows_is_named_unless_it_is_disabled() {
    let of = |attributes: &str| {
        let xml = format!(
            "<sequence version=\"3.10\">{APPLY}<step type=\"BDD_Moon\" name=\"Moon\" {attributes}/></sequence>"
        );
        shown(&lint(&crate::Imported::from_bytes(xml.as_bytes()).expect("tolerant").sequence, &context()))
    };
    assert_eq!(of(""), ["error SEQ-UNKNOWN Moon"]);
    assert_eq!(of("disable=\"true\""), [""; 0]);
}

#[test]
fn content_that_no_step_uses_is_named_unless_steps_compute_their_ids() {
    let unused = |steps: &[&str], context: &LintContext| {
        let findings = super::lint(&sequence(steps), context);
        let found = findings.iter().filter(|finding| finding.rule == "REF-UNUSED").map(|finding| finding.text.clone());
        found.map(|text| text.split(" is on").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let driver = step("ApplyDriverPackageAction", "Drivers", "", &property("DriverPackageID", "PLTDRV01"));
    let app = step("InstallApplicationAction", "App", "", &property("ApplicationName", "APP1"));
    let computed = step("InstallApplicationAction", "Any", "", &property("ApplicationName", "%Chosen%"));
    let context = context();
    let all = ["application APP2", "package PKG1", "package PLTUSMT", "operating system upgrade package UPG1"];
    assert_eq!(unused(&[APPLY, &driver, SETUP, &app], &context), all);
    assert_eq!(unused(&[APPLY, &driver, SETUP, &app, &computed], &context), [""; 0]);
    let context = LintContext { dependencies: ["APP2".to_owned()].into(), ..context };
    assert_eq!(unused(&[APPLY, &driver, SETUP, &app], &context), all[1..]);
}
