// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Values that go to Windows Setup.

use super::*;

#[test]
fn values_that_windows_would_refuse_are_found() {
    let settings = |name: &str, value: &str| step("ApplyWindowsSettingsAction", "W", "", &property(name, value));
    let set = |name: &str, value: &str| {
        let inside = format!(
            "<defaultVarList><variable name=\"VariableName\" property=\"VariableName\">{name}</variable>\
             <variable name=\"VariableValue\" property=\"VariableValue\">{value}</variable></defaultVarList>"
        );
        step("SetVariableAction", "S", "", &inside)
    };
    let join = |more: &str| {
        let inside = format!(
            "<defaultVarList><variable name=\"OSDDomainName\" property=\"DomainName\">corp.example</variable>{more}</defaultVarList>"
        );
        step("ApplyNetworkSettingsAction", "N", "", &inside)
    };
    let hides = "<variable name=\"DoNotShowVariableValue\" property=\"DoNotShowVariableValue\">true</variable></defaultVarList>";
    let account = "<variable name=\"OSDJoinAccount\" property=\"DomainUsername\">corp\\join</variable>";
    for (case, expected) in [
        (settings("ProductKey", "ABC-123"), Some("VAL-KEY")),
        (settings("ProductKey", "AAAAA-BBBBB-CCCCC-DDDDD-11111"), None),
        (settings("ProductKey", "%Key%"), None),
        (set("osdproductkey", "AAAAA-BBBBB-CCCCC-DDDDD"), Some("VAL-KEY")),
        (settings("ComputerName", "THIS_NAME IS*TOO-LONG"), Some("VAL-NAME")),
        (settings("ComputerName", "PC_1"), Some("VAL-NAME")),
        (settings("ComputerName", "12345"), Some("VAL-NAME")),
        (settings("ComputerName", "-PC"), Some("VAL-NAME")),
        (settings("ComputerName", "PC-0117"), None),
        (settings("ComputerName", "%_SMSTSMachineName%-long-name"), None),
        (set("OSDComputerName", "ABCDEFGHIJKLMNOP"), Some("VAL-NAME")),
        (settings("TimeZone", "Mars Standard Time"), Some("VAL-TIMEZONE")),
        (set("OSDTimeZone", "Europe/Berlin"), Some("VAL-TIMEZONE")),
        (settings("TimeZone", "Korea Standard Time"), None),
        (settings("TimeZone", "%Zone%"), None),
        (set("Other", "ABCDEFGHIJKLMNOP"), None),
        // MicrosoftDocs/SCCMdocs #800: the value goes when it is hidden.
        (set("Secret", "").replace("</defaultVarList>", hides), Some("VAL-EMPTY")),
        (set("Secret", "%Other%").replace("</defaultVarList>", hides), None),
        (set("Taken", ""), None),
        (join(""), Some("VAL-JOIN")),
        (join(account), None),
    ] {
        let findings = lint(&sequence(&[APPLY, &case, SETUP]), &context());
        let found = findings.iter().map(|finding| finding.rule).find(|rule| rule.starts_with("VAL-"));
        assert_eq!(found, expected, "{case}: {findings:?}");
    }
}

#[test]
fn values_are_checked_whoever_sets_them() {
    let global = |name: &str, value: &str| {
        let list = format!("<globalVarList><variable name=\"{name}\">{value}</variable></globalVarList>");
        shown(&lint(&sequence(&[&list, APPLY]), &context()))
    };
    assert_eq!(global("osdcomputername", "THIS_NAME IS*TOO-LONG"), ["error VAL-NAME sequence"]);
    assert_eq!(global("TimeZoneName", "Mars Standard Time"), ["warning VAL-TIMEZONE sequence"]);
    assert_eq!(global("TimeZoneName", "Korea Standard Time"), [""; 0]);
    assert_eq!(check_variable("variable OSDProductKey", "OSDProductKey", "ABC-123").expect("wrong").rule, "VAL-KEY");
    assert_eq!(check_variable("variable OSDComputerName", "OSDComputerName", ""), None, "it is asked for");
}
