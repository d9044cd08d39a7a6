// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Exports of Configuration Manager: an OPC package (ECMA-376 part 2: a ZIP archive) with the sequence, its child sequences
//! and the names of everything they use.

mod zip;

use std::borrow::Cow;
use std::collections::BTreeMap;

use roxmltree::{Document, Node as XmlNode};

pub use zip::ZipError;

use crate::import::{Change, ChangeKind, Imported, decode};
use crate::limits;
use crate::read::{child_named, parse};
use crate::{Group, Node, SequenceError, StepKind};

/// Folder of the sequences; one folder in it for each.
const SEQUENCES: &str = "SMS_TaskSequencePackage/";
/// All texts of an archive together, when unpacked.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// What an export says of an id that its sequences use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedReference {
    /// As the steps name it.
    pub id: String,
    /// For people.
    pub name: String,
    /// As its author counts; may be empty.
    pub version: String,
    /// Configuration Manager's number for its kind, such as 257 for an image; may be empty.
    pub package_type: String,
}

/// A whole export.
#[derive(Debug)]
pub struct Export {
    /// Id of the sequence that was exported; the others are its children.
    pub id: String,
    /// By id.
    pub sequences: BTreeMap<String, Imported>,
    /// By id, each once.
    pub references: BTreeMap<String, NamedReference>,
}

impl Export {
    /// Whether these bytes begin as an export does.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK\x03\x04")
    }

    /// Reads the archive; everything in it has its limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SequenceError> {
        let archive = zip::Archive::open(bytes).map_err(SequenceError::Archive)?;
        let mut total_bytes = 0;
        let mut text = |name: &str| {
            let Some(bytes) = archive.read(name).map_err(SequenceError::Archive)? else { return Ok(None) };
            total_bytes += bytes.len();
            if total_bytes > MAX_TEXT_BYTES {
                return Err(SequenceError::TooMuch { what: "bytes of text in the export", limit: MAX_TEXT_BYTES });
            }
            Ok(Some(match decode(&bytes)? {
                Cow::Owned(text) => text,
                Cow::Borrowed(_) => String::from_utf8(bytes).expect("it was just found to be UTF-8"),
            }))
        };
        let mut export = Self { id: String::new(), sequences: BTreeMap::new(), references: BTreeMap::new() };
        if let Some(manifest) = text("Manifest.xml")? {
            export.id = exported_id(&parse(&manifest)?);
        }
        let ids: Vec<&str> = archive.names().filter_map(sequence_id).collect();
        for id in ids {
            if let Some(object) = text(&format!("{SEQUENCES}{id}/object.xml"))? {
                export.sequences.insert(id.to_owned(), Imported::from_text(&object)?);
            }
            for list in ["ReferencesInfo.xml", "AppReferencesInfo.xml"] {
                if let Some(list) = text(&format!("{SEQUENCES}{id}/{list}"))? {
                    add_references(&parse(&list)?, &mut export.references)?;
                }
            }
        }
        if export.sequences.len() == 1 {
            export.id = export.sequences.keys().next().cloned().unwrap_or_default();
        }
        if export.sequences.contains_key(&export.id) {
            return Ok(export);
        }
        Err(SequenceError::NoSequence {
            root: "Manifest.xml".into(),
            expected: "Object Path=\"SMS_TaskSequencePackage…\"",
        })
    }

    /// The exported sequence with its children put in as groups. A child that is not in the export stays a step.
    pub fn into_one(mut self) -> Result<Imported, SequenceError> {
        let Some(mut whole) = self.sequences.remove(&self.id) else {
            return Err(SequenceError::NoSequence { root: self.id, expected: "the sequence that was exported" });
        };
        let mut inside = Inline { sequences: &self.sequences, stack: vec![self.id], nodes: 0, changes: Vec::new() };
        whole.sequence.nodes = inside.nodes(std::mem::take(&mut whole.sequence.nodes), "")?;
        whole.changes.extend(inside.changes);
        let problems = whole.sequence.problems();
        if problems.is_empty() { Ok(whole) } else { Err(SequenceError::Problems { problems }) }
    }
}

fn sequence_id(name: &str) -> Option<&str> {
    name.strip_prefix(SEQUENCES)?.strip_suffix("/object.xml").filter(|id| !id.contains('/'))
}

/// `<Object Path="SMS_TaskSequencePackage.PackageID='CHQ00017'" …>`.
fn exported_id(manifest: &Document<'_>) -> String {
    let paths = manifest.descendants().filter(|node| node.tag_name().name() == "Object");
    let ids = paths.filter_map(|node| {
        let (class, id) = node.attribute("Path")?.split_once(".PackageID=")?;
        (class == "SMS_TaskSequencePackage").then(|| id.trim_matches(['\'', '"']).to_owned())
    });
    ids.into_iter().next().unwrap_or_default()
}

/// A list of texts, each of which is an instance in XML of its own.
fn add_references(list: &Document<'_>, found: &mut BTreeMap<String, NamedReference>) -> Result<(), SequenceError> {
    for text in list.root_element().children().filter_map(|node| node.text()).filter(|text| !text.trim().is_empty()) {
        let document = parse(text.trim())?;
        let value = |name: &str| property(document.root_element(), name).into_owned();
        let id = value("ReferencePackageID");
        if !id.is_empty() {
            let (name, version) = (value("ReferenceName"), value("ReferenceVersion"));
            let package_type = value("ReferencePackageType");
            found.entry(id.clone()).or_insert(NamedReference { id, name, version, package_type });
        }
    }
    Ok(())
}

/// A property of an instance, as CIM writes it in XML.
pub(crate) fn property<'d>(instance: XmlNode<'d, '_>, name: &str) -> Cow<'d, str> {
    let is = |node: &XmlNode<'_, '_>| node.has_tag_name("PROPERTY") && node.attribute("NAME") == Some(name);
    let value = instance.children().find(is).and_then(|property| child_named(property, "VALUE"));
    let mut parts = value.into_iter().flat_map(|node| node.children()).filter_map(|part| part.text());
    // A text of several parts, such as several CDATA, has to be put together; a sequence is megabytes in one.
    let first = parts.next().map_or(Cow::Borrowed(""), Cow::Borrowed);
    parts.fold(first, |whole, part| whole + part)
}

struct Inline<'a> {
    sequences: &'a BTreeMap<String, Imported>,
    /// Ids of the sequences that are being put in, from the outside to the inside.
    stack: Vec<String>,
    nodes: usize,
    changes: Vec<Change>,
}

impl Inline<'_> {
    fn nodes(&mut self, nodes: Vec<Node>, parent: &str) -> Result<Vec<Node>, SequenceError> {
        self.nodes += nodes.len();
        // Children that name children grow fast.
        if self.nodes > limits::MAX_NODES {
            let what = "groups and steps with all child sequences";
            return Err(SequenceError::TooMuch { what, limit: limits::MAX_NODES });
        }
        nodes.into_iter().map(|node| self.node(node, parent)).collect()
    }

    fn node(&mut self, node: Node, parent: &str) -> Result<Node, SequenceError> {
        let step = match node {
            Node::Group(mut group) => {
                let path = crate::model::join(parent, &group.name);
                group.nodes = self.nodes(std::mem::take(&mut group.nodes), &path)?;
                return Ok(Node::Group(group));
            }
            Node::Step(step) => step,
        };
        let id = (step.kind == StepKind::RunTaskSequence).then(|| step.property("TsPackageID")).flatten();
        let Some(id) = id.map(str::to_owned) else { return Ok(Node::Step(step)) };
        if self.stack.contains(&id) {
            return Err(SequenceError::Circle { ids: format!("{} > {id}", self.stack.join(" > ")) });
        }
        let Some(child) = self.sequences.get(&id) else { return Ok(Node::Step(step)) };
        let path = crate::model::join(parent, &step.name);
        self.stack.push(id.clone());
        if self.stack.len() > limits::MAX_DEPTH {
            return Err(SequenceError::TooMuch { what: "child sequences within each other", limit: limits::MAX_DEPTH });
        }
        let nodes = self.nodes(child.sequence.nodes.clone(), &path)?;
        self.stack.pop();
        let (kind, what) = (ChangeKind::Translated, format!("child task sequence {id} to a group"));
        self.changes.push(Change { kind, place: id.clone(), path: path.clone(), what });
        self.changes.extend(child.changes.iter().map(|change| Change {
            place: format!("{id} {}", change.place),
            path: crate::model::join(&path, &change.path),
            ..change.clone()
        }));
        Ok(Node::Group(Group {
            name: step.name,
            description: step.description,
            disabled: step.disabled,
            continue_on_error: step.continue_on_error,
            condition: step.condition.map(|condition| *condition),
            nodes,
        }))
    }
}
