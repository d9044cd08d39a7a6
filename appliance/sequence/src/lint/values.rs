// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! VAL-: values that Windows Setup would refuse on the computer, where nobody can put them right.

use super::rules::{error, finding};
use super::{Finding, Severity, zones};
use crate::{Entry, Step, StepKind};

/// Variables whose values are checked, and the properties of Apply Windows Settings that carry them.
const CHECKED: [(&str, &str); 4] = [
    ("OSDProductKey", "ProductKey"),
    ("OSDComputerName", "ComputerName"),
    ("OSDTimeZone", "TimeZone"),
    // MDT's name for it.
    ("TimeZoneName", "TimeZoneName"),
];

pub(super) fn of_step(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    for (variable, value) in named(entry.step) {
        findings.extend(of_variable(&entry.path, variable, value));
    }
    hidden_and_empty(entry, findings);
    joins_without_account(entry, findings);
}

/// What is wrong with a value that goes to Windows Setup, whoever sets it: a step, the sequence, or the medium.
pub fn of_variable(place: &str, name: &str, value: &str) -> Option<Finding> {
    let (variable, _) = CHECKED.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    // What is computed on the computer, or asked for there, can't be known here.
    if value.trim().is_empty() || value.contains('%') {
        return None;
    }
    match variable {
        "OSDProductKey" if !is_product_key(value) => {
            let text = "the product key is not five groups of five letters and digits (XXXXX-XXXXX-XXXXX-XXXXX-XXXXX); \
                        correct it";
            Some(error("VAL-KEY", place, text))
        }
        "OSDComputerName" => {
            let wrong = computer_name(value)?;
            Some(error("VAL-NAME", place, format!("computer name {value:?} {wrong}; use 1 to 15 of A-Z a-z 0-9 -")))
        }
        // A newer Windows may have one more.
        "OSDTimeZone" | "TimeZoneName" if !zones::is_known(value) => {
            let meant = match zones::similar(value) {
                Some(zone) => format!("did you mean {zone:?}?"),
                None => "use a name that tzutil /l shows, such as \"Korea Standard Time\"".to_owned(),
            };
            let text = format!("{value:?} is no name of a time zone that Windows is known to have; {meant}");
            Some(finding("VAL-TIMEZONE", Severity::Warning, place, text))
        }
        _ => None,
    }
}

/// VAL-EMPTY: exports leave hidden values out.
fn hidden_and_empty(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    if let Some((name, "")) = entry.step.sets()
        && entry.step.hides_what_it_sets()
    {
        let text = format!(
            "variable {name} is set to nothing, for exports leave hidden values out; put the value into a [[variable]] with \
             secret = true, and disable the step or write %NAME% here"
        );
        findings.push(finding("VAL-EMPTY", Severity::Warning, &entry.path, text));
    }
}

/// What a step gives Windows, by the variable that stands for it.
fn named(step: &Step) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    if step.kind == StepKind::ApplyWindowsSettings {
        let given = |(variable, property)| step.property(property).map(|value| (variable, value));
        found.extend(CHECKED.into_iter().filter_map(given));
    }
    found.extend(step.sets());
    found
}

fn is_product_key(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5 && groups.iter().all(|group| group.len() == 5 && group.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Why a text is no name of a computer.
fn computer_name(text: &str) -> Option<&'static str> {
    match () {
        () if text.chars().count() > 15 => Some("has more than 15 characters"),
        () if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            Some("has characters that no name may have")
        }
        () if text.chars().all(|c| c.is_ascii_digit()) => Some("has only digits"),
        () if text.starts_with('-') || text.ends_with('-') => Some("begins or ends with a hyphen"),
        () => None,
    }
}

/// VAL-JOIN: nobody joins a domain without an account.
fn joins_without_account(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let step = entry.step;
    let is_network = matches!(step.kind, StepKind::ApplyNetworkSettings | StepKind::JoinDomainOrWorkgroup);
    let domain = step.property("DomainName").or_else(|| step.property("OSDDomainName"));
    let workgroup = step.property("WorkgroupName").or_else(|| step.property("OSDWorkgroupName"));
    let account = step.property("DomainUsername").or_else(|| step.property("OSDJoinAccount"));
    if is_network
        && workgroup.is_none()
        && account.is_none()
        && let Some(domain) = domain
    {
        let text = format!(
            "the step joins domain {domain:?} without an account; name one, with its password in a secret variable"
        );
        findings.push(error("VAL-JOIN", &entry.path, text));
    }
}
