// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! SEQ-ORDER and SEQ-PLACE: a step stands where what it needs is not there yet, or is gone.

use super::Finding;
use super::rules::error;
use crate::{Entry, Place, RunIn, Step, StepKind};

pub(super) fn check(runs: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    disk_after_system(runs, findings);
    drivers_before_system(runs, findings);
    software_without_windows(runs, findings);
    boot_system_left(runs, findings);
    for entry in runs {
        run_in(entry, findings);
    }
}

/// Sequences with a branch for each firmware apply the system more than once: only what follows the last one is wrong.
fn disk_after_system(runs: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    let is_apply = |entry: &&Entry<'_>| entry.step.kind == StepKind::ApplyOperatingSystemImage;
    let Some(last) = runs.iter().rposition(is_apply) else { return };
    let disk = |step: &Step| step.property("DiskIndex").unwrap_or("0").to_owned();
    let is_partition = |entry: &&&Entry<'_>| entry.step.kind == StepKind::FormatAndPartitionDisk;
    let before: Vec<String> = runs[..last].iter().filter(is_partition).map(|entry| disk(entry.step)).collect();
    // Behind Setup Windows it can't run at all: see below.
    let in_boot_system = |entry: &&&Entry<'_>| entry.step.kind != StepKind::SetupWindowsAndConfigMgr;
    for entry in runs[last..].iter().take_while(in_boot_system).filter(is_partition) {
        let own = disk(entry.step);
        // A data disk may be made ready later.
        if own == "0" || before.contains(&own) {
            let text = format!(
                "disk {own} is partitioned after the operating system was applied, which erases it; move the step before \
                 {:?}",
                runs[last].path
            );
            findings.push(error("SEQ-ORDER", &entry.path, text));
        }
    }
}

/// Drivers go into the system that was applied.
fn drivers_before_system(runs: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    let Some(first) = runs.iter().position(|entry| entry.step.kind == StepKind::ApplyOperatingSystemImage) else {
        return;
    };
    for entry in runs[..first].iter().filter(|entry| entry.step.kind == StepKind::ApplyDriverPackage) {
        let text = format!(
            "drivers are applied before there is an operating system to take them; move the step behind {:?}",
            runs[first].path
        );
        findings.push(error("SEQ-ORDER", &entry.path, text));
    }
}

/// Software is installed in Windows; Setup Windows starts it, and an upgrade or MDT does so by itself.
fn software_without_windows(runs: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    let applies = |entry: &&Entry<'_>| entry.step.kind == StepKind::ApplyOperatingSystemImage;
    let starts = |entry: &&Entry<'_>| {
        entry.step.kind == StepKind::SetupWindowsAndConfigMgr
            || (entry.step.deploys_system() && entry.step.kind != StepKind::ApplyOperatingSystemImage)
    };
    let Some(apply) = runs.iter().position(applies) else { return };
    if runs.iter().any(starts) {
        return;
    }
    let is_software =
        |entry: &&&Entry<'_>| matches!(entry.step.kind, StepKind::InstallApplication | StepKind::InstallPackage);
    for entry in runs[apply..].iter().filter(is_software) {
        let text = format!(
            "{} runs in Windows, which no step starts; add Setup Windows and ConfigMgr behind {:?}",
            entry.step.kind.label(),
            runs[apply].path
        );
        findings.push(error("SEQ-ORDER", &entry.path, text));
    }
}

/// After Setup Windows the computer is in Windows until a step takes it back into the boot system.
fn boot_system_left(runs: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    let mut setup: Option<&str> = None;
    for entry in runs {
        let step = entry.step;
        if step.kind == StepKind::SetupWindowsAndConfigMgr {
            setup = Some(&entry.path);
        } else if step.returns_to_boot_system() {
            setup = None;
        } else if let Some(setup) = setup
            && (step.kind.place() == Place::WinPeOnly || step.run_in == RunIn::WinPE)
            // Where it is told to run is wrong in itself: see below.
            && step.run_in != RunIn::FullOS
            && step.kind.place() != Place::FullOsOnly
        {
            let text = format!(
                "{} runs only in WinPE, which the computer left with {setup:?}; move the step before it",
                step.kind.label()
            );
            findings.push(error("SEQ-PLACE", &entry.path, text));
        }
    }
}

/// A step that can't run where it is told to.
fn run_in(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let (found, only) = match (entry.step.kind.place(), entry.step.run_in) {
        (Place::WinPeOnly, RunIn::FullOS) => ("FullOS", "WinPE"),
        (Place::FullOsOnly, RunIn::WinPE) => ("WinPE", "FullOS"),
        _ => return,
    };
    let text = format!("{} runs only in {only}; runIn says {found}: change it", entry.step.kind.label());
    findings.push(error("SEQ-PLACE", &entry.path, text));
}
