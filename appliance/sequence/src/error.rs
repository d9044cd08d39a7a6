// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can be wrong with a task sequence.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `line:column`, both from 1, of the XML; or the path of the step when it does not come from XML.
    pub place: String,
    /// The element or attribute it is about.
    pub what: String,
    /// What would be right.
    pub expected: String,
    /// What stands there instead.
    pub found: String,
    /// Names of the groups and the step it is in, `A / B / Step`; empty when it is in none or `place` says it.
    pub path: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: expected {}, found {}", self.place, self.what, self.expected, self.found)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, " (in {})", self.path) }
    }
}

/// Why something is no task sequence that can be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum SequenceError {
    /// More than [`crate::limits::MAX_XML_BYTES`].
    #[error("expected a task sequence of at most {} bytes, found {found_bytes}", crate::limits::MAX_XML_BYTES)]
    TooLarge { found_bytes: usize },
    /// Neither UTF-8 nor UTF-16 with its mark.
    #[error("expected text in UTF-8, or in UTF-16 with a byte order mark, found other bytes at byte {at_byte}")]
    Encoding { at_byte: usize },
    /// An export of a task sequence without the sequence in it.
    #[error("expected <{expected}>, found none in <{root}>; is this the export of a task sequence?")]
    NoSequence { root: String, expected: &'static str },
    /// An archive that is no export, or one that is damaged or hostile; the source says which.
    #[error("reading the export as an archive")]
    Archive(#[source] crate::ZipError),
    /// More than anybody needs.
    #[error("expected at most {limit} {what}, found more")]
    TooMuch { what: &'static str, limit: usize },
    /// A sequence that runs itself by its children.
    #[error("task sequences run each other in a circle: {ids}; take one of these Run Task Sequence steps out")]
    Circle { ids: String },
    /// Not well-formed XML; the source says where.
    #[error("reading the task sequence as XML")]
    Xml(#[source] roxmltree::Error),
    /// Not the JSON this crate writes; the source says where.
    #[error("reading the task sequence as JSON")]
    Json(#[source] serde_json::Error),
    /// Well-formed, but not a task sequence within the documented limits; every problem is listed.
    #[error("task sequence has {} problem(s):{}", problems.len(), list(problems))]
    Problems { problems: Vec<Problem> },
}

/// One a line: a file with many is read by people.
fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
