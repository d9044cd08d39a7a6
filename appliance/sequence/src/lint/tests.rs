// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One case for each rule with exactly the findings it gives; and the documentation's sample, which gives none.

use super::*;

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
        media_variables: vec!["OSDComputerName".into()],
        policy_is_encrypted: false,
    }
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
        (&[APPLY, &application], &[]),
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
            &[APPLY, &step("InstallSoftwareAction", "All", "", &property("BaseVariableName", "PKG"))],
            &["error SA-68 All"],
        ),
        (
            &[APPLY, &step("InstallApplicationAction", "All", "", &property("BaseVariableName", "AA"))],
            &["error SA-69 All"],
        ),
        (
            &[APPLY, &step("SetupWindowsAndSMSAction", "Client", "", &property("ClientPreProductionPackageID", "X"))],
            &["error SA-70 Client"],
        ),
        (&[APPLY, SETUP, &install], &["warning SA-71 Tool"]),
        (&[APPLY, SETUP, &prepare, &install], &[]),
        (&[APPLY, SETUP, &install, &prepare], &["warning SA-71 Tool"]),
        (&[APPLY, &step("PartitionDiskAction", "Disk", "runIn=\"FullOS\"", "")], &["error SEQ-PLACE Disk"]),
        (&[APPLY, &step("InstallApplicationAction", "App", "runIn=\"WinPE\"", "")], &["error SEQ-PLACE App"]),
        (
            &[APPLY, &step("ApplyDriverPackageAction", "Net", "", &property("DriverPackageID", "NODRV"))],
            &["error REF-MISSING Net"],
        ),
        (
            &[APPLY, &step("InstallApplicationAction", "Apps", "", &property("ApplicationName", "APP1,NOAPP"))],
            &["error REF-MISSING Apps"],
        ),
        (
            &[APPLY, &step("InstallApplicationAction", "Apps", "", &property("ApplicationName", "APP0"))],
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
    let set = |hidden: &str| {
        format!(
            "<defaultVarList><variable name=\"VariableName\" property=\"VariableName\">OSDLocalAdminPassword</variable>\
             <variable name=\"VariableValue\" property=\"VariableValue\"{hidden}>PLANTED</variable></defaultVarList>"
        )
    };
    let of = |inside: &str| lint(&sequence(&[APPLY, &step("SetVariableAction", "Set", "", inside)]), &context());
    assert_eq!(shown(&of(&set(""))), ["error SA-55 Set"]);
    assert_eq!(of(&set(" hidden=\"true\"")), []);
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
fn the_offered_fix_cures_its_finding() {
    let install = step("InstallSoftwareAction", "Tool", "", &property("PackageID", "PKG1"));
    let mut sequence = sequence(&[APPLY, &format!("<group name=\"Late\">{SETUP}{install}</group>")]);
    let findings = lint(&sequence, &context());
    assert_eq!(shown(&findings), ["warning SA-71 Late / Tool"]);
    assert!(findings[0].fix.as_ref().expect("a fix").apply(&mut sequence));
    assert_eq!(sequence.problems(), []);
    assert_eq!(lint(&sequence, &context()), []);
    let names: Vec<_> = sequence.steps().iter().map(|entry| entry.step.name.clone()).collect();
    assert_eq!(names, ["Apply", "Setup", "Enable software distribution", "Tool"]);
}
