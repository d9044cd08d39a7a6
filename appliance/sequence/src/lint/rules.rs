// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One function for each rule.

use super::secrets::{find_all, is_literal, names_secret};
use super::{Finding, Fix, ImageFacts, LintContext, Severity};
use crate::reference::{Reference, ReferenceKind, of_step};
use crate::{Entry, Place, RunIn, StepKind, TaskSequence, Variable};

const SEQUENCE: &str = "sequence";

fn finding(rule: &'static str, severity: Severity, place: &str, text: impl Into<String>) -> Finding {
    Finding { rule, severity, place: place.to_owned(), text: text.into(), fix: None }
}

fn error(rule: &'static str, place: &str, text: impl Into<String>) -> Finding {
    finding(rule, Severity::Error, place, text)
}

pub(super) fn check(sequence: &TaskSequence, context: &LintContext, findings: &mut Vec<Finding>) {
    let all = sequence.steps();
    let runs: Vec<&Entry<'_>> = all.iter().filter(|entry| runs_on_stand_alone(entry)).collect();
    boot_image(context, findings);
    operating_system_is_deployed(&runs, findings);
    architectures(context, findings);
    user_device_affinity_variables(sequence, context, findings);
    let order = Order::of(&runs);
    for (at, entry) in runs.iter().enumerate() {
        unsupported_steps(entry, findings);
        software_before_system(entry, at, &order, findings);
        user_device_affinity_step(entry, findings);
        dynamic_lists(entry, findings);
        client(entry, findings);
        run_in(entry, findings);
        references(entry, context, findings);
    }
    install_package_known_failure(&runs, &order, findings);
    // What is disabled is on the medium all the same.
    for variable in &sequence.global_variables {
        secret_variable(SEQUENCE, variable, context, findings);
    }
    for entry in &all {
        secrets(entry, context, findings);
    }
}

/// Not disabled, and no condition says for sure that it does not run on stand-alone media.
fn runs_on_stand_alone(entry: &Entry<'_>) -> bool {
    let known = |name: &str| name.eq_ignore_ascii_case("_SMSTSMediaType").then(|| "FullMedia".to_owned());
    !entry.disabled && !entry.conditions.iter().any(|condition| condition.decide(&known) == Some(false))
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
            system: first(&[StepKind::ApplyOperatingSystemImage, StepKind::UpgradeOperatingSystem]),
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
    if Order::of(runs).system.is_none() {
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
    findings.push(error(rule, &entry.path, text));
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
        findings.push(affinity(SEQUENCE, &variable.name));
    }
    for name in context.media_variables.iter().filter(|name| is_affinity(name)) {
        findings.push(affinity("definition", name));
    }
}

/// SA-67, set by a step.
fn user_device_affinity_step(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let own = entry.step.variables.iter().map(|variable| &*variable.name);
    let set = entry.step.sets().map(|(name, _)| name);
    for name in own.chain(set).filter(|name| is_affinity(name)) {
        findings.push(affinity(&entry.path, name));
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
        findings.push(error("SA-70", &entry.path, text));
    }
}

/// SA-71: Install Package fails on a client that never got its policy from a site, unless a command prepares it.
fn install_package_known_failure(runs: &[&Entry<'_>], order: &Order, findings: &mut Vec<Finding>) {
    let Some(setup) = order.setup else { return };
    let mut after = runs.iter().skip(setup);
    let Some(install) = after.clone().position(|entry| entry.step.kind == StepKind::InstallPackage) else { return };
    let prepares = |entry: &&Entry<'_>| {
        let names = |text: &str| text.to_lowercase().contains("ccm_softwaredistributionclientconfig");
        entry.step.kind == StepKind::RunCommandLine
            && (names(&entry.step.action) || entry.step.property("CommandLine").is_some_and(names))
    };
    if after.by_ref().take(install).any(prepares) {
        return;
    }
    let text = "Install Package fails on media that were not made by a primary site with software distribution on \
                (GetClientConfigPolicies failed, 0x80041001); insert a Run Command Line step that creates \
                ccm_SoftwareDistributionClientConfig after Setup Windows and ConfigMgr";
    let mut found = finding("SA-71", Severity::Warning, &runs[setup + install].path, text);
    found.fix = Some(Fix::enable_software_distribution(&runs[setup].path));
    findings.push(found);
}

/// SEQ-PLACE: a step that can't run where it is told to.
fn run_in(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let (found, only) = match (entry.step.kind.place(), entry.step.run_in) {
        (Place::WinPeOnly, RunIn::FullOS) => ("FullOS", "WinPE"),
        (Place::FullOsOnly, RunIn::WinPE) => ("WinPE", "FullOS"),
        _ => return,
    };
    let text = format!("{} runs only in {only}; runIn says {found}: change it", entry.step.kind.label());
    findings.push(error("SEQ-PLACE", &entry.path, text));
}

/// REF-MISSING, REF-SUPERSEDED, REF-INDEX, REF-SEQUENCE: everything that a step names is on the medium.
fn references(entry: &Entry<'_>, context: &LintContext, findings: &mut Vec<Finding>) {
    let step = entry.step;
    for Reference { kind, id, place } in of_step(entry) {
        let (there, table) = match kind {
            ReferenceKind::OperatingSystemImage => (
                context.operating_system_image.as_ref().is_some_and(|image| image.id == id),
                "[operating-system-image]",
            ),
            ReferenceKind::DriverPackage => (context.driver_packages.contains(&id), "[[driver-package]]"),
            ReferenceKind::Application => (context.applications.contains(&id), "[[application]]"),
            ReferenceKind::Package => (context.packages.contains(&id), "[[package]]"),
            ReferenceKind::TaskSequence => {
                let text = format!("child task sequence {id} can't be put on a medium; copy its steps into this one");
                findings.push(error("REF-SEQUENCE", &place, text));
                continue;
            }
        };
        if let (false, Some(new), ReferenceKind::Application) = (there, context.superseded.get(&id), kind) {
            let text = format!("application {id} is superseded by {new}; name {new} in the step");
            findings.push(error("REF-SUPERSEDED", &place, text));
        } else if !there {
            let text = format!(
                "{} {id} is not on the medium; add {table} with id = \"{id}\" to the definition, or change the step",
                kind.label()
            );
            findings.push(error("REF-MISSING", &place, text));
        }
    }
    if step.kind != StepKind::ApplyOperatingSystemImage {
        return;
    }
    if context.operating_system_image.is_none()
        && step.property("ImagePackageID").is_none()
        && step.property("InstallPackageID").is_none()
    {
        let text = "no operating system image is on the medium; add [operating-system-image] to the definition";
        findings.push(error("REF-MISSING", &entry.path, text));
    }
    if let (Some(index), Some(expected)) = (step.property("ImageIndex"), context.operating_system_index)
        && !index.contains('%')
        && index.parse() != Ok(expected)
    {
        let text = format!(
            "the step applies image index {index}, the definition says {expected}; make them agree (index in \
             [operating-system-image])"
        );
        findings.push(error("REF-INDEX", &entry.path, text));
    }
}

/// SA-55: command lines and scripts.
fn secrets(entry: &Entry<'_>, context: &LintContext, findings: &mut Vec<Finding>) {
    let step = entry.step;
    let mut texts = vec![("command line", &*step.action), ("description", &step.description)];
    texts.extend(
        step.variables
            .iter()
            // An export repeats the command line there.
            .filter(|variable| variable.value != step.action && !names_secret(&variable.name))
            .map(|variable| (&*variable.name, &*variable.value)),
    );
    for (where_it_is, hint) in find_all(&texts) {
        findings.push(literal(&entry.path, &format!("{where_it_is} has {hint}"), context));
    }
    for variable in &step.variables {
        secret_variable(&entry.path, variable, context, findings);
    }
    if let Some((name, value)) = step.sets()
        && !step.variables.iter().any(|variable| variable.hidden && variable.value.trim() == value)
        && names_secret(name)
        && is_literal(value)
    {
        findings.push(literal(&entry.path, &format!("variable {name} is set to a value that is not hidden"), context));
    }
}

/// SA-55: a variable that holds a secret without being hidden.
fn secret_variable(place: &str, variable: &Variable, context: &LintContext, findings: &mut Vec<Finding>) {
    let secret = names_secret(&variable.name) || variable.property.as_deref().is_some_and(names_secret);
    if secret && !variable.hidden && is_literal(&variable.value) {
        findings.push(literal(place, &format!("variable {} has a value and is not hidden", variable.name), context));
    }
}

fn literal(place: &str, what: &str, context: &LintContext) -> Finding {
    // In an encrypted policy nobody reads it without the password; it still shows in the editor and in exports.
    let severity = if context.policy_is_encrypted { Severity::Warning } else { Severity::Error };
    let text = format!("{what}; put it in a [[variable]] with secret = true and write %NAME% here");
    finding("SA-55", severity, place, text)
}
