// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The reader of the documented XML, in two manners.
//!
//! Strict: everything that is not exactly as documented is a problem. Tolerant, for what other programs exported: what
//! can be understood all the same is taken, and each such place is a [`Change`]; only what nobody can understand is a
//! problem.

mod condition;
mod guard;
mod places;
mod step;
mod xml;

use roxmltree::{Document, Node as XmlNode, ParsingOptions};

pub(crate) use step::ORGANISATION;
pub(crate) use xml::child_named;

use self::places::Places;
use crate::import::{Change, ChangeKind};
use crate::limits::{self, Limit};
use crate::model::{ListedContent, check_environment};
use crate::{Condition, Node, Problem, SequenceError, SequenceVersion, TaskSequence};

type Xml<'d, 'i> = XmlNode<'d, 'i>;

impl TaskSequence {
    /// Reads `<sequence version="3.00|3.10">`. Everything that is wrong is reported at once, with line and column.
    pub fn from_xml(text: &str) -> Result<Self, SequenceError> {
        let document = parse(text)?;
        read(&document, document.root_element(), Manner::Strict).map(|(sequence, _)| sequence)
    }
}

/// Well-formed XML within the limits. Entities are refused by the parser.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, SequenceError> {
    if text.len() > limits::MAX_XML_BYTES {
        return Err(SequenceError::TooLarge { found_bytes: text.len() });
    }
    if guard::has_crowded_element(text) {
        return Err(SequenceError::TooMuch { what: "attributes of one element", limit: guard::MAX_ATTRIBUTES });
    }
    // Exports begin with a byte order mark.
    let options = ParsingOptions { nodes_limit: MAX_XML_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text.trim_start_matches('\u{feff}'), options).map_err(SequenceError::Xml)
}

/// Most elements and texts of a file.
const MAX_XML_NODES: u32 = 250_000;
/// Most problems that are listed, for nobody reads more of them.
const MAX_PROBLEMS: usize = 1000;
/// Most places that are taken although they are not as documented.
const MAX_CHANGES: usize = 20_000;

/// How much is forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing.
    Strict,
    /// What can be understood.
    Tolerant,
}

/// A `<sequence>` of a document, and what was changed to take it.
pub(crate) fn read(
    document: &Document<'_>,
    root: Xml<'_, '_>,
    manner: Manner,
) -> Result<(TaskSequence, Vec<Change>), SequenceError> {
    let mut reader = Reader::new(manner, Places::of(document.input_text()));
    let sequence = reader.sequence(root);
    let (mut problems, changes) = (reader.problems, reader.changes);
    match sequence {
        Some(sequence) if problems.is_empty() => {
            if let Err(Limit { expected, found }) = check_environment(sequence.environment_bytes()) {
                let (place, what) = ("sequence".to_owned(), "variables".to_owned());
                problems.push(Problem { place, what, expected, found, path: String::new() });
                return Err(SequenceError::Problems { problems });
            }
            Ok((sequence, changes))
        }
        _ => Err(SequenceError::Problems { problems }),
    }
}

/// A `<condition>` that stands in another document, such as the rules of Set Dynamic Variables. Places in that document
/// say nothing to anybody, and are left out.
pub(crate) fn read_condition(node: Xml<'_, '_>) -> (Option<Condition>, Vec<Problem>) {
    let mut reader = Reader::new(Manner::Tolerant, Places::default());
    let condition = reader.condition(node);
    (condition, reader.problems)
}

/// What a file says may be megabytes; its beginning is enough to find it.
fn short(mut text: String) -> String {
    const CHARACTERS: usize = 200;
    if let Some((at, _)) = text.char_indices().nth(CHARACTERS) {
        text.replace_range(at.., "…");
    }
    text
}

struct Reader<'d> {
    places: Places<'d>,
    manner: Manner,
    /// Groups and steps so far.
    nodes: usize,
    /// Names of the groups and the step that is read.
    path: Vec<String>,
    problems: Vec<Problem>,
    changes: Vec<Change>,
}

impl<'d> Reader<'d> {
    fn new(manner: Manner, places: Places<'d>) -> Self {
        Self { places, manner, nodes: 0, path: Vec::new(), problems: Vec::new(), changes: Vec::new() }
    }

    /// Whether one more group or step may be read. That there are too many is said once.
    fn counts(&mut self, node: Xml<'_, '_>) -> bool {
        self.nodes += 1;
        if self.nodes == limits::MAX_NODES + 1 {
            let expected = format!("at most {} groups and steps", limits::MAX_NODES);
            self.note(node.range().start, "<sequence>", expected, "more");
        }
        self.nodes <= limits::MAX_NODES
    }

    fn tolerant(&self) -> bool {
        self.manner == Manner::Tolerant
    }

    fn note(&mut self, byte: usize, what: &str, expected: impl Into<String>, found: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let (place, path) = (self.places.at(byte), self.path.join(" / "));
            let (expected, found) = (expected.into(), short(found.into()));
            self.problems.push(Problem { place, what: what.to_owned(), expected, found, path });
        }
    }

    fn change(&mut self, byte: usize, kind: ChangeKind, what: impl Into<String>) {
        if self.changes.len() == MAX_CHANGES {
            let expected = format!("at most {MAX_CHANGES} places that are not as documented");
            self.note(byte, "<sequence>", expected, "more");
            return;
        }
        let (place, path) = (self.places.at(byte), self.path.join(" / "));
        self.changes.push(Change { kind, place, path, what: short(what.into()) });
    }

    fn check(&mut self, byte: usize, what: &str, result: Result<(), Limit>) {
        if let Err(Limit { expected, found }) = result {
            self.note(byte, what, expected, found);
        }
    }

    fn sequence(&mut self, root: Xml<'_, '_>) -> Option<TaskSequence> {
        if root.tag_name().name() != "sequence" {
            let found = format!("<{}>", root.tag_name().name());
            self.note(root.range().start, "root element", "<sequence version=\"3.00\"> or \"3.10\"", found);
            return None;
        }
        self.attributes(root, &["version", "name", "description"]);
        let version = match root.attribute("version") {
            Some("3.00") => SequenceVersion::V3_00,
            Some("3.10") => SequenceVersion::V3_10,
            other => {
                let found = other.map_or("none".to_owned(), |text| format!("{text:?}"));
                self.attribute_problem(root, "version", "3.00 or 3.10", &found);
                SequenceVersion::V3_10
            }
        };
        let start = root.range().start;
        let mut name = root.attribute("name").unwrap_or_default().to_owned();
        let mut description = root.attribute("description").unwrap_or_default().to_owned();
        if !name.is_empty() {
            self.name(start, "<sequence>", &mut name, &mut description);
        }
        self.description(start, "<sequence>", &mut description);
        let mut sequence = TaskSequence {
            version,
            name,
            description,
            listed_contents: Vec::new(),
            global_variables: Vec::new(),
            nodes: Vec::new(),
        };
        let (mut seen_variables, mut seen_contents) = (false, false);
        for child in self.children(root) {
            match child.tag_name().name() {
                "globalVarList" => {
                    self.twice(child, seen_variables);
                    seen_variables = true;
                    sequence.global_variables = self.variables(child);
                }
                "referenceList" => {
                    self.twice(child, seen_contents);
                    seen_contents = true;
                    sequence.listed_contents = self.listed_contents(child);
                }
                "group" => sequence.nodes.extend(self.group(child, 1).map(Node::Group)),
                "step" | "subtasksequence" => sequence.nodes.extend(self.step(child).map(Node::Step)),
                _ => self.unknown_child(root, child, "<referenceList>, <globalVarList>, <group> or <step>"),
            }
        }
        Some(sequence)
    }

    fn listed_contents(&mut self, list: Xml<'_, '_>) -> Vec<ListedContent> {
        let mut found = Vec::new();
        for child in self.children(list) {
            if child.tag_name().name() != "reference" {
                self.unknown_child(list, child, "<reference>");
                continue;
            }
            self.attributes(child, &["package", "program"]);
            let package = child.attribute("package").unwrap_or_default().to_owned();
            if package.is_empty() {
                self.attribute_problem(child, "package", "an id", "none");
            }
            let program = child.attribute("program").unwrap_or_default().to_owned();
            found.push(ListedContent { package, program });
        }
        found
    }
}
