// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What `--fix` changes: only what can't be wrong.

use super::*;

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

#[test]
fn all_offered_fixes_together_cure_what_they_are_offered_for() {
    let own = |name: &str, value: &str| format!("<variable name=\"{name}\" property=\"{name}\">{value}</variable>");
    let guard = "<condition><expression type=\"SMS_TaskSequence_WMIConditionExpression\"><variable name=\"Query\">SELECT * \
                 FROM Win32_Battery</variable></expression></condition>";
    // Names repeat, and each is cured all the same.
    let auto = step("AutoApplyAction", "Step", "", guard);
    let updates = step("InstallUpdateAction", "Step", "", "");
    let client = step(
        "SetupWindowsAndSMSAction",
        "Step",
        "",
        &format!(
            "<defaultVarList>{}{}</defaultVarList>",
            own("ClientPreProductionPackageID", "X"),
            own("ClientPackageID", "PKG1")
        ),
    );
    let install = step("InstallSoftwareAction", "Step", "", &property("PackageID", "PKG1"));
    let users = step("RunCommandLineAction", "Step", "", &property("SMSTSUDAUsers", "corp\\me"));
    let group = format!("<group name=\"G\">{auto}{users}{updates}</group>");
    let global = "<globalVarList><variable name=\"smstsassignusersmode\">Auto</variable></globalVarList>";
    let mut sequence = sequence(&[global, APPLY, &auto, &client, &group, &install, &updates]);
    let findings = lint(&sequence, &context());
    let rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(
        rules,
        ["SA-67", "SA-62", "SA-70", "SA-62", "SA-67", "SA-64", "SA-64", "SA-71", "SEQ-PLACE"],
        "{findings:?}"
    );
    let cures: Vec<&Fix> = findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
    assert_eq!((cures.len(), Fix::apply_all(cures, &mut sequence)), (8, 8));
    assert_eq!(sequence.problems(), []);
    assert_eq!(lint(&sequence, &context()), []);
    assert!(sequence.global_variables.is_empty());
    let steps = sequence.steps();
    assert_eq!(steps[2].step.property("ClientPackageID"), Some("PKG1"), "the control: only one was taken out");
    assert_eq!(steps[3].step.name, "Enable software distribution");
    let condition = steps[1].step.condition.as_ref().expect("a condition").to_line();
    assert!(condition.contains("Win32_Battery") && condition.contains("_SMSTSMediaType notEquals"), "{condition}");
    // A place that is not there.
    let nowhere = Fix::RemoveVariable { place: "X".into(), number: Some(99), name: "x".into() };
    assert!(!nowhere.apply(&mut sequence));
}

#[test]
fn what_would_change_more_than_is_wrong_has_no_fix() {
    let get = step("DownloadPackageContentAction", "Get", "", "");
    let disk = step("PartitionDiskAction", "Disk", "runIn=\"FullOS\"", "");
    let set = step("SetVariableAction", "Users", "", &property("VariableName", "SMSTSUDAUsers"));
    let findings = lint(&sequence(&[APPLY, &get, &disk, &set]), &context());
    assert_eq!(findings.iter().filter(|finding| finding.fix.is_some()).count(), 0, "{findings:?}");
    assert!(findings.len() >= 3, "the control: {findings:?}");
}
