// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Findings for people: each kind once, with all its places.

use std::fmt::Write as _;

use super::{Finding, Severity};

/// Errors first, then by how often they occur.
pub fn report(findings: &[Finding]) -> String {
    let mut kinds: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings {
        let is_same = |other: &Finding| {
            (other.rule, other.severity, &other.text) == (finding.rule, finding.severity, &finding.text)
        };
        match kinds.iter_mut().find(|(first, _)| is_same(first)) {
            Some((_, places)) => places.push(&finding.place),
            None => kinds.push((finding, vec![&finding.place])),
        }
    }
    kinds.sort_by_key(|(finding, places)| (std::cmp::Reverse(finding.severity), std::cmp::Reverse(places.len())));
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut text = format!("{errors} error{}, {warnings} warning{}\n", plural(errors), plural(warnings));
    for (finding, places) in kinds {
        let many = if places.len() == 1 { String::new() } else { format!(" ({} places)", places.len()) };
        let _ = writeln!(text, "{} {}{many}: {}", finding.severity, finding.rule, finding.text);
        for place in places {
            let _ = writeln!(text, "  {place}");
        }
    }
    text
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
