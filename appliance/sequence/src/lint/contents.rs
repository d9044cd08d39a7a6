// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! REF-: everything that a step names is on the medium.

use super::rules::{SEQUENCE, error, finding};
use super::{Finding, LintContext, Severity};
use crate::reference::{Reference, ReferenceKind, of_step as references_of, reference_kind};
use crate::{Entry, Step, StepKind};

/// REF-MISSING, once for each id, with all steps that name it: that is the list an administrator works from.
pub(super) fn missing(runs: &[&Entry<'_>], context: &LintContext, findings: &mut Vec<Finding>) {
    let mut absent: Vec<(ReferenceKind, String, Vec<String>)> = Vec::new();
    for Reference { kind, id, place } in runs.iter().flat_map(|entry| references_of(entry)) {
        if kind == ReferenceKind::TaskSequence || is_there(kind, &id, context) || is_superseded(kind, &id, context) {
            continue;
        }
        match absent.iter_mut().find(|(other, known, _)| (*other, known) == (kind, &id)) {
            Some((_, _, places)) => places.push(place),
            None => absent.push((kind, id, vec![place])),
        }
    }
    for (kind, id, places) in absent {
        let used = match places.len() {
            1 => String::new(),
            count => format!(" (used by {count} steps: {})", places.join(", ")),
        };
        let table = table(kind);
        let text = format!(
            "{} {id} is not on the medium{used}; add {table} with id = \"{id}\" to the definition, or change the step",
            kind.label()
        );
        findings.push(error("REF-MISSING", &places[0], text));
    }
}

/// REF-UNUSED: content that costs room on every drive and that no step names. Where a step computes its ids on the computer
/// nobody knows what it names.
pub(super) fn unused(runs: &[&Entry<'_>], context: &LintContext, findings: &mut Vec<Finding>) {
    let named: Vec<Reference> = runs.iter().flat_map(|entry| references_of(entry)).collect();
    let is_computed = runs.iter().any(|entry| computes_ids(entry.step));
    if is_computed {
        return;
    }
    let kinds = [
        (ReferenceKind::DriverPackage, &context.driver_packages),
        (ReferenceKind::Application, &context.applications),
        (ReferenceKind::Package, &context.packages),
        (ReferenceKind::OperatingSystemUpgradePackage, &context.upgrade_packages),
    ];
    for (kind, ids) in kinds {
        for id in ids.iter().filter(|id| !context.dependencies.contains(*id)) {
            if !named.iter().any(|reference| reference.id == *id) {
                let text = format!(
                    "{} {id} is on the medium and no step uses it; take it out of the definition, or name it in a step",
                    kind.label()
                );
                findings.push(finding("REF-UNUSED", Severity::Warning, SEQUENCE, text));
            }
        }
    }
}

/// Steps that take their contents from variables, or match drivers by themselves.
fn computes_ids(step: &Step) -> bool {
    step.kind == StepKind::AutoApplyDrivers
        || step.property("BaseVariableName").is_some()
        || step.variables.iter().any(|variable| {
            let property = variable.property.as_deref().unwrap_or(&variable.name);
            reference_kind(step.kind, property).is_some() && variable.value.contains('%')
        })
}

fn table(kind: ReferenceKind) -> &'static str {
    match kind {
        ReferenceKind::OperatingSystemImage => "[operating-system-image]",
        ReferenceKind::DriverPackage => "[[driver-package]]",
        ReferenceKind::Application => "[[application]]",
        ReferenceKind::Package | ReferenceKind::TaskSequence => "[[package]]",
        ReferenceKind::OperatingSystemUpgradePackage => "[[operating-system-upgrade-package]]",
    }
}

fn is_there(kind: ReferenceKind, id: &str, context: &LintContext) -> bool {
    match kind {
        ReferenceKind::OperatingSystemImage => {
            context.operating_system_image.as_ref().is_some_and(|image| image.id == id)
        }
        ReferenceKind::DriverPackage => context.driver_packages.contains(id),
        ReferenceKind::Application => context.applications.contains(id),
        ReferenceKind::Package => context.packages.contains(id),
        ReferenceKind::OperatingSystemUpgradePackage => context.upgrade_packages.contains(id),
        ReferenceKind::TaskSequence => false,
    }
}

fn is_superseded(kind: ReferenceKind, id: &str, context: &LintContext) -> bool {
    kind == ReferenceKind::Application && context.superseded.contains_key(id)
}

/// REF-SUPERSEDED, REF-INDEX, REF-SEQUENCE, REF-PLACEHOLDER: what is to be changed in this one step.
pub(super) fn of_step(entry: &Entry<'_>, context: &LintContext, findings: &mut Vec<Finding>) {
    let step = entry.step;
    for Reference { kind, id, place } in references_of(entry) {
        if kind == ReferenceKind::TaskSequence {
            let text = format!("child task sequence {id} can't be put on a medium; copy its steps into this one");
            findings.push(error("REF-SEQUENCE", &place, text));
        } else if let (false, true, Some(new)) =
            (is_there(kind, &id, context), kind == ReferenceKind::Application, context.superseded.get(&id))
        {
            let text = format!("application {id} is superseded by {new}; name {new} in the step");
            findings.push(error("REF-SUPERSEDED", &place, text));
        }
    }
    if step.kind == StepKind::ApplyDriverPackage
        && step.property("DriverPackageID").is_none_or(crate::reference::is_placeholder)
        && !step.variables.is_empty()
    {
        let text = "the step names no driver package yet, only a placeholder; name one, or disable the step";
        findings.push(error("REF-PLACEHOLDER", &entry.path, text));
    }
    if step.kind == StepKind::ApplyOperatingSystemImage {
        system(entry, context, findings);
    }
}

fn system(entry: &Entry<'_>, context: &LintContext, findings: &mut Vec<Finding>) {
    let step = entry.step;
    let image = step.property("ImagePackageID");
    let upgrade = step.property("InstallPackageID");
    if context.operating_system_image.is_none() && image.is_none() && upgrade.is_none() {
        let text = "no operating system image is on the medium; add [operating-system-image] to the definition";
        findings.push(error("REF-MISSING", &entry.path, text));
    }
    // The edition of an upgrade package is an index of an image of its own.
    let named = step.property("ImageIndex").filter(|_| upgrade.is_none());
    if let (Some(index), Some(expected)) = (named, context.operating_system_index)
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
