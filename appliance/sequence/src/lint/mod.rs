// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The rules for task sequences on stand-alone media.
//!
//! A rule's id is stable: it stands in reports, and people search for it. `SA-<n>` are Configuration Manager's own
//! rules by their number in Platen's feature map; `REF-` is about contents, `SEQ-` about the sequence itself. A step
//! that is disabled, or that a condition on `_SMSTSMediaType` keeps from running on stand-alone media, breaks no rule.

mod contents;
mod fix;
mod in_clear;
mod order;
mod report;
mod rules;
mod secrets;
#[cfg(test)]
mod tests;
mod values;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

pub use fix::Fix;
pub use report::report;
pub(crate) use secrets::is_literal;
pub use secrets::{SecretHint, find as find_secrets, find_in_answer_file, holds_secret, names_secret};
pub use values::of_variable as check_variable;

use crate::TaskSequence;

/// Whether a finding stops the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is said, and the build goes on.
    Warning,
    /// It stops the build unless the definition allows it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable id, such as `SA-62`.
    pub rule: &'static str,
    /// Whether it stops the build.
    pub severity: Severity,
    /// Path of the step, or `sequence`.
    pub place: String,
    /// What is wrong and what to do. Never a secret.
    pub text: String,
    /// A change that cures it, for [`Fix::apply`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.severity, self.rule, self.place, self.text)
    }
}

/// An image a definition names, as far as the rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// As the definition and the sequence name it.
    pub id: String,
    /// `x86_64`, `x86`, `arm64` or `arm`; None when it is not known.
    pub architecture: Option<String>,
}

/// What is on the medium beside the sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LintContext {
    /// What the medium starts.
    pub boot_image: Option<ImageFacts>,
    /// What is on the medium to be applied.
    pub operating_system_image: Option<ImageFacts>,
    /// 1-based index of the image to apply.
    pub operating_system_index: Option<u32>,
    /// Ids.
    pub driver_packages: BTreeSet<String>,
    /// Ids.
    pub applications: BTreeSet<String>,
    /// Ids of applications that are not on the medium because others supersede them, and by which.
    pub superseded: BTreeMap<String, String>,
    /// Ids.
    pub packages: BTreeSet<String>,
    /// Ids of operating system upgrade packages.
    pub upgrade_packages: BTreeSet<String>,
    /// Ids of applications that others on the medium need.
    pub dependencies: BTreeSet<String>,
    /// Names of the variables that the medium sets.
    pub media_variables: Vec<String>,
    /// The policy is encrypted with a password.
    pub policy_is_encrypted: bool,
}

impl LintContext {
    /// As if the medium had everything that the sequence needs: for a sequence alone.
    pub fn complete(sequence: &TaskSequence) -> Self {
        use crate::ReferenceKind as K;
        let references = sequence.references();
        let ids = |wanted: K| references.iter().filter(move |it| it.kind == wanted).map(|it| it.id.clone());
        let image = |id: String| ImageFacts { id, architecture: None };
        Self {
            boot_image: Some(image(String::new())),
            operating_system_image: Some(image(ids(K::OperatingSystemImage).next().unwrap_or_default())),
            driver_packages: ids(K::DriverPackage).collect(),
            applications: ids(K::Application).collect(),
            packages: ids(K::Package).collect(),
            upgrade_packages: ids(K::OperatingSystemUpgradePackage).collect(),
            ..Self::default()
        }
    }
}

/// All broken rules, in the order of the steps; what is about the whole sequence comes first.
pub fn lint(sequence: &TaskSequence, context: &LintContext) -> Vec<Finding> {
    let mut findings = Vec::new();
    rules::check(sequence, context, &mut findings);
    findings
}
