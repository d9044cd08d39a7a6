// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is found while contents are looked at.

use platen_sequence::{Finding, Severity};

/// What is wrong with the contents: what can't be on a medium, and what rules say of the rest.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) problems: Vec<String>,
    pub(crate) findings: Vec<Finding>,
}

impl Notes {
    /// Stops the build, unless the definition allows it.
    pub(crate) fn error(&mut self, rule: &'static str, place: &str, text: String) {
        self.findings.push(Finding { rule, severity: Severity::Error, place: place.to_owned(), text, fix: None });
    }

    pub(crate) fn warning(&mut self, rule: &'static str, place: &str, text: String) {
        self.findings.push(Finding { rule, severity: Severity::Warning, place: place.to_owned(), text, fix: None });
    }
}
