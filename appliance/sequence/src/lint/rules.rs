// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One function for each rule.

use super::{Finding, Fix, ImageFacts, LintContext, Severity, contents, in_clear, order, values};
use crate::{Entry, StepKind, TaskSequence};

pub(super) const SEQUENCE: &str = "sequence";

pub(super) fn finding(rule: &'static str, severity: Severity, place: &str, text: impl Into<String>) -> Finding {
    Finding { rule, severity, place: place.to_owned(), text: text.into(), fix: None }
}

pub(super) fn error(rule: &'static str, place: &str, text: impl Into<String>) -> Finding {
    finding(rule, Severity::Error, place, text)
}

pub(super) fn check(sequence: &TaskSequence, context: &LintContext, findings: &mut Vec<Finding>) {
    let all = sequence.steps();
    let runs: Vec<&Entry<'_>> = all.iter().filter(|entry| runs_on_stand_alone(entry)).collect();
    boot_image(context, findings);
    operating_system_is_deployed(&runs, findings);
    architectures(context, findings);
    user_device_affinity_variables(sequence, context, findings);
    for variable in &sequence.global_variables {
        findings.extend(values::of_variable(SEQUENCE, &variable.name, &variable.value));
    }
    let order = Order::of(&runs);
    for (at, entry) in runs.iter().enumerate() {
        unsupported_steps(entry, findings);
        unknown_step(entry, findings);
        software_before_system(entry, at, &order, findings);
        user_device_affinity_step(entry, findings);
        dynamic_lists(entry, findings);
        client(entry, findings);
        contents::of_step(entry, context, findings);
        values::of_step(entry, findings);
    }
    contents::missing(&runs, context, findings);
    contents::unused(&runs, context, findings);
    install_package_known_failure(&runs, &order, findings);
    order::check(&runs, findings);
    // What is disabled is on the medium all the same.
    in_clear::check(sequence, &all, context, findings);
}

/// Not disabled, and no condition says for sure that it does not run on stand-alone media.
fn runs_on_stand_alone(entry: &Entry<'_>) -> bool {
    // A medium on a USB drive gives one or the other, by the version that made it.
    let never = |launch_mode: &str| {
        let known = |name: &str| {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            match () {
                () if is("_SMSTSMediaType") => Some("FullMedia".to_owned()),
                () if is("_SMSTSLaunchMode") => Some(launch_mode.to_owned()),
                () => None,
            }
        };
        entry.conditions.iter().any(|condition| condition.decide(&known) == Some(false))
    };
    !entry.disabled && !["UFD", "UFD+FORMAT"].iter().all(|mode| never(mode))
}

/// Places in the list of running steps.
struct Order {
    system: Option<usize>,
    setup: Option<usize>,
}

impl Order {
    fn of(runs: &[&Entry<'_>]) -> Self {
        let first = |wanted: &[StepKind]| runs.iter().position(|entry| wanted.contains(&entry.step.kind));
        Self {
            system: runs.iter().position(|entry| entry.step.deploys_system()),
            setup: first(&[StepKind::SetupWindowsAndConfigMgr]),
        }
    }
}

/// SA-35: only sequences with a boot image can be put on media.
fn boot_image(context: &LintContext, findings: &mut Vec<Finding>) {
    if context.boot_image.is_none() {
        let text = "no boot image is associated with this task sequence; add [boot-image] to the definition";
        findings.push(error("SA-35", SEQUENCE, text));
    }
}

/// SA-66: stand-alone media deploy an operating system.
fn operating_system_is_deployed(runs: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    if !runs.iter().any(|entry| entry.step.deploys_system()) {
        let text = "no step deploys an operating system; stand-alone media do not support other task sequences: add \
                    Apply Operating System Image or Upgrade Operating System";
        findings.push(error("SA-66", SEQUENCE, text));
    }
}

/// SA-105: what the boot image starts on must be able to run the operating system image.
fn architectures(context: &LintContext, findings: &mut Vec<Finding>) {
    let (Some(boot), Some(system)) = (&context.boot_image, &context.operating_system_image) else { return };
    let (Some(from), Some(to)) = (&boot.architecture, &system.architecture) else { return };
    let names = |ImageFacts { id, .. }: &ImageFacts, architecture: &str| format!("{id} ({architecture})");
    let (boot_name, system_name) = (names(boot, from), names(system, to));
    match (&**from, &**to) {
        (from, to) if from == to => {}
        ("x86_64", "x86") | ("x86", "x86_64") => {
            let text = format!(
                "boot image {boot_name} and operating system image {system_name} differ; computers with UEFI firmware \
                 can't start the result: use images of one architecture"
            );
            findings.push(finding("SA-105", Severity::Warning, SEQUENCE, text));
        }
        _ => {
            let text = format!(
                "computers that boot image {boot_name} starts can't run operating system image {system_name}; use \
                 images of one architecture"
            );
            findings.push(error("SA-105", SEQUENCE, text));
        }
    }
}

/// SA-62, SA-63, SA-64.
fn unsupported_steps(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let (rule, text) = match entry.step.kind {
        StepKind::AutoApplyDrivers => (
            "SA-62",
            "Auto Apply Drivers needs the driver catalog of a site; use Apply Driver Package, or add the condition \
             _SMSTSMediaType notEquals FullMedia",
        ),
        StepKind::DownloadPackageContent => (
            "SA-63",
            "Download Package Content needs a management point; put the content on the medium and remove the step, or \
             add the condition _SMSTSMediaType notEquals FullMedia",
        ),
        StepKind::InstallSoftwareUpdates => (
            "SA-64",
            "Install Software Updates needs a site; use an operating system image that has the updates, or add the \
             condition _SMSTSMediaType notEquals FullMedia",
        ),
        _ => return,
    };
    let mut found = error(rule, &entry.path, text);
    // Steps behind Download Package Content need what it brings: there the content belongs on the medium.
    found.fix = (rule != "SA-63").then(|| Fix::not_on_full_media(entry));
    findings.push(found);
}

/// SEQ-UNKNOWN: a step that was kept from an export and that nobody can carry out.
fn unknown_step(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    if entry.step.kind == StepKind::Unknown {
        let text =
            format!("nobody here knows the step type {:?}; disable the step, or take its place", entry.step.label());
        findings.push(error("SEQ-UNKNOWN", &entry.path, text));
    }
}

/// SA-65: no software before the operating system is there.
fn software_before_system(entry: &Entry<'_>, at: usize, order: &Order, findings: &mut Vec<Finding>) {
    if !matches!(entry.step.kind, StepKind::InstallApplication | StepKind::InstallPackage) {
        return;
    }
    let before = |place: Option<usize>| place.is_some_and(|place| at < place);
    let what = match () {
        () if before(order.system) => "the operating system is deployed",
        () if before(order.setup) => "Setup Windows and ConfigMgr",
        () => return,
    };
    let text = format!("software is installed before {what}; move {} behind it", entry.step.kind.label());
    findings.push(error("SA-65", &entry.path, text));
}

const AFFINITY: [&str; 2] = ["SMSTSAssignUsersMode", "SMSTSUDAUsers"];

fn is_affinity(name: &str) -> bool {
    AFFINITY.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn affinity(place: &str, name: &str) -> Finding {
    let text = format!("variable {name} associates users with the computer, which needs a site; remove it");
    error("SA-67", place, text)
}

/// SA-67, set for the whole sequence or by the medium.
fn user_device_affinity_variables(sequence: &TaskSequence, context: &LintContext, findings: &mut Vec<Finding>) {
    for variable in sequence.global_variables.iter().filter(|variable| is_affinity(&variable.name)) {
        let mut found = affinity(SEQUENCE, &variable.name);
        let (place, name) = (SEQUENCE.to_owned(), variable.name.clone());
        found.fix = Some(Fix::RemoveVariable { place, number: None, name });
        findings.push(found);
    }
    for name in context.media_variables.iter().filter(|name| is_affinity(name)) {
        findings.push(affinity("definition", name));
    }
}

/// SA-67, set by a step.
fn user_device_affinity_step(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    for variable in entry.step.variables.iter().filter(|variable| is_affinity(&variable.name)) {
        let mut found = affinity(&entry.path, &variable.name);
        found.fix = Some(Fix::remove_variable(entry, &variable.name));
        findings.push(found);
    }
    if let Some((name, _)) = entry.step.sets().filter(|(name, _)| is_affinity(name)) {
        findings.push(affinity(&entry.path, name));
    }
    let rules = entry.step.dynamic_rules().into_iter().flatten();
    for variable in rules.flat_map(|rule| rule.variables).filter(|variable| is_affinity(&variable.name)) {
        findings.push(affinity(&entry.path, &variable.name));
    }
}

/// SA-68, SA-69: lists that a site would resolve.
fn dynamic_lists(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let (rule, what, table) = match entry.step.kind {
        StepKind::InstallPackage => ("SA-68", "packages", "[[package]]"),
        StepKind::InstallApplication => ("SA-69", "applications", "[[application]]"),
        _ => return,
    };
    if let Some(base) = entry.step.property("BaseVariableName") {
        let text = format!(
            "{} takes its {what} from the variables {base}..., which needs a site; name each one in a step of its own \
             and in {table} of the definition",
            entry.step.kind.label()
        );
        findings.push(error(rule, &entry.path, text));
    }
}

/// SA-70.
fn client(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    if entry.step.kind == StepKind::SetupWindowsAndConfigMgr
        && entry.step.property("ClientPreProductionPackageID").is_some()
    {
        let text = "\"Use pre-production client package when available\" needs a site; switch it off";
        let mut found = error("SA-70", &entry.path, text);
        found.fix = Some(Fix::remove_variable(entry, "ClientPreProductionPackageID"));
        findings.push(found);
    }
}

/// SA-71: Install Package fails on a client that never got its policy from a site, unless a command prepares it.
fn install_package_known_failure(runs: &[&Entry<'_>], order: &Order, findings: &mut Vec<Finding>) {
    let Some(setup) = order.setup else { return };
    let mut after = runs.iter().skip(setup);
    let Some(install) = after.clone().position(|entry| entry.step.kind == StepKind::InstallPackage) else { return };
    let prepares = |entry: &&Entry<'_>| {
        let names = |text: &str| text.to_lowercase().contains("ccm_softwaredistributionclientconfig");
        match entry.step.kind {
            StepKind::RunCommandLine => {
                names(&entry.step.action) || entry.step.property("CommandLine").is_some_and(names)
            }
            StepKind::RunPowerShellScript => entry.step.variables.iter().any(|variable| names(&variable.value)),
            _ => false,
        }
    };
    if after.by_ref().take(install).any(prepares) {
        return;
    }
    let text = "Install Package fails on media that were not made by a primary site with software distribution on \
                (GetClientConfigPolicies failed, 0x80041001); insert a Run Command Line or Run PowerShell Script step that creates \
                ccm_SoftwareDistributionClientConfig after Setup Windows and ConfigMgr";
    let mut found = finding("SA-71", Severity::Warning, &runs[setup + install].path, text);
    found.fix = Some(Fix::enable_software_distribution(runs[setup]));
    findings.push(found);
}
