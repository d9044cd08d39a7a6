// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The contents a sequence needs on the medium.

use serde::Serialize;

use crate::{Entry, StepKind, TaskSequence};

/// What a referenced id is the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceKind {
    /// A WIM on the medium.
    OperatingSystemImage,
    /// A driver package on the medium.
    DriverPackage,
    /// An application on the medium.
    Application,
    /// A package on the medium.
    Package,
    /// A folder with all of Windows' setup, in which there is an image.
    OperatingSystemUpgradePackage,
    /// A child sequence; there is no way to put one on a medium.
    TaskSequence,
}

impl ReferenceKind {
    /// The field's word.
    pub fn label(self) -> &'static str {
        match self {
            Self::OperatingSystemImage => "operating system image",
            Self::DriverPackage => "driver package",
            Self::Application => "application",
            Self::Package => "package",
            Self::OperatingSystemUpgradePackage => "operating system upgrade package",
            Self::TaskSequence => "task sequence",
        }
    }
}

/// One id that an enabled step names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it is the id of.
    pub kind: ReferenceKind,
    /// As the step names it.
    pub id: String,
    /// Path of the step.
    pub place: String,
}

impl TaskSequence {
    /// Ids of everything that enabled steps need, in the order of the steps. Ids that are computed on the target
    /// (`%variable%`) are left out: they can't be known here.
    pub fn references(&self) -> Vec<Reference> {
        let of_global = |entry: &Entry<'_>| self.system_of_share(entry);
        let steps = self.steps();
        let enabled = steps.iter().filter(|entry| !entry.disabled);
        enabled.flat_map(|entry| of_step(entry).into_iter().chain(of_global(entry))).collect()
    }

    /// MDT names the operating system once for the whole sequence.
    fn system_of_share(&self, entry: &Entry<'_>) -> Option<Reference> {
        let step = entry.step;
        if step.kind != StepKind::MdtInstallOperatingSystem || step.property("OSGUID").is_some() {
            return None;
        }
        let id = self.global_variables.iter().find(|variable| variable.name.eq_ignore_ascii_case("OSGUID"))?;
        let id = Some(id.value.trim()).filter(|id| !id.is_empty() && is_reference(id))?;
        let kind = ReferenceKind::OperatingSystemImage;
        Some(Reference { kind, id: id.to_owned(), place: entry.path.clone() })
    }
}

/// What the editor writes as long as nothing was chosen.
pub(crate) fn is_placeholder(id: &str) -> bool {
    id.chars().all(|c| c == '0')
}

/// Whether a text names a content: not one that is computed on the target, and none that was not chosen yet.
pub(crate) fn is_reference(id: &str) -> bool {
    !id.contains('%') && !is_placeholder(id)
}

/// What a property of such a step names.
pub(crate) fn reference_kind(kind: StepKind, property: &str) -> Option<ReferenceKind> {
    properties(kind).iter().find(|(name, _)| name.eq_ignore_ascii_case(property)).map(|(_, kind)| *kind)
}

fn properties(kind: StepKind) -> &'static [(&'static str, ReferenceKind)] {
    use ReferenceKind as K;
    match kind {
        StepKind::ApplyOperatingSystemImage => &[
            ("ImagePackageID", K::OperatingSystemImage),
            ("InstallPackageID", K::OperatingSystemUpgradePackage),
            ("ConfigFilePackage", K::Package),
        ],
        StepKind::ApplyDataImage => &[("ImagePackageID", K::OperatingSystemImage)],
        StepKind::UpgradeOperatingSystem => {
            &[("InstallPackageID", K::OperatingSystemUpgradePackage), ("DriverPackageID", K::DriverPackage)]
        }
        StepKind::ApplyDriverPackage => &[("DriverPackageID", K::DriverPackage)],
        StepKind::InstallApplication => &[("ApplicationName", K::Application)],
        StepKind::InstallPackage | StepKind::RunCommandLine | StepKind::RunPowerShellScript => {
            &[("PackageID", K::Package)]
        }
        StepKind::SetupWindowsAndConfigMgr => &[("ClientPackageID", K::Package)],
        StepKind::CaptureUserState => &[("UsmtPackageID", K::Package)],
        StepKind::RestoreUserState => &[("UsmtRestorePackageID", K::Package), ("UsmtPackageID", K::Package)],
        StepKind::PrepareWindowsForCapture => &[("SysprepPackageID", K::Package)],
        StepKind::MdtUsePackage => &[("BDDPackageID", K::Package), ("PackageID", K::Package)],
        StepKind::DownloadPackageContent => &[("DownloadPackages", K::Package)],
        StepKind::RunTaskSequence => &[("TsPackageID", K::TaskSequence)],
        StepKind::MdtInstallApplication => &[("ApplicationGUID", K::Application)],
        StepKind::MdtInstallOperatingSystem | StepKind::MdtUpgradeOperatingSystem => {
            &[("OSGUID", K::OperatingSystemImage)]
        }
        _ => &[],
    }
}

pub(crate) fn of_step(entry: &Entry<'_>) -> Vec<Reference> {
    let mut found = Vec::new();
    for &(property, kind) in properties(entry.step.kind) {
        let Some(value) = entry.step.property(property) else { continue };
        // Only Install Application lists several; ids have neither commas nor spaces.
        for id in value.split([',', ' ']).filter(|id| is_reference(id)) {
            found.push(Reference { kind, id: id.to_owned(), place: entry.path.clone() });
        }
    }
    found
}
